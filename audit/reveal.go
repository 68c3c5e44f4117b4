package audit

import (
	"context"

	"hitl"
)

var _ hitl.Reveals = (*Store)(nil)

// Reveal commits a log entry that says who looked at what is hidden from Slack. Each call makes one. Errors: hitl.ErrNotFound,
// hitl.ErrUnavailable; after any but the first the entry may be there.
func (s *Store) Reveal(ctx context.Context, r hitl.Reveal) error {
	where, err := toJSON("reveal context", r.Context)
	if err != nil {
		return err
	}
	tag, err := s.pool.Exec(ctx, `
		INSERT INTO hitl.log (item_id, at, status, text_ref, ai_label, confidence, label, reviewer, model, policy, context)
		SELECT i.id, $2, $3, i.text_ref, i.ai_label, i.confidence, '', $4, coalesce(m.version, ''), i.policy,
		    json_build_object('source', i.source, 'review', r.id, 'round', $5::integer, 'queue', r.queue, 'where', $6::json)
		FROM hitl.reviews r JOIN hitl.items i ON i.id = r.item_id LEFT JOIN hitl.model_versions m ON m.id = i.model_id
		WHERE r.id = $1`,
		r.ReviewID, r.At, hitl.Revealed, r.Reviewer.String(), r.Round, where)
	if err != nil {
		return readError("record reveal", err)
	}
	if tag.RowsAffected() != 1 {
		return hitl.ErrNotFound
	}
	return nil
}
