package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"hitl"
	"hitl/classifier/learn"
)

const (
	// watchEvery is how often promises are held against what reviewers said.
	watchEvery = time.Minute
	// adviseEvery is how often it is looked whether an advice or a calibration is due.
	adviseEvery = time.Hour
)

// kept is how a promise stands.
type kept struct {
	risk     float64
	answered int // of the sample of what was accepted since
	wrong    int
	lower    float64 // bound of the error rate, at all times together
}

func (k kept) broken() bool { return k.lower > k.risk }

// watch holds every promise that is in force in full against what reviewers said since. One that is contradicted is told to the owners of the queue, once,
// and, if the policy wants it, its thresholds are replaced. Every replica does so: notices and proposals are named after the promise.
func (t *trust) watch(ctx context.Context) error {
	force, err := t.store.InForce(ctx)
	if err != nil {
		return err
	}
	found := map[string]kept{}
	var errs []error
	for _, p := range force {
		live, ok := t.policies[p.Name]
		if p.Kind != hitl.ProposeThresholds || !ok {
			continue
		}
		c, err := changeOf(p)
		if err != nil || c.Risk == "" || c.Off {
			errs = append(errs, err)
			continue
		}
		risk, err := learn.ParseShare(c.Risk)
		confidence, err2 := learn.ParseShare(c.Confidence)
		if err := errors.Join(err, err2); err != nil {
			errs = append(errs, fmt.Errorf("proposal %s: %w", p.ID, err))
			continue
		}
		versions, err := t.sameButRate(ctx, live.Now())
		if err != nil {
			return err
		}
		checked, err := t.store.Checked(ctx, versions, p.DecidedAt)
		if err != nil {
			return err
		}
		k := kept{risk: risk.Float(), answered: checked.Answered, wrong: checked.Wrong, lower: learn.LowerAlways(checked.Wrong, checked.Answered, 1-confidence.Float())}
		found[p.Name] = k
		if k.broken() {
			errs = append(errs, t.broken(ctx, p, c, k))
		}
	}
	t.mu.Lock()
	t.kept = found
	t.mu.Unlock()
	return errors.Join(errs...)
}

// promises are how the promises of policies stand, as this replica saw it last.
func (t *trust) promises() map[string]kept {
	t.mu.Lock()
	defer t.mu.Unlock()
	return maps.Clone(t.kept)
}

// broken tells the owners of a promise that does not hold, and restores what was safe before if they have asked for that.
func (t *trust) broken(ctx context.Context, p hitl.Proposal, c hitl.ThresholdChange, k kept) error {
	cfg := t.cfg.Policies[p.Name]
	restored := cfg.Guarantee.WhenBroken == "restore"
	if restored {
		if err := t.restore(ctx, p, c); err != nil {
			return err
		}
	}
	return t.store.AddNotices(ctx, hitl.Notice{
		ID: "ntc_broken_" + p.ID, Kind: hitl.NoticeBroken, Queue: cfg.Queue, Data: map[string]string{
			"policy": p.Name, "proposal": p.ID, "n": strconv.Itoa(k.answered), "wrong": strconv.Itoa(k.wrong), "lower": strconv.FormatFloat(k.lower, 'f', 6, 64),
			"risk": c.Risk, "restored": strconv.FormatBool(restored),
		},
	})
}

// restore puts the last thresholds in force that accept no item that the broken ones would not: among those accepted before, then the configured ones. If there are
// none, a person sees everything.
func (t *trust) restore(ctx context.Context, p hitl.Proposal, c hitl.ThresholdChange) error {
	configured := t.configured[p.Name]
	safe := hitl.Thresholds{Threshold: hitl.NoConfidence}
	before, err := t.store.Proposals(ctx, p.Name)
	if err != nil {
		return err
	}
	candidates := []hitl.Thresholds{}
	slices.SortFunc(before, func(a, b hitl.Proposal) int { return b.DecidedAt.Compare(a.DecidedAt) })
	for _, b := range before {
		if b.Kind != hitl.ProposeThresholds || b.State != hitl.ProposalAccepted || !b.DecidedAt.Before(p.DecidedAt) {
			continue
		}
		if old, err := changeOf(b); err == nil && !old.Off {
			candidates = append(candidates, old.Thresholds)
		}
	}
	for _, candidate := range append(candidates, configured.Thresholds()) {
		if candidate.StricterThan(c.Thresholds) {
			safe = candidate
			break
		}
	}
	model, calibration := t.judge(p.Name, c.Classifier)
	next, err := newProposal(hitl.ProposeThresholds, p.Name, hitl.ThresholdChange{
		Thresholds: safe, From: configured.Thresholds(), Policy: configured.Version(), Classifier: c.Classifier, Model: model, Calibration: calibration,
	}, hitl.ThresholdEvidence{}, "system")
	if err != nil {
		return err
	}
	next.ID = "prp_restore_" + p.ID // whichever replica is first
	if _, err := t.store.Proposal(ctx, next.ID); errors.Is(err, hitl.ErrNotFound) {
		err = t.store.Propose(ctx, next)
		if err != nil {
			return err
		}
	}
	_, fresh, err := t.store.Answer(ctx, next.ID, true, "system", time.Now())
	if fresh {
		t.logger.WarnContext(ctx, "a promise is broken: stricter thresholds hold", "policy", p.Name, "proposal", p.ID, "threshold", safe.Threshold)
	}
	return err
}

