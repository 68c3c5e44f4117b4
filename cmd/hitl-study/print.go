package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// report is what --json prints.
type report struct {
	Risk       string   `json:"risk"`
	Confidence string   `json:"confidence"`
	Sample     float64  `json:"sample"`
	Fixed      float64  `json:"fixed"` // threshold
	Every      int      `json:"every"` // clicks
	Seeds      int      `json:"seeds"`
	Scenarios  []Result `json:"scenarios"`
}

func (r report) printJSON(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(r)
}

func (r report) print(w io.Writer) error {
	fmt.Fprintf(w, "%d orders of each stream: median, and lowest to highest. Promise: at most %s of what is accepted is wrong, with %s confidence.\n", r.Seeds, r.Risk, r.Confidence)
	fmt.Fprintf(w, "%.0f%% of sure items are reviewed too, by both methods.\n", 100*r.Sample)
	for _, sc := range r.Scenarios {
		judged := fmt.Sprintf("%d texts that are in no stream", sc.Judged)
		if sc.Exact {
			judged = fmt.Sprintf("the %d texts that streams are drawn from", sc.Judged)
		}
		fmt.Fprintf(w, "\n%s: %d items; true figures of %s\n", sc.Name, sc.Items, judged)
		tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		fmt.Fprintln(tw, "AT THE END\tPROMISED\tFIXED "+fmt.Sprint(r.Fixed))
		row := func(name string, f func(Method) string) {
			fmt.Fprintf(tw, "%s\t%s\t%s\n", name, f(sc.Promised), f(sc.Fixed))
		}
		row("accepted at once", func(m Method) string { return m.Automation.percent() })
		row("of it wrong", func(m Method) string { return m.TrueError.percent() })
		row("wrong, of all accepted on the way", func(m Method) string { return m.StreamError.percent() })
		row("calibration error", func(m Method) string { return m.Calibration.percent() })
		row("clicks in all", func(m Method) string { return m.Clicks.count() })
		row("clicks before anything was accepted", func(m Method) string { return m.First.count() })
		row("orders with anything accepted", func(m Method) string { return fmt.Sprintf("%d of %d", m.Accepting, r.Seeds) })
		row("orders above "+r.Risk+" (clearly)", func(m Method) string { return fmt.Sprintf("%d (%d)", m.Above, m.Clearly) })
		row("orders above "+r.Risk+" at any time", func(m Method) string { return fmt.Sprint(m.Ever) })
		row("share of the time above "+r.Risk, func(m Method) string { return fmt.Sprintf("%.1f%%", 100*m.Often) })
		if err := tw.Flush(); err != nil {
			return err
		}
		if words := sc.lacks(r); words != "" {
			fmt.Fprintln(w, words)
		}
	}
	_, err := fmt.Fprintln(w, "\n"+strings.TrimSpace(`
Nothing is promised before anything is accepted: until then people see every item, which is the price. "Clearly" is above the risk by more than chance in the
judged texts explains (one-sided 95%). A promise is of one advice, and fails with one less its confidence at most. Who asks again and again and takes each advice
that can be made may be above the risk at some time more often than that.`))
	return err
}

// lacks says where the method promised nothing, and what it costs.
func (sc Result) lacks(r report) string {
	if none := r.Seeds - sc.Promised.Accepting; none > 0 {
		return fmt.Sprintf("In %d of %d orders nothing is promised at the end: there are too few clicks, or too many errors. People see everything there.", none, r.Seeds)
	}
	return ""
}

func (s Spread) percent() string {
	if s.Seeds == 0 {
		return "–"
	}
	return fmt.Sprintf("%.1f%% (%.1f–%.1f)", 100*s.Median, 100*s.Low, 100*s.High)
}

func (s Spread) count() string {
	if s.Seeds == 0 {
		return "never"
	}
	return fmt.Sprintf("%.0f (%.0f–%.0f)", s.Median, s.Low, s.High)
}
