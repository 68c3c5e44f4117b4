package audit_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"hitl"
	"hitl/audit"
)

// fast makes effects quick enough for tests.
func fast(c *audit.Config) {
	c.PollInterval = 5 * time.Millisecond
	c.CallbackRetries = []time.Duration{time.Millisecond, time.Millisecond, time.Millisecond}
	c.EffectTimeout = 10 * time.Second
}

// run runs effects until the test ends or stop is called.
func run(t *testing.T, s *audit.Store, h audit.Handlers) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := s.RunEffects(ctx, h); err != nil {
			t.Error(err)
		}
	})
	stop = func() { cancel(); wg.Wait() }
	t.Cleanup(stop)
	return stop
}

func states(t *testing.T, s *audit.Store, state hitl.CallbackState) []audit.CallbackStatus {
	t.Helper()
	list, err := s.Callbacks(t.Context(), state, 1000)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestCallbackDelivered(t *testing.T) {
	t.Parallel()
	s, _ := open(t, fast)
	var got sync.Map
	run(t, s, audit.Handlers{Callback: func(_ context.Context, c hitl.Callback) error {
		got.Store(c.ID, c)
		return nil
	}})
	rec, decided := sure("a", "fine"), unsure("b", "so so")
	first, then := callback(rec), callback(decided)
	mustAppend(t, s, rec, first)
	mustAppend(t, s, decided, nil)
	mustDecide(t, s, corrected(decided, "U1"), then)
	eventually(t, "both delivered", func() bool { return len(states(t, s, hitl.CallbackDelivered)) == 2 })
	for _, want := range []*hitl.Callback{first, then} {
		c, _ := got.Load(want.ID)
		equal(t, "callback", c, any(*want))
	}
	for _, c := range states(t, s, hitl.CallbackDelivered) {
		if c.Attempts != 1 || c.DeliveredAt == nil || c.LastError != "" {
			t.Errorf("%+v", c)
		}
	}
}

func TestCallbackRetriedDeadRevived(t *testing.T) {
	t.Parallel()
	var outcomes outcomes
	s, _ := open(t, fast, func(c *audit.Config) { c.Observer = &outcomes })
	var broken atomic.Bool
	broken.Store(true)
	var tries atomic.Int64
	run(t, s, audit.Handlers{Callback: func(context.Context, hitl.Callback) error {
		tries.Add(1)
		if !broken.Load() {
			return nil
		}
		if tries.Load() == 2 {
			panic("odd receiver")
		}
		return errors.New("no route \x00 to \xff host")
	}})
	rec := sure("a", "fine")
	mustAppend(t, s, rec, callback(rec))
	eventually(t, "dead", func() bool { return len(states(t, s, hitl.CallbackDead)) == 1 })
	dead := states(t, s, hitl.CallbackDead)[0]
	equal(t, "attempts", dead.Attempts, 4)
	equal(t, "tries", tries.Load(), int64(4))
	equal(t, "last error", dead.LastError, "no route \ufffd to \ufffd host")
	eventually(t, "four outcomes", func() bool { return len(outcomes.list()) == 4 }) // the observer is told after the commit
	equal(t, "outcomes", outcomes.list(), []string{"mail 1 retried", "mail 2 retried", "mail 3 retried", "mail 4 dead"})

	if n, err := s.RetryCallbacks(t.Context(), "msg_none"); n != 0 || err != nil {
		t.Errorf("revived %d of none, error %v", n, err)
	}
	broken.Store(false)
	if n, err := s.RetryCallbacks(t.Context()); n != 1 || err != nil {
		t.Fatalf("revived %d, error %v", n, err)
	}
	eventually(t, "delivered", func() bool { return len(states(t, s, hitl.CallbackDelivered)) == 1 })
	if n, err := s.RetryCallbacks(t.Context(), dead.ID); n != 0 || err != nil {
		t.Errorf("revived %d delivered, error %v", n, err)
	}
	equal(t, "tries", tries.Load(), int64(5))
}

// outcomes notes what became of callbacks.
type outcomes struct {
	flushes
	mu   sync.Mutex
	seen []string
}

func (o *outcomes) Flushed(int, time.Duration, error) {}

func (o *outcomes) CallbackTried(_ context.Context, source string, attempt int, outcome audit.Outcome, _ time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.seen = append(o.seen, fmt.Sprintf("%s %d %s", source, attempt, outcome))
}

func (o *outcomes) list() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([]string{}, o.seen...)
}

