package learn

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"hitl"
)

var knownLabels = []string{"bug", "billing", "praise"}

// cases makes n of them, of which the first k are corrected to a label.
func cases(n, k int, to string, c Case) []Case {
	c.Weight = max(c.Weight, 1)
	out := make([]Case, n)
	for i := range out {
		out[i] = c
		if out[i].Label = c.AILabel; i < k {
			out[i].Label = to
		}
	}
	return out
}

func TestPatterns(t *testing.T) {
	t.Parallel()
	p := FindPatterns(slices.Concat(
		cases(200, 10, "bug", Case{Source: "mail", Queue: "support", AILabel: "billing"}),
		cases(100, 40, "billing", Case{Source: "chat", Queue: "support", AILabel: "bug"}),
		cases(40, 2, "bug", Case{Source: "mail", Queue: "support", AILabel: "billing", Weight: 10}),
		cases(300, 0, "", Case{Source: "mail", Queue: "vip", AILabel: "praise", Rules: []string{"vip"}}),
		cases(60, 6, "refund", Case{Source: "mail", Queue: "vip", AILabel: "billing", Rules: []string{"money", "words"}}),
		cases(25, 3, "bug", Case{Source: "mail", Queue: "vip", AILabel: "billing", Rules: []string{"late"}, Anyway: true}),
	), knownLabels)
	if p.Overall.Items != 725 || p.Overall.Hits != 61 || p.Overall.Whole != 1085 {
		t.Errorf("overall %+v", p.Overall)
	}
	type pair struct {
		AI, People string
		Hits       int
		Errors     float64
	}
	var pairs []pair
	for _, c := range p.Confused {
		pairs = append(pairs, pair{c.AILabel, c.Label, c.Rate.Hits, c.Errors})
	}
	if diff := cmp.Diff([]pair{{"bug", "billing", 40, 40}, {"billing", "bug", 15, 33}, {"billing", "refund", 6, 6}}, pairs); diff != "" {
		t.Errorf("pairs (-want +got):\n%s", diff)
	}
	if r := p.Confused[0].Rate; r.Value != 0.4 || r.Interval != Wilson(40, 100) {
		t.Errorf("bug for billing: %+v", r)
	}
	if g := p.Groups[0]; g.By != BySource || g.Name != "chat" && g.Name != "mail" || !g.Stands() {
		t.Errorf("the first group is %+v", g)
	}
	for _, r := range p.Rules {
		if want := map[string]bool{"vip": true, "money": true, "words": true, "late": true}[r.Rule]; r.Idle() != want {
			t.Errorf("rule %+v is idle: %v", r, r.Idle())
		}
	}
	if len(p.Unknown) != 1 || p.Unknown[0].Label != "refund" || p.Unknown[0].Items != 6 {
		t.Errorf("unknown: %+v", p.Unknown)
	}

	var told []string
	for _, f := range p.Findings(10, 9) {
		told = append(told, fmt.Sprint(f.Kind, " ", f.Subject, " ", f.Other))
		if f.Kind == hitl.FindIdleRule && (f.Reviews != 300 || f.Errors >= 0 || f.Errors < -5) {
			t.Errorf("%+v", f)
		}
	}
	// Reviewed anyway: nothing would be saved without those rules, and they are not told of.
	want := []string{"confusion bug billing", "idle_rule vip ", "source chat ", "queue support ", "confusion billing bug", "unknown_label refund ", "confusion billing refund"}
	if diff := cmp.Diff(want, told, cmpopts.SortSlices(func(a, b string) bool { return a < b })); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
	if told[0] != want[0] {
		t.Errorf("the first finding is %s", told[0])
	}
	if got := p.Findings(10, 3); len(got) != 3 {
		t.Errorf("%d findings", len(got))
	}
}

// A rule with a few items that nobody corrected is no news: what they may hide is worth more than the reviews.
func TestIdleRuleOfFew(t *testing.T) {
	t.Parallel()
	p := FindPatterns(cases(25, 0, "", Case{Source: "mail", AILabel: "bug", Rules: []string{"vip"}}), knownLabels)
	if !p.Rules[0].Idle() || len(p.Findings(10, 3)) != 0 || len(p.Findings(0, 3)) != 1 {
		t.Errorf("%+v: %+v", p.Rules, p.Findings(10, 3))
	}
	p = FindPatterns(cases(fewestCases-1, 0, "", Case{AILabel: "bug", Rules: []string{"vip"}}), knownLabels)
	if p.Rules[0].Idle() {
		t.Errorf("%+v", p.Rules[0])
	}
}

// Chance makes no news: where all sources, queues and rules are alike, about one stream in twenty has any difference that stands.
func TestPatternsOfChance(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(8, 0)) //nolint:gosec // repeatable
	const rounds = 300
	news := 0
	for range rounds {
		var stream []Case
		for range 600 {
			c := Case{
				Source: fmt.Sprint("source ", random.IntN(6)), Queue: fmt.Sprint("queue ", random.IntN(4)), AILabel: "bug", Label: "bug", Weight: 1,
			}
			if random.Float64() < 0.3 {
				c.Rules = []string{fmt.Sprint("rule ", random.IntN(5))}
			}
			if random.Float64() < 0.12 {
				c.Label = "billing"
			}
			stream = append(stream, c)
		}
		if slices.ContainsFunc(FindPatterns(stream, knownLabels).Groups, Group.Stands) {
			news++
		}
	}
	if news > rounds*8/100 {
		t.Errorf("%d of %d streams without a difference have news", news, rounds)
	}
}

// The order of cases changes nothing but last digits; errors of pairs add up to those of the stream.
func TestPatternsProperties(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		names := func(what string) *rapid.Generator[string] {
			return rapid.SampledFrom([]string{what + "1", what + "2", what + "3"})
		}
		stream := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Case {
			return Case{
				Source: names("s").Draw(t, "source"), Queue: names("q").Draw(t, "queue"), Rules: rapid.SliceOfNDistinct(names("r"), 0, 2, rapid.ID).Draw(t, "rules"),
				Anyway: rapid.Bool().Draw(t, "anyway"), AILabel: names("l").Draw(t, "ai"), Label: names("l").Draw(t, "label"),
				Weight: float64(rapid.IntRange(1, 20).Draw(t, "weight")),
			}
		}), 0, 120).Draw(t, "cases")
		p := FindPatterns(stream, []string{"l1", "l2"})
		total := 0.0
		for _, c := range p.Confused {
			if total += c.Errors; c.AILabel == c.Label || c.Rate.Value < 0 || c.Rate.Value > 1 {
				t.Errorf("%+v", c)
			}
		}
		if !within(total, p.Overall.Value*p.Overall.Whole, 1e-9) {
			t.Errorf("pairs have %v errors, the stream %+v", total, p.Overall)
		}
		for _, g := range p.Groups {
			if g.Rate.Items+g.Rest.Items != len(stream) || g.Low > g.Difference+1e-9 || g.High < g.Difference-1e-9 || g.Q < 0 || g.Q > 1 {
				t.Errorf("%+v", g)
			}
		}
		for _, u := range p.Unknown {
			if u.Label != "l3" {
				t.Errorf("%+v", u)
			}
		}
		// Weights are whole numbers, so that sums have no order.
		if diff := cmp.Diff(p, FindPatterns(rapid.Permutation(stream).Draw(t, "again"), []string{"l1", "l2"}), cmp.AllowUnexported(Rate{})); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}
