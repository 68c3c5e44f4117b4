package audit

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"hitl"
)

// undoneLate is how long after its time to undo a card loses the button: no earlier, whatever this machine's clock says.
const undoneLate = time.Second

// Reopen commits that a decision is taken back: the next round, the entry REOPENED, what becomes of the decision's callback, and the refresh of the
// card, in one transaction. A decision of the round stays where it is.
//
// A callback that was not begun is withdrawn if r.Withdraw says so: then the upstream never hears of the decision. Otherwise it is told r.Event,
// after that callback. Errors: hitl.ErrNotFound; *hitl.UndoError, with which nothing was changed; after any other the outcome is unknown.
func (s *Store) Reopen(ctx context.Context, r hitl.Reopening) error {
	return s.reopen(ctx, r, nil, false)
}

func (s *Store) reopen(ctx context.Context, r hitl.Reopening, with []hitl.Reopening, all bool) error {
	var reopened []closedReview
	try := func() error {
		return pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
			if err := lockAll(ctx, tx, r, with, all); err != nil {
				return err
			}
			own, err := s.reopenOne(ctx, tx, r)
			if err != nil {
				return err
			}
			others, err := s.reopenFollowers(ctx, tx, with)
			reopened = append([]closedReview{own}, others...)
			return err
		})
	}
	err := try()
	switch {
	case isRollback(err):
		err = try()
	case err != nil && outOfReach(err) && !nothingSent(err):
		s.pool.Reset() // the other connections are as old as the one that is gone
		refused, ok := errors.AsType[*hitl.UndoError](try())
		if ok && refused.Why == hitl.UndoReopened {
			err = nil // by the first attempt, or by somebody with the same wish
		}
	}
	if err != nil {
		return fmt.Errorf("reopen review %s: %w", r.ReviewID, err)
	}
	for _, c := range reopened {
		s.backlog.add(c.queue, c.source, 1)
	}
	return nil
}

// closedReview is a review whose decision is about to be taken back.
type closedReview struct{ itemID, source, queue string }

// lockClosed locks a review and makes sure that its round's decision may be taken back. What is asked is asked after the lock was given: whoever had
// it may have changed everything, and the time goes on while one waits for it.
func lockClosed(ctx context.Context, tx pgx.Tx, r hitl.Reopening) (closedReview, error) {
	var c closedReview
	var round int
	err := tx.QueryRow(ctx, `SELECT round FROM hitl.reviews WHERE id = $1 FOR NO KEY UPDATE`, r.ReviewID).Scan(&round)
	if errors.Is(err, pgx.ErrNoRows) {
		return c, hitl.ErrNotFound
	}
	if err != nil {
		return c, fmt.Errorf("lock review: %w", err)
	}
	var state hitl.ReviewState
	var erased, inTime bool
	var until *time.Time
	var status *hitl.Status
	var by hitl.Reviewer
	err = tx.QueryRow(ctx, `
		SELECT r.item_id, i.source, r.queue, r.state, i.erased_at IS NOT NULL, coalesce(r.undo_until > clock_timestamp(), false), r.undo_until,
		    d.status, coalesce(d.reviewer_team, ''), coalesce(d.reviewer_user, '')
		FROM hitl.reviews r JOIN hitl.items i ON i.id = r.item_id LEFT JOIN hitl.decisions d ON d.review_id = r.id AND d.round = r.round
		WHERE r.id = $1`, r.ReviewID,
	).Scan(&c.itemID, &c.source, &c.queue, &state, &erased, &inTime, &until, &status, &by.Team, &by.User)
	if err != nil {
		return c, fmt.Errorf("read review: %w", err)
	}
	refused := &hitl.UndoError{By: by}
	if inTime {
		refused.Until = orNever(until)
	}
	person := status != nil && (*status == hitl.HumanAccepted || *status == hitl.HumanCorrected)
	switch {
	case round != r.Round:
		refused.Why = hitl.UndoReopened
	case erased:
		refused.Why = hitl.UndoErased
	case state == hitl.ReviewOpen:
		refused.Why = hitl.UndoOpen
	case r.Undo && (!person || by != r.By):
		refused.Why = hitl.UndoNotYours
	case r.Undo && !inTime:
		refused.Why = hitl.UndoTooLate
	default:
		return c, nil
	}
	return c, refused
}

