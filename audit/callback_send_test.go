package audit_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"hitl"
	"hitl/audit"
)

func appendCallbacks(t *testing.T, s *audit.Store, source string, n int) {
	t.Helper()
	for i := range n {
		rec := sure(fmt.Sprint(source, i), "fine")
		rec.Item.Source = source
		mustAppend(t, s, rec, callback(rec))
	}
}

// A receiver that does not answer holds up its own source, and no more of it than there are places; the others' callbacks go on, also those that come later.
func TestSlowSourceHoldsUpNoOther(t *testing.T) {
	t.Parallel()
	const places = 3
	s, _ := open(t, fast, func(c *audit.Config) { c.CallbackWorkers = places })
	var slow, most, quick atomic.Int64
	answer := make(chan struct{})
	appendCallbacks(t, s, "dead", 20) // the longest due
	appendCallbacks(t, s, "slow", 20)
	appendCallbacks(t, s, "mail", 10)
	run(t, s, audit.Handlers{Callback: func(_ context.Context, c hitl.Callback) error {
		if c.Source == "mail" {
			quick.Add(1)
			return nil
		}
		n := slow.Add(1)
		for was := most.Load(); n > was && !most.CompareAndSwap(was, n); was = most.Load() {
		}
		defer slow.Add(-1)
		<-answer
		return nil
	}})
	eventually(t, "the others delivered", func() bool { return quick.Load() == 10 })
	eventually(t, "all places in use", func() bool { return slow.Load() == 2*places })
	rec := sure("one more", "fine")
	mustAppend(t, s, rec, callback(rec))
	eventually(t, "one more delivered", func() bool { return quick.Load() == 11 })
	close(answer)
	eventually(t, "all delivered", func() bool { return len(states(t, s, hitl.CallbackDelivered)) == 51 })
	if most.Load() > 2*places {
		t.Errorf("%d at once, of two sources with %d places each", most.Load(), places)
	}
}

// While one source has more that is due than can be sent, what became due behind that, and the first callback of another source, are found all the same.
func TestBacklogHidesNothing(t *testing.T) {
	t.Parallel()
	const backlog, wholeMost = 400, 5 * time.Second // the most between two looks through everything
	s, owner := open(t, fast, func(c *audit.Config) { c.CallbackWorkers = 1 })
	appendCallbacks(t, s, "late", 1)
	appendCallbacks(t, s, "mail", backlog)
	var hidden []string
	for _, source := range []string{"late", "mail"} {
		var id string
		if err := owner.QueryRow(t.Context(), `SELECT max(id) FROM hitl.callbacks WHERE source = $1`, source).Scan(&id); err != nil {
			t.Fatal(err)
		}
		hidden = append(hidden, id)
	}
	due := func(in string) {
		t.Helper()
		if _, err := owner.Exec(t.Context(), `UPDATE hitl.callbacks SET next_at = now() + $2::interval WHERE id = ANY ($1)`, hidden, in); err != nil {
			t.Fatal(err)
		}
	}
	due("1 hour")
	var others atomic.Int64
	run(t, s, audit.Handlers{Callback: func(_ context.Context, c hitl.Callback) error {
		if !slices.Contains(hidden, c.ID) {
			others.Add(1)
			time.Sleep(4 * wholeMost / backlog) // so that some of them wait still when everything was looked through
		}
		return nil
	}})
	eventually(t, "the backlog is being sent", func() bool { return others.Load() > 20 })
	due("-1 hour")
	eventually(t, "both delivered", func() bool {
		var n int
		err := owner.QueryRow(t.Context(), `SELECT count(*) FROM hitl.callbacks WHERE id = ANY ($1) AND state = 'delivered'`, hidden).Scan(&n)
		return err == nil && n == len(hidden)
	})
	if n := others.Load(); n >= backlog-1 {
		t.Errorf("all %d others were sent first", n)
	}
}

// A callback whose process died in the middle of an attempt is sent again when its lease is over, and not before.
func TestLostAttemptBeginsAgain(t *testing.T) {
	t.Parallel()
	s, owner := open(t, fast)
	rec := sure("a", "fine")
	mustAppend(t, s, rec, callback(rec))
	if _, err := owner.Exec(t.Context(), `UPDATE hitl.callbacks SET attempts = 1, next_at = now() + interval '300 ms'`); err != nil {
		t.Fatal(err)
	}
	var early atomic.Bool
	run(t, s, audit.Handlers{Callback: func(ctx context.Context, _ hitl.Callback) error {
		var over bool
		err := owner.QueryRow(ctx, `SELECT now() >= created_at + interval '300 ms' FROM hitl.callbacks`).Scan(&over)
		early.Store(!over)
		return err
	}})
	eventually(t, "delivered", func() bool { return len(states(t, s, hitl.CallbackDelivered)) == 1 })
	equal(t, "attempts", states(t, s, hitl.CallbackDelivered)[0].Attempts, 2)
	equal(t, "too early", early.Load(), false)
}

