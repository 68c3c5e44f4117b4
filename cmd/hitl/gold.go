package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"hitl"
	"hitl/audit"
	"hitl/config"
)

type goldCmd struct {
	Add    goldAddCmd    `cmd:"" help:"Add texts with their right labels."`
	List   goldListCmd   `cmd:"" help:"List them."`
	Remove goldRemoveCmd `cmd:"" help:"Remove one; items that were made of it stay."`
}

type goldAddCmd struct {
	Text     string `arg:"" optional:"" help:"The text."`
	Queue    string `placeholder:"NAME" help:"Queue to mix it into."`
	Label    string `placeholder:"LABEL" help:"Its right label."`
	File     string `placeholder:"FILE" xor:"what" help:"JSON lines, one {\"text\", \"label\", \"metadata\"} each; - is standard input. --queue and --label stand for what a line leaves out."`
	FromItem string `placeholder:"ID" xor:"what" help:"The text, metadata and subject of this item; the label is that of its decision unless --label says another. Erasing the item, also by its source's retain, removes it and its copies."`
	By       string `placeholder:"NAME" help:"Who adds it. Default: cli/ and your user name."`
	JSON     bool   `name:"json" help:"Print JSON."`
}

// Help is shown by hitl gold add --help.
func (goldAddCmd) Help() string {
	return `Texts whose right label is known measure reviewers. With queues.NAME.gold_share set, copies of them are put before reviewers among the rest, and nobody is shown which they
are. Copies come to no callback, export, statistic or example. Each person is told once a week how they did; owners are told a week later, and hitl quality reviewers shows what
the person has seen.

Choose texts of which the model is not sure: where the policy takes no sample, those of which it is sure would stand out, and are left out. Give them the metadata that real
items have. Keep enough of them, dozens, that nobody meets the same text twice in a short while.

    hitl gold add --queue support --label NEGATIVE "Great, it broke on day one."
    hitl gold add --queue support --file known.jsonl
    hitl gold add --from-item itm_06h0b…`
}

func (c *goldAddCmd) Run(ctx context.Context, p program, global *cli) error {
	if c.Text != "" && (c.File != "" || c.FromItem != "") || c.Text == "" && c.File == "" && c.FromItem == "" {
		return usageError{errors.New("give one of: a text, --file, --from-item")}
	}
	cfg, store, err := p.openStore(ctx, global)
	if err != nil {
		return err
	}
	defer store.Close()
	masters, err := c.masters(ctx, p, cfg, store)
	if err != nil {
		return err
	}
	ids, err := store.AddMasters(ctx, masters)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(p.stdout, struct {
			IDs []string `json:"ids"`
		}{ids})
	}
	for _, id := range ids {
		if _, err := fmt.Fprintln(p.stdout, id); err != nil {
			return err
		}
	}
	return nil
}

func (c *goldAddCmd) masters(ctx context.Context, p program, cfg *config.Config, store *audit.Store) ([]hitl.Master, error) {
	base := hitl.Master{Queue: c.Queue, Label: c.Label, Text: c.Text, AddedBy: operator(c.By)}
	switch {
	case c.FromItem != "":
		rec, err := store.Item(ctx, c.FromItem)
		if err != nil {
			return nil, fmt.Errorf("item %q: %w", c.FromItem, err)
		}
		if !rec.Item.ErasedAt.IsZero() {
			return nil, fmt.Errorf("item %s was erased", c.FromItem)
		}
		if rec.Gold != nil {
			return nil, fmt.Errorf("item %s is a copy of a known answer already", c.FromItem)
		}
		base.Text, base.Metadata, base.Subject, base.FromItem = rec.Item.Text, rec.Item.Metadata, rec.Item.Subject, rec.Item.ID
		if rec.Decision != nil && base.Label == "" {
			base.Label = rec.Decision.Label
		}
		if rec.Review != nil && base.Queue == "" {
			base.Queue = rec.Review.Queue
		}
	case c.File != "":
		return c.lines(p, cfg, base)
	}
	return []hitl.Master{base}, checkMaster(cfg, base)
}

