package main

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"hitl"
	"hitl/audit"
	"hitl/classifier"
	"hitl/classifier/policy"
	"hitl/deploy/local/localtest"
)

// BenchmarkAttempts compares classifying, alone and with the record of a submission, when attempts are counted in Postgres and when they are
// not, in turns. The ratios are the shares of the throughput that are left. The starter model is the worst case: any other takes longer.
func BenchmarkAttempts(b *testing.B) {
	dsn := localtest.DatabaseFrom(b, "hitl", func(ctx context.Context, dsn string) error {
		return audit.Migrate(ctx, dsn, audit.MigrateOptions{ServiceRole: "hitl_service", ServicePassword: "service"})
	})
	store, err := audit.Open(b.Context(), audit.Config{DSN: dsn})
	if err != nil {
		b.Fatal(err)
	}
	defer store.Close()
	threshold := 0.0
	sure, err := policy.New(policy.Spec{Name: "sure", Threshold: &threshold, Queue: "support"})
	if err != nil {
		b.Fatal(err)
	}
	open := func(o classifier.Options) *classifier.Classifier {
		c, err := classifier.Open(b.Context(), o)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = c.Close() })
		return c
	}
	counted, plain := open(classifier.Options{Attempts: store.Attempts()}), open(classifier.Options{})
	submit := func(c *classifier.Classifier) func(string) error {
		in := hitl.Intake{
			Sources: map[string]hitl.Source{"bench": {Classifier: "starter", Model: c, Policy: sure}}, Ledger: store,
			Logger: slog.New(slog.DiscardHandler), Now: time.Now,
		}
		return func(text string) error {
			_, _, err := in.Submit(b.Context(), hitl.Submission{Source: "bench", Text: text})
			return err
		}
	}
	classify := func(c *classifier.Classifier) func(string) error {
		return func(text string) error {
			_, err := c.Classify(b.Context(), text)
			return err
		}
	}
	for name, with := range map[string]func(*classifier.Classifier) func(string) error{"classify": classify, "submit": submit} {
		b.Run(name, func(b *testing.B) {
			with, without := with(counted), with(plain)
			var took, tookWithout time.Duration
			for b.Loop() {
				took += clients(b, with)
				tookWithout += clients(b, without)
			}
			b.ReportMetric(float64(b.N*benchClients*benchEach)/took.Seconds(), "texts/s")
			b.ReportMetric(float64(b.N*benchClients*benchEach)/tookWithout.Seconds(), "uncounted/s")
			b.ReportMetric(tookWithout.Seconds()/took.Seconds(), "ratio")
		})
	}
}

const benchClients, benchEach = 64, 50

// clients returns how long so many clients take for so many different texts each.
func clients(b *testing.B, do func(text string) error) time.Duration {
	begin := time.Now()
	var group sync.WaitGroup
	for i := range benchClients {
		group.Go(func() {
			for j := range benchEach {
				if err := do(fmt.Sprintf("The parcel of order %d came late again, and nobody answered my %d calls.", i, j)); err != nil {
					b.Error(err)
				}
			}
		})
	}
	group.Wait()
	return time.Since(begin)
}
