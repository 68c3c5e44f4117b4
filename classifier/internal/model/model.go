// Package model reads a text classification model's files: a folder in Hugging Face's layout, checked so that what cannot
// work is refused when it is loaded, with the reason, and not at the first item.
//
// A folder holds model.onnx (or onnx/model.onnx), tokenizer.json and config.json; tokenizer_config.json is read when it is
// there. Nothing else in it matters, and nothing else enters the version.
package model

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// Model is a model's checked files.
type Model struct {
	Labels    []string  // by the index of their logit
	MaxTokens int       // longest input, special tokens included
	Tokenizer Tokenizer // safe for concurrent use
	Network   string    // path of the .onnx file in the folder
	Version   string    // "sha256:" and the hash of names and contents
}

const (
	configFile          = "config.json"
	tokenizerFile       = "tokenizer.json"
	tokenizerConfigFile = "tokenizer_config.json"
)

// maxFile bounds the JSON files that are read whole; the largest vocabularies known take a fifth of it.
const maxFile = 128 << 20

// Open reads the model in folder. Network is the .onnx file's name, "model.onnx" or "model_quantized.onnx" for instance, at
// the root or in onnx/.
func Open(folder fs.FS, network string) (*Model, error) {
	return read(folder, network, func(m *Model, conf *config) (err error) {
		m.Labels, err = conf.labels()
		return err
	})
}

// read reads what any model has, and with its config.json what a kind of model has beside.
func read(folder fs.FS, network string, more func(*Model, *config) error) (*Model, error) {
	m := &Model{}
	for _, candidate := range NetworkPaths(network) {
		if info, err := fs.Stat(folder, candidate); err == nil && info.Mode().IsRegular() {
			m.Network = candidate
			break
		}
	}
	if m.Network == "" {
		return nil, fmt.Errorf("no %s", strings.Join(NetworkPaths(network), " and no "))
	}
	conf, err := readConfig(folder)
	if err != nil {
		return nil, err
	}
	if err := more(m, conf); err != nil {
		return nil, fmt.Errorf("%s: %w", configFile, err)
	}
	data, err := readFile(folder, tokenizerFile)
	if err != nil {
		return nil, err
	}
	if m.Tokenizer, err = parseTokenizer(data); err != nil {
		return nil, fmt.Errorf("%s: %w", tokenizerFile, err)
	}
	if m.MaxTokens, err = conf.maxTokens(); err != nil {
		return nil, err
	}
	if least := m.Tokenizer.Specials() + 1; m.MaxTokens < least {
		return nil, fmt.Errorf("the longest input is %d tokens, too short for the special tokens and one of the text", m.MaxTokens)
	}
	// An engine would read past the embeddings, or clamp the id and answer nonsense.
	if largest := int64(m.Tokenizer.MaxID()); conf.VocabSize > 0 && largest >= conf.VocabSize {
		return nil, fmt.Errorf("%s has the id %d, but %s a vocab_size of %d", tokenizerFile, largest, configFile, conf.VocabSize)
	}
	m.Version, err = version(folder, m.Network)
	return m, err
}

// NetworkPaths returns where the network of that name may be in a model's folder.
func NetworkPaths(network string) []string {
	if strings.Contains(network, "/") {
		return []string{network}
	}
	return []string{network, "onnx/" + network}
}

// Files picks, from the names of a repository's files, those that a model with this network consists of.
func Files(names []string, network string) ([]string, error) {
	for _, candidate := range NetworkPaths(network) {
		if !slices.Contains(names, candidate) {
			continue
		}
		var out []string
		for _, name := range names {
			if name == candidate || name == configFile || name == tokenizerFile || name == tokenizerConfigFile || isExternalData(name, candidate) {
				out = append(out, name)
			}
		}
		for _, needed := range []string{configFile, tokenizerFile} {
			if !slices.Contains(out, needed) {
				return nil, fmt.Errorf("no %s", needed)
			}
		}
		return out, nil
	}
	return nil, fmt.Errorf("no %s", strings.Join(NetworkPaths(network), " and no "))
}

// isExternalData says whether name holds weights of the network beside it, as "model.onnx_data" and "model.onnx.data" do.
func isExternalData(name, network string) bool {
	rest, ok := strings.CutPrefix(name, network)
	return ok && !strings.Contains(rest, "/") && (strings.HasPrefix(rest, "_data") || strings.HasPrefix(rest, ".data"))
}

// ExternalData returns the paths of the files in folder that hold weights of the network beside it.
func ExternalData(folder fs.FS, network string) (names []string, err error) {
	entries, err := fs.ReadDir(folder, path.Dir(network))
	if err != nil {
		return nil, fmt.Errorf("list model files: %w", err)
	}
	for _, e := range entries {
		if name := path.Join(path.Dir(network), e.Name()); isExternalData(name, network) {
			names = append(names, name)
		}
	}
	return names, nil
}

// version hashes the names and contents of the model's files. The network's folder is left out of its name: the same network
// in onnx/ is the same model.
func version(folder fs.FS, network string) (string, error) {
	names, err := ExternalData(folder, network)
	if err != nil {
		return "", err
	}
	names = append(names, configFile, tokenizerFile, tokenizerConfigFile, network)
	slices.Sort(names)
	all := sha256.New()
	for _, name := range names {
		sum, err := hashFile(folder, name)
		if errors.Is(err, fs.ErrNotExist) && name == tokenizerConfigFile {
			continue
		}
		if err != nil {
			return "", fmt.Errorf("hash %s: %w", name, err)
		}
		_, _ = fmt.Fprintf(all, "%s %s\n", sum, path.Base(name)) // as sha256sum lists files
	}
	return "sha256:" + hex.EncodeToString(all.Sum(nil)), nil
}

func hashFile(folder fs.FS, name string) (string, error) {
	f, err := folder.Open(name)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }() // read only
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

func readFile(folder fs.FS, name string) ([]byte, error) {
	info, err := fs.Stat(folder, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("no %s", name)
	}
	if err != nil {
		return nil, err
	}
	if info.Size() > maxFile {
		return nil, fmt.Errorf("%s has %d bytes, more than %d", name, info.Size(), maxFile)
	}
	return fs.ReadFile(folder, name)
}
