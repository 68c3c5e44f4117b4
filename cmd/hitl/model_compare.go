package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"hitl"
	"hitl/classifier/learn"
	"hitl/classifier/registry"
)

type modelCompareCmd struct {
	ofClassifier
	Version string `arg:"" optional:"" help:"Its version, or the first digits of it (default: the proposed one)."`
	Since   ago    `default:"30d" placeholder:"AGO" help:"Items from then until now: 24h, 7d (default ${default})."`
	JSON    bool   `help:"Print JSON."`
}

// Help implements kong.HelpProvider.
func (*modelCompareCmd) Help() string {
	return `While a model is proposed and nobody has answered, every replica has it classify live items too, without effect: classifiers.NAME.shadow_share of them. This holds
what it said against what the model that ran said, on those items that people answered since; each counts by the inverse of the probability that it was
reviewed. Items that the candidate may have learned from do not count: only those that came after it was added, or were held out, do.

Reviewers who saw what the incumbent said agree with it a little too often. That is in the incumbent's favour, and less so where queues have a blind_share.

    hitl model propose 3f2a
    hitl model compare                        some days later
    hitl model compare 3f2a --since 7d --json`
}

// shadowReport is what a model said in the shadow, against what judged.
type shadowReport struct {
	Classifier string    `json:"classifier"`
	Model      string    `json:"model"`
	AddedAt    time.Time `json:"added_at"`
	Since      time.Time `json:"since"`

	Shadowed   int        `json:"shadowed"`
	LeftOut    int        `json:"left_out"` // that came in between those
	Failed     int        `json:"failed"`   // of the shadowed: the candidate could not
	Incumbents []string   `json:"incumbents"`
	Both       int        `json:"both"`      // of the shadowed: both gave a label
	Same       int        `json:"same"`      // of these: the same one
	Disagree   []disagree `json:"disagree"`  // the commonest first
	Answered   int        `json:"answered"`  // of the shadowed, by people
	MayKnow    int        `json:"may_know"`  // of the answered: the candidate may have learned from them; they do not count below
	Unweighed  int        `json:"unweighed"` // of the answered: reviewed though that had no probability; nor do they
	// Candidate is how often it is right; null: nobody has answered.
	Candidate *hitl.ModelScore `json:"candidate"`
	// Comparison is with what ran; null: nobody has answered an item that a model judged.
	Comparison *hitl.ModelComparison `json:"comparison"`
	// HeldOut is the comparison of its card, when it was trained, on items that were held out; null: there is none.
	HeldOut *hitl.ModelComparison `json:"held_out"`
}

// disagree counts items of which two models gave two labels.
type disagree struct {
	Incumbent      string `json:"incumbent"`
	Candidate      string `json:"candidate"`
	Items          int    `json:"items"`
	IncumbentRight int    `json:"incumbent_right"` // as people answered
	CandidateRight int    `json:"candidate_right"`
	NeitherRight   int    `json:"neither_right"`
}

func (c *modelCompareCmd) Run(ctx context.Context, p program, global *cli) error {
	m, err := c.open(ctx, p, global)
	if err != nil {
		return err
	}
	defer m.store.Close()
	version := c.Version
	if version == "" {
		if version, err = m.proposed(ctx); err != nil {
			return err
		}
		if version == "" {
			return usageError{fmt.Errorf("no model is proposed for classifier %q; say which one (`hitl model list`), or propose one (`hitl model propose`)", m.name)}
		}
	}
	one, err := m.registry.Find(ctx, m.name, version)
	if err != nil {
		return err
	}
	r, err := m.compare(ctx, one, time.Now().UTC().Add(-time.Duration(c.Since)))
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(p.stdout, r)
	}
	return r.print(p.stdout, m.cfg.Classifiers[m.name].ShadowShare)
}