// lines reads a file; its errors name the line.
func (c *goldAddCmd) lines(p program, cfg *config.Config, base hitl.Master) ([]hitl.Master, error) {
	read := func() ([]byte, error) { return os.ReadFile(c.File) }
	if c.File == "-" {
		read = func() ([]byte, error) { return io.ReadAll(p.stdin) }
	}
	data, err := read()
	if err != nil {
		return nil, fmt.Errorf("read known answers: %w", err)
	}
	var out []hitl.Master
	number := 0
	for line := range bytes.Lines(data) {
		if number++; len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		in := struct {
			Queue    string         `json:"queue"`
			Label    string         `json:"label"`
			Text     string         `json:"text"`
			Metadata map[string]any `json:"metadata"`
		}{Queue: base.Queue, Label: base.Label}
		dec := json.NewDecoder(bytes.NewReader(line))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&in); err != nil {
			return nil, fmt.Errorf("line %d: want a JSON object with text and label: %w", number, err)
		}
		m := base
		m.Queue, m.Label, m.Text, m.Metadata = in.Queue, in.Label, hitl.CleanText(in.Text), in.Metadata
		if err := checkMaster(cfg, m); err != nil {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
		out = append(out, m)
	}
	if len(out) == 0 {
		return nil, errors.New("there is no known answer in it")
	}
	return out, nil
}

func checkMaster(cfg *config.Config, m hitl.Master) error {
	if _, ok := cfg.Queues[m.Queue]; !ok {
		return fmt.Errorf("queue %q is not configured; name it with --queue", m.Queue)
	}
	return m.Check()
}

type goldListCmd struct {
	Queue string `placeholder:"NAME" help:"Only this queue's."`
	JSON  bool   `name:"json" help:"Print JSON."`
}

// masterReport is a master as hitl gold list --json prints it.
type masterReport struct {
	ID       string         `json:"id"`
	Queue    string         `json:"queue"`
	Label    string         `json:"label"`
	Text     string         `json:"text"`
	Metadata map[string]any `json:"metadata"`
	FromItem string         `json:"from_item,omitempty"`
	AddedBy  string         `json:"added_by"`
	AddedAt  time.Time      `json:"added_at"`
}

func (c *goldListCmd) Run(ctx context.Context, p program, global *cli) error {
	_, store, err := p.openStore(ctx, global)
	if err != nil {
		return err
	}
	defer store.Close()
	masters, err := store.Masters(ctx, c.Queue)
	if err != nil {
		return err
	}
	reports, rows := []masterReport{}, [][]string{}
	for _, m := range masters {
		reports = append(reports, masterReport{m.ID, m.Queue, m.Label, m.Text, m.Metadata, m.FromItem, m.AddedBy, m.AddedAt})
		rows = append(rows, []string{m.ID, m.Queue, m.Label, m.AddedBy, m.AddedAt.Format(time.DateOnly), strings.Join(strings.Fields(m.Text), " ")})
	}
	if c.JSON {
		return printJSON(p.stdout, reports)
	}
	if len(rows) == 0 {
		_, err := fmt.Fprintln(p.stdout, "There are no known answers. Add some with hitl gold add.")
		return err
	}
	return table(p.stdout, []string{"ID", "QUEUE", "LABEL", "ADDED BY", "ADDED", "TEXT"}, rows)
}

type goldRemoveCmd struct {
	ID string `arg:"" help:"Its id: gld_…"`
}

func (c *goldRemoveCmd) Run(ctx context.Context, p program, global *cli) error {
	_, store, err := p.openStore(ctx, global)
	if err != nil {
		return err
	}
	defer store.Close()
	if err := store.RemoveMaster(ctx, c.ID); err != nil {
		return fmt.Errorf("known answer %q: %w", c.ID, err)
	}
	_, err = fmt.Fprintln(p.stdout, "removed")
	return err
}
