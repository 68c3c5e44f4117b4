package learn

import (
	"cmp"
	"slices"

	"hitl"
)

// Finding is one fact, without words: those are whoever tells it (hitl.Finding), and what it is worth.
type Finding struct {
	Kind    hitl.FindingKind
	Subject string
	Other   string
	Rate    Rate // that Kind is about
	Rest    Rate // of all others, for sources, queues and rules
	Anyway  int  // of an idle rule: items that would have been reviewed without it
	// Reviews are saved, and Errors avoided, in a period as long as the one looked at, if the owner does away with the reason: at least as many, as far as
	// the intervals tell. Errors are the model's, whether or not a person caught them; below 0 they are what an idle rule's items may cost at most.
	Reviews, Errors float64
}

// Findings returns up to limit facts that are worth the most, an avoided error being worth so many reviews; the most first. What chance may have made is
// not among them, nor what would gain nothing: a rule whose items are all reviewed anyway, or one with so few that what it may find is worth more.
func (p Patterns) Findings(errorWorth float64, limit int) []Finding {
	var out []Finding
	for _, c := range p.Confused {
		if c.Rate.Hits >= fewestHits {
			out = append(out, Finding{Kind: hitl.FindConfusion, Subject: c.AILabel, Other: c.Label, Rate: c.Rate, Errors: c.Rate.Low * c.Rate.Whole})
		}
	}
	kinds := map[string]hitl.FindingKind{BySource: hitl.FindSource, ByQueue: hitl.FindQueue, ByRule: hitl.FindRule}
	told := map[[2]int]bool{} // a source whose items all go to one queue is no news twice
	for _, g := range p.Groups {
		if same := [2]int{g.Rate.Items, g.Rate.Hits}; g.Stands() && g.Difference > 0 && !told[same] {
			told[same] = true
			out = append(out, Finding{Kind: kinds[g.By], Subject: g.Name, Rate: g.Rate, Rest: g.Rest, Errors: max(g.Low, 0) * g.Rate.Whole})
		}
	}
	for _, r := range p.Rules {
		if r.Idle() && r.Corrected.Hits == 0 {
			alone := float64(r.Corrected.Items - r.Anyway)
			out = append(out, Finding{
				Kind: hitl.FindIdleRule, Subject: r.Rule, Rate: r.Corrected, Anyway: r.Anyway, Reviews: alone, Errors: -r.Corrected.High * alone,
			})
		}
	}
	for _, u := range p.Unknown {
		if u.Items >= fewestHits {
			out = append(out, Finding{Kind: hitl.FindUnknown, Subject: u.Label, Rate: u.Share, Errors: u.Share.Low * u.Share.Whole})
		}
	}
	worth := func(f Finding) float64 { return f.Reviews + errorWorth*f.Errors }
	out = slices.DeleteFunc(out, func(f Finding) bool { return worth(f) <= 0 })
	slices.SortStableFunc(out, func(a, b Finding) int { return cmp.Compare(worth(b), worth(a)) })
	return out[:min(limit, len(out))]
}

// fewestHits is how many items make a confusion or an unknown label news.
const fewestHits = 5
