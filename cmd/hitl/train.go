package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"time"

	"hitl/classifier"
	"hitl/classifier/learn"
)

type trainCmd struct {
	Classifier  string `xor:"from" required:"" placeholder:"NAME" help:"Learn from what reviewers decided about the items of this classifier."`
	Since       ago    `default:"365d" placeholder:"AGO" help:"With --classifier: items received from then until now (default ${default})."`
	Data        string `type:"path" xor:"from" required:"" placeholder:"FILE" help:"Learn from labelled texts: CSV with the columns text, label and perhaps weight, or JSON lines with these fields."`
	Test        string `type:"path" placeholder:"FILE" help:"Labelled texts to judge the model by. Default: a fifth of --data, which then is not learned from."`
	Base        string `default:"starter" placeholder:"MODEL" help:"What reads the texts: starter, or a folder with an embedding model or a classifier (default ${default})."`
	Out         string `type:"path" placeholder:"FOLDER" help:"Write the model here; it appears when it is complete. With --classifier it can be left out: then it goes into the registry."`
	Propose     bool   `help:"With --classifier and without --out: ask the owners in Slack whether it shall run."`
	MinExamples int    `default:"5" placeholder:"N" help:"Leave labels with fewer examples out (default ${default})."`
	Seed        uint64 `default:"1" placeholder:"N" help:"Deals the examples out for cross-validation (default ${default})."`
	JSON        bool   `help:"Print the model's card as JSON."`
}

// Help is shown by hitl train --help.
func (trainCmd) Help() string {
	return `Learns your labels: takes the features that a model finds in texts, and fits a new last layer to them (softmax regression). How
strongly the fit is held back (L2) is chosen by five-fold cross-validation. It takes seconds, a few hundred labelled texts, and no GPU.

With --classifier it learns from the decisions that stand: corrections, and what people accepted. Each weighs by one over the probability with which its item
was reviewed. Known answers (hitl gold) and erased texts are left out. The new model is then compared with what the present one said, on the same held-out items.

The figures to believe are those of the held-out texts, which nothing was learned from: one in five, by a hash of the item's id or of the text, the same ones
each time; or those of --test. Texts that are there twice with one label count as one of double weight.

The result is a folder like any other model's, with a card (README.md, card.json) that says what it was made of:

    hitl train --classifier tickets --propose
    hitl train --data labelled.csv --out ./model
    hitl classify --model ./model "The parcel never came."`
}

