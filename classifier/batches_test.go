package classifier

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// No other way to split the jobs costs less, and none is lost.
func TestBatchesCostLeast(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		lengths := rapid.SliceOfN(rapid.IntRange(1, 100), 0, 10).Draw(t, "lengths")
		maxBatch := rapid.IntRange(1, 5).Draw(t, "most rows")
		var jobs []*job
		for _, n := range lengths {
			jobs = append(jobs, &job{ids: make([]uint32, n)})
		}
		var got []int
		cost := 0
		for _, batch := range batches(jobs, maxBatch) {
			if len(batch) == 0 || len(batch) > maxBatch {
				t.Fatalf("a batch of %d rows, at most %d are wanted", len(batch), maxBatch)
			}
			for _, j := range batch {
				got = append(got, len(j.ids))
			}
			cost += runTokens + len(batch)*got[len(got)-1]
		}
		slices.Sort(lengths)
		if !slices.Equal(got, lengths) {
			t.Fatalf("rows of %v tokens, want %v", got, lengths)
		}
		if least := leastCost(lengths, maxBatch); cost != least {
			t.Fatalf("they cost %d tokens, want %d", cost, least)
		}
	})
}

// leastCost tries every first batch of sorted rows.
func leastCost(lengths []int, maxBatch int) int {
	if len(lengths) == 0 {
		return 0
	}
	least := -1
	for n := 1; n <= min(maxBatch, len(lengths)); n++ {
		if cost := runTokens + n*lengths[n-1] + leastCost(lengths[n:], maxBatch); least < 0 || cost < least {
			least = cost
		}
	}
	return least
}
