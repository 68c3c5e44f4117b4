package audit

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"hitl"
	"hitl/deploy/local/localtest"
)

// fillQueue has a number of reviews wait in queue "default", one in five of them of the uniform part.
func fillQueue(t testing.TB, owner *pgxpool.Pool, from, to int) {
	t.Helper()
	conn, err := owner.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Release()
	exec := func(sql string, args ...any) {
		t.Helper()
		if _, err := conn.Exec(t.Context(), sql, args...); err != nil {
			t.Fatal(err)
		}
	}
	exec(`SET statement_timeout = 0`) // a million take longer than the service allows itself
	defer exec(`RESET statement_timeout`)
	for _, sql := range []string{
		`
		INSERT INTO hitl.items (id, source, external_id, body_hash, received_at, subject, text_ref, model_id, ai_label, confidence, scores, latency_ns, tokens,
		    truncated, failure, status, triggers, queue, priority, policy, threshold, inclusion)
		SELECT 'itm_' || lpad(n::text, 9, '0'), 'mail', n, '\x00', now(), '', '\x00', 1, 'A', 0.5, '[]', 1, 1, false, '', 'HUMAN_REVIEW', '{}', 'default', 'normal', 'p',
		    0.8, 1
		FROM generate_series($1::int, $2::int - 1) n`, `
		INSERT INTO hitl.reviews (id, item_id, round, state, queue, priority, opened_at, remind_at, source, teaches)
		SELECT 'rev_' || lpad(n::text, 9, '0'), 'itm_' || lpad(n::text, 9, '0'), 1, 'open', 'default', 'normal', now(), now() + interval '1 day', 'mail',
		    CASE WHEN n % 5 > 0 THEN (n::bigint * 7919 % 1000003) / 1000003.0 END
		FROM generate_series($1::int, $2::int - 1) n`,
	} {
		exec(sql, from, to)
	}
	for _, table := range []string{"items", "reviews"} {
		exec(`VACUUM ANALYZE hitl.` + table)
	}
}

func openBench(t testing.TB) *Store {
	t.Helper()
	s, err := Open(t.Context(), Config{DSN: localtest.DatabaseFrom(t, "bench", func(ctx context.Context, dsn string) error { return Migrate(ctx, dsn, MigrateOptions{}) })})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// orderQueries are all that is asked of the database for the next review and the next card in an order, with their arguments.
func orderQueries() map[string]struct {
	sql  string
	args []any
} {
	return map[string]struct {
		sql  string
		args []any
	}{
		"oldest to give":  {nextPlaces, []any{"T1", "U1", []string{"default"}}},
		"heads to give":   {takeableHeads, []any{"default", "rev_000000001", true, "T1", "U1"}},
		"give by measure": {takeNext(teaching), []any{"T1", "U1", "default", hitl.PriorityNormal, time.Hour.Microseconds()}},
		"give by age":     {takeNext(aged), []any{"T1", "U1", "default", hitl.PriorityNormal, time.Hour.Microseconds()}},
		"oldest to show":  {oldestShowable, []any{"default", "C1", 10}},
		"heads to show":   {showableHeads, []any{"default", "rev_000000001", true}},
	}
}

// pagesRead returns how many pages of 8 KB each query reads, planned for its arguments and for any, and fails where one reads the whole table.
func pagesRead(t *testing.T, s *Store) map[string]int {
	t.Helper()
	conn, err := s.pool.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Release()
	out := map[string]int{}
	for _, mode := range []string{"force_custom_plan", "force_generic_plan"} {
		if _, err := conn.Exec(t.Context(), `SET plan_cache_mode = `+mode); err != nil {
			t.Fatal(err)
		}
		for name, q := range orderQueries() {
			tx, err := conn.Begin(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			var text string
			if err := tx.QueryRow(t.Context(), `EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) `+q.sql, q.args...).Scan(&text); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if err := tx.Rollback(t.Context()); err != nil {
				t.Fatal(err)
			}
			var plans []struct {
				Plan struct {
					Hit  int `json:"Shared Hit Blocks"`
					Read int `json:"Shared Read Blocks"`
				}
			}
			if err := json.Unmarshal([]byte(text), &plans); err != nil || len(plans) != 1 {
				t.Fatalf("%s: %d plans, %v", name, len(plans), err)
			}
			if strings.Contains(text, `"Node Type": "Sort"`) && strings.Contains(text, `"Sort Key": ["r.`) || strings.Contains(text, `"Node Type": "Seq Scan", "Relation Name": "reviews"`) {
				t.Errorf("%s, %s: not by an index:\n%s", name, mode, text)
			}
			out[name+", "+mode] = plans[0].Plan.Hit + plans[0].Plan.Read
		}
	}
	return out
}

// What is next is found by an index: of a hundred times as many reviews it takes a page or two more, an index being a level deeper, and no more.
func TestOrderScales(t *testing.T) {
	t.Parallel()
	s := openBench(t)
	const few, many = 1000, 100_000
	fillQueue(t, s.pool, 1, few)
	before := pagesRead(t, s)
	fillQueue(t, s.pool, few, many)
	for name, pages := range pagesRead(t, s) {
		t.Logf("%s: %d pages of %d reviews, %d of %d", name, before[name], few, pages, many)
		if pages > 2*before[name]+20 {
			t.Errorf("%s reads %d pages where %d reviews wait, and %d where %d do", name, pages, many, before[name], few)
		}
	}
}

// BenchmarkOrder compares how long it takes to find what is next, by Next (which claims it) and by NextCard, where 10,000 and where 1,000,000 reviews wait.
// The ratios are the latter's time by the former's.
func BenchmarkOrder(b *testing.B) {
	s := openBench(b)
	o := hitl.Ordering{Uniform: 0.2, Reminds: true}
	rounds := 0
	measure := func(n int) (next, card time.Duration) {
		for range n {
			begin := time.Now()
			id, err := s.Next(b.Context(), hitl.Reviewer{Team: "T1", User: fmt.Sprint("U", rounds)}, []hitl.Offer{{Queue: "default", For: time.Hour, Order: o}})
			if err != nil || id == "" {
				b.Fatal(id, err)
			}
			next += time.Since(begin)
			begin = time.Now()
			if id, _, err := s.NextCard(b.Context(), "default", "C1", 10, o); err != nil || id == "" {
				b.Fatal(id, err)
			}
			card += time.Since(begin)
			rounds++
		}
		return next, card
	}
	const few, many = 10_000, 1_000_000
	fillQueue(b, s.pool, 1, few)
	measure(20) // connections and plans
	fewNext, fewCard := measure(200)
	fillQueue(b, s.pool, few, many)
	measure(20)
	b.ResetTimer()
	var next, card time.Duration
	n := 0
	for b.Loop() {
		a, c := measure(200)
		next, card, n = next+a, card+c, n+200
	}
	per := func(d time.Duration, n int) float64 { return d.Seconds() * 1000 / float64(n) }
	b.ReportMetric(per(next, n), "next-ms")
	b.ReportMetric(per(card, n), "card-ms")
	b.ReportMetric(per(next, n)/per(fewNext, 200), "next-ratio")
	b.ReportMetric(per(card, n)/per(fewCard, 200), "card-ratio")
}
