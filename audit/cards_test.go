package audit_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"hitl"
	"hitl/audit"
)

func TestCardLife(t *testing.T) {
	t.Parallel()
	now := start
	s, owner := open(t, func(c *audit.Config) { c.Now = func() time.Time { return now } })
	rec := unsure("a", "so so")
	mustAppend(t, s, rec, nil)
	card, err := s.BeginCard(t.Context(), rec.Review.ID, "T1", "C1", 5)
	if err != nil {
		t.Fatal(err)
	}
	want := hitl.Card{
		ID: card.ID, ReviewID: rec.Review.ID, Team: "T1", Channel: "C1", State: hitl.CardIntent, Attempt: 1, CreatedAt: start, BegunAt: start,
	}
	equal(t, "intent", card, want)

	now = start.Add(time.Minute)
	want.Attempt, want.BegunAt = 2, now
	card, err = s.BeginCard(t.Context(), rec.Review.ID, "T1", "C2", 1)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "intent again", card, want)
	stale := func(before time.Time) []hitl.Card {
		cards, err := s.StaleIntents(t.Context(), before, 10)
		if err != nil {
			t.Fatal(err)
		}
		return cards
	}
	equal(t, "not stale", stale(now), []hitl.Card{})
	equal(t, "stale", stale(now.Add(time.Second)), []hitl.Card{want})

	for range 2 {
		if err := s.CardPosted(t.Context(), card.ID, "C1", "123.456"); err != nil {
			t.Fatal(err)
		}
	}
	want.State, want.TS = hitl.CardPosted, "123.456"
	cards, err := s.Cards(t.Context(), rec.Review.ID)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "cards", cards, []hitl.Card{want})
	standing := func(after string) []hitl.Card {
		cards, err := s.PostedCards(t.Context(), after, 10)
		if err != nil {
			t.Fatal(err)
		}
		return cards
	}
	equal(t, "standing", standing(""), []hitl.Card{want})
	equal(t, "standing after it", standing(card.ID), []hitl.Card{})
	if _, err := s.BeginCard(t.Context(), rec.Review.ID, "T1", "C1", 5); !errors.Is(err, hitl.ErrPosted) {
		t.Errorf("posted card begun: %v", err)
	}
	equal(t, "no jobs yet", scalar[int](t, owner, "SELECT count(*) FROM hitl_jobs.river_job"), 0)
	mustDecide(t, s, corrected(rec, "U1"), nil)
	equal(t, "standing, decided", standing(""), []hitl.Card{})
	equal(t, "refresh", scalar[string](t, owner, "SELECT kind || (args->>'review_id') FROM hitl_jobs.river_job"), "card_refresh"+rec.Review.ID)
	if _, err := s.BeginCard(t.Context(), rec.Review.ID, "T1", "C1", 5); !errors.Is(err, hitl.ErrAlreadyDecided) {
		t.Errorf("closed review begun: %v", err)
	}
	for _, err := range []error{
		second(s.BeginCard(t.Context(), "rev_none", "T1", "C1", 5)), s.CardPosted(t.Context(), "crd_none", "C1", "1"), s.CardGone(t.Context(), hitl.Card{ID: "crd_none"}),
	} {
		if !errors.Is(err, hitl.ErrNotFound) {
			t.Errorf("error is %v", err)
		}
	}
}

// A decision between the intent and Slack's answer must still reach the card.
func TestCardPostedLate(t *testing.T) {
	t.Parallel()
	s, owner := open(t)
	rec := unsure("a", "so so")
	mustAppend(t, s, rec, nil)
	card, err := s.BeginCard(t.Context(), rec.Review.ID, "T1", "C1", 5)
	if err != nil {
		t.Fatal(err)
	}
	mustDecide(t, s, corrected(rec, "U1"), nil)
	before := scalar[int](t, owner, "SELECT count(*) FROM hitl_jobs.river_job")
	if err := s.CardPosted(t.Context(), card.ID, "C1", "1.2"); err != nil {
		t.Fatal(err)
	}
	equal(t, "refresh jobs", scalar[int](t, owner, "SELECT count(*) FROM hitl_jobs.river_job"), before+1)
	if n, err := s.OpenCards(t.Context(), "C1"); n != 0 || err != nil {
		t.Errorf("%d open cards, error %v", n, err)
	}
}