func (c *trainCmd) Run(ctx context.Context, p program, global *cli) (err error) {
	switch {
	case c.MinExamples < 2:
		return usageError{errors.New("--min-examples is less than 2")}
	case c.Out == "" && c.Classifier == "":
		return usageError{errors.New("say with --out where the model goes")}
	case c.Propose && (c.Out != "" || c.Classifier == ""):
		return usageError{errors.New("--propose goes with --classifier, and without --out: what is proposed is in the registry")}
	}
	var source exampleSource = exampleFile(c.Data)
	var kept *models // the registry that it goes into
	if c.Classifier != "" {
		cfg, store, err := p.openStore(ctx, global)
		if err != nil {
			return err
		}
		defer store.Close()
		if _, err := oneClassifier(cfg, c.Classifier); err != nil {
			return err
		}
		source = exampleLog{store, c.Classifier, time.Now().UTC().Add(-time.Duration(c.Since))}
		if c.Out == "" {
			kept = &models{cfg: cfg, store: store, name: c.Classifier}
			if kept.registry, err = openRegistry(cfg); err == nil && kept.registry == nil {
				err = usageError{errors.New("say with --out where the model goes, or set models.location, and it goes into the registry")}
			}
			if err != nil {
				return err
			}
			dir, err := os.MkdirTemp("", "hitl-train-")
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
			c.Out = filepath.Join(dir, "model")
		}
	}
	train, test, err := c.split(ctx, source)
	if err != nil {
		return err
	}
	t := training{
		base: c.Base, out: c.Out, source: source.String(), seed: c.Seed, minExamples: c.MinExamples, progress: p.stderr,
		log: slog.New(slog.NewTextHandler(p.stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
	}
	card, err := t.run(ctx, train, test)
	if err != nil {
		return err
	}
	to := p.stdout // what is said after the figures; JSON stands alone
	if c.JSON {
		to = p.stderr
		err = printJSON(p.stdout, card)
	} else {
		err = card.print(p.stdout)
	}
	switch {
	case err != nil:
		return err
	case kept == nil:
		return c.advise(to, card)
	}
	return c.keep(ctx, to, *kept)
}

// advise says what to do with a model in a folder.
func (c *trainCmd) advise(w io.Writer, card modelCard) error {
	_, err := fmt.Fprintf(w, "model %s in %s\ntry it: hitl classify --model %s \"text\"\n", card.Version, c.Out, quoted(c.Out))
	return err
}

// keep adds the model to the registry, and proposes it if that is asked for.
func (c *trainCmd) keep(ctx context.Context, w io.Writer, m models) error {
	added, _, err := m.registry.Add(ctx, m.name, c.Out, operator(""))
	if err != nil {
		return err
	}
	if !c.Propose {
		_, err := fmt.Fprintf(w, "model %s is in the registry; `hitl model propose %s --classifier %s` asks the owners\n", added.Version, short(added.Version), m.name)
		return err
	}
	id, err := m.propose(ctx, added, false, operator(""))
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(w, told("model "+short(added.Version), id, false))
	return err
}

// split reads what to learn from and what to judge by.
func (c *trainCmd) split(ctx context.Context, source exampleSource) (train, test []labelledText, err error) {
	if train, err = source.examples(ctx); err != nil {
		return nil, nil, err
	}
	if c.Test == "" {
		train, test = holdOut(train)
		return train, test, nil
	}
	test, err = exampleFile(c.Test).examples(ctx)
	return train, test, err
}

// holdOut takes the held-out fifth out of examples.
func holdOut(examples []labelledText) (train, test []labelledText) {
	for _, e := range examples {
		if learn.HeldOut(e.ID) {
			test = append(test, e)
		} else {
			train = append(train, e)
		}
	}
	return train, test
}

// defaultMinExamples is below how many examples a label is left out.
const defaultMinExamples = 5

// training makes a model of examples.
type training struct {
	base, out   string
	source      string // of the examples, for the card
	seed        uint64
	minExamples int
	progress    io.Writer
	log         *slog.Logger
}

// run trains and writes the model's folder.
func (t training) run(ctx context.Context, train, test []labelledText) (card modelCard, err error) {
	if err := vacant(t.out); err != nil {
		return card, usageError{err}
	}
	base, err := classifier.OpenEmbedder(ctx, classifier.Options{Model: t.base, Logger: t.log})
	if err != nil {
		return card, err
	}
	defer func() { err = errors.Join(err, base.Close()) }()
	train, test = distinct(train), distinct(test)
	t.say("reading %s with %s (%s)\n", plural(len(train)+len(test), "text"), t.base, base.Engine())
	examples, err := t.embed(ctx, base, train)
	if err != nil {
		return card, err
	}
	judged, err := t.embed(ctx, base, test)
	if err != nil {
		return card, err
	}
	trained, err := learn.TrainHead(ctx, examples, learn.TrainOptions{
		MinExamples: t.minExamples, Seed: t.seed,
		Progress: func(done, most int) {
			if done%5 == 0 || done == most {
				t.say("fitting: %d of at most %d\n", done, most)
			}
		},
	})
	if err != nil {
		return card, usageError{err}
	}
	outcomes := make([]learn.Outcome, len(judged))
	for i, e := range judged {
		outcomes[i] = trained.Head.Outcome(e)
	}
	card = newModelCard(trained, learn.ScoreOf(outcomes))
	card.Comparison = heldAgainst(outcomes, test)
	card.Base, card.Parent, card.Source, card.Seed = t.base, base.Version(), t.source, t.seed
	card.From, card.To = given(slices.Concat(train, test))
	return card, t.write(base, trained.Head, &card)
}

func (t training) say(format string, args ...any) {
	_, _ = fmt.Fprintf(t.progress, format, args...) // a courtesy
}

// embedChunk is how many texts are read between two lines of progress.
const embedChunk = 1000

func (t training) embed(ctx context.Context, base *classifier.Embedder, texts []labelledText) ([]learn.Example, error) {
	out := make([]learn.Example, 0, len(texts))
	for chunk := range slices.Chunk(texts, embedChunk) {
		plain := make([]string, len(chunk))
		for i, e := range chunk {
			plain[i] = e.Text
		}
		features, err := base.EmbedAll(ctx, plain)
		if err != nil {
			return nil, err
		}
		for i, e := range chunk {
			out = append(out, learn.Example{Features: features[i], Label: e.Label, Weight: e.Weight})
		}
		if len(texts) > embedChunk {
			t.say("read %d of %d\n", len(out), len(texts))
		}
	}
	return out, nil
}

// vacant says whether a folder can be made at path.
func vacant(path string) error {
	switch _, err := os.Stat(path); {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	}
	return fmt.Errorf("%s exists; models are not written over: name another folder with --out", path)
}

// write makes the folder appear under its name when all of it is written.
func (t training) write(base *classifier.Embedder, head *learn.Head, card *modelCard) (err error) {
	if err := os.MkdirAll(filepath.Dir(t.out), 0o755); err != nil { //nolint:gosec // a model is no secret
		return err
	}
	dir, err := os.MkdirTemp(filepath.Dir(t.out), ".hitl-")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.RemoveAll(dir)
		}
	}()
	if card.Version, err = base.WriteClassifier(dir, head); err != nil {
		return err
	}
	if err := card.write(dir); err != nil {
		return err
	}
	if err := os.Chmod(dir, 0o755); err != nil { //nolint:gosec // a model is no secret
		return err
	}
	return os.Rename(dir, t.out)
}
