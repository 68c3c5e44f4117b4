package audit

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"hitl"
)

// workFilter selects the open reviews of a queue that a WorkQuery asks for: $1 queue, $2 label or ”, $3 least age in microseconds.
const workFilter = `
	FROM hitl.reviews r JOIN hitl.items i ON i.id = r.item_id
	WHERE r.state = 'open' AND r.queue = $1 AND i.erased_at IS NULL
	    AND ($2 = '' OR i.ai_label = $2 AND NOT r.blind) AND ($3::bigint = 0 OR r.opened_at <= now() - $3::bigint * interval '1 microsecond')`

// byUrgency is SQL for the place of a review's priority.
const byUrgency = `CASE r.priority WHEN 'urgent' THEN 0 WHEN 'normal' THEN 1 ELSE 2 END`

// listOrder is SQL for the places of reviews in a list. In a queue with an order, reviews of normal priority that are late come before the others, and the two
// parts of these are woven together by their shares: where one by one the turns are drawn, as for Next and for cards, the parts advance as fast.
func listOrder(o hitl.Ordering) string {
	if o.ByAge() {
		return byUrgency + `, r.id`
	}
	const ordered = `r.priority = 'normal' AND NOT `
	first := ordered + late(strconv.FormatBool(o.Reminds))
	share := func(p float64) string { return strconv.FormatFloat(p, 'g', -1, 64) + `::float8` }
	return byUrgency + `, (` + first + `), CASE WHEN ` + first + ` THEN
	    (row_number() OVER (PARTITION BY ` + first + `, r.teaches IS NULL ORDER BY r.teaches DESC, r.id) - 0.5)
	    / CASE WHEN r.teaches IS NULL THEN ` + share(o.Uniform) + ` ELSE ` + share(1-o.Uniform) + ` END END, r.id`
}

// Worklist returns one page of the reviews that wait in a queue. Reviews that are decided while somebody reads move the others forward.
// Error: hitl.ErrUnavailable when Postgres is out of reach.
func (s *Store) Worklist(ctx context.Context, q hitl.WorkQuery) (hitl.Worklist, error) {
	order := listOrder(q.Queued)
	if q.Order == hitl.NewestFirst {
		order = `r.id DESC`
	}
	size := max(q.Size, 1)
	var out hitl.Worklist
	err := pgx.BeginTxFunc(ctx, s.pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		filter := []any{q.Queue, q.AILabel, q.MinAge.Microseconds()}
		if err := tx.QueryRow(ctx, `SELECT count(*)`+workFilter, filter...).Scan(&out.Total); err != nil {
			return err
		}
		out.Page = min(max(q.Page, 0), max(out.Total-1, 0)/size)
		// The texts are fetched for the page alone.
		rows, err := tx.Query(ctx, `SELECT r.id`+workFilter+` ORDER BY `+order+` LIMIT $4 OFFSET $5`, append(filter, size, out.Page*size)...)
		if err != nil {
			return err
		}
		ids, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			return err
		}
		if rows, err = tx.Query(ctx, recordSelect+`WHERE r.id = ANY ($1)`, ids); err != nil {
			return err
		}
		if out.Rows, err = pgx.CollectRows(rows, scanRecord); err != nil {
			return err
		}
		slices.SortFunc(out.Rows, func(a, b hitl.Record) int { return slices.Index(ids, a.Review.ID) - slices.Index(ids, b.Review.ID) })
		return nil
	})
	if err != nil {
		return hitl.Worklist{}, readError("query worklist", err)
	}
	return out, nil
}

// maxOpenLabels is how many labels OpenLabels returns.
const maxOpenLabels = 100

