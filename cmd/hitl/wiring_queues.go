package main

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"hitl"
	"hitl/classifier/learn"
	"hitl/config"
)

// This file says what queues and policies are to the desk, and to those who read about them.

// checkQueueLabels refuses labels that no model has: a slip would show what was not to be shown, or answer what nobody would.
func checkQueueLabels(cfg *config.Config, labels map[string][]string) error {
	known := slices.Concat(slices.Collect(maps.Values(labels))...)
	var errs []error
	check := func(key, label string) {
		if !slices.Contains(known, label) {
			errs = append(errs, fmt.Errorf("%s: no classifier has a label %q", key, label))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(cfg.Queues)) {
		q := cfg.Queues[name]
		for _, label := range q.Distressing {
			check("queues."+name+".distressing", label)
		}
		if label, ok := hitl.Outcome(q.SLA.ExpireAs).Default(); ok {
			check("queues."+name+".sla.expire_as", label)
		}
	}
	return errors.Join(errs...)
}

func queueRules(cfg *config.Config) map[string]hitl.QueueRules {
	out := map[string]hitl.QueueRules{}
	for name, q := range cfg.Queues {
		out[name] = hitl.QueueRules{
			RemindAfter: q.SLA.RemindAfter, EscalateAfter: q.SLA.EscalateAfter, EscalateTo: hitl.Escalation(q.SLA.EscalateTo),
			ExpireAfter: q.ExpireAfter, ExpireAs: hitl.Outcome(q.SLA.ExpireAs), Hours: hours(q.Hours),
			Backlog: q.Backlog, ClaimFor: q.ClaimFor, UndoFor: q.UndoFor, MergeDuplicates: q.MergeDuplicates, Panel: panelRules(q),
			BlindShare: q.BlindShare, GoldShare: q.GoldShare, Order: orderRules(q),
			ReasonRequired: hitl.Requirement(q.ReasonRequired), CommentRequired: hitl.Requirement(q.CommentRequired),
		}
	}
	return out
}

func orderRules(q config.Queue) hitl.OrderRules {
	measures := map[string]func([]hitl.Score) float64{"margin": learn.MarginUncertainty, "entropy": learn.EntropyUncertainty}
	if measures[q.Order] == nil {
		return hitl.OrderRules{}
	}
	return hitl.OrderRules{By: q.Order, Uncertainty: measures[q.Order], Uniform: q.OrderUniform}
}

func panelRules(q config.Queue) hitl.PanelRules {
	if q.Panel == nil {
		return hitl.PanelRules{}
	}
	return hitl.PanelRules{Reviewers: q.Panel.Reviewers, Share: q.Panel.Share}
}

// hours are those of a queue. That they can be is checked with the configuration.
func hours(h *config.Hours) hitl.Hours {
	if h == nil {
		return hitl.Hours{}
	}
	zone, err := time.LoadLocation(h.TimeZone)
	if err != nil {
		panic(err)
	}
	out, err := hitl.NewHours(zone, h.Week, h.Holidays)
	if err != nil {
		panic(err)
	}
	return out
}

// allHours are those of every queue.
func allHours(cfg *config.Config) map[string]hitl.Hours {
	out := map[string]hitl.Hours{}
	for name, q := range cfg.Queues {
		out[name] = hours(q.Hours)
	}
	return out
}

// digest is when the week's figures of a queue are posted. That it can be is checked with the configuration.
func digest(q config.Queue) hitl.Weekly {
	zone := time.UTC
	if q.Hours != nil {
		var err error
		if zone, err = time.LoadLocation(q.Hours.TimeZone); err != nil {
			panic(err)
		}
	}
	w, err := hitl.NewWeekly(zone, q.Digest)
	if err != nil {
		panic(err)
	}
	return w
}
