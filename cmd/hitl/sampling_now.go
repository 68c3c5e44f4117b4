package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"hitl"
	"hitl/audit"
	"hitl/classifier/policy"
	"hitl/config"
)

// revertSample has the configured rate of sampling hold again. No other is chosen then until the configuration, the model or the calibration is another.
func (c *proposalsRevertCmd) revertSample(ctx context.Context, p program, cfg *config.Config, store *audit.Store) error {
	last, err := lastSample(ctx, store, c.Policy)
	if err != nil {
		return err
	}
	policies, err := buildPolicies(cfg, nil)
	if err != nil {
		return usageError{err}
	}
	off, err := sampleAim(cfg, policies[c.Policy])
	if err != nil {
		return err
	}
	if last != nil {
		_, standing := last.Resolve(off.From, sampleLimits(cfg.Policies[c.Policy]))
		off.Model, off.Calibration, off.Off = last.Model, last.Calibration, standing == hitl.StandingFull
	}
	if !off.Off {
		return fmt.Errorf("policy %q samples at its configured rate; there is nothing to take back", c.Policy)
	}
	one, err := newProposal(hitl.ProposeSample, c.Policy, off, struct{}{}, operator(c.By))
	if err != nil {
		return err
	}
	if err := store.Propose(ctx, one); err != nil {
		return err
	}
	if _, _, err := store.Answer(ctx, one.ID, true, one.MadeBy, time.Now()); err != nil {
		return err
	}
	_, err = fmt.Fprintf(p.stdout, "policy %s samples %s of its sure items again, as configured; remove sample.certify there, too\n", c.Policy, percent(off.Rate))
	return err
}

// sampleAim is what the configuration has a rate chosen for, with the configured one: the model and its calibration are still to be said, and since when.
func sampleAim(cfg *config.Config, configured *policy.Policy) (hitl.SampleChange, error) {
	p := cfg.Policies[configured.Name()]
	o, err := guaranteeOptions(p.Guarantee.Risk, p.Guarantee.Confidence)
	if err != nil {
		return hitl.SampleChange{}, err
	}
	aim := hitl.SampleChange{
		Rate: configured.Sampled(), From: configured.Sampled(), Policy: configured.Version(), Risk: o.Risk.String(), Confidence: o.Confidence.String(),
	}
	if p.Sample.Certify != nil {
		aim.Within = p.Sample.Certify.Within.String()
	}
	return aim, nil
}

// lastSample returns the change of a policy's rate of sampling that was accepted last; nil: there is none.
func lastSample(ctx context.Context, store *audit.Store, name string) (*hitl.SampleChange, error) {
	force, err := store.InForce(ctx)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(force, func(p hitl.Proposal) bool { return p.Kind == hitl.ProposeSample && p.Name == name })
	if i < 0 {
		return nil, nil //nolint:nilnil // nil is none
	}
	c, err := sampleChangeOf(force[i])
	return &c, err
}

// samplingNow replaces policies by those at the rates of sampling that are in force, and says in a line of each why.
func samplingNow(ctx context.Context, cfg *config.Config, store *audit.Store, policies map[string]*policy.Policy) (map[string]string, error) {
	why := map[string]string{}
	for name, configured := range policies {
		c, err := lastSample(ctx, store, name)
		if err != nil {
			return nil, err
		}
		if c == nil {
			continue
		}
		rate, standing := c.Resolve(configured.Sampled(), sampleLimits(cfg.Policies[name]))
		if policies[name], err = configured.Sampling(rate); err != nil {
			return nil, err
		}
		switch {
		case standing != hitl.StandingFull:
			why[name] = "sampled as configured: what the service chose before is " + string(standing)
		case c.Complete:
			why[name] = fmt.Sprintf("%s sampled, configured are %s: enough was drawn for a risk of %s with %s confidence", percent(rate), percent(configured.Sampled()), c.Risk, c.Confidence)
		default:
			why[name] = fmt.Sprintf("%s sampled, configured are %s: chosen to certify a risk of %s with %s confidence by %s",
				percent(rate), percent(configured.Sampled()), c.Risk, c.Confidence, c.Until.Format("2006-01-02 15:04"))
		}
	}
	return why, nil
}
