package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"

	"hitl"
	"hitl/audit"
	"hitl/classifier/learn"
)

const (
	// fewestOverlaps is how many items with others' verdicts it takes to say anything of a reviewer.
	fewestOverlaps = 20
	// reliabilitySmoothing is one item for each label, spread evenly: nobody is perfect, or hopeless, for want of items.
	reliabilitySmoothing = 1
)

// reliability is how often one reviewer's verdict in panels is the true label, as far as their colleagues' verdicts can tell.
type reliability struct {
	Reviewer string   `json:"reviewer"`
	Items    int      `json:"items"`                 // with a verdict of somebody else, too
	Estimate *float64 `json:"estimated_reliability"` // null: too few to claim anything
}

// reliabilities estimates the reviewers of the panels whose rounds ended in a period, queue by queue, since labels and guidelines are a queue's, and returns
// for each the mean by items; most items first.
func reliabilities(ctx context.Context, store *audit.Store, q hitl.StatsQuery) ([]reliability, error) {
	queues := map[string][]learn.Rating{}
	for v, err := range store.PanelVoices(ctx, q) {
		if err != nil {
			return nil, err
		}
		queues[v.Queue] = append(queues[v.Queue], learn.Rating{Unit: v.Round, Rater: v.Reviewer, Label: v.Label})
	}
	return combineReliabilities(queues), nil
}

func combineReliabilities(queues map[string][]learn.Rating) []reliability {
	items, right := map[string]int{}, map[string]float64{}
	for _, name := range slices.Sorted(maps.Keys(queues)) {
		for who, r := range learn.DawidSkene(queues[name], reliabilitySmoothing).People {
			items[who] += r.Items
			right[who] += float64(r.Items) * r.Reliability
		}
	}
	out := []reliability{}
	for who, n := range items {
		r := reliability{Reviewer: who, Items: n}
		if n >= fewestOverlaps {
			share := min(right[who]/float64(n), 1)
			r.Estimate = &share
		}
		out = append(out, r)
	}
	slices.SortFunc(out, func(a, b reliability) int { return cmp.Or(b.Items-a.Items, cmp.Compare(a.Reviewer, b.Reviewer)) })
	return out
}

// printReliabilities adds to the reviewers' table what panels tell, if there were any.
func printReliabilities(w io.Writer, list []reliability) error {
	if len(list) == 0 {
		return nil
	}
	var rows [][]string
	for _, r := range list {
		estimate := "too few overlapping reviews"
		if r.Estimate != nil {
			estimate = percent(*r.Estimate)
		}
		rows = append(rows, []string{r.Reviewer, strconv.Itoa(r.Items), estimate})
	}
	fmt.Fprintln(w)
	if err := table(w, []string{"REVIEWER", "ITEMS WITH OTHERS' VERDICTS", "ESTIMATED RELIABILITY"}, rows); err != nil {
		return err
	}
	_, err := fmt.Fprintln(w, "\nEstimated of how panels agree (Dawid and Skene 1979), nobody knowing the truth: where all err alike, it does not show. For advice, no more.")
	return err
}
