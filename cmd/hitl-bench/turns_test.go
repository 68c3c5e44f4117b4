package main

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func quiet(string, ...any) {}

// script is a side that comes to the given figures, one after the other, and notes its name in the order of the runs.
func script(name string, order *[]string, figures ...float64) side {
	return func(context.Context) (float64, error) {
		*order = append(*order, name)
		v := figures[0]
		figures = figures[1:]
		return v, nil
	}
}

func TestInTurns(t *testing.T) {
	t.Parallel()
	var order []string
	settled := 0
	p := &pair{
		ours: script("ours", &order, 1000, 30, 20, 10), peer: script("peer", &order, 1, 10, 10, 20),
		settle: func(context.Context) error { settled++; return nil },
	}
	got, err := inTurns(t.Context(), p, 3, quiet)
	if err != nil {
		t.Fatal(err)
	}
	// The first of each warms up. Each ratio is that of two runs side by side, not of two medians.
	want := figures{ours: []float64{30, 20, 10}, peer: []float64{10, 10, 20}, ratios: []float64{3, 2, 0.5}}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(figures{})); diff != "" {
		t.Error(diff)
	}
	if got, want := strings.Join(order, " "), "ours peer peer ours ours peer peer ours"; got != want {
		t.Errorf("order is %s, want %s", got, want)
	}
	if settled != 8 {
		t.Errorf("settled %d times, want once behind each of 8 runs", settled)
	}
}

func TestInTurnsAlone(t *testing.T) {
	t.Parallel()
	var order []string
	got, err := inTurns(t.Context(), &pair{ours: script("ours", &order, 9, 40, 60)}, 2, quiet)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(figures{ours: []float64{40, 60}}, got, cmp.AllowUnexported(figures{})); diff != "" {
		t.Error(diff)
	}
}

func TestInTurnsRefusesNonsense(t *testing.T) {
	t.Parallel()
	var order []string
	if _, err := inTurns(t.Context(), &pair{ours: script("ours", &order, 1, 1), peer: script("peer", &order, 1, 0)}, 1, quiet); err == nil {
		t.Error("a peer that did nothing has a ratio")
	}
}

func TestSpread(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		figures []float64
		want    *Spread
	}{
		{nil, nil},
		{[]float64{2}, &Spread{2, 2, 2}},
		{[]float64{3, 1}, &Spread{2, 1, 3}},
		{[]float64{9, 1, 2, 8, 3}, &Spread{3, 1, 9}},
	} {
		if diff := cmp.Diff(tt.want, spreadOf(tt.figures)); diff != "" {
			t.Errorf("%v: %s", tt.figures, diff)
		}
	}
}

func TestMark(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		mark    mark
		v       float64
		reached bool
		text    string
	}{
		{atLeast(0.9), 0.9, true, "≥ 0.9"},
		{atLeast(0.9), 0.89, false, "≥ 0.9"},
		{atMost(1.1), 1.1, true, "≤ 1.1"},
		{mark{50, true, "ms"}, 51, false, "≤ 50 ms"},
	} {
		if got := tt.mark.reached(tt.v); got != tt.reached || tt.mark.String() != tt.text {
			t.Errorf("%v at %v: %v, want %v as %q", tt.mark, tt.v, got, tt.reached, tt.text)
		}
	}
}

func TestSpreadOverGoroutines(t *testing.T) {
	t.Parallel()
	done := make([]bool, 100)
	if err := spread(8, len(done), func(i int) error { done[i] = true; return nil }); err != nil {
		t.Fatal(err)
	}
	for i, ok := range done {
		if !ok {
			t.Errorf("%d was left out", i)
		}
	}
	bad := errors.New("bad")
	if err := spread(8, 100, func(i int) error {
		if i == 5 {
			return bad
		}
		return nil
	}); !errors.Is(err, bad) {
		t.Errorf("got %v", err)
	}
}
