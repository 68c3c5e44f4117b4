package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"hitl"
	"hitl/audit"
	"hitl/classifier/learn"
)

type insightsCmd struct {
	Classifier string  `placeholder:"NAME" help:"Only this classifier (default: each)."`
	Since      ago     `default:"30d" placeholder:"AGO" help:"Items from then until now: 24h, 7d (default ${default}). Drift is told against the time before, as long."`
	ErrorWorth float64 `default:"10" placeholder:"N" help:"How many reviews an avoided error is worth; it orders the findings (default ${default})."`
	JSON       bool    `help:"Print JSON."`
}

// Help implements kong.HelpProvider.
func (c *insightsCmd) Help() string {
	return `Every figure is about all items, reviewed or not: an answered one counts by the inverse of the probability that it was
reviewed. Intervals are of 95%. Of many comparisons, a few differ by chance; those that are told stand at a false discovery
rate of 5%. Nothing is changed: what to make of it is yours.

    hitl insights                          what the last 30 days teach
    hitl insights --since 7d --json        for a program`
}

const maxFindings = 3

// insights are what a classifier's items and people's answers teach.
type insights struct {
	Classifier string     `json:"classifier"`
	Models     []string   `json:"models"`   // versions of the period
	Before     []string   `json:"before"`   // versions of the time before
	Items      int        `json:"items"`    // of the period, that the model gave a label
	Answered   int        `json:"answered"` // by people
	Corrected  *rate      `json:"corrected"`
	Findings   []finding  `json:"findings"`
	Confused   []confused `json:"confused"`
	Groups     []compared `json:"groups"`
	Rules      []ruleUse  `json:"rules"`
	Unknown    []unknown  `json:"unknown_labels"`
	Drift      []drifted  `json:"drift"`
}

// rate is a share of all items; hits of so many items that people answered.
type rate struct {
	Items int `json:"answered"`
	Hits  int `json:"hits"`
	figure
}

type finding struct {
	Kind    hitl.FindingKind `json:"kind"`
	Subject string           `json:"subject"`
	Other   string           `json:"other,omitempty"`
	Rate    *rate            `json:"rate"`
	Rest    *rate            `json:"rest"` // null where nothing is compared
	Anyway  int              `json:"reviewed_anyway,omitempty"`
	Reviews float64          `json:"reviews_saved"`
	Errors  float64          `json:"errors_avoided"`
}

type confused struct {
	AILabel string  `json:"ai_label"`
	Label   string  `json:"label"`
	Rate    *rate   `json:"rate"` // of the items with the AI's label
	Errors  float64 `json:"errors"`
}

type compared struct {
	By         string  `json:"by"`
	Name       string  `json:"name"`
	Rate       *rate   `json:"corrected"`
	Rest       *rate   `json:"corrected_of_the_rest"`
	Difference *figure `json:"difference"`
	Q          float64 `json:"adjusted_p"`
	Stands     bool    `json:"stands"`
}

type ruleUse struct {
	Rule      string `json:"rule"`
	Corrected *rate  `json:"corrected"`
	Anyway    int    `json:"reviewed_anyway"`
	Idle      bool   `json:"idle"`
}

type unknown struct {
	Label string `json:"label"`
	Share *rate  `json:"share"`
}

func (c *insightsCmd) Run(ctx context.Context, p program, global *cli) error {
	if c.ErrorWorth < 0 {
		return usageError{fmt.Errorf("--error-worth is %v; it is how many reviews an avoided error is worth, 0 or more", c.ErrorWorth)}
	}
	cfg, store, err := p.openStore(ctx, global)
	if err != nil {
		return err
	}
	defer store.Close()
	names := slices.Sorted(maps.Keys(cfg.Classifiers))
	if c.Classifier != "" {
		if _, ok := cfg.Classifiers[c.Classifier]; !ok {
			return usageError{fmt.Errorf("classifier %q is not configured", c.Classifier)}
		}
		names = []string{c.Classifier}
	}
	until := time.Now().UTC()
	since := until.Add(-time.Duration(c.Since))
	list := []insights{}
	for _, name := range names {
		in, err := readInsights(ctx, store, name, since, until, c.ErrorWorth)
		if err != nil {
			return err
		}
		list = append(list, in)
	}
	if c.JSON {
		return printJSON(p.stdout, struct {
			Since       time.Time  `json:"since"`
			Until       time.Time  `json:"until"`
			Classifiers []insights `json:"classifiers"`
		}{since, until, list})
	}
	for i, in := range list {
		if i > 0 {
			fmt.Fprintln(p.stdout)
		}
		if err := printInsights(p.stdout, in); err != nil {
			return err
		}
	}
	return nil
}

