package main

import (
	"context"
	"fmt"
	"io"

	"hitl"
	"hitl/classifier"
	"hitl/config"
)

// smallModel is the small model of a classifier's cascade, and the threshold from which on its answers stand. It is opened once, and stays when the large model is
// replaced. A nil one is no cascade.
type smallModel struct {
	*classifier.Classifier
	configured string
	threshold  float64
	answered   func(classifier.Stage)
}

// smallName is how metrics call the small model of a classifier; no classifier has such a name.
func smallName(classifier string) string { return classifier + "/small" }

// smallOptions are those of the small model before a large one with these options.
func smallOptions(large classifier.Options, cascade *config.Cascade) classifier.Options {
	large.Model, large.Network = cascade.Model, cascade.Network
	return large
}

// small opens the small model of a classifier; nil: it has no cascade. A text that killed a process in it is the large model's from then on.
func (o *modelOpener) small(ctx context.Context, name string, progress io.Writer) (*smallModel, error) {
	cascade := o.cfg.Classifiers[name].Cascade
	if cascade == nil {
		return nil, nil //nolint:nilnil // nil is no cascade
	}
	opts := smallOptions(classifierOptions(o.cfg, name, o.logger, progress), cascade)
	opts.Observer, opts.Attempts, opts.MaxAttempts = o.metrics.classifier(smallName(name)), o.store.Attempts(), 1
	c, err := classifier.Open(ctx, opts)
	if err != nil {
		return nil, fmt.Errorf("cascade: %w", err)
	}
	return &smallModel{Classifier: c, configured: cascade.Model, threshold: cascade.Threshold, answered: o.metrics.cascade(name)}, nil
}

// before returns what judges where c is the large model. There is no cascade without a small one, or before nothing.
func (s *smallModel) before(c *classifier.Classifier, labels []string) (hitl.Classifier, error) {
	switch {
	case c == nil:
		return classifier.NewUntrained(labels), nil
	case s == nil:
		return c, nil
	}
	return classifier.NewCascade(s.Classifier, c, s.threshold, s.answered)
}

// String says what the small model is, and on what it runs.
func (s *smallModel) String() string {
	return fmt.Sprintf("%s on %s from %v on", s.configured, s.Engine(), s.threshold)
}
