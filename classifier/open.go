package classifier

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"hitl/classifier/internal/engine"
	"hitl/classifier/internal/hub"
	"hitl/classifier/internal/model"
	"hitl/classifier/starter"
)

// Open loads a model and starts to answer. It downloads the model first if it must; ctx bounds the loading only.
//
// The caller closes the classifier. Opening tries the network on a row, so that a model whose network, labels and tokenizer do
// not fit together is refused here.
func Open(ctx context.Context, o Options) (*Classifier, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	c, err := open(ctx, o)
	if err != nil {
		return nil, fmt.Errorf("open model %s: %w", o.Model, err)
	}
	return c, nil
}

func open(ctx context.Context, o Options) (*Classifier, error) {
	folder, dir, err := find(ctx, o)
	if err != nil {
		return nil, err
	}
	m, err := model.Open(folder, o.Network)
	if err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if dir == "" {
		// Engines read networks from paths: the one in the binary is written out while it is loaded.
		if dir, err = writeOut(folder, m.Network); err != nil {
			return nil, fmt.Errorf("write out network: %w", err)
		}
		defer func() { _ = os.RemoveAll(dir) }() // a leftover in the temporary folder is harmless
	}
	e, err := openEngine(ctx, m, filepath.Join(dir, filepath.FromSlash(m.Network)), o)
	if err != nil {
		return nil, err
	}
	if err := tryLabels(m, e); err != nil {
		return nil, errors.Join(err, e.Close())
	}
	o.Logger.InfoContext(ctx, "model is open", "model", o.Model, "version", m.Version, "engine", e.Name(), "labels", m.Labels, "max_tokens", m.MaxTokens)
	return start(m, e, o), nil //nolint:contextcheck // outlives ctx: Close ends it
}

// find returns the model's folder, and its path unless it is in the binary.
func find(ctx context.Context, o Options) (fs.FS, string, error) {
	switch {
	case o.Model == "starter":
		return starter.FS(), "", nil
	case isFolder(o.Model):
		return os.DirFS(o.Model), o.Model, nil
	}
	repo, err := hub.ParseRepo(o.Model)
	if err != nil {
		return nil, "", fmt.Errorf("it is not %q, no folder, and no Hugging Face id: %w", "starter", err)
	}
	if o.CacheDir == "" {
		return nil, "", errors.New("no cache folder is set and this user has none")
	}
	client := hub.Client{URL: o.HubURL, Token: o.HubToken, Progress: o.Progress, Logger: o.Logger}
	dir, err := client.Fetch(ctx, repo, o.CacheDir, "network "+o.Network, func(names []string) ([]string, error) { return model.Files(names, o.Network) })
	if err != nil {
		return nil, "", err
	}
	return os.DirFS(dir), dir, nil
}

// isFolder says whether name means a folder: by its form, or because there is one.
func isFolder(name string) bool {
	if filepath.IsAbs(name) || strings.HasPrefix(name, ".") || strings.HasPrefix(name, "~") {
		return true
	}
	info, err := os.Stat(name)
	return err == nil && info.IsDir()
}

func openEngine(ctx context.Context, m *model.Model, path string, o Options) (engine.Engine, error) {
	n := engine.Network{Path: path, MaxTokens: m.MaxTokens, MaxBatch: o.MaxBatch, Pad: m.Tokenizer.Pad()}
	if o.MaxTokens > 0 {
		n.MaxTokens = min(n.MaxTokens, max(o.MaxTokens, m.Tokenizer.Specials()+1))
	}
	where := o.ONNXRuntime
	switch where {
	case "off":
		return engine.OpenGo(ctx, n)
	case "auto":
		where = ""
	}
	library, err := engine.FindRuntime(where, o.Getenv)
	if err == nil {
		var e engine.Engine
		if e, err = engine.OpenRuntime(n, library, o.Threads); err == nil {
			return e, nil
		}
	}
	if where != "" {
		return nil, err
	}
	if errors.Is(err, engine.ErrNoRuntime) {
		o.Logger.InfoContext(ctx, "model runs in pure Go, which is slow for transformers", "reason", err)
	} else {
		o.Logger.WarnContext(ctx, "ONNX Runtime does not work, model runs in pure Go", "error", err)
	}
	return engine.OpenGo(ctx, n)
}

// tryLabels runs one row, for an engine that counts labels otherwise than config.json.
func tryLabels(m *model.Model, e engine.Engine) error {
	ids, _ := m.Tokenizer.Encode("a", m.MaxTokens)
	logits, err := e.Run([][]uint32{ids})
	if err != nil {
		return err
	}
	if got, want := len(logits[0]), len(m.Labels); got != want {
		return fmt.Errorf("config.json's id2label names %d labels, the network has %d", want, got)
	}
	return nil
}

// writeOut copies the network and nothing else into a new temporary folder, and returns the folder.
func writeOut(folder fs.FS, network string) (dir string, err error) {
	if dir, err = os.MkdirTemp("", "hitl-model-"); err != nil {
		return "", err
	}
	defer func() {
		if err != nil {
			_ = os.RemoveAll(dir)
		}
	}()
	path := filepath.Join(dir, filepath.FromSlash(network))
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return "", err
	}
	return dir, copyFile(folder, network, path)
}
