package main

import (
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

// SoakReport is what --soak --json prints.
type SoakReport struct {
	At       time.Time         `json:"at"`
	Machine  Machine           `json:"machine"`
	Versions map[string]string `json:"versions"`

	Length          float64 `json:"seconds"`
	Every           float64 `json:"sample_seconds"`
	CapacitySeconds float64 `json:"capacity_seconds"`
	Intake          float64 `json:"intake_per_second"`   // items, answered in a closed loop
	Capacity        float64 `json:"capacity_per_second"` // the same until their callbacks had come
	Share           float64 `json:"share"`
	Rate            float64 `json:"rate_per_second"` // of arrivals
	ReviewShare     float64 `json:"review_share"`    // of items that are meant for people
	SampleRate      float64 `json:"sample_rate"`     // the part of these that is quality sample
	Undo            float64 `json:"undo_seconds"`

	Posted        int64   `json:"posted"`
	Late          int64   `json:"late"` // arrivals that this program could not post on time
	Items         int64   `json:"items"`
	Reviews       int64   `json:"reviews"`
	Entries       int64   `json:"log_entries"`
	Repeated      int64   `json:"callbacks_repeated"` // at-least-once allows them
	RateLimited   int64   `json:"slack_rate_limited"` // of Slack's last calls, 2,500 at least
	Warnings      int     `json:"warnings"`           // lines in the service's log
	LastWarning   string  `json:"last_warning,omitempty"`
	Missed        int     `json:"samples_missed"`
	Settled       float64 `json:"settle_seconds"` // from the last arrival until everything was done
	VerifySeconds float64 `json:"verify_seconds"`

	Checks  []Check  `json:"checks"`
	Series  []Series `json:"series"`
	Notes   []string `json:"notes,omitempty"`
	Samples []Sample `json:"samples"`
}

// print writes the report, as one JSON object or as a table for people.
func (r *SoakReport) print(w io.Writer, asJSON bool) error {
	if asJSON {
		return writeJSON(w, r)
	}
	m := r.Machine
	var b strings.Builder
	fmt.Fprintf(&b, "%s, %d cores, %.1f GiB, %s\n", m.CPU, m.Cores, m.MemoryGiB, m.Kernel)
	var versions []string
	for _, name := range slices.Sorted(maps.Keys(r.Versions)) {
		versions = append(versions, name+" "+r.Versions[name])
	}
	fmt.Fprintf(&b, "%s\n%s, load %.1f at the start\n\n", strings.Join(versions, ", "), r.At.Format("2006-01-02 15:04 UTC"), m.Load)
	length := time.Duration(r.Length * float64(time.Second))
	fmt.Fprintf(&b, "%s items/s for %v: %g of the %s that came through with their callbacks in a closed loop of %d clients (%s answered), in the slowest of %d parts of %.0f s\n",
		digits(r.Rate), length, r.Share, digits(r.Capacity), clientCount, digits(r.Intake), capacityParts, r.CapacitySeconds/capacityParts)
	fmt.Fprintf(&b, "%d items, %d of them for people (%.2g in 1000; half by doubt, half as a sample of %.2g), as many as Slack's limits let through; "+
		"undo %.0f s, checkpoints every second\n", r.Items, r.Reviews, 1000*r.ReviewShare, r.SampleRate, r.Undo)
	fmt.Fprintf(&b, "%d arrivals were posted late by this program, %d callbacks came twice, Slack limited %d calls, the service warned %d times, %d samples are missing\n",
		r.Late, r.Repeated, r.RateLimited, r.Warnings, r.Missed)
	if r.LastWarning != "" {
		fmt.Fprintf(&b, "last warning: %s\n", r.LastWarning)
	}
	fmt.Fprintf(&b, "everything was done %.0f s after the last arrival; hitl verify read %d entries in %.1f s\n", r.Settled, r.Entries, r.VerifySeconds)
	for _, note := range r.Notes {
		b.WriteString(note + "\n")
	}
	b.WriteByte('\n')
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "series\tbegin\tmiddle\tend\tunit\tslope/h (95 %)\tverdict\t")
	for _, s := range r.Series {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s (%s to %s)\t%s\t\n", s.Name, signed(s.Begin), signed(s.Middle), signed(s.End), s.Unit,
			signed(s.PerHour), signed(s.Low), signed(s.High), s.words())
	}
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(&b, "\nbegin, middle, end: medians of the thirds after the first fifth, which is warm-up; slope: Theil-Sen. flat: over the %s judged the slope comes to\n"+
		"no more than 5 %% of the median for memory and bytes per row (1 MiB of a process at least), 5 for goroutines and files, 25 %% or 20 for what waits, 25 %% for times.\n"+
		"leveled: it changed by more and has stopped. unclear: it scatters too much to say. by design: tables that keep everything grow; their bytes per row must not.\n\n",
		time.Duration(0.8*float64(length)).Round(time.Second))
	for _, c := range r.Checks {
		word := "ok"
		if !c.OK {
			word = "FAILED"
		}
		fmt.Fprintf(&b, "%-6s  %s", word, c.words())
		if c.OK && c.Want != 0 {
			fmt.Fprintf(&b, ": %d", c.Got)
		}
		b.WriteByte('\n')
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (j judgement) words() string {
	switch j.Verdict {
	case grows, falls:
		return fmt.Sprintf("%s %s/h", j.Verdict, signed(math.Abs(j.PerHour)))
	case leveled:
		return fmt.Sprintf("leveled, %s to %s", signed(j.Begin), signed(j.End))
	case flat, unclear, byDesign, tooShort:
	}
	return string(j.Verdict)
}

// signed prints a figure as digits does, which may be below 0.
func signed(v float64) string {
	switch {
	case v < 0:
		return "-" + digits(-v)
	case v == 0:
		return "0"
	case v < 0.005:
		return strconv.FormatFloat(v, 'g', 2, 64)
	}
	return digits(v)
}
