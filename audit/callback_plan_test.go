package audit

import (
	"encoding/json"
	"testing"
)

// A claim reads the pages of what it claims, however much is pending: put off, or due and too much for one claim.
func TestClaimScales(t *testing.T) {
	t.Parallel()
	s := openBench(t)
	const few, many = 1000, 20_000
	fillQueue(t, s.pool, 1, many)
	pages := func(from, to int) int {
		t.Helper()
		if _, err := s.pool.Exec(t.Context(), `
			INSERT INTO hitl.callbacks (id, source, item_id, body, next_at)
			SELECT 'msg_' || id, 'mail', id, 'x', now() + CASE WHEN right(id, 1) < '5' THEN interval '1 hour' ELSE interval '-1 hour' END
			FROM hitl.items WHERE id >= 'itm_' || lpad($1::int::text, 9, '0') AND id < 'itm_' || lpad($2::int::text, 9, '0')`, from, to); err != nil {
			t.Fatal(err)
		}
		tx, err := s.pool.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var text string
		if err := tx.QueryRow(t.Context(), `EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) `+claimDue, []string{"mail"}, []int32{2}, 34, 1000).Scan(&text); err != nil {
			t.Fatal(err)
		}
		if err := tx.Rollback(t.Context()); err != nil {
			t.Fatal(err)
		}
		var plans []struct {
			Plan struct {
				Rows float64 `json:"Actual Rows"`
				Hit  int     `json:"Shared Hit Blocks"`
				Read int     `json:"Shared Read Blocks"`
			}
		}
		if err := json.Unmarshal([]byte(text), &plans); err != nil || len(plans) != 1 || plans[0].Plan.Rows != 32 {
			t.Fatalf("plans: %+v, %v", plans, err)
		}
		return plans[0].Plan.Hit + plans[0].Plan.Read
	}
	before := pages(1, few)
	after := pages(few, many)
	t.Logf("%d pages of %d callbacks, %d of %d", before, few, after, many)
	if after > 2*before+50 {
		t.Errorf("a claim reads %d pages where %d callbacks are pending, and %d where %d are", after, many, before, few)
	}
}
