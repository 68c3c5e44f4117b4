package audit

import (
	"context"

	"github.com/jackc/pgx/v5"

	"hitl"
)

// ReviewerPattern is how one reviewer decided on one queue.
type ReviewerPattern struct {
	Queue     string
	Reviewer  hitl.Reviewer
	Judged    int // decisions on items whose answer nobody knew before, and of which the reviewer was shown the model's label
	Corrected int // of those, the ones that gave another
	Known     int // decisions on items whose answer was known
	Missed    int // of those, the ones that did not give it
	Gaps      int // decisions that followed another of theirs in the period, in any queue, not in one batch with it
	MedianGap float64
}

// ReviewerPatterns returns how each reviewer decided on each queue in the period [Since, Until), by queue and reviewer. MedianGap is in seconds, 0 without
// gaps. Errors: hitl.ErrUnavailable when Postgres is out of reach.
func (s *Store) ReviewerPatterns(ctx context.Context, q hitl.StatsQuery) ([]ReviewerPattern, error) {
	rows, err := s.pool.Query(ctx, acts+`
		SELECT d.queue, team, person, count(*) FILTER (WHERE NOT gold AND NOT blind AND ai_label <> ''),
		    count(*) FILTER (WHERE NOT gold AND NOT blind AND ai_label <> '' AND status = 'HUMAN_CORRECTED'),
		    count(g.item_id), count(*) FILTER (WHERE d.label <> g.label),
		    count(gap), coalesce(percentile_cont(0.5) WITHIN GROUP (ORDER BY gap), 0)
		FROM d`+known+`
		WHERE $3 = '' OR d.queue = $3
		GROUP BY d.queue, team, person ORDER BY d.queue, team, person`, q.Since, q.Until, q.Queue)
	if err != nil {
		return nil, readError("query reviewers", err)
	}
	out, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (r ReviewerPattern, err error) {
		err = row.Scan(&r.Queue, &r.Reviewer.Team, &r.Reviewer.User, &r.Judged, &r.Corrected, &r.Known, &r.Missed, &r.Gaps, &r.MedianGap)
		return r, err
	})
	if err != nil {
		return nil, readError("query reviewers", err)
	}
	return out, nil
}
