package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"hitl"
	"hitl/audit"
	"hitl/classifier"
	"hitl/classifier/learn"
	"hitl/config"
)

type cascadeCmd struct {
	ofClassifier
	Small      string `placeholder:"MODEL" help:"The small model: a folder, or a Hugging Face id (default: classifiers.NAME.cascade.model)."`
	Risk       string `default:"0.01" placeholder:"SHARE" help:"The share of the texts it answers on which the large model would have said something else, not to be exceeded (default ${default})."`
	Confidence string `default:"0.95" placeholder:"SHARE" help:"With which that is promised (default ${default})."`
	Data       string `type:"path" placeholder:"FILE" help:"Texts: CSV with a column text, or JSON lines; label and weight are read too (default: those of the classifier's items)."`
	Since      ago    `default:"90d" placeholder:"AGO" help:"Items received from then until now: 24h, 7d (default ${default})."`
	Items      int    `default:"10000" placeholder:"N" help:"The latest so many of them (default ${default})."`
	JSON       bool   `name:"json" help:"Print JSON."`
}

// Help is shown by hitl cascade --help.
func (cascadeCmd) Help() string {
	return `In a cascade (classifiers.NAME.cascade) a small model answers the texts that it is sure of, and the classifier's own model, the large one, sees the rest. This runs
both over the same texts and finds the lowest score from which on the small one's answers can stand, so that at most --risk of those differ from what the large
one says, with --confidence. It takes nobody's labels. Where people's are known, it also tells which of the two is right more often on the texts that the small one
keeps; people who saw what a model said agree with that one a little too often.

The promise is by exact tests, as of hitl advise, and holds for texts like these: choose the risk and the confidence before you look, and ask again for other models.
Nothing is changed: paste the lines, and start the service anew.

    hitl cascade --classifier tickets --small ./models/small
    hitl cascade --small ./models/small --data texts.csv --risk 0.02 --json`
}

// cascadeText is a text that both models have seen.
type cascadeText struct {
	labelledText
	small, large hitl.Prediction // no label: the model failed
}

func (c *cascadeCmd) Run(ctx context.Context, p program, global *cli) error {
	var o learn.CascadeOptions
	var err error
	if o.Risk, err = learn.ParseShare(c.Risk); err != nil {
		return usageError{fmt.Errorf("--risk: %w", err)}
	}
	if o.Confidence, err = learn.ParseShare(c.Confidence); err != nil {
		return usageError{fmt.Errorf("--confidence: %w", err)}
	}
	if c.Items < 1 {
		return usageError{errors.New("--items is less than 1")}
	}
	m, err := c.cascaded(ctx, p, global)
	if m.store != nil {
		defer m.store.Close()
	}
	if err != nil {
		return err
	}
	texts, err := m.texts(ctx, c)
	if err != nil {
		return err
	}
	report := cascadeReport{Classifier: m.name, Small: cascadeModel{Model: m.small.Model}, Large: cascadeModel{Model: m.large.Model}, Risk: o.Risk.String(), Confidence: o.Confidence.String()}
	if err := report.run(ctx, p, m, texts); err != nil {
		return err
	}
	report.conclude(texts, o)
	if c.JSON {
		return printJSON(p.stdout, report)
	}
	return report.print(p.stdout)
}

// cascaded is what a cascade is looked for with.
type cascaded struct {
	cfg          *config.Config
	store        *audit.Store // nil: it is not needed
	name         string       // of the classifier
	small, large classifier.Options
}

// cascaded finds the models: the large one is what runs, the promoted one if there is one. The caller closes the store.
func (c *cascadeCmd) cascaded(ctx context.Context, p program, global *cli) (m cascaded, err error) {
	if m.cfg, err = p.load(global.Config); err != nil {
		return m, err
	}
	if m.name, err = oneClassifier(m.cfg, c.Classifier); err != nil {
		return m, err
	}
	configured := m.cfg.Classifiers[m.name]
	m.large = classifierOptions(m.cfg, m.name, slog.New(slog.NewTextHandler(p.stderr, &slog.HandlerOptions{Level: slog.LevelWarn})), p.stderr)
	m.large.CacheSize = 0 // what is measured are the networks
	m.small = m.large
	m.small.Network = "" // the usual one
	switch {
	case c.Small != "":
		m.small.Model = c.Small
	case configured.Cascade != nil:
		m.small = smallOptions(m.small, configured.Cascade)
	default:
		return m, usageError{fmt.Errorf("say which small model with --small; classifiers.%s has no cascade", m.name)}
	}
	if c.Data == "" || m.cfg.Models.Location != "" {
		if m.cfg, m.store, err = p.openStore(ctx, global); err != nil {
			return m, err
		}
		promoted, err := promotedVersions(ctx, m.cfg, m.store)
		if err != nil {
			return m, err
		}
		if version := promoted[m.name]; version != "" {
			reg, err := openRegistry(m.cfg)
			if err != nil {
				return m, err
			}
			m.large.Network = ""
			m.large.Model, err = registryFolder(ctx, m.cfg, reg, m.name, version)
			return m, err
		}
	}
	if m.large.Model == "" {
		return m, usageError{fmt.Errorf("classifier %q has no model yet that could see what a small one leaves", m.name)}
	}
	return m, nil
}

