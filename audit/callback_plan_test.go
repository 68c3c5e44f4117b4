package audit

import (
	"context"
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"time"

	"hitl"
)

// A claim reads the pages of what it claims, however much is pending, put off or due and too much for one claim, and however much was due before: what a
// busy minute leaves in the index until Postgres cleans up.
func TestClaimScales(t *testing.T) {
	t.Parallel()
	s := openBench(t)
	const few, many = 1000, 20_000
	fillQueue(t, s.pool, 1, many)
	exec := func(sql string, args ...any) {
		t.Helper()
		if _, err := s.pool.Exec(t.Context(), sql, args...); err != nil {
			t.Fatal(err)
		}
	}
	exec(`ALTER TABLE hitl.callbacks SET (autovacuum_enabled = off)`)
	exec(`ANALYZE hitl.callbacks`) // while there is nothing: Postgres plans by that until it looks again
	fill := func(from, to int) {
		t.Helper()
		exec(`
			INSERT INTO hitl.callbacks (id, source, item_id, body, next_at)
			SELECT 'msg_' || id, 'mail', id, 'x', now() + CASE WHEN right(id, 1) < '5' THEN interval '1 hour' ELSE interval '-1 hour' END
			FROM hitl.items WHERE id >= 'itm_' || lpad($1::int::text, 9, '0') AND id < 'itm_' || lpad($2::int::text, 9, '0')`, from, to)
	}
	pages := func(c claiming) int {
		t.Helper()
		query := claimWhole
		if c.since != nil {
			query = claimSince
		}
		return pagesOf(t, s, 32, query, c.args(Config{CallbackWorkers: 12, JobLease: time.Millisecond}))
	}
	busy := map[string]int{"mail": 4}
	long := map[string]time.Time{"mail": time.Now().Add(-2 * time.Hour)}
	fill(1, few)
	before := pages(claiming{busy: busy})
	fill(few, many)
	after := pages(claiming{busy: busy})
	since := pages(claiming{busy: busy, since: long})
	t.Logf("%d pages of %d callbacks, of %d: %d, and %d since a time", before, few, many, after, since)
	if limit := 2*before + 50; after > limit || since > limit {
		t.Errorf("a claim reads %d or %d pages where %d callbacks are pending, and %d where %d are", after, since, many, before, few)
	}

	// As it looks to Postgres in a quiet moment, when next to nothing is pending; then comes what was due before, and a new backlog.
	exec(`UPDATE hitl.callbacks SET state = 'delivered' WHERE next_at < now()`)
	exec(`UPDATE hitl.callbacks SET state = 'delivered' WHERE right(id, 3) <> '001'`)
	exec(`ANALYZE hitl.callbacks`)
	exec(`UPDATE hitl.callbacks SET state = 'pending', next_at = now() - interval '1 minute' WHERE next_at > now()`)
	behind := pages(claiming{busy: busy, since: map[string]time.Time{"mail": time.Now().Add(-2 * time.Minute)}})
	through := pages(claiming{busy: busy, since: long})
	t.Logf("%d pages behind those that were due, %d through them", behind, through)
	if behind > 2*before+50 || behind > through {
		t.Errorf("a claim reads %d pages where %d callbacks were due before, and %d when it reads through them", behind, many/2, through)
	}
}

// pagesOf are the pages that a query of so many rows reads in the order of an index.
func pagesOf(t *testing.T, s *Store, rows int, query string, args []any) int {
	t.Helper()
	tx, err := s.pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(t.Context())) }()
	// As on a bloated index of a large table, where what is in order looks dear.
	if _, err := tx.Exec(t.Context(), `SET LOCAL random_page_cost = 1000`); err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), inOrder); err != nil {
		t.Fatal(err)
	}
	var text string
	if err := tx.QueryRow(t.Context(), `EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) `+query, args...).Scan(&text); err != nil {
		t.Fatal(err)
	}
	for _, way := range []string{`"Sort"`, `"Bitmap Heap Scan"`, `"Seq Scan"`} {
		if strings.Contains(text, `"Node Type": `+way) {
			t.Errorf("it is planned with %s:\n%s", way, text)
		}
	}
	var plans []struct {
		Plan struct {
			Rows float64 `json:"Actual Rows"`
			Hit  int     `json:"Shared Hit Blocks"`
			Read int     `json:"Shared Read Blocks"`
		}
	}
	if err := json.Unmarshal([]byte(text), &plans); err != nil || len(plans) != 1 || int(plans[0].Plan.Rows) != rows {
		t.Fatalf("plans: %+v, %v", plans, err)
	}
	return plans[0].Plan.Hit + plans[0].Plan.Read
}

// While the look through everything fails, as when it takes longer than a statement may, what is known to be due is claimed all the same.
func TestClaimsGoOnWithoutTheWholeLook(t *testing.T) {
	t.Parallel()
	s := openBench(t)
	fillQueue(t, s.pool, 1, 2)
	if _, err := s.pool.Exec(t.Context(), `
		INSERT INTO hitl.callbacks (id, source, item_id, body, next_at) SELECT 'msg_' || id, 'mail', id, 'x', now() - interval '1 minute' FROM hitl.items`); err != nil {
		t.Fatal(err)
	}
	sent := make(chan string, 2)
	d := &deliverer{
		store: s, stop: make(chan struct{}), busy: map[string]int{}, places: map[string]chan struct{}{}, held: map[*claimed]struct{}{}, freed: make(chan struct{}, 1), ended: make(chan tried, recordBatch),
		since: map[string]time.Time{"mail": time.Now().Add(-time.Hour)},
		send:  func(_ context.Context, c hitl.Callback) error { sent <- c.ID; return nil },
	}
	var attempts sync.WaitGroup
	defer attempts.Wait()
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := d.claim(over, &attempts); err == nil {
		t.Fatal("a look whose time is over did not fail")
	}
	next := d.whole
	if wait := time.Until(next); wait < wholeMost/2 || wait > wholeMost {
		t.Errorf("the next whole look is in %v", wait)
	}
	if _, err := d.claim(t.Context(), &attempts); err != nil {
		t.Fatal(err)
	}
	if id := <-sent; id != "msg_itm_000000001" {
		t.Errorf("%s was sent", id)
	}
	if !d.whole.Equal(next) {
		t.Error("it was looked through everything again")
	}
}
