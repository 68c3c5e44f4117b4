package audit_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"hitl"
	"hitl/audit"
)

// A job whose process died, or whose process never heard that it had got it, begins again when its lease is over.
func TestLostJobBeginsAgain(t *testing.T) {
	t.Parallel()
	s, owner := open(t, fast, func(c *audit.Config) { c.JobLease = 100 * time.Millisecond })
	rec := sure("a", "fine")
	mustAppend(t, s, rec, callback(rec))
	if _, err := owner.Exec(t.Context(), `
		UPDATE hitl_jobs.river_job SET state = 'running', attempt = 1, attempted_at = now(), attempted_by = '{dead}'`); err != nil {
		t.Fatal(err)
	}
	if _, err := owner.Exec(t.Context(), `UPDATE hitl.callbacks SET attempts = 1`); err != nil { // it had begun its attempt
		t.Fatal(err)
	}
	run(t, s, audit.Handlers{Callback: func(context.Context, hitl.Callback) error { return nil }})
	eventually(t, "delivered", func() bool { return len(states(t, s, hitl.CallbackDelivered)) == 1 })
	equal(t, "attempts", states(t, s, hitl.CallbackDelivered)[0].Attempts, 2)
}

// An attempt that outlasts its lease is left alone, also by other processes.
func TestLongAttemptKeepsItsLease(t *testing.T) {
	t.Parallel()
	_, service := database(t)
	lease := time.Second
	var begun atomic.Int64
	end := make(chan struct{})
	h := audit.Handlers{Callback: func(context.Context, hitl.Callback) error {
		begun.Add(1)
		<-end
		return nil
	}}
	stores := make([]*audit.Store, 2)
	for i := range stores {
		cfg := audit.Config{DSN: service, MaxConns: 4, JobLease: lease}
		fast(&cfg)
		stores[i] = openWith(t, cfg)
		run(t, stores[i], h)
	}
	rec := sure("a", "fine")
	mustAppend(t, stores[0], rec, callback(rec))
	eventually(t, "begun", func() bool { return begun.Load() == 1 })
	began := time.Now()
	eventually(t, "leases later", func() bool { return time.Since(began) > 5*lease/2 })
	equal(t, "attempts begun", begun.Load(), int64(1))
	close(end)
	eventually(t, "delivered", func() bool { return len(states(t, stores[0], hitl.CallbackDelivered)) == 1 })
}

// What an attempt came to counts although its job was given to others while it lasted: a process that was paused wakes up.
func TestEndOfAJobThatWasTakenOver(t *testing.T) {
	t.Parallel()
	s, owner := open(t, fast)
	var begun atomic.Int64
	run(t, s, audit.Handlers{Callback: func(ctx context.Context, _ hitl.Callback) error {
		if begun.Add(1) > 1 {
			return nil
		}
		_, err := owner.Exec(ctx, `UPDATE hitl_jobs.river_job SET state = 'retryable', scheduled_at = now() + interval '1 hour' WHERE state = 'running'`)
		return err
	}})
	rec := sure("a", "fine")
	mustAppend(t, s, rec, callback(rec))
	eventually(t, "delivered", func() bool { return len(states(t, s, hitl.CallbackDelivered)) == 1 })
	equal(t, "attempts", states(t, s, hitl.CallbackDelivered)[0].Attempts, 1)
	if _, err := owner.Exec(t.Context(), `UPDATE hitl_jobs.river_job SET state = 'available', scheduled_at = now()`); err != nil {
		t.Fatal(err)
	}
	eventually(t, "no jobs left", func() bool {
		return scalar[int](t, owner, `SELECT count(*) FROM hitl_jobs.river_job WHERE state <> 'completed'`) == 0
	})
	equal(t, "attempts begun", begun.Load(), int64(1))
}
