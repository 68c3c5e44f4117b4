package audit

import (
	"context"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"hitl"
)

var _ hitl.Skips = (*Store)(nil)

// Skip implements hitl.Skips.
func (s *Store) Skip(ctx context.Context, v hitl.Verdict, at time.Time) (raised bool, err error) {
	where, err := toJSON("skip context", v.Context)
	if err != nil {
		return false, err
	}
	err = s.change(ctx, v.ReviewID, v.Round, func(tx pgx.Tx) error {
		raised = false
		h, err := s.handle(ctx, tx, v.ReviewID, v.Round, v.Reviewer)
		if err != nil {
			return err
		}
		if h.claim.others {
			return h.claim.taken()
		}
		fresh, err := insertSkip(ctx, tx, v, at, where)
		if err != nil || !fresh {
			return err
		}
		if err := logSkip(ctx, tx, h, v, at); err != nil {
			return err
		}
		if raised, err = s.raise(ctx, tx, h, v); err != nil {
			return err
		}
		if h.claim.holds {
			err = endClaim(ctx, tx, v.ReviewID)
		}
		if err != nil || (!h.claim.holds && !raised) {
			return err
		}
		return s.refreshIf(ctx, tx, true, v.ReviewID)
	})
	if err != nil {
		return false, fmt.Errorf("skip review: %w", err)
	}
	return raised, nil
}

// insertSkip returns whether the skip is new. Error: *hitl.InvalidError when the reviewer has said something else.
func insertSkip(ctx context.Context, tx pgx.Tx, v hitl.Verdict, at time.Time, where string) (bool, error) {
	tag, err := tx.Exec(ctx, `
		INSERT INTO hitl.verdicts (review_id, round, reviewer_team, reviewer_user, kind, label, reason, comment, at, context)
		VALUES ($1, $2, $3, $4, $5, '', $6, $7, $8, $9::json) ON CONFLICT (review_id, round, reviewer_team, reviewer_user) DO NOTHING`,
		v.ReviewID, v.Round, v.Reviewer.Team, v.Reviewer.User, hitl.Skip, v.Reason, v.Comment, at, where)
	if err != nil {
		return false, fmt.Errorf("insert skip: %w", err)
	}
	if tag.RowsAffected() == 1 {
		return true, nil
	}
	var kind hitl.VerdictKind
	err = tx.QueryRow(ctx, `
		SELECT kind FROM hitl.verdicts WHERE review_id = $1 AND round = $2 AND reviewer_team = $3 AND reviewer_user = $4`,
		v.ReviewID, v.Round, v.Reviewer.Team, v.Reviewer.User).Scan(&kind)
	if err != nil {
		return false, fmt.Errorf("read verdict: %w", err)
	}
	if kind != hitl.Skip {
		return false, &hitl.InvalidError{Field: "verdict", Reason: "was given before"}
	}
	return false, nil
}

func logSkip(ctx context.Context, tx pgx.Tx, h handled, v hitl.Verdict, at time.Time) error {
	c := map[string]any{"source": h.source, "review": v.ReviewID, "round": v.Round, "queue": h.queue, "reason": v.Reason}
	if v.Comment != "" && len(h.secret) > 0 {
		c["comment_ref"] = commitmentPrefix + hex.EncodeToString(commitSkip(h.secret, v))
	}
	if len(v.Context) > 0 {
		c["where"] = v.Context
	}
	entry, err := toJSON("log context", c)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `
		INSERT INTO hitl.log (item_id, at, status, text_ref, ai_label, confidence, label, reviewer, model, policy, context)
		SELECT i.id, $2, $3, i.text_ref, i.ai_label, i.confidence, '', $4, coalesce(m.version, ''), i.policy, $5::json
		FROM hitl.items i LEFT JOIN hitl.model_versions m ON m.id = i.model_id WHERE i.id = $1`,
		h.itemID, at, hitl.SkippedByOne, v.Reviewer.String(), entry)
	if err != nil {
		return fmt.Errorf("log skip: %w", err)
	}
	return nil
}

// commitSkip returns the log's reference to a skip's comment, as commitComment does.
func commitSkip(secret []byte, v hitl.Verdict) []byte {
	return commit(secret, fmt.Sprintf("skip\x00%s\x00%d\x00%s\x00%s", v.ReviewID, v.Round, v.Reviewer, v.Comment))
}

// raise makes a review urgent, and has its queue's owners told, when enough people have skipped it; true: it was not urgent before.
func (s *Store) raise(ctx context.Context, tx pgx.Tx, h handled, v hitl.Verdict) (bool, error) {
	rows, err := tx.Query(ctx, `SELECT reason FROM hitl.verdicts WHERE review_id = $1 AND round = $2 AND kind = $3 ORDER BY at, reviewer_user`,
		v.ReviewID, v.Round, hitl.Skip)
	if err != nil {
		return false, fmt.Errorf("read skips: %w", err)
	}
	reasons, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return false, fmt.Errorf("read skips: %w", err)
	}
	if len(reasons) != hitl.SkipsToRaise { // the review is locked: nobody counts the same
		return false, nil
	}
	err = s.insertNotices(ctx, tx, hitl.Notice{
		Kind: hitl.NoticeSkipped, Queue: h.queue, ReviewID: v.ReviewID, Data: map[string]string{"reasons": strings.Join(reasons, "\n")},
	})
	if err != nil || h.priority == hitl.PriorityUrgent {
		return false, err
	}
	if _, err := tx.Exec(ctx, `UPDATE hitl.reviews SET priority = $2, version = version + 1 WHERE id = $1`, v.ReviewID, hitl.PriorityUrgent); err != nil {
		return false, fmt.Errorf("raise priority: %w", err)
	}
	return true, nil
}
