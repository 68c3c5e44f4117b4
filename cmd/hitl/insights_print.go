package main

import (
	"fmt"
	"io"
	"strconv"

	"hitl"
)

// maxConfused is how many pairs of labels are printed; JSON has all.
const maxConfused = 10

func printInsights(w io.Writer, in insights) error {
	fmt.Fprintf(w, "%s: %s, people answered %d of them.", printable(in.Classifier), plural(in.Items, "item"), in.Answered)
	if in.Corrected != nil {
		fmt.Fprintf(w, " They correct an estimated %s of all items.", rateWords(in.Corrected))
	}
	fmt.Fprintln(w)
	if len(in.Findings) > 0 {
		fmt.Fprintln(w, "\nWorth the most:")
		for i, f := range in.Findings {
			fmt.Fprintf(w, "  %d. %s\n", i+1, printable(findingWords(f)))
		}
	} else {
		fmt.Fprintln(w, "Nothing stands out beyond chance.")
	}
	for _, t := range []struct {
		header []string
		rows   [][]string
	}{
		{[]string{"THE MODEL SAYS", "PEOPLE SAY", "ANSWERED SO", "OF WHAT THE MODEL CALLS SO, 95% INTERVAL"}, confusedRows(in.Confused)},
		{[]string{"CORRECTED IN", "", "RATE, 95% INTERVAL", "THE REST", "DIFFERENCE", "BEYOND CHANCE"}, groupRows(in.Groups)},
		{[]string{"RULE", "ANSWERED", "CORRECTED, 95% INTERVAL", "REVIEWED ANYWAY", "IDLE"}, ruleRows(in.Rules)},
		{[]string{"LABEL THE MODEL DOES NOT KNOW", "ANSWERS", "OF ALL ITEMS, 95% INTERVAL"}, unknownRows(in.Unknown)},
		{[]string{"DRIFT", "PSI", "BY CHANCE UP TO", "KS D, 95% INTERVAL", "CHANGE"}, driftRows(in.Drift)},
	} {
		if len(t.rows) == 0 {
			continue
		}
		fmt.Fprintln(w)
		if err := table(w, t.header, t.rows); err != nil {
			return err
		}
	}
	if len(in.Before) > 0 && fmt.Sprint(in.Before) != fmt.Sprint(in.Models) {
		fmt.Fprintln(w, "\nThe model or its calibration changed in these times: drift of labels and confidence is that change, too.")
	}
	return nil
}

func rateWords(r *rate) string {
	if r == nil {
		return "–"
	}
	return fmt.Sprintf("%s (%s to %s)", percent(r.Value), percent(r.Low), percent(r.High))
}

// findingWords is one finding as a sentence.
func findingWords(f finding) string {
	switch f.Kind {
	case hitl.FindConfusion:
		return fmt.Sprintf("Of what the model calls %q, people call %s %q: at least %s in this time.",
			f.Subject, rateWords(f.Rate), f.Other, plural(int(f.Errors), "item"))
	case hitl.FindUnknown:
		return fmt.Sprintf("People answer %q, which the model does not know, to %s of all items.", f.Subject, rateWords(f.Rate))
	case hitl.FindIdleRule:
		return fmt.Sprintf("Rule %q finds nothing: none of its %s was corrected, at most %s would be. It alone asked for %.0f of them.",
			f.Subject, plural(f.Rate.Items, "answered review"), percent(f.Rate.High), f.Reviews)
	case hitl.FindSource:
		return moreOften("Items of source", f)
	case hitl.FindQueue:
		return moreOften("Items in queue", f)
	case hitl.FindRule:
		return moreOften("Items that match rule", f)
	case hitl.FindDrift: // has its own table
	}
	return ""
}

func moreOften(what string, f finding) string {
	return fmt.Sprintf("%s %q are corrected more often than others: %s against %s.", what, f.Subject, rateWords(f.Rate), rateWords(f.Rest))
}

func confusedRows(list []confused) (rows [][]string) {
	for _, c := range list[:min(len(list), maxConfused)] {
		rows = append(rows, []string{c.AILabel, c.Label, fmt.Sprintf("%d of %d", c.Rate.Hits, c.Rate.Items), rateWords(c.Rate)})
	}
	return rows
}

func groupRows(list []compared) (rows [][]string) {
	for _, g := range list {
		stands := "no"
		if g.Stands {
			stands = "yes"
		}
		points := fmt.Sprintf("%+.1f points (%+.1f to %+.1f)", 100*g.Difference.Value, 100*g.Difference.Low, 100*g.Difference.High)
		rows = append(rows, []string{g.By, g.Name, rateWords(g.Rate), percent(g.Rest.Value), points, stands})
	}
	return rows
}

func ruleRows(list []ruleUse) (rows [][]string) {
	for _, r := range list {
		idle := "no"
		if r.Idle {
			idle = "yes"
		}
		rows = append(rows, []string{r.Rule, strconv.Itoa(r.Corrected.Items), rateWords(r.Corrected), strconv.Itoa(r.Anyway), idle})
	}
	return rows
}

func unknownRows(list []unknown) (rows [][]string) {
	for _, u := range list {
		rows = append(rows, []string{u.Label, strconv.Itoa(u.Share.Hits), rateWords(u.Share)})
	}
	return rows
}

var changeWords = map[change]string{
	changeTooFew: fmt.Sprintf("too few items: it takes %d in both times", fewestDrift), changeNone: "none beyond chance",
	changeSlight: "slight", changeNotable: "notable", changeStrong: "strong",
}

func driftRows(list []drifted) (rows [][]string) {
	for _, d := range list {
		row := []string{d.What, "–", "–", "–", changeWords[d.Change]}
		if d.Stability != nil {
			row[1], row[2] = fmt.Sprintf("%.3f", d.Stability.Value), fmt.Sprintf("%.3f", d.Stability.ByChance)
		}
		if d.KS != nil {
			row[3] = fmt.Sprintf("%.3f (%.3f to %.3f)", d.KS.Value, d.KS.Low, d.KS.High)
		}
		rows = append(rows, row)
	}
	return rows
}
