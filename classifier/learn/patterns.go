package learn

import (
	"cmp"
	"maps"
	"slices"
)

// Case is an item that people answered, for patterns in their corrections.
type Case struct {
	Source string
	Queue  string
	// Rules that sent it to a person, and whether anything but them and the sample did, too.
	Rules   []string
	Anyway  bool
	AILabel string
	Label   string  // what people answered
	Weight  float64 // inverse of the inclusion probability
}

func (c Case) corrected() bool { return c.Label != c.AILabel }

// Patterns is what stands out in people's corrections. All rates are of the stream's items: cases count by their weights. Those that were never drawn
// because nothing is (a sampling rate of 0) are not in it, nor what they would have shown.
type Patterns struct {
	Overall  Rate // corrected
	Confused []ConfusedPair
	Groups   []Group
	Rules    []RuleUse
	Unknown  []UnknownLabel
}

// ConfusedPair says how often people answer Label where the model said AILabel.
type ConfusedPair struct {
	AILabel, Label string
	Rate           Rate    // of the items with that AILabel
	Errors         float64 // items of the stream that are so
}

// Kinds of groups.
const (
	BySource = "source"
	ByQueue  = "queue"
	ByRule   = "rule"
)

// Group compares the items of one source, queue or rule with all others.
type Group struct {
	By, Name   string
	Rate, Rest Rate // corrected
	// Difference is Rate less Rest, with Newcombe's interval from the two rates' own. It minds no other comparison; Q does.
	Difference float64
	Interval
	// Q is the p-value of the difference, adjusted for all groups that were compared (BenjaminiHochberg).
	Q float64
}

// Stands says whether the difference is no play of chance, at a false discovery rate of 5%.
func (g Group) Stands() bool { return g.Q <= falseDiscoveries }

// RuleUse is what one rule's reviews came to.
type RuleUse struct {
	Rule      string
	Corrected Rate // with weights of 1: all of a rule's items are reviewed
	// Anyway are those that would have been reviewed without the rule: something else sent them, too, another rule perhaps.
	Anyway int
}

// Idle says whether, as far as these reviews go, nothing would be lost without the rule: people never corrected an item of it (what their corrections may
// be at most is Corrected.High), or every item would have been reviewed anyway.
func (r RuleUse) Idle() bool {
	return r.Corrected.Items >= fewestCases && (r.Corrected.Hits == 0 || r.Anyway == r.Corrected.Items)
}

// UnknownLabel is an answer that the model cannot give.
type UnknownLabel struct {
	Label string
	Items int
	Share Rate // of all items
}

const (
	falseDiscoveries = 0.05
	// fewestCases is how many answered items a group, a rule and what it is compared with need.
	fewestCases = 20
)

// FindPatterns looks for patterns in cases; known are the labels that the model has. Groups are compared if they and the rest have 20 cases or more.
// Lists are sorted: pairs by their errors, groups by Q, rules and labels by items; the largest first. It panics if a weight is not positive.
func FindPatterns(cases []Case, known []string) Patterns {
	var all weighted
	byAI, pairs := map[string]*weighted{}, map[[2]string]*weighted{}
	groups, rules, unknown := map[[2]string]*weighted{}, map[string]*weighted{}, map[string]*weighted{}
	anyway := map[string]int{}
	for _, c := range cases {
		if !(c.Weight > 0) {
			panic("learn: a case without a weight")
		}
		all.add(c.Weight, c.corrected())
		at(byAI, c.AILabel).add(c.Weight, c.corrected())
		if c.corrected() {
			at(pairs, [2]string{c.AILabel, c.Label}).add(c.Weight, true)
		}
		at(groups, [2]string{BySource, c.Source}).add(c.Weight, c.corrected())
		if c.Queue != "" {
			at(groups, [2]string{ByQueue, c.Queue}).add(c.Weight, c.corrected())
		}
		for _, rule := range c.Rules {
			at(groups, [2]string{ByRule, rule}).add(c.Weight, c.corrected())
			at(rules, rule).add(1, c.corrected())
			if c.Anyway || len(c.Rules) > 1 {
				anyway[rule]++
			}
		}
		if !slices.Contains(known, c.Label) {
			at(unknown, c.Label).add(c.Weight, true)
		}
	}
	p := Patterns{Overall: all.rate()}
	for pair, hits := range pairs {
		// The pair's hits, among all items that the model gave the label.
		of := *byAI[pair[0]]
		of.hits, of.hitW, of.hitW2 = hits.hits, hits.hitW, hits.hitW2
		p.Confused = append(p.Confused, ConfusedPair{pair[0], pair[1], of.rate(), hits.hitW})
	}
	slices.SortFunc(p.Confused, func(a, b ConfusedPair) int {
		return cmp.Or(cmp.Compare(b.Errors, a.Errors), cmp.Compare(a.AILabel, b.AILabel), cmp.Compare(a.Label, b.Label))
	})
	p.Groups = compareGroups(all, groups)
	for _, rule := range slices.Sorted(maps.Keys(rules)) {
		p.Rules = append(p.Rules, RuleUse{rule, rules[rule].rate(), anyway[rule]})
	}
	slices.SortStableFunc(p.Rules, func(a, b RuleUse) int { return b.Corrected.Items - a.Corrected.Items })
	for _, label := range slices.Sorted(maps.Keys(unknown)) {
		of := all
		of.hits, of.hitW, of.hitW2 = unknown[label].hits, unknown[label].hitW, unknown[label].hitW2
		p.Unknown = append(p.Unknown, UnknownLabel{label, unknown[label].items, of.rate()})
	}
	slices.SortStableFunc(p.Unknown, func(a, b UnknownLabel) int { return b.Items - a.Items })
	return p
}

func at[K comparable](sums map[K]*weighted, key K) *weighted {
	if sums[key] == nil {
		sums[key] = &weighted{}
	}
	return sums[key]
}

func compareGroups(all weighted, groups map[[2]string]*weighted) []Group {
	var out []Group
	var p []float64
	for key, sums := range groups {
		rest := all.less(*sums)
		if sums.items < fewestCases || rest.items < fewestCases {
			continue
		}
		g := Group{By: key[0], Name: key[1], Rate: sums.rate(), Rest: rest.rate()}
		g.Difference = g.Rate.Value - g.Rest.Value
		g.Interval = newcombe(g.Rate.Value, g.Rate.Interval, g.Rest.Value, g.Rest.Interval)
		out, p = append(out, g), append(p, differ(g.Rate, g.Rest))
	}
	for i, q := range BenjaminiHochberg(p) {
		out[i].Q = q
	}
	slices.SortFunc(out, func(a, b Group) int {
		return cmp.Or(cmp.Compare(a.Q, b.Q), cmp.Compare(b.Difference, a.Difference), cmp.Compare(a.By, b.By), cmp.Compare(a.Name, b.Name))
	})
	return out
}