func TestCallbackPermanentAndLater(t *testing.T) {
	t.Parallel()
	s, _ := open(t, fast)
	run(t, s, audit.Handlers{Callback: func(_ context.Context, c hitl.Callback) error {
		if c.Source == "gone" {
			return fmt.Errorf("410: %w", hitl.ErrPermanent)
		}
		return &hitl.RetryError{After: time.Hour, Err: errors.New("429")}
	}})
	for _, source := range []string{"gone", "busy"} {
		rec := sure("", "fine")
		rec.Item.Source = source
		mustAppend(t, s, rec, callback(rec))
	}
	eventually(t, "one dead, one put off", func() bool {
		dead, pending := states(t, s, hitl.CallbackDead), states(t, s, hitl.CallbackPending)
		return len(dead) == 1 && dead[0].Source == "gone" && dead[0].Attempts == 1 &&
			len(pending) == 1 && pending[0].LastError == "retry after 1h0m0s: 429" && pending[0].Attempts == 1 &&
			time.Until(pending[0].NextAt) > 50*time.Minute
	})
}

// Many processes, many callbacks, failures: each is delivered, and none is sent again once it was taken.
func TestCallbacksByTwoProcesses(t *testing.T) {
	t.Parallel()
	_, service := database(t)
	var mu sync.Mutex
	taken := map[string]int{}
	tries := map[string]int{}
	h := audit.Handlers{Callback: func(_ context.Context, c hitl.Callback) error {
		mu.Lock()
		defer mu.Unlock()
		tries[c.ID]++
		if tries[c.ID] == 1 && c.ID[len(c.ID)-1]%3 == 0 {
			return errors.New("first time unlucky")
		}
		taken[c.ID]++
		return nil
	}}
	var s *audit.Store
	for range 2 {
		cfg := audit.Config{DSN: service, MaxConns: 6}
		fast(&cfg)
		s = openWith(t, cfg)
		run(t, s, h)
	}
	const n = 60
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			rec := sure(fmt.Sprint(i), "fine")
			if _, _, err := s.Append(t.Context(), rec, callback(rec)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	eventually(t, "all delivered", func() bool { return len(states(t, s, hitl.CallbackDelivered)) == n })
	mu.Lock()
	defer mu.Unlock()
	equal(t, "callbacks", len(taken), n)
	for id, times := range taken {
		if times != 1 {
			t.Errorf("%s was taken %d times", id, times)
		}
	}
}

func TestStopFinishesWhatRuns(t *testing.T) {
	t.Parallel()
	s, _ := open(t, fast)
	begun, finish := make(chan struct{}), make(chan struct{})
	stop := run(t, s, audit.Handlers{Callback: func(ctx context.Context, _ hitl.Callback) error {
		close(begun)
		<-finish
		return ctx.Err()
	}})
	rec := sure("a", "fine")
	mustAppend(t, s, rec, callback(rec))
	<-begun
	stopped := make(chan struct{})
	go func() { defer close(stopped); stop() }()
	select {
	case <-stopped:
		t.Error("stopped with an effect running")
	case <-time.After(50 * time.Millisecond):
	}
	close(finish)
	<-stopped
	equal(t, "delivered", len(states(t, s, hitl.CallbackDelivered)), 1)
}

func TestHandlersThatAreMissing(t *testing.T) {
	t.Parallel()
	s, _ := open(t, fast)
	refreshed := make(chan string, 10)
	run(t, s, audit.Handlers{RefreshCard: func(_ context.Context, id string) error { refreshed <- id; return nil }})
	rec := unsure("a", "so so")
	mustAppend(t, s, rec, nil)
	if _, err := s.BeginCard(t.Context(), rec.Review.ID, "T1", "C1", 0); err != nil {
		t.Fatal(err)
	}
	mustDecide(t, s, corrected(rec, "U1"), callback(rec))
	equal(t, "refreshed", <-refreshed, rec.Review.ID)
	pending := states(t, s, hitl.CallbackPending)
	if len(pending) != 1 || pending[0].Attempts != 0 {
		t.Errorf("callbacks without a handler: %+v", pending)
	}
	run(t, s, audit.Handlers{Callback: func(context.Context, hitl.Callback) error { return nil }})
	eventually(t, "delivered by another", func() bool { return len(states(t, s, hitl.CallbackDelivered)) == 1 })
}

// A refresh that read an old state must not have the last word.
func TestRefreshFollowsChanges(t *testing.T) {
	t.Parallel()
	s, _ := open(t, fast)
	rec := unsure("a", "so so")
	mustAppend(t, s, rec, nil)
	card, err := s.BeginCard(t.Context(), rec.Review.ID, "T1", "C1", 0)
	if err != nil {
		t.Fatal(err)
	}
	mustDecide(t, s, corrected(rec, "U1"), nil)
	var shown atomic.Int64 // cards the refresh saw posted
	var calls atomic.Int64
	run(t, s, audit.Handlers{RefreshCard: func(ctx context.Context, id string) error {
		cards, err := s.Cards(ctx, id)
		if err != nil {
			return err
		}
		switch calls.Add(1) {
		case 1: // the card is posted while we look elsewhere
			if err := s.CardPosted(ctx, card.ID, "C1", "1.2"); err != nil {
				return err
			}
		case 2:
			return errors.New("slack is away")
		}
		if cards[0].State == hitl.CardPosted {
			shown.Add(1)
		}
		return nil
	}})
	eventually(t, "the posted card refreshed", func() bool { return shown.Load() > 0 })
}

func TestPeriodicRunsOnOneAtATime(t *testing.T) {
	t.Parallel()
	_, service := database(t)
	var running, runs, overlaps atomic.Int64
	task := audit.Periodic{Name: "test", Every: 20 * time.Millisecond, Run: func(context.Context) error {
		if running.Add(1) > 1 {
			overlaps.Add(1)
		}
		defer running.Add(-1)
		if runs.Add(1)%2 == 0 {
			return errors.New("every other run fails")
		}
		return nil
	}}
	begin := time.Now()
	for range 3 {
		run(t, openWith(t, audit.Config{DSN: service, MaxConns: 2}), audit.Handlers{Periodic: []audit.Periodic{task}})
	}
	eventually(t, "ten runs", func() bool { return runs.Load() >= 10 })
	if most := int64(time.Since(begin)/task.Every) + 1; runs.Load() > most {
		t.Errorf("%d runs in the time for %d", runs.Load(), most)
	}
	equal(t, "overlaps", overlaps.Load(), int64(0))
}

// A run that outlives its lease leaves the time of the next to the process that has taken its place.
func TestPeriodicLostItsLease(t *testing.T) {
	t.Parallel()
	s, owner := open(t)
	taken := make(chan struct{})
	stop := run(t, s, audit.Handlers{Periodic: []audit.Periodic{{Name: "test", Every: time.Hour, Run: func(ctx context.Context) error {
		defer close(taken)
		_, err := owner.Exec(ctx, `UPDATE hitl.timers SET next_at = '2100-01-01'`)
		return err
	}}}})
	<-taken
	stop()
	equal(t, "next run", scalar[bool](t, owner, `SELECT next_at = '2100-01-01' FROM hitl.timers WHERE name = 'test'`), true)
}

// A turn that nobody takes grows late; one that was taken is not, however long it lasts; what does not run here is not told of.
func TestOverdue(t *testing.T) {
	t.Parallel()
	s, owner := open(t)
	overdue := func() map[string]time.Duration {
		t.Helper()
		late, err := s.Overdue(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return late
	}
	equal(t, "tasks before any runs", len(overdue()), 0)
	taken, done := make(chan struct{}), make(chan struct{})
	stop := run(t, s, audit.Handlers{Periodic: []audit.Periodic{{Name: "test", Every: time.Hour, Run: func(context.Context) error {
		close(taken)
		<-done
		return nil
	}}}})
	<-taken
	equal(t, "late while it runs", overdue()["test"], time.Duration(0))
	close(done)
	eventually(t, "the next run to be set", func() bool {
		return scalar[bool](t, owner, `SELECT next_at > now() + interval '59 minutes' FROM hitl.timers WHERE name = 'test'`)
	})
	stop()
	for _, sql := range []string{
		`UPDATE hitl.timers SET next_at = now() - interval '10 minutes'`,
		`INSERT INTO hitl.timers (name, next_at) VALUES ('of another version', '2020-01-01')`,
	} {
		if _, err := owner.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	late := overdue()
	if _, told := late["of another version"]; told {
		t.Errorf("told of what does not run here: %v", late)
	}
	if d := late["test"]; d < 10*time.Minute || d > 11*time.Minute {
		t.Errorf("late for %s", d)
	}
}
