package audit

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"hitl"
)

// Decide commits a decision with its log entry, its callback (if any) and the refresh of the review's card in one transaction,
// unless its round has a decision or is not the open one: then it changes nothing. It returns the decision that stands and whether it
// is this one. Errors: hitl.ErrNotFound, hitl.ErrRoundOver for a round that was undone, *hitl.InvalidError for one that never was,
// *hitl.ClaimedError while somebody else has claimed the review; after any other the outcome is unknown.
//
// The primary key decides who wins: of concurrent inserts under it, one succeeds. The review is locked before, as everywhere, so that whoever
// holds it and decides, as the last voice of a panel does, waits for nobody. Before a panel is complete only its end in time or by erasure counts.
func (s *Store) Decide(ctx context.Context, decision hitl.Decision, callback *hitl.Callback) (hitl.Decision, bool, error) {
	return s.commitDecision(ctx, decision, func(tx pgx.Tx) ([]wonReview, error) {
		won, err := s.decide(ctx, tx, hitl.Answer{Decision: decision, Callback: callback})
		if err != nil || won == nil {
			return nil, err
		}
		return []wonReview{*won}, nil
	})
}

// commitDecision runs the transaction of a decision, which returns the reviews that it has closed, the decision's own first; none: another one
// stands.
func (s *Store) commitDecision(ctx context.Context, decision hitl.Decision, closing func(pgx.Tx) ([]wonReview, error)) (hitl.Decision, bool, error) {
	var won []wonReview
	try := func() error {
		return pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) (err error) {
			won, err = closing(tx)
			return err
		})
	}
	err := try()
	switch {
	case isRollback(err):
		err = try()
	case err != nil && outOfReach(err) && !nothingSent(err):
		s.pool.Reset() // the other connections are as old as the one that is gone
		if errAgain := try(); errAgain == nil {
			err = nil // if the first attempt was committed after all, its decision stands now
		}
	}
	if err != nil {
		return hitl.Decision{}, false, fmt.Errorf("commit decision: %w", err)
	}
	if len(won) == 0 {
		standing, err := s.standing(ctx, decision)
		return standing, false, err
	}
	s.tellClosed(won)
	decision.UndoUntil = orNever(won[0].undoUntil)
	return decision, true, nil
}

// tellClosed tells those in this process whom it concerns that reviews are closed.
func (s *Store) tellClosed(won []wonReview) {
	for _, w := range won {
		s.backlog.add(w.queue, w.source, -1)
		s.waits.wake(w.itemID)
	}
}

// decide makes an answer the decision of its review, within a transaction; nil: another decision stands, or the round is not open.
func (s *Store) decide(ctx context.Context, tx pgx.Tx, a hitl.Answer) (*wonReview, error) {
	where, err := toJSON("decision context", a.Decision.Context)
	if err != nil {
		return nil, err
	}
	won, err := insertDecision(ctx, tx, a.Decision, where)
	if err != nil || won == nil {
		return nil, err
	}
	return won, s.closeReview(ctx, tx, *won, a.Decision, a.Callback)
}

// wonReview is what the winner needs to know of its review.
type wonReview struct {
	reviewID, itemID, source, queue string
	gold                            bool       // the answer was known before
	secret                          []byte     // the item's erasable key
	undoUntil                       *time.Time // nil: it cannot be undone
}

