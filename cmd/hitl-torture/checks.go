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
		if c.op.known && c.op.do == clicked && !f.view.state().isDecided() {
			r.lose("a click on item %s was ticked, and there is no decision", f.id)
		}
	}
	r.Acknowledged = len(all)
	for _, f := range all {
		w.checkItem(f, r)
		stood := w.checkEntries(f, r)
		w.checkCallbacks(f, stood, r)
		if !linearizable(effective(f.ops, f.Entries), w.rules(f)) {
			r.NotLinearizable++
			r.problem("item %s: no order explains %s", f.id, describe(f.ops))
		}
	}
	w.checkCards(byReview, r)
	w.team.claims.check(byReview, r)
	w.checkLog(ctx, all, r)
	w.checkCommands(ctx, r)
}

// checkItem: there, once, under one id, decided.
func (w *world) checkItem(f *finalItem, r *Report) {
	switch {
	case len(f.ids) != 1:
		r.lose("item %s was acknowledged under several ids, %v", f.id, f.ids)
	case !f.found:
		r.lose("item %s is not there", f.id)
	case f.view.ExternalID != f.id:
		r.lose("item %s is there as %q", f.id, f.view.ExternalID)
	}
	if f.view.state().isPending() {
		r.Undecided++
		r.problem("item %s (review %s) was not decided in time", f.id, f.review)
	}
}

// rules are what the model has to know of an item.
func (w *world) rules(f *finalItem) rules {
	of := w.feed(f.source)
	return rules{
		route: routeOf(f.ops), undo: of.undoes(), claims: of.ClaimFor > 0, panel: f.panel, adjudicator: w.slack.id(reviewers()[0]),
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
			case !f.view.state().isDecided() && c.open() == 0:
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

// says whether a card without any button that changes something tells a decision, or that another card does.
func (c shownCard) says(s state) bool {
	label, reviewer := s.parts()
	by := "the panel"
	if _, user, person := strings.Cut(reviewer, "/"); person {
		by = "<@" + user + ">"
	}
	if _, undo := c.button("hitl_undo"); undo || c.open() > 0 || claimLine.MatchString(c.text) {
		return false
	}
	return strings.Contains(c.text, "another card") || strings.Contains(c.text, by) && strings.Contains(c.text, "`"+label+"`")
}

// target is what somebody wanted, of operations of reviewers.
func (op operation) target() string {
	if op.round == 0 {
		return ""
	}
	return fmt.Sprintf("round %d by %s %s", op.round, op.by, op.label)
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
		out = append(out, fmt.Sprintf("[%.3f–%s %s %s%s]", float64(op.call)/1e9, end, op.do, op.target(), op.out))
	}
	return strings.Join(out, " ")
}
