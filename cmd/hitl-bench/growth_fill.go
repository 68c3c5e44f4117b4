package main

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"hitl/audit"
)

// fillBatch is how many entries a transaction writes: the sequencer begins a batch anew with the transaction that the last one ended in, so that one which
// wrote all would be read again and again.
const fillBatch = 2000

// fill writes one item as intake does, accepted, and its copies, with their entries in the log, until there are so many, at times spread evenly over the
// twelve months before now. Whether the log is one table or many is for the database to know.
func fill(ctx context.Context, dsn string, entries int) error {
	store, err := audit.Open(ctx, audit.Config{DSN: dsn})
	if err != nil {
		return err
	}
	rec := newRecord(false)
	_, _, err = store.Append(ctx, rec, nil)
	store.Close()
	if err != nil {
		return err
	}
	at := fmt.Sprintf(`timestamptz '%s' - interval '1 microsecond' * (%d::bigint * (%d - i))`,
		rec.Item.ReceivedAt.Format(time.RFC3339Nano), (365 * 24 * time.Hour / time.Duration(entries)).Microseconds(), entries)
	parts := [][]filled{ // at the same time, since there is more than one core
		{{"items", "id", map[string]string{"external_id": "'old-' || lpad(i::text, 12, '0')", "received_at": at}}, {"item_texts", "item_id", nil}},
		{{"log", "item_id", map[string]string{"at": at}}},
	}
	return spread(len(parts), len(parts), func(i int) error { return fillTables(ctx, dsn, rec.Item.ID, entries, parts[i]) })
}

// filled is a table of copies: its column with the item's id, and what else is another one's in each.
type filled struct {
	table, item string
	other       map[string]string
}

func fillTables(ctx context.Context, dsn, from string, entries int, tables []filled) error {
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	if _, err := conn.Exec(ctx, `SET synchronous_commit = off`); err != nil { // a crash ends the bench, too
		return err
	}
	for _, t := range tables {
		insert, err := copies(ctx, conn, t.table, t.item, t.other)
		if err != nil {
			return err
		}
		for first := 1; first < entries; first += fillBatch {
			if _, err := conn.Exec(ctx, insert, from, first, min(first+fillBatch, entries)-1); err != nil {
				return fmt.Errorf("table %s: %w", t.table, err)
			}
		}
		if _, err := conn.Exec(ctx, `VACUUM ANALYZE hitl.`+t.table); err != nil {
			return fmt.Errorf("table %s: %w", t.table, err)
		}
	}
	return nil
}
