package learn

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"math"
	"math/big"
	"slices"
)

// Evidence is an item as an advice on thresholds sees it.
type Evidence struct {
	ItemID     string
	Label      string  // the model's
	Confidence float64 // as policies compare it
	Inclusion  float64 // probability with which such an item is reviewed, at the time
	Rate       float64 // share of the sure items that was reviewed at the time: Inclusion at most
	Other      bool    // something else than its confidence or chance sends it to people, whatever the threshold
	Reviewed   bool    // a person was asked
	Answered   bool    // and answered
	Correct    bool    // what the model had said
}

// AdviseOptions say what is to be promised.
type AdviseOptions struct {
	Risk       Share // the error rate that accepted items must not exceed
	Confidence Share // with which it is promised
	// Labels has each of these labels promised the risk on its own, all of them together with the confidence. Default: one promise for all items.
	Labels []string
	// LeaveOut leaves items without an answer out instead of counting them as wrong. The promise is weaker then: of what was answered.
	LeaveOut bool
	// SampleRate is the share of accepted items that people will see too: for the load. 0: not known.
	SampleRate float64
}

// Advice is the thresholds that a promise can be kept with.
type Advice struct {
	Promises []Promise // one, or one for each label, in the order of Options.Labels
	Curve    []Point   // what each threshold brings, by falling threshold; the same for all labels
	Items    int
	Load     float64 // share of the items that people would see with the promised thresholds
}

// Promise is the lowest threshold at which at most the risk is exceeded by nobody's chance, so to speak: see the package's documentation.
type Promise struct {
	Label      string  // empty: all
	Found      bool    // otherwise nothing can be promised, and Threshold is NoThreshold
	Threshold  float64 // a confidence equal to it is accepted
	Sampled    int     // items at or above it in the random sample
	Wrong      int     // of these, Unanswered included unless they are left out
	Unanswered int
	Upper      float64 // bound of their error rate at the promise's confidence
	Sample     int     // size of the whole random sample
	Rate       float64 // share of all acceptable items that it holds
	Need       Need    // what is missing, when nothing was found
}

// NoThreshold is above every confidence.
const NoThreshold = 2

// Need says what a promise lacks.
type Need struct {
	// Reviews is how many sampled reviews above a threshold it takes, in all: as many as pass without an error, or, at the error rate seen, with a probability
	// of 0.8. 0: no number of them would, the error rate is too high.
	Reviews int
	Above   float64 // that threshold; NoThreshold: none has had enough items to try
	Have    int     // sampled there now
	Wrong   int
}

// Point is what one threshold brings.
type Point struct {
	Threshold float64
	Load      float64 // share of all items that people see
	Sampled   int     // of the random sample, at or above it
	Wrong     int
	Errors    Interval // 95% interval of the error rate there
}

// Thresholds are the grid that promises are looked for on, from the strictest down: fixed before any data is seen.
func Thresholds() []float64 {
	grid := []float64{0.9999, 0.9995, 0.999, 0.998}
	for i := 199; i >= 10; i-- {
		grid = append(grid, float64(i)/200)
	}
	return grid
}

// Advise finds the lowest thresholds at which a promise can be made. It depends on nothing but its arguments.
func Advise(items []Evidence, o AdviseOptions) Advice {
	a := Advice{Items: len(items)}
	labels := o.Labels
	if len(labels) == 0 {
		labels = []string{""}
	}
	for _, l := range labels {
		a.Promises = append(a.Promises, draw(items, l).promise(l, len(labels), o))
	}
	accepted := 0.0
	for _, it := range items {
		if !it.Other && it.Confidence >= a.threshold(it.Label) {
			accepted += 1 - o.SampleRate
		}
	}
	if len(items) > 0 {
		a.Load = 1 - accepted/float64(len(items))
	}
	a.Curve = curve(items, o)
	return a
}

// threshold is what the advice says of a label.
func (a Advice) threshold(label string) float64 {
	for _, p := range a.Promises {
		if p.Label == label || p.Label == "" {
			return p.Threshold
		}
	}
	return NoThreshold
}

