package learn

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"

	"hitl"
)

// Rating is one reviewer's label for one item.
type Rating struct {
	Unit  string // what was rated
	Rater string
	Label string
}

const (
	resamples = 1000
	// level is what an interval covers.
	level = 0.95
	// minUnits is how many items with two verdicts an interval takes: fewer have too few ways to be drawn again.
	minUnits = 5
)

// Agreement says how far ratings agree, in their order or any other. Of several by one rater of one unit the first counts. Intervals come of the
// seed; they are left out where there are too few items for any, or where more than a twentieth of the resamples leave the figure undefined.
func Agreement(ratings []Rating, seed uint64) hitl.Agreement {
	t := tabulate(ratings)
	out := hitl.Agreement{Confused: confusions(t)}
	raters := map[string]bool{}
	for _, u := range t.units {
		if u.ratings < 2 {
			continue
		}
		out.Reviews++
		out.Verdicts += u.ratings
		for _, r := range u.raters {
			raters[r] = true
		}
	}
	out.Reviewers = len(raters)
	all := newSums(len(t.labels))
	for _, u := range t.units {
		all.add(u, 1)
	}
	coefficients := []func(*sums) (float64, string){(*sums).raw, (*sums).alpha, (*sums).ac1}
	draws := t.resample(len(coefficients), seed, func(s *sums, i int) (float64, string) { return coefficients[i](s) })
	for i, f := range []*hitl.Figure{&out.Raw, &out.Alpha, &out.AC1} {
		value, undefined := coefficients[i](all)
		if f.Undefined = undefined; undefined != "" {
			continue
		}
		f.Value = &value
		if out.Reviews >= minUnits {
			f.Low, f.High = interval(draws[i])
		}
	}
	return out
}

// unit is one item: how many raters gave each label that anybody gave it.
type unit struct {
	raters  []string
	labels  []int // indices, ascending
	counts  []int // of labels
	ratings int
}

type table struct {
	labels []string // ascending
	units  []unit   // in the order of their names
}

func tabulate(ratings []Rating) table {
	type key struct{ unit, rater string }
	seen := map[key]bool{}
	var t table
	var first []Rating
	for _, r := range ratings {
		if k := (key{r.Unit, r.Rater}); !seen[k] {
			seen[k] = true
			first, t.labels = append(first, r), append(t.labels, r.Label)
		}
	}
	slices.Sort(t.labels)
	t.labels = slices.Compact(t.labels)
	slices.SortFunc(first, func(a, b Rating) int {
		return cmp.Or(cmp.Compare(a.Unit, b.Unit), cmp.Compare(a.Label, b.Label), cmp.Compare(a.Rater, b.Rater))
	})
	for i, r := range first {
		if i == 0 || r.Unit != first[i-1].Unit {
			t.units = append(t.units, unit{})
		}
		u := &t.units[len(t.units)-1]
		label, _ := slices.BinarySearch(t.labels, r.Label)
		if n := len(u.labels); n == 0 || u.labels[n-1] != label {
			u.labels, u.counts = append(u.labels, label), append(u.counts, 0)
		}
		u.counts[len(u.counts)-1]++
		u.ratings++
		u.raters = append(u.raters, r.Rater)
	}
	return t
}

// sums are what the coefficients are made of, added up over units.
type sums struct {
	units, pairable int       // of those, with two ratings or more
	agreeing        float64   // sum of the shares of agreeing pairs, over pairable units
	values          []float64 // ratings by label, of pairable units
	coincident      float64   // Krippendorff's observed coincidences on the diagonal
	shares          []float64 // shares of the ratings of each unit by label, of all units
}

func newSums(labels int) *sums {
	return &sums{values: make([]float64, labels), shares: make([]float64, labels)}
}

func (s *sums) reset() {
	values, shares := s.values, s.shares
	clear(values)
	clear(shares)
	*s = sums{values: values, shares: shares}
}

// add adds a unit so many times.
func (s *sums) add(u unit, times int) {
	s.units += times
	n, w := float64(u.ratings), float64(times)
	same := 0.0 // ordered pairs of ratings that agree
	for i, label := range u.labels {
		c := float64(u.counts[i])
		s.shares[label] += w * c / n
		same += c * (c - 1)
	}
	if u.ratings < 2 {
		return
	}
	s.pairable += times
	s.agreeing += w * same / (n * (n - 1))
	s.coincident += w * same / (n - 1)
	for i, label := range u.labels {
		s.values[label] += w * float64(u.counts[i])
	}
}

