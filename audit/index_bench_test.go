package audit

import (
	"context"
	"slices"
	"testing"

	"hitl/deploy/local/localtest"
)

// BenchmarkTreeIndex measures what the index over transactions, by which the tree's sequencer finds new entries, costs those who write them:
// batches of new items with the index, between two times without it, since machines have moods. The ratio is the median of how much longer it
// takes with the index.
func BenchmarkTreeIndex(b *testing.B) {
	dsn := localtest.DatabaseFrom(b, "bench", func(ctx context.Context, dsn string) error { return Migrate(ctx, dsn, MigrateOptions{}) })
	s, err := Open(b.Context(), Config{DSN: dsn})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	exec := func(sql string) {
		if _, err := s.pool.Exec(b.Context(), sql); err != nil {
			b.Fatal(err)
		}
	}
	const items, size = 1280, 32
	writeRaw(b, s, items, size) // the first is slower
	without := func() float64 {
		exec(`DROP INDEX hitl.log_tx`)
		took := writeRaw(b, s, items, size)
		exec(`CREATE INDEX log_tx ON hitl.log (tx, id)`)
		return took.Seconds()
	}
	var ratios []float64
	for b.Loop() {
		before := without()
		ratios = append(ratios, writeRaw(b, s, items, size).Seconds()*2/(before+without()))
	}
	slices.Sort(ratios)
	b.ReportMetric(ratios[len(ratios)/2], "ratio")
}
