package audit

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/riverqueue/river/rivertype"
)

// leases are the jobs that this process works on. Their rows say when that was last so: River notes when a job was taken, and this process
// moves that on for as long as it works. A job whose row says nothing new has lost its process, or never reached one since the answer was lost that
// gave it out; whoever sees that first gives it out again. River itself would do so only after the longest time that a job may take,
// and half a minute.
//
// It is a Work middleware of River. A job that is done may be given out again before River has noted its end: effects are idempotent.
type leases struct {
	mu      sync.Mutex
	running []int64
}

// IsMiddleware implements rivertype.Middleware.
func (*leases) IsMiddleware() bool { return true }

// IsPlugin implements rivertype.Plugin.
func (*leases) IsPlugin() bool { return true }

// Work implements rivertype.WorkerMiddleware.
func (l *leases) Work(ctx context.Context, job *rivertype.JobRow, work func(context.Context) error) error {
	l.mu.Lock()
	l.running = append(l.running, job.ID)
	l.mu.Unlock()
	defer func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		i := slices.Index(l.running, job.ID) // it stands there twice when it was given out again while we worked on it
		l.running = slices.Delete(l.running, i, i+1)
	}()
	return work(ctx)
}

func (l *leases) held() []int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]int64{}, l.running...) // never nil, which would be NULL
}

// keepLeases renews our leases and gives out again the jobs of others whose leases have ended, until ctx ends.
func (s *Store) keepLeases(ctx context.Context, l *leases) {
	tick := time.NewTicker(max(s.cfg.JobLease/5, time.Millisecond))
	defer tick.Stop()
	failing := false
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		err := s.keepLeasesOnce(ctx, l.held())
		if err != nil && !failing && ctx.Err() == nil {
			s.cfg.Logger.WarnContext(ctx, "could not look after jobs, will try again", "error", err)
		}
		failing = err != nil
	}
}

// leaseBatch is the most jobs that are given out again at a time.
const leaseBatch = 1000

func (s *Store) keepLeasesOnce(ctx context.Context, held []int64) error {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.JobLease)
	defer cancel()
	if len(held) > 0 {
		if _, err := s.pool.Exec(ctx, `UPDATE hitl_jobs.river_job SET attempted_at = now() WHERE id = ANY($1) AND state = 'running'`, held); err != nil {
			return fmt.Errorf("renew leases: %w", err)
		}
	}
	tag, err := s.pool.Exec(ctx, `
		UPDATE hitl_jobs.river_job SET state = 'available', scheduled_at = now() WHERE id IN (
		    SELECT id FROM hitl_jobs.river_job
		    WHERE state = 'running' AND attempted_at < now() - $1::bigint * interval '1 microsecond' AND NOT id = ANY($2)
		    LIMIT $3 FOR UPDATE SKIP LOCKED)`, s.cfg.JobLease.Microseconds(), held, leaseBatch)
	if err != nil {
		return fmt.Errorf("take over jobs: %w", err)
	}
	if n := tag.RowsAffected(); n > 0 {
		s.cfg.Logger.InfoContext(ctx, "jobs had lost their process and begin again", "jobs", n)
	}
	return nil
}
