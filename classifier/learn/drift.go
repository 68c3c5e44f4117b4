package learn

import (
	"math"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/stat/distuv"
)

// Stability is the population stability index of two windows, and what chance alone would make of it.
type Stability struct {
	Bins  int
	Index float64
	// ByChance is what the index stays below in 19 of 20 windows when nothing has changed: 0.95 quantile of its distribution.
	ByChance float64
	P        float64 // probability of an index this large or larger when nothing has changed
}

// halfCount is added to each bin of each window, so that an empty one does not make the index infinite (Jeffreys' prior of a proportion).
const halfCount = 0.5

// PSI compares how items spread over bins, reference[i] and current[i] of the two windows in bin i: the sum over bins of (p - q)·ln(p/q), of shares that
// half a count is added to in each bin. When nothing has changed it is distributed as (1/N + 1/M)·χ² with bins - 1 degrees of freedom: B. Yurdakul,
// Statistical Properties of Population Stability Index, Western Michigan University, 2018. So ByChance and P mind how many items there are, which
// the usual cut-offs of 0.1 and 0.25 do not. Bins that are empty in both windows are left out. Without two bins, or with an empty window, nothing can
// be told: Index 0, P 1. It panics when the windows have different bins or a count is negative.
func PSI(reference, current []int) Stability {
	if len(reference) != len(current) {
		panic("learn: two windows with different bins")
	}
	var s Stability
	var N, M float64
	for i := range reference {
		if reference[i] < 0 || current[i] < 0 {
			panic("learn: a negative count")
		}
		if reference[i]+current[i] > 0 {
			s.Bins++
			N, M = N+float64(reference[i]), M+float64(current[i])
		}
	}
	s.P = 1
	if s.Bins < 2 || N == 0 || M == 0 {
		return s
	}
	added := halfCount * float64(s.Bins)
	for i := range reference {
		if reference[i]+current[i] > 0 {
			p, q := (float64(reference[i])+halfCount)/(N+added), (float64(current[i])+halfCount)/(M+added)
			s.Index += (p - q) * math.Log(p/q)
		}
	}
	scale, chance := 1/N+1/M, distuv.ChiSquared{K: float64(s.Bins - 1)}
	s.P = chance.Survival(s.Index / scale)
	s.ByChance = scale * chance.Quantile(level)
	return s
}

// CountLabels counts the labels of two windows, for PSI: one bin for each label that either has, in their order.
func CountLabels(reference, current []string) (r, c []int) {
	labels := slices.Concat(reference, current)
	slices.Sort(labels)
	labels = slices.Compact(labels)
	count := func(window []string) []int {
		out := make([]int, len(labels))
		for _, label := range window {
			i, _ := slices.BinarySearch(labels, label)
			out[i]++
		}
		return out
	}
	return count(reference), count(current)
}

// maxBins is how many bins values are put into: deciles, as is usual for the index.
const maxBins = 10

// CountValues counts the values of two windows, for PSI, in bins whose upper bounds, inclusive, are the deciles of the reference; the last has none. Where
// many values are equal, bins are fewer. Without a reference everything is in one.
func CountValues(reference, current []float64) (r, c []int) {
	sorted := slices.Sorted(slices.Values(reference))
	var bounds []float64
	for i := 1; i < maxBins && len(sorted) > 0; i++ {
		if b := sorted[(i*len(sorted)-1)/maxBins]; b < sorted[len(sorted)-1] {
			bounds = append(bounds, b)
		}
	}
	bounds = slices.Compact(bounds)
	count := func(window []float64) []int {
		out := make([]int, len(bounds)+1)
		for _, v := range window {
			i, _ := slices.BinarySearch(bounds, v)
			out[i]++
		}
		return out
	}
	return count(reference), count(current)
}

// KS is the two-sample test of Kolmogorov and Smirnov.
type KS struct {
	D     float64 // largest difference of the two windows' distribution functions, in [0, 1]
	P     float64 // probability of a D this large or larger when nothing has changed
	Exact bool    // how P was computed
}

// maxExact is up to which product of the windows' sizes P is exact: what takes a few milliseconds.
const maxExact = 1_000_000

