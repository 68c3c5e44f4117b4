package bot

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"hitl"
)

// store is a system of record in memory that keeps the promises of hitl.Decisions and Cards, and complains when it is misused.
type store struct {
	mu        sync.Mutex
	seq       int
	records   map[string]hitl.Record
	decisions map[string]hitl.Decision // by review and round
	cards     map[string]*hitl.Card
	reveals   []hitl.Reveal
	entries   []hitl.Entry // of every item
	twins     []hitl.Record
	earlier   []hitl.Precedent
	voices    map[string][]hitl.Voice // by review and round
	skips     []hitl.Verdict
	assigned  []hitl.Claim                           // those by somebody else
	fail      map[string]func(context.Context) error // by method: called first
}

func newStore() *store {
	return &store{
		records: map[string]hitl.Record{}, decisions: map[string]hitl.Decision{}, cards: map[string]*hitl.Card{}, voices: map[string][]hitl.Voice{},
		fail: map[string]func(context.Context) error{},
	}
}

func (s *store) next() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seq++
	return s.seq
}

func (s *store) put(rec hitl.Record) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.records[rec.Review.ID] = rec
}

// failing makes a method fail, or wait, before it does anything; nil heals it.
func (s *store) failing(method string, f func(context.Context) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail[method] = f
}

// begin runs a method's failure and takes the lock.
func (s *store) begin(ctx context.Context, method string) error {
	s.mu.Lock()
	f := s.fail[method]
	s.mu.Unlock()
	if f != nil {
		if err := f(ctx); err != nil {
			return err
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	return nil
}

func (s *store) Review(ctx context.Context, id string) (hitl.Record, error) {
	if err := s.begin(ctx, "Review"); err != nil {
		return hitl.Record{}, err
	}
	defer s.mu.Unlock()
	return s.record(id)
}

func (s *store) record(id string) (hitl.Record, error) {
	rec, ok := s.records[id]
	if !ok {
		return rec, hitl.ErrNotFound
	}
	review := *rec.Review
	if d, ok := s.decisions[fmt.Sprint(id, review.Round)]; ok {
		rec.Decision = &d
		review.State = hitl.ReviewDecided
		if d.Status == hitl.Expired {
			review.State = hitl.ReviewExpired
		}
		if d.UndoUntil.After(time.Now()) {
			review.UndoUntil = d.UndoUntil
		}
	}
	rec.Review = &review
	rec.Voices = append(slices.Clone(rec.Voices), s.voices[fmt.Sprint(id, review.Round)]...)
	return rec, nil
}

// Vote keeps the voices of panels.
func (s *store) Vote(ctx context.Context, v hitl.Vote, conclude hitl.Conclude) (hitl.Ballot, error) {
	if err := s.begin(ctx, "Vote"); err != nil {
		return hitl.Ballot{}, err
	}
	defer s.mu.Unlock()
	rec, err := s.record(v.ReviewID)
	if err != nil {
		return hitl.Ballot{}, err
	}
	for _, old := range rec.Voices {
		if old.Reviewer == v.Reviewer && old.Label == v.Label {
			return hitl.Ballot{Voices: rec.Voices, Decision: rec.Decision}, nil
		} else if old.Reviewer == v.Reviewer {
			return hitl.Ballot{}, &hitl.VotedError{Standing: old}
		}
	}
	switch {
	case rec.Decision != nil:
		return hitl.Ballot{}, &hitl.AlreadyDecidedError{Decision: *rec.Decision}
	case v.Round != rec.Review.Round:
		return hitl.Ballot{}, &hitl.InvalidError{Field: "round", Reason: "is not the open one"}
	case len(rec.Voices) >= rec.Review.Panel:
		return hitl.Ballot{}, hitl.ErrPanelComplete
	}
	k := fmt.Sprint(v.ReviewID, v.Round)
	s.voices[k] = append(s.voices[k], v.Voice)
	b := hitl.Ballot{Voices: append(rec.Voices, v.Voice)}
	if len(b.Voices) < rec.Review.Panel {
		return b, nil
	}
	if b.Decision, _, err = conclude(b.Voices); err != nil || b.Decision == nil {
		return b, err
	}
	s.decisions[k], b.Decided = *b.Decision, true
	return b, nil
}

func (s *store) Decide(ctx context.Context, d hitl.Decision, _ *hitl.Callback) (hitl.Decision, bool, error) {
	if err := s.begin(ctx, "Decide"); err != nil {
		return hitl.Decision{}, false, err
	}
	defer s.mu.Unlock()
	k := fmt.Sprint(d.ReviewID, d.Round)
	if standing, ok := s.decisions[k]; ok {
		return standing, false, nil
	}
	if err := s.held(d.ReviewID, d.Reviewer); err != nil && d.Reviewer.Team != "" {
		return hitl.Decision{}, false, err
	}
	if d.UndoFor > 0 {
		d.UndoUntil = time.Now().Add(d.UndoFor)
	}
	s.decisions[k] = d
	return d, true, nil
}

// Reveal keeps looks, in their order.
func (s *store) Reveal(ctx context.Context, r hitl.Reveal) error {
	if err := s.begin(ctx, "Reveal"); err != nil {
		return err
	}
	defer s.mu.Unlock()
	s.reveals = append(s.reveals, r)
	return nil
}

func (s *store) revealed() []hitl.Reveal {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.reveals)
}

// know sets what Log, Twins and Precedents answer.
func (s *store) know(entries []hitl.Entry, twins []hitl.Record, earlier []hitl.Precedent) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.entries, s.twins, s.earlier = entries, twins, earlier
}

