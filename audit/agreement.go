package audit

import (
	"context"
	"fmt"
	"iter"

	"github.com/jackc/pgx/v5"

	"hitl"
)

// PanelVoice is one verdict of a panel, for statistics.
type PanelVoice struct {
	Queue    string
	Round    string // the review and its round
	Reviewer string
	Label    string
}

// PanelVoices goes through the verdicts of the panels whose rounds ended in the period [Since, Until), queue by queue and round by round; those of
// open rounds stay unseen. The second value ends the sequence with an error: hitl.ErrUnavailable when Postgres is out of reach.
func (s *Store) PanelVoices(ctx context.Context, q hitl.StatsQuery) iter.Seq2[PanelVoice, error] {
	return func(yield func(PanelVoice, error) bool) {
		rows, err := s.pool.Query(ctx, `
			SELECT d.queue, d.review_id || '/' || d.round, concat_ws('/', nullif(v.reviewer_team, ''), v.reviewer_user), v.label
			FROM hitl.decisions d JOIN hitl.verdicts v ON v.review_id = d.review_id AND v.round = d.round
			WHERE d.at >= $1 AND d.at < $2 AND ($3 = '' OR d.queue = $3) AND v.kind <> 'skipped' AND NOT d.gold
			    AND EXISTS (SELECT FROM hitl.reviews r WHERE r.id = d.review_id AND r.panel > 1)
			ORDER BY d.queue, d.review_id, d.round, v.at`, q.Since, q.Until, q.Queue)
		if err != nil {
			yield(PanelVoice{}, readError("query verdicts", err))
			return
		}
		defer rows.Close()
		for rows.Next() {
			v, err := pgx.RowToStructByPos[PanelVoice](rows)
			if err != nil {
				yield(v, fmt.Errorf("read verdict: %w", err))
				return
			}
			if !yield(v, nil) {
				return
			}
		}
		if err := rows.Err(); err != nil {
			yield(PanelVoice{}, readError("query verdicts", err))
		}
	}
}
