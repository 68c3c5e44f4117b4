package main

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/anishathalye/porcupine"

	"hitl"
)

// rules are what the model has to know of one item.
type rules struct {
	route       state  // what its submission makes of it, which is learned from any answer
	undo        bool   // its decisions can be taken back
	claims      bool   // a click is refused while somebody else has claimed the review
	panel       int    // verdicts that its review takes; 0 and 1: one decides
	adjudicator string // who decides when those have no majority
}

// standing is where an item stands in the model: what anybody sees, and the voices of its panel, which nobody does.
type standing struct {
	shown  state
	voices string // of the open round, "REVIEWER=LABEL;…"
}

// itemModel is what one item may do: from absent to sure or pending, by its submission; from pending to decided, by the round's first click, or by the
// last voice of its panel; from decided to the next round, by its decider alone. From sure it goes nowhere. An operation whose outcome nobody
// learned may have its effect whenever it likes, or come so late that it does not matter.
func itemModel(of rules) porcupine.Model {
	m := porcupine.NondeterministicModel{
		Init: func() []any { return []any{standing{}} },
		Step: func(now, in, _ any) (next []any) {
			for _, s := range step(now.(standing), in.(operation), of) {
				next = append(next, s)
			}
			return next
		},
		Equal: func(a, b any) bool { return a == b },
	}
	return m.ToModel()
}

// step returns where an item may stand after an operation; nothing when that is not possible.
func step(now standing, op operation, of rules) []standing {
	same := []standing{now}
	switch op.do {
	case submitted:
		if now.shown == absent {
			now.shown = of.route
		}
		if op.known && op.out != now.shown {
			return nil
		}
		return []standing{now}
	case read, told:
		if op.out != now.shown {
			return nil
		}
		return same
	case clicked, voted, undone:
	}
	switch n := now.shown.round(); {
	case !op.known && op.round != n, op.known && op.round < n:
		return same // too late, which was told
	case op.round != n:
		return nil // nobody can have seen that round
	}
	switch op.do { //nolint:exhaustive // the others are done
	case clicked:
		return stepClick(now, op, of)
	case voted:
		return stepVote(now, op, of)
	}
	_, decider := now.shown.parts()
	switch {
	case now.shown.isPending():
		if op.known {
			return nil // its decision was on the screen
		}
		return same
	case of.undo && decider == op.by:
		return []standing{{shown: pending(op.round + 1)}, now} // or its time was over
	}
	return same
}

func stepClick(now standing, op operation, of rules) []standing {
	next := []standing{{shown: decided(op.round, op.label, op.by)}}
	voices := now.count()
	switch {
	case !now.shown.isPending():
		return []standing{now} // a tick promises that there is a decision
	case of.panel > 1 && (voices < of.panel || op.by != of.adjudicator):
		return []standing{now} // refused
	case of.claims:
		return append(next, now) // decided, or refused
	}
	return next
}

func stepVote(now standing, op operation, of rules) []standing {
	if !now.shown.isPending() || now.count() >= of.panel || strings.Contains(";"+now.voices, ";"+op.by+"=") {
		return []standing{now}
	}
	now.voices = sorted(now.voices + op.by + "=" + op.label + ";") // their order does not matter
	if now.count() < of.panel {
		return []standing{now}
	}
	labels := map[string]int{}
	for voice := range strings.SplitSeq(strings.TrimSuffix(now.voices, ";"), ";") {
		_, l, _ := strings.Cut(voice, "=")
		labels[l]++
	}
	if l := majority(labels, of.panel); l != "" {
		return []standing{{shown: decided(op.round, l, "panel")}}
	}
	return []standing{now}
}

func (s standing) count() int { return strings.Count(s.voices, ";") }

func sorted(voices string) string {
	all := strings.SplitAfter(voices, ";")
	slices.Sort(all)
	return strings.Join(all, "")
}

// majority is the label that more than half of a panel gave; "" when there is none.
func majority(labels map[string]int, panel int) string {
	for l, n := range labels {
		if 2*n > panel {
			return l
		}
	}
	return ""
}

// linearizable says whether there is an order of what was done to an item, in which every operation took effect between its call and
// its answer, that explains every answer.
func linearizable(ops []operation, of rules) bool {
	ops = distinct(ops)
	history := make([]porcupine.Operation, len(ops))
	for i, op := range ops {
		history[i] = porcupine.Operation{ClientId: i, Input: op, Call: op.call, Return: op.end}
	}
	// Illegal is a finding; that the time was too short is none, and does not happen with the few operations of one item.
	return porcupine.CheckOperationsTimeout(itemModel(of), history, 10*time.Second) != porcupine.Illegal
}

// distinct leaves out operations that explain nothing which those that stay do not, since their number decides how long the search takes: of
// equal ones whose outcome nobody learned all but the first, as each can have its effect once at most, and that one at any time at which
// another can.
func distinct(ops []operation) []operation {
	type wish struct {
		do        action
		round     int
		by, label string
	}
	ops = slices.Clone(ops)
	slices.SortStableFunc(ops, func(a, b operation) int { return cmp.Compare(a.call, b.call) })
	unlearned := map[wish]bool{}
	return slices.DeleteFunc(ops, func(op operation) bool {
		w := wish{op.do, op.round, op.by, op.label}
		again := !op.known && unlearned[w]
		unlearned[w] = unlearned[w] || !op.known
		return again
	})
}

// effective leaves out what nobody learned the outcome of and the log knows nothing of: it had no effect. The log itself is held against what
// stands elsewhere.
func effective(ops []operation, log []hitl.Entry) []operation {
	return slices.DeleteFunc(slices.Clone(ops), func(op operation) bool {
		if op.known || op.do == submitted {
			return false
		}
		return !slices.ContainsFunc(log, func(e hitl.Entry) bool {
			if entryRound(e) != op.round || e.Reviewer != op.by {
				return false
			}
			switch e.Status { //nolint:exhaustive // no others are by reviewers
			case hitl.HumanAccepted, hitl.HumanCorrected:
				return op.do == clicked && op.label == e.Label
			case hitl.Voted:
				return op.do == voted && op.label == e.Label
			case hitl.Reopened:
				return op.do == undone
			}
			return false
		})
	})
}

// routeOf learns what an item's submission made of it.
func routeOf(ops []operation) state {
	for _, op := range ops {
		if op.known && strings.HasPrefix(string(op.out), "sure:") {
			return op.out
		}
	}
	return pending(1)
}
