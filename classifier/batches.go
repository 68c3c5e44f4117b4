package classifier

import (
	"math"
	"slices"
)

const (
	// waitingBatches is how many batches are made at a time of texts that wait: of more texts, more have the same length.
	waitingBatches = 4
	// runTokens is what a run of the network costs beside its texts, in tokens. It is 8 for a MiniLM on ONNX Runtime, more for smaller networks.
	runTokens = 16
)

// batches sorts jobs by length and splits them, into batches of at most maxBatch, where that costs least: a batch costs its longest row for each
// of its rows, since they are padded to it, and the run itself.
func batches(jobs []*job, maxBatch int) [][]*job {
	slices.SortStableFunc(jobs, func(a, b *job) int { return len(a.ids) - len(b.ids) })
	cost := make([]int, len(jobs)+1)  // of the first jobs, so many, at best
	start := make([]int, len(jobs)+1) // of their last batch
	for end := 1; end <= len(jobs); end++ {
		cost[end] = math.MaxInt
		for from := max(0, end-maxBatch); from < end; from++ {
			if c := cost[from] + (end-from)*len(jobs[end-1].ids) + runTokens; c < cost[end] {
				cost[end], start[end] = c, from
			}
		}
	}
	var out [][]*job
	for end := len(jobs); end > 0; end = start[end] {
		out = append(out, jobs[start[end]:end])
	}
	slices.Reverse(out)
	return out
}
