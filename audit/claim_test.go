package audit_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"hitl"
	"hitl/audit"
)

func person(user string) hitl.Reviewer { return hitl.Reviewer{Team: "T1", User: user} }

func claimOf(rec hitl.Record, user string) hitl.Claim {
	return hitl.Claim{ReviewID: rec.Review.ID, Round: rec.Review.Round, By: person(user), For: time.Hour}
}

func mustClaim(t testing.TB, s *audit.Store, c hitl.Claim) {
	t.Helper()
	if err := s.Claim(t.Context(), c); err != nil {
		t.Fatal(err)
	}
}

// overNow ends every claim by the database's clock.
func overNow(t testing.TB, owner *pgxpool.Pool) {
	t.Helper()
	if _, err := owner.Exec(t.Context(), `UPDATE hitl.reviews SET claimed_until = now() - interval '1 microsecond' WHERE claimed_user <> ''`); err != nil {
		t.Fatal(err)
	}
}

func claimedBy(t testing.TB, err error) string {
	t.Helper()
	if claimed, ok := errors.AsType[*hitl.ClaimedError](err); ok {
		if claimed.Until.IsZero() {
			t.Error("a claim without an end")
		}
		return claimed.By.User
	}
	if err != nil {
		t.Errorf("unexpected error: %v", err)
	}
	return ""
}

func TestClaim(t *testing.T) {
	t.Parallel()
	s, owner := open(t)
	rec := mustAppend(t, s, unsure("a", "so so"), nil)
	mustClaim(t, s, claimOf(rec, "U1"))
	got, err := s.Review(t.Context(), rec.Review.ID)
	if err != nil {
		t.Fatal(err)
	}
	if got.Review.ClaimedBy != person("U1") || !got.Review.Claimed(time.Now()) {
		t.Errorf("claimed by %v until %v", got.Review.ClaimedBy, got.Review.ClaimedUntil)
	}
	equal(t, "refreshes", scalar[string](t, owner, `SELECT string_agg(state::text, ' ' ORDER BY id) FROM hitl_jobs.river_job`), "available scheduled")
	equal(t, "at its end", scalar[bool](t, owner, `SELECT scheduled_at > claimed_until FROM hitl_jobs.river_job, hitl.reviews WHERE river_job.state = 'scheduled'`), true)

	equal(t, "another's claim", claimedBy(t, s.Claim(t.Context(), claimOf(rec, "U2"))), "U1")
	equal(t, "another's release", claimedBy(t, s.Release(t.Context(), rec.Review.ID, 1, person("U2"))), "U1")
	_, won, err := s.Decide(t.Context(), corrected(rec, "U2"), nil)
	equal(t, "another's decision", claimedBy(t, err), "U1")
	_, err = s.Skip(t.Context(), skip(rec, "U2"), start)
	equal(t, "another's skip", claimedBy(t, err), "U1")
	equal(t, "what was recorded", []any{won, scalar[int](t, owner, `SELECT count(*) FROM hitl.decisions`), scalar[int](t, owner, `SELECT count(*) FROM hitl.verdicts`), scalar[int](t, owner, `SELECT count(*) FROM hitl.log`)}, []any{false, 0, 0, 1})

	longer := claimOf(rec, "U1")
	longer.For = 2 * time.Hour
	mustClaim(t, s, longer)
	mine, err := s.Claimed(t.Context(), person("U1"))
	if err != nil || len(mine) != 1 || !mine[0].Review.ClaimedUntil.After(got.Review.ClaimedUntil) {
		t.Errorf("extended: %d claims, %v", len(mine), err)
	}
	for range 2 { // a click may come twice
		if err := s.Release(t.Context(), rec.Review.ID, 1, person("U1")); err != nil {
			t.Fatal(err)
		}
	}
	mustClaim(t, s, claimOf(rec, "U2"))
	overNow(t, owner)
	if mine, err := s.Claimed(t.Context(), person("U2")); err != nil || len(mine) != 0 {
		t.Errorf("%d claims after their end, %v", len(mine), err)
	}
	mustClaim(t, s, claimOf(rec, "U3"))
	mustDecide(t, s, corrected(rec, "U3"), nil)
	equal(t, "claim after the decision", scalar[string](t, owner, `SELECT claimed_user FROM hitl.reviews`), "")
	var already *hitl.AlreadyDecidedError
	for what, err := range map[string]error{"claim": s.Claim(t.Context(), claimOf(rec, "U1")), "release": s.Release(t.Context(), rec.Review.ID, 1, person("U3"))} {
		if !errors.As(err, &already) || already.Decision.Reviewer != person("U3") {
			t.Errorf("%s of a closed review: %v", what, err)
		}
	}
	missing := claimOf(rec, "U1")
	missing.ReviewID = "rev_none"
	if err := s.Claim(t.Context(), missing); !errors.Is(err, hitl.ErrNotFound) {
		t.Errorf("missing review: %v", err)
	}
}