// adviseDue looks for thresholds and calibrations where the configuration wants it done from time to time, and proposes what is new; rates of sampling it chooses.
func (s *service) adviseDue(ctx context.Context) error {
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(s.cfg.Classifiers)) {
		if every := s.cfg.Classifiers[name].CalibrateEvery; every > 0 {
			errs = append(errs, s.calibrateIfDue(ctx, name, every))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.cfg.Policies)) {
		if every := s.cfg.Policies[name].Guarantee.AdviseEvery; every > 0 {
			errs = append(errs, s.adviseIfDue(ctx, name, every))
		}
		if c := s.cfg.Policies[name].Sample.Certify; c != nil {
			errs = append(errs, s.chooseRate(ctx, name, *c))
		}
	}
	return errors.Join(errs...)
}

// due says whether nothing of a kind and name was proposed, or looked for in vain, for so long.
func (s *service) due(ctx context.Context, kind hitl.ProposalKind, name string, every time.Duration) (bool, error) {
	list, err := s.store.Proposals(ctx, name)
	if err != nil {
		return false, err
	}
	for _, p := range list {
		if p.Kind == kind && time.Since(p.MadeAt) < every {
			return false, nil
		}
	}
	return true, nil
}

func (s *service) calibrateIfDue(ctx context.Context, name string, every time.Duration) error {
	if due, err := s.due(ctx, hitl.ProposeCalibration, name, every); err != nil || !due {
		return err
	}
	e, err := newEvidence(ctx, s.cfg, s.store, name, defaultWindow)
	if err != nil {
		s.logger.DebugContext(ctx, "no calibration can be fitted yet", "classifier", name, "reason", err)
		return nil
	}
	r, _, err := e.calibrate(0)
	if err != nil || !r.Better || e.queue() == "" {
		s.logger.DebugContext(ctx, "no calibration is proposed", "classifier", name, "better", r.Better, "reason", err)
		return nil
	}
	_, err = e.proposeCalibration(ctx, r, false, "system")
	return err
}

func (s *service) adviseIfDue(ctx context.Context, name string, every time.Duration) error {
	if due, err := s.due(ctx, hitl.ProposeThresholds, name, every); err != nil || !due {
		return err
	}
	g := s.cfg.Policies[name].Guarantee
	o, err := guaranteeOptions(g.Risk, g.Confidence)
	if err != nil {
		return err
	}
	only, ok := classifierOf(s.cfg, name)
	if !ok {
		return nil // hitl advise says why
	}
	e, err := newEvidence(ctx, s.cfg, s.store, only, g.Window)
	var a *adviser
	if err == nil {
		a, err = newAdviser(ctx, e, name)
	}
	if err != nil {
		s.logger.DebugContext(ctx, "no thresholds can be advised yet", "policy", name, "reason", err)
		return nil
	}
	r := a.advise(o, g.PerLabel, 0, 0)
	if !r.anyPromise() || r.Advised.Equal(r.Now) {
		s.logger.DebugContext(ctx, "no thresholds are proposed", "policy", name, "reason", r.reason)
		return nil
	}
	_, err = a.propose(ctx, r, false, "system")
	return err
}

// guaranteeOptions are a risk and a confidence as the configuration has them: the shortest decimals that stand for them.
func guaranteeOptions(risk, confidence float64) (o learn.AdviseOptions, err error) {
	if o.Risk, err = learn.ParseShare(strconv.FormatFloat(risk, 'f', -1, 64)); err != nil {
		return o, fmt.Errorf("risk: %w", err)
	}
	if o.Confidence, err = learn.ParseShare(strconv.FormatFloat(confidence, 'f', -1, 64)); err != nil {
		return o, fmt.Errorf("confidence: %w", err)
	}
	return o, nil
}
