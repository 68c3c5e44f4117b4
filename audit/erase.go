package audit

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"hitl"
)

// erasableWhere is the condition on hitl.items AS i for what an erasure means and what is not erased yet, and the order to go through it,
// each case by an index.
func erasableWhere(e hitl.Erasure) (where, order string, args []any) {
	conditions, order := []string{"i.erased_at IS NULL"}, " ORDER BY i.id"
	add := func(condition string, arg any) {
		args = append(args, arg)
		conditions = append(conditions, fmt.Sprintf(condition, len(args)))
	}
	if len(e.Items) > 0 {
		add("i.id = ANY(ARRAY(SELECT unnest($%[1]d::text[]) UNION SELECT g.item_id FROM hitl.gold g WHERE g.from_item <> '' AND g.from_item = ANY($%[1]d)))", e.Items)
	}
	if e.Subject != "" {
		add("i.subject = $%d AND i.subject <> ''", e.Subject)
	}
	if e.Source != "" {
		add("i.source = $%d", e.Source)
	}
	if !e.Before.IsZero() {
		add("i.received_at < $%d", e.Before)
		order = " ORDER BY i.received_at"
	}
	if len(args) == 0 {
		conditions = append(conditions, "false") // nobody can mean everything
	}
	return strings.Join(conditions, " AND "), order, args
}

// Erasable returns items that an erasure means and that are not erased yet, limit at most: of a source the oldest first.
func (s *Store) Erasable(ctx context.Context, e hitl.Erasure, limit int) ([]hitl.Erasable, error) {
	where, order, args := erasableWhere(e)
	rows, err := s.pool.Query(ctx, `
		SELECT i.id, coalesce(r.id, '') FROM hitl.items i LEFT JOIN hitl.reviews r ON r.item_id = i.id AND r.state = 'open'
		WHERE `+where+order+fmt.Sprintf(" LIMIT $%d", len(args)+1), append(args, limit)...)
	if err != nil {
		return nil, fmt.Errorf("query items to erase: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[hitl.Erasable])
	if err != nil {
		return nil, fmt.Errorf("query items to erase: %w", err)
	}
	return list, nil
}

// ErasableCount is how much an erasure would erase now.
type ErasableCount struct {
	Items       int // not erased yet
	OpenReviews int // of those, that would be cancelled
	Cards       int // in Slack, that would be redrawn
}

// CountErasable counts what an erasure means.
func (s *Store) CountErasable(ctx context.Context, e hitl.Erasure) (ErasableCount, error) {
	where, _, args := erasableWhere(e)
	var c ErasableCount
	err := s.pool.QueryRow(ctx, `
		SELECT count(*), count(*) FILTER (WHERE r.state = 'open'), count(c.id)
		FROM hitl.items i LEFT JOIN hitl.reviews r ON r.item_id = i.id LEFT JOIN hitl.cards c ON c.review_id = r.id AND c.state = 'posted'
		WHERE `+where, args...).Scan(&c.Items, &c.OpenReviews, &c.Cards)
	if err != nil {
		return c, fmt.Errorf("count items to erase: %w", err)
	}
	return c, nil
}

// Erase erases items, with a log entry for each and the refreshes of the cards that show them, in one transaction, and returns how many. It
// leaves alone what was erased before and what has an open review. After an error the outcome is unknown; erasing the same again is safe.
//
// The service may not delete or change any of this itself: hitl.erase, a function of the schema's owner, does it, and cannot do it without the
// entries.
func (s *Store) Erase(ctx context.Context, itemIDs []string, at time.Time, by, reason string) (int, error) {
	erased := 0
	try := func() error {
		return pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
			rows, err := tx.Query(ctx, `SELECT shown_review FROM hitl.erase($1, $2, $3, $4)`, itemIDs, at, by, reason)
			if err != nil {
				return fmt.Errorf("call hitl.erase: %w", err)
			}
			shown, err := pgx.CollectRows(rows, pgx.RowTo[string])
			if err != nil {
				return fmt.Errorf("call hitl.erase: %w", err)
			}
			erased = len(shown)
			return s.refreshErased(ctx, tx, shown, at)
		})
	}
	err := try()
	if isRollback(err) {
		err = try()
	}
	if err != nil {
		return 0, fmt.Errorf("erase items: %w", err)
	}
	return erased, nil
}

const (
	// freshlyClosed is how long ago a review may have been closed for somebody to be drawing its card still, from what they read before.
	freshlyClosed = 10 * time.Minute
	// lateDrawing is how long that may take.
	lateDrawing = time.Minute
)

// refreshErased inserts the refreshes of cards that show erased texts; empty ids stand for none. Where the click that closed the review may be
// on its way to the card, with the text, a second refresh follows it.
func (s *Store) refreshErased(ctx context.Context, tx pgx.Tx, reviewIDs []string, at time.Time) error {
	rows, err := tx.Query(ctx, `SELECT id, closed_at > $2 FROM hitl.reviews WHERE id = ANY($1)`, reviewIDs, at.Add(-freshlyClosed))
	if err != nil {
		return fmt.Errorf("query shown reviews: %w", err)
	}
	var jobs []river.InsertManyParams
	var id string
	var fresh *bool
	if _, err := pgx.ForEachRow(rows, []any{&id, &fresh}, func() error {
		jobs = append(jobs, refreshNow(id))
		if fresh == nil || *fresh {
			jobs = append(jobs, refreshAt(id, s.cfg.Now().Add(lateDrawing)))
		}
		return nil
	}); err != nil {
		return fmt.Errorf("query shown reviews: %w", err)
	}
	return s.insertJobs(ctx, tx, jobs...)
}