func (s *store) Log(ctx context.Context, _ string) ([]hitl.Entry, error) {
	if err := s.begin(ctx, "Log"); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	return s.entries, nil
}

func (s *store) Twins(ctx context.Context, _ string, _ hitl.Reviewer, _ time.Time, limit int) ([]hitl.Record, error) {
	if err := s.begin(ctx, "Twins"); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	return s.twins[:min(limit, len(s.twins))], nil
}

func (s *store) Precedents(ctx context.Context, _ string, _, _ int) ([]hitl.Precedent, error) {
	if err := s.begin(ctx, "Precedents"); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	return s.earlier, nil
}

func (s *store) Due(context.Context, time.Time, int) ([]string, error) { return nil, nil }

func (s *store) BeginCard(ctx context.Context, reviewID, team, channel string, openLimit int) (hitl.Card, error) {
	if err := s.begin(ctx, "BeginCard"); err != nil {
		return hitl.Card{}, err
	}
	defer s.mu.Unlock()
	rec, err := s.record(reviewID)
	if err != nil {
		return hitl.Card{}, err
	}
	if !open(rec) {
		return hitl.Card{}, hitl.ErrAlreadyDecided
	}
	for _, c := range s.cards {
		switch {
		case c.ReviewID == reviewID && c.State == hitl.CardPosted:
			return hitl.Card{}, hitl.ErrPosted
		case c.ReviewID == reviewID && c.State == hitl.CardIntent:
			c.Attempt++
			c.BegunAt = time.Now()
			return *c, nil
		}
	}
	if s.live(channel) >= openLimit {
		return hitl.Card{}, hitl.ErrNoRoom
	}
	s.seq++
	c := &hitl.Card{
		ID: fmt.Sprintf("crd_%d", s.seq), ReviewID: reviewID, Team: team, Channel: channel, State: hitl.CardIntent, Attempt: 1,
		CreatedAt: time.Now(), BegunAt: time.Now(),
	}
	s.cards[c.ID] = c
	return *c, nil
}

// live is how many cards of open reviews stand in a channel.
func (s *store) live(channel string) (n int) {
	for _, c := range s.cards {
		if rec, _ := s.record(c.ReviewID); c.Channel == channel && c.State != hitl.CardGone && open(rec) {
			n++
		}
	}
	return n
}

func (s *store) Room(ctx context.Context, channel string, openLimit int, before time.Time) (bool, error) {
	if err := s.begin(ctx, "Room"); err != nil {
		return false, err
	}
	defer s.mu.Unlock()
	lost := slices.ContainsFunc(s.list(func(c *hitl.Card) bool {
		return c.Channel == channel && c.State == hitl.CardIntent && c.BegunAt.Before(before)
	}),
		func(c hitl.Card) bool { rec, _ := s.record(c.ReviewID); return open(rec) })
	return s.live(channel) < openLimit || lost, nil
}

func (s *store) CardPosted(ctx context.Context, cardID, channel, ts string) error {
	if err := s.begin(ctx, "CardPosted"); err != nil {
		return err
	}
	defer s.mu.Unlock()
	c, ok := s.cards[cardID]
	if !ok {
		return hitl.ErrNotFound
	}
	if c.State == hitl.CardPosted && c.TS != ts {
		return errors.New("fake: one card, two messages")
	}
	c.State, c.Channel, c.TS = hitl.CardPosted, channel, ts
	return nil
}

func (s *store) CardGone(ctx context.Context, seen hitl.Card) error {
	if err := s.begin(ctx, "CardGone"); err != nil {
		return err
	}
	defer s.mu.Unlock()
	if c := s.cards[seen.ID]; c.Attempt == seen.Attempt && c.State == seen.State && c.Channel == seen.Channel && c.TS == seen.TS {
		c.State = hitl.CardGone
	}
	return nil
}

func (s *store) Cards(ctx context.Context, reviewID string) ([]hitl.Card, error) {
	if err := s.begin(ctx, "Cards"); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	return s.list(func(c *hitl.Card) bool { return c.ReviewID == reviewID }), nil
}

