package main

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"time"

	"hitl"
	"hitl/audit"
)

type statsCmd struct {
	Since ago    `default:"24h" placeholder:"AGO" help:"Period until now: 90m, 24h, 7d (default ${default})."`
	Queue string `placeholder:"NAME" help:"Only this queue's reviews."`
	JSON  bool   `help:"Print JSON; durations are in nanoseconds."`
}

func (c *statsCmd) Run(ctx context.Context, p program, global *cli) error {
	store, q, err := p.openPeriod(ctx, global, c.Since, c.Queue)
	if err != nil {
		return err
	}
	defer store.Close()
	s, err := statistics{store}.Stats(ctx, q)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(p.stdout, s)
	}
	return printStats(p.stdout, s)
}

// openPeriod opens the store for figures of a period until now, of one queue or, without a name, of all. The caller closes it.
func (p program) openPeriod(ctx context.Context, global *cli, since ago, queue string) (*audit.Store, hitl.StatsQuery, error) {
	cfg, store, err := p.openStore(ctx, global)
	if err != nil {
		return nil, hitl.StatsQuery{}, err
	}
	if _, ok := cfg.Queues[queue]; queue != "" && !ok {
		store.Close()
		return nil, hitl.StatsQuery{}, usageError{fmt.Errorf("queue %q is not configured", queue)}
	}
	now := time.Now().UTC()
	return store, hitl.StatsQuery{Since: now.Add(-time.Duration(since)), Until: now, Queue: queue}, nil
}

func printStats(w io.Writer, s hitl.Stats) error {
	n := strconv.Itoa
	rows := [][]string{
		{"items", n(s.Items), ""},
		{"accepted by the model", n(s.AIAccepted), ""},
		{"sent to a person", n(s.Reviewed), percent(s.ReviewRate)},
		{"decisions", n(s.Decisions), ""},
		{"  accepted", n(s.Accepted), percent(s.AcceptanceRate)},
		{"  corrected", n(s.Corrected), percent(s.CorrectionRate)},
		{"  expired", n(s.Expired), ""},
		{"median time to decision", span(s.MedianToDecide), ""},
		{"95th percentile", span(s.P95ToDecide), ""},
		{"open now", n(s.Open), ""},
		{"oldest open", span(s.OldestAge), ""},
	}
	title := fmt.Sprintf("%s – %s", s.Since.UTC().Format("2006-01-02 15:04"), s.Until.UTC().Format("2006-01-02 15:04 MST"))
	if err := table(w, []string{title, "", ""}, rows); err != nil {
		return err
	}
	if rows = nil; len(s.Triggers) > 0 {
		for _, t := range s.Triggers {
			rows = append(rows, []string{string(t.Trigger), n(t.Items)})
		}
		fmt.Fprintln(w)
		if err := table(w, []string{"WHY A PERSON WAS NEEDED", "ITEMS"}, rows); err != nil {
			return err
		}
	}
	if rows = nil; len(s.ByReviewer) > 0 {
		for _, r := range s.ByReviewer {
			rows = append(rows, []string{r.Reviewer.String(), n(r.Accepted), n(r.Corrected), span(r.MedianToDecide)})
		}
		fmt.Fprintln(w)
		if err := table(w, []string{"REVIEWER", "ACCEPTED", "CORRECTED", "MEDIAN TIME"}, rows); err != nil {
			return err
		}
	}
	if rows = nil; len(s.ByLabel) > 0 {
		for _, l := range s.ByLabel {
			rows = append(rows, []string{l.AILabel, n(l.Accepted), n(l.Corrected)})
		}
		fmt.Fprintln(w)
		return table(w, []string{"AI LABEL", "ACCEPTED", "CORRECTED"}, rows)
	}
	return nil
}
