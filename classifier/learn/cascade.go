package learn

import "math"

// Said is what the two models of a cascade say of one text.
type Said struct {
	ItemID string
	Score  float64 // the small model's highest
	Failed bool    // the small model did: the large one's is the text at any threshold
	Same   bool    // both say the same label; where the large one fails, they do not
}

// CascadeOptions say what is to be promised.
type CascadeOptions struct {
	Risk       Share // share of the texts that the small model answers on which the large one would have said something else
	Confidence Share // with which that is not exceeded
}

// CascadeAdvice is the lowest threshold of a cascade that a promise can be kept with.
type CascadeAdvice struct {
	Promise
	Items int
	Kept  float64 // share of all texts that the small model would answer
	More  int     // texts that lack for a promise, about, if the models go on to differ as often as here; 0: none lack, or no number of them would do
	Curve []Point // by falling threshold; Load is the share that the large model would see
}

// AdviseCascade finds the lowest score from which on the small model's answers can stand: the walk of [Advise], on texts of which all are known. Nobody's labels are
// needed, since what is promised is that the cascade says what the large model alone would have said. The texts must be drawn alike and independently, from those to come.
func AdviseCascade(texts []Said, o CascadeOptions) CascadeAdvice {
	items := make([]Evidence, len(texts))
	kept := 0
	for i, t := range texts {
		items[i] = Evidence{ItemID: t.ItemID, Confidence: t.Score, Inclusion: 1, Rate: 1, Other: t.Failed, Reviewed: true, Answered: true, Correct: t.Same}
	}
	got := Advise(items, AdviseOptions{Risk: o.Risk, Confidence: o.Confidence})
	a := CascadeAdvice{Promise: got.Promises[0], Items: len(items), Curve: got.Curve}
	for _, it := range items {
		if !it.Other && it.Confidence >= a.Threshold {
			kept++
		}
	}
	if len(items) > 0 {
		a.Kept = float64(kept) / float64(len(items))
	}
	if !a.Found {
		a.More = a.lacks(draw(items, ""), o)
	}
	return a
}

// lacks says how many texts more it takes: as the sample has it, or, where that has enough and the walk began at a threshold with too few, as that threshold has.
func (a CascadeAdvice) lacks(s sample, o CascadeOptions) int {
	all := s.suffices(a.Items, o.Risk, o.Confidence)
	if all == 0 || all > a.Items {
		return max(all-a.Items, 0)
	}
	more := a.Items / 10
	if n := a.Need; n.Have > 0 && n.Reviews > n.Have {
		more = max(more, a.Items*(n.Reviews-n.Have)/n.Have)
	}
	return max(more, 1)
}

// suffices says how many items it takes for a promise, where the sample is of all, at the threshold where it takes fewest, at the error rates seen; 0: no number would do.
func (s sample) suffices(all int, risk, confidence Share) int {
	alpha := confidence.complement()
	fewest := fewestFor(0, risk.rat, alpha.rat)
	begin := 1.1 * (float64(fewest) + 2*math.Sqrt(float64(fewest))) // where a walk may begin that forgives nothing, with a tenth for what the pool is mistaken by
	least, before := math.Inf(1), 0
	for _, t := range Thresholds() {
		n, wrong, _ := s.at(t, false)
		if n == before {
			continue
		}
		before = n
		if pass := need(n, wrong, t, risk.Float(), alpha.Float(), fewest).Reviews; pass > 0 {
			least = min(least, math.Ceil(float64(all)*max(begin, float64(pass))/float64(n)))
		}
	}
	if math.IsInf(least, 1) {
		return 0
	}
	return int(least)
}
