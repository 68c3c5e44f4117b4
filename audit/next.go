package audit

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"hitl"
)

// takeable is the condition on hitl.reviews AS r that a reviewer, given by SQL for the team and the user, may be given it. The limit keeps Postgres from
// making a join of items, which reads all of them.
func takeable(team, user string) string {
	return `r.state = 'open' AND NOT ` + claimedByOther(team, user) + ` AND (r.panel = 1 OR r.panel > (` + countVoices + `))
    AND NOT EXISTS (SELECT FROM hitl.pauses p WHERE p.queue = r.queue)
    AND NOT EXISTS (SELECT FROM hitl.verdicts v WHERE v.review_id = r.id AND v.round = r.round AND v.reviewer_team = ` + team + ` AND v.reviewer_user = ` + user + `)
    AND ` + leads + `
    AND NOT EXISTS (SELECT FROM (SELECT FROM hitl.items i WHERE i.id = r.item_id AND i.erased_at IS NOT NULL LIMIT 1) AS i)`
}

// nextPlaces finds the first review that may be taken of each queue and priority, by the index on both, and puts these in order: the most
// urgent, of equally urgent ones the oldest. Priorities stand in it by name: of one that it does not know Postgres thinks that it is as frequent as the
// others, and reads all that wait by age to find an urgent one.
var nextPlaces = func() string {
	var firsts []string
	for rank, p := range hitl.Priorities() {
		firsts = append(firsts, fmt.Sprintf(`(SELECT %d AS rank, '%s' AS priority, r.id, r.panel FROM hitl.reviews r
		    WHERE r.queue = q.queue AND r.priority = '%[2]s' AND `, rank, p)+takeable("$1", "$2")+part("").order()+`)`)
	}
	return `
	SELECT q.n - 1, h.priority, h.id, h.panel > 1
	FROM unnest($3::text[]) WITH ORDINALITY AS q (queue, n)
	CROSS JOIN LATERAL (` + strings.Join(firsts, " UNION ALL ") + `) h
	ORDER BY h.rank, h.id`
}()

// takeNext claims the first review of a queue and priority, or of a part of those, that may be taken. Who comes at the same time passes over what is
// locked.
func takeNext(p part) string {
	return `
	UPDATE hitl.reviews SET claimed_team = $1, claimed_user = $2, claimed_until = now() + $5 * interval '1 microsecond', version = version + 1
	WHERE id = (
	    SELECT r.id FROM hitl.reviews r WHERE r.queue = $3 AND r.priority = $4 AND r.panel = 1 AND ` + takeable("$1", "$2") + p.order() + `
	    FOR NO KEY UPDATE SKIP LOCKED)
	RETURNING id, claimed_until`
}

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
			h := head{id: p.oldest, panel: p.panel}
			if p.priority == hitl.PriorityNormal && !offer.Order.ByAge() {
				var ok bool
				if h, ok, err = nextOf(ctx, s.pool, takeableHeads, offer.Queue, p.oldest, offer.Order, who.Team, who.User); err != nil {
					return "", readError("look for next review", err)
				}
				if !ok {
					continue // others were faster
				}
			}
			if h.panel || offer.For <= 0 {
				return h.id, nil // nobody can claim it
			}
			id, err := s.takeNext(ctx, who, offer, p.priority, h.part)
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
	oldest   string // the first one by age, unless somebody is faster
	panel    bool   // it is for several: nobody claims it
}

func (s *Store) places(ctx context.Context, who hitl.Reviewer, queues []string) ([]place, error) {
	rows, err := s.pool.Query(ctx, nextPlaces, who.Team, who.User, queues)
	if err != nil {
		return nil, readError("look for next review", err)
	}
	places, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (p place, err error) {
		err = row.Scan(&p.offer, &p.priority, &p.oldest, &p.panel)
		return p, err
	})
	if err != nil {
		return nil, readError("look for next review", err)
	}
	return places, nil
}

func (s *Store) takeNext(ctx context.Context, who hitl.Reviewer, o hitl.Offer, p hitl.Priority, of part) (id string, err error) {
	err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		var until time.Time
		err := tx.QueryRow(ctx, takeNext(of), who.Team, who.User, o.Queue, p, o.For.Microseconds()).Scan(&id, &until)
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
