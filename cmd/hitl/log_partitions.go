package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"golang.org/x/mod/sumdb/note"

	"hitl"
	"hitl/audit"
)

type logPartitionsCmd struct {
	JSON bool `help:"Print JSON."`
}

// Help is shown by hitl log partitions --help.
func (logPartitionsCmd) Help() string {
	return `Lists the months (UTC) that the log is kept in, and what was detached, with entries and bytes on disk; it counts entries, which reads them all. log_default
holds what came for a month before it had its partition: it should be empty. Connects as postgres.migrate_url, the schema's owner.`
}

func (c *logPartitionsCmd) Run(ctx context.Context, p program, global *cli) error {
	_, dsn, err := p.loadOwner(global)
	if err != nil {
		return err
	}
	list, err := audit.ListPartitions(ctx, dsn)
	if err != nil {
		return err
	}
	return printPartitions(p, list, c.JSON)
}

// partitionView is a part of the log as JSON shows it.
type partitionView struct {
	Name     string    `json:"name"` // of the table, in the schema hitl
	Since    time.Time `json:"since,omitzero"`
	Until    time.Time `json:"until,omitzero"`
	Entries  int64     `json:"entries"`
	Bytes    int64     `json:"bytes"` // 0: detached, and not in this database any more
	Detached bool      `json:"detached,omitempty"`
}

func printPartitions(p program, list []audit.Partition, asJSON bool) error {
	views := make([]partitionView, len(list))
	rows := make([][]string, len(list))
	for i, part := range list {
		views[i] = partitionView(part)
		state := ""
		switch {
		case part.Detached && part.Bytes == 0:
			state = "detached, and taken away"
		case part.Detached:
			state = "detached"
		}
		rows[i] = []string{part.Name, monthOr(part.Since), monthOr(part.Until), strconv.FormatInt(part.Entries, 10), strconv.FormatInt(part.Bytes, 10), state}
	}
	if asJSON {
		return printJSON(p.stdout, views)
	}
	return table(p.stdout, []string{"PARTITION", "SINCE", "UNTIL", "ENTRIES", "BYTES", ""}, rows)
}

func monthOr(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format("2006-01")
}

type logDetachCmd struct {
	Before string `required:"" placeholder:"YYYY-MM" help:"Detach every partition that ends before this month (UTC) begins; the current month at the latest."`
	DryRun bool   `help:"List what would be detached, and change nothing."`
	JSON   bool   `help:"Print JSON."`
}

// Help is shown by hitl log detach --help.
func (logDetachCmd) Help() string {
	return `Takes old months out of the log. Each becomes a table of its own, which stays in the database under its name until you move it:

  hitl log export -o log.jsonl                     the last bundle that is whole
  hitl log detach --before 2026-01
  pg_dump -t hitl.log_2025_12 … > log_2025_12.sql  keep it as long as you must, then
  DROP TABLE hitl.log_2025_12                      (as the schema's owner)

Every entry is first held against the tree of the latest signed checkpoint; one that was altered, has no position or is not signed stops it. An entry of
the log says what was detached, by whom, and the hash of what it was. The tree keeps every hash: hitl verify goes on to check the whole tree and says how
many entries it could not look at. It checks detached ones like all others as long as their tables are in the schema hitl, and those that are attached
again (ALTER TABLE hitl.log ATTACH PARTITION …). Proofs of a detached entry are not given, and a dropped one cannot be exported any more.

Connects as postgres.migrate_url, the schema's owner. Writers go on; it waits two seconds at a time for those who read the log. Safe to run again.`
}

func (c *logDetachCmd) Run(ctx context.Context, p program, global *cli) error {
	before, err := time.Parse("2006-01", c.Before)
	if err != nil {
		return usageError{fmt.Errorf("--before takes a month like 2026-01, not %q", c.Before)}
	}
	cfg, dsn, err := p.loadOwner(global)
	if err != nil {
		return err
	}
	public, err := publicLogKey(cfg)
	if err != nil {
		return err
	}
	if public == "" {
		return usageError{fmt.Errorf("what no signed checkpoint covers is not detached: %w", errNoLogKey)}
	}
	key, err := note.NewVerifier(public)
	if err != nil {
		return err
	}
	list, err := audit.Detach(ctx, dsn, audit.DetachOptions{Before: before, Key: key, DryRun: c.DryRun, Done: func(part audit.Partition) {
		fmt.Fprintf(p.stderr, "detached %d entries: they are in the table hitl.%s now, which is yours to dump, move or drop\n", part.Entries, part.Name)
	}})
	if invalid, ok := errors.AsType[*hitl.InvalidError](err); ok {
		return usageError{fmt.Errorf("--%s %s", invalid.Field, invalid.Reason)}
	}
	if err != nil {
		return err
	}
	if len(list) == 0 && !c.JSON {
		_, err := fmt.Fprintf(p.stdout, "no partition ends before %s; `hitl log partitions` lists them\n", c.Before)
		return err
	}
	for i := range list {
		list[i].Detached = !c.DryRun
	}
	return printPartitions(p, list, c.JSON)
}
