package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"hitl"
	"hitl/audit"
	"hitl/bot"
	"hitl/classifier"
	"hitl/classifier/learn"
	"hitl/classifier/policy"
	"hitl/config"
)

// trustEvery is how often it is looked for what came into force: a replica may route by what was before for so long.
const trustEvery = 2 * time.Second

// trust is how far this process trusts its models: the policies as configured, with what people accepted since, and the calibrations of
// confidences.
type trust struct {
	cfg    *config.Config
	store  *audit.Store
	logger *slog.Logger

	configured map[string]*policy.Policy
	policies   map[string]*policy.Live
	models     map[string]*liveModel
	opener     *modelOpener

	mu       sync.Mutex
	applied  map[string]string            // what is in force, by kind and name
	retry    map[string]time.Time         // when a change that could not be applied is tried again, by its id
	changes  map[string]*bot.PolicyChange // what is in force, by policy
	kept     map[string]kept              // how the promises in force stand, by policy
	sampling map[string]hitl.SampleChange // rates of sampling in force that the service chose, by policy
	rules    map[string]map[string]string // descriptions, by version of a policy
}

func newTrust(cfg *config.Config, store *audit.Store, logger *slog.Logger, configured map[string]*policy.Policy, models map[string]*liveModel, opener *modelOpener) *trust {
	t := &trust{
		cfg: cfg, store: store, logger: logger, configured: configured,
		policies: map[string]*policy.Live{}, models: models, opener: opener,
		applied: map[string]string{}, retry: map[string]time.Time{}, changes: map[string]*bot.PolicyChange{}, sampling: map[string]hitl.SampleChange{},
		rules: map[string]map[string]string{},
	}
	for name, p := range configured {
		t.policies[name] = policy.NewLive(p)
		t.describe(p)
	}
	return t
}

