package main

import (
	"context"
	"fmt"
)

// row is one line of the table: what is measured, beside what, and how far it should reach.
type row struct {
	name    string // of --only
	measure string
	against string // empty: a bound stands alone
	reach   mark
	needs   string // beyond Go, Postgres and Redis; for --list

	// open prepares both sides. What it starts is stopped when the row ends.
	open func(ctx context.Context, b *bench) (*pair, error)
}

// pair is the two sides of a row, ready to run in turns.
type pair struct {
	unit   string // of what the sides return
	ours   side
	peer   side // nil: there is none, and the figure itself is held against the mark
	note   func() string
	settle func(ctx context.Context) error // waits, untimed, until what a run left to do is done; nil: nothing is
}

// side makes one run and returns its figure, in the pair's unit.
type side func(ctx context.Context) (float64, error)

// mark is how far a figure should reach.
type mark struct {
	bound  float64
	atMost bool
	unit   string // of a figure without a peer
}

func atLeast(ratio float64) mark { return mark{bound: ratio} }
func atMost(bound float64) mark  { return mark{bound: bound, atMost: true} }

func (m mark) reached(v float64) bool {
	if m.atMost {
		return v <= m.bound
	}
	return v >= m.bound
}

func (m mark) String() string {
	sign := "≥"
	if m.atMost {
		sign = "≤"
	}
	if m.unit != "" {
		return fmt.Sprintf("%s %g %s", sign, m.bound, m.unit)
	}
	return fmt.Sprintf("%s %g", sign, m.bound)
}

// missing is the error of a row that cannot run here: it says what to install. It is no failure.
type missing string

func (m missing) Error() string { return string(m) }
