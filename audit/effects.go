package audit

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivertype"

	"hitl"
)

// Handlers carry out effects. Each may be called more than once for the same effect, and must be safe for concurrent use. One that is
// nil leaves its effects to other processes.
type Handlers struct {
	// Callback sends a callback. nil is delivered; hitl.ErrPermanent makes it dead at once; a *hitl.RetryError puts its next
	// attempt off for at least that long; any other error means the next attempt of the schedule.
	Callback func(context.Context, hitl.Callback) error
	// RefreshCard shows a review's state, as it is then, on its posted cards. Errors as for Callback, retried for about two days.
	RefreshCard func(ctx context.Context, reviewID string) error
	// PostNotice posts a notice and returns where it stands. Errors as for RefreshCard.
	PostNotice func(ctx context.Context, n hitl.Notice) (channel, ts string, err error)
	// DecideTwins decides what a review's decision has not reached yet. Errors as for RefreshCard.
	DecideTwins func(ctx context.Context, reviewID string) error
	// Periodic are tasks that one process at a time runs.
	Periodic []Periodic
}

// Periodic is a task that runs again and again, on one process at a time.
type Periodic struct {
	Name  string                      // the same in every process; it is the timer's key in the database
	Every time.Duration               // from the begin of one run to the begin of the next; a minute if that is less and the run failed
	Run   func(context.Context) error // its context ends after Every, but not before a minute and not after ten
}

// RunEffects carries out effects until ctx ends, then lets those that run finish within Config.StopTimeout, and returns nil. It returns
// early with an error when it cannot start.
func (s *Store) RunEffects(ctx context.Context, h Handlers) error {
	// Every kind has its worker, so that the process that tends the jobs knows them all; queues say which ones run here.
	workers := river.NewWorkers()
	river.AddWorker(workers, &cardWorker{store: s, refresh: h.RefreshCard})
	river.AddWorker(workers, &noticeWorker{store: s, post: h.PostNotice})
	river.AddWorker(workers, &twinWorker{store: s, decide: h.DecideTwins})
	queues := map[string]river.QueueConfig{}
	if h.RefreshCard != nil {
		queues[cardQueue] = river.QueueConfig{MaxWorkers: s.cfg.CardWorkers}
	}
	if h.PostNotice != nil {
		queues[noticeQueue] = river.QueueConfig{MaxWorkers: noticeWorkers}
	}
	if h.DecideTwins != nil {
		queues[twinQueue] = river.QueueConfig{MaxWorkers: twinWorkers}
	}
	periodic := append([]Periodic{{Name: "audit.make_partitions", Every: makePartitionsEvery, Run: s.keepPartitions}}, h.Periodic...)
	if h.Callback != nil {
		periodic = append([]Periodic{{Name: "audit.drop_callback_jobs", Every: time.Hour, Run: s.dropCallbackJobs}}, periodic...)
	}

	var running sync.WaitGroup
	defer running.Wait()
	if len(queues) > 0 {
		leases := &leases{}
		client, err := river.NewClient(riverpgxv5.New(s.pool), s.riverConfig(queues, workers, leases))
		if err != nil {
			return fmt.Errorf("prepare effects: %w", err)
		}
		// Cancelling Start's context begins a soft stop, which SoftStopTimeout bounds.
		if err := client.Start(ctx); err != nil {
			return fmt.Errorf("start effects: %w", err)
		}
		leasing, stopLeasing := context.WithCancel(context.WithoutCancel(ctx)) // jobs run on for a while after ctx has ended
		running.Go(func() { s.keepLeases(leasing, leases) })
		defer func() {
			<-client.Stopped()
			stopLeasing()
		}()
	}
	if h.Callback != nil {
		running.Go(func() { s.deliverCallbacks(ctx, h.Callback) })
	}
	names := make([]string, 0, len(periodic))
	for _, p := range periodic {
		names = append(names, p.Name)
		running.Go(func() { s.runPeriodic(ctx, p) })
	}
	s.tasks.Store(&names)
	<-ctx.Done()
	return nil
}

// fetchCooldown is the least time between two looks for effects while there are more than there are workers: River's own, 100 ms, would hold 8 workers to 80
// cards a second.
const fetchCooldown = 10 * time.Millisecond

// finishedFor is how long finished jobs are kept: long enough to look at.
const finishedFor = 5 * time.Minute

func (s *Store) riverConfig(queues map[string]river.QueueConfig, workers *river.Workers, leases *leases) *river.Config {
	return &river.Config{
		Schema: jobsSchema, PollOnly: true, Queues: queues, Workers: workers, Middleware: []rivertype.Middleware{leases},
		FetchPollInterval: s.cfg.PollInterval, FetchCooldown: min(s.cfg.PollInterval, fetchCooldown),
		JobTimeout: s.cfg.EffectTimeout + 5*time.Second, RescueStuckJobsAfter: s.cfg.EffectTimeout + s.cfg.StatementTimeout + 10*time.Second,
		SoftStopTimeout: s.cfg.StopTimeout,
		// Finished jobs are of no use: the card tells. Jobs given up are kept for a week.
		CompletedJobRetentionPeriod: finishedFor,
		// Reindexing takes the owner's rights, which the service lacks on purpose.
		ReindexerIndexNames: []string{},
		Logger:              slog.New(newQuiet(s.cfg.Logger.Handler())),
	}
}

// contain makes a panic an error: it fails one attempt, nothing else.
func contain(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	return f()
}

// jitter adds up to a tenth, so that what failed together is not tried again together.
func jitter(d time.Duration) time.Duration {
	return d + time.Duration(rand.Int64N(int64(d/10)+1)) //nolint:gosec // no secret
}