// Run looks for what came into force until ctx ends. Without Postgres everything stays as it is.
func (t *trust) Run(ctx context.Context) error {
	tick, watch := time.NewTicker(trustEvery), time.NewTicker(watchEvery)
	defer tick.Stop()
	defer watch.Stop()
	for {
		select {
		case <-watch.C:
			if err := t.watch(ctx); err != nil && ctx.Err() == nil {
				t.logger.WarnContext(ctx, "promises could not be held against what reviewers said", "error", err)
			}
			continue
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
		if err := t.refresh(ctx); err != nil && ctx.Err() == nil {
			t.logger.WarnContext(ctx, "could not look for accepted changes; policies stay as they are", "error", err)
		}
	}
}

// refresh applies what is in force. A change that cannot be applied is said and left out.
func (t *trust) refresh(ctx context.Context) error {
	list, err := t.store.InForce(ctx)
	if err != nil {
		return err
	}
	// Calibrations hold for a model, and thresholds for both.
	for _, p := range list {
		if p.Kind == hitl.ProposeModel {
			t.again(ctx, p, func() error { return t.setModel(ctx, p) })
		}
	}
	for _, p := range list {
		if p.Kind == hitl.ProposeCalibration {
			t.once(p, func() error { return t.calibrate(ctx, p) })
		}
	}
	bases := t.bases(ctx, list)
	for _, p := range list {
		if p.Kind != hitl.ProposeThresholds {
			continue
		}
		base := bases[p.Name]
		delete(bases, p.Name)
		if err := t.setThresholds(ctx, p, base); err != nil {
			t.logger.ErrorContext(ctx, "an accepted change of thresholds cannot be applied", "proposal", p.ID, "policy", p.Name, "error", err)
		}
	}
	var errs []error
	for name, base := range bases {
		errs = append(errs, t.route(ctx, name, base))
	}
	return errors.Join(errs...)
}

// once applies a proposal that this process has not applied yet to the model that runs.
func (t *trust) once(p hitl.Proposal, apply func() error) {
	key, what := string(p.Kind)+" "+p.Name, p.ID
	if m := t.models[p.Name]; m != nil {
		what += " " + m.Version()
	}
	if t.applied[key] == what {
		return
	}
	t.applied[key] = what // also when it fails: it would again
	if err := apply(); err != nil {
		t.logger.Error("an accepted change cannot be applied", "proposal", p.ID, "kind", p.Kind, "name", p.Name, "error", err)
	}
}

// retryEvery is how often a change is tried again that could not be applied for want of something outside: a registry that does not answer.
const retryEvery = time.Minute

// again applies a proposal, which is nothing where it is applied, and after a failure waits a while.
func (t *trust) again(ctx context.Context, p hitl.Proposal, apply func() error) {
	if time.Now().Before(t.retry[p.ID]) {
		return
	}
	if err := apply(); err != nil && ctx.Err() == nil {
		t.retry[p.ID] = time.Now().Add(retryEvery)
		t.logger.ErrorContext(ctx, "an accepted change cannot be applied; everything stays as it is", "proposal", p.ID, "kind", p.Kind, "name", p.Name, "error", err)
	}
}

// setModel has a classifier run the model of an accepted change, or the configured one where that is void.
func (t *trust) setModel(ctx context.Context, p hitl.Proposal) error {
	m, ok := t.models[p.Name]
	if !ok {
		return nil // the classifier is not configured any more
	}
	c, err := modelChangeOf(p)
	if err != nil {
		return err
	}
	configured := t.cfg.Classifiers[p.Name]
	version := c.Resolve(configured.Model)
	if _, now := m.now(); now == version {
		return nil
	}
	var next *classifier.Classifier
	if version != "" {
		next, err = t.opener.promoted(ctx, p.Name, version)
	} else {
		next, err = t.opener.configured(ctx, p.Name, io.Discard)
	}
	if err != nil {
		return err
	}
	if err := t.fits(ctx, p.Name, m.small, next); err != nil {
		if next != nil {
			err = errors.Join(err, next.Close())
		}
		return err
	}
	if err := m.replace(next, version, configured.Labels); err != nil {
		t.logger.ErrorContext(ctx, "close the model before", "classifier", p.Name, "error", err)
	}
	t.logger.InfoContext(ctx, "classifier has another model", "classifier", p.Name, "proposal", p.ID, "by", p.DecidedBy, "model", m.describe(configured.Model), "version", m.Version())
	return nil
}

// fits keeps the facts of a model that is to run, unless policies name labels that it has not, or the small model of a cascade has others.
func (t *trust) fits(ctx context.Context, name string, small *smallModel, next *classifier.Classifier) error {
	m, err := newLiveModel(small, next, "", t.cfg.Classifiers[name].Labels)
	if err != nil {
		return err
	}
	for _, policy := range policiesOf(t.cfg, name) {
		if err := t.configured[policy].CheckLabels(m.Labels()); err != nil {
			return err
		}
	}
	return t.store.SaveModel(ctx, audit.ModelVersion{Version: m.Version(), Classifier: name, Labels: m.Labels(), Engine: m.engine()})
}

// setThresholds has a policy route by an accepted change, as far as it holds for what runs here. What else routes is that of base, or of the configured policy where
// it is nil.
func (t *trust) setThresholds(ctx context.Context, p hitl.Proposal, base *policy.Policy) error {
	configured, ok := t.configured[p.Name]
	if !ok {
		return nil // the policy is not configured any more
	}
	if base == nil {
		base = configured
	}
	c, err := changeOf(p)
	if err != nil {
		return err
	}
	model, calibration := t.judge(p.Name, c.Classifier)
	thresholds, standing := c.Resolve(configured.Thresholds(), configured.Version(), model, calibration)
	next, err := base.With(thresholds)
	if err != nil {
		return err
	}
	t.note(p, c, standing)
	return t.route(ctx, p.Name, next,
		slog.String("proposal", p.ID), slog.String("by", p.DecidedBy), slog.String("standing", string(standing)), slog.Float64("threshold", thresholds.Threshold))
}

// judge returns the name of what judges a policy's items, a model by its version or a cascade, and the version of the calibration: those of the classifier, if it is
// the only one of the policy, else none.
func (t *trust) judge(name, classifier string) (model, calibration string) {
	if only, ok := classifierOf(t.cfg, name); !ok || only != classifier || t.models[classifier] == nil {
		return "", ""
	}
	m := t.models[classifier]
	return m.Judge(), m.Calibration()
}

// classifierOf returns the classifier of the sources that a policy is for; false: there are none, or several classifiers.
func classifierOf(cfg *config.Config, policy string) (string, bool) {
	found := map[string]bool{}
	for _, s := range cfg.Sources {
		if s.Policy == policy {
			found[s.Classifier] = true
		}
	}
	if len(found) != 1 {
		return "", false
	}
	return slices.Collect(maps.Keys(found))[0], true
}

// calibrate has a classifier's confidences made by an accepted calibration, if it was fitted for the model that runs here.
func (t *trust) calibrate(ctx context.Context, p hitl.Proposal) error {
	m, ok := t.models[p.Name]
	if !ok {
		return nil // the classifier is not configured any more
	}
	var c hitl.CalibrationChange
	if err := json.Unmarshal(p.Body, &c); err != nil {
		return fmt.Errorf("read change: %w", err)
	}
	next, err := calibrationOf(c, m.Version())
	if err != nil {
		return err
	}
	if next == nil {
		m.SetCalibration(nil)
	} else {
		m.SetCalibration(next)
	}
	t.logger.InfoContext(ctx, "classifier has another calibration", "classifier", p.Name, "proposal", p.ID, "by", p.DecidedBy, "version", m.Calibration())
	return nil
}

// calibrationOf returns the calibration of a change for a model; nil: none, or one of another model.
func calibrationOf(c hitl.CalibrationChange, model string) (*learn.Calibration, error) {
	if c.Model != model || len(c.Calibration) == 0 || string(c.Calibration) == "null" {
		return nil, nil //nolint:nilnil // nil is no calibration
	}
	return learn.ParseCalibration(c.Calibration)
}

// note keeps what people are told of a policy's thresholds.
func (t *trust) note(p hitl.Proposal, c hitl.ThresholdChange, standing hitl.Standing) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if standing == hitl.StandingOff {
		delete(t.changes, p.Name)
		return
	}
	t.changes[p.Name] = &bot.PolicyChange{By: p.DecidedBy, At: p.DecidedAt, Risk: c.Risk, Confidence: c.Confidence, Standing: standing}
}

