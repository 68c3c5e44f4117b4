package audit

import (
	"context"
	"errors"
	"slices"

	"github.com/jackc/pgx/v5"

	"hitl"
)

// late says of hitl.reviews AS r whether it has waited for so long that reviews go by age, as hitl.OrderRules says. reminds is a SQL boolean: whether its
// queue has reminders. One that is given takes the time away.
func late(reminds string) string {
	return `(r.round > 1 OR ` + reminds + ` AND (r.remind_at IS NULL OR r.remind_at < now())
    OR coalesce(r.opened_at + (least(r.escalate_at, r.expires_at) - r.opened_at) / 2 < now(), false))`
}

// part is one of the two lists that a queue's reviews of normal priority are divided into, or empty: all of them, by age.
type part string

const (
	teaching part = "teaching" // by how much they teach
	aged     part = "aged"     // the uniform part, by age
)

// order is SQL for what follows the conditions on a query of hitl.reviews AS r for the first review of a part: an index has them in that order.
func (p part) order() string {
	switch p {
	case teaching:
		return ` AND r.teaches IS NOT NULL ORDER BY r.teaches DESC, r.id LIMIT 1`
	case aged:
		return ` AND r.teaches IS NULL ORDER BY r.id LIMIT 1`
	}
	return ` ORDER BY r.id LIMIT 1`
}

// head is the first review of a part.
type head struct {
	part  part
	id    string
	panel bool
}

// heads are what stands first among the reviews of a queue ($1) that meet a condition and are of normal priority, the oldest of which is known ($2): that
// one if it is late ($3: whether the queue has reminders), and the first of both parts. The condition's own parameters begin with $4.
//
// Only the oldest is asked whether it is late: due times rise with age, as long as nobody changes the rules. So it costs nothing to ask, and what a change
// of the rules hides is late a little later.
func heads(condition string) string {
	one := func(p part) string {
		return `(SELECT '` + string(p) + `', r.id, r.panel > 1 FROM hitl.reviews r
		    WHERE r.state = 'open' AND r.queue = $1 AND r.priority = 'normal' AND ` + condition + p.order() + `)`
	}
	return `(SELECT '', r.id, r.panel > 1 FROM hitl.reviews r WHERE r.id = $2 AND ` + late("$3") + `)
	    UNION ALL ` + one(teaching) + ` UNION ALL ` + one(aged)
}

// takeableHeads are those that a reviewer may be given, showableHeads those that wait for a card.
var (
	takeableHeads = heads(takeable("$4", "$5"))
	showableHeads = heads(showable)
)

// nextOf finds out which review of normal priority is next in a queue's order; false when none meets the condition by now. oldest is the one that would be
// next by age.
func nextOf(ctx context.Context, q querier, sql, queue, oldest string, o hitl.Ordering, args ...any) (head, bool, error) {
	rows, err := q.Query(ctx, sql, append([]any{queue, oldest, o.Reminds}, args...)...)
	if err != nil {
		return head{}, false, err
	}
	found, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (h head, err error) {
		err = row.Scan(&h.part, &h.id, &h.panel)
		return h, err
	})
	if err != nil || len(found) == 0 {
		return head{}, false, err
	}
	of := func(p part) int { return slices.IndexFunc(found, func(h head) bool { return h.part == p }) }
	least, oldestAged := of(teaching), of(aged)
	switch {
	case of("") >= 0:
		return found[of("")], true, nil
	case least < 0:
		return found[oldestAged], true, nil
	case oldestAged >= 0 && o.Aged(found[least].id, found[oldestAged].id):
		return found[oldestAged], true, nil
	}
	return found[least], true, nil
}

// showable says of hitl.reviews AS r that it waits for a card and nobody is posting one. The card of a twin stands for it, too.
const showable = `NOT EXISTS (SELECT FROM hitl.cards c WHERE c.review_id = r.id AND c.state <> 'gone') AND ` + leads

// oldestShowable are the oldest reviews of a queue ($1) that wait for a card, urgent and normal, where its channel ($2) has room ($3: most cards; 0: always).
var oldestShowable = func() string {
	first := func(p hitl.Priority) string {
		return `coalesce((SELECT r.id FROM hitl.reviews r WHERE r.state = 'open' AND r.queue = $1 AND r.priority = '` + string(p) + `' AND ` + showable +
			part("").order() + `), '')`
	}
	return `SELECT ` + first(hitl.PriorityUrgent) + `, ` + first(hitl.PriorityNormal) + `
		WHERE $3 <= 0 OR (SELECT count(*) FROM hitl.cards WHERE channel = $2 AND live) < $3`
}()

var _ hitl.Orders = (*Store)(nil)

// NextCard implements hitl.Orders. Errors: hitl.ErrUnavailable when Postgres is out of reach.
func (s *Store) NextCard(ctx context.Context, queue, channel string, openLimit int, o hitl.Ordering) (id string, room bool, err error) {
	var urgent, oldest string
	err = s.pool.QueryRow(ctx, oldestShowable, queue, channel, openLimit).Scan(&urgent, &oldest)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return "", false, nil
	case err != nil:
		return "", true, readError("look for next card", err)
	case urgent != "" || oldest == "":
		return "", true, nil
	}
	h, _, err := nextOf(ctx, s.pool, showableHeads, queue, oldest, o)
	if err != nil {
		return "", true, readError("look for next card", err)
	}
	return h.id, true, nil
}
