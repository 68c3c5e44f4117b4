package bot

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"hitl"
)

func changedPolicy(s hitl.Standing) Policy {
	p := samplePolicy()
	p.Threshold, p.LabelThresholds["NEGATIVE"] = hitl.NoConfidence, hitl.NoConfidence
	p.Change = &PolicyChange{By: "T0SLACKSIM/" + ana, At: testTime, Risk: "0.02", Confidence: "0.95", Standing: s}
	return p
}

func proposalOf(kind hitl.ProposalKind, body, evidence any) hitl.Proposal {
	write := func(v any) json.RawMessage {
		b, err := json.Marshal(v)
		if err != nil {
			panic(err)
		}
		return b
	}
	return hitl.Proposal{
		ID: "prp_1", Kind: kind, Name: "mail", Body: write(body), Evidence: write(evidence), State: hitl.ProposalOpen, MadeAt: testTime, MadeBy: "cli/ana", Queue: "support",
	}
}

func sampleProposal(state hitl.ProposalState) hitl.Proposal {
	e := hitl.ThresholdEvidence{Items: 12345, Sampled: 512, Wrong: 4, Unanswered: 1, Upper: 0.0178, LoadBefore: 0.28, LoadAfter: 0.2412}
	for i := range 31 {
		t := 0.99 - 0.01*float64(i)
		e.Curve = append(e.Curve, hitl.CurvePoint{Threshold: t, Load: 0.6 - 0.01*float64(i), Errors: 0.001 * float64(i), ErrorsTop: 0.005 + 0.002*float64(i)})
	}
	p := proposalOf(hitl.ProposeThresholds, hitl.ThresholdChange{
		Thresholds: hitl.Thresholds{Threshold: 0.915, Labels: map[string]float64{"SPAM": hitl.NoConfidence, "HAM": 0.8}},
		From:       hitl.Thresholds{Threshold: 0.85, Labels: map[string]float64{"SPAM": 0.9}}, Risk: "0.02", Confidence: "0.95",
	}, e)
	p.State = state
	if state == hitl.ProposalAccepted || state == hitl.ProposalDeclined {
		p.DecidedBy, p.DecidedAt = "T0SLACKSIM/"+ana, testTime
	}
	return p
}

func sampleModel(verdict string) hitl.Proposal {
	return proposalOf(hitl.ProposeModel, hitl.ModelChange{Version: "sha256:0123456789abcdef0123", From: "starter"}, hitl.ModelEvidence{
		Source: "decisions", Learned: 1840, Labels: []string{"billing", "delivery", "returns"},
		HeldOut:    &hitl.ModelScore{Items: 460, Accuracy: 0.914, Low: 0.885, High: 0.937},
		Comparison: &hitl.ModelComparison{Items: 460, Candidate: 0.914, Incumbent: 0.872, Difference: 0.042, Low: -0.008, High: 0.071, P: 0.004, Verdict: verdict},
	})
}

func hostileProposal() hitl.Proposal {
	labels := map[string]float64{}
	for i := range 60 {
		labels[hostile+strconv.Itoa(i)] = 0.5
	}
	p := proposalOf(hitl.ProposeThresholds, hitl.ThresholdChange{Thresholds: hitl.Thresholds{Threshold: 0.5, Labels: labels}, Risk: hostile, Confidence: "NaN"}, hitl.ThresholdEvidence{})
	p.Name, p.State, p.DecidedBy = hostile, hitl.ProposalAccepted, hostile
	return p
}

func sampleCalibration() hitl.CalibrationEvidence {
	e := hitl.CalibrationEvidence{
		Kind: "temperature", Items: 1200, Held: 301, Before: hitl.CalibrationScore{Brier: 0.12, LogLoss: 0.41, Error: 0.083}, After: hitl.CalibrationScore{Brier: 0.11, LogLoss: 0.36, Error: 0.021},
	}
	for i := range 5 {
		e.Diagram = append(e.Diagram, hitl.ReliabilityBin{Items: 100 * (i % 4), Confidence: 0.55 + 0.1*float64(i), Right: 0.5 + 0.1*float64(i)})
	}
	return e
}

