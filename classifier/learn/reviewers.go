package learn

import (
	"math"
	"slices"
)

// Reviewers is what several people's labels for the same items say of the items' true labels, and of the people, without anybody knowing the truth.
//
// It is the model of A. P. Dawid and A. M. Skene, Maximum likelihood estimation of observer error-rates using the EM algorithm, Journal of the Royal
// Statistical Society C 28, 1979: an item has one true label, and each reviewer confuses labels in their own way, independently of the others. Where
// reviewers err together (an unclear guideline, all swayed by what the model said), it takes the shared error for the truth. So its figures are for
// advice: whom to talk to, which items to look at again. They replace no known answers and decide nothing.
type Reviewers struct {
	Labels []string           // that anybody gave, ascending; what follows is in their order
	Prior  []float64          // share of each as a true label
	Items  map[string]Truth   // by unit
	People map[string]Reviews // by rater
	// Converged says whether the estimates had settled when they were taken.
	Converged bool
	// LogLikelihood is the natural logarithm of the likelihood of all labels, or of its product with the prior density where there is smoothing.
	LogLikelihood float64
}

// Truth is how likely an item has each label.
type Truth struct {
	Probability []float64
	Label       int // the most likely; of several the first
}

// Reviews is how one reviewer labels.
type Reviews struct {
	Items int // that they labelled and somebody else did too
	// Confusion[true][given] is the probability that they give a label to an item that has another, or the same.
	Confusion [][]float64
	// Reliability is the probability that they give an item its true label: the diagonal of Confusion weighed by Prior.
	Reliability float64
}

// Rounds of EM, and the increase of the log-likelihood per rating that is none.
const (
	maxRounds = 2000
	settled   = 1e-10
)

// DawidSkene estimates the reviewers of ratings. Of several by one rater of one unit the first counts, and units with one rating are left out, since
// nothing compares with it. It starts with each item's share of votes, as Dawid and Skene do, which keeps labels from being swapped wholesale; other
// starts find other, often worse maxima.
//
// smoothing is how many items each row of each confusion matrix begins with, spread evenly over the labels: a Dirichlet prior, under which EM climbs to
// the most probable estimates (A. P. Dempster, N. M. Laird, D. B. Rubin, Maximum likelihood from incomplete data via the EM algorithm, JRSS B 39,
// 1977). 1 keeps reviewers with few items from looking perfect, or hopeless; 0 is maximum likelihood. It panics if smoothing is negative.
func DawidSkene(ratings []Rating, smoothing float64) Reviewers {
	if smoothing < 0 {
		panic("learn: negative smoothing")
	}
	e := newEM(ratings, smoothing)
	last, converged := math.Inf(-1), false
	for range maxRounds {
		e.maximize()
		now := e.expect()
		if converged = now-last < settled*float64(len(e.votes)); converged {
			last = now
			break
		}
		last = now
	}
	return e.result(last, converged)
}

// vote is a rating by indices.
type vote struct{ unit, rater, label int }

// em holds the estimates between two steps.
type em struct {
	units, raters, labels []string
	votes                 []vote
	smoothing             float64

	truth     [][]float64   // of units, by label
	prior     []float64     // by label
	confusion [][][]float64 // of raters, by true and given label
}

func newEM(ratings []Rating, smoothing float64) *em {
	type key struct{ unit, rater string }
	seen, of := map[key]bool{}, map[string]int{}
	var first []Rating
	for _, r := range ratings {
		if k := (key{r.Unit, r.Rater}); !seen[k] {
			seen[k] = true
			first = append(first, r)
			of[r.Unit]++
		}
	}
	first = slices.DeleteFunc(first, func(r Rating) bool { return of[r.Unit] < 2 })
	names := func(name func(Rating) string) []string {
		var out []string
		for _, r := range first {
			out = append(out, name(r))
		}
		slices.Sort(out)
		return slices.Compact(out)
	}
	e := &em{
		units:  names(func(r Rating) string { return r.Unit }),
		raters: names(func(r Rating) string { return r.Rater }),
		labels: names(func(r Rating) string { return r.Label }), smoothing: smoothing,
	}
	e.truth = zeros(len(e.units), len(e.labels))
	e.prior = make([]float64, len(e.labels))
	for range e.raters {
		e.confusion = append(e.confusion, zeros(len(e.labels), len(e.labels)))
	}
	index := func(names []string, name string) int {
		i, _ := slices.BinarySearch(names, name)
		return i
	}
	for _, r := range first {
		v := vote{index(e.units, r.Unit), index(e.raters, r.Rater), index(e.labels, r.Label)}
		e.votes = append(e.votes, v)
		e.truth[v.unit][v.label] += 1 / float64(of[r.Unit])
	}
	// In one order, whatever the ratings' was, so that the last digits are the same too.
	slices.SortFunc(e.votes, func(a, b vote) int {
		if a.unit != b.unit {
			return a.unit - b.unit
		}
		return a.rater - b.rater
	})
	return e
}

