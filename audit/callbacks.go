package audit

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"hitl"
)

// CallbackStatus is where a callback stands.
type CallbackStatus struct {
	ID          string             `json:"id"`
	Source      string             `json:"source"`
	ItemID      string             `json:"item_id"`
	State       hitl.CallbackState `json:"state"`
	Attempts    int                `json:"attempts"` // begun since it was last revived
	LastError   string             `json:"last_error,omitempty"`
	CreatedAt   time.Time          `json:"created_at"`
	DeliveredAt *time.Time         `json:"delivered_at,omitempty"`
	NextAt      time.Time          `json:"next_at"`          // of a pending one: no attempt begins earlier
	Erased      bool               `json:"erased,omitempty"` // its item was; unless pending it has no body any more and cannot be sent again
	Round       int                `json:"round,omitempty"`  // of the decision that it tells of
}

// Callbacks returns the callbacks in a state, the newest first, limit at most.
func (s *Store) Callbacks(ctx context.Context, state hitl.CallbackState, limit int) ([]CallbackStatus, error) {
	rows, err := s.pool.Query(ctx, `
		SELECT id, source, item_id, state, attempts, last_error, created_at, delivered_at, next_at, erased, round
		FROM hitl.callbacks WHERE state = $1 ORDER BY id DESC LIMIT $2`, state, limit)
	if err != nil {
		return nil, fmt.Errorf("list callbacks: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[CallbackStatus])
	if err != nil {
		return nil, fmt.Errorf("list callbacks: %w", err)
	}
	return list, nil
}

// reviveBatch is how many callbacks one transaction of RetryCallbacks revives.
const reviveBatch = 500

// RetryCallbacks revives dead callbacks, all of them when no id is given, with all their attempts before them, and returns how many.
// Callbacks that are not dead are left alone, and so are those of erased items, whose bodies are gone.
func (s *Store) RetryCallbacks(ctx context.Context, ids ...string) (int, error) {
	if len(ids) == 0 {
		ids = nil // NULL: all
	}
	total := 0
	for {
		n, err := s.enqueueCallbacks(ctx, `
			UPDATE hitl.callbacks SET state = 'pending', attempts = 0, next_at = now() WHERE id IN (
			    SELECT id FROM hitl.callbacks WHERE state = 'dead' AND NOT erased AND ($1::text[] IS NULL OR id = ANY($1))
			    ORDER BY id LIMIT $2 FOR UPDATE)
			RETURNING id`, ids, reviveBatch)
		if err != nil {
			return total, fmt.Errorf("revive callbacks: %w", err)
		}
		if total += n; n < reviveBatch {
			return total, nil
		}
	}
}

// enqueueCallbacks runs a statement that returns ids of callbacks, and inserts their jobs in the same transaction.
func (s *Store) enqueueCallbacks(ctx context.Context, sql string, args ...any) (int, error) {
	var ids []string
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, sql, args...)
		if err != nil {
			return fmt.Errorf("query callbacks: %w", err)
		}
		if ids, err = pgx.CollectRows(rows, pgx.RowTo[string]); err != nil || len(ids) == 0 {
			return err
		}
		jobs := make([]river.InsertManyParams, len(ids))
		for i, id := range ids {
			jobs[i].Args = callbackJob{ID: id}
		}
		if _, err := s.jobs.InsertManyTx(ctx, tx, jobs); err != nil { // those that have a live job are left out
			return fmt.Errorf("insert callback jobs: %w", err)
		}
		return nil
	})
	return len(ids), err
}

// claimed is a callback whose next attempt has been counted.
type claimed struct {
	hitl.Callback
	attempt int
}

// queueCallback inserts a callback that is sent from a time on, or (nil) at once. The caller holds its review's lock, so that callbacks of one item
// are created in the order of what they tell.
func queueCallback(b *pgx.Batch, c hitl.Callback, sendAt *time.Time) {
	b.Queue(`
		INSERT INTO hitl.callbacks (id, source, item_id, body, round, created_at, next_at)
		VALUES ($1, $2, $3, $4, $5, clock_timestamp(), coalesce($6, now()))`, c.ID, c.Source, c.ItemID, c.Body, c.Round, sendAt)
}

// earlier are the callbacks of the same item that hitl.callbacks AS c must not overtake.
const earlier = `hitl.callbacks e WHERE e.item_id = c.item_id AND e.state = 'pending' AND (e.created_at, e.id) < (c.created_at, c.id)`

