package classifier

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"hitl/classifier/internal/model"
	"hitl/classifier/internal/network"
	"hitl/classifier/learn"
)

// WriteClassifier writes a model folder into dir, which exists and is empty: the embedder's network with the head as its last layer, its tokenizer,
// and a config.json with the head's labels. [Open] opens it like any other. It returns the new model's version; the same embedder and head give the
// same version.
//
// The network computes in float32: its probabilities are the head's up to about 1e-6.
func (e *Embedder) WriteClassifier(dir string, head *learn.Head) (version string, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("write classifier: %w", err)
		}
	}()
	if len(head.Weights) == 0 || len(head.Weights[0]) != e.dimensions {
		return "", fmt.Errorf("the head was not fitted to this embedder's %d features", e.dimensions)
	}
	// The name that Open looks for by default. Weights beside the network are found by the names that stand in it.
	err = e.write(dir, "model.onnx", func(n *network.Network, features string) ([]byte, error) {
		return n.Graft(features, head.Weights, head.Bias)
	})
	if err != nil {
		return "", err
	}
	conf, err := fs.ReadFile(e.folder, "config.json")
	if err != nil {
		return "", err
	}
	if conf, err = model.ClassifierConfig(conf, head.Labels); err != nil {
		return "", err
	}
	if err := os.WriteFile(filepath.Join(dir, "config.json"), conf, 0o644); err != nil { //nolint:gosec // a model is no secret
		return "", err
	}
	for _, name := range []string{"tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"} {
		if _, err := fs.Stat(e.folder, name); err != nil && name != "tokenizer.json" {
			continue
		}
		if err := copyFile(e.folder, name, filepath.Join(dir, name)); err != nil {
			return "", err
		}
	}
	m, err := model.Open(os.DirFS(dir), "model.onnx")
	if err != nil {
		return "", err
	}
	return m.Version, nil
}

func copyFile(folder fs.FS, name, to string) (err error) {
	in, err := folder.Open(name)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }() // read only
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	defer func() {
		if e := out.Close(); err == nil {
			err = e
		}
	}()
	_, err = io.Copy(out, in)
	return err
}