func zeros(rows, columns int) [][]float64 {
	out := make([][]float64, rows)
	for i := range out {
		out[i] = make([]float64, columns)
	}
	return out
}

// never stands for a probability of 0, whose logarithm there is none of.
const never = 1e-10

// maximize makes prior and confusion the likeliest for the truth as estimated.
func (e *em) maximize() {
	clear(e.prior)
	for _, t := range e.truth {
		for k, p := range t {
			e.prior[k] += p / float64(len(e.truth))
		}
	}
	for k := range e.prior {
		e.prior[k] = max(e.prior[k], never)
	}
	for _, rows := range e.confusion {
		for _, row := range rows {
			for given := range row {
				row[given] = e.smoothing / float64(len(e.labels))
			}
		}
	}
	for _, v := range e.votes {
		for k, p := range e.truth[v.unit] {
			e.confusion[v.rater][k][v.label] += p
		}
	}
	for _, rows := range e.confusion {
		for _, row := range rows {
			total := 0.0
			for given := range row {
				row[given] = max(row[given], never)
				total += row[given]
			}
			for given := range row {
				row[given] /= total
			}
		}
	}
}

// expect makes the truth the likeliest for prior and confusion as estimated, and returns what EM increases: the log-likelihood, and the logarithm of the
// prior density, up to a constant, where there is smoothing.
func (e *em) expect() float64 {
	sum := 0.0
	logs := zeros(len(e.units), len(e.labels))
	for _, row := range logs {
		for k, p := range e.prior {
			row[k] = math.Log(p)
		}
	}
	for _, v := range e.votes {
		for k := range e.labels {
			logs[v.unit][k] += math.Log(e.confusion[v.rater][k][v.label])
		}
	}
	for u, row := range logs {
		highest := slices.Max(row)
		total := 0.0
		for k, l := range row {
			e.truth[u][k] = math.Exp(l - highest)
			total += e.truth[u][k]
		}
		for k := range row {
			e.truth[u][k] /= total
		}
		sum += highest + math.Log(total)
	}
	if e.smoothing > 0 {
		for _, rows := range e.confusion {
			for _, row := range rows {
				for _, p := range row {
					sum += e.smoothing / float64(len(e.labels)) * math.Log(p)
				}
			}
		}
	}
	return sum
}

func (e *em) result(likelihood float64, converged bool) Reviewers {
	out := Reviewers{
		Labels: e.labels, Prior: e.prior, Items: map[string]Truth{}, People: map[string]Reviews{}, Converged: converged, LogLikelihood: likelihood,
	}
	if len(e.votes) == 0 {
		out.Converged, out.LogLikelihood = true, 0
		return out
	}
	for u, name := range e.units {
		t := Truth{Probability: e.truth[u]}
		for k, p := range t.Probability {
			if p > t.Probability[t.Label] {
				t.Label = k
			}
		}
		out.Items[name] = t
	}
	items := make([]int, len(e.raters))
	for _, v := range e.votes {
		items[v.rater]++
	}
	for i, name := range e.raters {
		r := Reviews{Items: items[i], Confusion: e.confusion[i]}
		for k, p := range e.prior {
			r.Reliability += p * r.Confusion[k][k]
		}
		out.People[name] = r
	}
	return out
}
