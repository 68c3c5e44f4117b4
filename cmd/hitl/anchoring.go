package main

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"time"

	"hitl/audit"
	"hitl/classifier/learn"
)

type anchoringCmd struct {
	Since ago    `default:"30d" placeholder:"AGO" help:"Decisions from then until now: 24h, 7d (default ${default})."`
	Queue string `placeholder:"NAME" help:"Only this queue's decisions."`
	JSON  bool   `help:"Print JSON; times are in seconds."`
}

// against is how often decisions differ from what the model said.
type against struct {
	Decisions int     `json:"decisions"`
	Corrected int     `json:"corrected"`
	Rate      *figure `json:"rate"`               // null: no decisions
	Median    float64 `json:"median_to_decide_s"` // from opened to decided
}

// figure is a share, or a difference of shares, with its 95% interval.
type figure struct {
	Value float64 `json:"value"`
	Low   float64 `json:"low"`
	High  float64 `json:"high"`
}

// proportion returns k of n with Wilson's interval; nil: of nothing.
func proportion(k, n int) *figure {
	if n == 0 {
		return nil
	}
	i := learn.Wilson(k, n)
	return &figure{float64(k) / float64(n), i.Low, i.High}
}

// anchored is one queue's figures. Difference is the blind rate less the shown one, with Newcombe's interval; nil where there is no rate.
type anchored struct {
	Queue      string  `json:"queue"`
	Shown      against `json:"shown"`
	Blind      against `json:"blind"`
	Difference *figure `json:"difference"`
	Meaning    string  `json:"meaning"`
}

func (c *anchoringCmd) Run(ctx context.Context, p program, global *cli) error {
	store, q, err := p.openPeriod(ctx, global, c.Since, c.Queue)
	if err != nil {
		return err
	}
	defer store.Close()
	counts, err := store.Anchoring(ctx, q)
	if err != nil {
		return err
	}
	list := []anchored{}
	for _, a := range counts {
		list = append(list, anchoring(a))
	}
	if c.JSON {
		return printJSON(p.stdout, struct {
			Since  time.Time  `json:"since"`
			Until  time.Time  `json:"until"`
			Queues []anchored `json:"queues"`
		}{q.Since, q.Until, list})
	}
	if len(list) == 0 {
		_, err := fmt.Fprintln(p.stdout, "Nobody decided a review in this period that the model gave a label.")
		return err
	}
	for i, a := range list {
		if i > 0 {
			fmt.Fprintln(p.stdout)
		}
		if err := printAnchoring(p.stdout, a); err != nil {
			return err
		}
	}
	return nil
}

func anchoring(a audit.Anchoring) anchored {
	rated := func(c audit.Against) against {
		return against{c.Decisions, c.Corrected, proportion(c.Corrected, c.Decisions), c.MedianToDecide}
	}
	out := anchored{Queue: a.Queue, Shown: rated(a.Shown), Blind: rated(a.Blind)}
	if out.Shown.Rate != nil && out.Blind.Rate != nil {
		i := learn.Newcombe(a.Blind.Corrected, a.Blind.Decisions, a.Shown.Corrected, a.Shown.Decisions)
		out.Difference = &figure{out.Blind.Rate.Value - out.Shown.Rate.Value, i.Low, i.High}
	}
	out.Meaning = out.meaning()
	return out
}

// fewest is how many decisions of a kind it takes to say anything of them.
const fewest = 10

// meaning says in a line what the figures mean.
func (a anchored) meaning() string {
	switch d := a.Difference; {
	case a.Blind.Decisions == 0:
		return "Not enough to say: no blind review was decided. queues.*.blind_share makes some."
	case a.Blind.Decisions < fewest || a.Shown.Decisions < fewest:
		return fmt.Sprintf("Not enough to say: it takes %d decisions of each kind.", fewest)
	case d.Low > 0:
		return fmt.Sprintf("People disagree with the model more often when they are not shown what it said, by %.1f to %.1f percentage points: seeing it sways them.",
			100*d.Low, 100*d.High)
	case d.High < 0:
		return fmt.Sprintf("People disagree with the model less often when they are not shown what it said, by %.1f to %.1f percentage points: seeing it makes them doubt it.",
			-100*d.High, -100*d.Low)
	}
	return fmt.Sprintf("Not enough to say whether seeing what the model said sways people: "+
		"without it they may disagree by up to %.1f percentage points less often, or by up to %.1f more often.", -100*a.Difference.Low, 100*a.Difference.High)
}

func printAnchoring(w io.Writer, a anchored) error {
	row := func(name string, c against) []string {
		rate, interval := shareWords(c.Rate)
		return []string{name, strconv.Itoa(c.Decisions), strconv.Itoa(c.Corrected), rate, interval, spanOf(c.Median)}
	}
	rows := [][]string{row("shown", a.Shown), row("blind", a.Blind)}
	if d := a.Difference; d != nil {
		rows = append(rows, []string{
			"difference", "", "", fmt.Sprintf("%+.1f points", 100*d.Value), fmt.Sprintf("%+.1f to %+.1f points", 100*d.Low, 100*d.High), "",
		})
	}
	header := []string{printable(a.Queue), "DECISIONS", "DISAGREE WITH THE MODEL", "RATE", "95% INTERVAL", "MEDIAN FROM OPENED TO DECIDED"}
	if err := table(w, header, rows); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "\n%s\n", a.Meaning)
	return err
}

func shareWords(f *figure) (value, interval string) {
	if f == nil {
		return "–", "–"
	}
	return percent(f.Value), percent(f.Low) + " to " + percent(f.High)
}

func spanOf(seconds float64) string { return span(time.Duration(seconds * float64(time.Second))) }
