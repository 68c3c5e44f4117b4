package learn

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"
)

// said is what two models would say of n texts of a world in which the small one is as sure, and says what the large one does as often, as the world's model is right.
func said(chance *rand.Rand, w truth, n int) []Said {
	out := make([]Said, n)
	for i := range out {
		score, same := w.draw(chance)
		out[i] = Said{ItemID: strconv.Itoa(i), Score: score, Same: chance.Float64() < same}
	}
	return out
}

// Over 200 runs the small model differs from the large one on more of the texts that it keeps than was promised in no more than the promised share of them; the naive
// rule, the lowest threshold at which the texts looked at differ seldom enough, breaks its word far more often.
func TestCascadePromiseHolds(t *testing.T) {
	const runs = 200
	o := CascadeOptions{Risk: mustShare(t, "0.05"), Confidence: mustShare(t, "0.9")}
	most := 0
	for binomialCDF(most, runs, 0.1) < 0.9999 {
		most++
	}
	naiveBroke, promised := 0, 0
	for i, w := range truths(t) {
		chance := rand.New(rand.NewPCG(uint64(i), 7))
		broken, found, naive := 0, 0, 0
		for range runs {
			texts := said(chance, w, 400)
			a := AdviseCascade(texts, o)
			if a.Found {
				found++
				if w.risk(a.Threshold) > 0.05 {
					broken++
				}
			}
			best := float64(NoThreshold)
			for _, p := range a.Curve {
				if p.Sampled > 0 && float64(p.Wrong) <= 0.05*float64(p.Sampled) {
					best = p.Threshold
				}
			}
			if best != NoThreshold && w.risk(best) > 0.05 {
				naive++
			}
		}
		t.Logf("%s: promised in %d runs, exceeded in %d of %d; by the naive rule in %d", w.name, found, broken, runs, naive)
		if broken > most {
			t.Errorf("%s: the risk is exceeded in %d of %d runs", w.name, broken, runs)
		}
		if naive > most {
			naiveBroke++
		}
		promised += found
	}
	if naiveBroke < 2 || promised < runs/2 {
		t.Errorf("the naive rule breaks its word in %d worlds, and %d promises were made: this test would not see much", naiveBroke, promised)
	}
}

// As many texts as are said to lack do.
func TestCascadeLacks(t *testing.T) {
	o := CascadeOptions{Risk: mustShare(t, "0.01"), Confidence: mustShare(t, "0.95")}
	agreeing := func(n, differ int) []Said {
		out := make([]Said, n)
		for i := range out {
			// The first tenth is never sure; of the others those differ that come first.
			out[i] = Said{ItemID: fmt.Sprint(i), Score: 0.99, Same: i >= n/10+differ}
			if i < n/10 {
				out[i].Score = 0.5
			}
		}
		return out
	}
	advise := func(texts []Said) CascadeAdvice {
		a := AdviseCascade(texts, o)
		a.Curve = nil // too long to be printed
		return a
	}
	few := advise(agreeing(100, 0))
	if few.Found || few.Items != 100 || few.More < 200 || few.More > 500 || few.Kept != 0 {
		t.Fatalf("of 100 texts: %+v", few)
	}
	enough := advise(agreeing(100+few.More, 0))
	if !enough.Found || enough.Kept < 0.85 || enough.Kept > 0.95 || enough.Upper > 0.01 || enough.More != 0 || enough.Threshold > 0.99 || enough.Threshold <= 0.5 {
		t.Errorf("of %d: %+v", 100+few.More, enough)
	}
	if never := advise(agreeing(1000, 300)); never.Found || never.More != 0 {
		t.Errorf("where a third differs: %+v", never)
	}
	failing := agreeing(1000, 0)
	for i := range failing {
		failing[i].Failed = i%2 == 0
	}
	if a := advise(failing); !a.Found || a.Kept > 0.5 {
		t.Errorf("where the small model fails on half: %+v", a)
	}
	if a := advise(nil); a.Found || a.More != 0 {
		t.Errorf("of nothing: %+v", a)
	}
}