// OpenLabels returns the model's labels of a queue's open reviews that are not blind, the most frequent first, 100 at most. Error as
// Worklist's.
func (s *Store) OpenLabels(ctx context.Context, queue string) ([]string, error) {
	rows, err := s.pool.Query(ctx, `
		SELECT i.ai_label FROM hitl.reviews r JOIN hitl.items i ON i.id = r.item_id
		WHERE r.state = 'open' AND r.queue = $1 AND NOT r.blind AND i.ai_label <> ''
		GROUP BY i.ai_label ORDER BY count(*) DESC, i.ai_label COLLATE "C" LIMIT $2`, queue, maxOpenLabels)
	if err != nil {
		return nil, readError("query labels", err)
	}
	labels, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, readError("query labels", err)
	}
	return labels, nil
}

// Claims returns the open reviews that a person has claimed, the claim that ends first at the front, limit at most. Error as Worklist's.
func (s *Store) Claims(ctx context.Context, who hitl.Reviewer, limit int) ([]hitl.Record, error) {
	rows, err := s.pool.Query(ctx, recordSelect+`
		WHERE r.state = 'open' AND r.claimed_user = $1 AND r.claimed_team = $2 AND r.claimed_until > now() AND i.erased_at IS NULL
		ORDER BY r.claimed_until, r.id LIMIT $3`, who.User, who.Team, limit)
	if err != nil {
		return nil, readError("query claims", err)
	}
	out, err := pgx.CollectRows(rows, scanRecord)
	if err != nil {
		return nil, readError("query claims", err)
	}
	return out, nil
}

// Waits returns what waits in some queues, in their order. Error as Worklist's.
func (s *Store) Waits(ctx context.Context, queues []string) ([]hitl.QueueWait, error) {
	rows, err := s.pool.Query(ctx, `
		SELECT q.name, count(r.id), coalesce(extract(epoch FROM now() - min(r.opened_at)), 0)::float8
		FROM unnest($1::text[]) WITH ORDINALITY AS q (name, place) LEFT JOIN hitl.reviews r ON r.queue = q.name AND r.state = 'open'
		GROUP BY q.name, q.place ORDER BY q.place`, queues)
	if err != nil {
		return nil, readError("query waits", err)
	}
	out, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (hitl.QueueWait, error) {
		var w hitl.QueueWait
		var age float64
		err := row.Scan(&w.Queue, &w.Open, &age)
		w.OldestAge = max(seconds(age), 0)
		return w, err
	})
	if err != nil {
		return nil, readError("query waits", err)
	}
	return out, nil
}

// maxUndo bounds how far back a batch is looked for that can be taken back.
const maxUndo = 24 * time.Hour

// Batches returns what a person decided in batches and can still take back, the latest first. Error as Worklist's.
func (s *Store) Batches(ctx context.Context, who hitl.Reviewer) ([]hitl.Batch, error) {
	rows, err := s.pool.Query(ctx, `
		SELECT d.context->>'batch', d.queue, d.label, min(r.undo_until), array_agg(r.id ORDER BY r.id), array_agg(r.round ORDER BY r.id)
		FROM hitl.decisions d JOIN hitl.reviews r ON r.id = d.review_id AND r.round = d.round
		WHERE d.at > now() - $3::bigint * interval '1 microsecond' AND d.reviewer_user = $1 AND d.reviewer_team = $2
		    AND d.context->>'batch' <> '' AND r.state = 'decided' AND r.undo_until > now()
		GROUP BY 1, 2, 3 ORDER BY max(d.at) DESC, 1`, who.User, who.Team, maxUndo.Microseconds())
	if err != nil {
		return nil, readError("query batches", err)
	}
	out, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (hitl.Batch, error) {
		var b hitl.Batch
		var ids []string
		var rounds []int
		if err := row.Scan(&b.ID, &b.Queue, &b.Label, &b.Until, &ids, &rounds); err != nil {
			return b, err
		}
		if len(ids) != len(rounds) {
			return b, fmt.Errorf("batch %s: %d reviews and %d rounds", b.ID, len(ids), len(rounds))
		}
		b.Until = b.Until.UTC()
		for i, id := range ids {
			b.Reviews = append(b.Reviews, hitl.BatchReview{ID: id, Round: rounds[i]})
		}
		return b, nil
	})
	if err != nil {
		return nil, readError("query batches", err)
	}
	return out, nil
}
