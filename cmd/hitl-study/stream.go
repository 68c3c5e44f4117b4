package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"hitl"
	"hitl/classifier/learn"
	"hitl/classifier/policy"
)

// fixedThreshold is what the promise is compared with: policy's default, on the model's own confidence.
const fixedThreshold = policy.DefaultThreshold

// settings are the same for all streams.
type settings struct {
	every            int // clicks
	risk, confidence learn.Share
	sample           float64
}

// deployed is what judges items.
type deployed struct {
	model       model
	calibration *learn.Calibration // nil: none
	threshold   float64
}

// judge returns the label of a text and the confidence that the policy compares.
func (d deployed) judge(t *text) (label string, confidence float64) {
	scores := d.model(t)
	confidence = scores[0].Probability
	if d.calibration != nil {
		confidence = d.calibration.Apply(scores)
	}
	return scores[0].Label, confidence
}

// stream is one run of items through one method.
type stream struct {
	settings
	key      []byte // of the sample
	fixed    bool   // the fixed threshold, instead of advice
	fromZero bool
	judged   []*text // what figures are taken on

	policy      *policy.Policy
	now         *deployed // nil: all is reviewed
	latest      *taught
	fitted      int                // answers that latest was fitted to
	calibration *learn.Calibration // of latest
	items       []*item
	came        counted
	history     []figures

	watched, watchedWrong int // sampled reviews under the promise in force
}

// counted is what became of the items of a stream.
type counted struct{ items, clicks, accepted, wrong int }

// run lets texts come in, in this order. Their ids begin with name.
func (s *stream) run(ctx context.Context, name string, texts []*text) error {
	var err error
	s.policy, err = policy.New(policy.Spec{Name: "study", Queue: "study", Sample: policy.Sample{Rate: s.sample, Key: s.key}})
	if err != nil {
		return err
	}
	if !s.fromZero {
		s.latest = &taught{model: given}
		if s.fixed {
			s.now = &deployed{model: given, threshold: fixedThreshold}
		}
	}
	for i, t := range texts {
		before := s.came.clicks
		s.take(&item{text: t, id: fmt.Sprintf("%s/%d", name, i)})
		if s.came.clicks > before && s.came.clicks%s.every == 0 {
			if err := s.learn(ctx); err != nil {
				return err
			}
			s.history = append(s.history, s.figures())
		}
	}
	s.history = append(s.history, s.figures())
	return nil
}

// take routes an item and has people answer it where they are asked.
func (s *stream) take(it *item) {
	prediction, failure := hitl.Prediction{}, hitl.ErrModel // without a model people see everything
	if s.now != nil {
		label, confidence := s.now.judge(it.text)
		prediction, failure = hitl.Prediction{Label: label, Confidence: confidence}, nil
	}
	route := s.policy.Route(hitl.Item{ID: it.id}, prediction, failure)
	it.inclusion, it.reviewed = route.Inclusion, route.Status == hitl.HumanReview
	s.items = append(s.items, it)
	s.came.items++
	wrong := prediction.Label != it.truth
	if !it.reviewed {
		s.came.accepted++
		if wrong {
			s.came.wrong++
		}
		return
	}
	s.came.clicks++
	if it.inclusion < 1 {
		s.watched++
		if wrong {
			s.watchedWrong++
		}
	}
}

// fits says whether an item is for fitting. The others, the held-out ones among them, are evidence for promises. With the fixed threshold there are none.
func (s *stream) fits(it *item) bool { return s.fixed || learn.Fold(it.id) >= 2 }

