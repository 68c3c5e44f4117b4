package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"hitl"
)

type proposalsCmd struct {
	List    proposalsListCmd   `cmd:"" help:"Print the proposals: open, accepted, declined."`
	Show    proposalsShowCmd   `cmd:"" help:"Print one, with its evidence, as JSON."`
	Accept  proposalsAcceptCmd `cmd:"" help:"Accept an open one: it is in force in every replica within seconds."`
	Decline proposalsAnswerCmd `cmd:"" help:"Decline an open one: everything stays as it is."`
	Revert  proposalsRevertCmd `cmd:"" help:"Take back the accepted thresholds of a policy, or its share of sampling: what is configured holds again."`
}

// Help is shown by hitl proposals --help.
func (proposalsCmd) Help() string {
	return `A proposal changes how far the model is trusted: the thresholds of a policy (hitl advise), or the calibration or the model of a classifier (hitl calibrate, hitl
model). It comes from what reviewers decided, is posted to the owners of the policy's queue, and holds once one of them accepts it there, or somebody here. The log keeps who and
when. The configuration file stays as it is: configure other thresholds there, and those hold.

Where a policy has sample.certify, the service proposes and accepts the share of sure items that people see too, by policy/certify: revert --sample ends it.`
}

type proposalsListCmd struct {
	Name string `arg:"" optional:"" help:"Only those of this policy or classifier."`
	JSON bool   `help:"Print JSON."`
}

func (c *proposalsListCmd) Run(ctx context.Context, p program, global *cli) error {
	_, store, err := p.openStore(ctx, global)
	if err != nil {
		return err
	}
	defer store.Close()
	list, err := store.Proposals(ctx, c.Name)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(p.stdout, list)
	}
	rows := make([][]string, len(list))
	for i, l := range list {
		rows[i] = []string{l.ID, l.MadeAt.Format(time.RFC3339), string(l.Kind), l.Name, string(l.State), l.DecidedBy}
	}
	return table(p.stdout, []string{"ID", "MADE", "OF", "NAME", "STATE", "BY"}, rows)
}

type proposalsShowCmd struct {
	ID string `arg:"" help:"Its id: prp_…"`
}

func (c *proposalsShowCmd) Run(ctx context.Context, p program, global *cli) error {
	_, store, err := p.openStore(ctx, global)
	if err != nil {
		return err
	}
	defer store.Close()
	one, err := store.Proposal(ctx, c.ID)
	if err != nil {
		return err
	}
	return printJSON(p.stdout, one)
}

// proposalsAnswerCmd declines, and with accept accepts.
type proposalsAnswerCmd struct {
	ID string `arg:"" help:"Its id: prp_…"`
	By string `help:"Who answers (default cli/USER, of this machine)."`
}

func (c *proposalsAnswerCmd) Run(ctx context.Context, p program, global *cli) error {
	return c.answer(ctx, p, global, false)
}

type proposalsAcceptCmd struct{ proposalsAnswerCmd }

func (c *proposalsAcceptCmd) Run(ctx context.Context, p program, global *cli) error {
	return c.answer(ctx, p, global, true)
}

func (c *proposalsAnswerCmd) answer(ctx context.Context, p program, global *cli, accept bool) error {
	_, store, err := p.openStore(ctx, global)
	if err != nil {
		return err
	}
	defer store.Close()
	one, fresh, err := store.Answer(ctx, c.ID, accept, operator(c.By), time.Now())
	switch {
	case err != nil:
		return err
	case !fresh && one.State == hitl.ProposalReplaced:
		return fmt.Errorf("proposal %s was replaced by a later one; see `hitl proposals list %s`", one.ID, one.Name)
	case !fresh:
		return fmt.Errorf("proposal %s is %s already, by %s at %s", one.ID, one.State, printable(one.DecidedBy), one.DecidedAt.Format(time.RFC3339))
	}
	_, err = fmt.Fprintf(p.stdout, "%s of %s: %s\n", one.Kind, printable(one.Name), one.State)
	return err
}

type proposalsRevertCmd struct {
	Policy string `arg:"" help:"The policy."`
	Sample bool   `help:"Take back the share of sure items that is sampled, where the service chooses it (sample.certify), instead of the thresholds."`
	By     string `help:"Who wants it (default cli/USER, of this machine)."`
}

func (c *proposalsRevertCmd) Run(ctx context.Context, p program, global *cli) error {
	cfg, store, err := p.openStore(ctx, global)
	if err != nil {
		return err
	}
	defer store.Close()
	if _, ok := cfg.Policies[c.Policy]; !ok {
		return usageError{fmt.Errorf("policy %q is not configured; there are %v", c.Policy, slices.Sorted(maps.Keys(cfg.Policies)))}
	}
	if c.Sample {
		return c.revertSample(ctx, p, cfg, store)
	}
	force, err := store.InForce(ctx)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(force, func(f hitl.Proposal) bool { return f.Kind == hitl.ProposeThresholds && f.Name == c.Policy })
	var change hitl.ThresholdChange
	if i >= 0 {
		if change, err = changeOf(force[i]); err != nil {
			return err
		}
	}
	if i < 0 || change.Off {
		return fmt.Errorf("policy %q has its configured thresholds; there is nothing to take back", c.Policy)
	}
	policies, err := buildPolicies(cfg, nil)
	if err != nil {
		return usageError{err}
	}
	off := hitl.ThresholdChange{Off: true, From: policies[c.Policy].Thresholds(), Policy: policies[c.Policy].Version(), Classifier: change.Classifier}
	one, err := newProposal(hitl.ProposeThresholds, c.Policy, off, struct{}{}, operator(c.By))
	if err != nil {
		return err
	}
	if err := store.Propose(ctx, one); err != nil {
		return err
	}
	if _, _, err := store.Answer(ctx, one.ID, true, one.MadeBy, time.Now()); err != nil {
		return err
	}
	_, err = fmt.Fprintf(p.stdout, "policy %s has its configured thresholds again\n", c.Policy)
	return err
}

// newProposal makes a proposal of a change and what it was concluded from.
func newProposal(kind hitl.ProposalKind, name string, body, evidence any, by string) (hitl.Proposal, error) {
	now := time.Now().UTC().Truncate(time.Microsecond)
	p := hitl.Proposal{ID: hitl.NewID("prp", now), Kind: kind, Name: name, State: hitl.ProposalOpen, MadeAt: now, MadeBy: by}
	var err error
	if p.Body, err = json.Marshal(body); err != nil {
		return p, fmt.Errorf("write change: %w", err)
	}
	if p.Evidence, err = json.Marshal(evidence); err != nil {
		return p, fmt.Errorf("write evidence: %w", err)
	}
	return p, nil
}
