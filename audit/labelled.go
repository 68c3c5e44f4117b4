package audit

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"hitl"
)

// labelledSelect reads items with the decision of their latest round. An answer is a person's: what a clock gave (EXPIRED) is none, and known answers
// measure reviewers, not the model.
const labelledSelect = `
	SELECT i.id, i.source, i.received_at, coalesce(m.version, ''), i.calibration, i.stage, i.ai_label, i.confidence, i.scores, i.tokens, i.triggers, i.queue, i.policy,
	    i.threshold, i.inclusion, i.status = 'HUMAN_REVIEW', coalesce(r.state = 'open', false), coalesce(d.label, ''), d.at,
	    CASE WHEN $6 THEN coalesce((SELECT x.text FROM hitl.item_texts x WHERE x.item_id = i.id), '') ELSE '' END
	FROM hitl.items i
	LEFT JOIN hitl.model_versions m ON m.id = i.model_id
	LEFT JOIN hitl.reviews r ON r.item_id = i.id
	LEFT JOIN hitl.decisions d ON d.review_id = r.id AND d.round = r.round AND d.status IN ('HUMAN_ACCEPTED', 'HUMAN_CORRECTED')
	WHERE ($1::timestamptz IS NULL OR i.received_at >= $1) AND ($2::timestamptz IS NULL OR i.received_at < $2)
	    AND ($3 = '' OR m.classifier = $3) AND ($4 = '' OR m.version = $4) AND (cardinality($5::text[]) = 0 OR i.policy = ANY ($5))
	    AND NOT EXISTS (SELECT FROM hitl.gold g WHERE g.item_id = i.id) AND (NOT $6 OR $7 OR d.at IS NOT NULL)
	ORDER BY i.received_at, i.id`

// Labelled calls each with every item that a query asks for, oldest first, from one snapshot of the database, and stops at its error. It holds a
// connection meanwhile. Errors: each's own, hitl.ErrUnavailable when Postgres is out of reach.
func (s *Store) Labelled(ctx context.Context, q hitl.LabelledQuery, each func(hitl.Labelled) error) error {
	return s.snapshot(ctx, func(tx pgx.Tx) error {
		policies := q.Policies
		if policies == nil {
			policies = []string{}
		}
		rows, err := tx.Query(ctx, labelledSelect, optionalTime(q.Since), optionalTime(q.Until), q.Classifier, q.Model, policies, q.Texts, q.Unanswered)
		if err != nil {
			return readError("query labelled items", err)
		}
		defer rows.Close()
		for rows.Next() {
			l, err := scanLabelled(rows)
			if err != nil {
				return err
			}
			if err := each(l); err != nil {
				return err
			}
		}
		if err := rows.Err(); err != nil {
			return readError("read labelled items", err)
		}
		return nil
	})
}

func scanLabelled(rows pgx.Rows) (hitl.Labelled, error) {
	var l hitl.Labelled
	var scores []byte
	var decided *time.Time
	err := rows.Scan(&l.ItemID, &l.Source, &l.ReceivedAt, &l.Model, &l.Calibration, &l.Stage, &l.AILabel, &l.Confidence, &scores, &l.Tokens, &l.Triggers, &l.Queue,
		&l.Policy, &l.Threshold, &l.Inclusion, &l.Reviewed, &l.Open, &l.Label, &decided, &l.Text)
	if err != nil {
		return l, fmt.Errorf("read labelled item: %w", err)
	}
	if err := json.Unmarshal(scores, &l.Scores); err != nil {
		return l, fmt.Errorf("read scores of %s: %w", l.ItemID, err)
	}
	l.ReceivedAt = l.ReceivedAt.UTC()
	if decided != nil {
		l.DecidedAt = decided.UTC()
	}
	return l, nil
}
