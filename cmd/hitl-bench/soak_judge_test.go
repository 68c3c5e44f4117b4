package main

import (
	"math"
	"math/rand/v2"
	"testing"
)

// series is two hours of samples, one every ten seconds.
func series(f func(hour float64) float64) (hours, values []float64) {
	for i := range 720 {
		h := float64(i) / 360
		hours, values = append(hours, h), append(values, f(h))
	}
	return hours, values
}

func TestJudge(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	noise := func(sd float64) float64 { return sd * rng.NormFloat64() }
	fivePercent := band{share: 0.05}
	for _, test := range []struct {
		name  string
		f     func(hour float64) float64
		band  band
		want  verdict
		slope float64 // within a tenth; 0: not looked at
	}{
		{"a constant", func(float64) float64 { return 7 }, fivePercent, flat, 0},
		{"nothing at all", func(float64) float64 { return 0 }, fivePercent, flat, 0},
		{"noise", func(float64) float64 { return 100 + noise(20) }, fivePercent, flat, 0},
		{"a sawtooth", func(h float64) float64 { return 100 + 60*math.Mod(h*17, 1) }, fivePercent, flat, 0},
		{"a slow leak in noise", func(h float64) float64 { return 100 + 6*h + noise(3) }, fivePercent, grows, 6},
		{"a slow leak under a sawtooth", func(h float64) float64 { return 100 + 10*h + 20*math.Mod(h*17, 1) }, fivePercent, grows, 10},
		{"a leak within the band", func(h float64) float64 { return 100 + 2*h + noise(1) }, fivePercent, flat, 2},
		{"one goroutine every two minutes", func(h float64) float64 { return math.Floor(50+30*h) + math.Abs(noise(5)) }, band{unit: 5}, grows, 30},
		{"two goroutines in two hours", func(h float64) float64 { return math.Floor(50+h) + noise(1) }, band{unit: 5}, flat, 0},
		{"a warm-up in the first fifth", func(h float64) float64 { return 100 - 90*math.Exp(-h*20) }, fivePercent, flat, 0},
		{"a warm-up that takes longer", func(h float64) float64 { return 100 - 90*math.Exp(-h*4) }, fivePercent, leveled, 0},
		{"a step early", func(h float64) float64 { return 100 + 20*stepAt(h, 0.8) + noise(1) }, fivePercent, leveled, 0},
		{"a step in the middle", func(h float64) float64 { return 100 + 20*stepAt(h, 1.2) + noise(1) }, fivePercent, leveled, 0},
		{"a step late", func(h float64) float64 { return 100 + 20*stepAt(h, 1.6) + noise(1) }, fivePercent, grows, 0},
		{"what shrinks", func(h float64) float64 { return 100 - 20*h + noise(1) }, fivePercent, falls, -20},
		{"a leak from nothing", func(h float64) float64 { return 40 * h }, band{unit: 10}, grows, 40},
	} {
		hours, values := series(test.f)
		got := judge(hours, values, test.band)
		if got.Verdict != test.want {
			t.Errorf("%s: %+v, want %s", test.name, got, test.want)
		}
		if test.slope != 0 && math.Abs(got.PerHour-test.slope) > math.Abs(test.slope)/10 {
			t.Errorf("%s: slope %v an hour, want %v", test.name, got.PerHour, test.slope)
		}
		if got.Low > got.PerHour || got.High < got.PerHour {
			t.Errorf("%s: the interval %v to %v does not hold %v", test.name, got.Low, got.High, got.PerHour)
		}
	}
}

func stepAt(h, at float64) float64 {
	if h < at {
		return 0
	}
	return 1
}

// Of noise without a trend that the band is too narrow for, most must be called unclear, and hardly any a leak.
func TestJudgeUnclear(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(3, 4))
	leaks := 0
	const runs = 100
	for range runs {
		hours, values := series(func(float64) float64 { return 100 + 50*rng.NormFloat64() })
		switch j := judge(hours[:60], values[:60], band{unit: 0.01}); j.Verdict {
		case grows, falls:
			leaks++
		case unclear, leveled:
		default:
			t.Fatalf("%+v", j)
		}
	}
	if leaks > runs/10 {
		t.Errorf("%d of %d series of noise look like leaks", leaks, runs)
	}
}

func TestJudgeShort(t *testing.T) {
	t.Parallel()
	if j := judge(nil, nil, band{}); j.Verdict != tooShort {
		t.Errorf("nothing: %+v", j)
	}
	hours, values := series(func(h float64) float64 { return h })
	if j := judge(hours[:8], values[:8], band{}); j.Verdict != tooShort || j.End != values[7] {
		t.Errorf("eight points: %+v", j)
	}
}

func TestThin(t *testing.T) {
	t.Parallel()
	hours, values := make([]float64, 10*mostPoints+3), make([]float64, 10*mostPoints+3)
	for i := range hours {
		hours[i], values[i] = float64(i), 2*float64(i)
	}
	fewer, thinned := thin(hours, values)
	if len(fewer) > mostPoints || len(fewer) != len(thinned) {
		t.Fatalf("%d hours and %d values are left", len(fewer), len(thinned))
	}
	if slope, _, _ := theilSen(fewer, thinned); slope != 2 {
		t.Errorf("thinning changes the slope to %v", slope)
	}
}
