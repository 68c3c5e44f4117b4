package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"hitl/audit"
	"hitl/classifier/learn"
)

type exportCmd struct {
	Kind       string `arg:"" enum:"corrections,decisions,items,labelled" help:"What to export: corrections, decisions, items or labelled."`
	Classifier string `placeholder:"NAME" help:"With labelled, and needed there: the classifier whose items they are."`
	Format     string `default:"csv" enum:"csv,jsonl,parquet" help:"csv, jsonl or parquet (default ${default})."`
	Since      ago    `placeholder:"AGO" help:"Only what is younger: 24h, 7d. Default: everything."`
	Until      ago    `placeholder:"AGO" help:"Only what is older. Default: everything."`
	Output     string `short:"o" aliases:"out" type:"path" placeholder:"FILE" help:"Write here; it appears when it is complete. Default: standard output. Parquet needs it."`
}

// Help is shown by hitl export --help.
func (exportCmd) Help() string {
	return `Writes rows as they come from Postgres, however many there are. Corrections and decisions are those that stand, by when they were decided; items
are all of them, by when they were received.

Labelled is for training elsewhere: every item of a classifier that people answered, by when it was received, with its text, their label, the model's label and
scores, the weight that makes up for what was not reviewed, and whether it is held out: one in five is, is not to be learned from, and is what models are compared
on. Known answers and erased texts are not in it. docs/retraining.md has the columns, and how a model comes back.

    hitl export labelled --classifier tickets --since 365d --format parquet -o labelled.parquet

In CSV, a text that a spreadsheet would run as a formula begins with an apostrophe; JSON lines and Parquet hold every text exactly.`
}

func (c *exportCmd) Run(ctx context.Context, p program, global *cli) (err error) {
	if err := c.check(); err != nil {
		return usageError{err}
	}
	cfg, store, err := p.openStore(ctx, global)
	if err != nil {
		return err
	}
	defer store.Close()
	if _, ok := cfg.Classifiers[c.Classifier]; c.Classifier != "" && !ok {
		return usageError{fmt.Errorf("classifier %q is not configured; there are %v", c.Classifier, slices.Sorted(maps.Keys(cfg.Classifiers)))}
	}
	now := time.Now()
	if c.Output == "" {
		_, err = c.export(ctx, store, now, p.stdout)
		return err
	}
	var rows int
	if err := writeWhole(c.Output, func(w io.Writer) (err error) {
		rows, err = c.export(ctx, store, now, w)
		return err
	}); err != nil {
		return err
	}
	_, err = fmt.Fprintf(p.stderr, "%s in %s\n", plural(rows, "row"), c.Output)
	return err
}

// check finds what does not go together.
func (c *exportCmd) check() error {
	switch labelled := c.Kind == exportLabelled; {
	case labelled && c.Classifier == "":
		return errors.New("hitl export labelled needs --classifier: each has labels of its own")
	case !labelled && c.Classifier != "":
		return fmt.Errorf("--classifier belongs to hitl export labelled; %s are of all classifiers, and the column model tells them apart", c.Kind)
	case c.Format == string(audit.ExportParquet) && c.Output == "":
		return errors.New("--format parquet needs --output FILE: its footer comes last, and a part of it cannot be read")
	case c.Since > 0 && c.Until >= c.Since:
		return errors.New("--until is not after --since, so there is nothing between them")
	}
	return nil
}

// exportLabelled is the kind of export that is made for training.
const exportLabelled = "labelled"

func (c *exportCmd) export(ctx context.Context, store *audit.Store, now time.Time, w io.Writer) (rows int, err error) {
	var since, until time.Time
	if c.Since > 0 {
		since = now.Add(-time.Duration(c.Since))
	}
	if c.Until > 0 {
		until = now.Add(-time.Duration(c.Until))
	}
	format := audit.ExportFormat(c.Format)
	if c.Kind == exportLabelled {
		return store.ExportLabelled(ctx, w, audit.LabelledExportQuery{Classifier: c.Classifier, Format: format, Since: since, Until: until, HeldOut: learn.HeldOut})
	}
	return store.Export(ctx, w, audit.ExportQuery{Kind: audit.ExportKind(c.Kind), Format: format, Since: since, Until: until})
}

// writeWhole makes a file appear under its name only when all of it is written. What is there and no file, a terminal or a pipe, cannot be written so.
func writeWhole(path string, write func(io.Writer) error) error {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return usageError{fmt.Errorf("write %s: it is no file; name one", path)}
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".hitl-")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	err = write(f)
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}
