package audit

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/jackc/pgx/v5"

	"hitl"
)

// precedentsSelect finds what people decided on other items of the queue of review $1, before it had its decision: on its twins, $2 at most, and
// on any, $3 at most.
var precedentsSelect = `
WITH me AS (
    SELECT r.id, r.item_id, r.queue, r.twin, coalesce(d.at, 'infinity') AS before
    FROM hitl.reviews r LEFT JOIN hitl.decisions d ON d.review_id = r.id AND d.round = r.round WHERE r.id = $1
), near AS (
    SELECT r.id, r.round FROM hitl.reviews r JOIN me ON r.queue = me.queue AND r.twin = me.twin AND r.id <> me.id AND r.closed_at < me.before
    WHERE r.state = 'decided' ORDER BY r.closed_at DESC LIMIT $2
), late AS (
    SELECT d.review_id AS id, d.round FROM hitl.decisions d JOIN me ON d.queue = me.queue AND d.review_id <> me.id AND d.at < me.before
    WHERE d.status IN ('HUMAN_ACCEPTED', 'HUMAN_CORRECTED') AND NOT d.gold ORDER BY d.at DESC LIMIT $3
)
SELECT r.id, r.round, left(x.text, ` + fmt.Sprint(hitl.MaxPrecedentChars) + `), length(x.text), d.ai_label, i.scores, coalesce(r.twin = me.twin, false),
    d.status, d.label, d.reviewer_team, d.reviewer_user, d.reason, d.comment, d.at, d.context
FROM (SELECT id, round FROM near UNION SELECT id, round FROM late) AS p
JOIN me ON true
JOIN hitl.reviews r ON r.id = p.id AND r.round = p.round AND r.state = 'decided'
JOIN hitl.decisions d ON d.review_id = r.id AND d.round = r.round
JOIN hitl.items i ON i.id = r.item_id
JOIN hitl.item_texts x ON x.item_id = r.item_id
WHERE NOT d.gold AND NOT EXISTS (SELECT FROM hitl.gold g WHERE g.item_id = me.item_id AND g.from_item = r.item_id)
ORDER BY d.at DESC, r.id`

// Precedents returns what people decided on other items of a review's queue before it was decided, the newest first: on its twins, near at most, and
// lately, late at most. What was erased or taken back is not among them. Error: hitl.ErrUnavailable.
func (s *Store) Precedents(ctx context.Context, reviewID string, near, late int) ([]hitl.Precedent, error) {
	rows, err := s.pool.Query(ctx, precedentsSelect, reviewID, near, late)
	if err != nil {
		return nil, readError("query precedents", err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (hitl.Precedent, error) {
		var p hitl.Precedent
		var round int
		var d decisionColumns
		var scores []byte
		err := row.Scan(&p.ReviewID, &round, &p.Text, &p.Length, &p.AILabel, &scores, &p.Twin,
			&d.status, &d.label, &d.team, &d.user, &d.reason, &d.comment, &d.at, &d.context)
		if err != nil {
			return p, err
		}
		if err := json.Unmarshal(scores, &p.Scores); err != nil {
			return p, fmt.Errorf("read scores of %s: %w", p.ReviewID, err)
		}
		p.Decision, err = d.decision(p.ReviewID, round)
		return p, err
	})
	if err != nil {
		return nil, readError("query precedents", err)
	}
	return list, nil
}
