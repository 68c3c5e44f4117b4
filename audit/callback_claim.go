package audit

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"hitl"
)

// claimed is a callback whose next attempt has been counted.
type claimed struct {
	hitl.Callback
	attempt int
	dueAt   time.Time // by the database's clock
}

// claiming is what a claim may take.
type claiming struct {
	// busy are how many callbacks of each source are on their way already.
	busy map[string]int
	// since leaves out other sources than these, and what was due earlier; nil: nothing is left out.
	since map[string]time.Time
}

// claimWhole and claimSince count attempts before they are made: of what is due of each source, the longest due first, up to $3 less what ($1, $2) is on its
// way already. The next attempt is due when the lease ($4, in microseconds) has ended, which keeps other processes away, those of earlier versions too. Two
// processes that claim at once pass over each other's rows, and so no claim waits.
//
// claimWhole finds the sources one after the other in the index callbacks_due: what a source has due, however much, is read for that source alone. But what
// was due, and is no more, stays at the head of the index until Postgres cleans up, and a claim reads its way through: milliseconds in a quiet minute,
// hundreds of them after a busy one. claimSince begins behind that ($5).
//
// How many are pending changes faster than the figures by which Postgres plans, from none to a backlog of hours. So there is one way for each step. Candidates
// come from callbacks_due, the only index that knows what is pending, and in its order, since inOrder forbids all else. Their items' earlier callbacks are
// looked up by item: OFFSET 0 keeps Postgres from joining all that are pending, and coalesce from looking through them; so it does where outcomes are
// recorded.
const (
	claimWhole = `
WITH RECURSIVE found AS (
    (SELECT c.source FROM hitl.callbacks c WHERE c.state = 'pending' ORDER BY c.source LIMIT 1)
    UNION ALL
    SELECT (SELECT c.source FROM hitl.callbacks c WHERE c.state = 'pending' AND c.source > f.source ORDER BY c.source LIMIT 1)
    FROM found f WHERE f.source IS NOT NULL
), sources AS (
    SELECT f.source, coalesce(busy.n, 0) AS n, '-infinity'::timestamptz AS since
    FROM found f LEFT JOIN unnest($1::text[], $2::int[]) AS busy (source, n) ON busy.source = f.source
)` + claimDue
	claimSince = `
WITH sources AS (
    SELECT * FROM unnest($1::text[], $2::int[], $5::timestamptz[]) AS s (source, n, since)
)` + claimDue

	claimDue = `, due AS MATERIALIZED (
    SELECT d.id, d.next_at
    FROM sources s, LATERAL (
        SELECT c.id, c.next_at FROM hitl.callbacks c
        WHERE c.source = s.source AND c.state = 'pending' AND c.next_at >= s.since AND c.next_at <= now()
            AND NOT EXISTS (SELECT FROM hitl.callbacks e
                WHERE e.item_id = c.item_id AND coalesce(e.state, '') = 'pending' AND (e.created_at, e.id) < (c.created_at, c.id) OFFSET 0)
        ORDER BY c.next_at LIMIT greatest($3::int - s.n, 0)
        FOR NO KEY UPDATE OF c SKIP LOCKED) d
), claimed AS (
    UPDATE hitl.callbacks c SET attempts = c.attempts + 1, next_at = now() + $4::bigint * interval '1 microsecond'
    WHERE c.id = ANY (ARRAY(SELECT due.id FROM due))
    RETURNING c.id, c.source, c.item_id, c.body, c.attempts
)
SELECT c.id, c.source, c.item_id, c.body, c.attempts, coalesce((SELECT i.trace FROM hitl.items i WHERE i.id = c.item_id), ''), due.next_at
FROM claimed c JOIN due ON due.id = c.id`
)

// claim returns callbacks whose attempt is to be made now.
func (s *Store) claim(ctx context.Context, c claiming) ([]*claimed, error) {
	query, args := claimWhole, c.args(s.cfg)
	if c.since != nil {
		query = claimSince
	}
	var list []*claimed
	var batch pgx.Batch // one transaction, one round trip
	batch.Queue(inOrder)
	batch.Queue(query, args...).Query(func(rows pgx.Rows) (err error) {
		list, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (*claimed, error) {
			var c claimed
			return &c, row.Scan(&c.ID, &c.Source, &c.ItemID, &c.Body, &c.attempt, &c.Trace, &c.dueAt)
		})
		return err
	})
	if err := s.pool.SendBatch(ctx, &batch).Close(); err != nil {
		return nil, fmt.Errorf("claim callbacks: %w", err)
	}
	return list, nil
}

func (c claiming) args(cfg Config) []any {
	var sources []string
	var counts []int32
	add := func(source string) {
		sources, counts = append(sources, source), append(counts, int32(c.busy[source])) //nolint:gosec // as many as CallbackWorkers
	}
	if c.since == nil {
		for source := range c.busy {
			add(source)
		}
		return []any{sources, counts, claimsOf(cfg), cfg.JobLease.Microseconds()}
	}
	var since []time.Time
	for source, at := range c.since {
		add(source)
		since = append(since, at)
	}
	return []any{sources, counts, claimsOf(cfg), cfg.JobLease.Microseconds(), since}
}