// compare holds what a model said in the shadow, of items from since on, against what judged.
func (m models) compare(ctx context.Context, one registry.Model, since time.Time) (shadowReport, error) {
	labels, err := m.store.ShadowLabels(ctx, one.Version, since)
	if err != nil {
		return shadowReport{}, err
	}
	t := shadowTally{labels: labels, pairs: map[[2]string]*disagree{}, report: shadowReport{
		Classifier: m.name, Model: one.Version, AddedAt: one.AddedAt, Since: since, Incumbents: []string{}, Disagree: []disagree{}, HeldOut: evidenceOfModel(one).Comparison,
	}}
	err = m.store.Labelled(ctx, hitl.LabelledQuery{Classifier: m.name, Since: since}, func(l hitl.Labelled) error {
		t.add(l)
		return nil
	})
	return t.sum(), err
}

// shadowTally adds items up, in the order in which they came.
type shadowTally struct {
	labels map[string]string // of the candidate, by item; empty: it failed
	report shadowReport
	pairs  map[[2]string]*disagree
	gap    int // items since the last shadowed one

	alone, candidate, incumbent []learn.Outcome // the candidate's of all; of the items that both judged
}

func (t *shadowTally) add(l hitl.Labelled) {
	r := &t.report
	label, ok := t.labels[l.ItemID]
	if !ok {
		if !l.Small() { // those are not for it
			t.gap++
		}
		return
	}
	if r.Shadowed > 0 {
		r.LeftOut += t.gap
	}
	t.gap = 0
	r.Shadowed++
	if l.Model != "" && !slices.Contains(r.Incumbents, l.Model) {
		r.Incumbents = append(r.Incumbents, l.Model)
	}
	if label == "" {
		r.Failed++
	}
	if label != "" && l.AILabel != "" {
		t.both(l, label)
	}
	if l.Answered() {
		t.answered(l, label)
	}
}

func (t *shadowTally) both(l hitl.Labelled, label string) {
	t.report.Both++
	if label == l.AILabel {
		t.report.Same++
		return
	}
	key := [2]string{l.AILabel, label}
	if t.pairs[key] == nil {
		t.pairs[key] = &disagree{Incumbent: l.AILabel, Candidate: label}
	}
	pair := t.pairs[key]
	pair.Items++
	switch l.Label {
	case "":
	case l.AILabel:
		pair.IncumbentRight++
	case label:
		pair.CandidateRight++
	default:
		pair.NeitherRight++
	}
}

func (t *shadowTally) answered(l hitl.Labelled, label string) {
	r := &t.report
	r.Answered++
	if l.ReceivedAt.Before(r.AddedAt) && !learn.HeldOut(l.ItemID) {
		r.MayKnow++
		return
	}
	if l.Inclusion <= 0 { // as before there was a sample
		r.Unweighed++
		return
	}
	o := learn.Outcome{Correct: label == l.Label, Weight: 1 / l.Inclusion}
	t.alone = append(t.alone, o)
	if l.AILabel != "" || slices.Contains(l.Triggers, hitl.TriggerModelError) {
		t.candidate = append(t.candidate, o)
		t.incumbent = append(t.incumbent, learn.Outcome{Correct: l.Correct(), Weight: o.Weight})
	}
}

func (t *shadowTally) sum() shadowReport {
	r := t.report
	for _, pair := range t.pairs {
		r.Disagree = append(r.Disagree, *pair)
	}
	slices.SortFunc(r.Disagree, func(a, b disagree) int {
		if a.Items != b.Items {
			return b.Items - a.Items
		}
		return strings.Compare(a.Incumbent+"\x00"+a.Candidate, b.Incumbent+"\x00"+b.Candidate)
	})
	if len(t.alone) > 0 {
		s := learn.ScoreOf(t.alone)
		r.Candidate = &hitl.ModelScore{Items: s.Items, Accuracy: s.Accuracy, Low: s.Interval.Low, High: s.Interval.High}
	}
	if len(t.candidate) > 0 {
		r.Comparison = comparisonOf(learn.Compare(t.candidate, t.incumbent, 1))
	}
	return r
}

// comparisonOf is a comparison as programs and the owners read it.
func comparisonOf(c learn.Comparison) *hitl.ModelComparison {
	return &hitl.ModelComparison{
		Items: c.Items, Candidate: c.Candidate, Incumbent: c.Incumbent, Difference: c.Difference, Low: c.Interval.Low, High: c.Interval.High, P: c.P, Verdict: string(c.Verdict),
	}
}

