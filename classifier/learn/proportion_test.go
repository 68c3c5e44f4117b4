package learn

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

func near(got, want float64) bool { return math.Abs(got-want) < 0.00006 }

// The values are those that R. G. Newcombe prints, Two-sided confidence intervals for the single proportion, Statistics in Medicine 17, 1998,
// table I, method 3.
func TestWilson(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		k, n      int
		low, high float64
	}{
		{81, 263, 0.2553, 0.3662},
		{15, 148, 0.0624, 0.1605},
		{0, 20, 0, 0.1611},
		{1, 29, 0.0061, 0.1718},
		{0, 0, 0, 1},
	} {
		if got := Wilson(c.k, c.n); !near(got.Low, c.low) || !near(got.High, c.high) {
			t.Errorf("%d of %d: got %.4f to %.4f, want %.4f to %.4f", c.k, c.n, got.Low, got.High, c.low, c.high)
		}
	}
}

// The ends of the score interval solve the equation that it comes from: there, the observed share is z standard errors away.
func TestWilsonSolves(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 100000).Draw(t, "n")
		k := rapid.IntRange(0, n).Draw(t, "k")
		p, i := float64(k)/float64(n), Wilson(k, n)
		if i.Low < 0 || i.Low > p || p > i.High || i.High > 1 {
			t.Fatalf("%v is not around %v in [0, 1]", i, p)
		}
		mirror := Wilson(n-k, n)
		if math.Abs(mirror.Low-(1-i.High)) > 1e-12 || math.Abs(mirror.High-(1-i.Low)) > 1e-12 {
			t.Fatalf("%v is not the mirror of %v", mirror, i)
		}
		for _, end := range []float64{i.Low, i.High} {
			if left, right := math.Abs(p-end), z*math.Sqrt(end*(1-end)/float64(n)); math.Abs(left-right) > 1e-9 {
				t.Fatalf("end %v: %v away, want %v", end, left, right)
			}
		}
	})
}

// The values are those that Newcombe prints, Interval estimation for the difference between independent proportions, Statistics in Medicine 17,
// 1998, table II, method 10.
func TestNewcombe(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		k1, n1, k2, n2 int
		low, high      float64
	}{
		{56, 70, 48, 80, 0.0524, 0.3339},
		{9, 10, 3, 10, 0.1705, 0.8090},
		{5, 56, 0, 29, -0.0381, 0.1926},
		{0, 10, 0, 10, -0.2775, 0.2775},
		{10, 10, 0, 10, 0.6075, 1},
		{1, 1, 0, 0, -1, 1},
	} {
		if got := Newcombe(c.k1, c.n1, c.k2, c.n2); !near(got.Low, c.low) || !near(got.High, c.high) {
			t.Errorf("%+v: got %.4f to %.4f", c, got.Low, got.High)
		}
	}
}

func TestNewcombeTurnsAround(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		n1, n2 := rapid.IntRange(1, 5000).Draw(t, "n1"), rapid.IntRange(1, 5000).Draw(t, "n2")
		k1, k2 := rapid.IntRange(0, n1).Draw(t, "k1"), rapid.IntRange(0, n2).Draw(t, "k2")
		a, b := Newcombe(k1, n1, k2, n2), Newcombe(k2, n2, k1, n1)
		d := float64(k1)/float64(n1) - float64(k2)/float64(n2)
		if a.Low > d || d > a.High || a.Low < -1 || a.High > 1 || math.Abs(a.Low+b.High) > 1e-12 || math.Abs(a.High+b.Low) > 1e-12 {
			t.Fatalf("%v around %v, and the other way round %v", a, d, b)
		}
	})
}
