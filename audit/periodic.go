package audit

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"hitl"
)

const (
	// minLease and maxLease bound how long a run of a periodic task may take before another process may begin the next: what dies in the
	// middle of a daily task is made up for soon.
	minLease, maxLease = time.Minute, 10 * time.Minute
	// maxTick is how late a task begins at most.
	maxTick = time.Minute
	// retryPeriodic is how long after its begin a run that failed is followed by the next, if the task's own time is not shorter.
	retryPeriodic = time.Minute
	// lookAgain is how long after a run that came too early the next follows, if the task's own time is not shorter.
	lookAgain = time.Hour
)

// ErrTooEarly is what a task returns that has not what it needs yet. It has not failed, and is run again within the hour.
var ErrTooEarly = errors.New("too early")

// lease is how long a run may take.
func (p Periodic) lease() time.Duration { return max(min(p.Every, maxLease), minLease) }

// tick is how often it is looked whether the task is due.
func (p Periodic) tick() time.Duration { return min(max(p.Every/4, time.Millisecond), maxTick) }

// next is how long after the begin of a run the next is due.
func (p Periodic) next(err error) time.Duration {
	if retry, ok := errors.AsType[*hitl.RetryError](err); ok {
		return min(p.Every, max(retry.After, retryPeriodic))
	}
	switch {
	case errors.Is(err, ErrTooEarly):
		return min(p.Every, lookAgain)
	case err != nil:
		return min(p.Every, retryPeriodic)
	}
	return p.Every
}

// runPeriodic runs a task when it is due and no other process was first, until ctx ends.
//
// A row holds when it is due. Whoever moves it to the end of a lease runs the task and then moves it to the next time; if that process dies,
// the lease ends by itself, and one that outlives its lease leaves the row to whoever has it then. This needs no leader, no session and no
// lock, only the database's clock.
func (s *Store) runPeriodic(ctx context.Context, p Periodic) {
	lease := p.lease()
	tick := time.NewTicker(p.tick())
	defer tick.Stop()
	known := false
	for {
		var t turn
		var err error
		if !known {
			err = s.addTimer(ctx, p.Name)
			known = err == nil
		}
		if known {
			t, err = s.claimTimer(ctx, p.Name, lease)
		}
		switch {
		case err != nil && ctx.Err() == nil:
			s.cfg.Logger.WarnContext(ctx, "could not look whether a task is due", "task", p.Name, "error", err)
		case err == nil && t != (turn{}):
			s.runOnce(ctx, p, t, lease)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// turn is one run of a task, by the database's clock.
type turn struct{ began, until time.Time }

func (s *Store) runOnce(ctx context.Context, p Periodic, t turn, lease time.Duration) {
	runCtx, cancel := context.WithTimeout(ctx, lease)
	defer cancel()
	start := s.cfg.Now()
	err := contain(func() error { return p.Run(runCtx) })
	next := p.next(err)
	if errors.Is(err, ErrTooEarly) {
		err = nil
	}
	s.cfg.Observer.PeriodicRan(p.Name, s.cfg.Now().Sub(start), err)
	if err != nil && ctx.Err() == nil {
		s.cfg.Logger.WarnContext(ctx, "periodic task failed", "task", p.Name, "error", err)
	}
	// Also when stopping: the next process need not wait for the lease to end.
	setCtx, done := context.WithTimeout(context.WithoutCancel(ctx), s.cfg.StatementTimeout)
	defer done()
	_, err = s.pool.Exec(setCtx, `UPDATE hitl.timers SET next_at = $3 WHERE name = $1 AND next_at = $2`, p.Name, t.until, t.began.Add(next))
	if err != nil {
		s.cfg.Logger.WarnContext(ctx, "could not set a task's next run", "task", p.Name, "error", err)
	}
}

func (s *Store) addTimer(ctx context.Context, name string) error {
	if _, err := s.pool.Exec(ctx, `INSERT INTO hitl.timers (name, next_at) VALUES ($1, now()) ON CONFLICT DO NOTHING`, name); err != nil {
		return fmt.Errorf("add timer: %w", err)
	}
	return nil
}

// claimTimer returns the turn that it took; zero when the task is not due. Once begun it is not cut short when ctx ends: a turn that was taken and not known of
// would keep the next process waiting until the lease is over.
func (s *Store) claimTimer(ctx context.Context, name string, lease time.Duration) (turn, error) {
	var t turn
	if err := ctx.Err(); err != nil {
		return t, err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.cfg.StatementTimeout)
	defer cancel()
	err := s.pool.QueryRow(ctx, `
		UPDATE hitl.timers SET next_at = now() + $2::bigint * interval '1 microsecond' WHERE name = $1 AND next_at <= now()
		RETURNING now(), next_at`, name, lease.Microseconds()).Scan(&t.began, &t.until)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return turn{}, fmt.Errorf("claim timer: %w", err)
	}
	return t, nil
}

// Overdue says of each periodic task that RunEffects runs here for how long its turn has been due, by the database's clock, without any process taking it; 0 while
// it is not due or runs. It tells what runs nowhere: one that runs and fails is due again soon and is not late. Tasks that never had a turn are absent.
func (s *Store) Overdue(ctx context.Context) (map[string]time.Duration, error) {
	out := map[string]time.Duration{}
	names := s.tasks.Load()
	if names == nil {
		return out, nil
	}
	rows, err := s.pool.Query(ctx, `SELECT name, extract(epoch FROM greatest(now() - next_at, interval '0'))::float8 FROM hitl.timers WHERE name = ANY ($1)`, *names)
	if err != nil {
		return nil, fmt.Errorf("query timers: %w", err)
	}
	var name string
	var late float64
	if _, err := pgx.ForEachRow(rows, []any{&name, &late}, func() error {
		out[name] = time.Duration(late * float64(time.Second))
		return nil
	}); err != nil {
		return nil, fmt.Errorf("query timers: %w", err)
	}
	return out, nil
}
