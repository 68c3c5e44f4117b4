package hitl

import (
	"context"
	"fmt"
	"time"
)

// Claim keeps a review for one reviewer for a while: meanwhile nobody else can decide or skip it. It ends by itself.
type Claim struct {
	ReviewID string
	Round    int
	By       Reviewer
	For      time.Duration // from now on, by the database's clock
	Giver    Reviewer      // who hands it over; zero: By takes it
	Over     bool          // Giver may hand over what others have claimed, or nobody
}

// Offer is a queue out of which somebody may be given the next review.
type Offer struct {
	Queue string
	For   time.Duration // of the claim; 0: the review is shown and not claimed
	Order Ordering
}

// Claims is the part of the system of record that knows who has which review for themselves. Errors of its first two methods: ErrNotFound;
// *AlreadyDecidedError when the round is closed; *InvalidError for a round that never was; *ClaimedError when it is somebody else's.
// After any other error the outcome is unknown.
type Claims interface {
	// Claim commits a claim, or a longer one of who has it, with the card's refreshes now and at its end. Who is given a review by somebody
	// else is told, by a notice. Another error: ErrNotClaimed when Giver has nothing to hand over.
	Claim(ctx context.Context, claim Claim) error
	// Release ends a claim. One that is over already is no error.
	Release(ctx context.Context, reviewID string, round int, who Reviewer) error
	// Next claims the most urgent review of the queues that somebody may take, and returns its id; "" when there is none. Of queues with equally urgent
	// ones the one with the oldest comes first, and out of it the oldest, or of normal ones whichever its order puts first. Nobody is given what another has claimed, what they have skipped or voted on, or the younger of twins; a paused queue
	// has nothing. Any number may ask at once, and none gets the other's; what is before a panel is claimed by nobody.
	Next(ctx context.Context, who Reviewer, offers []Offer) (reviewID string, err error)
	// Claimed returns the records of what somebody has claimed now, the claim that ends first before the others.
	Claimed(ctx context.Context, who Reviewer) ([]Record, error)
}

// Claim keeps a review for somebody, or keeps it longer, and returns its record after the commit. Errors: as Claims', and *InvalidError where
// the queue has no claims.
func (d *Desk) Claim(ctx context.Context, reviewID string, round int, who Reviewer) (Record, error) {
	return d.claim(ctx, Claim{ReviewID: reviewID, Round: round, By: who})
}

// Assign gives a review to somebody, who is told. Without over, by must have it claimed. Errors: as Claim's, and ErrNotClaimed. Whether to may
// decide it, and by may do so over others, is the caller's to check.
func (d *Desk) Assign(ctx context.Context, reviewID string, round int, to, by Reviewer, over bool) (Record, error) {
	return d.claim(ctx, Claim{ReviewID: reviewID, Round: round, By: to, Giver: by, Over: over})
}

func (d *Desk) claim(ctx context.Context, c Claim) (Record, error) {
	if c.By.User == "" {
		return Record{}, &InvalidError{"reviewer", "is missing"}
	}
	if d.Claims == nil {
		return Record{}, fmt.Errorf("claim review: %w", ErrUnavailable)
	}
	rec, err := d.Decisions.Review(ctx, c.ReviewID)
	if err != nil {
		return Record{}, fmt.Errorf("load review: %w", err)
	}
	if c.For = d.Queues[rec.Review.Queue].ClaimFor; c.For <= 0 {
		return rec, &InvalidError{"claim", "this queue has no claims"}
	}
	if rec.Gathering() {
		return rec, &InvalidError{"claim", "a panel is for several"}
	}
	if err := d.Claims.Claim(ctx, c); err != nil {
		return rec, fmt.Errorf("claim review: %w", err)
	}
	return d.again(ctx, c.ReviewID)
}

// Release gives a claimed review back to all, and returns its record after the commit. Errors: as Claims'.
func (d *Desk) Release(ctx context.Context, reviewID string, round int, who Reviewer) (Record, error) {
	if d.Claims == nil {
		return Record{}, fmt.Errorf("release review: %w", ErrUnavailable)
	}
	if err := d.Claims.Release(ctx, reviewID, round, who); err != nil {
		return Record{}, fmt.Errorf("release review: %w", err)
	}
	return d.again(ctx, reviewID)
}

// again returns a review's record as it is after a change.
func (d *Desk) again(ctx context.Context, reviewID string) (Record, error) {
	rec, err := d.Decisions.Review(ctx, reviewID)
	if err != nil {
		return rec, fmt.Errorf("load review after its change: %w", err)
	}
	return rec, nil
}

// Next gives somebody the most urgent review that they may take out of some queues, claimed for as long as its queue says, and returns its
// record; false when there is none. Whether they may decide those queues' reviews is the caller's to check.
func (d *Desk) Next(ctx context.Context, who Reviewer, queues []string) (Record, bool, error) {
	if d.Claims == nil {
		return Record{}, false, fmt.Errorf("take next review: %w", ErrUnavailable)
	}
	offers := make([]Offer, len(queues))
	for i, q := range queues {
		offers[i] = Offer{Queue: q, For: d.Queues[q].ClaimFor, Order: d.Queues[q].Ordering()}
	}
	id, err := d.Claims.Next(ctx, who, offers)
	if err != nil {
		return Record{}, false, fmt.Errorf("take next review: %w", err)
	}
	if id == "" {
		return Record{}, false, nil
	}
	rec, err := d.again(ctx, id)
	return rec, err == nil, err
}

// Mine returns the records of what somebody has claimed now.
func (d *Desk) Mine(ctx context.Context, who Reviewer) ([]Record, error) {
	if d.Claims == nil {
		return nil, fmt.Errorf("list claims: %w", ErrUnavailable)
	}
	return d.Claims.Claimed(ctx, who)
}
