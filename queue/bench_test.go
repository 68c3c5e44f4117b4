package queue

import (
	"fmt"
	"testing"

	"hitl"
	"hitl/deploy/local/localtest"
)

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
