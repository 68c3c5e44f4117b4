package main

import (
	"context"
	"math"
	"slices"
	"strconv"
	"time"

	"hitl"
	"hitl/classifier/learn"
	"hitl/config"
)

const (
	// certifier is who proposes and accepts a rate of sampling: the configuration lets the service do so.
	certifier = "policy/certify"
	// certifyFrom is how long items must have come before it is said how many do.
	certifyFrom = 24 * time.Hour
	// material is by what factor a rate must change to be changed.
	material = 1.25
	// toAnswer is the part of the time that is left to those who answer what was drawn last.
	toAnswer = 0.1
)

// chooseRate has a policy sample as much as it takes to certify its guarantee by its day, and little once that much was drawn. It counts items and looks at no
// answer: see learn.Certify. A model, a calibration or a policy that is new makes the time begin anew.
func (s *service) chooseRate(ctx context.Context, name string, want config.Certify) error {
	g := s.cfg.Policies[name].Guarantee
	o, err := guaranteeOptions(g.Risk, g.Confidence)
	if err != nil {
		return err
	}
	// What is complete is known from the items of a day; all of the evidence takes longer to read.
	a, err := s.adviserOf(ctx, name, 24*time.Hour)
	if a == nil || err != nil {
		return err
	}
	last, err := lastSample(ctx, s.store, name)
	if err != nil {
		return err
	}
	present := a.configured.Sampled()
	if last != nil {
		present, _ = last.Resolve(present, sampleLimits(s.cfg.Policies[name]))
	}
	next, err := sampleAim(s.cfg, a.configured)
	if err != nil {
		return err
	}
	next.Model = a.judge
	if a.calibration != nil {
		next.Calibration = a.calibration.Version()
	}
	begins := last == nil || !last.SameAim(next)
	switch {
	case begins:
		next.Since = a.until.Truncate(time.Second)
		next.Until = next.Since.Add(want.Within)
	case last.Off || last.Complete:
		return nil
	default:
		next.Rate, next.Since, next.Until = present, last.Since, last.Until
	}
	if a, err = s.adviserOf(ctx, name, g.Window); a == nil || err != nil {
		return err
	}
	left := next.Until.Sub(a.until) - time.Duration(toAnswer*float64(want.Within))
	stocks, counted := a.stocks(g.PerLabel)
	why := hitl.SampleEvidence{Present: present, Days: left.Hours() / 24}
	if counted >= certifyFrom && len(stocks) > 0 {
		course := learn.Certify(stocks, learn.CertifyOptions{
			Risk: o.Risk, Confidence: o.Confidence, Together: len(a.promised(g.PerLabel)), Days: why.Days, Min: want.MinRate, Max: want.MaxRate,
		})
		next.Rate, next.Complete = rounded(course.Rate, want), course.Complete
		why.Reviews, why.Sampled = course.Reviews, course.Sampled
		if course.Late {
			why.Late, why.ByThen = true, course.Risk
			if err := s.tellLate(ctx, name, a.until, next, course, want); err != nil {
				return err
			}
		}
	}
	if !begins && !next.Complete && !isMaterial(present, next.Rate, want) {
		return nil
	}
	return a.proposeRate(ctx, next, why)
}

// isMaterial says whether a rate is to be replaced by another.
func isMaterial(present, next float64, want config.Certify) bool {
	if present == next {
		return false
	}
	return next == want.MinRate || next == want.MaxRate || max(present, next) >= material*min(present, next)
}

// rounded writes a rate in three digits, upwards.
func rounded(rate float64, want config.Certify) float64 {
	unit := math.Pow(10, math.Floor(math.Log10(rate))-2)
	out, err := strconv.ParseFloat(strconv.FormatFloat(math.Ceil(rate/unit-1e-9)*unit, 'g', 3, 64), 64)
	if err != nil {
		return rate
	}
	return min(max(out, want.MinRate), want.MaxRate)
}

// adviserOf reads the evidence of a period on a policy; nil: there is none yet.
func (s *service) adviserOf(ctx context.Context, name string, window time.Duration) (*adviser, error) {
	only, ok := classifierOf(s.cfg, name)
	if !ok {
		return nil, nil //nolint:nilnil // hitl advise says why
	}
	e, err := newEvidence(ctx, s.cfg, s.store, only, window)
	var a *adviser
	if err == nil {
		a, err = newAdviser(ctx, e, name)
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		s.logger.DebugContext(ctx, "there is no evidence on a policy yet", "policy", name, "reason", err)
		return nil, nil //nolint:nilnil // nil is none yet
	}
	return a, nil
}

// promised are the labels that are promised something each; one that is empty: all together.
func (a *adviser) promised(perLabel bool) []string {
	if perLabel {
		return a.labels()
	}
	return []string{""}
}

// stocks are what there is for each promise at the thresholds in force, or at the configured ones where nothing is accepted, and over what time it was counted how
// many come. Labels of which nothing is accepted either way have none.
func (a *adviser) stocks(perLabel bool) (out []learn.Stock, counted time.Duration) {
	threshold := func(label string) float64 {
		if t := a.now().For(label); t != hitl.NoConfidence {
			return t
		}
		return a.configured.Thresholds().For(label)
	}
	items := a.evidences()
	for _, label := range a.promised(perLabel) {
		at := threshold
		if label != "" {
			if threshold(label) == hitl.NoConfidence || !slices.ContainsFunc(items, func(e learn.Evidence) bool { return !e.Other && e.Label == label }) {
				continue
			}
			at = only(label, threshold(label))
		}
		s := learn.Stock{Label: label, Sampled: learn.SampledAbove(items, at)}
		s.PerDay, counted = a.pace(at)
		out = append(out, s)
	}
	return out, counted
}

// proposeRate puts a rate in force.
func (a *adviser) proposeRate(ctx context.Context, c hitl.SampleChange, why hitl.SampleEvidence) error {
	if _, err := a.configured.Sampling(c.Rate); err != nil {
		return err
	}
	_, err := a.evidence.propose(ctx, hitl.ProposeSample, a.name, "", c, why, true, certifier)
	return err
}

// tellLate tells the owners, once for each day, that the highest rate does not suffice by then.
func (s *service) tellLate(ctx context.Context, name string, now time.Time, c hitl.SampleChange, course learn.Course, want config.Certify) error {
	data := map[string]string{
		"policy": name, "label": course.Label, "risk": c.Risk, "confidence": c.Confidence, "until": c.Until.Format(time.RFC3339),
		"rate": strconv.FormatFloat(want.MaxRate, 'f', -1, 64),
	}
	if days := course.Days; days < 3650 {
		at := now.Add(time.Duration(days * 24 * float64(time.Hour))).Add(time.Duration(toAnswer * float64(want.Within)))
		data["at"] = at.Format(time.RFC3339)
	}
	if course.Risk < 0.5 {
		data["by_then"] = strconv.FormatFloat(math.Ceil(course.Risk*10_000)/10_000, 'f', -1, 64)
	}
	return s.store.AddNotices(ctx, hitl.Notice{
		ID: "ntc_certify_" + name + "_" + c.Until.Format("20060102T150405"), Kind: hitl.NoticeCertifyLate, Queue: s.cfg.Policies[name].Queue, Data: data,
	})
}