func TestCardGone(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	rec := unsure("a", "so so")
	mustAppend(t, s, rec, nil)
	first, err := s.BeginCard(t.Context(), rec.Review.ID, "T1", "C1", 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.CardGone(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	next, err := s.BeginCard(t.Context(), rec.Review.ID, "T1", "C1", 1)
	if err != nil || next.ID == first.ID {
		t.Fatalf("card %s after %s, error %v", next.ID, first.ID, err)
	}
	if err := s.CardPosted(t.Context(), next.ID, "C1", "1.2"); err != nil {
		t.Fatal(err)
	}
	// The first one's message turns up after all: a review has one card.
	if err := s.CardPosted(t.Context(), first.ID, "C1", "1.1"); !errors.Is(err, hitl.ErrPosted) {
		t.Errorf("second card posted: %v", err)
	}
}

// What an attempt says of its card counts only as long as the card is as that attempt saw it.
func TestCardAttempts(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	begin := func(rec hitl.Record) hitl.Card {
		card, err := s.BeginCard(t.Context(), rec.Review.ID, "T1", "C1", 0)
		if err != nil {
			t.Fatal(err)
		}
		return card
	}
	stands := func(rec hitl.Record) (state hitl.CardState, ts string) {
		cards, err := s.Cards(t.Context(), rec.Review.ID)
		if err != nil || len(cards) != 1 {
			t.Fatalf("cards %+v, error %v", cards, err)
		}
		return cards[0].State, cards[0].TS
	}
	gone := func(c hitl.Card) {
		for range 2 {
			if err := s.CardGone(t.Context(), c); err != nil {
				t.Fatal(err)
			}
		}
	}
	posted := func(c hitl.Card, ts string, want error) {
		if err := s.CardPosted(t.Context(), c.ID, "C1", ts); !errors.Is(err, want) {
			t.Errorf("posted as %s: %v, not %v", ts, err, want)
		}
	}
	rec := unsure("a", "so so")
	mustAppend(t, s, rec, nil)
	first := begin(rec)
	second := begin(rec)
	gone(first) // a later attempt is under way
	equal(t, "attempt", begin(rec).Attempt, 3)
	posted(second, "1.2", nil)
	gone(first)
	gone(second) // seen as an intent, and a message was posted since
	posted(first, "1.1", hitl.ErrPosted)
	posted(second, "1.2", nil)
	if state, ts := stands(rec); state != hitl.CardPosted || ts != "1.2" {
		t.Errorf("card is %s as %s", state, ts)
	}
	cards, err := s.Cards(t.Context(), rec.Review.ID)
	if err != nil {
		t.Fatal(err)
	}
	gone(cards[0])
	posted(second, "1.2", nil) // once more, of the message that is gone
	if state, _ := stands(rec); state != hitl.CardGone {
		t.Errorf("a message that is gone made its card %s", state)
	}
	posted(first, "1.1", nil) // another message of it turns up, and it is the review's only one
	if state, ts := stands(rec); state != hitl.CardPosted || ts != "1.1" {
		t.Errorf("card is %s as %s", state, ts)
	}
}

func TestCardRoom(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	const reviews, room = 30, 7
	recs := make([]hitl.Record, reviews)
	for i := range recs {
		recs[i] = unsure(fmt.Sprint(i), "so so")
		mustAppend(t, s, recs[i], nil)
	}
	begun := beginAll(t, s, recs, room)
	equal(t, "begun at once", len(begun), room)
	if n, err := s.OpenCards(t.Context(), "C1"); n != room || err != nil {
		t.Errorf("%d open cards, error %v", n, err)
	}
	hasRoom := func(limit int, before time.Time) bool {
		t.Helper()
		ok, err := s.Room(t.Context(), "C1", limit, before)
		if err != nil {
			t.Fatal(err)
		}
		return ok
	}
	long, soon := time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	equal(t, "room", hasRoom(room+1, long), true)
	equal(t, "room without a limit", hasRoom(0, long), true)
	equal(t, "room in a full channel", hasRoom(room, long), false)
	equal(t, "room for none", hasRoom(-1, long), false)
	equal(t, "room for what was begun and not posted", hasRoom(-1, soon), true)
	if _, err := s.BeginCard(t.Context(), begun[0].Review.ID, "T1", "C1", room); err != nil {
		t.Errorf("an intent has its own room: %v", err)
	}
	mustDecide(t, s, corrected(begun[1], "U1"), nil)
	equal(t, "room of a decided one", hasRoom(room, long), true)
	equal(t, "begun in the room of a decided one", len(beginAll(t, s, recs, room)), 1+room-1)
}

// beginAll begins a card for every record at once and returns those that had room.
func beginAll(t *testing.T, s *audit.Store, recs []hitl.Record, room int) []hitl.Record {
	t.Helper()
	var wg sync.WaitGroup
	var mu sync.Mutex
	var begun []hitl.Record
	for _, rec := range recs {
		wg.Go(func() {
			switch _, err := s.BeginCard(t.Context(), rec.Review.ID, "T1", "C1", room); {
			case err == nil:
				mu.Lock()
				defer mu.Unlock()
				begun = append(begun, rec)
			case !errors.Is(err, hitl.ErrNoRoom) && !errors.Is(err, hitl.ErrAlreadyDecided):
				t.Error(err)
			}
		})
	}
	wg.Wait()
	return begun
}

func TestOpenReviews(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	var want []hitl.Review
	for i := range 7 {
		rec := unsure(fmt.Sprint(i), "so so")
		if i == 6 {
			rec.Route.Queue, rec.Review.Queue = "other", "other"
		}
		mustAppend(t, s, rec, nil)
		switch i {
		case 0:
			mustDecide(t, s, corrected(rec, "U1"), nil)
			continue
		case 1, 2:
			card, err := s.BeginCard(t.Context(), rec.Review.ID, "T1", "C1", 0)
			if err != nil {
				t.Fatal(err)
			}
			if i == 1 {
				if err := s.CardPosted(t.Context(), card.ID, "C1", "1.2"); err != nil {
					t.Fatal(err)
				}
				continue
			}
		case 6:
			continue
		}
		want = append(want, *rec.Review)
	}
	got := map[string]hitl.Review{}
	after := ""
	for {
		page, err := s.OpenReviews(t.Context(), "default", after, 2)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		for _, r := range page {
			if r.ID <= after {
				t.Errorf("%s comes after %s", r.ID, after)
			}
			after, got[r.ID] = r.ID, r
		}
	}
	equal(t, "how many", len(got), len(want))
	for _, r := range want {
		equal(t, "review", got[r.ID], r)
	}
}

func TestBacklogs(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	for i := range 3 {
		rec := unsure(fmt.Sprint(i), "so so")
		mustAppend(t, s, rec, callback(rec))
		if i == 0 {
			card, err := s.BeginCard(t.Context(), rec.Review.ID, "T1", "C1", 0)
			if err != nil {
				t.Fatal(err)
			}
			if err := s.CardPosted(t.Context(), card.ID, "C1", "1.2"); err != nil {
				t.Fatal(err)
			}
		}
	}
	got, err := s.Backlogs(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	q := got.Queues["default"]
	if len(got.Queues) != 1 || q.Open != 3 || q.OnCards != 1 || got.CallbacksPending != 3 || got.CallbacksDead != 0 {
		t.Errorf("%+v", got)
	}
}

// Everything that locks a review and its card, at once: nothing may deadlock, and the end must be consistent.
func TestCardsUnderFire(t *testing.T) {
	t.Parallel()
	s, owner := open(t)
	recs := make([]hitl.Record, 10)
	for i := range recs {
		recs[i] = unsure(fmt.Sprint(i), "so so")
		mustAppend(t, s, recs[i], nil)
	}
	var wg sync.WaitGroup
	for worker := range 8 {
		wg.Go(func() {
			random := rand.New(rand.NewPCG(1, uint64(worker))) //nolint:gosec // repeatable on purpose
			for range 60 {
				rec := recs[random.IntN(len(recs))]
				card, err := s.BeginCard(t.Context(), rec.Review.ID, "T1", "C1", 6)
				switch random.IntN(5) {
				case 0:
					_, _, err = s.Decide(t.Context(), corrected(rec, fmt.Sprint(worker)), callback(rec))
				case 1, 2:
					err = s.CardPosted(t.Context(), card.ID, "C1", fmt.Sprint(random.IntN(1000)))
				case 3:
					err = s.CardGone(t.Context(), card)
				}
				for _, fine := range []error{nil, hitl.ErrNoRoom, hitl.ErrPosted, hitl.ErrAlreadyDecided, hitl.ErrNotFound} {
					if errors.Is(err, fine) {
						err = nil
					}
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	equal(t, "cards with a wrong idea of their room", scalar[int](t, owner, `
		SELECT count(*) FROM hitl.cards c JOIN hitl.reviews r ON r.id = c.review_id
		WHERE c.live <> (r.state = 'open' AND c.state <> 'gone')`), 0)
	if n := scalar[int](t, owner, `SELECT count(*) FROM hitl.cards WHERE live`); n > 6 {
		t.Errorf("%d cards stand in room for 6", n)
	}
}
