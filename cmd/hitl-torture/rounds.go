package main

import (
	"hitl"
)

// entryRound is the round that a log entry is about.
func entryRound(e hitl.Entry) int {
	n, _ := e.Context["round"].(float64) // as JSON has it
	return int(n)
}

// checkEntries follows an item through its log: there, then in each round its verdicts and one decision, which was taken back before the next
// round. It returns how the item stood after each change that an upstream is told of.
func (w *world) checkEntries(f *finalItem, r *Report) (stood []state) {
	now := absent
	voices := map[string]string{} // of the round: reviewer, label
	for i, e := range f.Entries {
		n := entryRound(e)
		if i > 0 && n != now.round() {
			r.lose("item %s: its log has an entry %s of round %d after %q", f.id, e.Status, n, now)
		}
		switch e.Status {
		case hitl.AIAccepted, hitl.HumanReview:
			if i > 0 {
				r.lose("item %s arrived twice", f.id)
			}
			if now = pending(1); e.Status == hitl.AIAccepted {
				now = sure(e.Label)
				stood = append(stood, now)
			}
		case hitl.Voted:
			r.Verdicts++
			if _, again := voices[e.Reviewer]; again || len(voices) >= f.panel || !now.isPending() {
				r.WrongPanels++
				r.problem("item %s: %s has a verdict too many, after %v of %d", f.id, e.Reviewer, voices, f.panel)
			}
			voices[e.Reviewer] = e.Label
		case hitl.HumanAccepted, hitl.HumanCorrected:
			if now.isDecided() {
				r.DoubleDecisions++
				r.problem("item %s has two decisions in round %d", f.id, n)
			}
			w.checkPanel(f, e, voices, r)
			now = decided(n, e.Label, e.Reviewer)
			stood = append(stood, now)
		case hitl.Reopened:
			r.Undone++
			if _, by := now.parts(); by != e.Reviewer || !w.feed(f.source).undoes() {
				r.lose("item %s, %s: %s took that back", f.id, now, e.Reviewer)
			}
			now, voices = pending(n+1), map[string]string{}
			stood = append(stood, now)
		case hitl.Expired, hitl.Cancelled, hitl.Erased, hitl.Revealed, hitl.SkippedByOne, hitl.Escalated, hitl.Noted, hitl.ChangeAccepted, hitl.ChangeDeclined, hitl.Detached: // nobody does that here
			r.lose("item %s has an entry %s", f.id, e.Status)
		}
	}
	if now != f.view.state() {
		r.lose("item %s: its log ends with %q, and it stands at %q", f.id, now, f.view.state())
	}
	return stood
}

// checkPanel: a panel's decision is that of the majority of all its verdicts, or, when they have none, of the adjudicator.
func (w *world) checkPanel(f *finalItem, decision hitl.Entry, voices map[string]string, r *Report) {
	if f.panel <= 1 {
		if len(voices) > 0 || decision.Reviewer == "panel" {
			r.WrongPanels++
			r.problem("item %s has verdicts of a panel, and none was to judge it", f.id)
		}
		return
	}
	r.Panels++
	given := map[string]int{}
	for _, label := range voices {
		given[label]++
	}
	by, label := "panel", majority(given, f.panel)
	if label == "" {
		r.Adjudicated++
		by, label = w.slack.id(reviewers()[0]), decision.Label
	}
	if len(voices) != f.panel || decision.Label != label || decision.Reviewer != by {
		r.WrongPanels++
		r.problem("item %s: %s decided %s after the verdicts %v of %d", f.id, decision.Reviewer, decision.Label, voices, f.panel)
	}
}

// checkCallbacks: each at least once, always the same, in order. Where callbacks wait until a decision cannot be undone any more, what stands is
// told and nothing else; where they do not wait, everything.
func (w *world) checkCallbacks(f *finalItem, stood []state, r *Report) {
	if !w.feed(f.source).Amend && len(stood) > 0 {
		stood = stood[len(stood)-1:]
	}
	told := w.sink.of(f.ids[0])
	r.Callbacks += len(told)
	for i, s := range stood {
		switch {
		case !w.sink.knows(f.ids[0], s):
			r.MissingCallbacks++
			r.problem("item %s stood at %q and was not called back", f.id, s)
		case i >= len(told) || told[i].says != s:
			r.MisorderedCallbacks++
			r.problem("item %s stood at %q, which was not the callback %d of %d", f.id, s, i+1, len(told))
		}
	}
	if len(told) > len(stood) {
		r.ChangedCallbacks++
		r.problem("item %s was called back in %d different ways, %d expected: %v", f.id, len(told), len(stood), told)
	}
}
