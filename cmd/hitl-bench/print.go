package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
	"time"
)

// print writes the report, as one JSON object or as a table for people.
func (r Report) print(w io.Writer, asJSON bool) error {
	if asJSON {
		return writeJSON(w, r)
	}
	var b strings.Builder
	writeHead(&b, r.Machine, r.Versions)
	fmt.Fprintf(&b, "\n%s, %d pairs of runs in turns, load %.1f at the start\n", r.At.Format("2006-01-02 15:04 UTC"), r.Runs, r.Machine.Load)
	if r.Quick {
		b.WriteString("QUICK: sizes too small for figures that mean something\n")
	}
	b.WriteByte('\n')
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "row\tours\tpeer\tunit\tratio: median (min–max)\treach\t")
	for _, x := range r.Rows {
		fmt.Fprintf(t, "%s\t%s\n", x.Name, x.cells())
	}
	if err := t.Flush(); err != nil {
		return err
	}
	b.WriteByte('\n')
	for _, x := range r.Rows {
		fmt.Fprintf(&b, "%s: %s\n", x.Name, x.words())
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// writeJSON prints a report as one object.
func writeJSON(w io.Writer, report any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(report)
}

// writeHead says where figures come from, and of what.
func writeHead(b *strings.Builder, m Machine, versions map[string]string) {
	fmt.Fprintf(b, "%s, %d cores, %.1f GiB, %s\n", m.CPU, m.Cores, m.MemoryGiB, m.Kernel)
	for i, name := range slices.Sorted(maps.Keys(versions)) {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(b, "%s %s", name, versions[name])
	}
}

func (x Result) cells() string {
	switch {
	case x.NotRun != "":
		return "not run\t\t\t\t" + x.Reach + "\t"
	case x.Failed != "":
		return "FAILED\t\t\t\t" + x.Reach + "\t"
	}
	peer, ratio := "–", "–"
	if x.Peer != nil {
		peer = digits(x.Peer.Median)
		ratio = fmt.Sprintf("%.2f (%.2f–%.2f)", x.Ratio.Median, x.Ratio.Min, x.Ratio.Max)
	}
	ours := digits(x.Ours.Median)
	if x.Peer == nil {
		ours = fmt.Sprintf("%s (%s–%s)", ours, digits(x.Ours.Min), digits(x.Ours.Max))
	}
	verdict := "below"
	if x.Reached != nil && *x.Reached {
		verdict = "reached"
	} else if strings.HasPrefix(x.Reach, "≤") {
		verdict = "above"
	}
	return strings.Join([]string{ours, peer, x.Unit, ratio, x.Reach, verdict}, "\t")
}

// words says what a row measures, and whatever belongs to its figures.
func (x Result) words() string {
	var b strings.Builder
	for _, part := range []struct{ before, text string }{
		{"", x.Measure}, {" | ", x.Against}, {"; ", x.Note}, {". Not run: ", x.NotRun}, {". FAILED: ", x.Failed},
	} {
		if part.text != "" {
			b.WriteString(part.before + part.text)
		}
	}
	return b.String()
}

// list prints what there is.
func list(w io.Writer, all []row) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "row\tmeasure\tagainst\treach\tneeds")
	for _, r := range all {
		against, needs := r.against, r.needs
		if against == "" {
			against = "–"
		}
		if needs == "" {
			needs = "–"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", r.name, r.measure, against, r.reach, needs)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\nno row: --soak TIME runs one service for long below its capacity, and says what grows and whether anything was lost\n")
	return err
}

// progress returns what says on w how far a run is, with the seconds since it began.
func progress(w io.Writer, began time.Time) func(format string, args ...any) {
	var mu sync.Mutex
	return func(format string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Fprintf(w, "%6.1fs  %s\n", time.Since(began).Seconds(), fmt.Sprintf(format, args...))
	}
}