// insertDecision returns nil when another decision stands, the round is not open, or somebody else has claimed the review.
func insertDecision(ctx context.Context, tx pgx.Tx, d hitl.Decision, where string) (*wonReview, error) {
	w := wonReview{reviewID: d.ReviewID}
	err := tx.QueryRow(ctx, `
		WITH r AS (
		    SELECT r.* FROM hitl.reviews r
		    WHERE r.id = $1 AND r.round = $2 AND r.state = 'open'
		        AND (r.panel = 1 OR $3 IN ('EXPIRED', 'CANCELLED') OR r.panel <= (`+countVoices+`))
		        AND ($5 = '' OR NOT `+claimedByOther("$5", "$6")+`)
		    FOR NO KEY UPDATE), won AS (
		    INSERT INTO hitl.decisions (review_id, round, item_id, queue, ai_label, opened_at, status, label,
		        reviewer_team, reviewer_user, reason, comment, at, context, blind, gold)
		    SELECT r.id, r.round, r.item_id, r.queue, i.ai_label, r.opened_at, $3, $4, $5, $6, $7, $8, $9, $10::json,
		        r.blind AND r.round = 1, -- the card of a later round has shown what the model said
		        EXISTS (SELECT FROM hitl.gold g WHERE g.item_id = r.item_id)
		    FROM r JOIN hitl.items i ON i.id = r.item_id
		    ON CONFLICT (review_id, round) DO NOTHING
		    RETURNING item_id, queue, gold)
		SELECT w.item_id, i.source, w.queue, w.gold, x.key, CASE WHEN $11::bigint > 0 THEN now() + $11 * interval '1 microsecond' END
		FROM won w JOIN hitl.items i ON i.id = w.item_id LEFT JOIN hitl.item_texts x ON x.item_id = w.item_id`,
		d.ReviewID, d.Round, d.Status, d.Label, d.Reviewer.Team, d.Reviewer.User, d.Reason, d.Comment, d.At, where, d.UndoFor.Microseconds(),
	).Scan(&w.itemID, &w.source, &w.queue, &w.gold, &w.secret, &w.undoUntil)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("insert decision: %w", err)
	}
	return &w, nil
}

// errReviewMoved should be impossible: whoever closes a review inserts its round's decision first.
var errReviewMoved = errors.New("review was closed without a decision")

func (s *Store) closeReview(ctx context.Context, tx pgx.Tx, w wonReview, d hitl.Decision, callback *hitl.Callback) error {
	state := hitl.ReviewDecided
	switch d.Status { //nolint:exhaustive // routes do not end reviews
	case hitl.Expired:
		state = hitl.ReviewExpired
	case hitl.Cancelled:
		state = hitl.ReviewCancelled
	}
	entry, err := toJSON("log context", decisionContext(w, d))
	if err != nil {
		return err
	}
	batch := &pgx.Batch{}
	// The review before its card: the order of locks.
	batch.Queue(`
		UPDATE hitl.reviews SET state = $3, closed_at = $4, undo_until = $5, version = version + 1,
		    claimed_team = '', claimed_user = '', claimed_until = NULL
		WHERE id = $1 AND round = $2 AND state = 'open'`,
		d.ReviewID, d.Round, state, d.At, w.undoUntil)
	batch.Queue(`UPDATE hitl.cards SET live = false WHERE review_id = $1 AND state <> 'gone'`, d.ReviewID)
	batch.Queue(`
		INSERT INTO hitl.log (item_id, at, status, text_ref, ai_label, confidence, label, reviewer, model, policy, context)
		SELECT i.id, $2, $3, i.text_ref, i.ai_label, i.confidence, $4, $5, coalesce(m.version, ''), i.policy, $6::json
		FROM hitl.items i LEFT JOIN hitl.model_versions m ON m.id = i.model_id WHERE i.id = $1`,
		w.itemID, d.At, d.Status, d.Label, d.Reviewer.String(), entry)
	if callback != nil {
		var sendAt *time.Time
		if callback.Hold {
			sendAt = w.undoUntil
		}
		queueCallback(batch, *callback, sendAt)
	}
	results := tx.SendBatch(ctx, batch)
	closed, err := results.Exec()
	cards, errCards := results.Exec()
	if err := errors.Join(err, errCards, results.Close()); err != nil {
		return fmt.Errorf("record decision: %w", err)
	}
	if closed.RowsAffected() != 1 {
		return errReviewMoved
	}
	var jobs []river.InsertManyParams
	if cards.RowsAffected() > 0 {
		jobs = append(jobs, refreshNow(d.ReviewID))
	}
	if w.undoUntil != nil {
		jobs = append(jobs, refreshAt(d.ReviewID, w.undoUntil.Add(undoneLate))) // without the button
	}
	return s.insertJobs(ctx, tx, jobs...)
}

// decisionContext is what the log keeps of how a decision came about. Of a comment, which may have to be erased, that is a commitment.
func decisionContext(w wonReview, d hitl.Decision) map[string]any {
	c := map[string]any{"source": w.source, "review": d.ReviewID, "round": d.Round, "queue": w.queue}
	if w.gold {
		c["gold"] = true // for auditors; nobody else is shown the log
	}
	if d.Reason != "" {
		c["reason"] = d.Reason
	}
	if d.Comment != "" && len(w.secret) > 0 {
		c["comment_ref"] = commitmentPrefix + hex.EncodeToString(commitComment(w.secret, d))
	}
	if len(d.Context) > 0 {
		c["where"] = d.Context
	}
	return c
}

