package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"hitl"
	"hitl/audit"
	"hitl/classifier/learn"
	"hitl/config"
)

// evidence is what the record holds of one classifier: what its present model, or both of its present cascade, said of the items of a period, and what people answered.
type evidence struct {
	cfg   *config.Config
	store *audit.Store

	classifier   string
	judge        string             // what judged the latest item: a model, by version, or a cascade
	model        string             // version: that model, or the large one of the cascade
	calibration  *learn.Calibration // in force for that model; nil: none
	since, until time.Time
	items        []hitl.Labelled // of that judge, oldest first
	others       int             // items of others, which say nothing of this one
}

// openEvidence reads it. The classifier may be left out where there is one. The caller closes the store.
func (p program) openEvidence(ctx context.Context, global *cli, classifier string, since ago) (_ *evidence, err error) {
	cfg, store, err := p.openStore(ctx, global)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			store.Close()
		}
	}()
	if classifier, err = oneClassifier(cfg, classifier); err != nil {
		return nil, err
	}
	return newEvidence(ctx, cfg, store, classifier, time.Duration(since))
}

// newEvidence reads what the record holds of a classifier.
func newEvidence(ctx context.Context, cfg *config.Config, store *audit.Store, classifier string, window time.Duration) (*evidence, error) {
	e := &evidence{cfg: cfg, store: store, classifier: classifier, until: time.Now().UTC()}
	e.since = e.until.Add(-window)
	return e, e.read(ctx)
}

func (e *evidence) read(ctx context.Context) error {
	var all []hitl.Labelled
	err := e.store.Labelled(ctx, hitl.LabelledQuery{Classifier: e.classifier, Since: e.since, Until: e.until}, func(l hitl.Labelled) error {
		all = append(all, l)
		return nil
	})
	if err != nil {
		return err
	}
	if len(all) == 0 {
		return fmt.Errorf("classifier %q has no items since %s; --since reaches further back", e.classifier, e.since.Format("2006-01-02 15:04"))
	}
	e.judge, e.model = all[len(all)-1].Judge(), all[len(all)-1].LargeModel()
	for _, l := range all {
		if l.Judge() == e.judge {
			e.items = append(e.items, l)
		}
	}
	e.others = len(all) - len(e.items)
	return e.readCalibration(ctx)
}

func (e *evidence) readCalibration(ctx context.Context) error {
	force, err := e.store.InForce(ctx)
	if err != nil {
		return err
	}
	for _, p := range force {
		if p.Kind != hitl.ProposeCalibration || p.Name != e.classifier {
			continue
		}
		var c hitl.CalibrationChange
		if err := json.Unmarshal(p.Body, &c); err != nil {
			return fmt.Errorf("read proposal %s: %w", p.ID, err)
		}
		if e.calibration, err = calibrationOf(c, e.model); err != nil {
			return fmt.Errorf("read proposal %s: %w", p.ID, err)
		}
	}
	return nil
}

// propose commits a proposal and, with accept, accepts it at once. It returns its id.
func (e *evidence) propose(ctx context.Context, kind hitl.ProposalKind, name, queue string, body, why any, accept bool, by string) (string, error) {
	return putForward(ctx, e.store, kind, name, queue, body, why, accept, by)
}

// putForward commits a proposal and, with accept, accepts it at once. It returns its id.
func putForward(ctx context.Context, store *audit.Store, kind hitl.ProposalKind, name, queue string, body, why any, accept bool, by string) (string, error) {
	p, err := newProposal(kind, name, body, why, by)
	if err != nil {
		return "", err
	}
	if !accept {
		p.Queue = queue
	}
	if err := store.Propose(ctx, p); err != nil {
		return "", err
	}
	if accept {
		if _, _, err := store.Answer(ctx, p.ID, true, by, time.Now()); err != nil {
			return "", err
		}
	}
	return p.ID, nil
}

// policies returns the names of the policies that judge what the classifier says, sorted.
func (e *evidence) policies() []string { return policiesOf(e.cfg, e.classifier) }

// policiesOf returns the names of the policies that judge what a classifier says, sorted.
func policiesOf(cfg *config.Config, classifier string) []string {
	found := map[string]bool{}
	for _, s := range cfg.Sources {
		if s.Classifier == classifier {
			found[s.Policy] = true
		}
	}
	return slices.Sorted(maps.Keys(found))
}
