package audit_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"hitl"
	"hitl/audit"
)

// queueRefresh commits a refresh of a card.
func queueRefresh(t *testing.T, s *audit.Store) {
	t.Helper()
	rec := unsure("a", "so so")
	mustAppend(t, s, rec, nil)
	card, err := s.BeginCard(t.Context(), rec.Review.ID, "T1", "C1", 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.CardPosted(t.Context(), card.ID, "C1", "1.2"); err != nil {
		t.Fatal(err)
	}
	mustDecide(t, s, corrected(rec, "U1"), nil)
}

// A job whose process died, or whose process never heard that it had got it, begins again when its lease is over.
func TestLostJobBeginsAgain(t *testing.T) {
	t.Parallel()
	s, owner := open(t, fast, func(c *audit.Config) { c.JobLease = 100 * time.Millisecond })
	queueRefresh(t, s)
	if _, err := owner.Exec(t.Context(), `
		UPDATE hitl_jobs.river_job SET state = 'running', attempt = 1, attempted_at = now(), attempted_by = '{dead}'`); err != nil {
		t.Fatal(err)
	}
	refreshed := make(chan string, 10)
	run(t, s, audit.Handlers{RefreshCard: func(_ context.Context, id string) error { refreshed <- id; return nil }})
	<-refreshed
	eventually(t, "no jobs left", func() bool { return liveJobs(t, owner) == 0 })
}

func liveJobs(t *testing.T, owner *pgxpool.Pool) int {
	t.Helper()
	return scalar[int](t, owner, `SELECT count(*) FROM hitl_jobs.river_job WHERE state <> 'completed'`)
}

// An attempt that outlasts its lease is left alone, also by other processes.
func TestLongAttemptKeepsItsLease(t *testing.T) {
	t.Parallel()
	_, service := database(t)
	lease := time.Second
	var sent, refreshed atomic.Int64
	end := make(chan struct{})
	h := audit.Handlers{
		Callback:    func(context.Context, hitl.Callback) error { sent.Add(1); <-end; return nil },
		RefreshCard: func(context.Context, string) error { refreshed.Add(1); <-end; return nil },
	}
	stores := make([]*audit.Store, 2)
	for i := range stores {
		cfg := audit.Config{DSN: service, MaxConns: 4, JobLease: lease}
		fast(&cfg)
		stores[i] = openWith(t, cfg)
		run(t, stores[i], h)
	}
	rec := sure("b", "fine")
	mustAppend(t, stores[0], rec, callback(rec))
	queueRefresh(t, stores[0])
	eventually(t, "begun", func() bool { return sent.Load() == 1 && refreshed.Load() == 1 })
	began := time.Now()
	eventually(t, "leases later", func() bool { return time.Since(began) > 5*lease/2 })
	equal(t, "attempts begun", []int64{sent.Load(), refreshed.Load()}, []int64{1, 1})
	close(end)
	eventually(t, "delivered", func() bool { return len(states(t, stores[0], hitl.CallbackDelivered)) == 1 })
}

// A job that was given to others while it lasted is done by them once more, and none is left: a process that was paused wakes up.
func TestEndOfAJobThatWasTakenOver(t *testing.T) {
	t.Parallel()
	s, owner := open(t, fast)
	var begun atomic.Int64
	run(t, s, audit.Handlers{RefreshCard: func(ctx context.Context, _ string) error {
		if begun.Add(1) > 1 {
			return nil
		}
		_, err := owner.Exec(ctx, `UPDATE hitl_jobs.river_job SET state = 'available', scheduled_at = now() WHERE state = 'running'`)
		return err
	}})
	queueRefresh(t, s)
	eventually(t, "no jobs left", func() bool { return begun.Load() > 0 && liveJobs(t, owner) == 0 })
}
