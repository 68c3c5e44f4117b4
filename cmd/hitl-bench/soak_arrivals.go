package main

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// lateAfter is when an arrival counts as late: the machine could not give it out on time, and what is measured of it is partly this program's fault.
const lateAfter = 20 * time.Millisecond

// mostAtOnce bounds the arrivals under way: a service that has stopped does not take this program's memory. Who finds no room waits, and is late.
const mostAtOnce = 20_000

// arrivals are an open loop: things that come by the clock, at a fixed rate, whatever became of those before. Whoever does one counts its time from when it
// was to come, so that a stall is seen by all that it holds up, and not by those alone that were under way: G. Tene calls the opposite coordinated omission.
type arrivals struct {
	rate float64 // a second
	late atomic.Int64
	most int // at once; default mostAtOnce
}

// run has do called for everything that comes within a time, each on a goroutine of its own, and returns how many came once all are done. It ends early with ctx.
func (a *arrivals) run(ctx context.Context, length time.Duration, do func(i int64, due time.Time)) (came int64) {
	var working sync.WaitGroup
	defer working.Wait()
	if a.most == 0 {
		a.most = mostAtOnce
	}
	room := make(chan struct{}, a.most)
	begin := time.Now()
	all := int64(a.rate * length.Seconds())
	for i := range all {
		due := begin.Add(time.Duration(float64(i) / a.rate * float64(time.Second)))
		if wait := time.Until(due); wait > 0 {
			t := time.NewTimer(wait)
			select {
			case <-t.C:
			case <-ctx.Done():
				t.Stop()
				return i
			}
		}
		select {
		case room <- struct{}{}:
		case <-ctx.Done():
			return i
		}
		if time.Since(due) > lateAfter {
			a.late.Add(1)
		}
		working.Go(func() {
			defer func() { <-room }()
			do(i, due)
		})
	}
	return all
}
