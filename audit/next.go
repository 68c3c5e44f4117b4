package audit

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"hitl"
)

// takeable is the condition on hitl.reviews AS r that a reviewer ($1 team, $2 user) may be given it.
var takeable = `r.state = 'open' AND NOT ` + claimedByOther("$1", "$2") + ` AND (r.panel = 1 OR r.panel > (` + countVoices + `))
    AND NOT EXISTS (SELECT FROM hitl.pauses p WHERE p.queue = r.queue)
    AND NOT EXISTS (SELECT FROM hitl.verdicts v WHERE v.review_id = r.id AND v.round = r.round AND v.reviewer_team = $1 AND v.reviewer_user = $2)
    AND ` + leads + `
    AND NOT EXISTS (SELECT FROM hitl.items i WHERE i.id = r.item_id AND i.erased_at IS NOT NULL)`

// nextPlaces finds the first review that may be taken of each queue and priority, by the index on both, and puts these in order: the most
// urgent, of equally urgent ones the oldest.
var nextPlaces = `
	SELECT q.n - 1, p.priority, h.id, h.panel > 1
	FROM unnest($3::text[]) WITH ORDINALITY AS q (queue, n)
	CROSS JOIN unnest($4::text[]) WITH ORDINALITY AS p (priority, rank)
	CROSS JOIN LATERAL (
	    SELECT r.id, r.panel FROM hitl.reviews r WHERE r.queue = q.queue AND r.priority = p.priority AND ` + takeable + ` ORDER BY r.id LIMIT 1) h
	ORDER BY p.rank, h.id`

// takeNext claims the first review of a queue and priority that may be taken. Who comes at the same time passes over what is locked.
var takeNext = `
	UPDATE hitl.reviews SET claimed_team = $1, claimed_user = $2, claimed_until = now() + $5 * interval '1 microsecond', version = version + 1
	WHERE id = (
	    SELECT r.id FROM hitl.reviews r WHERE r.queue = $3 AND r.priority = $4 AND r.panel = 1 AND ` + takeable + `
	    ORDER BY r.id LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED)
	RETURNING id, claimed_until`

// nextTries bounds how often places are looked at again after others have taken what was there.
const nextTries = 5

// Next implements hitl.Claims.
func (s *Store) Next(ctx context.Context, who hitl.Reviewer, offers []hitl.Offer) (string, error) {
	queues := make([]string, len(offers))
	for i, o := range offers {
		queues[i] = o.Queue
	}
	for range nextTries {
		places, err := s.places(ctx, who, queues)
		if err != nil || len(places) == 0 {
			return "", err
		}
		for _, p := range places {
			offer := offers[p.offer]
			if p.panel || offer.For <= 0 {
				return p.head, nil // nobody can claim it
			}
			id, err := s.takeNext(ctx, who, offer, p.priority)
			if err != nil || id != "" {
				return id, err
			}
		}
	}
	return "", nil
}

// place is where a review waits that somebody may take.
type place struct {
	offer    int // its index
	priority hitl.Priority
	head     string // the review, unless somebody is faster
	panel    bool   // it is for several: nobody claims it
}

func (s *Store) places(ctx context.Context, who hitl.Reviewer, queues []string) ([]place, error) {
	rows, err := s.pool.Query(ctx, nextPlaces, who.Team, who.User, queues, hitl.Priorities())
	if err != nil {
		return nil, readError("look for next review", err)
	}
	places, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (p place, err error) {
		err = row.Scan(&p.offer, &p.priority, &p.head, &p.panel)
		return p, err
	})
	if err != nil {
		return nil, readError("look for next review", err)
	}
	return places, nil
}

func (s *Store) takeNext(ctx context.Context, who hitl.Reviewer, o hitl.Offer, p hitl.Priority) (id string, err error) {
	err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		var until time.Time
		err := tx.QueryRow(ctx, takeNext, who.Team, who.User, o.Queue, p, o.For.Microseconds()).Scan(&id, &until)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("claim next review: %w", err)
		}
		return s.refreshClaimed(ctx, tx, id, until)
	})
	if err != nil {
		return "", readError("take next review", err)
	}
	return id, nil
}