// learn makes of all answers so far what is in force next.
func (s *stream) learn(ctx context.Context) error {
	var fitting []*item
	for _, it := range s.items {
		if it.reviewed && s.fits(it) {
			fitting = append(fitting, it)
		}
	}
	if s.fromZero && 2*len(fitting) >= 3*s.fitted {
		t, err := fitModel(ctx, fitting, !s.fixed)
		if err != nil {
			return err
		}
		if t != nil {
			s.latest, s.fitted = t, len(fitting)
		}
	}
	if s.latest == nil {
		return nil
	}
	if s.fixed {
		return s.deploy(deployed{model: s.latest.model, threshold: fixedThreshold})
	}
	if s.now != nil && learn.LowerAlways(s.watchedWrong, s.watched, 1-s.confidence.Float()) > s.risk.Float() {
		s.now = nil // what was sampled contradicts the promise: people see everything until there is another
	}
	s.calibration = s.calibrate(fitting)
	candidate := deployed{model: s.latest.model, calibration: s.calibration}
	advice := learn.Advise(s.evidence(candidate), learn.AdviseOptions{Risk: s.risk, Confidence: s.confidence, SampleRate: s.sample})
	if p := advice.Promises[0]; p.Found {
		candidate.threshold = p.Threshold
		return s.deploy(candidate)
	}
	return nil
}

// calibrate fits a calibration to the latest model's answers on what it was not fitted to; nil while they are too few.
func (s *stream) calibrate(fitting []*item) *learn.Calibration {
	answers := slices.Clone(s.latest.answers) // which the model keeps
	for _, it := range fitting[s.fitted:] {
		answers = append(answers, it.answer(s.latest.model))
	}
	c, err := learn.Fit(answers, learn.FitOptions{})
	if few := (*learn.TooFewError)(nil); errors.As(err, &few) {
		return nil
	}
	return c
}

// evidence is what the items that nothing was fitted to say of a candidate.
func (s *stream) evidence(d deployed) []learn.Evidence {
	var out []learn.Evidence
	for _, it := range s.items {
		if s.fits(it) {
			continue
		}
		label, confidence := d.judge(it.text)
		out = append(out, learn.Evidence{
			ItemID: it.id, Label: label, Confidence: confidence, Inclusion: it.inclusion, Rate: s.sample, Reviewed: it.reviewed, Answered: it.reviewed, Correct: label == it.truth,
		})
	}
	return out
}

// deploy puts d in force. A promise that was renewed is watched anew.
func (s *stream) deploy(d deployed) (err error) {
	s.policy, err = s.policy.With(hitl.Thresholds{Threshold: d.threshold})
	s.now, s.watched, s.watchedWrong = &d, 0, 0
	return err
}

// figures are what is known of a stream after so many clicks.
type figures struct {
	counted
	inForce         bool    // something is accepted at once
	automation      float64 // share of items accepted at once, from now on
	share           float64 // of them over the threshold
	over, wrongOver int     // judged texts over the threshold
	calibration     float64 // expected calibration error of the latest model, as its method gives confidences; -1 without a model
}

// figures judges what is in force now.
func (s *stream) figures() figures {
	f := figures{counted: s.came, calibration: -1}
	if s.now != nil {
		f.inForce = true
		for _, t := range s.judged {
			if label, confidence := s.now.judge(t); confidence >= s.now.threshold {
				f.over++
				if label != t.truth {
					f.wrongOver++
				}
			}
		}
		f.share = float64(f.over) / float64(len(s.judged))
		f.automation = (1 - s.sample) * f.share
	}
	if s.latest != nil {
		d := deployed{model: s.latest.model}
		if !s.fixed {
			d.calibration = s.calibration
		}
		judged := make([]learn.Judged, len(s.judged))
		for i, t := range s.judged {
			label, confidence := d.judge(t)
			judged[i] = learn.Judged{Confidence: confidence, Right: label == t.truth, Weight: 1}
		}
		f.calibration = learn.Measure(judged).Error
	}
	return f
}

// trueError is the error rate among what is accepted; known says whether anything is.
func (f figures) trueError() (rate float64, known bool) {
	if f.over == 0 {
		return 0, false
	}
	return float64(f.wrongOver) / float64(f.over), true
}
