package learn

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// pairs are outcomes of two models: so many items both have right, only the candidate, only the incumbent, neither.
func pairs(both, candidate, incumbent, neither int) (a, b []Outcome) {
	for kind, n := range []int{both, candidate, incumbent, neither} {
		for range n {
			a = append(a, Outcome{Correct: kind < 2, Weight: 1})
			b = append(b, Outcome{Correct: kind%2 == 0 && kind < 3, Weight: 1})
		}
	}
	return a, b
}

func TestCompareAgainstOthers(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("testdata/head/compare.json")
	if err != nil {
		t.Fatal(err)
	}
	var tables []struct {
		Table    [4]int
		P        float64
		Interval [2]float64
	}
	if err := json.Unmarshal(data, &tables); err != nil || len(tables) != 9 {
		t.Fatalf("%d tables, %v", len(tables), err)
	}
	for _, want := range tables {
		a, b := pairs(want.Table[0], want.Table[1], want.Table[2], want.Table[3])
		got := Compare(a, b, 1)
		if math.Abs(got.P-want.P) > 1e-9 {
			t.Errorf("%v: p %v, theirs %v", want.Table, got.P, want.P)
		}
		if math.Abs(got.Interval.Low-want.Interval[0]) > 1e-6 || math.Abs(got.Interval.High-want.Interval[1]) > 1e-6 {
			t.Errorf("%v: interval %v, theirs %v", want.Table, got.Interval, want.Interval)
		}
	}
}

func TestCompareSaysIt(t *testing.T) {
	t.Parallel()
	for want, table := range map[string][4]int{
		"better: 89.2% right, the incumbent 85.0%; difference +4.2 points (+1.2 to +7.3), exact McNemar test p = 0.0088, on 600 items of which only the candidate has 55 right and only the incumbent 30": {480, 55, 30, 35},
		"worse: 85.0% right, the incumbent 89.2%":    {480, 30, 55, 35},
		"not told apart: 90.0% right, the incumbent": {85, 5, 4, 6},
		"not told apart: 100.0% right":               {50, 0, 0, 0},
	} {
		a, b := pairs(table[0], table[1], table[2], table[3])
		if got := Compare(a, b, 1).String(); !strings.HasPrefix(got, want) {
			t.Errorf("%v: %s, want %s", table, got, want)
		}
	}
	if got := Compare(nil, nil, 1); got.Verdict != NotToldApart || got.Interval != (Interval{-1, 1}) || got.P != 1 {
		t.Errorf("of nothing: %+v", got)
	}
}

// The models change places, and so do the figures; the interval holds the difference.
func TestCompareTurnsAround(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var a, b []Outcome
		for range rapid.IntRange(1, 60).Draw(t, "items") {
			w := float64(rapid.IntRange(1, 10).Draw(t, "weight"))
			a = append(a, Outcome{Correct: rapid.Bool().Draw(t, "a"), Weight: w})
			b = append(b, Outcome{Correct: rapid.Bool().Draw(t, "b"), Weight: w})
		}
		x, y := Compare(a, b, 3), Compare(b, a, 3)
		if math.Abs(x.P-y.P) > 1e-12 || math.Abs(x.Difference+y.Difference) > 1e-12 || math.Abs(x.Interval.Low+y.Interval.High) > 1e-9 || math.Abs(x.Interval.High+y.Interval.Low) > 1e-9 {
			t.Fatalf("%+v, turned around %+v", x, y)
		}
		if x.Interval.Low > x.Difference+1e-9 || x.Interval.High < x.Difference-1e-9 || x.P <= 0 || x.P > 1 || math.Abs(x.Candidate-x.Incumbent-x.Difference) > 1e-9 {
			t.Fatalf("%+v", x)
		}
	})
}

// Signs that weigh the same are a coin's throws: the test for weights is McNemar's then, in all ways and in drawn ones.
func TestSignFlipIsMcNemar(t *testing.T) {
	t.Parallel()
	for _, c := range [][2]int{{0, 0}, {3, 1}, {9, 2}, {14, 2}, {40, 22}, {70, 80}} {
		var values []float64
		for i := range c[0] + c[1] {
			values = append(values, 0.3)
			if i < c[1] {
				values[i] = -0.3
			}
		}
		if got, want := signFlip(values, 1), mcnemar(c[0], c[1]); math.Abs(got-want) > 0.005 {
			t.Errorf("%v: %v, McNemar %v", c, got, want)
		}
	}
}

// Of models that do not differ, few are told apart, with weights or without.
func TestCompareHoldsItsLevel(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(4, 0)) //nolint:gosec // repeatable
	for name, weight := range map[string]func() float64{
		"equal":   func() float64 { return 1 },
		"unequal": func() float64 { return 1 + 19*float64(random.IntN(2)) },
	} {
		told, rounds := 0, 60
		for range rounds {
			var a, b []Outcome
			for range 100 {
				w := weight()
				a, b = append(a, Outcome{random.Float64() < 0.8, 0, w}), append(b, Outcome{random.Float64() < 0.8, 0, w})
			}
			if Compare(a, b, 1).Verdict != NotToldApart {
				told++
			}
		}
		if told > rounds/10 {
			t.Errorf("%s weights: %d of %d are told apart", name, told, rounds)
		}
	}
}

func TestCompareRefuses(t *testing.T) {
	t.Parallel()
	one, two := []Outcome{{Weight: 1}}, []Outcome{{Weight: 2}}
	for name, f := range map[string]func(){
		"other items":   func() { Compare(one, nil, 1) },
		"other weights": func() { Compare(one, two, 1) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			f()
		}()
	}
	a, b := pairs(1, 2, 3, 4)
	if diff := cmp.Diff(Compare(a, b, 1), Compare(a, b, 2)); diff != "" {
		t.Errorf("equal weights need no seed: %s", diff)
	}
}
