package audit

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

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

// reviveBatch is how many callbacks one statement of RetryCallbacks revives.
const reviveBatch = 500

// RetryCallbacks revives dead callbacks, all of them when no id is given, with all their attempts before them, and returns how many.
// Callbacks that are not dead are left alone, and so are those of erased items, whose bodies are gone.
func (s *Store) RetryCallbacks(ctx context.Context, ids ...string) (int, error) {
	if len(ids) == 0 {
		ids = nil // NULL: all
	}
	total := 0
	for {
		tag, err := s.pool.Exec(ctx, `
			UPDATE hitl.callbacks SET state = 'pending', attempts = 0, next_at = now() WHERE id IN (
			    SELECT id FROM hitl.callbacks WHERE state = 'dead' AND NOT erased AND ($1::text[] IS NULL OR id = ANY($1))
			    ORDER BY id LIMIT $2 FOR UPDATE)`, ids, reviveBatch)
		if err != nil {
			return total, fmt.Errorf("revive callbacks: %w", err)
		}
		if total += int(tag.RowsAffected()); tag.RowsAffected() < reviveBatch {
			return total, nil
		}
	}
}

// queueCallback inserts a callback that is sent from a time on, or (nil) at once. The caller holds its review's lock, so that callbacks of one item
// are created in the order of what they tell.
func queueCallback(b *pgx.Batch, c hitl.Callback, sendAt *time.Time) {
	b.Queue(`
		INSERT INTO hitl.callbacks (id, source, item_id, body, round, created_at, next_at)
		VALUES ($1, $2, $3, $4, $5, clock_timestamp(), coalesce($6, now()))`, c.ID, c.Source, c.ItemID, c.Body, c.Round, sendAt)
}