// proposals are the proposals of a test, as Postgres keeps them.
type proposals struct {
	mu  sync.Mutex
	all map[string]hitl.Proposal
}

func (p *proposals) Propose(context.Context, hitl.Proposal) error { panic("not asked for") }

func (p *proposals) Proposal(_ context.Context, id string) (hitl.Proposal, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if one, ok := p.all[id]; ok {
		return one, nil
	}
	return hitl.Proposal{}, hitl.ErrNotFound
}

func (p *proposals) Answer(_ context.Context, id string, accept bool, by string, at time.Time) (hitl.Proposal, bool, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	one, ok := p.all[id]
	if !ok {
		return one, false, hitl.ErrNotFound
	}
	if one.State != hitl.ProposalOpen {
		return one, false, nil
	}
	one.State, one.DecidedBy, one.DecidedAt = hitl.ProposalDeclined, by, at
	if accept {
		one.State = hitl.ProposalAccepted
	}
	p.all[id] = one
	return one, true, nil
}

// A proposal is posted where the owners are, one of them answers it, and everybody else is told what became of it.
func TestProposalAnswered(t *testing.T) {
	t.Parallel()
	for action, want := range map[string]string{actionAdopt: "*Accepted* by <@" + ana + ">", actionDecline: "*Declined* by <@" + ana + ">"} {
		t.Run(action, func(t *testing.T) {
			t.Parallel()
			kept := &proposals{all: map[string]hitl.Proposal{"prp_1": sampleProposal(hitl.ProposalOpen)}}
			w := newWorld(t, func(s *setup) {
				q := s.bot.Queues["support"]
				q.Owners = Owners{Users: []string{ana}}
				s.bot.Queues["support"] = q
				s.bot.Proposals = kept
			})
			n := hitl.Notice{ID: "ntc_1", Kind: hitl.NoticeProposal, Queue: "support", Data: map[string]string{"proposal": "prp_1"}, CreatedAt: time.Now(), Attempt: 1}
			where, ts, err := w.bot.PostNotice(t.Context(), n)
			if err != nil || where != channel {
				t.Fatalf("posted in %q, %v", where, err)
			}
			w.click(ben, w.message(ts), action)
			if got := w.whispered(ben); !strings.Contains(got, "Only the owners") {
				t.Errorf("who is no owner reads %q", got)
			}
			if p, _ := kept.Proposal(t.Context(), "prp_1"); p.State != hitl.ProposalOpen {
				t.Fatalf("and the proposal is %s", p.State)
			}
			before := w.message(ts)
			w.click(ana, before, action)
			w.eventually("the card says so", func() bool { return strings.Contains(w.message(ts).Text, want) })
			if raw := fmt.Sprintf("%s", w.message(ts).Blocks); strings.Contains(raw, actionAdopt) || !strings.Contains(raw, "data_visualization") {
				t.Errorf("the answered card has buttons still, or no chart: %s", raw)
			}
			w.forged(ana, before, actionAdopt, "prp_1") // an old window
			if got := w.whispered(ana); !strings.Contains(got, want) {
				t.Errorf("who comes later reads %q, want %q", got, want)
			}
			w.clean()
		})
	}
}

func TestProposalGone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, _, err := w.bot.PostNotice(t.Context(), hitl.Notice{ID: "ntc_1", Kind: hitl.NoticeProposal, Queue: "support", Data: map[string]string{"proposal": "prp_9"}, Attempt: 1})
	if err == nil {
		t.Error("a proposal that is not there was posted")
	}
}

func brokenNotice(restored string) hitl.Notice {
	return hitl.Notice{Kind: hitl.NoticeBroken, Queue: "support", Data: map[string]string{
		"policy": "mail<!channel>", "proposal": "prp_1", "n": "1200", "wrong": "61", "lower": "0.031", "risk": "0.02", "restored": restored,
	}}
}

func must(m message, err error) message {
	if err != nil {
		panic(err)
	}
	return m
}
