package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"hitl"
	"hitl/audit"
	"hitl/classifier/learn"
)

const (
	// trainFrom is how many answers of people it takes before a model is trained by itself: below, what is held out says next to nothing.
	trainFrom = 100
	// trainMost bounds what a model is trained from by itself, to the latest: a run must end before its lease does.
	trainMost = 20000
	// trainWindow is how far back it looks.
	trainWindow = 365 * 24 * time.Hour
)

// trainTasks train models where the configuration wants it done from time to time, each on one replica.
func (s *service) trainTasks() []audit.Periodic {
	var tasks []audit.Periodic
	for _, name := range slices.Sorted(maps.Keys(s.cfg.Classifiers)) {
		if every := s.cfg.Classifiers[name].TrainEvery; every > 0 {
			tasks = append(tasks, audit.Periodic{Name: "train_" + name, Every: every, Run: func(ctx context.Context) error { return s.train(ctx, name) }})
		}
	}
	return tasks
}

// train makes a model of what reviewers answered, and proposes it to the owners if it is worth it. audit.ErrTooEarly: there are too few answers yet.
func (s *service) train(ctx context.Context, name string) (err error) {
	source := exampleLog{s.store, name, time.Now().UTC().Add(-trainWindow)}
	examples, err := source.examples(ctx)
	if errors.Is(err, errNoExamples) || err == nil && len(examples) < trainFrom {
		return audit.ErrTooEarly
	}
	if err != nil {
		return err
	}
	m := models{cfg: s.cfg, store: s.store, registry: s.opener.registry, name: name}
	latest := slices.MaxFunc(examples, func(a, b labelledText) int { return a.At.Compare(b.At) }).At
	if known, err := m.known(ctx, latest); err != nil || known {
		return err
	}
	examples = examples[max(0, len(examples)-trainMost):]
	dir, err := os.MkdirTemp("", "hitl-train-")
	if err != nil {
		return fmt.Errorf("train model: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	learned, judged := holdOut(examples)
	t := training{
		base: s.cfg.Classifiers[name].TrainBase, out: filepath.Join(dir, "model"), source: source.String(), seed: 1, minExamples: defaultMinExamples,
		progress: io.Discard, log: s.logger,
	}
	card, err := t.run(ctx, learned, judged)
	if err != nil {
		return fmt.Errorf("train model: %w", err)
	}
	if !card.worth() {
		s.logger.InfoContext(ctx, "a model was trained and is not shown to be better", "classifier", name, "held_out", card.heldOut(), "compared", card.compared())
		return nil
	}
	added, _, err := m.registry.Add(ctx, name, t.out, "system")
	if err != nil {
		return err
	}
	_, err = m.propose(ctx, added, false, "system")
	return err
}

// known says whether a model was proposed, or rolled back from, that knew all that is known now.
func (m models) known(ctx context.Context, latest time.Time) (bool, error) {
	all, err := m.store.Proposals(ctx, m.name)
	for _, p := range all {
		var e hitl.ModelEvidence
		if p.Kind == hitl.ProposeModel && json.Unmarshal(p.Evidence, &e) == nil && !e.Until.Before(latest) {
			return true, err
		}
	}
	return false, err
}

// worth says whether people shall be asked about a model: it is better than what runs, beyond chance; or, where nothing runs, than always the commonest label.
func (c modelCard) worth() bool {
	switch {
	case c.Comparison != nil:
		return c.Comparison.Verdict == learn.Better
	case c.HeldOut != nil:
		return c.HeldOut.Low > c.Baseline
	}
	return false
}
