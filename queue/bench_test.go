package queue

import (
	"context"
	"fmt"
	"testing"

	"github.com/redis/go-redis/v9"

	"hitl"
	"hitl/deploy/local/localtest"
)

// sorted is a ledger that costs nothing to read.
type sorted []hitl.Review

func (s sorted) OpenReviews(_ context.Context, _, after string, limit int) ([]hitl.Review, error) {
	from := 0
	if after != "" {
		if _, err := fmt.Sscanf(after, "rev_%d", &from); err != nil {
			return nil, err
		}
		from++
	}
	return s[from:min(from+limit, len(s))], nil
}

// BenchmarkRebuild measures a rebuild of a lost queue beside the least that
// Redis could be asked for, the same entries in pipelined XADDs and no index.
// Compare the two reviews/s.
func BenchmarkRebuild(b *testing.B) {
	const reviews = 20_000
	open20k := make(sorted, reviews)
	for i := range open20k {
		open20k[i] = hitl.Review{ID: fmt.Sprintf("rev_%026d", i), Priority: hitl.Priorities()[i%3]}
	}
	report := func(b *testing.B) {
		b.Helper()
		b.ReportMetric(float64(reviews*b.N)/b.Elapsed().Seconds(), "reviews/s")
	}
	b.Run("rebuild", func(b *testing.B) {
		c := open(b, at(localtest.Redis(b)))
		keys, err := c.keys(support)
		must(b, err)
		for b.Loop() {
			must(b, c.rdb.Del(b.Context(), keys...).Err())
			got, err := c.Rebuild(b.Context(), support, open20k, nil)
			if err != nil || got.Added != reviews {
				b.Fatalf("rebuilt %+v, %v", got, err)
			}
		}
		report(b)
	})
	b.Run("nothing lost", func(b *testing.B) {
		c := open(b, at(localtest.Redis(b)))
		for b.Loop() {
			got, err := c.Rebuild(b.Context(), support, open20k, nil)
			if err != nil || got.Open != reviews {
				b.Fatalf("rebuilt %+v, %v", got, err)
			}
		}
		report(b)
	})
	b.Run("limit", func(b *testing.B) {
		c := open(b, at(localtest.Redis(b)))
		keys, err := c.keys(support)
		must(b, err)
		for b.Loop() {
			must(b, c.rdb.Del(b.Context(), keys...).Err())
			for from := 0; from < reviews; from += page {
				pipe := c.rdb.Pipeline()
				for _, r := range open20k[from : from+page] {
					pipe.XAdd(b.Context(), &redis.XAddArgs{Stream: keys[keyStreams], Values: []string{"review", r.ID, "epoch", "1"}})
				}
				_, err := pipe.Exec(b.Context())
				must(b, err)
			}
		}
		report(b)
	})
}

// BenchmarkNextDone is the way of one review through a queue of a thousand.
func BenchmarkNextDone(b *testing.B) {
	c := open(b, at(localtest.Redis(b)))
	entries := make([]Entry, 1000)
	for i := range entries {
		entries[i] = Entry{ReviewID: fmt.Sprint("waits", i), Priority: hitl.PrioritySample}
	}
	must(b, c.Add(b.Context(), support, entries...))
	b.Run("add, next, done", func(b *testing.B) {
		for b.Loop() {
			must(b, c.Add(b.Context(), support, Entry{ReviewID: "r", Priority: hitl.PriorityUrgent}))
			taken := next(b, c, "a", 1)
			if len(taken) != 1 || taken[0].ReviewID != "r" {
				b.Fatalf("took %v", taken)
			}
			must(b, c.Done(b.Context(), support, "r"))
		}
	})
	b.Run("limit", func(b *testing.B) {
		for b.Loop() {
			for range 3 {
				must(b, c.Ready(b.Context()))
			}
		}
	})
}