// readInsights reads a classifier's items of [since, until), and of as long a time before for drift.
func readInsights(ctx context.Context, store *audit.Store, classifier string, since, until time.Time, errorWorth float64) (insights, error) {
	before, err := readWindow(ctx, store, classifier, since.Add(-until.Sub(since)), since)
	if err != nil {
		return insights{}, err
	}
	var now window
	var answers answered
	err = store.Labelled(ctx, hitl.LabelledQuery{Classifier: classifier, Since: since, Until: until}, func(l hitl.Labelled) error {
		now.add(l)
		answers.add(l)
		return nil
	})
	if err != nil {
		return insights{}, err
	}
	in := answers.insights(errorWorth)
	in.Classifier, in.Items, in.Models, in.Before, in.Drift = classifier, len(now.labels), orNone(now.models), orNone(before.models), compareWindows(before, now, true)
	return in, nil
}

func orNone(s []string) []string { return append([]string{}, s...) }

// answered are the items that people answered, and the labels that the model has.
type answered struct {
	cases []learn.Case
	known map[string]bool
}

func (a *answered) add(l hitl.Labelled) {
	if a.known == nil {
		a.known = map[string]bool{}
	}
	for _, s := range l.Scores {
		a.known[s.Label] = true
	}
	if l.AILabel == "" || !l.Answered() || l.Inclusion <= 0 {
		return
	}
	c := learn.Case{Source: l.Source, Queue: l.Queue, AILabel: l.AILabel, Label: l.Label, Weight: 1 / l.Inclusion}
	for _, t := range l.Triggers {
		if rule, ok := t.Rule(); ok {
			c.Rules = append(c.Rules, rule)
		} else if t != hitl.TriggerSample {
			c.Anyway = true
		}
	}
	a.cases = append(a.cases, c)
}

func (a *answered) insights(errorWorth float64) insights {
	p := learn.FindPatterns(a.cases, slices.Sorted(maps.Keys(a.known)))
	in := insights{
		Answered: len(a.cases), Corrected: rateFigures(p.Overall),
		Findings: []finding{}, Confused: []confused{}, Groups: []compared{}, Rules: []ruleUse{}, Unknown: []unknown{},
	}
	for _, f := range p.Findings(errorWorth, maxFindings) {
		in.Findings = append(in.Findings, finding{f.Kind, f.Subject, f.Other, rateFigures(f.Rate), rateFigures(f.Rest), f.Anyway, f.Reviews, f.Errors})
	}
	for _, c := range p.Confused {
		in.Confused = append(in.Confused, confused{c.AILabel, c.Label, rateFigures(c.Rate), c.Errors})
	}
	for _, g := range p.Groups {
		in.Groups = append(in.Groups, compared{
			g.By, g.Name, rateFigures(g.Rate), rateFigures(g.Rest), &figure{g.Difference, g.Low, g.High}, g.Q, g.Stands(),
		})
	}
	for _, r := range p.Rules {
		in.Rules = append(in.Rules, ruleUse{r.Rule, rateFigures(r.Corrected), r.Anyway, r.Idle()})
	}
	for _, u := range p.Unknown {
		in.Unknown = append(in.Unknown, unknown{u.Label, rateFigures(u.Share)})
	}
	return in
}

// rateFigures are nil of nothing.
func rateFigures(r learn.Rate) *rate {
	if r.Items == 0 {
		return nil
	}
	return &rate{r.Items, r.Hits, figure{r.Value, r.Low, r.High}}
}
