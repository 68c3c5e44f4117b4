package classifier

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path"
	"path/filepath"

	"hitl"
	"hitl/classifier/internal/model"
	"hitl/classifier/internal/network"
	"hitl/classifier/starter"
)

// Embedder gives the features of texts that a head is fitted to (learn.TrainHead), with the tokens, limits, batches and engines of a [Classifier].
// It is safe for concurrent use.
//
// The features are those of a sentence embedding model (its sentence_embedding, or its last_hidden_state, pooled as 1_Pooling/config.json says and
// scaled to length 1), or what a classifier's last linear layer reads. Of the starter they are its 48 pooled filters, which know sentiment, and the
// averages of its three tables of words, 24 numbers each, which know a little of what a text is about.
type Embedder struct {
	classifier *Classifier
	folder     fs.FS
	model      *model.Encoder
	dimensions int
}

// OpenEmbedder loads the model that [Options].Model names, "starter" or a folder; ctx bounds the loading only. The caller closes the embedder.
func OpenEmbedder(ctx context.Context, o Options) (*Embedder, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	e, err := openEmbedder(ctx, o)
	if err != nil {
		return nil, fmt.Errorf("open embedder %s: %w", o.Model, err)
	}
	return e, nil
}

func openEmbedder(ctx context.Context, o Options) (*Embedder, error) {
	e := &Embedder{}
	o.CacheSize = 0 // features are large, and their owner may change them
	switch {
	case o.Model == "starter":
		e.folder = starter.FS()
	case isFolder(o.Model):
		e.folder = os.DirFS(o.Model)
	default:
		return nil, errors.New(`it is neither "starter" nor a folder`)
	}
	var err error
	if e.model, err = model.OpenEncoder(e.folder, o.Network); err != nil {
		return nil, err
	}
	// Engines read networks from paths.
	dir, err := os.MkdirTemp("", "hitl-embedder-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }() // a leftover in the temporary folder is harmless
	name := path.Base(e.model.Network)
	if err := e.write(dir, name, (*network.Network).Cut); err != nil {
		return nil, err
	}
	run, err := openEngine(ctx, &e.model.Model, filepath.Join(dir, name), o)
	if err != nil {
		return nil, err
	}
	ids, _ := e.model.Tokenizer.Encode("a", e.model.MaxTokens)
	features, err := run.Run([][]uint32{ids})
	if err != nil {
		return nil, errors.Join(err, run.Close())
	}
	e.dimensions = len(features[0])
	o.Logger.InfoContext(ctx, "embedder is open", "model", o.Model, "version", e.model.Version, "engine", run.Name(), "dimensions", e.dimensions)
	e.classifier = start(&e.model.Model, run, o) //nolint:contextcheck // outlives ctx: Close ends it
	return e, nil
}

// write puts the network, made into another one, into dir, and the files of its weights beside it.
func (e *Embedder) write(dir, name string, make func(n *network.Network, features string) ([]byte, error)) error {
	data, err := fs.ReadFile(e.folder, e.model.Network)
	if err != nil {
		return err
	}
	n, err := network.Parse(data)
	if err != nil {
		return fmt.Errorf("%s: %w", e.model.Network, err)
	}
	features, err := e.features(n)
	if err != nil {
		return fmt.Errorf("%s: %w", e.model.Network, err)
	}
	if data, err = make(n, features); err != nil {
		return fmt.Errorf("%s: %w", e.model.Network, err)
	}
	if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil { //nolint:gosec // a model is no secret
		return err
	}
	beside, err := model.ExternalData(e.folder, e.model.Network)
	if err != nil {
		return err
	}
	for _, file := range beside {
		if err := copyFile(e.folder, file, filepath.Join(dir, path.Base(file))); err != nil {
			return fmt.Errorf("copy %s: %w", file, err)
		}
	}
	return nil
}

// starterFeatures names the tensor that is made of the starter's network.
const starterFeatures = "starter_features"

func (e *Embedder) features(n *network.Network) (string, error) {
	if e.model.Type == "starter" && n.Has("pooled") && !n.Has(starterFeatures) {
		return n.Beside(starterFeatures, "pooled", "part0", "part1", "part2")
	}
	pooling := network.Mean
	if e.model.FirstOne {
		pooling = network.CLS
	}
	return n.Features(pooling)
}

// Version returns the hash of the model's files, as [Classifier.Version] does.
func (e *Embedder) Version() string { return e.model.Version }

// Engine says what runs the model, for people.
func (e *Embedder) Engine() string { return e.classifier.Engine() }

// Dimensions is how many features a text has.
func (e *Embedder) Dimensions() int { return e.dimensions }

// Embed returns the features of text. Its errors are those of [Classifier.Classify].
func (e *Embedder) Embed(ctx context.Context, text string) ([]float32, error) {
	return e.embed(ctx, text, false)
}

func (e *Embedder) embed(ctx context.Context, text string, wait bool) ([]float32, error) {
	var p hitl.Prediction
	features, err := e.classifier.run(ctx, text, wait, &p)
	if err != nil {
		return nil, err
	}
	if len(features) != e.dimensions {
		return nil, fmt.Errorf("%w: %d features, want %d", hitl.ErrModel, len(features), e.dimensions)
	}
	for _, v := range features {
		if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
			return nil, fmt.Errorf("%w: a feature is no finite number", hitl.ErrModel)
		}
	}
	return features, nil
}

// EmbedAll returns the features of each text, in order, or the error of the first that has one. Any number of texts is fine.
//
// Which texts share a batch is chance, and what a text's neighbours are may change its features in the last digit; in networks that quantize while they
// run (int8), more.
func (e *Embedder) EmbedAll(ctx context.Context, texts []string) ([][]float32, error) {
	out, errs := make([][]float32, len(texts)), make([]error, len(texts))
	e.classifier.each(texts, func(i int) { out[i], errs[i] = e.embed(ctx, texts[i], true) })
	for i, err := range errs {
		if err != nil {
			return nil, fmt.Errorf("embed text %d: %w", i+1, err)
		}
	}
	return out, nil
}

// Close frees the model, as [Classifier.Close] does.
func (e *Embedder) Close() error { return e.classifier.Close() }
