package audit

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"hitl"
)

// QueueState returns what waits in a queue. Error: hitl.ErrUnavailable when Postgres is out of reach.
func (s *Store) QueueState(ctx context.Context, queue string) (hitl.QueueState, error) {
	st := hitl.QueueState{Open: map[hitl.Priority]hitl.QueueWait{}}
	rows, err := s.pool.Query(ctx, `
		SELECT priority, count(*), coalesce(extract(epoch FROM now() - min(opened_at)), 0)::float8,
		    count(*) FILTER (WHERE claimed_user <> '' AND claimed_until > now()),
		    count(*) FILTER (WHERE remind_at IS NULL OR remind_at <= now()), count(*) FILTER (WHERE escalate_at IS NULL OR escalate_at <= now()),
		    count(*) FILTER (WHERE expires_at <= now()), min(expires_at) FILTER (WHERE expires_at > now())
		FROM hitl.reviews WHERE state = 'open' AND queue = $1 GROUP BY priority`, queue)
	if err != nil {
		return st, readError("query queue", err)
	}
	var priority hitl.Priority
	var open, claimed, reminded, escalated, expired int
	var age float64
	var next *time.Time
	_, err = pgx.ForEachRow(rows, []any{&priority, &open, &age, &claimed, &reminded, &escalated, &expired, &next}, func() error {
		st.Open[priority] = hitl.QueueWait{Queue: queue, Open: open, OldestAge: max(seconds(age), 0)}
		st.Claimed += claimed
		st.Reminded += reminded
		st.Escalated += escalated
		st.Expired += expired
		if next != nil && (st.NextExpiry.IsZero() || next.Before(st.NextExpiry)) {
			st.NextExpiry = next.UTC()
		}
		return nil
	})
	if err != nil {
		return st, readError("query queue", err)
	}
	return st, nil
}

// figures selects what Figures returns: of the queues $1, since the moments $2.
const figures = `
	WITH q AS MATERIALIZED (SELECT * FROM unnest($1::text[], $2::timestamptz[]) WITH ORDINALITY AS q (name, since, place)),
	waiting AS (
	    SELECT queue, count(*) AS open, min(opened_at) AS oldest FROM hitl.reviews WHERE state = 'open' AND queue = ANY ($1) GROUP BY queue),
	arrived AS MATERIALIZED (
	    SELECT m.since, i.queue, i.status, count(*) AS n
	    FROM (SELECT DISTINCT since FROM q) m JOIN hitl.items i ON i.received_at >= m.since
	    WHERE NOT EXISTS (SELECT FROM hitl.gold g WHERE g.item_id = i.id) GROUP BY m.since, i.queue, i.status),
	came AS (SELECT since, sum(n) AS items FROM arrived GROUP BY since),
	made AS (
	    SELECT q.name, count(*) FILTER (WHERE d.status = 'HUMAN_ACCEPTED') AS accepted, count(*) FILTER (WHERE d.status = 'HUMAN_CORRECTED') AS corrected
	    FROM q JOIN hitl.decisions d ON d.queue = q.name AND d.at >= q.since AND d.status IN ('HUMAN_ACCEPTED', 'HUMAN_CORRECTED') AND NOT d.gold
	    WHERE EXISTS (SELECT FROM hitl.reviews r WHERE r.id = d.review_id AND r.round = d.round)
	    GROUP BY q.name)
	SELECT q.name, q.since, coalesce(w.open, 0), coalesce(extract(epoch FROM now() - w.oldest), 0)::float8,
	    coalesce(c.items, 0)::bigint, coalesce(a.n, 0), coalesce(m.accepted, 0), coalesce(m.corrected, 0)
	FROM q LEFT JOIN waiting w ON w.queue = q.name LEFT JOIN came c ON c.since = q.since
	    LEFT JOIN arrived a ON a.since = q.since AND a.queue = q.name AND a.status = 'HUMAN_REVIEW' LEFT JOIN made m ON m.name = q.name
	ORDER BY q.place`

// Figures returns the main figures of some queues, in their order, each since its own moment, in one statement. Items are counted once for each
// moment, however many queues share it. Error: hitl.ErrUnavailable when Postgres is out of reach.
func (s *Store) Figures(ctx context.Context, queues []hitl.QueueSince) ([]hitl.QueueFigures, error) {
	names, since := make([]string, len(queues)), make([]time.Time, len(queues))
	for i, q := range queues {
		names[i], since[i] = q.Queue, q.Since
	}
	rows, err := s.pool.Query(ctx, figures, names, since)
	if err != nil {
		return nil, readError("query figures", err)
	}
	out, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (hitl.QueueFigures, error) {
		var f hitl.QueueFigures
		var age float64
		err := row.Scan(&f.Queue, &f.Since, &f.Open, &age, &f.Items, &f.Reviewed, &f.Accepted, &f.Corrected)
		f.OldestAge, f.Since = max(seconds(age), 0), f.Since.UTC()
		return f, err
	})
	if err != nil {
		return nil, readError("query figures", err)
	}
	return out, nil
}
