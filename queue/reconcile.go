package queue

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/redis/go-redis/v9"
)

// Reconciler keeps one queue equal to what Postgres says: it rebuilds when
// Redis was emptied, within CheckEvery, and otherwise every Every, which
// brings back what could not be added since Redis was away, what a process
// that died between its commit and Redis did not add, and what was lost in a
// failover. Of all replicas' reconcilers one does the work each time.
type Reconciler struct {
	Client *Client
	Queue  string
	Open   OpenReviews

	// Every is the time between two rebuilds; it is longer when the backlogs are
	// so long that they would take more than their share of the time. Default: 5
	// seconds.
	Every time.Duration

	// Budget is shared by the reconcilers of a process. Default: one that this
	// reconciler has for itself.
	Budget *Budget

	// CheckEvery is the time between two looks at the epoch. Default: one
	// second.
	CheckEvery time.Duration

	// Logger hears about losses and failures. Default: the client's.
	Logger *slog.Logger
}

// Run reconciles until ctx is over, then returns nil. Failures of Redis or
// Postgres are logged, once until the first success, and tried again.
func (r *Reconciler) Run(ctx context.Context) error {
	if _, err := r.Client.keys(r.Queue); err != nil {
		return err
	}
	logger := r.Logger
	if logger == nil {
		logger = r.Client.cfg.Logger
	}
	logger = logger.With("queue", r.Queue)
	if r.Budget == nil {
		r.Budget = &Budget{}
	}
	ticker := time.NewTicker(orDefault(r.CheckEvery, time.Second))
	defer ticker.Stop()
	failing := false
	for {
		err := r.step(ctx, logger)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil && !failing:
			logger.ErrorContext(ctx, "cannot reconcile the queue, will try again", "error", err)
		case err == nil && failing:
			logger.InfoContext(ctx, "the queue is reconciled again")
		}
		failing = err != nil
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// step rebuilds if nobody has within Every, or the index is lost and nobody
// is at it. The lease says both: it stays for Every after a rebuild, and is
// given up at once after a failure. A replica that dies holding it delays
// the others by no more than that.
func (r *Reconciler) step(ctx context.Context, logger *slog.Logger) error {
	if err := r.Budget.begin(ctx); err != nil {
		return err
	}
	defer r.Budget.end()
	lease := r.Client.leaseKey(r.Queue)
	mine, err := r.Client.rdb.SetNX(ctx, lease, 1, r.pause()).Result()
	if err != nil {
		return fmt.Errorf("ask for lease: %w", err)
	}
	if !mine {
		return nil
	}
	_, err = r.Client.Epoch(ctx, r.Queue)
	lost := errors.Is(err, ErrLost)
	if err == nil || lost {
		var done Rebuilt
		began := time.Now()
		if done, err = r.Client.Rebuild(ctx, r.Queue, r.Open, nil); err == nil {
			if lost || done.Added > 0 {
				logger.InfoContext(ctx, "queue rebuilt", "lost", lost, "open", done.Open, "added", done.Added, "dropped", done.Dropped, "epoch", done.Epoch)
			}
			r.Budget.spent(r.Queue, time.Since(began))
			err = errors.Join(r.Client.rdb.Set(ctx, lease, 1, r.pause()).Err(), r.Client.prune(ctx, r.Queue))
			if _, lost := r.Client.Epoch(ctx, r.Queue); !errors.Is(lost, ErrLost) {
				return err
			}
			// Redis was emptied before the lease was set anew: nobody must wait for its end.
		}
	}
	after, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	return errors.Join(err, r.Client.rdb.Del(after, lease).Err())
}

// pause is how long nobody rebuilds after a rebuild.
func (r *Reconciler) pause() time.Duration {
	return max(orDefault(r.Every, 5*time.Second), r.Budget.pause())
}

// forgotten is how long a consumer may be silent before it is taken for one
// of a replica that is gone.
const forgotten = time.Hour

// pruneScript forgets consumers that hold nothing and have been silent.
//
// KEYS: see Client.keys.
// ARGV: group; silence in ms.
// Returns how many it forgot.
//
// Looking and forgetting are one step, because with a consumer go the reviews
// it holds.
var pruneScript = redis.NewScript(`
local pruned = 0
for i = 4, #KEYS do
  local consumers = redis.pcall('XINFO', 'CONSUMERS', KEYS[i], ARGV[1])
  if not consumers.err then
    for _, fields in ipairs(consumers) do
      local c = {}
      for f = 1, #fields, 2 do c[fields[f]] = fields[f + 1] end
      if c.pending == 0 and c.idle > tonumber(ARGV[2]) then
        redis.call('XGROUP', 'DELCONSUMER', KEYS[i], ARGV[1], c.name)
        pruned = pruned + 1
      end
    end
  end
end
return pruned`)

func (c *Client) prune(ctx context.Context, queue string) error {
	keys, err := c.keys(queue)
	if err != nil {
		return err
	}
	if err := pruneScript.Run(ctx, c.rdb, keys, group, forgotten.Milliseconds()).Err(); err != nil {
		return fmt.Errorf("forget consumers of queue %q: %w", queue, err)
	}
	return nil
}

func orDefault(d, otherwise time.Duration) time.Duration {
	if d <= 0 {
		return otherwise
	}
	return d
}
