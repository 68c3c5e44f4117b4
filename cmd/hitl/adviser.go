package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"hitl"
	"hitl/classifier/learn"
	"hitl/classifier/policy"
)

// adviser is the evidence on the thresholds of one policy: items that it routed, judged by the present model under the present calibration.
type adviser struct {
	*evidence
	name       string                  // of the policy
	configured *policy.Policy          // as the file has it
	terms      map[string]policy.Terms // by version of the policy
	routed     []hitl.Labelled
	sampled    time.Time // from when on sure items were sampled
}

// openAdvice reads it. The policy may be left out where there is one. The caller closes the store.
func (p program) openAdvice(ctx context.Context, global *cli, name string, since ago) (*adviser, error) {
	cfg, err := p.load(global.Config)
	if err != nil {
		return nil, err
	}
	names := slices.Sorted(maps.Keys(cfg.Policies))
	switch {
	case name == "" && len(names) == 1:
		name = names[0]
	case name == "":
		return nil, usageError{fmt.Errorf("say which policy with --policy; there are %v", names)}
	case !slices.Contains(names, name):
		return nil, usageError{fmt.Errorf("policy %q is not configured; there are %v", name, names)}
	}
	classifier, ok := classifierOf(cfg, name)
	if !ok {
		return nil, usageError{fmt.Errorf("policy %q must be that of sources with one classifier, so that its thresholds have one meaning; give each classifier a policy of its own", name)}
	}
	e, err := p.openEvidence(ctx, global, classifier, since)
	if err != nil {
		return nil, err
	}
	a, err := newAdviser(ctx, e, name)
	if err != nil {
		e.store.Close()
	}
	return a, err
}

// newAdviser takes of the evidence on a classifier what is about one policy.
func newAdviser(ctx context.Context, e *evidence, name string) (*adviser, error) {
	policies, err := buildPolicies(e.cfg, nil)
	if err != nil {
		return nil, usageError{err}
	}
	a := &adviser{evidence: e, name: name, configured: policies[name]}
	return a, a.choose(ctx)
}

// choose takes the items that the policy routed, in any of its versions, under the calibration in force, since sure items are sampled.
func (a *adviser) choose(ctx context.Context) error {
	versions, err := a.store.Policies(ctx)
	if err != nil {
		return err
	}
	a.terms = map[string]policy.Terms{}
	for _, v := range versions {
		if v.Name != a.name {
			continue
		}
		if a.terms[v.Version], err = policy.ReadTerms(v.Text); err != nil {
			return fmt.Errorf("version %s of policy %q: %w", v.Version, v.Name, err)
		}
	}
	calibration := ""
	if a.calibration != nil {
		calibration = a.calibration.Version()
	}
	a.sampled = a.since
	for _, l := range a.items {
		_, mine := a.terms[l.Policy]
		switch {
		case !mine || !l.Small() && l.Calibration != calibration:
		case l.Sure() && l.Inclusion <= 0: // nobody could see it: what came before tells nothing of what was accepted then
			a.routed, a.sampled = nil, l.ReceivedAt
		default:
			a.routed = append(a.routed, l)
		}
	}
	if len(a.routed) == 0 && a.sampled.After(a.since) {
		return errors.New("accepted items are not sampled, so nothing is known of them: set policies.*.sample.rate, and ask again when reviewers have answered some")
	}
	if len(a.routed) == 0 {
		return fmt.Errorf("policy %q routed no items of the present model and calibration since %s", a.name, a.since.Format("2006-01-02 15:04"))
	}
	return nil
}

// evidenceOf is an item as an advice sees it.
func (a *adviser) evidenceOf(l hitl.Labelled) learn.Evidence {
	rate := a.terms[l.Policy].Rate
	if rate == 0 { // nothing is sure there, or it would have been left out: people see all
		rate = 1
	}
	return learn.Evidence{
		ItemID: l.ItemID, Label: l.AILabel, Confidence: l.Confidence, Inclusion: l.Inclusion, Rate: rate, Other: !l.Sure(), Reviewed: l.Reviewed,
		Answered: l.Answered(), Correct: l.Correct(),
	}
}

// evidences are all items as an advice sees them.
func (a *adviser) evidences() []learn.Evidence {
	items := make([]learn.Evidence, len(a.routed))
	for i, l := range a.routed {
		items[i] = a.evidenceOf(l)
	}
	return items
}

// labels are what the model can say, sorted.
func (a *adviser) labels() []string {
	found := map[string]bool{}
	for _, l := range a.routed {
		for _, s := range l.Scores {
			found[s.Label] = true
		}
	}
	return slices.Sorted(maps.Keys(found))
}

