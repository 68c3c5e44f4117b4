package main

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"hitl"
	"hitl/audit"
	"hitl/config"
)

// digestErrorWorth is how many reviews an avoided error is worth in a digest, as in `hitl insights`.
const digestErrorWorth = 10

// taught finds what corrections teach, for digests.
type taught struct {
	cfg   *config.Config
	store *audit.Store
}

// Findings returns what answers in a queue taught in a period, three at most: the largest drift of what comes in, if it is notable, and what is worth the most.
func (t taught) Findings(ctx context.Context, q hitl.StatsQuery) ([]hitl.Finding, error) {
	var out []hitl.Finding
	var answers answered
	size := 0.0
	for _, name := range classifiersOf(t.cfg, q.Queue) {
		before, err := readWindow(ctx, t.store, name, q.Since.Add(-q.Until.Sub(q.Since)), q.Since)
		if err != nil {
			return nil, err
		}
		var now window
		err = t.store.Labelled(ctx, hitl.LabelledQuery{Classifier: name, Since: q.Since, Until: q.Until}, func(l hitl.Labelled) error {
			now.add(l)
			if l.Queue == q.Queue {
				answers.add(l)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		for _, d := range compareWindows(before, now, false) {
			if (d.Change == changeNotable || d.Change == changeStrong) && d.size() > size {
				size = d.size()
				out = []hitl.Finding{{Kind: hitl.FindDrift, Subject: d.What, Other: name, Items: d.Current}}
			}
		}
	}
	for _, f := range answers.insights(digestErrorWorth).Findings {
		out = append(out, f.fact())
	}
	return out[:min(len(out), maxFindings)], nil
}

// fact is what there is to say of a finding.
func (f finding) fact() hitl.Finding {
	share := func(r *rate) (s hitl.Share) {
		if r != nil {
			s = hitl.Share{Value: r.Value, Low: r.Low, High: r.High}
		}
		return s
	}
	return hitl.Finding{
		Kind: f.Kind, Subject: f.Subject, Other: f.Other, Items: f.Rate.Items, Rate: share(f.Rate), Rest: share(f.Rest), Reviews: int(f.Reviews),
	}
}

// classifiersOf names the classifiers whose items may come to a queue, ascending: those of the sources whose policy sends some there.
func classifiersOf(cfg *config.Config, queue string) []string {
	names := map[string]bool{}
	for _, s := range cfg.Sources {
		p := cfg.Policies[s.Policy]
		queues := []string{p.Queue, p.Sample.Queue}
		for _, r := range p.Rules {
			queues = append(queues, cmp.Or(r.Queue, p.Queue))
		}
		if slices.Contains(queues, queue) {
			names[s.Classifier] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}
