package main

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"time"

	"hitl"
)

// qualityCmd is what can be said of how well people review.
type qualityCmd struct {
	Agreement agreementCmd `cmd:"" help:"How far the verdicts of panels agree, and about which labels they do not."`
	Anchoring anchoringCmd `cmd:"" help:"How much seeing what the model said sways people: shown reviews against blind ones."`
	Reviewers reviewersCmd `cmd:"" help:"How each reviewer decides: corrections, known answers, pace; and the weeks that look like rubber-stamping."`
}

type agreementCmd struct {
	Since ago    `default:"30d" placeholder:"AGO" help:"Reviews decided from then until now: 24h, 7d (default ${default})."`
	Queue string `placeholder:"NAME" help:"Only this queue's reviews."`
	JSON  bool   `help:"Print JSON."`
}

func (c *agreementCmd) Run(ctx context.Context, p program, global *cli) error {
	store, q, err := p.openPeriod(ctx, global, c.Since, c.Queue)
	if err != nil {
		return err
	}
	defer store.Close()
	list, err := agreements(ctx, store, q)
	if err != nil {
		return err
	}
	if c.JSON {
		if list == nil {
			list = []hitl.Agreement{}
		}
		return printJSON(p.stdout, struct {
			Since  time.Time        `json:"since"`
			Until  time.Time        `json:"until"`
			Queues []hitl.Agreement `json:"queues"`
		}{q.Since, q.Until, list})
	}
	if len(list) == 0 {
		_, err := fmt.Fprintln(p.stdout, "No panel's review was decided in this period. queues.*.panel puts reviews before several people.")
		return err
	}
	for i, a := range list {
		if i > 0 {
			fmt.Fprintln(p.stdout)
		}
		if err := printAgreement(p.stdout, a); err != nil {
			return err
		}
	}
	return nil
}

func printAgreement(w io.Writer, a hitl.Agreement) error {
	fmt.Fprintf(w, "%s: %s with two verdicts or more, %s by %s\n\n", printable(a.Queue),
		plural(a.Reviews, "review"), plural(a.Verdicts, "verdict"), plural(a.Reviewers, "reviewer"))
	var rows [][]string
	for _, f := range []struct {
		name   string
		figure hitl.Figure
	}{{"raw agreement", a.Raw}, {"Krippendorff's alpha", a.Alpha}, {"Gwet's AC1", a.AC1}} {
		value, interval := figureWords(f.figure)
		rows = append(rows, []string{f.name, value, interval})
	}
	if err := table(w, []string{"AGREEMENT", "VALUE", "95% INTERVAL"}, rows); err != nil {
		return err
	}
	if rows = nil; len(a.Confused) > 0 {
		for _, c := range a.Confused {
			rows = append(rows, []string{c.Labels[0], c.Labels[1], strconv.Itoa(c.Pairs)})
		}
		fmt.Fprintln(w)
		if err := table(w, []string{"ONE SAYS", "ANOTHER SAYS", "PAIRS OF REVIEWERS"}, rows); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(w, "\n%s\n", advice(a))
	return err
}

func figureWords(f hitl.Figure) (value, interval string) {
	switch {
	case f.Undefined == hitl.UndefinedPairs:
		return "undefined", "no review has two verdicts"
	case f.Value == nil:
		return "undefined", "all verdicts give one label"
	case f.Low == nil:
		return fmt.Sprintf("%.3f", *f.Value), "–"
	}
	return fmt.Sprintf("%.3f", *f.Value), fmt.Sprintf("%.3f to %.3f", *f.Low, *f.High)
}

// Cut-offs of alpha: K. Krippendorff, Content Analysis, 2nd edition, Sage 2004, page 241.
const (
	reliable  = 0.8
	tentative = 0.667
)

// advice says in a line what the figures mean.
func advice(a hitl.Agreement) string {
	const source = "the cut-offs 0.800 and 0.667 are Krippendorff's, Content Analysis, 2004"
	switch alpha := a.Alpha.Value; {
	case a.Raw.Value == nil:
		return "Nobody's verdicts can be compared yet: no review has two."
	case alpha == nil:
		return "Everybody always gave the same label. Whether people would agree about another one, these reviews cannot tell."
	case *alpha >= reliable:
		return "Reliable: people agree well beyond chance (" + source + ")."
	case a.AC1.Value != nil && *a.AC1.Value >= reliable:
		return "Nearly all verdicts give one label: that makes alpha low though people agree, so go by AC1 (Gwet 2008), and look at the pairs above."
	case *alpha >= tentative:
		return "Good for tentative conclusions: say more clearly what tells the labels apart that are confused most (" + source + ")."
	}
	return "Too low to build on: people do not mean the same by these labels. Begin with the pairs that are confused most (" + source + ")."
}
