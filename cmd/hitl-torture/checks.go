package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"

	"hitl"
)

// finalItem is an acknowledged item with what the service says of it in the end.
type finalItem struct {
	item
	itemLog

	view  itemView
	found bool
}

// itemLog is what the API says of an item's log entries.
type itemLog struct {
	Entries []hitl.Entry  `json:"entries"`
	Proof   hitl.LogProof `json:"proof"`
}

// log reads an item's log.
func (u *upstream) log(ctx context.Context, id string) (itemLog, error) {
	var l itemLog
	status, err := u.call(ctx, http.MethodGet, "/v1/items/"+id+"/log", nil, &l)
	if err == nil && status != http.StatusOK {
		err = errors.New(http.StatusText(status))
	}
	return l, err
}

// readAll asks the service for every acknowledged item and its log.
func (w *world) readAll(ctx context.Context) []*finalItem {
	var all []*finalItem
	var reading sync.WaitGroup
	room := make(chan struct{}, 8)
	for _, it := range w.hist.acked() {
		f := &finalItem{item: it}
		all = append(all, f)
		room <- struct{}{}
		reading.Go(func() {
			defer func() { <-room }()
			u := w.upstreams[it.source]
			call := w.hist.now()
			v, status, err := u.look(ctx, it.ids[0])
			if err != nil {
				return
			}
			f.view, f.found = v, status == http.StatusOK
			last := operation{do: read, known: true, call: call, end: w.hist.now()}
			if f.found {
				last.out = v.state()
			}
			f.ops = append(f.ops, last)
			if log, err := u.log(ctx, it.ids[0]); err == nil {
				f.itemLog = log
			}
		})
	}
	reading.Wait()
	return all
}

// check compares what is there with what was acknowledged, and fills the report.
func (w *world) check(ctx context.Context, r *Report) {
	all := w.readAll(ctx)
	clicks := w.hist.allClicks()
	byReview := map[string]*finalItem{}
	for _, f := range all {
		if f.review != "" {
			byReview[f.review] = f
		}
	}
	for _, c := range clicks {
		if c.op.known {
			r.Clicks++
		}
		f := byReview[c.review]
		if f == nil {
			if c.op.known {
				r.lose("a ticked click on review %s, which belongs to no acknowledged item", c.review)
			}
			continue
		}
		f.ops = append(f.ops, c.op)
		if c.op.known && !f.view.state().isDecided() {
			r.lose("a click on item %s was ticked, and there is no decision", f.id)
		}
	}
	r.Acknowledged = len(all)
	for _, f := range all {
		w.checkItem(f, r)
		w.checkCallback(f, r)
		if !linearizable(f.ops, routeOf(f.ops)) {
			r.NotLinearizable++
			r.problem("item %s: no order explains %s", f.id, describe(f.ops))
		}
	}
	w.checkCards(byReview, r)
	w.checkLog(ctx, all, r)
	w.checkCommands(ctx, r)
}

// checkItem: there, once, under one id, with its full history.
func (w *world) checkItem(f *finalItem, r *Report) {
	switch {
	case len(f.ids) != 1:
		r.lose("item %s was acknowledged under several ids, %v", f.id, f.ids)
	case !f.found:
		r.lose("item %s is not there", f.id)
	case f.view.ExternalID != f.id:
		r.lose("item %s is there as %q", f.id, f.view.ExternalID)
	}
	if f.view.state() == pending {
		r.Undecided++
		r.problem("item %s (review %s) was not decided in time", f.id, f.review)
	}
	var begun, ended int
	for _, e := range f.Entries {
		switch e.Status {
		case hitl.AIAccepted, hitl.HumanReview:
			begun++
		case hitl.Erased, hitl.Revealed, hitl.Voted, hitl.SkippedByOne, hitl.Reopened, hitl.Escalated, hitl.Noted: // nobody does that here
			r.lose("item %s has an entry %s", f.id, e.Status)
		case hitl.HumanAccepted, hitl.HumanCorrected, hitl.Expired, hitl.Cancelled:
			ended++
			if d := f.view.Decision; d == nil || d.Status != e.Status || d.Label != e.Label || d.Reviewer != e.Reviewer {
				r.lose("item %s: the log's entry of %s by %s is not the decision that stands", f.id, e.Status, e.Reviewer)
			}
		}
	}
	if ended > 1 {
		r.DoubleDecisions++
		r.problem("item %s has %d decisions", f.id, ended)
	}
	if begun != 1 || (ended == 0 && f.view.Decision != nil) {
		r.lose("item %s: its log has %d entries for its arrival and %d for its decision", f.id, begun, ended)
	}
}

// checkCallback: at least once, always the same.
func (w *world) checkCallback(f *finalItem, r *Report) {
	if f.view.state() == pending {
		return
	}
	switch n := w.sink.of(f.ids[0]); {
	case n == 0:
		r.MissingCallbacks++
		r.problem("item %s was decided and not called back", f.id)
	case n > 1:
		r.ChangedCallbacks++
		r.problem("item %s was called back in %d different ways", f.id, n)
	}
}

// checkCards: each review has a card, its cards say what its row says, and none is dead.
func (w *world) checkCards(byReview map[string]*finalItem, r *Report) {
	shown := map[string]bool{}
	for _, u := range w.upstreams {
		for _, c := range w.slack.cards(u.Channel) {
			shown[c.review] = true
			f := byReview[c.review]
			switch {
			case f == nil:
				r.dead("card %s in %s shows a review of no acknowledged item", c.ts, c.channel)
			case f.view.state().isDecided() && !c.says(f.view.state()):
				r.dead("card %s in %s of item %s (review %s) does not say what was decided: %.200q", c.ts, c.channel, f.id, c.review, c.text)
			case !f.view.state().isDecided() && len(c.buttons) == 0:
				r.dead("card %s in %s of the open item %s has no buttons", c.ts, c.channel, f.id)
			}
		}
	}
	for review, f := range byReview {
		if !shown[review] {
			r.dead("item %s (review %s) has no card", f.id, review)
		}
	}
}

// says whether a card without buttons tells a decision, or that another card does.
func (c shownCard) says(s state) bool {
	label, reviewer := s.parts()
	_, user, _ := strings.Cut(reviewer, "/")
	if len(c.buttons) > 0 {
		return false
	}
	return strings.Contains(c.text, "another card") || strings.Contains(c.text, "<@"+user+">") && strings.Contains(c.text, "`"+label+"`")
}

// describe writes what was done to an item, in order.
func describe(ops []operation) string {
	ops = slices.Clone(ops)
	slices.SortFunc(ops, func(a, b operation) int { return int(a.call - b.call) })
	var out []string
	for _, op := range ops {
		end := "?"
		if op.end != never {
			end = fmt.Sprintf("%.3f", float64(op.end)/1e9)
		}
		out = append(out, fmt.Sprintf("[%.3f–%s %s %s%s]", float64(op.call)/1e9, end, []string{"submit", "click", "read"}[op.do], op.want, op.out))
	}
	return strings.Join(out, " ")
}
