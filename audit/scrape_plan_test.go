package audit

import (
	"strings"
	"testing"
)

// What is asked again and again, by each scrape of the metrics and by the sequencer, must cost a look at what waits, not at all that ever was.
func TestScrapesReadNoWholeTable(t *testing.T) {
	t.Parallel()
	s := openBench(t)
	const n = 20_000
	fillQueue(t, s.pool, 1, n+1)
	for _, sql := range []string{
		`INSERT INTO hitl.callbacks (id, source, item_id, body, state)
		SELECT 'msg_' || lpad(n::text, 9, '0'), 'mail', 'itm_' || lpad(n::text, 9, '0'), convert_to(repeat('x', 400), 'UTF8'), 'delivered'
		FROM generate_series(1, 20000) n`,
		`INSERT INTO hitl.callbacks (id, source, item_id, body, state) VALUES ('msg_pending', 'mail', 'itm_000000001', '', 'pending'), ('msg_dead', 'mail', 'itm_000000001', '', 'dead')`,
		`WITH entries AS (
		    INSERT INTO hitl.log (item_id, at, status, text_ref, ai_label, confidence, label, reviewer, model, policy, context)
		    SELECT 'itm_' || lpad(n::text, 9, '0'), now() - interval '1 hour', 'AI_ACCEPTED', '\x00', 'A', 0.9, 'A', '', 'm', 'p', '{}' FROM generate_series(1, 20000) n
		    RETURNING id)
		INSERT INTO hitl.log_positions (position, log_id, leaf_hash) SELECT id - 1, id, decode(repeat('00', 32), 'hex') FROM entries`,
		`UPDATE hitl.log_tree SET size = 20000, horizon = pg_current_xact_id()`,
		`INSERT INTO hitl.log (item_id, at, status, text_ref, ai_label, confidence, label, reviewer, model, policy, context)
		SELECT 'itm_000000001', now() - interval '1 hour', 'AI_ACCEPTED', '\x00', 'A', 0.9, 'A', '', 'm', 'p', '{}' FROM generate_series(1, 3)`,
		`VACUUM ANALYZE hitl.callbacks`, `VACUUM ANALYZE hitl.log`, `VACUUM ANALYZE hitl.log_positions`,
	} {
		if _, err := s.pool.Exec(t.Context(), sql); err != nil {
			t.Fatalf("%v: %s", err, sql)
		}
	}
	if b, err := s.Backlogs(t.Context()); err != nil || b.CallbacksPending != 1 || b.CallbacksDead != 1 {
		t.Errorf("%+v, %v: want one callback that is pending and one that is dead", b, err)
	}
	if stats, err := s.TreeStats(t.Context()); err != nil || stats.Pending != 3 || stats.Entries != n {
		t.Errorf("%+v, %v: want 3 pending", stats, err)
	}
	var waiting int
	if err := s.pool.QueryRow(t.Context(), waitingEntries, pendingMost, int64(60_000_000)).Scan(&waiting); err != nil || waiting != 3 {
		t.Errorf("%d entries wait, %v: want 3", waiting, err)
	}

	conn, err := s.pool.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Release()
	var part string // of the log, that has the entries
	if err := conn.QueryRow(t.Context(), `SELECT relname FROM hitl.log l JOIN pg_class c ON c.oid = l.tableoid GROUP BY 1 ORDER BY count(*) DESC LIMIT 1`).Scan(&part); err != nil {
		t.Fatal(err)
	}
	for _, mode := range []string{"force_custom_plan", "force_generic_plan"} {
		if _, err := conn.Exec(t.Context(), `SET plan_cache_mode = `+mode); err != nil {
			t.Fatal(err)
		}
		for name, q := range map[string]struct {
			sql  string
			args []any
		}{
			"callbacks that wait": {callbackBacklogs, nil}, "how far the tree is": {treeStats, []any{pendingMost}},
			"entries that wait for long": {waitingEntries, []any{pendingMost, int64(60_000_000)}},
		} {
			var plan string
			if err := conn.QueryRow(t.Context(), `EXPLAIN (FORMAT JSON) `+q.sql, q.args...).Scan(&plan); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			plan = strings.Join(strings.Fields(plan), " ")
			for _, table := range []string{part, "log_positions", "callbacks"} {
				if wholeTable(plan, table) {
					t.Errorf("%s, %s: reads all of %s:\n%s", name, mode, table, plan)
				}
			}
		}
	}
}

// wholeTable says whether a plan has a sequential scan of a table.
func wholeTable(plan, table string) bool {
	for _, node := range strings.Split(plan, `"Node Type": `)[1:] {
		if strings.HasPrefix(node, `"Seq Scan"`) && strings.Contains(node, `"Relation Name": "`+table+`"`) {
			return true
		}
	}
	return false
}
