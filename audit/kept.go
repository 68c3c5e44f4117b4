package audit

import (
	"context"
	"time"

	"hitl"
)

// Checked counts what people said, by chance alone, of items that some versions of a policy would have accepted.
type Checked struct {
	Answered int
	Wrong    int
}

// Checked returns the counts of the items that versions of a policy have routed since a time. Those that somebody still has to answer do not count yet. Error:
// hitl.ErrUnavailable when Postgres is out of reach.
func (s *Store) Checked(ctx context.Context, policies []string, since time.Time) (Checked, error) {
	var c Checked
	err := s.pool.QueryRow(ctx, `
		SELECT count(*), count(*) FILTER (WHERE d.label <> i.ai_label)
		FROM hitl.items i
		JOIN hitl.reviews r ON r.item_id = i.id
		JOIN hitl.decisions d ON d.review_id = r.id AND d.round = r.round AND d.status IN ('HUMAN_ACCEPTED', 'HUMAN_CORRECTED')
		WHERE i.received_at >= $2 AND i.status = 'HUMAN_REVIEW' AND i.policy = ANY($1) AND i.triggers = ARRAY[$3::text]
		    AND NOT EXISTS (SELECT FROM hitl.gold g WHERE g.item_id = i.id)`, policies, since, string(hitl.TriggerSample)).Scan(&c.Answered, &c.Wrong)
	if err != nil {
		return c, readError("count checked items", err)
	}
	return c, nil
}
