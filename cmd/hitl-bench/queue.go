package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"hitl"
	"hitl/queue"
)

// sorted is a ledger of reviews that cost nothing to read.
type sorted []hitl.Review

func newSorted(n int) sorted {
	s := make(sorted, n)
	for i := range s {
		s[i] = hitl.Review{ID: fmt.Sprintf("rev_%026d", i), Priority: hitl.Priorities()[i%3]}
	}
	return s
}

// OpenReviews implements queue.OpenReviews.
func (s sorted) OpenReviews(_ context.Context, _, after string, limit int) ([]hitl.Review, error) {
	from := 0
	if after != "" {
		last, err := strconv.Atoi(strings.TrimPrefix(after, "rev_"))
		if err != nil {
			return nil, err
		}
		from = last + 1
	}
	return s[from:min(from+limit, len(s))], nil
}

// openRebuild holds the rebuild of a lost queue against the least that Redis could be asked for: the same entries in pipelined XADDs, and no
// index. Reading the reviews from Postgres is not in it.
func openRebuild(ctx context.Context, b *bench) (*pair, error) {
	rd, err := b.redis(ctx)
	if err != nil {
		return nil, err
	}
	bare := redis.NewClient(&redis.Options{Addr: rd.Addr(), Password: rd.Password()})
	b.onRowEnd(func(context.Context) error { return bare.Close() })
	prefix, name := b.name("queue"), queueName(0)
	client, err := queue.Open(ctx, queue.Config{Addrs: []string{rd.Addr()}, Password: rd.Password(), Prefix: prefix})
	if err != nil {
		return nil, err
	}
	b.onRowEnd(func(context.Context) error { return client.Close() })
	reviews := newSorted(b.size(1_000_000, 20_000))
	forget := func(ctx context.Context) error { // untimed, so that both sides begin with as much memory
		var keys []string
		for _, key := range []string{"urgent", "normal", "sample", "index", "begun", "epoch", "lease", "raw"} {
			keys = append(keys, prefix+":{"+name+"}:"+key)
		}
		return bare.Del(ctx, keys...).Err()
	}
	b.onRowEnd(forget)
	timed := func(do func(ctx context.Context) error) side {
		return func(ctx context.Context) (float64, error) {
			if err := forget(ctx); err != nil {
				return 0, err
			}
			return perSecond(len(reviews), do)(ctx)
		}
	}
	const page = 1000 // as the rebuild's
	return &pair{
		unit: "reviews/s",
		ours: timed(func(ctx context.Context) error {
			got, err := client.Rebuild(ctx, name, reviews, nil)
			if err == nil && got.Added != len(reviews) {
				return fmt.Errorf("rebuilt %+v, want %d", got, len(reviews))
			}
			return err
		}),
		peer: timed(func(ctx context.Context) error {
			for from := 0; from < len(reviews); from += page {
				pipe := bare.Pipeline()
				for _, r := range reviews[from:min(from+page, len(reviews))] {
					pipe.XAdd(ctx, &redis.XAddArgs{Stream: prefix + ":{" + name + "}:raw", Values: []string{"review", r.ID, "epoch", "1"}})
				}
				if _, err := pipe.Exec(ctx); err != nil {
					return err
				}
			}
			return nil
		}),
		note: func() string { return fmt.Sprintf("%d reviews, one client", len(reviews)) },
	}, nil
}

// waitQueued returns when a service's queues are rebuilt and hold so many reviews together.
func (b *bench) waitQueued(ctx context.Context, prefix string, queues int, reviews int64) error {
	client, err := queue.Open(ctx, queue.Config{Addrs: []string{b.rd.Addr()}, Password: b.rd.Password(), Prefix: prefix})
	if err != nil {
		return err
	}
	defer func() { _ = client.Close() }()
	begin := time.Now()
	err = until(ctx, func() (bool, error) {
		var all int64
		for i := range queues {
			if _, err := client.Epoch(ctx, queueName(i)); err != nil {
				return false, nil //nolint:nilerr // it is being rebuilt
			}
			n, err := client.Len(ctx, queueName(i))
			if err != nil {
				return false, err
			}
			all += n
		}
		return all >= reviews, nil
	})
	b.say("  %d reviews queued after %.0f s", reviews, time.Since(begin).Seconds())
	return err
}
