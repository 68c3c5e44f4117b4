package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"hitl"
	"hitl/classifier/learn"
)

type adviseCmd struct {
	Policy     string  `placeholder:"NAME" help:"The policy; needed where there are several."`
	Risk       string  `default:"0.02" placeholder:"SHARE" help:"The error rate among accepted items that is not to be exceeded (default ${default})."`
	Confidence string  `default:"0.95" placeholder:"SHARE" help:"With which that is promised (default ${default})."`
	PerLabel   bool    `help:"Promise it of each label on its own, of all of them together with the confidence."`
	LeaveOut   bool    `help:"Leave sampled items without an answer out, instead of counting them as wrong."`
	Since      ago     `default:"90d" placeholder:"AGO" help:"Items received from then until now: 24h, 7d (default ${default})."`
	Minutes    float64 `default:"0.5" placeholder:"N" help:"What a review costs, in minutes of a person (default ${default})."`
	ErrorCost  float64 `default:"30" placeholder:"N" help:"What an error among accepted items costs, in the same minutes (default ${default})."`
	Within     ago     `placeholder:"TIME" help:"Say which share of accepted items people would have to see so that the data suffice within this time: 30d."`
	Replay     bool    `help:"Print which items of the period would have gone the other way."`
	Threshold  float64 `default:"-1" placeholder:"N" help:"With --replay: run this threshold over them instead of the advised ones."`
	Propose    bool    `xor:"then" help:"Post the advice to the owners of the policy's queue, who accept or decline."`
	Accept     bool    `xor:"then" help:"Put it in force at once."`
	By         string  `help:"Who wants it (default cli/USER, of this machine)."`
	JSON       bool    `name:"json" help:"Print JSON."`
}

// Help is shown by hitl advise --help.
func (adviseCmd) Help() string {
	return `Finds the lowest threshold from which on items can be accepted so that at most --risk of those are wrong, with --confidence: by exact tests on a random sample
of the items of the period, made from what reviewers decided below the present threshold and from the sample of sure items above it (policies.*.sample). If the
data do not suffice, it says how many more sampled reviews would.

The promise holds for items like those of the period, as far as reviewers are right. It is made for the present model, calibration and rules: when one of them
changes, the stricter of these thresholds and the configured ones hold until there is new advice. Without --propose or --accept nothing changes.

--within says which share of what is accepted people would have to see; policies.*.sample.certify has the service choose it from day to day.

    hitl advise --risk 0.02 --confidence 0.95
    hitl advise --within 30d
    hitl advise --per-label --propose
    hitl advise --replay --threshold 0.7 --json`
}

// adviceReport is what hitl advise --json prints.
type adviceReport struct {
	Policy      string                 `json:"policy"`
	Classifier  string                 `json:"classifier"`
	Model       string                 `json:"model"`
	Calibration string                 `json:"calibration,omitempty"`
	Since       string                 `json:"since"` // later than asked for where sampling was off before
	Risk        string                 `json:"risk"`
	Confidence  string                 `json:"confidence"`
	Now         hitl.Thresholds        `json:"now"` // as routes were made last
	Advised     hitl.Thresholds        `json:"advised"`
	Promises    []learn.Promise        `json:"promises"`
	Evidence    hitl.ThresholdEvidence `json:"evidence"`
	Costs       []costPoint            `json:"costs"` // minutes per 1,000 items, by threshold
	Plans       []plan                 `json:"plans,omitempty"`
	Replay      *learn.Replayed        `json:"replay,omitempty"`
	Proposal    string                 `json:"proposal,omitempty"`
	Accepted    bool                   `json:"accepted,omitempty"`

	reason string // why nothing is promised
}

type costPoint struct {
	Threshold float64 `json:"threshold"`
	Reviews   float64 `json:"reviews"`     // minutes
	Errors    float64 `json:"errors"`      // minutes, estimated
	ErrorsTop float64 `json:"errors_high"` // minutes, at the upper end of the interval
}

// anyPromise says whether anything is promised.
func (r adviceReport) anyPromise() bool {
	return slices.ContainsFunc(r.Promises, func(p learn.Promise) bool { return p.Found })
}

func (c *adviseCmd) Run(ctx context.Context, p program, global *cli) error {
	o := learn.AdviseOptions{LeaveOut: c.LeaveOut}
	var err error
	if o.Risk, err = learn.ParseShare(c.Risk); err != nil {
		return usageError{fmt.Errorf("--risk: %w", err)}
	}
	if o.Confidence, err = learn.ParseShare(c.Confidence); err != nil {
		return usageError{fmt.Errorf("--confidence: %w", err)}
	}
	if c.Threshold >= 0 && !c.Replay {
		return usageError{errors.New("--threshold has a meaning with --replay only")}
	}
	a, err := p.openAdvice(ctx, global, c.Policy, c.Since)
	if err != nil {
		return err
	}
	defer a.store.Close()
	report := a.advise(o, c.PerLabel, c.Minutes, c.ErrorCost)
	if c.Within > 0 {
		report.Plans = a.plan(report, time.Duration(c.Within))
	}
	if c.Replay {
		then := report.Advised.For
		if c.Threshold >= 0 {
			then = func(string) float64 { return c.Threshold }
		}
		r := a.replay(then)
		report.Replay = &r
	}
	if c.Propose || c.Accept {
		if !report.anyPromise() {
			return fmt.Errorf("nothing was proposed: %s", report.reason)
		}
		if report.Proposal, err = a.propose(ctx, report, c.Accept, operator(c.By)); err != nil {
			return err
		}
		report.Accepted = c.Accept
	}
	if c.JSON {
		return printJSON(p.stdout, report)
	}
	return printAdvice(p.stdout, report, c.Replay)
}

