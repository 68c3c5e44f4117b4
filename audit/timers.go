package audit

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"hitl"
)

// running says of hitl.reviews AS r that its queue is not paused.
const running = `NOT EXISTS (SELECT FROM hitl.pauses p WHERE p.queue = r.queue)`

var _ hitl.Timers = (*Store)(nil)

// waited is a review whose time has come.
type waited struct {
	id       string
	openedAt time.Time
}

// takeDue locks the open reviews of a queue for which a time has come, those longest ago first, limit at most. What somebody else has locked will be
// due the next time.
func takeDue(ctx context.Context, tx pgx.Tx, queue, column string, limit int) ([]waited, error) {
	rows, err := tx.Query(ctx, `
		SELECT r.id, r.opened_at FROM hitl.reviews r
		WHERE r.state = 'open' AND r.`+column+` < now() AND r.queue = $1 AND `+running+`
		ORDER BY r.`+column+`, r.id LIMIT $2 FOR NO KEY UPDATE OF r SKIP LOCKED`, queue, limit)
	if err != nil {
		return nil, fmt.Errorf("query due reviews: %w", err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (w waited, err error) {
		err = row.Scan(&w.id, &w.openedAt)
		return w, err
	})
	if err != nil {
		return nil, fmt.Errorf("query due reviews: %w", err)
	}
	return list, nil
}

// ids returns the ids of reviews, and the one that has waited longest.
func ids(list []waited) (all []string, oldest waited) {
	for i, w := range list {
		if all = append(all, w.id); i == 0 || w.openedAt.Before(oldest.openedAt) {
			oldest = w
		}
	}
	return all, oldest
}

// Remind implements hitl.Timers: a reminder is taken from its review in the transaction that writes the notice, so that each comes once.
func (s *Store) Remind(ctx context.Context, queue string, limit int) (int, error) {
	n := 0
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		due, err := takeDue(ctx, tx, queue, "remind_at", limit)
		if n = len(due); err != nil || n == 0 {
			return err
		}
		all, oldest := ids(due)
		if _, err := tx.Exec(ctx, `UPDATE hitl.reviews SET remind_at = NULL WHERE id = ANY ($1)`, all); err != nil {
			return fmt.Errorf("take reminders: %w", err)
		}
		return s.insertNotices(ctx, tx, hitl.Notice{
			Kind: hitl.NoticeReminder, Queue: queue, ReviewID: oldest.id, InQueue: true, Data: map[string]string{"count": strconv.Itoa(n)},
		})
	})
	if err != nil {
		return 0, fmt.Errorf("remind: %w", err)
	}
	return n, nil
}

// singleEscalations is how many reviews of a queue are told of one by one, when they are escalated together; of more, one notice tells.
const singleEscalations = 5

// Escalate implements hitl.Timers. An escalated review is urgent from then on. One that moves leaves its card behind, and gets another where it goes.
func (s *Store) Escalate(ctx context.Context, queue string, to hitl.Escalation, next hitl.Review, limit int) (int, error) {
	var sources []string
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		sources = nil
		due, err := takeDue(ctx, tx, queue, "escalate_at", limit)
		if err != nil || len(due) == 0 {
			return err
		}
		all, oldest := ids(due)
		rows, err := tx.Query(ctx, `
			UPDATE hitl.reviews SET escalate_at = $3, priority = $4, version = version + 1, queue = $5,
			    remind_at = CASE WHEN $5 = queue THEN remind_at ELSE $6 END, expires_at = CASE WHEN $5 = queue THEN expires_at ELSE $7 END,
			    entered_at = CASE WHEN $5 = queue THEN entered_at ELSE now() END,
			    claimed_user = CASE WHEN $5 = queue THEN claimed_user ELSE '' END, -- whoever has it may have no rights there
			    claimed_team = CASE WHEN $5 = queue THEN claimed_team ELSE '' END,
			    claimed_until = CASE WHEN $5 = queue THEN claimed_until END
			WHERE id = ANY ($1) AND queue = $2 RETURNING source`,
			all, queue, optionalTime(next.EscalateAt), hitl.PriorityUrgent, next.Queue, optionalTime(next.RemindAt), optionalTime(next.ExpiresAt))
		if err != nil {
			return fmt.Errorf("escalate reviews: %w", err)
		}
		if sources, err = pgx.CollectRows(rows, pgx.RowTo[string]); err != nil {
			return fmt.Errorf("escalate reviews: %w", err)
		}
		if _, err := tx.Exec(ctx, `
			INSERT INTO hitl.log (item_id, at, status, text_ref, ai_label, confidence, label, reviewer, model, policy, context)
			SELECT i.id, now(), $2, i.text_ref, i.ai_label, i.confidence, '', 'system', coalesce(m.version, ''), i.policy, json_build_object(
			    'source', i.source, 'review', r.id, 'round', r.round, 'queue', $3::text, 'to', r.queue, 'reason', 'sla')
			FROM hitl.reviews r JOIN hitl.items i ON i.id = r.item_id LEFT JOIN hitl.model_versions m ON m.id = i.model_id
			WHERE r.id = ANY ($1) ORDER BY r.id`, all, hitl.Escalated, queue); err != nil {
			return fmt.Errorf("write entries: %w", err)
		}
		if err := s.insertNotices(ctx, tx, escalations(queue, to, all, oldest.id)...); err != nil {
			return err
		}
		jobs := make([]river.InsertManyParams, len(all))
		for i, id := range all {
			jobs[i] = refreshNow(id)
		}
		return s.insertJobs(ctx, tx, jobs...)
	})
	if err != nil {
		return 0, fmt.Errorf("escalate: %w", err)
	}
	for _, source := range sources {
		s.backlog.add(queue, source, -1)
		s.backlog.add(next.Queue, source, 1)
	}
	return len(sources), nil
}

// escalations are the notices of reviews that were escalated together.
func escalations(queue string, to hitl.Escalation, all []string, oldest string) []hitl.Notice {
	one := func(id string, n int) hitl.Notice {
		return hitl.Notice{
			Kind: hitl.NoticeEscalation, Queue: queue, ReviewID: id, To: to.Channel,
			Data: map[string]string{"count": strconv.Itoa(n), "group": to.Group, "to": to.Queue},
		}
	}
	if len(all) > singleEscalations {
		return []hitl.Notice{one(oldest, len(all))}
	}
	var notices []hitl.Notice
	for _, id := range all {
		notices = append(notices, one(id, 1))
	}
	return notices
}