// texts are those of the file, or of the latest items.
func (m cascaded) texts(ctx context.Context, c *cascadeCmd) ([]cascadeText, error) {
	var out []cascadeText
	if c.Data != "" {
		read, err := exampleFile(c.Data).read(ctx, false)
		for i, t := range read {
			t.ID = strconv.Itoa(i) // equal texts are several
			out = append(out, cascadeText{labelledText: t})
		}
		return out, err
	}
	since := time.Now().UTC().Add(-time.Duration(c.Since))
	err := m.store.Labelled(ctx, hitl.LabelledQuery{Classifier: m.name, Since: since, Texts: true, Unanswered: true}, func(l hitl.Labelled) error {
		if l.Text == "" { // erased
			return nil
		}
		t := labelledText{ID: l.ItemID, Text: l.Text, At: l.DecidedAt}
		if l.Inclusion > 0 {
			t.Label, t.Weight = l.Label, 1/l.Inclusion
		}
		if len(out) == 2*c.Items { // so that no more than twice as many are held
			out = append(out[:0], out[c.Items:]...)
		}
		out = append(out, cascadeText{labelledText: t})
		return nil
	})
	if err == nil && len(out) == 0 {
		err = fmt.Errorf("classifier %q has no items since %s whose texts are kept; --since reaches further back, --data reads a file", m.name, since.Format("2006-01-02 15:04"))
	}
	return out[max(0, len(out)-c.Items):], err
}

// cascadeChunk is how many texts are classified before it is looked whether to go on.
const cascadeChunk = 256

// timed has a model classify texts, after a few that warm it up, and returns how long that took for all.
func timed(ctx context.Context, c *classifier.Classifier, texts []string) ([]hitl.Prediction, time.Duration, error) {
	c.ClassifyAll(ctx, texts[:min(len(texts), 32)])
	out := make([]hitl.Prediction, 0, len(texts))
	begin := time.Now()
	for at := 0; at < len(texts); at += cascadeChunk {
		for _, r := range c.ClassifyAll(ctx, texts[at:min(len(texts), at+cascadeChunk)]) {
			if r.Err != nil && !errors.Is(r.Err, hitl.ErrModel) {
				return nil, 0, r.Err
			}
			if r.Err != nil {
				r.Label = ""
			}
			out = append(out, r.Prediction)
		}
	}
	return out, time.Since(begin), nil
}

// run has both models classify the texts.
func (r *cascadeReport) run(ctx context.Context, p program, m cascaded, texts []cascadeText) (err error) {
	small, err := classifier.Open(ctx, m.small)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, small.Close()) }()
	large, err := classifier.Open(ctx, m.large)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, large.Close()) }()
	if _, err := classifier.NewCascade(small, large, 1, nil); err != nil {
		return usageError{err}
	}
	plain := make([]string, len(texts))
	for i, t := range texts {
		plain[i] = t.Text
	}
	for _, one := range []struct {
		c    *classifier.Classifier
		what string
		of   *cascadeModel
		put  func(i int, p hitl.Prediction)
	}{
		{small, "small", &r.Small, func(i int, p hitl.Prediction) { texts[i].small = p }},
		{large, "large", &r.Large, func(i int, p hitl.Prediction) { texts[i].large = p }},
	} {
		fmt.Fprintf(p.stderr, "the %s model classifies %s\n", one.what, plural(len(texts), "text"))
		said, took, err := timed(ctx, one.c, plain)
		if err != nil {
			return err
		}
		one.of.Version, one.of.Engine, one.of.PerSecond = one.c.Version(), one.c.Engine(), float64(len(texts))/took.Seconds()
		for i, p := range said {
			one.put(i, p)
			if p.Label == "" {
				one.of.Failed++
			}
		}
	}
	return nil
}