// standing returns the decision that a lost one lost to: its round's, or else the review's latest. Errors: hitl.ErrRoundOver when its round's was
// undone; *hitl.ClaimedError when the round is open, and somebody else has the review; hitl.ErrUnavailable when nothing stands in the way any more.
func (s *Store) standing(ctx context.Context, lost hitl.Decision) (hitl.Decision, error) {
	var d decisionColumns
	var round, now *int
	var claim claimColumns
	var open bool
	var until *time.Time
	err := s.pool.QueryRow(ctx, `
		SELECT r.round, r.state = 'open' AND r.round = $2, `+claimedByOther("$3", "$4")+`, r.claimed_team, r.claimed_user, r.claimed_until,
		    CASE WHEN d.round = r.round AND r.undo_until > now() THEN r.undo_until END,
		    d.round, d.status, d.label, d.reviewer_team, d.reviewer_user, d.reason, d.comment, d.at, d.context
		FROM hitl.reviews r LEFT JOIN hitl.decisions d ON d.review_id = r.id
		WHERE r.id = $1 ORDER BY d.round = $2 DESC NULLS LAST, d.round DESC LIMIT 1`,
		lost.ReviewID, lost.Round, lost.Reviewer.Team, lost.Reviewer.User,
	).Scan(&now, &open, &claim.others, &claim.by.Team, &claim.by.User, &claim.until,
		&until, &round, &d.status, &d.label, &d.team, &d.user, &d.reason, &d.comment, &d.at, &d.context)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return hitl.Decision{}, hitl.ErrNotFound
	case err != nil:
		return hitl.Decision{}, fmt.Errorf("read standing decision: %w", err)
	case lost.Round > 0 && lost.Round < *now:
		return hitl.Decision{}, hitl.ErrRoundOver
	case open && claim.others:
		return hitl.Decision{}, claim.taken()
	case open: // what was in the way a moment ago is not any more
		return hitl.Decision{}, hitl.ErrUnavailable
	case round == nil:
		return hitl.Decision{}, &hitl.InvalidError{Field: "round", Reason: fmt.Sprintf("%d is not the open one", lost.Round)}
	}
	dec, err := d.decision(lost.ReviewID, *round)
	dec.UndoUntil = orNever(until)
	return dec, err
}

// Due returns the ids of open reviews that expired before now, the oldest first, limit at most.
func (s *Store) Due(ctx context.Context, now time.Time, limit int) ([]string, error) {
	rows, err := s.pool.Query(ctx, `
		SELECT r.id FROM hitl.reviews r
		WHERE r.state = 'open' AND r.expires_at < $1 AND `+running+` ORDER BY r.expires_at, r.id LIMIT $2`, now, limit)
	if err != nil {
		return nil, fmt.Errorf("query due reviews: %w", err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("query due reviews: %w", err)
	}
	return ids, nil
}

// OpenReviews returns a queue's open reviews that have no posted card, by id, beginning after one ("" for the first), limit at most:
// what belongs in the queue's index. A card that is only intended does not count as posted. Of twins only the leading one is among them.
func (s *Store) OpenReviews(ctx context.Context, queue, after string, limit int) ([]hitl.Review, error) {
	rows, err := s.pool.Query(ctx, `
		SELECT r.item_id, `+reviewSelect+`
		FROM hitl.reviews r
		WHERE r.state = 'open' AND r.queue = $1 AND r.id > $2
		    AND NOT EXISTS (SELECT FROM hitl.cards c WHERE c.review_id = r.id AND c.state = 'posted')
		    AND `+leads+`
		ORDER BY r.id LIMIT $3`, queue, after, limit)
	if err != nil {
		return nil, fmt.Errorf("query open reviews: %w", err)
	}
	reviews, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (hitl.Review, error) {
		var itemID string
		var r reviewColumns
		if err := row.Scan(append([]any{&itemID}, r.dest()...)...); err != nil {
			return hitl.Review{}, err
		}
		return r.review(itemID), nil
	})
	if err != nil {
		return nil, fmt.Errorf("query open reviews: %w", err)
	}
	return reviews, nil
}
