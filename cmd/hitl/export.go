package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"hitl/audit"
)

type exportCmd struct {
	Kind   string `arg:"" enum:"corrections,decisions,items" help:"What to export: corrections, decisions or items."`
	Format string `default:"csv" enum:"csv,jsonl" help:"csv or jsonl (default ${default})."`
	Since  ago    `placeholder:"AGO" help:"Only what is younger: 24h, 7d. Default: everything."`
	Output string `short:"o" type:"path" placeholder:"FILE" help:"Write here; it appears when it is complete. Default: standard output."`
}

// Help is shown by hitl export --help.
func (exportCmd) Help() string {
	return `Writes rows as they come from Postgres, however many there are. Corrections hold what retraining needs: the text, the model's label with all
probabilities, the right label, who said so, why and when, and the versions of model and policy.

In CSV, a text that a spreadsheet would run as a formula begins with an apostrophe; JSON lines hold every text exactly.`
}

func (c *exportCmd) Run(ctx context.Context, p program, global *cli) (err error) {
	_, store, err := p.openStore(ctx, global)
	if err != nil {
		return err
	}
	defer store.Close()
	q := audit.ExportQuery{Kind: audit.ExportKind(c.Kind), Format: audit.ExportFormat(c.Format)}
	if c.Since > 0 {
		q.Since = time.Now().Add(-time.Duration(c.Since))
	}
	if c.Output == "" {
		_, err = store.Export(ctx, p.stdout, q)
		return err
	}
	var rows int
	if err := writeWhole(c.Output, func(w io.Writer) (err error) {
		rows, err = store.Export(ctx, w, q)
		return err
	}); err != nil {
		return err
	}
	_, err = fmt.Fprintf(p.stderr, "%d rows in %s\n", rows, c.Output)
	return err
}

// writeWhole makes a file appear under its name only when all of it is written.
func writeWhole(path string, write func(io.Writer) error) error {
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
