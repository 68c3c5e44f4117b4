package main

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"time"

	"hitl/audit"
)

type reviewersCmd struct {
	Since ago    `default:"30d" placeholder:"AGO" help:"Decisions from then until now: 24h, 7d (default ${default})."`
	Queue string `placeholder:"NAME" help:"Only this queue's decisions."`
	JSON  bool   `help:"Print JSON; times are in seconds."`
}

// reviewerFigures are one reviewer's.
type reviewerFigures struct {
	Reviewer  string  `json:"reviewer"`
	Decisions int     `json:"decisions"` // on items whose answer nobody knew before
	Judged    int     `json:"judged"`    // of those, on items that the model gave a label
	Corrected int     `json:"corrected"` // of those
	Gold      int     `json:"gold"`      // on items whose answer was known, as far as the reviewer was told
	GoldRight int     `json:"gold_right"`
	Accuracy  *figure `json:"gold_accuracy"` // null: too few to claim anything
	Gaps      int     `json:"gaps"`          // decisions that followed another one
	Quick     int     `json:"quick"`         // of those, less than 2 s after it
	MedianGap float64 `json:"median_gap_s"`
}

func (c *reviewersCmd) Run(ctx context.Context, p program, global *cli) error {
	cfg, err := p.load(global.Config)
	if err != nil {
		return err
	}
	store, q, err := p.openPeriod(ctx, global, c.Since, c.Queue)
	if err != nil {
		return err
	}
	defer store.Close()
	counts, err := store.ReviewerQuality(ctx, q)
	if err != nil {
		return err
	}
	list := []reviewerFigures{}
	for _, r := range counts {
		list = append(list, figuresOf(r))
	}
	panels, err := reliabilities(ctx, store, q)
	if err != nil {
		return err
	}
	found, err := stampings(ctx, store, cfg, q)
	if err != nil {
		return err
	}
	flags := []stampingFigures{}
	for _, f := range found {
		flags = append(flags, f.figures())
	}
	if c.JSON {
		return printJSON(p.stdout, struct {
			Since     time.Time         `json:"since"`
			Until     time.Time         `json:"until"`
			Reviewers []reviewerFigures `json:"reviewers"`
			Panels    []reliability     `json:"panels"`
			Flags     []stampingFigures `json:"flags"` // of the weeks that ended in the period
		}{q.Since, q.Until, list, panels, flags})
	}
	if err := printReviewers(p.stdout, list); err != nil {
		return err
	}
	if err := printReliabilities(p.stdout, panels); err != nil {
		return err
	}
	return printStampings(p.stdout, flags)
}

func figuresOf(r audit.ReviewerQuality) reviewerFigures {
	f := reviewerFigures{
		Reviewer: r.Reviewer.String(), Decisions: r.Decisions, Judged: r.Judged, Corrected: r.Corrected,
		Gold: r.Gold, GoldRight: r.GoldRight, Gaps: r.Gaps, Quick: r.Quick, MedianGap: r.MedianGap,
	}
	if r.Gold >= fewest {
		f.Accuracy = proportion(r.GoldRight, r.Gold)
	}
	return f
}

func printReviewers(w io.Writer, list []reviewerFigures) error {
	if len(list) == 0 {
		_, err := fmt.Fprintln(w, "Nobody decided a review in this period.")
		return err
	}
	var rows [][]string
	for _, r := range list {
		known := "–"
		if r.Gold > 0 {
			known = fmt.Sprintf("%d of %d", r.GoldRight, r.Gold)
		}
		accuracy := "too few to say"
		if r.Accuracy != nil {
			value, interval := shareWords(r.Accuracy)
			accuracy = value + " (" + interval + ")"
		}
		rows = append(rows, []string{
			r.Reviewer, strconv.Itoa(r.Decisions), partOf(r.Corrected, r.Judged), known, accuracy, spanOf(r.MedianGap), partOf(r.Quick, r.Gaps),
		})
	}
	header := []string{"REVIEWER", "DECISIONS", "CORRECTED", "KNOWN ANSWERS RIGHT", "ACCURACY, 95% INTERVAL", "MEDIAN BETWEEN DECISIONS", "UNDER 2S AFTER ANOTHER"}
	if err := table(w, header, rows); err != nil {
		return err
	}
	_, err := fmt.Fprintln(w, "\nQuick or agreeing decisions can be right ones: easy items, or a model that is good. Only known answers tell; a week's count once the reviewer was told of them.")
	return err
}

func partOf(part, whole int) string {
	if whole == 0 {
		return "–"
	}
	return percent(float64(part) / float64(whole))
}
