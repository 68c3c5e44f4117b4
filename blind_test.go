package hitl

import (
	"math"
	"testing"
	"time"
)

// The share that is drawn is the one that was asked for, and panels are drawn from the blind as often as from the others: both within five standard
// deviations of the binomial distribution, which chance leaves once in two million runs.
func TestBlindDraw(t *testing.T) {
	t.Parallel()
	const n, blindShare, panelShare = 100_000, 0.2, 0.3
	panels := PanelRules{Reviewers: 3, Share: panelShare}
	blind, both := 0, 0
	for range n {
		id := NewID("rev", time.Unix(0, 0))
		b, p := drawBlind(blindShare, id), panels.size(id) > 1
		if b != drawBlind(blindShare, id) {
			t.Fatalf("%s is drawn once so, once so", id)
		}
		if b {
			blind++
			if p {
				both++
			}
		}
		if drawBlind(0, id) || !drawBlind(1, id) {
			t.Fatalf("%s: a share of 0 takes it, or one of 1 does not", id)
		}
	}
	for _, c := range []struct {
		what string
		got  int
		p    float64
	}{{"blind", blind, blindShare}, {"blind and before a panel", both, blindShare * panelShare}} {
		want, sd := n*c.p, math.Sqrt(n*c.p*(1-c.p))
		if math.Abs(float64(c.got)-want) > 5*sd {
			t.Errorf("%d of %d are %s, want %.0f ± %.0f", c.got, n, c.what, want, 5*sd)
		}
	}
}

// What intake draws is what the ledger gets; a queue without a share has no blind reviews.
func TestIntakeDrawsBlind(t *testing.T) {
	t.Parallel()
	for share, want := range map[float64]bool{0: false, 1: true} {
		m := newMemory()
		in := testIntake(m, &waiting{}, unsure)
		in.Queues["support"] = QueueRules{BlindShare: share}
		rec, _, err := in.Submit(t.Context(), Submission{Source: "shop", Text: "so so"})
		if err != nil || rec.Review == nil || rec.Review.Blind != want || rec.Sealed() != want {
			t.Errorf("share %v: %+v, %v", share, rec.Review, err)
		}
	}
}
