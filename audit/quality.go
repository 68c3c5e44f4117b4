package audit

import (
	"context"

	"github.com/jackc/pgx/v5"

	"hitl"
)

// Against counts how people's decisions compare with what the model said.
type Against struct {
	Decisions      int
	Corrected      int
	MedianToDecide float64 // from opened to decided, in seconds; 0: no decisions
}

// Anchoring is how one queue's decisions compare with what the model said: of those who had been shown it, and of those who had not.
type Anchoring struct {
	Queue string
	Shown Against
	Blind Against
}

// byOne selects people's single decisions that stand and were made in the period [$1, $2): no panel's, none of a clock, none that was taken back.
// Decisions on twins, which follow one of theirs, are no acts of their own.
const byOne = `FROM hitl.decisions d JOIN hitl.reviews r ON r.id = d.review_id AND r.round = d.round
    WHERE d.at >= $1 AND d.at < $2 AND d.status IN ('HUMAN_ACCEPTED', 'HUMAN_CORRECTED') AND r.panel = 1
        AND d.context->>'` + hitl.DecidedWith + `' IS NULL`

// Anchoring returns the figures of the period [Since, Until) queue by queue, of queues without decisions none. Only first rounds count, since no later one
// can be blind, and only items that the model gave a label. Errors: hitl.ErrUnavailable when Postgres is out of reach.
func (s *Store) Anchoring(ctx context.Context, q hitl.StatsQuery) ([]Anchoring, error) {
	rows, err := s.pool.Query(ctx, `
		WITH d AS (
		    SELECT d.queue, d.blind, d.status = 'HUMAN_CORRECTED' AS corrected, extract(epoch FROM d.at - d.opened_at)::float8 AS took `+byOne+`
		        AND d.round = 1 AND d.ai_label <> '' AND NOT d.gold AND ($3 = '' OR d.queue = $3))
		SELECT queue,
		    count(*) FILTER (WHERE NOT blind), count(*) FILTER (WHERE NOT blind AND corrected),
		    coalesce(percentile_cont(0.5) WITHIN GROUP (ORDER BY took) FILTER (WHERE NOT blind), 0),
		    count(*) FILTER (WHERE blind), count(*) FILTER (WHERE blind AND corrected),
		    coalesce(percentile_cont(0.5) WITHIN GROUP (ORDER BY took) FILTER (WHERE blind), 0)
		FROM d GROUP BY queue ORDER BY queue`, q.Since, q.Until, q.Queue)
	if err != nil {
		return nil, readError("query anchoring", err)
	}
	out, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (a Anchoring, err error) {
		err = row.Scan(&a.Queue, &a.Shown.Decisions, &a.Shown.Corrected, &a.Shown.MedianToDecide,
			&a.Blind.Decisions, &a.Blind.Corrected, &a.Blind.MedianToDecide)
		return a, err
	})
	if err != nil {
		return nil, readError("query anchoring", err)
	}
	return out, nil
}

// acts selects people's decisions of the period [$1, $2), each with the seconds since the one before it, whichever queue that was of. What is decided
// at one go has one such time.
const acts = `
	WITH d AS (
	    SELECT d.item_id, d.queue, d.at, d.ai_label, d.label, d.status, d.gold, d.blind, d.reviewer_team AS team, d.reviewer_user AS person,
	        CASE WHEN d.context->>'batch' = lag(d.context->>'batch') OVER acts THEN NULL
	            ELSE extract(epoch FROM d.at - lag(d.at) OVER acts)::float8 END AS gap ` + byOne + `
	    WINDOW acts AS (PARTITION BY d.reviewer_team, d.reviewer_user ORDER BY d.at, d.review_id)
	), told AS MATERIALIZED (
	    SELECT queue, recipient, max((data->>'until')::timestamptz) AS until FROM hitl.notices
	    WHERE kind = 'gold_private' AND state = 'posted' GROUP BY queue, recipient)`

// known finds the known answer to a decision of acts, once the person was told how they did.
const known = ` LEFT JOIN told ON told.queue = d.queue AND told.recipient = d.person
		LEFT JOIN hitl.gold g ON g.item_id = d.item_id AND d.gold AND d.at < told.until `

// ReviewerQuality is what one reviewer's decisions say of how they review.
type ReviewerQuality struct {
	Reviewer  hitl.Reviewer
	Decisions int // on items whose answer nobody knew before
	Judged    int // of those, the ones on items that the model gave a label
	Corrected int // of those, the ones that gave another
	Gold      int // decisions on items whose answer was known, as far as the person was told
	GoldRight int // of those, the ones that gave it
	Gaps      int // decisions that followed another of theirs in the period, not in one batch with it
	Quick     int // of those, the ones less than 2 s after it
	MedianGap float64
}

// ReviewerQuality returns the figures of the period [Since, Until), most decisions first. With a queue, decisions are that queue's alone; what a decision
// followed may have been in any. MedianGap is in seconds, 0 without gaps. Errors: hitl.ErrUnavailable when Postgres is out of reach.
func (s *Store) ReviewerQuality(ctx context.Context, q hitl.StatsQuery) ([]ReviewerQuality, error) {
	rows, err := s.pool.Query(ctx, acts+`
		SELECT team, person, count(*) FILTER (WHERE NOT gold), count(*) FILTER (WHERE NOT gold AND ai_label <> ''),
		    count(*) FILTER (WHERE NOT gold AND ai_label <> '' AND status = 'HUMAN_CORRECTED'),
		    count(g.item_id), count(*) FILTER (WHERE d.label = g.label),
		    count(gap), count(*) FILTER (WHERE gap < 2), coalesce(percentile_cont(0.5) WITHIN GROUP (ORDER BY gap), 0)
		FROM d`+known+`
		WHERE $3 = '' OR d.queue = $3
		GROUP BY team, person ORDER BY count(*) DESC, team, person`, q.Since, q.Until, q.Queue)
	if err != nil {
		return nil, readError("query reviewers", err)
	}
	out, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (r ReviewerQuality, err error) {
		err = row.Scan(&r.Reviewer.Team, &r.Reviewer.User, &r.Decisions, &r.Judged, &r.Corrected, &r.Gold, &r.GoldRight, &r.Gaps, &r.Quick, &r.MedianGap)
		return r, err
	})
	if err != nil {
		return nil, readError("query reviewers", err)
	}
	return out, nil
}
