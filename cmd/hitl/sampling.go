package main

import (
	"fmt"
	"math"
	"time"

	"hitl/classifier/learn"
)

// paceOver is how far back it is counted how many items come.
const paceOver = 7 * 24 * time.Hour

// pace says how many items a day come that could be accepted from the threshold of their label on, as of late, and over what time that was counted.
func (a *adviser) pace(threshold func(label string) float64) (perDay float64, over time.Duration) {
	since := a.until.Add(-paceOver)
	if first := a.routed[0].ReceivedAt; first.After(since) {
		since = first
	}
	n := 0
	for _, l := range a.routed {
		if l.Sure() && l.Confidence >= threshold(l.AILabel) && !l.ReceivedAt.Before(since) {
			n++
		}
	}
	over = a.until.Sub(since)
	return float64(n) / max(over, time.Hour).Hours() * 24, over
}

// only is a threshold for one label, or for all where it is empty.
func only(label string, threshold float64) func(string) float64 {
	return func(l string) float64 {
		if label == "" || label == l {
			return threshold
		}
		return learn.NoThreshold
	}
}

// plan is what it takes for a promise to be possible within a time.
type plan struct {
	Label   string  `json:"label,omitempty"`
	Above   float64 `json:"above"` // the threshold above which it is counted
	Within  string  `json:"within"`
	Reviews int     `json:"reviews"` // sampled, in all; 0: no number of them would do
	Sampled int     `json:"sampled"` // there are already
	PerDay  float64 `json:"items_per_day"`
	Rate    float64 `json:"sample_rate"` // 0: not possible
	Present float64 `json:"present_rate"`
	Days    float64 `json:"days_at_present_rate"` // 0: never
}

// plan says of each promise that cannot be made which share of accepted items people would have to see.
func (a *adviser) plan(r adviceReport, within time.Duration) []plan {
	var out []plan
	for _, p := range r.Promises {
		if p.Found {
			continue
		}
		out = append(out, a.planOf(p, r.Now.For(p.Label), within))
	}
	return out
}

func (a *adviser) planOf(p learn.Promise, now float64, within time.Duration) plan {
	above := p.Need.Above
	if above == learn.NoThreshold {
		above = now
	}
	counted := only(p.Label, above)
	perDay, _ := a.pace(counted)
	out := plan{
		Label: p.Label, Above: above, Within: span(within), Reviews: p.Need.Reviews, Sampled: learn.SampledAbove(a.evidences(), counted), PerDay: perDay, Present: a.last().Rate,
	}
	if out.Reviews == 0 {
		return out
	}
	s := learn.PlanSample(max(out.Reviews-out.Sampled, 0), out.PerDay, within.Hours()/24, out.Present)
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
	return fmt.Sprintf("%sto have %d reviews above %s within %s, of which %d are there, set policies.*.sample.rate to %.3g (%.1f reviews a day).%s",
		whose, p.Reviews, threshold(p.Above), p.Within, p.Sampled, math.Ceil(p.Rate*1000)/1000, p.Rate*p.PerDay, present)
}