// describe keeps what a policy's rules are for, by its version.
func (t *trust) describe(p *policy.Policy) {
	t.mu.Lock()
	defer t.mu.Unlock()
	rules := map[string]string{}
	for _, r := range t.cfg.Policies[p.Name()].Rules {
		rules[r.Name] = r.Description
	}
	t.rules[p.Version()] = rules
}

// Rules returns why each rule of a policy's version sends items to a person.
func (t *trust) Rules(version string) map[string]string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.rules[version]
}

// Policies are what decides on the items of each source now, for people to read.
func (t *trust) Policies() map[string]bot.Policy {
	t.mu.Lock()
	defer t.mu.Unlock()
	out := map[string]bot.Policy{}
	for name, s := range t.cfg.Sources {
		p, now := t.cfg.Policies[s.Policy], t.policies[s.Policy].Now()
		thresholds := now.Thresholds()
		words := bot.Policy{
			Name: s.Policy, Version: now.Version(), Classifier: s.Classifier, Threshold: thresholds.Threshold, LabelThresholds: thresholds.Labels,
			AlwaysReview: p.AlwaysReview, SampleRate: now.Sampled(), Queue: p.Queue, Change: t.changes[s.Policy],
		}
		if c, ok := t.sampling[s.Policy]; ok {
			words.Sampling = &c
		}
		for _, r := range p.Rules {
			words.Rules = append(words.Rules, bot.PolicyRule(r))
		}
		out[name] = words
	}
	return out
}