// No claim keeps the clock, or an erasure, from ending a review.
func TestClaimDoesNotStopTheClock(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	rec := mustAppend(t, s, unsure("a", "so so"), nil)
	mustClaim(t, s, claimOf(rec, "U1"))
	mustDecide(t, s, hitl.Decision{ReviewID: rec.Review.ID, Round: 1, Status: hitl.Expired, Reviewer: hitl.Reviewer{User: "system"}, At: start}, nil)
}

func TestAssign(t *testing.T) {
	t.Parallel()
	s, owner := open(t)
	rec := mustAppend(t, s, unsure("a", "so so"), nil)
	give := func(to, by string, over bool) error {
		c := claimOf(rec, to)
		c.Giver, c.Over = person(by), over
		return s.Claim(t.Context(), c)
	}
	if err := give("U2", "U1", false); !errors.Is(err, hitl.ErrNotClaimed) {
		t.Errorf("handing over nothing: %v", err)
	}
	mustClaim(t, s, claimOf(rec, "U1"))
	equal(t, "handing over another's", claimedBy(t, give("U3", "U2", false)), "U1")
	if err := give("U2", "U1", false); err != nil {
		t.Error(err)
	}
	equal(t, "handing over twice", claimedBy(t, give("U2", "U1", false)), "U2")
	for range 2 {
		if err := give("U3", "UOWNER", true); err != nil {
			t.Error(err)
		}
	}
	if err := give("UOWNER", "UOWNER", true); err != nil { // takes it over
		t.Error(err)
	}
	equal(t, "who has it", scalar[string](t, owner, `SELECT claimed_user FROM hitl.reviews`), "UOWNER")
	equal(t, "who was told", scalar[string](t, owner, `SELECT string_agg(recipient || ' by ' || (data->>'by'), ', ' ORDER BY created_at) FROM hitl.notices WHERE kind = 'assigned'`),
		"U2 by T1/U1, U3 by T1/UOWNER")
}

// Whoever comes at the same moment gets a review of their own, the urgent and the old ones first.
func TestNextRace(t *testing.T) {
	t.Parallel()
	s, owner := open(t, func(c *audit.Config) { c.MaxConns = 20 })
	const people = 50
	for i := range people {
		rec := unsure(fmt.Sprint(i), "so so")
		rec.Review.Priority = hitl.Priorities()[i%3]
		mustAppend(t, s, rec, nil)
	}
	got := make([]string, people)
	var wg sync.WaitGroup
	for i := range got {
		wg.Go(func() {
			id, err := s.Next(t.Context(), person(fmt.Sprint("U", i)), []hitl.Offer{{Queue: "default", For: time.Hour}})
			if err != nil {
				t.Error(err)
			}
			got[i] = id
		})
	}
	wg.Wait()
	seen := map[string]bool{}
	for i, id := range got {
		if id == "" || seen[id] {
			t.Errorf("person %d got %q", i, id)
		}
		seen[id] = true
	}
	equal(t, "claimants", scalar[int](t, owner, `SELECT count(DISTINCT claimed_user) FROM hitl.reviews WHERE claimed_user <> ''`), people)
	id, err := s.Next(t.Context(), person("ULATE"), []hitl.Offer{{Queue: "default", For: time.Hour}})
	if id != "" || err != nil {
		t.Errorf("nothing left: %q, %v", id, err)
	}
}

