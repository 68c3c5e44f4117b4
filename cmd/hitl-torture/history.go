package main

import (
	"slices"
	"strings"
	"sync"
	"time"
)

// state is where one item stands, as somebody outside sees it: absent (empty), pending, sure:LABEL, or decided:LABEL:REVIEWER.
type state string

const (
	absent  state = ""
	pending state = "pending"
)

func sure(label string) state              { return state("sure:" + label) }
func decided(label, reviewer string) state { return state("decided:" + label + ":" + reviewer) }

// action is what was done to one item.
type action int

const (
	submitted action = iota // post it; out is what the answer said
	clicked                 // decide it as want; a known outcome means that it was ticked
	read                    // look at it: the API's answer, or a callback
)

// never is the end of an operation whose outcome nobody learned: it may take effect at any time.
const never = 1 << 62

// operation is one thing that was done, with the times between which it took effect, in nanoseconds since the start.
type operation struct {
	do        action
	want      state // of clicked
	out       state // of submitted and read, when known
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
	ops    []operation
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
	took   []time.Duration      // of ticked clicks, from click to answer
	ticked map[string]time.Time // by review: the first tick
	slow   int                  // clicks that were not answered within Slack's three seconds
	wrong  []string             // what must not happen, seen while it happened
}

func newHistory() *history {
	return &history{start: time.Now(), items: map[key]*item{}, ticked: map[string]time.Time{}}
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
		it.review = v.Review.ID
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

// told notes a callback.
func (h *history) told(source, id string, s state) {
	h.saw(key{source, id}, h.now(), s)
}

// isDone says whether a review was decided long enough ago for every reviewer to know: nobody clicks on it any more. A click would
// bring a card up to date that was left behind.
func (h *history) isDone(review string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	at, ok := h.ticked[review]
	return ok && time.Since(at) > 200*time.Millisecond
}

// timedOut counts a click that was not answered in time.
func (h *history) timedOut() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.slow++
}

// clickedOn notes a click. Only a ticked one is known to have had its effect, or to have come second.
func (h *history) clickedOn(review string, call int64, want state, ticked bool, took time.Duration) {
	op := operation{do: clicked, want: want, known: ticked, call: call, end: never}
	h.mu.Lock()
	defer h.mu.Unlock()
	if ticked {
		op.end = h.now()
		h.took = append(h.took, took)
		if h.ticked[review].IsZero() {
			h.ticked[review] = time.Now()
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

// isDecided says whether a reviewer's decision stands.
func (s state) isDecided() bool { return strings.HasPrefix(string(s), "decided:") }

// parts returns label and reviewer of a decided state.
func (s state) parts() (label, reviewer string) {
	label, reviewer, _ = strings.Cut(strings.TrimPrefix(string(s), "decided:"), ":")
	return label, reviewer
}

// allClicks returns every click.
func (h *history) allClicks() []click {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.clicks)
}
