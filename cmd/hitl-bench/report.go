package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// Report is what --json prints.
type Report struct {
	At       time.Time         `json:"at"`
	Quick    bool              `json:"quick"` // sizes too small for figures that mean something
	Runs     int               `json:"runs"`  // pairs of each row
	Machine  Machine           `json:"machine"`
	Versions map[string]string `json:"versions"`
	Rows     []Result          `json:"rows"`
	Seconds  float64           `json:"seconds"`
}

// Result is a row as it came out. Exactly one of Ours, NotRun and Failed is set.
type Result struct {
	Name    string  `json:"name"`
	Measure string  `json:"measure"`
	Against string  `json:"against,omitempty"`
	Unit    string  `json:"unit,omitempty"`
	Ours    *Spread `json:"ours,omitempty"`
	Peer    *Spread `json:"peer,omitempty"`
	Ratio   *Spread `json:"ratio,omitempty"` // of each pair: ours by the peer's
	Reach   string  `json:"reach"`
	Reached *bool   `json:"reached,omitempty"` // whether the median does
	Note    string  `json:"note,omitempty"`
	NotRun  string  `json:"not_run,omitempty"` // what to install
	Failed  string  `json:"failed,omitempty"`
	Seconds float64 `json:"seconds"` // setting up included
}

// errFailed ends a run in which a row failed; the report says which.
var errFailed = errors.New("a row failed; see the report")

// run makes the rows that are asked for, and prints the report.
func run(ctx context.Context, o options, stdout, stderr io.Writer) (err error) {
	runs, err := o.runs()
	if err != nil {
		return err
	}
	picked, err := pick(rows(), o.Only)
	if err != nil {
		return err
	}
	if o.List {
		return list(stdout, picked)
	}
	if o.Soak != 0 {
		return soak(ctx, o, stdout, stderr)
	}
	began := time.Now()
	say := progress(stderr, began)
	b, err := newBench(o, say)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.stop(context.WithoutCancel(ctx))) }()
	r := Report{At: began.UTC().Truncate(time.Second), Quick: o.Quick, Runs: runs, Machine: thisMachine()}
	failed := false
	for _, row := range picked {
		say("%s: %s", row.name, row.measure)
		result := row.run(ctx, b, runs)
		if err := ctx.Err(); err != nil {
			return err
		}
		if why := result.Failed + result.NotRun; why != "" {
			say("  %s", why)
		}
		failed = failed || result.Failed != ""
		r.Rows = append(r.Rows, result)
	}
	r.Versions, r.Seconds = b.versions(ctx), time.Since(began).Round(time.Second).Seconds()
	if err := r.print(stdout, o.JSON); err != nil {
		return err
	}
	if failed {
		return errFailed
	}
	return nil
}

// pick returns the rows of those names, in the list's order; no name: all.
func pick(all []row, names []string) ([]row, error) {
	var known []string
	for _, r := range all {
		known = append(known, r.name)
	}
	for _, name := range names {
		if !slices.Contains(known, name) {
			return nil, fmt.Errorf("there is no row %q; there are %s", name, strings.Join(known, ", "))
		}
	}
	if len(names) == 0 {
		return all, nil
	}
	return slices.DeleteFunc(all, func(r row) bool { return !slices.Contains(names, r.name) }), nil
}

// run makes one row.
func (r row) run(ctx context.Context, b *bench, runs int) (out Result) {
	began := time.Now()
	out = Result{Name: r.name, Measure: r.measure, Against: r.against, Reach: r.reach.String()}
	defer func() { out.Seconds = time.Since(began).Round(100 * time.Millisecond).Seconds() }()
	p, err := r.open(ctx, b)
	var f figures
	if err == nil {
		out.Unit = p.unit
		f, err = inTurns(ctx, p, runs, b.say)
	}
	if err == nil && p.note != nil {
		out.Note = p.note()
	}
	err = errors.Join(err, b.endRow(context.WithoutCancel(ctx)))
	if lacks, ok := errors.AsType[missing](err); ok {
		out.NotRun = lacks.Error()
		return out
	}
	if err != nil {
		out.Failed = err.Error()
		return out
	}
	out.Ours, out.Peer, out.Ratio = spreadOf(f.ours), spreadOf(f.peer), spreadOf(f.ratios)
	held := out.Ratio
	if held == nil {
		held = out.Ours
	}
	reached := r.reach.reached(held.Median)
	out.Reached = &reached
	return out
}
