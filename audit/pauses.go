package audit

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"hitl"
)

var _ hitl.Pauses = (*Store)(nil)

// Paused returns the queues that are paused, the name of each with its pause. Those that go on again are not among them.
func (s *Store) Paused(ctx context.Context) (map[string]hitl.Pause, error) {
	rows, err := s.pool.Query(ctx, `SELECT queue, paused_at, paused_by, reason FROM hitl.pauses WHERE resumed_at IS NULL`)
	if err != nil {
		return nil, fmt.Errorf("query pauses: %w", err)
	}
	paused := map[string]hitl.Pause{}
	var p hitl.Pause
	if _, err := pgx.ForEachRow(rows, []any{&p.Queue, &p.At, &p.By, &p.Reason}, func() error {
		p.At = p.At.UTC()
		paused[p.Queue] = p
		return nil
	}); err != nil {
		return nil, fmt.Errorf("query pauses: %w", err)
	}
	return paused, nil
}

// Pause implements hitl.Pauses. A queue whose times are still being moved by an earlier pause cannot be paused: hitl.ErrBusy.
func (s *Store) Pause(ctx context.Context, p hitl.Pause) (standing hitl.Pause, fresh bool, err error) {
	err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `
			INSERT INTO hitl.pauses (queue, paused_at, paused_by, reason) VALUES ($1, $2, $3, $4) ON CONFLICT (queue) DO NOTHING`,
			p.Queue, p.At, p.By, p.Reason)
		if err != nil {
			return fmt.Errorf("insert pause: %w", err)
		}
		if fresh = tag.RowsAffected() == 1; fresh {
			standing = p
			return s.insertNotices(ctx, tx, hitl.Notice{
				Kind: hitl.NoticePaused, Queue: p.Queue, InQueue: true, Data: map[string]string{"by": p.By, "reason": p.Reason},
			})
		}
		var resumed *time.Time
		standing = hitl.Pause{Queue: p.Queue}
		err = tx.QueryRow(ctx, `SELECT paused_at, paused_by, reason, resumed_at FROM hitl.pauses WHERE queue = $1`, p.Queue).
			Scan(&standing.At, &standing.By, &standing.Reason, &resumed)
		switch {
		case errors.Is(err, pgx.ErrNoRows), err == nil && resumed != nil:
			return fmt.Errorf("the queue is just going on again: %w", hitl.ErrBusy)
		case err != nil:
			return fmt.Errorf("read pause: %w", err)
		}
		standing.At = standing.At.UTC()
		return nil
	})
	return standing, fresh, err
}

// Resume implements hitl.Pauses.
func (s *Store) Resume(ctx context.Context, queue, by string, hours hitl.Hours) (hitl.Pause, error) {
	p := hitl.Pause{Queue: queue}
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		err := tx.QueryRow(ctx, `
			UPDATE hitl.pauses SET resumed_at = now() WHERE queue = $1 AND resumed_at IS NULL RETURNING paused_at, paused_by, reason`, queue,
		).Scan(&p.At, &p.By, &p.Reason)
		if errors.Is(err, pgx.ErrNoRows) {
			return hitl.ErrNotFound
		}
		if err != nil {
			return fmt.Errorf("end pause: %w", err)
		}
		p.At = p.At.UTC()
		return s.insertNotices(ctx, tx, hitl.Notice{Kind: hitl.NoticeResumed, Queue: queue, InQueue: true, Data: map[string]string{"by": by}})
	})
	if err != nil {
		return p, err
	}
	return p, s.MoveTimes(ctx, map[string]hitl.Hours{queue: hours})
}

// moveBatch is how many reviews one transaction of MoveTimes moves.
const moveBatch = 1000

// MoveTimes moves what is due in queues that go on after a pause by the time that each review has lost, and has the queue's times run again. It goes on
// where an earlier call was cut off; queues of which no hours are given have none. It is for a periodic task and for whoever has just resumed a queue.
func (s *Store) MoveTimes(ctx context.Context, hours map[string]hitl.Hours) error {
	for {
		more := false
		err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
			var queue, after string
			var paused, resumed time.Time
			err := tx.QueryRow(ctx, `
				SELECT queue, moved_to, paused_at, resumed_at FROM hitl.pauses WHERE resumed_at IS NOT NULL
				ORDER BY queue LIMIT 1 FOR UPDATE SKIP LOCKED`).Scan(&queue, &after, &paused, &resumed)
			if errors.Is(err, pgx.ErrNoRows) {
				return nil
			}
			if err != nil {
				return fmt.Errorf("look for pauses that are over: %w", err)
			}
			more = true
			return moveStep(ctx, tx, queue, after, func(opened, due time.Time) time.Time {
				from := paused
				if opened.After(from) {
					from = opened
				}
				h := hours[queue]
				return h.Add(due, h.Between(from, resumed))
			})
		})
		if err != nil {
			return fmt.Errorf("move due times: %w", err)
		}
		if !more {
			return nil
		}
	}
}

// moveStep moves the due times of the next reviews of a queue, or ends its pause when there are none.
func moveStep(ctx context.Context, tx pgx.Tx, queue, after string, move func(opened, due time.Time) time.Time) error {
	rows, err := tx.Query(ctx, `
		SELECT id, greatest(opened_at, entered_at), remind_at, escalate_at, expires_at FROM hitl.reviews
		WHERE state = 'open' AND queue = $1 AND id > $2 ORDER BY id LIMIT $3 FOR NO KEY UPDATE`, queue, after, moveBatch)
	if err != nil {
		return fmt.Errorf("query open reviews: %w", err)
	}
	var ids []string
	var times [3][]*time.Time
	var id string
	var opened time.Time
	var due [3]*time.Time
	if _, err := pgx.ForEachRow(rows, []any{&id, &opened, &due[0], &due[1], &due[2]}, func() error {
		ids = append(ids, id)
		for i, t := range due {
			var moved *time.Time
			if t != nil {
				at := move(opened, *t)
				moved = &at
			}
			times[i] = append(times[i], moved)
		}
		return nil
	}); err != nil {
		return fmt.Errorf("query open reviews: %w", err)
	}
	if len(ids) == 0 {
		if _, err := tx.Exec(ctx, `DELETE FROM hitl.pauses WHERE queue = $1`, queue); err != nil {
			return fmt.Errorf("end pause: %w", err)
		}
		return nil
	}
	batch := &pgx.Batch{}
	batch.Queue(`
		UPDATE hitl.reviews r SET remind_at = t.remind_at, escalate_at = t.escalate_at, expires_at = t.expires_at
		FROM unnest($1::text[], $2::timestamptz[], $3::timestamptz[], $4::timestamptz[]) AS t (id, remind_at, escalate_at, expires_at)
		WHERE r.id = t.id`, ids, times[0], times[1], times[2])
	batch.Queue(`UPDATE hitl.pauses SET moved_to = $2 WHERE queue = $1`, queue, ids[len(ids)-1])
	if err := tx.SendBatch(ctx, batch).Close(); err != nil {
		return fmt.Errorf("move due times: %w", err)
	}
	return nil
}
