package audit

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"hitl"
)

var _ hitl.Claims = (*Store)(nil)

// claimedByOther is the condition that somebody else than a reviewer, whose team and user two parameters give, has claimed hitl.reviews AS r.
func claimedByOther(team, user string) string {
	return `(r.claimed_user <> '' AND coalesce(r.claimed_until > now(), false) AND (r.claimed_team, r.claimed_user) <> (` + team + `, ` + user + `))`
}

// claimColumns are who has claimed a review.
type claimColumns struct {
	by     hitl.Reviewer
	until  *time.Time
	holds  bool // the claim has not ended
	others bool // and it is not the asking person's
}

func (c claimColumns) taken() error { return &hitl.ClaimedError{By: c.by, Until: orNever(c.until)} }

// handled is a review that somebody is about to do something with, locked.
type handled struct {
	itemID, source, queue string
	priority              hitl.Priority
	claim                 claimColumns
	secret                []byte // the item's erasable key
}

// handle locks a review's open round for somebody. Errors: hitl.ErrNotFound; *hitl.AlreadyDecidedError or *hitl.InvalidError when the round is
// not open.
func (s *Store) handle(ctx context.Context, tx pgx.Tx, reviewID string, round int, who hitl.Reviewer) (handled, error) {
	var h handled
	var open bool
	err := tx.QueryRow(ctx, `
		SELECT r.item_id, i.source, r.queue, r.priority, r.state = 'open' AND r.round = $2 AND i.erased_at IS NULL,
		    r.claimed_team, r.claimed_user, r.claimed_until, r.claimed_user <> '' AND coalesce(r.claimed_until > now(), false),
		    `+claimedByOther("$3", "$4")+`, x.key
		FROM hitl.reviews r JOIN hitl.items i ON i.id = r.item_id LEFT JOIN hitl.item_texts x ON x.item_id = r.item_id
		WHERE r.id = $1 FOR NO KEY UPDATE OF r`, reviewID, round, who.Team, who.User,
	).Scan(&h.itemID, &h.source, &h.queue, &h.priority, &open, &h.claim.by.Team, &h.claim.by.User, &h.claim.until, &h.claim.holds, &h.claim.others, &h.secret)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return h, hitl.ErrNotFound
	case err != nil:
		return h, fmt.Errorf("lock review: %w", err)
	case !open:
		return h, errRoundClosed
	}
	return h, nil
}

// errRoundClosed ends a transaction whose round is not open; closedBy says what closed it.
var errRoundClosed = errors.New("round is not open")

// closedBy puts what stands in place of errRoundClosed.
func (s *Store) closedBy(ctx context.Context, err error, reviewID string, round int) error {
	if !errors.Is(err, errRoundClosed) {
		return err
	}
	standing, err := s.standing(ctx, hitl.Decision{ReviewID: reviewID, Round: round})
	if err != nil {
		return err
	}
	return &hitl.AlreadyDecidedError{Decision: standing}
}

// change runs a transaction on a review's round, once more if Postgres rolled it back for others' sake.
func (s *Store) change(ctx context.Context, reviewID string, round int, do func(pgx.Tx) error) error {
	try := func() error { return pgx.BeginFunc(ctx, s.pool, do) }
	err := try()
	if isRollback(err) {
		err = try()
	}
	return s.closedBy(ctx, err, reviewID, round)
}

// Claim implements hitl.Claims.
func (s *Store) Claim(ctx context.Context, c hitl.Claim) error {
	return s.change(ctx, c.ReviewID, c.Round, func(tx pgx.Tx) error {
		who, given := c.By, c.Giver.User != ""
		if given {
			who = c.Giver
		}
		h, err := s.handle(ctx, tx, c.ReviewID, c.Round, who)
		switch {
		case err != nil:
			return err
		case given && c.Over:
		case h.claim.others:
			return h.claim.taken()
		case given && !h.claim.holds:
			return hitl.ErrNotClaimed
		}
		var until time.Time
		err = tx.QueryRow(ctx, `
			UPDATE hitl.reviews SET claimed_team = $2, claimed_user = $3, claimed_until = now() + $4 * interval '1 microsecond', version = version + 1
			WHERE id = $1 RETURNING claimed_until`, c.ReviewID, c.By.Team, c.By.User, c.For.Microseconds()).Scan(&until)
		if err != nil {
			return fmt.Errorf("claim review: %w", err)
		}
		if has := h.claim.holds && h.claim.by == c.By; given && c.Giver != c.By && !has {
			err := s.insertNotices(ctx, tx, hitl.Notice{
				Kind: hitl.NoticeAssigned, Queue: h.queue, ReviewID: c.ReviewID, To: c.By.User,
				Data: map[string]string{"by": c.Giver.String(), "until": until.UTC().Format(time.RFC3339)},
			})
			if err != nil {
				return err
			}
		}
		return s.refreshClaimed(ctx, tx, c.ReviewID, until)
	})
}

// claimLate is how much later than a claim's end its card is redrawn, so that every process agrees that it is over.
const claimLate = time.Second

// refreshClaimed inserts the refreshes of a claimed review's card: now, and when the claim is over.
func (s *Store) refreshClaimed(ctx context.Context, tx pgx.Tx, reviewID string, until time.Time) error {
	return s.insertJobs(ctx, tx, refreshNow(reviewID), refreshAt(reviewID, until.Add(claimLate)))
}

// Release implements hitl.Claims.
func (s *Store) Release(ctx context.Context, reviewID string, round int, who hitl.Reviewer) error {
	return s.change(ctx, reviewID, round, func(tx pgx.Tx) error {
		h, err := s.handle(ctx, tx, reviewID, round, who)
		switch {
		case err != nil:
			return err
		case h.claim.others:
			return h.claim.taken()
		case !h.claim.holds:
			return nil
		}
		if err := endClaim(ctx, tx, reviewID); err != nil {
			return err
		}
		return s.refreshIf(ctx, tx, true, reviewID)
	})
}

func endClaim(ctx context.Context, tx pgx.Tx, reviewID string) error {
	_, err := tx.Exec(ctx, `
		UPDATE hitl.reviews SET claimed_team = '', claimed_user = '', claimed_until = NULL, version = version + 1 WHERE id = $1`, reviewID)
	if err != nil {
		return fmt.Errorf("end claim: %w", err)
	}
	return nil
}

// Claimed implements hitl.Claims.
func (s *Store) Claimed(ctx context.Context, who hitl.Reviewer) ([]hitl.Record, error) {
	rows, err := s.pool.Query(ctx, recordSelect+`
		WHERE r.state = 'open' AND r.claimed_user <> '' AND r.claimed_user = $2 AND r.claimed_team = $1 AND r.claimed_until > now() AND i.erased_at IS NULL
		ORDER BY r.claimed_until, r.id`, who.Team, who.User)
	if err != nil {
		return nil, readError("query claims", err)
	}
	list, err := pgx.CollectRows(rows, scanRecord)
	if err != nil {
		return nil, readError("query claims", err)
	}
	return list, nil
}
