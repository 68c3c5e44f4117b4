package hitl

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

// claims remember what they are asked, and answer as told.
type claims struct {
	asked  []Claim
	offers []Offer
	next   string
	raise  bool
	err    error
}

func (c *claims) Claim(_ context.Context, claim Claim) error {
	c.asked = append(c.asked, claim)
	return c.err
}
func (c *claims) Release(context.Context, string, int, Reviewer) error { return c.err }
func (c *claims) Next(_ context.Context, _ Reviewer, offers []Offer) (string, error) {
	c.offers = offers
	return c.next, c.err
}
func (c *claims) Claimed(context.Context, Reviewer) ([]Record, error)    { return nil, c.err }
func (c *claims) Skip(context.Context, Verdict, time.Time) (bool, error) { return c.raise, c.err }

type promoted struct {
	ids []string
	err error
}

func (p *promoted) Promote(_ context.Context, queue string, priority Priority, id string) error {
	p.ids = append(p.ids, queue+" "+string(priority)+" "+id)
	return p.err
}

func claimDesk(t *testing.T) (*Desk, *claims, *promoted, Record) {
	t.Helper()
	m, p := newMemory(), &promoted{}
	rec := openReview(t, m, unsure)
	c, d := &claims{}, testDesk(m, testTime)
	d.Claims, d.Skips, d.Waiting, d.Queues = c, c, p, map[string]QueueRules{"support": {ClaimFor: time.Minute}}
	return d, c, p, rec
}

func TestDeskClaims(t *testing.T) {
	t.Parallel()
	d, c, _, rec := claimDesk(t)
	if got, err := d.Claim(t.Context(), rec.Review.ID, 1, ann); err != nil || got.Review.ID != rec.Review.ID {
		t.Errorf("claim: %v", err)
	}
	if _, err := d.Assign(t.Context(), rec.Review.ID, 1, bob, ann, true); err != nil {
		t.Errorf("assign: %v", err)
	}
	want := []Claim{
		{ReviewID: rec.Review.ID, Round: 1, By: ann, For: time.Minute},
		{ReviewID: rec.Review.ID, Round: 1, By: bob, For: time.Minute, Giver: ann, Over: true},
	}
	if !slices.Equal(c.asked, want) {
		t.Errorf("asked for %+v, want %+v", c.asked, want)
	}
	if _, ok, err := d.Next(t.Context(), ann, []string{"support", "free"}); ok || err != nil {
		t.Errorf("nothing left: %v, %v", ok, err)
	}
	if !slices.Equal(c.offers, []Offer{{Queue: "support", For: time.Minute}, {Queue: "free"}}) {
		t.Errorf("offers: %+v", c.offers)
	}
	c.next = rec.Review.ID
	if got, ok, err := d.Next(t.Context(), ann, []string{"support"}); !ok || err != nil || got.Review.ID != rec.Review.ID {
		t.Errorf("next: %v, %v", ok, err)
	}
	claimed := &ClaimedError{By: bob, Until: testTime}
	c.err = claimed
	_, errClaim := d.Claim(t.Context(), rec.Review.ID, 1, ann)
	_, errRelease := d.Release(t.Context(), rec.Review.ID, 1, ann)
	_, _, errNext := d.Next(t.Context(), ann, []string{"support"})
	for what, err := range map[string]error{"claim": errClaim, "release": errRelease, "next": errNext} {
		if got, ok := errors.AsType[*ClaimedError](err); !ok || got.By != bob {
			t.Errorf("%s: %v", what, err)
		}
	}
	d.Queues = nil
	var invalid *InvalidError
	if _, err := d.Claim(t.Context(), rec.Review.ID, 1, ann); !errors.As(err, &invalid) || invalid.Field != "claim" {
		t.Errorf("a queue without claims: %v", err)
	}
	if _, err := d.Claim(t.Context(), rec.Review.ID, 1, Reviewer{}); !errors.As(err, &invalid) || invalid.Field != "reviewer" {
		t.Errorf("nobody: %v", err)
	}
	d.Claims = nil
	if _, err := d.Mine(t.Context(), ann); !errors.Is(err, ErrUnavailable) {
		t.Errorf("without claims: %v", err)
	}
}

// What became urgent is moved in the index after the commit; that this fails is no error, since the row says it.
func TestDeskSkip(t *testing.T) {
	t.Parallel()
	d, c, p, rec := claimDesk(t)
	v := Verdict{ReviewID: rec.Review.ID, Round: 1, Reviewer: ann, Reason: "unclear"}
	if _, err := d.Skip(t.Context(), v); err != nil || len(p.ids) != 0 {
		t.Errorf("first: %v, promoted %v", err, p.ids)
	}
	c.raise, p.err = true, errors.New("redis is away")
	if _, err := d.Skip(t.Context(), v); err != nil || !slices.Equal(p.ids, []string{"support normal " + rec.Review.ID}) {
		t.Errorf("second: %v, promoted %v", err, p.ids)
	}
	for field, change := range map[string]func(*Verdict){
		"reason":   func(v *Verdict) { v.Reason = "" },
		"comment":  func(v *Verdict) { v.Comment = strings.Repeat("a", MaxCommentBytes+1) },
		"reviewer": func(v *Verdict) { v.Reviewer = Reviewer{} },
	} {
		bad := v
		change(&bad)
		var invalid *InvalidError
		if _, err := d.Skip(t.Context(), bad); !errors.As(err, &invalid) || invalid.Field != field {
			t.Errorf("%s: %v", field, err)
		}
	}
	c.err = &ClaimedError{By: bob, Until: testTime}
	if _, err := d.Skip(t.Context(), v); err == nil || !strings.Contains(err.Error(), "claimed by T1/UBOB until 2026") {
		t.Errorf("claimed: %v", err)
	}
}