// maxDisagree is how many pairs of labels are printed.
const maxDisagree = 5

func (r shadowReport) print(w io.Writer, share float64) error {
	if r.Shadowed == 0 {
		why := "It classifies live items while it is proposed and nobody has answered; the first are kept a second or two after they came in."
		if share <= 0 {
			why = fmt.Sprintf("It is not to: classifiers.%s.shadow_share is 0.", r.Classifier)
		}
		_, err := fmt.Fprintf(w, "Model %s has classified no item of %s in the shadow since %s. %s\n", short(r.Model), r.Classifier, r.Since.Format(time.DateOnly), why)
		return errors.Join(err, r.printHeldOut(w))
	}
	fmt.Fprintf(w, "Model %s in the shadow of %s, since %s\n\n", short(r.Model), r.ran(), r.Since.Format(time.DateOnly))
	fmt.Fprintf(w, "shadowed   %s; %d left out meanwhile; the candidate failed on %d\n", plural(r.Shadowed, "item"), r.LeftOut, r.Failed)
	if r.Both > 0 {
		fmt.Fprintf(w, "agreement  %s: the same label of %d of %d\n", percent(float64(r.Same)/float64(r.Both)), r.Same, r.Both)
	}
	fmt.Fprintf(w, "answered   %d by people", r.Answered)
	if r.MayKnow > 0 {
		fmt.Fprintf(w, "; of %d the candidate may have learned, they do not count", r.MayKnow)
	}
	if r.Unweighed > 0 {
		fmt.Fprintf(w, "; %d were reviewed by no policy, they do not count", r.Unweighed)
	}
	fmt.Fprintln(w)
	if err := r.printJudged(w); err != nil {
		return err
	}
	if err := r.printHeldOut(w); err != nil || len(r.Disagree) == 0 {
		return err
	}
	fmt.Fprintln(w)
	var rows [][]string
	for _, d := range r.Disagree[:min(maxDisagree, len(r.Disagree))] {
		rows = append(rows, []string{d.Incumbent, d.Candidate, fmt.Sprint(d.Items), fmt.Sprint(d.IncumbentRight), fmt.Sprint(d.CandidateRight), fmt.Sprint(d.NeitherRight)})
	}
	return table(w, []string{"INCUMBENT SAYS", "CANDIDATE SAYS", "ITEMS", "INCUMBENT RIGHT", "CANDIDATE RIGHT", "NEITHER"}, rows)
}

// ran says what judged.
func (r shadowReport) ran() string {
	var versions []string
	for _, v := range r.Incumbents {
		versions = append(versions, short(v))
	}
	if len(versions) == 0 {
		return "people alone"
	}
	return strings.Join(versions, ", ")
}

func (r shadowReport) printJudged(w io.Writer) error {
	switch c, s := r.Comparison, r.Candidate; {
	case c != nil:
		_, err := fmt.Fprintf(w, "candidate  %s right\nincumbent  %s right\ndifference %s\n", percent(c.Candidate), percent(c.Incumbent), inWords(*c))
		return err
	case s != nil:
		_, err := fmt.Fprintf(w, "candidate  %s right (%s to %s), on %s that no model judged\n", percent(s.Accuracy), percent(s.Low), percent(s.High), plural(s.Items, "item"))
		return err
	}
	_, err := fmt.Fprintln(w, "\nPeople have not answered any of these items that counts yet, so that nothing can be said of who is right.")
	return err
}

func (r shadowReport) printHeldOut(w io.Writer) error {
	if r.HeldOut == nil {
		return nil
	}
	_, err := fmt.Fprintf(w, "held out   %s right, the incumbent %s, when it was trained; difference %s\n", percent(r.HeldOut.Candidate), percent(r.HeldOut.Incumbent), inWords(*r.HeldOut))
	return err
}

// inWords says what a comparison comes to.
func inWords(c hitl.ModelComparison) string {
	return fmt.Sprintf("%+.1f points (%+.1f to %+.1f), p = %.2g, on %s: %s", 100*c.Difference, 100*c.Low, 100*c.High, c.P, plural(c.Items, "item"), c.Verdict)
}
