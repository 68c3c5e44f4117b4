package main

import (
	"context"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"time"
)

// study is how the cost of a service grows with one thing that it may have much of.
type study struct {
	name    string // of --only
	measure string
	counts  string // what a size is a number of
	takes   string // at full size, for --list

	// open prepares every size, the smallest first. What it starts is stopped when the study ends.
	open func(ctx context.Context, b *bench) (*growing, error)
}

// studies are all that --growth measures.
func studies() []study {
	return []study{
		{
			name: "queues", measure: "one service with many queues", counts: "queues", takes: "8 minutes", open: openQueues,
		},
		{
			name: "replicas", measure: "processes that serve together, on one Postgres, one Redis and one Slack", counts: "processes", takes: "4 minutes", open: openReplicas,
		},
		{
			name: "log", measure: "one service with a long log, of the past twelve months", counts: "entries", takes: "14 minutes and 16 GB", open: openLongLog,
		},
	}
}

// growing is a study that is ready to be measured.
type growing struct {
	sizes []int
	steps []step
	end   func(ctx context.Context) error // looks whether what happened was right; nil: nothing is left to look at
	note  func() string
	parts func() []Parts // how processes shared the work; nil: there is one
}

// step is what is measured in one go at each size. The steps follow each other, each with all its rounds.
type step struct {
	figures []figure
	cold    bool                                                 // the first round counts
	once    bool                                                 // there is one round
	run     func(ctx context.Context, at int) ([]float64, error) // at the size of that index; one value for each figure
}

// figure is one line of a study's table.
type figure struct {
	name, unit string
	reach      mark // of the last size's ratio to the first; none: it is for people to judge
}

// grow measures every step at every size: in each round all sizes, one right after the other, and beginning with another one each time, so that what the
// machine does besides befalls all. A first round is not counted, unless the step is cold.
func (g *growing) grow(ctx context.Context, rounds int, say func(format string, args ...any)) ([]Grown, error) {
	var all []Grown
	for _, s := range g.steps {
		values := make([][][]float64, len(s.figures)) // by figure and size, round by round
		for i := range values {
			values[i] = make([][]float64, len(g.sizes))
		}
		n, warm := rounds, 1
		if s.once {
			n = 1
		}
		if s.cold || s.once {
			warm = 0
		}
		for round := range warm + n {
			for turn := range g.sizes {
				at := (turn + round) % len(g.sizes)
				if err := ctx.Err(); err != nil {
					return all, err
				}
				got, err := s.run(ctx, at)
				if err != nil {
					return all, fmt.Errorf("%s, at %s: %w", s.figures[0].name, thousands(g.sizes[at]), err)
				}
				for i, v := range got {
					if v < 0 || math.IsInf(v, 0) || math.IsNaN(v) {
						return all, fmt.Errorf("%s came to %v", s.figures[i].name, v)
					}
					if round >= warm {
						values[i][at] = append(values[i][at], v)
					}
				}
			}
		}
		for i, f := range s.figures {
			grown := f.sum(g.sizes, values[i])
			say("  %s: %s", f.name, grown.line())
			all = append(all, grown)
		}
	}
	return all, nil
}

// sum sums up a figure's values of each size. Each ratio is that of two runs of one round, not of two medians.
func (f figure) sum(sizes []int, values [][]float64) Grown {
	g := Grown{Name: f.name, Unit: f.unit}
	for i, size := range sizes {
		s := Sized{Size: size, Figure: spreadOf(values[i])}
		if i > 0 {
			var ratios []float64
			for round, v := range values[i] {
				if first := values[0][round]; first > 0 {
					ratios = append(ratios, v/first)
				}
			}
			s.Ratio = spreadOf(ratios)
		}
		g.Sizes = append(g.Sizes, s)
	}
	if last := g.Sizes[len(g.Sizes)-1].Ratio; f.reach != (mark{}) && last != nil {
		g.Reach = f.reach.String()
		reached := f.reach.reached(last.Median)
		g.Reached = &reached
	}
	return g
}

// runGrowth makes the studies that are asked for, and prints the report.
func runGrowth(ctx context.Context, o options, stdout, stderr io.Writer) error {
	runs, err := o.runs()
	if err != nil {
		return err
	}
	picked, err := pickStudies(o.Only)
	if err != nil {
		return err
	}
	if o.List {
		return listStudies(stdout, picked)
	}
	began := time.Now()
	b, err := newBench(o, progress(stderr, began))
	if err != nil {
		return err
	}
	r := GrowthReport{At: began.UTC().Truncate(time.Second), Quick: o.Quick, Rounds: runs, Machine: thisMachine()}
	for _, s := range picked {
		b.say("%s: %s", s.name, s.measure)
		r.Studies = append(r.Studies, s.run(ctx, b, runs))
		if ctx.Err() != nil {
			break
		}
	}
	r.Versions, r.Seconds = b.versions(ctx), time.Since(began).Round(time.Second).Seconds()
	if err := b.stop(context.WithoutCancel(ctx)); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := r.print(stdout, o.JSON); err != nil {
		return err
	}
	if slices.ContainsFunc(r.Studies, func(g Growth) bool { return g.Failed != "" }) {
		return errFailed
	}
	return nil
}

// pickStudies returns the studies of those names; no name: all.
func pickStudies(names []string) ([]study, error) {
	all := studies()
	var known []string
	for _, s := range all {
		known = append(known, s.name)
	}
	for _, name := range names {
		if !slices.Contains(known, name) {
			return nil, fmt.Errorf("there is no study %q; there are %s", name, strings.Join(known, ", "))
		}
	}
	return slices.DeleteFunc(all, func(s study) bool { return len(names) > 0 && !slices.Contains(names, s.name) }), nil
}

// run makes one study.
func (s study) run(ctx context.Context, b *bench, rounds int) (out Growth) {
	began := time.Now()
	out = Growth{Name: s.name, Measure: s.measure, Counts: s.counts}
	defer func() { out.Seconds = time.Since(began).Round(100 * time.Millisecond).Seconds() }()
	g, err := s.open(ctx, b)
	if err == nil {
		out.Figures, err = g.grow(ctx, rounds, b.say)
	}
	if err == nil && g.end != nil {
		err = g.end(ctx)
	}
	if err == nil && g.note != nil {
		out.Note = g.note()
	}
	if err == nil && g.parts != nil {
		out.Parts = g.parts()
	}
	out.settle(joinEnd(err, b.endRow(context.WithoutCancel(ctx))))
	if why := out.NotRun + out.Failed; why != "" {
		b.say("  %s", why)
	}
	return out
}