// KolmogorovSmirnov compares the distributions that two windows of values come from. P is exact up to a product of sizes of a million, by counting lattice
// paths (J. L. Hodges, The significance probability of the Smirnov two-sample test, Arkiv för Matematik 3, 1958), and of Smirnov's limit distribution
// beyond. Equal values are taken together; P is then too large rather than too small, since it is that of values without ties. An empty window tells
// nothing: D 0, P 1.
func KolmogorovSmirnov(reference, current []float64) KS {
	n, m := len(reference), len(current)
	if n == 0 || m == 0 {
		return KS{P: 1}
	}
	_, a, b := onGrid(reference, current)
	gap := largestGap(a, b, n, m)
	k := KS{D: float64(gap) / (float64(n) * float64(m))}
	if k.Exact = n*m <= maxExact; k.Exact {
		k.P = pathsBeyond(n, m, gap)
	} else {
		k.P = smirnovTail(math.Sqrt(float64(n)/float64(n+m)*float64(m)) * k.D)
	}
	return k
}

// onGrid returns the distinct values of both windows, ascending, and how often each has them.
func onGrid(reference, current []float64) (grid []float64, a, b []int) {
	grid = slices.Concat(reference, current)
	slices.Sort(grid)
	grid = slices.Compact(grid)
	count := func(window []float64) []int {
		out := make([]int, len(grid))
		for _, v := range window {
			i, _ := slices.BinarySearch(grid, v)
			out[i]++
		}
		return out
	}
	return grid, count(reference), count(current)
}

// largestGap is D·n·m, which is whole, of windows' counts on one grid.
func largestGap(a, b []int, n, m int) int {
	i, j, gap := 0, 0, 0
	for k := range a {
		i, j = i+a[k], j+b[k]
		gap = max(gap, i*m-j*n, j*n-i*m)
	}
	return gap
}

// pathsBeyond is the share of the lattice paths from (0, 0) to (n, m), all alike likely, that somewhere are as far from the diagonal as gap.
func pathsBeyond(n, m, gap int) float64 {
	beyond := make([]float64, m+1) // by j, of paths to (i, j)
	for i := range n + 1 {
		for j := range m + 1 {
			far := i*m - j*n
			switch {
			case far >= gap || -far >= gap:
				beyond[j] = 1
			case j == 0:
				// As it came from (i-1, 0).
			case i == 0:
				beyond[j] = beyond[j-1]
			default:
				beyond[j] = (float64(i)*beyond[j] + float64(j)*beyond[j-1]) / float64(i+j)
			}
		}
	}
	return beyond[m]
}

// smirnovTail is 1 - K(x), K being Kolmogorov's limit distribution.
func smirnovTail(x float64) float64 {
	if x < 0.2 {
		return 1 // to twelve digits, and the series converges no more
	}
	sum, sign := 0.0, 1.0
	for k := 1.0; k < 100; k++ {
		term := math.Exp(-2 * k * k * x * x)
		sum += sign * term
		if sign = -sign; term < 1e-17 {
			break
		}
	}
	return min(max(2*sum, 0), 1)
}

// maxDraws bounds how many values a bootstrap draws, and with it its time: larger windows are drawn again less often, but never less than leastResamples.
const maxDraws, leastResamples = 40_000_000, 200

// KSInterval returns a basic bootstrap interval of D, 2D less the percentiles of windows drawn anew with replacement (A. C. Davison and D. V. Hinkley, Bootstrap
// Methods and their Application, Cambridge 1997, section 5.2), within [0, 1]: D of what is drawn is too large on average, as D is itself, which percentiles
// alone would count twice. It says how large a difference is; whether there is one is P's. The same seed gives the same interval. With an empty window it
// is [0, 1].
func KSInterval(reference, current []float64, seed uint64) Interval {
	n, m := len(reference), len(current)
	if n == 0 || m == 0 {
		return Interval{0, 1}
	}
	grid, inReference, inCurrent := onGrid(reference, current)
	place := func(window []float64) []int {
		out := make([]int, len(window))
		for i, v := range window {
			out[i], _ = slices.BinarySearch(grid, v)
		}
		return out
	}
	ofReference, ofCurrent := place(reference), place(current)
	random := rand.New(rand.NewPCG(seed, 1)) //nolint:gosec // repeatable
	a, b := make([]int, len(grid)), make([]int, len(grid))
	draw := func(from, into []int) {
		clear(into)
		for range from {
			into[from[random.IntN(len(from))]]++
		}
	}
	draws := make([]float64, max(min(resamples, maxDraws/(n+m)), leastResamples))
	for i := range draws {
		draw(ofReference, a)
		draw(ofCurrent, b)
		draws[i] = float64(largestGap(a, b, n, m)) / (float64(n) * float64(m))
	}
	slices.Sort(draws)
	d := float64(largestGap(inReference, inCurrent, n, m)) / (float64(n) * float64(m))
	at := func(p float64) float64 { return min(max(2*d-draws[int(p*float64(len(draws)-1)+0.5)], 0), 1) }
	return Interval{at((1 + level) / 2), at((1 - level) / 2)}
}