func (a *adviser) advise(o learn.AdviseOptions, perLabel bool, minutes, errorCost float64) adviceReport {
	items := a.evidences()
	reviewed := 0
	for _, l := range a.routed {
		if l.Reviewed {
			reviewed++
		}
	}
	if perLabel {
		o.Labels = a.labels()
	}
	o.SampleRate = a.last().Rate
	got := learn.Advise(items, o)
	r := adviceReport{
		Policy: a.name, Classifier: a.classifier, Model: a.judge, Since: a.sampled.Format("2006-01-02 15:04"), Risk: o.Risk.String(), Confidence: o.Confidence.String(),
		Now: a.now(), Advised: thresholdsOf(got, o.Labels), Promises: got.Promises, reason: lacks(got.Promises),
		Evidence: hitl.ThresholdEvidence{Items: len(items), LoadBefore: float64(reviewed) / float64(len(items)), LoadAfter: got.Load},
	}
	if a.calibration != nil {
		r.Calibration = a.calibration.Version()
	}
	for _, p := range got.Promises {
		e := &r.Evidence
		e.Sampled, e.Wrong, e.Unanswered, e.Upper = e.Sampled+p.Sampled, e.Wrong+p.Wrong, e.Unanswered+p.Unanswered, max(e.Upper, p.Upper)
		if p.Label != "" {
			e.Labels = append(e.Labels, hitl.LabelPromise{Label: p.Label, Threshold: p.Threshold, Sampled: p.Sampled, Wrong: p.Wrong, Upper: p.Upper})
		}
	}
	for i, pt := range got.Curve {
		if pt.Sampled == 0 || i%4 != 0 && pt.Threshold != r.Advised.Threshold || pt.Threshold < 0.5 && pt.Sampled == got.Curve[i-1].Sampled {
			continue // a table to be read; nothing was seen there, or nothing new
		}
		rate := float64(pt.Wrong) / float64(pt.Sampled)
		r.Evidence.Curve = append(r.Evidence.Curve, hitl.CurvePoint{Threshold: pt.Threshold, Load: pt.Load, Errors: rate, ErrorsLow: pt.Errors.Low, ErrorsTop: pt.Errors.High})
		r.Costs = append(r.Costs, costPoint{
			Threshold: pt.Threshold, Reviews: 1000 * pt.Load * minutes, Errors: 1000 * (1 - pt.Load) * rate * errorCost, ErrorsTop: 1000 * (1 - pt.Load) * pt.Errors.High * errorCost,
		})
	}
	return r
}

// last are the terms of the version that routed last.
func (a *adviser) last() policy.Terms { return a.terms[a.routed[len(a.routed)-1].Policy] }

// now are the thresholds that the latest item was routed by.
func (a *adviser) now() hitl.Thresholds { return a.last().Thresholds }

// thresholdsOf is an advice as a policy takes it.
func thresholdsOf(a learn.Advice, labels []string) hitl.Thresholds {
	if len(labels) == 0 {
		return hitl.Thresholds{Threshold: a.Promises[0].Threshold}
	}
	t := hitl.Thresholds{Threshold: hitl.NoConfidence, Labels: map[string]float64{}}
	for _, p := range a.Promises {
		t.Labels[p.Label] = p.Threshold
	}
	return t
}

func (a *adviser) replay(then func(label string) float64) learn.Replayed {
	was := map[string]float64{}
	for _, l := range a.routed {
		was[l.ItemID] = l.Threshold
	}
	return learn.Replay(a.evidences(), then, func(e learn.Evidence) bool { return e.Confidence >= was[e.ItemID] })
}

// propose makes a proposal of an advice.
func (a *adviser) propose(ctx context.Context, r adviceReport, accept bool, by string) (string, error) {
	change := hitl.ThresholdChange{
		Thresholds: r.Advised, From: a.configured.Thresholds(), Policy: a.configured.Version(), Classifier: a.classifier, Model: a.judge, Calibration: r.Calibration,
		Risk: r.Risk, Confidence: r.Confidence, Since: a.sampled, Until: a.until,
	}
	if _, err := a.configured.With(r.Advised); err != nil {
		return "", err
	}
	return a.evidence.propose(ctx, hitl.ProposeThresholds, a.name, a.cfg.Policies[a.name].Queue, change, r.Evidence, accept, by)
}

// changeOf reads a change of thresholds.
func changeOf(p hitl.Proposal) (c hitl.ThresholdChange, err error) {
	if err := json.Unmarshal(p.Body, &c); err != nil {
		return c, fmt.Errorf("read proposal %s: %w", p.ID, err)
	}
	return c, nil
}
