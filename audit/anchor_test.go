package audit_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"hitl"
	"hitl/audit"
	"hitl/audit/verify"
)

// anchorFunc is an anchor that does as a test says.
type anchorFunc struct {
	name string
	keep func(ctx context.Context, signed string) error
}

func (a anchorFunc) Name() string                                  { return a.name }
func (a anchorFunc) Keep(ctx context.Context, signed string) error { return a.keep(ctx, signed) }

func sizeOf(t testing.TB, signed string) int64 {
	t.Helper()
	c, err := verify.OpenCheckpoint(signed, nil)
	if err != nil {
		t.Fatal(err)
	}
	return c.Size
}

// sequencing runs Sequence until stop.
func sequencing(t *testing.T, s *audit.Store, cfg audit.SequenceConfig) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() {
		if err := s.Sequence(ctx, cfg); err != nil {
			t.Error(err)
		}
	})
	stop = sync.OnceFunc(func() { cancel(); running.Wait() })
	t.Cleanup(stop)
	return stop
}

// One anchor hangs, one fails at first, one gives each checkpoint up: none keeps the others or the log waiting, and each gets the newest.
func TestAnchorsDoNotWaitForEachOther(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	key, _ := logKey(t)
	hung, kept, gone, outcomes := make(chan int64), make(chan int64, 100), make(chan int64, 100), make(chan string, 1000)
	fails := 2
	stop := sequencing(t, s, audit.SequenceConfig{
		Key: key, Every: time.Millisecond, CheckpointEvery: 4 * time.Millisecond,
		Anchors: []audit.Anchor{
			anchorFunc{"hanging", func(ctx context.Context, signed string) error {
				select {
				case hung <- sizeOf(t, signed):
					return nil
				case <-ctx.Done():
					return ctx.Err()
				}
			}},
			anchorFunc{"failing", func(_ context.Context, signed string) error {
				if fails--; fails >= 0 {
					return errors.New("not now")
				}
				kept <- sizeOf(t, signed)
				return nil
			}},
			anchorFunc{"gone", func(_ context.Context, signed string) error {
				gone <- sizeOf(t, signed)
				return fmt.Errorf("no more: %w", hitl.ErrPermanent)
			}},
		},
		Anchored: func(anchor string, err error) { outcomes <- fmt.Sprint(anchor, " ", err == nil) },
	})
	for i := range int64(4) {
		mustAppend(t, s, sure("", "fine"), nil)
		equal(t, "kept", <-kept, i+1)
		equal(t, "given up", <-gone, i+1)
	}
	equal(t, "the first that hung", <-hung, int64(1))  // in the hands of the anchor since then
	equal(t, "the second that hung", <-hung, int64(4)) // what came between was superseded
	stop()
	close(outcomes)
	count := map[string]int{}
	for o := range outcomes {
		count[o]++
	}
	equal(t, "outcomes", count, map[string]int{"hanging true": 2, "failing false": 2, "failing true": 4, "gone false": 4})

	// Who signed it may have died before it was kept: the next process brings it again.
	again := make(chan string, 1)
	sequencing(t, s, audit.SequenceConfig{Key: key, Every: time.Millisecond, Anchors: []audit.Anchor{anchorFunc{"late", func(_ context.Context, signed string) error {
		again <- signed
		return nil
	}}}})
	latest, err := s.LatestCheckpoint(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "brought again", <-again, latest)
}

// A daily task that fails is tried again soon, one that was done is not.
func TestPeriodicRetriesSoon(t *testing.T) {
	t.Parallel()
	s, owner := open(t)
	ran := make(chan string, 2)
	task := func(name string, err error) audit.Periodic {
		return audit.Periodic{Name: name, Every: 24 * time.Hour, Run: func(context.Context) error { ran <- name; return err }}
	}
	run(t, s, audit.Handlers{Periodic: []audit.Periodic{
		task("done", nil), task("failed", errors.New("no")), task("later", &hitl.RetryError{After: 2 * time.Hour, Err: errors.New("no")}),
	}})
	for range 3 {
		<-ran
	}
	for name, minutes := range map[string]float64{"done": 24 * 60, "failed": 1, "later": 120} {
		eventually(t, name+" is due in time", func() bool {
			due := scalar[float64](t, owner, `SELECT (extract(epoch FROM next_at - now()) / 60)::float8 FROM hitl.timers WHERE name = $1`, name)
			return due <= minutes && due > minutes-1
		})
	}
}