// earlierPoll is how soon a callback looks again whether the one before it is through, when that is being sent.
const earlierPoll = 200 * time.Millisecond

// claim counts an attempt before it is made. It returns nil when there is nothing to do; with a wait, not now: its time has not come, or an
// earlier callback of its item is on its way. It is the callback's one job
// that keeps other workers away while the attempt lasts; should that be given out again meanwhile, the number of the attempt says which one's
// failure counts.
func (s *Store) claim(ctx context.Context, id string) (*claimed, time.Duration, error) {
	c := claimed{Callback: hitl.Callback{ID: id}}
	err := s.pool.QueryRow(ctx, `
		UPDATE hitl.callbacks c SET attempts = attempts + 1
		WHERE id = $1 AND state = 'pending' AND next_at <= now() AND NOT EXISTS (SELECT FROM `+earlier+`)
		RETURNING source, item_id, body, attempts, coalesce((SELECT i.trace FROM hitl.items i WHERE i.id = c.item_id), '')`,
		id).Scan(&c.Source, &c.ItemID, &c.Body, &c.attempt, &c.Trace)
	if err == nil {
		return &c, 0, nil
	}
	if !errors.Is(err, pgx.ErrNoRows) {
		return nil, 0, fmt.Errorf("claim callback: %w", err)
	}
	var wait float64
	var behind bool
	err = s.pool.QueryRow(ctx, `
		SELECT extract(epoch FROM greatest(c.next_at, before.next_at) - now())::float8, before.next_at IS NOT NULL
		FROM hitl.callbacks c, LATERAL (SELECT max(e.next_at) AS next_at FROM `+earlier+`) before
		WHERE c.id = $1 AND c.state = 'pending'`, id).Scan(&wait, &behind)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, fmt.Errorf("read callback: %w", err)
	}
	least := time.Millisecond
	if behind {
		least = earlierPoll
	}
	return nil, max(time.Duration(wait*float64(time.Second)), least), nil
}

// retryLater leaves a callback pending until its next attempt. An attempt that came too late to matter changes nothing.
func (s *Store) retryLater(ctx context.Context, c *claimed, cause error, wait time.Duration) error {
	_, err := s.pool.Exec(ctx, `
		UPDATE hitl.callbacks SET last_error = $3, next_at = now() + $4::bigint * interval '1 microsecond'
		WHERE id = $1 AND attempts = $2 AND state = 'pending'`, c.ID, c.attempt, errorText(cause), wait.Microseconds())
	if err != nil {
		return fmt.Errorf("record failed callback: %w", err)
	}
	return nil
}

// finish ends a callback, and its job, in one transaction. The body of an erased item's callback goes with it; a trigger sees to that.
func (s *Store) finish(ctx context.Context, c *claimed, state hitl.CallbackState, cause error, endJob func(pgx.Tx) error) error {
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `
			UPDATE hitl.callbacks SET state = $3, last_error = $4, delivered_at = CASE WHEN $3 = 'delivered' THEN now() END
			WHERE id = $1 AND state = 'pending' AND (attempts = $2 OR $3 = 'delivered')`, c.ID, c.attempt, state, errorText(cause))
		if err != nil {
			return fmt.Errorf("update callback: %w", err)
		}
		return endJob(tx)
	})
	if err != nil {
		return fmt.Errorf("record callback's end: %w", err)
	}
	return nil
}

// errorText is a failure as the row keeps it.
func errorText(err error) string {
	if err == nil {
		return ""
	}
	text := hitl.CleanText(err.Error())
	return hitl.CleanText(text[:min(len(text), 1000)])
}

// sweepAge is how long a callback may be due before a new job is inserted for it, in case its own was lost.
const sweepAge = 15 * time.Minute

// sweepCallbacks inserts jobs for callbacks that should long have been tried. Those that have one are left out.
func (s *Store) sweepCallbacks(ctx context.Context) error {
	n, err := s.enqueueCallbacks(ctx, `
		UPDATE hitl.callbacks SET next_at = now() WHERE id IN ( -- and so not looked at again for a while
		    SELECT id FROM hitl.callbacks WHERE state = 'pending' AND next_at < now() - $1::bigint * interval '1 microsecond'
		    ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED)
		RETURNING id`, sweepAge.Microseconds(), reviveBatch)
	if err != nil {
		return fmt.Errorf("look for forgotten callbacks: %w", err)
	}
	if n > 0 {
		s.cfg.Logger.WarnContext(ctx, "callbacks are long due", "at_least", n)
	}
	return nil
}