// raw is Gwet's percent agreement.
func (s *sums) raw() (float64, string) {
	if s.pairable == 0 {
		return 0, hitl.UndefinedPairs
	}
	return s.agreeing / float64(s.pairable), ""
}

// alpha is 1 - Do/De, the observed disagreement by the one to expect, for the nominal metric.
func (s *sums) alpha() (float64, string) {
	if s.pairable == 0 {
		return 0, hitl.UndefinedPairs
	}
	n, same := 0.0, 0.0
	for _, v := range s.values {
		n += v
		same += v * (v - 1)
	}
	observed, expected := 1-s.coincident/n, 1-same/(n*(n-1))
	if used(s.values) < 2 {
		return 0, hitl.UndefinedCategory
	}
	return 1 - observed/expected, ""
}

// ac1 is (pa - pe)/(1 - pe), where pe is the chance that two raters agree who guess on some of the items.
func (s *sums) ac1() (float64, string) {
	pa, undefined := s.raw()
	if undefined != "" {
		return 0, undefined
	}
	q := float64(used(s.shares))
	if q < 2 {
		return 0, hitl.UndefinedCategory
	}
	pe := 0.0
	for _, sum := range s.shares {
		share := sum / float64(s.units)
		pe += share * (1 - share)
	}
	pe /= q - 1
	return (pa - pe) / (1 - pe), ""
}

func used(sums []float64) (n int) {
	for _, v := range sums {
		if v > 0 {
			n++
		}
	}
	return n
}

// resample draws as many units as there are, with replacement, again and again, and returns each coefficient's values, undefined ones left out.
func (t table) resample(n int, seed uint64, coefficient func(s *sums, i int) (float64, string)) [][]float64 {
	draws := make([][]float64, n)
	random := rand.New(rand.NewPCG(seed, 0)) //nolint:gosec // repeatable
	s := newSums(len(t.labels))
	kinds, of := t.kinds()
	drawn := make([]int, len(kinds))
	for range resamples {
		clear(drawn)
		for range of {
			drawn[of[random.IntN(len(of))]]++
		}
		s.reset()
		for kind, times := range drawn {
			s.add(kinds[kind], times)
		}
		for i := range draws {
			if value, undefined := coefficient(s, i); undefined == "" {
				draws[i] = append(draws[i], value)
			}
		}
	}
	return draws
}

// kinds returns units that differ in how many raters gave which label, and for each unit of the table which of them it is: many units are alike.
func (t table) kinds() (kinds []unit, of []int) {
	known := map[string]int{}
	for _, u := range t.units {
		key := fmt.Sprint(u.labels, u.counts)
		kind, ok := known[key]
		if !ok {
			kind = len(kinds)
			known[key], kinds = kind, append(kinds, u)
		}
		of = append(of, kind)
	}
	return kinds, of
}

// interval returns the percentiles of a bootstrap, or none.
func interval(draws []float64) (low, high *float64) {
	if len(draws)*20 < resamples*19 {
		return nil, nil
	}
	slices.Sort(draws)
	at := func(p float64) *float64 { return &draws[int(p*float64(len(draws)-1)+0.5)] }
	return at((1 - level) / 2), at((1 + level) / 2)
}

// maxConfusions is how many pairs of labels are named.
const maxConfusions = 10

func confusions(t table) []hitl.Confusion {
	pairs := map[[2]int]int{}
	for _, u := range t.units {
		for i := range u.labels {
			for j := range i {
				pairs[[2]int{u.labels[j], u.labels[i]}] += u.counts[i] * u.counts[j]
			}
		}
	}
	out := []hitl.Confusion{}
	for pair, n := range pairs {
		out = append(out, hitl.Confusion{Labels: [2]string{t.labels[pair[0]], t.labels[pair[1]]}, Pairs: n})
	}
	slices.SortFunc(out, func(a, b hitl.Confusion) int {
		return cmp.Or(cmp.Compare(b.Pairs, a.Pairs), slices.Compare(a.Labels[:], b.Labels[:]))
	})
	return out[:min(len(out), maxConfusions)]
}
