package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"

	"hitl"
	"hitl/classifier/policy"
	"hitl/config"
)

// sampleLimits are the rates between which the service may choose a policy's.
func sampleLimits(p config.Policy) hitl.SampleLimits {
	if c := p.Sample.Certify; c != nil {
		return hitl.SampleLimits{Min: c.MinRate, Max: c.MaxRate}
	}
	return hitl.SampleLimits{}
}

// sampleChangeOf reads a change of the rate of sampling.
func sampleChangeOf(p hitl.Proposal) (c hitl.SampleChange, err error) {
	if err := json.Unmarshal(p.Body, &c); err != nil {
		return c, fmt.Errorf("read proposal %s: %w", p.ID, err)
	}
	return c, nil
}

// bases are the policies as configured, each at the rate of sampling that is in force. One whose change cannot be applied is at its configured rate, which is said once.
func (t *trust) bases(ctx context.Context, inForce []hitl.Proposal) map[string]*policy.Policy {
	out := map[string]*policy.Policy{}
	for _, p := range inForce {
		configured, ok := t.configured[p.Name]
		if p.Kind != hitl.ProposeSample || !ok {
			continue
		}
		limits := sampleLimits(t.cfg.Policies[p.Name])
		c, err := sampleChangeOf(p)
		rate, standing := c.Resolve(configured.Sampled(), limits)
		base := configured
		if err == nil {
			if base, err = configured.Sampling(rate); err != nil {
				base = configured
			}
		}
		out[p.Name] = base
		t.once(p, func() error {
			if err == nil {
				t.logger.InfoContext(ctx, "policy samples at another rate", "policy", p.Name, "proposal", p.ID, "by", p.DecidedBy, "standing", string(standing), "rate", rate)
			}
			return err
		})
		t.mu.Lock()
		if standing == hitl.StandingFull && err == nil {
			t.sampling[p.Name] = c
		} else {
			delete(t.sampling, p.Name)
		}
		t.mu.Unlock()
	}
	return out
}

// route has a policy route by another version of it, unless it does already.
func (t *trust) route(ctx context.Context, name string, next *policy.Policy, why ...slog.Attr) error {
	live := t.policies[name]
	if next.Version() == live.Version() {
		return nil
	}
	// The text of a version is kept before anything is routed by it.
	if err := t.store.SavePolicy(ctx, name, next.Version(), next.Text()); err != nil {
		return err
	}
	t.describe(next)
	live.Set(next)
	if len(why) > 0 {
		t.logger.LogAttrs(ctx, slog.LevelInfo, "policy has other thresholds", append([]slog.Attr{slog.String("policy", name), slog.String("version", next.Version())}, why...)...)
	}
	return nil
}

// sameButRate returns the versions of a policy that differ from it in the rate of sampling alone, itself included: a promise of one is one of all.
func (t *trust) sameButRate(ctx context.Context, now *policy.Policy) ([]string, error) {
	terms, err := policy.ReadTerms(now.Text())
	if err != nil {
		return nil, err
	}
	all, err := t.store.Policies(ctx)
	if err != nil {
		return nil, err
	}
	out := []string{now.Version()}
	for _, v := range all {
		if other, err := policy.ReadTerms(v.Text); err == nil && v.Name == now.Name() && v.Version != now.Version() && other.Rest == terms.Rest {
			out = append(out, v.Version)
		}
	}
	return out, nil
}
