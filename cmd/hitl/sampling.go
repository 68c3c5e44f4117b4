package main

import (
	"fmt"
	"math"
	"slices"
	"time"

	"hitl"
	"hitl/classifier/learn"
)

// largestSample returns from which item on, the items being in the order in which they came, a sample thinned to the least of its rates is expected to be the largest:
// after the rate was raised, what came before may cost more than it brings. No label is looked at.
func largestSample(items []hitl.Labelled) int {
	best, at := 0.0, 0
	acceptable, least := 0, 1.0
	for i, l := range slices.Backward(items) {
		if !l.Sure() {
			continue
		}
		acceptable++
		least = min(least, l.Inclusion)
		if size := float64(acceptable) * least; size >= best {
			best, at = size, i
		}
	}
	if at > 0 && best <= float64(acceptable)*least { // all of them are as many: then all
		return 0
	}
	return at
}

// plan is what it takes for a promise to be possible within a time.
type plan struct {
	Label   string  `json:"label,omitempty"`
	Above   float64 `json:"above"` // the threshold above which it is counted
	Within  string  `json:"within"`
	Reviews int     `json:"reviews"` // sampled, in that time; 0: no number of them would do
	PerDay  float64 `json:"items_per_day"`
	Rate    float64 `json:"sample_rate"` // 0: not possible
	Present float64 `json:"present_rate"`
	Days    float64 `json:"days_at_present_rate"` // 0: never
}

// plan says of each promise that cannot be made which share of accepted items people would have to see.
func (a *adviser) plan(r adviceReport, within time.Duration) []plan {
	days := a.until.Sub(a.sampled).Hours() / 24
	var out []plan
	for _, p := range r.Promises {
		if p.Found {
			continue
		}
		out = append(out, a.planOf(p, r.Now.For(p.Label), days, within))
	}
	return out
}

func (a *adviser) planOf(p learn.Promise, now, days float64, within time.Duration) plan {
	above := p.Need.Above
	if above == learn.NoThreshold {
		above = now
	}
	n := 0
	for _, l := range a.routed {
		if l.Sure() && l.Confidence >= above && (p.Label == "" || l.AILabel == p.Label) {
			n++
		}
	}
	out := plan{Label: p.Label, Above: above, Within: span(within), Reviews: p.Need.Reviews, PerDay: float64(n) / days, Present: a.configured.Sampled()}
	if out.Reviews == 0 {
		return out
	}
	s := learn.PlanSample(out.Reviews, out.PerDay, within.Hours()/24, out.Present)
	if s.Possible() {
		out.Rate = s.Rate
	}
	if !math.IsInf(s.Days, 1) {
		out.Days = s.Days
	}
	return out
}

// words says a plan in a line.
func (p plan) words() string {
	whose := ""
	if p.Label != "" {
		whose = printable(p.Label) + ": "
	}
	if p.Reviews == 0 {
		return whose + "too many are wrong above " + threshold(p.Above) + "; no sample would make this promise possible there."
	}
	present := ""
	if p.Days > 0 {
		present = fmt.Sprintf(" At the present %s it takes about %.0f days.", percent(p.Present), math.Ceil(p.Days))
	}
	if p.Rate == 0 {
		return fmt.Sprintf("%s%d reviews above %s are more than come within %s (%.1f a day).%s", whose, p.Reviews, threshold(p.Above), p.Within, p.PerDay, present)
	}
	return fmt.Sprintf("%sto have %d reviews above %s within %s, set policies.*.sample.rate to %.3g (%.1f reviews a day).%s",
		whose, p.Reviews, threshold(p.Above), p.Within, math.Ceil(p.Rate*1000)/1000, p.Rate*p.PerDay, present)
}