func printAdvice(w io.Writer, r adviceReport, replayed bool) error {
	fmt.Fprintf(w, "policy %s, classifier %s, %s since %s\n", printable(r.Policy), printable(r.Classifier), plural(r.Evidence.Items, "item"), r.Since)
	fmt.Fprintf(w, "promise: at most %s of what is accepted is wrong, with %s confidence\n\n", r.Risk, r.Confidence)
	rows := make([][]string, len(r.Promises))
	for i, p := range r.Promises {
		label := p.Label
		if label == "" {
			label = "all"
		}
		rows[i] = []string{label, threshold(r.Now.For(p.Label)), threshold(p.Threshold), strconv.Itoa(p.Sampled), strconv.Itoa(p.Wrong), upper(p), needed(p)}
	}
	if err := table(w, []string{"LABEL", "NOW", "ADVISED", "SAMPLED", "WRONG", "AT MOST", ""}, rows); err != nil {
		return err
	}
	if r.reason != "" {
		fmt.Fprintf(w, "\n%s\n", r.reason)
	}
	for _, p := range r.Plans {
		fmt.Fprintln(w, p.words())
	}
	if r.anyPromise() {
		fmt.Fprintf(w, "\nPeople would see %s of the items instead of %s.\n", percent(r.Evidence.LoadAfter), percent(r.Evidence.LoadBefore))
	}
	fmt.Fprintln(w, "\nWhat each threshold brings (minutes per 1,000 items):")
	var curve [][]string
	for i, pt := range r.Evidence.Curve {
		c := r.Costs[i]
		curve = append(curve, []string{
			threshold(pt.Threshold), percent(pt.Load), percent(pt.Errors), percent(pt.ErrorsLow) + "–" + percent(pt.ErrorsTop),
			fmt.Sprintf("%.0f", c.Reviews), fmt.Sprintf("%.0f", c.Errors), fmt.Sprintf("%.0f", c.Reviews+c.Errors),
		})
	}
	if err := table(w, []string{"THRESHOLD", "PEOPLE SEE", "WRONG", "95% INTERVAL", "REVIEWS", "ERRORS", "TOGETHER"}, curve); err != nil {
		return err
	}
	if replayed {
		printReplay(w, *r.Replay)
	}
	if r.Proposal != "" {
		_, err := fmt.Fprintln(w, "\n"+told("these thresholds", r.Proposal, r.Accepted))
		return err
	}
	_, err := fmt.Fprintln(w, "\nNothing was changed; --propose asks the owners, --accept puts it in force.")
	return err
}

func printReplay(w io.Writer, r learn.Replayed) {
	line := func(words string, f learn.Fate) {
		fmt.Fprintf(w, "%s: %d (%d right, %d wrong, %d nobody knows)\n", words, len(f.IDs), f.Right, f.Wrong, f.Unknown)
		for i, id := range f.IDs {
			if i == 10 {
				fmt.Fprintf(w, "  and %d more; --json lists all\n", len(f.IDs)-i)
				break
			}
			fmt.Fprintf(w, "  %s\n", printable(id))
		}
	}
	fmt.Fprintln(w)
	line("Would have been accepted without a person", r.Accepted)
	line("Would have gone to a person", r.Reviewed)
}

func threshold(t float64) string {
	if t == hitl.NoConfidence {
		return "never"
	}
	return strconv.FormatFloat(t, 'g', 6, 64)
}

func upper(p learn.Promise) string {
	if !p.Found {
		return ""
	}
	return fmt.Sprintf("%.2f%%", 100*p.Upper)
}

// needed says what a label lacks, in a few words.
func needed(p learn.Promise) string {
	n := p.Need
	switch {
	case p.Found:
		return ""
	case p.Rate == 0:
		return "nothing above the threshold is sampled"
	case n.Above == learn.NoThreshold:
		return fmt.Sprintf("%d sampled, it takes about %d above a threshold", p.Sample, n.Reviews)
	case n.Reviews == 0:
		return fmt.Sprintf("%d of %d wrong above %s: too many for any number of reviews", n.Wrong, n.Have, threshold(n.Above))
	}
	return fmt.Sprintf("%d of %d wrong above %s: it takes about %d", n.Wrong, n.Have, threshold(n.Above), n.Reviews)
}

// lacks says why nothing is promised, and what would help.
func lacks(promises []learn.Promise) string {
	var why []string
	for _, p := range promises {
		if p.Found {
			return ""
		}
		words := needed(p)
		if p.Label != "" {
			words = p.Label + ": " + words
		}
		if !slices.Contains(why, words) {
			why = append(why, words)
		}
	}
	out := "the data do not suffice for this promise: " + strings.Join(why, "; ")
	if slices.ContainsFunc(promises, func(p learn.Promise) bool { return p.Rate == 0 }) {
		out += ". Set policies.*.sample.rate, so that people see a random share of what is accepted"
	}
	return out + "."
}