// claimsOf is how many callbacks of a source may be claimed at a time: those that are sent, and twice as many ahead, so that a claim for as many as are sent is
// made while as many wait.
func claimsOf(cfg Config) int { return 3 * cfg.CallbackWorkers }

// outcome is what an attempt came to.
type outcome struct {
	*claimed
	state hitl.CallbackState
	cause error
	wait  time.Duration // of one that stays pending, until its next attempt
}

// recordOutcomes says of attempts what they came to. The number of an attempt says whether its failure still counts: its lease may have ended, and
// another attempt begun. What was delivered is delivered. The body of an erased item's callback goes with its end; a trigger sees to that. Rows are locked
// in the order of their ids, as everywhere.
func (s *Store) recordOutcomes(ctx context.Context, list []outcome) error {
	n := len(list)
	ids, attempts, states, errs, waits := make([]string, n), make([]int32, n), make([]string, n), make([]string, n), make([]int64, n)
	for i, o := range list {
		ids[i], attempts[i], states[i], errs[i], waits[i] = o.ID, int32(o.attempt), string(o.state), errorText(o.cause), o.wait.Microseconds() //nolint:gosec // from an integer
	}
	_, err := s.pool.Exec(ctx, `
		WITH o AS MATERIALIZED (
		    SELECT DISTINCT ON (id) * FROM unnest($1::text[], $2::int[], $3::text[], $4::text[], $5::bigint[]) AS o (id, attempt, state, error, wait)
		    ORDER BY id, state = 'delivered' DESC, attempt DESC
		), held AS MATERIALIZED (
		    SELECT c.id FROM hitl.callbacks c WHERE c.id = ANY ($1) AND coalesce(c.state, '') = 'pending' ORDER BY c.id FOR NO KEY UPDATE
		)
		UPDATE hitl.callbacks c SET state = o.state, last_error = o.error, delivered_at = CASE WHEN o.state = 'delivered' THEN now() END,
		    next_at = CASE WHEN o.state = 'pending' THEN now() + o.wait * interval '1 microsecond' ELSE c.next_at END
		FROM held JOIN o ON o.id = held.id
		WHERE c.id = held.id AND coalesce(c.state, '') = 'pending' AND (c.attempts = o.attempt OR o.state = 'delivered')`, ids, attempts, states, errs, waits)
	if err != nil {
		return fmt.Errorf("record outcomes of callbacks: %w", err)
	}
	return nil
}

// renew begins leases anew.
func (s *Store) renew(ctx context.Context, list []*claimed) error {
	err := s.changeClaimed(ctx, list, `next_at = now() + $3::bigint * interval '1 microsecond'`, s.cfg.JobLease.Microseconds())
	if err != nil {
		return fmt.Errorf("renew leases of callbacks: %w", err)
	}
	return nil
}

// giveBack makes what was claimed and not begun due again, as if it had not been claimed.
func (s *Store) giveBack(ctx context.Context, list []*claimed) error {
	if err := s.changeClaimed(ctx, list, `attempts = c.attempts - 1, next_at = now()`); err != nil {
		return fmt.Errorf("give callbacks back: %w", err)
	}
	return nil
}

// changeClaimed changes callbacks that nobody has claimed since.
func (s *Store) changeClaimed(ctx context.Context, list []*claimed, set string, args ...any) error {
	ids, attempts := make([]string, len(list)), make([]int32, len(list))
	for i, c := range list {
		ids[i], attempts[i] = c.ID, int32(c.attempt) //nolint:gosec // from an integer
	}
	_, err := s.pool.Exec(ctx, `
		WITH held AS MATERIALIZED (
		    SELECT c.id FROM hitl.callbacks c JOIN unnest($1::text[], $2::int[]) AS o (id, attempt) ON o.id = c.id AND o.attempt = c.attempts
		    WHERE coalesce(c.state, '') = 'pending' ORDER BY c.id FOR NO KEY UPDATE OF c
		)
		UPDATE hitl.callbacks c SET `+set+` FROM held
		WHERE c.id = held.id`,
		append([]any{ids, attempts}, args...)...)
	return err
}

// errorText is a failure as the row keeps it.
func errorText(err error) string {
	if err == nil {
		return ""
	}
	text := hitl.CleanText(err.Error())
	return hitl.CleanText(text[:min(len(text), 1000)])
}

// dropCallbackJobs deletes the jobs that an earlier version has inserted, one for each callback. Should that version come back, it looks itself for callbacks
// that are long due.
func (s *Store) dropCallbackJobs(ctx context.Context) error {
	if _, err := s.pool.Exec(ctx, `DELETE FROM hitl_jobs.river_job WHERE kind = 'callback' AND state <> 'running'`); err != nil {
		return fmt.Errorf("delete callback jobs of an earlier version: %w", err)
	}
	return nil
}