func (s *store) StaleIntents(ctx context.Context, before time.Time, limit int) ([]hitl.Card, error) {
	if err := s.begin(ctx, "StaleIntents"); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	all := s.list(func(c *hitl.Card) bool { return c.State == hitl.CardIntent && c.BegunAt.Before(before) })
	return all[:min(limit, len(all))], nil
}

func (s *store) PostedCards(ctx context.Context, after string, limit int) ([]hitl.Card, error) {
	if err := s.begin(ctx, "PostedCards"); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	all := s.list(func(c *hitl.Card) bool {
		rec, err := s.record(c.ReviewID)
		return c.State == hitl.CardPosted && c.ID > after && err == nil && open(rec)
	})
	slices.SortFunc(all, func(a, b hitl.Card) int { return strings.Compare(a.ID, b.ID) })
	return all[:min(limit, len(all))], nil
}

func (s *store) list(fits func(*hitl.Card) bool) []hitl.Card {
	var out []hitl.Card
	for _, c := range s.cards {
		if fits(c) {
			out = append(out, *c)
		}
	}
	slices.SortFunc(out, func(a, b hitl.Card) int { return a.CreatedAt.Compare(b.CreatedAt) })
	return out
}

func (s *store) of(reviewID string) []hitl.Card {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.list(func(c *hitl.Card) bool { return c.ReviewID == reviewID })
}

func (s *store) decision(reviewID string) (hitl.Decision, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d, ok := s.decisions[fmt.Sprint(reviewID, 1)]
	return d, ok
}

// expire ends a review as the timer does.
func (s *store) expire(reviewID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.decisions[fmt.Sprint(reviewID, 1)] = hitl.Decision{
		ReviewID: reviewID, Round: 1, Status: hitl.Expired, Reviewer: hitl.Reviewer{User: "system"}, At: testTime.Add(time.Hour),
	}
}

// waiting is a queue in memory. It complains when a review is finished or given back that nobody holds.
type waiting struct {
	mu     sync.Mutex
	ready  map[string][]string
	held   map[string]string // by review: its queue
	holds  map[string]int    // by review: how often its holder said so
	errs   []error
	away   error // what Len answers, if set
	signal chan struct{}
}

func newWaiting() *waiting {
	return &waiting{ready: map[string][]string{}, held: map[string]string{}, holds: map[string]int{}, signal: make(chan struct{})}
}

func (q *waiting) changed() {
	close(q.signal)
	q.signal = make(chan struct{})
}

func (q *waiting) add(queue, id string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.ready[queue] = append(q.ready[queue], id)
	q.changed()
}

func (q *waiting) Next(ctx context.Context, queue, _ string, limit int, block time.Duration) ([]hitl.Delivery, error) {
	timer := time.NewTimer(block)
	defer timer.Stop()
	for {
		q.mu.Lock()
		var out []hitl.Delivery
		for len(q.ready[queue]) > 0 && len(out) < limit {
			id := q.ready[queue][0]
			q.ready[queue] = q.ready[queue][1:]
			q.held[id] = queue
			out = append(out, hitl.Delivery{ReviewID: id, Queue: queue, Attempts: 1})
		}
		signal := q.signal
		q.mu.Unlock()
		if len(out) > 0 {
			return out, nil
		}
		select {
		case <-signal:
		case <-timer.C:
			return nil, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (q *waiting) Hold(_ context.Context, queue, _ string, ids ...string) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, id := range ids {
		if q.held[id] == queue {
			q.holds[id]++
		}
	}
	return nil
}

func (q *waiting) Done(_ context.Context, queue string, ids ...string) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, id := range ids {
		delete(q.held, id)
		q.ready[queue] = slices.DeleteFunc(q.ready[queue], func(r string) bool { return r == id })
	}
	return nil
}

func (q *waiting) Release(_ context.Context, queue string, ids ...string) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, id := range ids {
		if q.held[id] != queue {
			q.errs = append(q.errs, fmt.Errorf("released %s, which nobody holds in %s", id, queue))
		}
		delete(q.held, id)
	}
	q.ready[queue] = append(slices.Clone(ids), q.ready[queue]...)
	q.changed()
	return nil
}

func (q *waiting) Len(_ context.Context, queue string) (int64, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.away != nil {
		return 0, q.away
	}
	n := len(q.ready[queue])
	for _, in := range q.held {
		if in == queue {
			n++
		}
	}
	return int64(n), nil
}

func (q *waiting) state() (ready, held int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, r := range q.ready {
		ready += len(r)
	}
	return ready, len(q.held)
}

// said returns the voices of a review's first round.
func (s *store) said(reviewID string) []hitl.Voice {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.voices[fmt.Sprint(reviewID, 1)])
}