// What was claimed ahead and not begun when a process stops is due at once for the next, with as many attempts as before.
func TestStopGivesCallbacksBack(t *testing.T) {
	t.Parallel()
	s, owner := open(t, fast, func(c *audit.Config) { c.CallbackWorkers = 1 })
	appendCallbacks(t, s, "mail", 3)
	begun, answer := make(chan struct{}, 3), make(chan struct{})
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- s.RunEffects(ctx, audit.Handlers{Callback: func(context.Context, hitl.Callback) error {
			begun <- struct{}{}
			<-answer
			return nil
		}})
	}()
	<-begun
	eventually(t, "all claimed", func() bool {
		var n int
		err := owner.QueryRow(t.Context(), `SELECT count(*) FROM hitl.callbacks WHERE attempts = 1`).Scan(&n)
		return err == nil && n == 3
	})
	stop()
	close(answer)
	if err := <-ended; err != nil {
		t.Error(err)
	}
	equal(t, "delivered", len(states(t, s, hitl.CallbackDelivered)), 1)
	pending := states(t, s, hitl.CallbackPending)
	equal(t, "given back", len(pending), 2)
	for _, c := range pending {
		if c.Attempts != 0 || time.Until(c.NextAt) > 0 {
			t.Errorf("%+v", c)
		}
	}
	equal(t, "begun", len(begun), 0)
}

// Of an attempt that was taken over while it lasted, since its process was paused, a success counts and a failure does not.
func TestEndOfAnAttemptThatWasTakenOver(t *testing.T) {
	t.Parallel()
	var outcomes outcomes
	s, owner := open(t, fast, func(c *audit.Config) { c.Observer = &outcomes })
	appendCallbacks(t, s, "taken", 1)
	appendCallbacks(t, s, "refused", 1)
	run(t, s, audit.Handlers{Callback: func(ctx context.Context, c hitl.Callback) error {
		_, err := owner.Exec(ctx, `UPDATE hitl.callbacks SET attempts = attempts + 1, next_at = now() + interval '1 hour' WHERE id = $1`, c.ID)
		if c.Source == "refused" {
			return errors.Join(err, hitl.ErrPermanent)
		}
		return err
	}})
	eventually(t, "two outcomes", func() bool { return len(outcomes.list()) == 2 })
	equal(t, "delivered", states(t, s, hitl.CallbackDelivered)[0].Source, "taken")
	pending := states(t, s, hitl.CallbackPending)
	if len(pending) != 1 || pending[0].Attempts != 2 || pending[0].LastError != "" || time.Until(pending[0].NextAt) < 50*time.Minute {
		t.Errorf("after a failure that no longer counts: %+v", pending)
	}
}

// heard is a log that says when it was told something.
type heard struct {
	slog.Handler
	words string
	once  sync.Once
	ch    chan struct{}
}

func (h *heard) Handle(_ context.Context, r slog.Record) error {
	if strings.Contains(r.Message, h.words) {
		h.once.Do(func() { close(h.ch) })
	}
	return nil
}

func (h *heard) Enabled(context.Context, slog.Level) bool { return true }

// What became of an attempt is kept while Postgres cannot take it, and recorded later: nothing is sent twice.
func TestOutcomeIsRecordedLater(t *testing.T) {
	t.Parallel()
	log := &heard{words: "could not record", ch: make(chan struct{}), Handler: slog.DiscardHandler}
	s, owner := open(t, fast, func(c *audit.Config) { c.Logger = slog.New(log) })
	var tries atomic.Int64
	rec := sure("a", "fine")
	mustAppend(t, s, rec, callback(rec))
	run(t, s, audit.Handlers{Callback: func(ctx context.Context, _ hitl.Callback) error {
		tries.Add(1)
		_, err := owner.Exec(ctx, `ALTER TABLE hitl.callbacks RENAME delivered_at TO away`)
		return err
	}})
	<-log.ch
	if _, err := owner.Exec(t.Context(), `ALTER TABLE hitl.callbacks RENAME away TO delivered_at`); err != nil {
		t.Fatal(err)
	}
	eventually(t, "delivered", func() bool { return len(states(t, s, hitl.CallbackDelivered)) == 1 })
	equal(t, "tries", tries.Load(), int64(1))
}

// An earlier version has inserted a job for each callback. They go, and their callbacks are delivered once.
func TestCallbackJobsOfAnEarlierVersion(t *testing.T) {
	t.Parallel()
	s, owner := open(t, fast)
	rec := sure("a", "fine")
	c := callback(rec)
	mustAppend(t, s, rec, c)
	if _, err := owner.Exec(t.Context(), `
		INSERT INTO hitl_jobs.river_job (kind, queue, args, max_attempts, state, scheduled_at)
		VALUES ('callback', 'callbacks', json_build_object('id', $1::text)::jsonb, 300, 'available', now())`, c.ID); err != nil {
		t.Fatal(err)
	}
	var tries atomic.Int64
	run(t, s, audit.Handlers{Callback: func(context.Context, hitl.Callback) error { tries.Add(1); return nil }})
	eventually(t, "delivered", func() bool { return len(states(t, s, hitl.CallbackDelivered)) == 1 })
	eventually(t, "no jobs left", func() bool { return liveJobs(t, owner) == 0 })
	equal(t, "tries", tries.Load(), int64(1))
}