// sample is a simple random sample of the items that could be accepted, and items outside of it that are distributed as it is.
type sample struct {
	kept []Evidence // by falling confidence
	sums []counts   // of the first so many of them
	pool []float64  // confidences of the others, rising
	rate float64
}

// counts are of a part of a sample.
type counts struct{ answered, wrong int }

// newSample takes its arguments over.
func newSample(kept []Evidence, pool []float64, rate float64) sample {
	slices.SortFunc(kept, func(a, b Evidence) int { return cmp.Compare(b.Confidence, a.Confidence) })
	slices.Sort(pool)
	s := sample{kept: kept, sums: make([]counts, len(kept)+1), pool: pool, rate: rate}
	for i, it := range kept {
		c := s.sums[i]
		if it.Answered {
			c.answered++
			if !it.Correct {
				c.wrong++
			}
		}
		s.sums[i+1] = c
	}
	return s
}

// draw thins items to the rate of their time: an item that was reviewed with probability p, when so many of the sure ones were, stays with that rate over p. Whether
// it does is up to its id, by SHA-256, so that nobody can draw until they like it. So at any time all that could be accepted are kept alike, whatever their
// confidence. The others, and at least a tenth of all, are the pool.
func draw(items []Evidence, label string) sample {
	var kept []Evidence
	var pool []float64
	least, most, sum := 1.0, 0.0, 0.0
	for _, it := range items {
		if it.Other || label != "" && it.Label != label {
			continue
		}
		least, most, sum = min(least, it.Rate), max(most, it.Rate), sum+it.Rate
		if it.Reviewed && it.Rate > 0 && (it.Inclusion <= it.Rate || uniform("hitl thin\x00", it.ItemID) < it.Rate/it.Inclusion) {
			kept = append(kept, it)
		} else {
			pool = append(pool, it.Confidence)
		}
	}
	rate := most
	if least < most { // the mean, which rounding makes another number where all are the same
		rate = sum / float64(len(kept)+len(pool))
	}
	if 9*len(pool) < len(kept) {
		kept = slices.DeleteFunc(kept, func(it Evidence) bool {
			aside := uniform("hitl aside\x00", it.ItemID) < 0.1
			if aside {
				pool = append(pool, it.Confidence)
			}
			return aside
		})
	}
	return newSample(kept, pool, rate)
}

// uniform makes of an id a number in [0, 1), by SHA-256.
func uniform(tag, id string) float64 {
	sum := sha256.Sum256([]byte(tag + id))
	return float64(binary.BigEndian.Uint64(sum[:])>>11) / (1 << 53)
}

// at counts the sample at or above a threshold.
func (s sample) at(threshold float64, leaveOut bool) (n, wrong, unanswered int) {
	n, _ = slices.BinarySearchFunc(s.kept, threshold, func(it Evidence, t float64) int {
		if it.Confidence >= t {
			return -1
		}
		return 1
	})
	c := s.sums[n]
	if leaveOut {
		return c.answered, c.wrong, 0
	}
	unanswered = n - c.answered
	return n, c.wrong + unanswered, unanswered
}

// expected is how many items the sample should hold at or above a threshold, by the pool alone.
func (s sample) expected(threshold float64) float64 {
	if len(s.pool) == 0 {
		return 0
	}
	below, _ := slices.BinarySearch(s.pool, threshold)
	return float64(len(s.kept)) * float64(len(s.pool)-below) / float64(len(s.pool))
}

// promise walks down the grid, and stops where the test fails for the first time.
func (s sample) promise(label string, together int, o AdviseOptions) Promise {
	p := Promise{Label: label, Threshold: NoThreshold, Sample: len(s.kept), Rate: s.rate}
	alpha := o.Confidence.complement().over(together)
	level, _ := alpha.Float64()
	fewest := fewestFor(0, o.Risk.rat, alpha)
	p.Need = Need{Reviews: fewest, Above: NoThreshold}
	enough := s.enough(o.Risk.rat, alpha)
	w := walk(s, o.Risk.rat, alpha, o.LeaveOut, func(t float64) bool { return s.expected(t) >= enough })
	p.Found, p.Threshold, p.Sampled, p.Wrong, p.Unanswered = w.threshold != NoThreshold, w.threshold, w.n, w.wrong, w.unanswered
	switch {
	case p.Found:
		p.Upper = Upper(w.wrong, w.n, level)
		p.Need = Need{Above: p.Threshold, Have: p.Sampled, Wrong: p.Wrong}
	case w.begun:
		p.Need = need(w.n, w.wrong, w.failed, o.Risk.Float(), level, fewest)
	}
	return p
}

