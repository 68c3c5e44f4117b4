package main

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

// GrowthReport is what --growth --json prints.
type GrowthReport struct {
	At       time.Time         `json:"at"`
	Quick    bool              `json:"quick"`  // sizes too small for figures that mean something
	Rounds   int               `json:"rounds"` // of each step at each size, unless it takes too long for more than one
	Machine  Machine           `json:"machine"`
	Versions map[string]string `json:"versions"`
	Studies  []Growth          `json:"studies"`
	Seconds  float64           `json:"seconds"`
}

// Growth is a study as it came out. NotRun and Failed say why it is not whole.
type Growth struct {
	Name    string  `json:"name"`
	Measure string  `json:"measure"`
	Counts  string  `json:"counts"` // what sizes are numbers of
	Figures []Grown `json:"figures,omitempty"`
	Parts   []Parts `json:"parts,omitempty"`
	Note    string  `json:"note,omitempty"`
	NotRun  string  `json:"not_run,omitempty"` // what to install
	Failed  string  `json:"failed,omitempty"`
	Seconds float64 `json:"seconds"` // setting up included
}

// Grown is one figure at every size.
type Grown struct {
	Name    string  `json:"name"`
	Unit    string  `json:"unit"`
	Sizes   []Sized `json:"sizes"`
	Reach   string  `json:"reach,omitempty"`   // of the last size's ratio; empty: it is for people to judge
	Reached *bool   `json:"reached,omitempty"` // whether its median does
}

// Sized is a figure at one size.
type Sized struct {
	Size   int     `json:"size"`
	Figure *Spread `json:"figure"`
	Ratio  *Spread `json:"ratio,omitempty"` // to the first size, round by round
}

// Parts are how many pieces of one kind of work each of several processes did.
type Parts struct {
	Work string    `json:"work"`
	Size int       `json:"size"` // processes
	Each []float64 `json:"each"`
}

// settle notes how a study ended.
func (g *Growth) settle(err error) {
	if lacks, ok := errors.AsType[missing](err); ok {
		g.NotRun = lacks.Error()
	} else if err != nil {
		g.Failed = err.Error()
	}
}

// joinEnd is the error of what ran, and that of its end.
func joinEnd(ran, ended error) error {
	if ended == nil {
		return ran
	}
	return errors.Join(ran, ended)
}

// print writes the report, as one JSON object or as tables for people.
func (r GrowthReport) print(w io.Writer, asJSON bool) error {
	if asJSON {
		return writeJSON(w, r)
	}
	var b strings.Builder
	writeHead(&b, r.Machine, r.Versions)
	fmt.Fprintf(&b, "\n%s, %d rounds in turns, load %.1f at the start\n", r.At.Format("2006-01-02 15:04 UTC"), r.Rounds, r.Machine.Load)
	if r.Quick {
		b.WriteString("QUICK: sizes too small for figures that mean something\n")
	}
	for _, g := range r.Studies {
		if err := g.write(&b); err != nil {
			return err
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (g Growth) write(b *strings.Builder) error {
	fmt.Fprintf(b, "\n%s: %s (%.0f s)\n", g.Name, g.Measure, g.Seconds)
	t := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	if len(g.Figures) > 0 {
		fmt.Fprintf(t, "%s\tfigure\tunit\tmedian (min–max)\tratio to the first: median (min–max)\treach\t\n", g.Counts)
	}
	for _, f := range g.Figures {
		for i, s := range f.Sizes {
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n", thousands(s.Size), f.Name, f.Unit, s.Figure.cell(), s.Ratio.cell(), f.verdict(i))
		}
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, p := range g.Parts {
		fmt.Fprintf(b, "%s of %d processes: %s\n", p.Work, p.Size, p.percent())
	}
	for _, part := range []struct{ before, text string }{{"", g.Note}, {"Not run: ", g.NotRun}, {"FAILED: ", g.Failed}} {
		if part.text != "" {
			b.WriteString(part.before + part.text + "\n")
		}
	}
	return nil
}

// verdict is whether the last size's ratio is what it should be.
func (g Grown) verdict(at int) string {
	switch {
	case at < len(g.Sizes)-1 || g.Reached == nil:
		return "\t"
	case *g.Reached:
		return g.Reach + "\treached"
	case strings.HasPrefix(g.Reach, "≤"):
		return g.Reach + "\tabove"
	}
	return g.Reach + "\tbelow"
}

// line is a figure's medians at all sizes.
func (g Grown) line() string {
	var parts []string
	for _, s := range g.Sizes {
		part := thousands(s.Size) + ": "
		if s.Figure != nil {
			part += digits(s.Figure.Median)
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, ", ") + " " + g.Unit
}

// percent are the parts of the whole; what nobody did has none.
func (p Parts) percent() string {
	all := 0.0
	for _, n := range p.Each {
		all += n
	}
	if all == 0 {
		return "none"
	}
	parts := make([]string, len(p.Each))
	for i, n := range p.Each {
		parts[i] = fmt.Sprintf("%.0f %%", 100*n/all)
	}
	return fmt.Sprintf("%s of %s", strings.Join(parts, ", "), thousands(int(all)))
}

func (s *Spread) cell() string {
	if s == nil {
		return "–"
	}
	return fmt.Sprintf("%s (%s–%s)", digits(s.Median), digits(s.Min), digits(s.Max))
}

// thousands writes a number in groups of three digits.
func thousands(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// listStudies prints what there is.
func listStudies(w io.Writer, all []study) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "study\tmeasure\tsizes\ttakes")
	for _, s := range all {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", s.name, s.measure, s.counts, s.takes)
	}
	return t.Flush()
}
