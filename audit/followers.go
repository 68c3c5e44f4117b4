package audit

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"hitl"
)

var _ hitl.Followers = (*Store)(nil)

// followers are the reviews AS f that were decided with hitl.reviews AS l and have that decision still.
const followers = `hitl.reviews l
    JOIN hitl.decisions ld ON ld.review_id = l.id AND ld.round = l.round
    JOIN hitl.reviews f ON f.queue = l.queue AND f.twin = l.twin AND f.state = 'decided' AND f.id <> l.id
    JOIN hitl.decisions d ON d.review_id = f.id AND d.round = f.round AND d.at = ld.at AND d.context->>'` + hitl.DecidedWith + `' = l.id`

// Followers returns the records of the reviews that the decision of a review decided, too, and that have that decision still, the oldest first,
// limit at most. All of them have its time.
func (s *Store) Followers(ctx context.Context, reviewID string, limit int) ([]hitl.Record, error) {
	rows, err := s.pool.Query(ctx, recordSelect+`
		WHERE r.id = ANY (ARRAY(
		    SELECT f.id FROM `+followers+` WHERE l.id = $1 ORDER BY f.id LIMIT $2))
		ORDER BY r.id`, reviewID, limit)
	if err != nil {
		return nil, readError("query followers", err)
	}
	records, err := pgx.CollectRows(rows, scanRecord)
	if err != nil {
		return nil, readError("query followers", err)
	}
	return records, nil
}

// ReopenTogether is Reopen for a review and, in the same transaction, for those that were decided with it. Of these it leaves out what may not be
// taken back any more. When others than these were decided with it meanwhile, and they are fewer than hitl.MaxFollowers, it changes nothing and
// returns false.
func (s *Store) ReopenTogether(ctx context.Context, r hitl.Reopening, with []hitl.Reopening) (bool, error) {
	err := s.reopen(ctx, r, with, len(with) < hitl.MaxFollowers)
	if errors.Is(err, errMoreFollow) {
		return false, nil
	}
	return err == nil, err
}

var errMoreFollow = errors.New("more reviews were decided together by now")

// lockAll locks the reviews of reopenings, in the order of their ids, and if these are to be all, makes sure that they are: nothing is decided with
// a review while its lock is held.
func lockAll(ctx context.Context, tx pgx.Tx, r hitl.Reopening, with []hitl.Reopening, all bool) error {
	ids := []string{r.ReviewID}
	for _, f := range with {
		ids = append(ids, f.ReviewID)
	}
	if _, err := tx.Exec(ctx, `SELECT FROM hitl.reviews WHERE id = ANY ($1) ORDER BY id FOR NO KEY UPDATE`, ids); err != nil {
		return fmt.Errorf("lock reviews: %w", err)
	}
	if !all {
		return nil
	}
	var more bool
	err := tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM `+followers+` WHERE l.id = $1 AND f.id <> ALL ($2))`, r.ReviewID, ids).Scan(&more)
	if err != nil {
		return fmt.Errorf("look for more that follow: %w", err)
	}
	if more {
		return errMoreFollow
	}
	return nil
}

// reopenOne opens the next round of a review, in the transaction that holds its lock or is about to. Errors as Reopen's.
func (s *Store) reopenOne(ctx context.Context, tx pgx.Tx, r hitl.Reopening) (closedReview, error) {
	where, err := toJSON("reopening context", r.Context)
	if err != nil {
		return closedReview{}, err
	}
	c, err := lockClosed(ctx, tx, r)
	if err != nil {
		return c, err
	}
	return c, s.openRound(ctx, tx, c, r, where)
}

// reopenFollowers opens the next rounds of what was decided together with a review, as far as that may be.
func (s *Store) reopenFollowers(ctx context.Context, tx pgx.Tx, with []hitl.Reopening) (reopened []closedReview, err error) {
	for _, f := range with {
		c, err := s.reopenOne(ctx, tx, f)
		if _, refused := errors.AsType[*hitl.UndoError](err); refused {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("reopen review %s: %w", f.ReviewID, err)
		}
		reopened = append(reopened, c)
	}
	return reopened, nil
}