// forgiven are how many errors the first test of a walk should survive, if there are enough items anywhere: the walk ends where it begins if that fails, and
// at a threshold with just enough items for none a single error ends it.
var forgiven = []int{5, 3, 1, 0}

// enough is how many items the sample should hold where the walk begins, with two standard deviations to spare: a quarter of all at most, if that suffices for any
// test, since where more are, errors are too.
func (s sample) enough(risk, alpha *big.Rat) float64 {
	enough := 0.0
	for _, k := range forgiven {
		n := float64(fewestFor(k, risk, alpha))
		enough = n + 2*math.Sqrt(n)
		if 4*enough <= float64(len(s.kept)) {
			break
		}
	}
	return enough
}

// walked is where a walk down the grid ended. Without a threshold the counts are those where it failed at once, if it began.
type walked struct {
	threshold            float64
	n, wrong, unanswered int
	begun                bool
	failed               float64
}

// walk tests one threshold after the other, from the strictest at which it may begin, and ends before the first that does not pass.
func walk(s sample, risk, alpha *big.Rat, leaveOut bool, begin func(threshold float64) bool) walked {
	w := walked{threshold: NoThreshold, failed: NoThreshold}
	for _, t := range Thresholds() {
		if !w.begun {
			if !begin(t) {
				continue
			}
			w.begun = true
		}
		n, wrong, unanswered := s.at(t, leaveOut)
		if !atMost(wrong, n, risk, alpha) {
			if w.threshold == NoThreshold {
				w.failed, w.n, w.wrong, w.unanswered = t, n, wrong, unanswered
			}
			break
		}
		w.threshold, w.n, w.wrong, w.unanswered = t, n, wrong, unanswered
	}
	return w
}

// mostReviews bounds how far it is looked for a sample that suffices.
const mostReviews = 1 << 20

// need says how large a sample passes the test, at the error rate seen, with a probability of 0.8.
func need(n, wrong int, threshold, risk, alpha float64, fewest int) Need {
	out := Need{Above: threshold, Have: n, Wrong: wrong}
	if wrong == 0 {
		out.Reviews = fewest
		return out
	}
	seen := float64(wrong) / float64(n)
	if seen >= risk {
		return out
	}
	// passes says whether a sample of m does.
	passes := func(m int) bool {
		low, high := -1, m // the test takes low errors, and not high
		for high-low > 1 {
			if mid := (low + high) / 2; binomialCDF(mid, m, risk) <= alpha {
				low = mid
			} else {
				high = mid
			}
		}
		return binomialCDF(low, m, seen) >= 0.8
	}
	low, high := n, max(2*n, fewest)
	for ; !passes(high); low, high = high, 2*high {
		if high > mostReviews {
			return out
		}
	}
	for high-low > max(1, low/100) {
		if mid := (low + high) / 2; passes(mid) {
			high = mid
		} else {
			low = mid
		}
	}
	out.Reviews = high
	return out
}

// curve says what each threshold brings, the same for every label.
func curve(items []Evidence, o AdviseOptions) []Point {
	s := draw(items, "")
	var out []Point
	var sure []float64
	for _, it := range items {
		if !it.Other {
			sure = append(sure, it.Confidence)
		}
	}
	slices.Sort(sure)
	for _, t := range Thresholds() {
		p := Point{Threshold: t}
		below, _ := slices.BinarySearch(sure, t)
		accepted := len(sure) - below
		if len(items) > 0 {
			p.Load = 1 - (1-o.SampleRate)*float64(accepted)/float64(len(items))
		}
		p.Sampled, p.Wrong, _ = s.at(t, o.LeaveOut)
		p.Errors = Interval{Lower(p.Wrong, p.Sampled, 0.025), Upper(p.Wrong, p.Sampled, 0.025)}
		out = append(out, p)
	}
	return out
}