func (s *Store) openRound(ctx context.Context, tx pgx.Tx, c closedReview, r hitl.Reopening, where string) error {
	n := r.Next
	if _, err := tx.Exec(ctx, `
		UPDATE hitl.reviews SET round = round + 1, state = 'open', opened_at = $2, closed_at = NULL, version = version + 1, undo_until = NULL,
		    claimed_team = '', claimed_user = '', claimed_until = NULL, expires_at = $3, remind_at = $4, escalate_at = $5
		WHERE id = $1`, r.ReviewID, r.At, optionalTime(n.ExpiresAt), optionalTime(n.RemindAt), optionalTime(n.EscalateAt)); err != nil {
		return fmt.Errorf("open round: %w", err)
	}
	cards, err := tx.Exec(ctx, `UPDATE hitl.cards SET live = true WHERE review_id = $1 AND state <> 'gone'`, r.ReviewID)
	if err != nil {
		return fmt.Errorf("update cards: %w", err)
	}
	if _, err := tx.Exec(ctx, `
		INSERT INTO hitl.log (item_id, at, status, text_ref, ai_label, confidence, label, reviewer, model, policy, context)
		SELECT i.id, $2, $3, i.text_ref, i.ai_label, i.confidence, '', $4, coalesce(m.version, ''), i.policy, json_build_object(
		    'source', i.source, 'review', $5::text, 'round', $6::integer, 'queue', $7::text, 'reason', $8::text, 'where', $9::json)
		FROM hitl.items i LEFT JOIN hitl.model_versions m ON m.id = i.model_id WHERE i.id = $1`,
		c.itemID, r.At, hitl.Reopened, r.By.String(), r.ReviewID, r.Round, c.queue, r.Reason, where); err != nil {
		return fmt.Errorf("write entry: %w", err)
	}
	if err := takeBack(ctx, tx, c, r); err != nil {
		return err
	}
	return s.refreshIf(ctx, tx, cards.RowsAffected() > 0, r.ReviewID)
}

// takeBack deals with what the upstream was told of a decision, or is about to be: a callback that nobody has begun is withdrawn, and otherwise
// the event that follows it is inserted. Whoever begins a callback changes its row: of the two that want it one finds what the
// other did. A round of 0 is that of a binary which knew of no rounds.
func takeBack(ctx context.Context, tx pgx.Tx, c closedReview, r hitl.Reopening) error {
	if r.Event == nil {
		return nil
	}
	var withdrawn, told bool
	err := tx.QueryRow(ctx, `
		WITH withdrawn AS (
		    UPDATE hitl.callbacks SET state = 'withdrawn'
		    WHERE item_id = $1 AND round IN ($2, 0) AND state = 'pending' AND attempts = 0 AND last_error = '' AND $3
		    RETURNING id)
		SELECT EXISTS (SELECT FROM withdrawn), EXISTS (
		    SELECT FROM hitl.callbacks WHERE item_id = $1 AND round IN ($2, 0) AND id NOT IN (SELECT id FROM withdrawn))`,
		c.itemID, r.Round, r.Withdraw).Scan(&withdrawn, &told)
	if err != nil {
		return fmt.Errorf("withdraw callback: %w", err)
	}
	if withdrawn || !told {
		return nil
	}
	batch := &pgx.Batch{}
	queueCallback(batch, *r.Event, nil)
	if err := tx.SendBatch(ctx, batch).Close(); err != nil {
		return fmt.Errorf("insert event: %w", err)
	}
	return nil
}