func TestNextOrder(t *testing.T) {
	t.Parallel()
	s, owner := open(t)
	add := func(id, queue string, p hitl.Priority, twin string) hitl.Record {
		rec := unsure(id, "so so")
		rec.Review.ID = "rev_" + id
		rec.Review.Queue, rec.Review.Priority = queue, p
		mustAppend(t, s, rec, nil)
		if twin != "" {
			if _, err := owner.Exec(t.Context(), `UPDATE hitl.reviews SET twin = $2 WHERE id = $1`, rec.Review.ID, []byte(twin)); err != nil {
				t.Fatal(err)
			}
		}
		return rec
	}
	add("a", "default", hitl.PrioritySample, "")
	add("b", "other", hitl.PriorityNormal, "")
	add("c", "default", hitl.PriorityNormal, "twin")
	add("d", "default", hitl.PriorityNormal, "twin")
	add("e", "default", hitl.PriorityUrgent, "")
	add("f", "third", hitl.PriorityUrgent, "")
	skipped := add("g", "other", hitl.PriorityUrgent, "")
	if _, err := s.Skip(t.Context(), skip(skipped, "U1"), start); err != nil {
		t.Fatal(err)
	}
	if _, err := owner.Exec(t.Context(), `INSERT INTO hitl.pauses VALUES ('third', now(), 'U9', 'lunch')`); err != nil {
		t.Fatal(err)
	}
	offers := []hitl.Offer{{Queue: "default", For: time.Hour}, {Queue: "other", For: time.Hour}, {Queue: "third", For: time.Hour}}
	next := func(user string) string {
		id, err := s.Next(t.Context(), person(user), offers)
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	equal(t, "the most urgent", next("U1"), "rev_e")
	equal(t, "the same again", next("U1"), "rev_e")
	equal(t, "of another person", next("U2"), "rev_g")
	for _, want := range []string{"rev_b", "rev_c", "rev_a", ""} {
		equal(t, "in order", next("U"+want), want)
	}
	overNow(t, owner)
	equal(t, "abandoned ones come back", next("U3"), "rev_e")
	offers = []hitl.Offer{{Queue: "default"}}
	overNow(t, owner)
	equal(t, "without claims", []string{next("U4"), next("U5")}, []string{"rev_e", "rev_e"})
	equal(t, "claims", scalar[int](t, owner, `SELECT count(*) FROM hitl.reviews WHERE claimed_until > now()`), 0)
}

// A claim and decisions that race: who decides is either the claimant or came before the claim.
func TestClaimAgainstDecide(t *testing.T) {
	t.Parallel()
	s, owner := open(t)
	for i := range 20 {
		rec := mustAppend(t, s, unsure(fmt.Sprint(i), "so so"), nil)
		var wg sync.WaitGroup
		var claimed, decided atomic.Bool
		wg.Go(func() {
			var already *hitl.AlreadyDecidedError
			switch err := s.Claim(t.Context(), claimOf(rec, "U1")); {
			case err == nil:
				claimed.Store(true)
			case !errors.As(err, &already):
				t.Error(err)
			}
		})
		wg.Go(func() {
			_, won, err := s.Decide(t.Context(), corrected(rec, "U2"), nil)
			if claimedBy(t, err) == "" {
				decided.Store(won)
			}
		})
		wg.Wait()
		if claimed.Load() == decided.Load() {
			t.Errorf("claimed %v, decided by another %v", claimed.Load(), decided.Load())
		}
		equal(t, "claim", scalar[bool](t, owner, `SELECT claimed_user = 'U1' AND state = 'open' FROM hitl.reviews WHERE id = $1`, rec.Review.ID), claimed.Load())
	}
}

// The card is drawn again when a claim is over, by nothing but the clock.
func TestClaimEndsByItself(t *testing.T) {
	t.Parallel()
	s, _ := open(t, func(c *audit.Config) { c.PollInterval = 20 * time.Millisecond })
	rec := mustAppend(t, s, unsure("a", "so so"), nil)
	c := claimOf(rec, "U1")
	c.For = 100 * time.Millisecond
	mustClaim(t, s, c)
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	var over atomic.Bool
	running.Go(func() {
		err := s.RunEffects(ctx, audit.Handlers{RefreshCard: func(ctx context.Context, id string) error {
			got, err := s.Review(ctx, id)
			if err == nil && got.Review.ClaimedUntil.Before(time.Now()) {
				over.Store(true)
			}
			return err
		}})
		if err != nil {
			t.Error(err)
		}
	})
	eventually(t, "the card is drawn after the claim", over.Load)
	cancel()
	running.Wait()
	mustDecide(t, s, corrected(rec, "U2"), nil)
}
