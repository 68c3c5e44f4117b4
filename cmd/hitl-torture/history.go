package main

import (
	"slices"
	"sync"
	"time"
)

// action is what was done to one item.
type action int

const (
	submitted action = iota // post it; out is what the answer said
	clicked                 // decide it; a known outcome means that it was ticked
	voted                   // give a verdict for a panel; the same
	undone                  // take a decision back; the same
	read                    // look at it: the API's answer
	told                    // a callback: it once stood so
)

// String implements fmt.Stringer.
func (a action) String() string {
	return [...]string{"submit", "click", "vote", "undo", "read", "callback"}[a]
}

// never is the end of an operation whose outcome nobody learned: it may take effect at any time.
const never = 1 << 62

// operation is one thing that was done, with the times between which it took effect, in nanoseconds since the start.
type operation struct {
	do        action
	round     int    // of clicked, voted and undone: the one that the reviewer saw
	by, label string // of these: who, "TEAM/USER", and for what
	out       state  // of submitted, read and told, when known
	known     bool
	call, end int64
}

// key is an item's name among sources.
type key struct{ source, id string }

// item is what the harness knows of one item.
type item struct {
	key
	text   string
	acked  bool
	ids    []string // that 2xx answers named; one, or something is wrong
	review string   // "" when it needs none
	panel  int      // verdicts that its review takes; 0 and 1: one decides
	ops    []operation
}

// round is one round of a review.
type round struct {
	review string
	n      int
}

// click is a reviewer's click; its review's item may not be known yet when it happens.
type click struct {
	review string
	op     operation
}

// history is the record of what was done and acknowledged. It is safe for concurrent use.
type history struct {
	start time.Time

	mu     sync.Mutex
	items  map[key]*item
	order  []*item
	clicks []click
	took   []time.Duration     // of ticked clicks, from click to answer
	ticked map[round]time.Time // that somebody knows to be decided, since when
	slow   int                 // clicks that were not answered within Slack's three seconds
	wrong  []string            // what must not happen, seen while it happened
}

func newHistory() *history {
	return &history{start: time.Now(), items: map[key]*item{}, ticked: map[round]time.Time{}}
}

func (h *history) now() int64 { return int64(time.Since(h.start)) }

// complain notes what must not happen.
func (h *history) complain(what string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.wrong = append(h.wrong, what)
}

func (h *history) of(k key) *item {
	it := h.items[k]
	if it == nil {
		it = &item{key: k}
		h.items[k] = it
		h.order = append(h.order, it)
	}
	return it
}

// unanswered notes an attempt to submit whose outcome is not known.
func (h *history) unanswered(k key, text string, call int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	it := h.of(k)
	it.text = text
	it.ops = append(it.ops, operation{do: submitted, call: call, end: never})
}

// acknowledged notes a 2xx.
func (h *history) acknowledged(k key, text string, call int64, v itemView) {
	h.mu.Lock()
	defer h.mu.Unlock()
	it := h.of(k)
	it.text, it.acked = text, true
	if !slices.Contains(it.ids, v.ID) {
		it.ids = append(it.ids, v.ID)
	}
	if v.Review != nil {
		it.review, it.panel = v.Review.ID, v.Review.Panel
	}
	it.ops = append(it.ops, operation{do: submitted, out: v.state(), known: true, call: call, end: h.now()})
}

// saw notes what the API said of an item.
func (h *history) saw(k key, call int64, s state) {
	h.mu.Lock()
	defer h.mu.Unlock()
	it := h.of(k)
	it.ops = append(it.ops, operation{do: read, out: s, known: true, call: call, end: h.now()})
}

// told notes a callback: it tells how the item stood at some time before.
func (h *history) told(source, id string, s state) {
	h.mu.Lock()
	defer h.mu.Unlock()
	it := h.of(key{source, id})
	it.ops = append(it.ops, operation{do: told, out: s, known: true, end: h.now()})
	if s.isDecided() && it.review != "" {
		h.done(round{it.review, s.round()})
	}
}

func (h *history) done(r round) {
	if h.ticked[r].IsZero() {
		h.ticked[r] = time.Now()
	}
}

// isDone says whether a review's round was decided long enough ago for every reviewer to know: nobody clicks on it any more. A click would
// bring a card up to date that was left behind.
func (h *history) isDone(review string, n int) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	at, ok := h.ticked[round{review, n}]
	return ok && time.Since(at) > 200*time.Millisecond
}

// timedOut counts a click that was not answered in time.
func (h *history) timedOut() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.slow++
}

// did notes what a reviewer did. Only if it was ticked it is known to have had its effect, or to have been told why not; decides says that
// a tick means that there is a decision.
func (h *history) did(review string, op operation, decides bool, took time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	op.end = never
	if op.known {
		op.end = h.now()
		h.took = append(h.took, took)
		if decides {
			h.done(round{review, op.round})
		}
	}
	h.clicks = append(h.clicks, click{review, op})
}

// acked returns the acknowledged items, the oldest first, as they are now.
func (h *history) acked() []item {
	h.mu.Lock()
	defer h.mu.Unlock()
	var out []item
	for _, it := range h.order {
		if it.acked {
			c := *it
			c.ops = slices.Clone(it.ops)
			out = append(out, c)
		}
	}
	return out
}

// tried says whether an item was ever submitted, with whatever outcome.
func (h *history) tried(k key) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.items[k] != nil
}

// allClicks returns every click.
func (h *history) allClicks() []click {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.clicks)
}
