package main

import (
	"context"
	"fmt"
	"math"
	"time"
)

// figures are what both sides of a pair came to, run by run.
type figures struct{ ours, peer, ratios []float64 }

// inTurns runs both sides so many times, one right after the other, and beginning with the other side each time: what the machine does besides
// befalls both. A first run of each is not counted: it warms caches, connections and compiled shapes.
func inTurns(ctx context.Context, p *pair, runs int, say func(format string, args ...any)) (figures, error) {
	var f figures
	for i := range runs + 1 {
		ours, peer, err := p.turn(ctx, i%2 == 1)
		if err != nil {
			return f, err
		}
		if i == 0 {
			say("  warm-up done")
			continue
		}
		f.ours = append(f.ours, ours)
		if p.peer == nil {
			say("  run %d of %d: %s %s", i, runs, digits(ours), p.unit)
			continue
		}
		f.peer, f.ratios = append(f.peer, peer), append(f.ratios, ours/peer)
		say("  run %d of %d: %s against %s %s, ratio %.2f", i, runs, digits(ours), digits(peer), p.unit, ours/peer)
	}
	return f, nil
}

// turn makes one run of each side.
func (p *pair) turn(ctx context.Context, peerFirst bool) (ours, peer float64, err error) {
	sides := []struct {
		run side
		to  *float64
	}{{p.ours, &ours}, {p.peer, &peer}}
	if peerFirst {
		sides[0], sides[1] = sides[1], sides[0]
	}
	for _, s := range sides {
		if s.run == nil {
			continue
		}
		if err := ctx.Err(); err != nil {
			return 0, 0, err
		}
		v, err := s.run(ctx)
		if err != nil {
			return 0, 0, err
		}
		if v <= 0 || math.IsInf(v, 0) || math.IsNaN(v) {
			return 0, 0, fmt.Errorf("a run came to %v %s", v, p.unit)
		}
		*s.to = v
		if p.settle == nil {
			continue
		}
		if err := p.settle(ctx); err != nil {
			return 0, 0, fmt.Errorf("wait until a run's work is done: %w", err)
		}
	}
	return ours, peer, nil
}

// perSecond is a side that does n things, and how many that are in a second.
func perSecond(n int, do func(ctx context.Context) error) side {
	return func(ctx context.Context) (float64, error) {
		begin := time.Now()
		err := do(ctx)
		return float64(n) / time.Since(begin).Seconds(), err
	}
}
