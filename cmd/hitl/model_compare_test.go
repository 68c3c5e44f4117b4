package main

import (
	"bytes"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"hitl"
	"hitl/classifier/learn"
)

// Each answered item counts by the inverse of its inclusion, what the candidate may know does not count, and what was not shadowed is told.
func TestShadowTally(t *testing.T) {
	t.Parallel()
	added := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	heldOut, learned := "", ""
	for i := 0; heldOut == "" || learned == ""; i++ {
		if id := fmt.Sprint("itm_old_", i); learn.HeldOut(id) {
			heldOut = id
		} else {
			learned = id
		}
	}
	at := func(id, ai, label string, inclusion float64) hitl.Labelled {
		return hitl.Labelled{ItemID: id, ReceivedAt: added.Add(time.Hour), Model: "sha256:m1", AILabel: ai, Label: label, Inclusion: inclusion}
	}
	old := func(l hitl.Labelled) hitl.Labelled { l.ReceivedAt = added.Add(-time.Hour); return l }
	failed := at("f", "", "A", 1)
	failed.Triggers = []hitl.Trigger{hitl.TriggerModelError}
	nobody := at("n", "", "A", 1)
	nobody.Model, nobody.Triggers = "", []hitl.Trigger{hitl.TriggerNoModel}
	tally := shadowTally{pairs: map[[2]string]*disagree{}, report: shadowReport{AddedAt: added}, labels: map[string]string{
		learned: "A", heldOut: "A", "1": "A", "2": "B", "3": "A", "4": "", "5": "A", "f": "A", "n": "A",
	}}
	for _, l := range []hitl.Labelled{
		at("before", "A", "A", 1), // the first shadowed comes later
		old(at(learned, "B", "A", 1)),
		old(at(heldOut, "B", "A", 1)), // only the candidate is right
		at("not shadowed", "A", "A", 1),
		at("1", "A", "A", 0.25), // both
		at("2", "A", "A", 0.5),  // only the incumbent
		at("3", "B", "A", 0.25), // only the candidate
		at("4", "A", "A", 1),    // the candidate failed
		at("5", "B", "", 1),     // nobody answered
		failed,                  // the incumbent failed
		nobody,                  // there was none
		at("after", "A", "A", 1),
	} {
		tally.add(l)
	}
	r := tally.sum()
	if r.Shadowed != 9 || r.LeftOut != 1 || r.Failed != 1 || r.Answered != 8 || r.MayKnow != 1 || r.Both != 6 || r.Same != 1 {
		t.Errorf("counts: %+v", r)
	}
	// Weights: 1 (held out), 4, 2, 4, 1, 1, of which the candidate has 1+4+4+1 right and the incumbent 4+2+1.
	c := r.Comparison
	if c == nil || c.Items != 6 || math.Abs(c.Candidate-10./13) > 1e-9 || math.Abs(c.Incumbent-7./13) > 1e-9 || math.Abs(c.Difference-3./13) > 1e-9 {
		t.Errorf("compared: %+v", c)
	}
	// The signs of 1, -2, 4, -1, 1: of 32 ways, those 24 add up to 3 or more, or to -3 or less.
	if c != nil && c.P != 0.75 {
		t.Errorf("p = %v", c.P)
	}
	if s := r.Candidate; s == nil || s.Items != 7 || math.Abs(s.Accuracy-11./14) > 1e-9 {
		t.Errorf("the candidate alone: %+v", s)
	}
	if len(r.Disagree) != 2 || r.Disagree[0] != (disagree{"B", "A", 4, 0, 3, 0}) || r.Disagree[1] != (disagree{"A", "B", 1, 1, 0, 0}) {
		t.Errorf("disagreements: %+v", r.Disagree)
	}
	var out bytes.Buffer
	if err := r.print(&out, 1); err != nil || !strings.Contains(out.String(), "of 1 the candidate may have learned") {
		t.Errorf("%s, %v", &out, err)
	}
}

// Nothing is not the same as zero.
func TestShadowOfNothing(t *testing.T) {
	t.Parallel()
	r := (&shadowTally{report: shadowReport{Classifier: "tickets", Model: "sha256:abc"}}).sum()
	var out bytes.Buffer
	if err := r.print(&out, 0); err != nil || !strings.Contains(out.String(), "classifiers.tickets.shadow_share is 0") {
		t.Errorf("%s, %v", &out, err)
	}
	taken := 0
	for i := range 10000 {
		id := fmt.Sprint("itm_", i)
		if shadowed(0, id) || !shadowed(1, id) {
			t.Fatalf("%s: a share of 0 takes it, or one of 1 does not", id)
		}
		if shadowed(0.25, id) {
			taken++
		}
	}
	if math.Abs(float64(taken)-2500) > 5*math.Sqrt(10000*0.25*0.75) {
		t.Errorf("%d of 10000 are taken for a quarter", taken)
	}
}
