package main

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/redis/go-redis/v9"

	"hitl/deploy/local"
)

// queued is a service with so many queues, and those who use it.
type queued struct {
	*service
	queues int
	limit  int // of cards in each channel
	posts  *clients
	shown  *cards
	rest   *idle
}

// openQueues prepares services that differ in their number of queues, and each have a Redis for themselves, so that what that does is theirs.
func openQueues(ctx context.Context, b *bench) (*growing, error) {
	g := &growing{sizes: []int{1, 10, 100}}
	if b.Quick {
		g.sizes = []int{1, 4}
	}
	var all []*queued
	for _, n := range g.sizes {
		q, err := b.openQueued(ctx, n)
		if err != nil {
			return nil, fmt.Errorf("%d queues: %w", n, err)
		}
		all = append(all, q)
	}
	items, shown := b.size(3200, 160), b.size(20, 4)
	g.steps = []step{
		{cold: true, figures: idleFigures("idle"), run: func(ctx context.Context, at int) ([]float64, error) { return all[at].rest.measure(ctx) }},
		{
			figures: []figure{{name: "items posted", unit: "1/s", reach: atLeast(0.9)}},
			run: func(ctx context.Context, at int) ([]float64, error) {
				rate, err := all[at].posts.run(ctx, items)
				return []float64{rate}, err
			},
		},
		{
			figures: []figure{{name: "cards claimed and decided", unit: "1/s", reach: atLeast(0.9)}},
			run: func(ctx context.Context, at int) ([]float64, error) {
				rate, err := all[at].work(ctx, shown)
				return []float64{rate}, err
			},
		},
		{
			figures: []figure{{name: "metrics read", unit: "ms"}},
			run:     func(ctx context.Context, at int) ([]float64, error) { return all[at].scrape(ctx) },
		},
		{cold: true, figures: idleFigures("waiting"), run: func(ctx context.Context, at int) ([]float64, error) {
			if err := all[at].full(ctx); err != nil {
				return nil, err
			}
			return all[at].rest.measure(ctx)
		}},
	}
	g.note = func() string {
		return fmt.Sprintf("%d items a run by %d clients, all for people; %d cards a run, %d at once. idle: nothing was ever posted; waiting: channels are full of cards that nobody "+
			"touches, and more reviews wait. CPU of the service: utime and stime of /proc/PID/stat; of Postgres: schedstat of the sessions that its database has, so without the server's own "+
			"processes; of Redis: its INFO. Transactions: pg_stat_database. All over %v", items, clientCount, shown, cyclists, all[0].rest.window)
	}
	return g, nil
}

func (b *bench) openQueued(ctx context.Context, queues int) (*queued, error) {
	rd, err := local.StartRedis(ctx, local.RedisOptions{Dir: filepath.Join(b.dir, b.name("redis")), NoStandIn: true})
	if err != nil {
		return nil, err
	}
	b.onRowEnd(rd.Stop)
	if _, err := b.redis(ctx); err != nil { // says what to install, and is in the versions
		return nil, err
	}
	// Together the channels show at least twice as many cards as a run takes, so that the next run need not wait for the pace of one channel.
	limit := max(b.size(40, 8)/queues, 1)
	svc, err := b.serve(ctx, settings{Redis: rd, Review: true, Queues: queues, OpenLimit: limit, ClaimFor: "15m", Metrics: true})
	if err != nil {
		return nil, err
	}
	q := &queued{service: svc, queues: queues, limit: limit, posts: b.newClients(svc.url, queues), shown: &cards{sim: svc.slack.sim, in: queues}}
	q.rest = &idle{pid: svc.pid, window: 8 * time.Second}
	if b.Quick {
		q.rest.window = time.Second
	}
	if q.rest.conn, err = b.connect(ctx, svc.database); err != nil {
		return nil, err
	}
	q.rest.redis = redis.NewClient(&redis.Options{Addr: rd.Addr(), Password: rd.Password(), PoolSize: 1})
	b.onRowEnd(func(context.Context) error { return q.rest.redis.Close() })
	return q, nil
}

// work has people claim cards and decide them, and returns how many a second.
func (q *queued) work(ctx context.Context, n int) (float64, error) {
	if err := q.full(ctx); err != nil { // or the cards that are being posted would be work of more queues at once
		return 0, err
	}
	open, err := q.shown.take(ctx, n)
	if err != nil {
		return 0, err
	}
	return perSecond(n, func(ctx context.Context) error {
		return spread(cyclists, n, func(i int) error {
			for _, action := range []string{"hitl_claim", "hitl_accept"} {
				if _, err := press(ctx, q.slack.sim, open[i], action); err != nil {
					return fmt.Errorf("press %s: %w", action, err)
				}
			}
			return nil
		})
	})(ctx)
}

// full returns when every channel has as many cards as it may, and no click waits to be shown.
func (q *queued) full(ctx context.Context) error {
	return until(ctx, func() (full bool, err error) {
		err = q.rest.conn.QueryRow(ctx, `
			SELECT NOT EXISTS (SELECT FROM hitl_jobs.river_job WHERE state IN ('available', 'running')) AND
			    (SELECT count(*) FROM hitl.cards WHERE live AND state = 'posted') >= $1`, q.queues*q.limit).Scan(&full)
		return full, err
	})
}

// scrape reads the metrics as Prometheus does, and returns how many milliseconds that takes.
func (q *queued) scrape(ctx context.Context) ([]float64, error) {
	begin := time.Now()
	_, err := read(ctx, q.metrics[0])
	return []float64{time.Since(begin).Seconds() * 1000}, err
}
