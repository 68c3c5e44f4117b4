package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

// storm makes things go wrong at random points until its time is over, and times how long each takes to mend.
type storm struct {
	world *world
	kinds []fault
	say   func(format string, args ...any)

	mu       sync.Mutex
	busy     map[string]bool // groups with a fault now
	counts   map[string]int
	recovery map[string][]time.Duration
}

func newStorm(w *world, o options, say func(string, ...any)) (*storm, error) {
	s := &storm{world: w, say: say, busy: map[string]bool{}, counts: map[string]int{}, recovery: map[string][]time.Duration{}}
	all := faults()
	if o.Socket {
		all = append(all, socketFaults()...)
	}
	for _, kind := range o.Faults {
		i := slices.IndexFunc(all, func(f fault) bool { return f.kind == kind })
		if i < 0 && kind != "none" {
			var known []string
			for _, f := range all {
				known = append(known, f.kind)
			}
			return nil, fmt.Errorf("no kind of fault is named %q; there are %v", kind, known)
		}
		if i >= 0 {
			s.kinds = append(s.kinds, all[i])
		}
	}
	if len(o.Faults) == 0 {
		s.kinds = all
	}
	return s, nil
}

// run begins faults until weather ends and returns when all of them are mended. Those that could not be are errors. Every kind
// has its turn before any comes again.
func (s *storm) run(ctx, weather context.Context, rng *rand.Rand) error {
	if len(s.kinds) == 0 {
		<-weather.Done()
		return nil
	}
	var mu sync.Mutex
	var errs []error
	var faults sync.WaitGroup
	var turns []int
	for sleep(weather, time.Duration(500+rng.IntN(2500))*time.Millisecond) == nil {
		if len(turns) == 0 {
			turns = rng.Perm(len(s.kinds))
		}
		f, own := s.kinds[turns[0]], rand.New(rand.NewPCG(rng.Uint64(), 0)) //nolint:gosec // not for secrets: the same in every run
		lasts := f.shortest + time.Duration(own.Int64N(int64(f.longest-f.shortest)+1))
		turns = turns[1:]
		if !s.take(f.group) {
			continue
		}
		faults.Go(func() {
			err := s.strike(ctx, f, lasts, own)
			s.leave(f.group)
			if err != nil && ctx.Err() == nil {
				mu.Lock()
				defer mu.Unlock()
				errs = append(errs, fmt.Errorf("%s: %w", f.kind, err))
			}
		})
	}
	faults.Wait()
	return errors.Join(errs...)
}

// strike lets one fault happen, mends it, and times the way of a new item from then on.
func (s *storm) strike(ctx context.Context, f fault, lasts time.Duration, rng *rand.Rand) error {
	mend, err := f.begin(ctx, s.world, rng)
	if err != nil {
		if errors.Is(err, errNotNow) || f.kind == "redis_flush" { // Redis cannot be reached: it is as good as empty
			return nil
		}
		return err
	}
	s.mu.Lock()
	s.counts[f.kind]++
	s.mu.Unlock()
	s.say("%s for %v", f.kind, lasts.Round(time.Millisecond))
	_ = sleep(ctx, lasts)
	if err := mend(context.WithoutCancel(ctx)); err != nil {
		return err
	}
	took, err := s.world.probe(ctx, f.kind, s.say)
	if ctx.Err() == nil {
		s.world.health.awaitReady(ctx, s.world.replicas, s.say)
	}
	if err != nil {
		return nil // what is lost is found in the end
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.recovery[f.kind] = append(s.recovery[f.kind], took)
	return nil
}

// take gets hold of a group of faults if none of it is there. A fault holds its group until recovery, so that the next of its group
// begins from a sound state.
func (s *storm) take(group string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.busy[group] {
		return false
	}
	s.busy[group] = true
	return true
}

func (s *storm) leave(group string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.busy[group] = false
}
