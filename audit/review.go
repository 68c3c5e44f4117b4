package audit

import (
	"time"

	"hitl"
)

// reviewSelect are the columns of hitl.reviews AS r that make a review, but for its item. Whether the time to undo is over is the database's to
// say.
const reviewSelect = `r.id, r.round, r.state, r.queue, r.priority, r.opened_at, r.expires_at,
    r.claimed_team, r.claimed_user, r.claimed_until,
    CASE WHEN r.undo_until > now() THEN r.undo_until END, r.remind_at, r.escalate_at, r.panel, r.blind, r.twin`

// reviewColumns are a review's columns as an outer join gives them.
type reviewColumns struct {
	id, state, queue, priority                                     *string
	round                                                          *int
	opened, expires, claimedUntil, undoUntil, remindAt, escalateAt *time.Time
	claimedTeam, claimedUser                                       *string
	panel                                                          *int
	blind                                                          *bool
	twin                                                           []byte
}

// dest are where a row's reviewSelect is scanned to.
func (c *reviewColumns) dest() []any {
	return []any{
		&c.id, &c.round, &c.state, &c.queue, &c.priority, &c.opened, &c.expires,
		&c.claimedTeam, &c.claimedUser, &c.claimedUntil, &c.undoUntil, &c.remindAt, &c.escalateAt, &c.panel, &c.blind, &c.twin,
	}
}

func (c *reviewColumns) review(itemID string) hitl.Review {
	return hitl.Review{
		ID: *c.id, ItemID: itemID, Round: *c.round, State: hitl.ReviewState(*c.state), Queue: *c.queue, Priority: hitl.Priority(*c.priority),
		OpenedAt: c.opened.UTC(), ExpiresAt: orNever(c.expires),
		ClaimedBy: hitl.Reviewer{Team: *c.claimedTeam, User: *c.claimedUser}, ClaimedUntil: orNever(c.claimedUntil),
		UndoUntil: orNever(c.undoUntil), RemindAt: orNever(c.remindAt), EscalateAt: orNever(c.escalateAt),
		Panel: *c.panel, Blind: *c.blind, Twin: c.twin,
	}
}

// orNever returns a time in UTC, or the zero time for NULL.
func orNever(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.UTC()
}
