package audit

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"hitl"
	"hitl/audit/verify"
	"hitl/deploy/local/localtest"
)

// writeRaw writes rows that are made beforehand and returns how long the writing took.
func writeRaw(b *testing.B, s *Store, total, size int) time.Duration {
	b.Helper()
	batches := make([]columns, total/size)
	for i := range batches {
		for range size {
			r, err := newRow(benchRecord(), nil)
			if err != nil {
				b.Fatal(err)
			}
			id, err := s.modelID(b.Context(), r.model)
			if err != nil {
				b.Fatal(err)
			}
			batches[i].add(r, id)
		}
	}
	begin := time.Now()
	var next atomic.Int64
	var wg sync.WaitGroup
	for range flushers {
		wg.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(batches)); i = next.Add(1) - 1 {
				if _, err := insertBatch(b.Context(), s.pool, &batches[i]); err != nil {
					b.Error(err)
				}
			}
		})
	}
	wg.Wait()
	return time.Since(begin)
}

// benchCount makes one item in five need a review.
var benchCount atomic.Int64

func benchRecord() hitl.Record {
	now := time.Now().UTC().Truncate(time.Microsecond)
	id, n := hitl.NewID("itm", now), benchCount.Add(1)
	rec := hitl.Record{
		Item: hitl.Item{
			ID: id, Source: "bench", ExternalID: id, Text: fmt.Sprint("The parcel came late again and nobody answered my calls, order ", n),
			Metadata: map[string]any{"order": n, "channel": "mail"}, ReceivedAt: now,
		},
		Classifier: "mood", Labels: []string{"NEGATIVE", "POSITIVE"},
		Prediction: hitl.Prediction{
			Label: "NEGATIVE", Confidence: 0.9, Scores: []hitl.Score{{Label: "NEGATIVE", Probability: 0.9}, {Label: "POSITIVE", Probability: 0.1}},
			Model: "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", Latency: time.Millisecond, Tokens: 17,
		},
		Route: hitl.Route{
			Status: hitl.AIAccepted, Policy: "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", Threshold: 0.85, Inclusion: 0.01,
		},
	}
	if n%5 == 0 {
		rec.Route.Status, rec.Route.Queue, rec.Route.Triggers = hitl.HumanReview, "default", []hitl.Trigger{hitl.TriggerSample}
		rec.Route.Priority = hitl.PrioritySample
		rec.Review = &hitl.Review{
			ID: hitl.NewID("rev", now), ItemID: id, Round: 1, State: hitl.ReviewOpen, Queue: "default", Priority: hitl.PrioritySample, OpenedAt: now, Panel: 1,
		}
	}
	return rec
}

// BenchmarkVerifyRecord measures how many items a second are compared with the log, beside the verification of the same log.
func BenchmarkVerifyRecord(b *testing.B) {
	dsn := localtest.DatabaseFrom(b, "bench", func(ctx context.Context, dsn string) error { return Migrate(ctx, dsn, MigrateOptions{}) })
	s, err := Open(b.Context(), Config{DSN: dsn})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	const items = 20_000
	writeRaw(b, s, items, 500)
	if err := s.sequenceAll(b.Context()); err != nil {
		b.Fatal(err)
	}
	if _, err := s.pool.Exec(b.Context(), `ANALYZE`); err != nil {
		b.Fatal(err)
	}
	var log, record time.Duration
	for b.Loop() {
		v, begin := verify.New(nil), time.Now()
		if err := s.VerifyLog(b.Context(), v); err != nil {
			b.Fatal(err)
		}
		log += time.Since(begin)
		begin = time.Now()
		r := v.Finish()
		if err := s.VerifyRecord(b.Context(), &r); err != nil {
			b.Fatal(err)
		}
		record += time.Since(begin)
		if !r.OK() || r.Entries != items || r.Items != items {
			b.Fatalf("report %+v", r)
		}
	}
	b.ReportMetric(float64(b.N*items)/record.Seconds(), "items/s")
	b.ReportMetric(record.Seconds()/log.Seconds(), "of-verifying-the-log")
}
