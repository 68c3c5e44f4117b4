package audit

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// A batch for the tree reads the pages of its entries, however many wait: after an outage of the sequencer, or in a log that is older than its tree.
func TestSequenceScales(t *testing.T) {
	t.Parallel()
	s := openBench(t)
	exec := func(sql string, args ...any) {
		t.Helper()
		if _, err := s.pool.Exec(t.Context(), sql, args...); err != nil {
			t.Fatal(err)
		}
	}
	pages := func() int {
		t.Helper()
		tree := settledTree(t, s)
		query, args := tree.pending()
		return pagesOf(t, s, sequenceBatch, query, args)
	}
	fill := func(entries int) {
		t.Helper()
		for ; entries > 0; entries -= 1024 { // a transaction each
			exec(`
				INSERT INTO hitl.log (item_id, at, status, text_ref, ai_label, confidence, label, reviewer, model, policy, context)
				SELECT 'itm_' || i, now() - i % 60 * interval '1 day', 'AI_ACCEPTED', 'x', '', 0, '', '', '', '', '{}' FROM generate_series(1, 1024) i`)
		}
	}
	exec(`ALTER TABLE hitl.log_positions SET (autovacuum_enabled = off)`)
	exec(`ANALYZE hitl.log_positions`) // while there is none: Postgres plans by that until it looks again
	fill(sequenceBatch)
	exec(`ANALYZE hitl.log`)
	before := pages()
	fill(4 * sequenceBatch)
	exec(`ANALYZE hitl.log`)
	after := pages()
	if _, err := s.sequenceOnce(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	second := pages()
	t.Logf("%d pages of %d entries, of five times as many: %d, and for the next batch %d", before, sequenceBatch, after, second)
	if after > 2*before {
		t.Errorf("a batch reads %d pages where there are as many entries, and %d where there are five times as many", before, after)
	}
	if look := 4 * sequenceBatch; second > before+look { // whether each has its position
		t.Errorf("the second batch reads %d pages, want %d at most", second, before+look)
	}
}

// settledTree is the tree once every transaction of the log is older than all that last: other tests have theirs on the same server.
func settledTree(t *testing.T, s *Store) (tree treeState) {
	t.Helper()
	var last uint64
	if err := s.pool.QueryRow(t.Context(), `SELECT tx FROM hitl.log ORDER BY tx DESC LIMIT 1`).Scan(&last); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); tree.xmin <= last; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("a transaction does not end")
		}
		if err := pgx.BeginFunc(t.Context(), s.pool, func(tx pgx.Tx) (err error) {
			tree, err = readTree(t.Context(), tx)
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	return tree
}
