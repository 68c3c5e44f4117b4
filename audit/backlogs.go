package audit

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// Backlogs is what waits, for metrics and listings.
type Backlogs struct {
	Queues           map[string]QueueBacklog // queues in which nothing is open are absent
	CallbacksPending int
	CallbacksDead    int // that can be revived
}

// QueueBacklog is what waits in one queue.
type QueueBacklog struct {
	Open      int
	OnCards   int           // of those, shown by a card in Slack
	OldestAge time.Duration // of the oldest open review, by the database's clock
}

// callbackBacklogs counts each state by its own index: of both together, Postgres would read the whole table.
const callbackBacklogs = `
	SELECT (SELECT count(*) FROM hitl.callbacks WHERE state = 'pending'), (SELECT count(*) FROM hitl.callbacks WHERE state = 'dead' AND NOT erased)`

// Backlogs counts what waits now.
func (s *Store) Backlogs(ctx context.Context) (Backlogs, error) {
	out := Backlogs{Queues: map[string]QueueBacklog{}}
	rows, err := s.pool.Query(ctx, `
		SELECT r.queue, count(*), count(c.id), extract(epoch FROM now() - min(r.opened_at))::float8
		FROM hitl.reviews r LEFT JOIN hitl.cards c ON c.review_id = r.id AND c.state = 'posted'
		WHERE r.state = 'open' GROUP BY r.queue`)
	if err != nil {
		return out, fmt.Errorf("count backlogs: %w", err)
	}
	var queue string
	var q QueueBacklog
	var age float64
	if _, err := pgx.ForEachRow(rows, []any{&queue, &q.Open, &q.OnCards, &age}, func() error {
		q.OldestAge = max(0, time.Duration(age*float64(time.Second)))
		out.Queues[queue] = q
		return nil
	}); err != nil {
		return out, fmt.Errorf("count backlogs: %w", err)
	}
	err = s.pool.QueryRow(ctx, callbackBacklogs).Scan(&out.CallbacksPending, &out.CallbacksDead)
	if err != nil {
		return out, fmt.Errorf("count callbacks: %w", err)
	}
	return out, nil
}
