package main

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestArrivals(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := arrivals{rate: 100}
		begin := time.Now()
		var mu sync.Mutex
		seen := map[int64]bool{}
		came := a.run(t.Context(), 3*time.Second, func(i int64, due time.Time) {
			if want := begin.Add(time.Duration(i) * 10 * time.Millisecond); due.Sub(want).Abs() > time.Microsecond || time.Since(due) > 0 {
				t.Errorf("arrival %d is due at %v and comes at %v", i, due.Sub(begin), time.Since(begin))
			}
			time.Sleep(time.Second) // holds nobody up
			mu.Lock()
			defer mu.Unlock()
			seen[i] = true
		})
		if came != 300 || len(seen) != 300 {
			t.Errorf("%d came and %d were done, want 300", came, len(seen))
		}
		if took := time.Since(begin); took < 3900*time.Millisecond || took > 4*time.Second {
			t.Errorf("it took %v: the last comes after 2.99 s and takes one", took)
		}
		if late := a.late.Load(); late != 0 {
			t.Errorf("%d were late", late)
		}
	})
}

// A stall must be seen by everything that was to come while it lasted.
func TestArrivalsStall(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := arrivals{rate: 100, most: 1}
		var slow int
		a.run(t.Context(), 3*time.Second, func(i int64, due time.Time) {
			if i == 100 {
				time.Sleep(time.Second)
			}
			if time.Since(due) > 100*time.Millisecond {
				slow++
			}
		})
		// Those of the second in which nothing went on, but for its last tenth.
		if slow < 88 || slow > 92 {
			t.Errorf("%d arrivals saw a stall of a second, want 90", slow)
		}
		if late := a.late.Load(); late < 96 || late > 99 {
			t.Errorf("%d arrivals count as late, want those of the stall but for its last 20 ms", late)
		}
	})
}

func TestArrivalsEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		a := arrivals{rate: 10}
		if came := a.run(ctx, time.Hour, func(int64, time.Time) {}); came < 10 || came > 11 {
			t.Errorf("%d came in the second that it was given", came)
		}
	})
}
