package hitl

import "time"

// NoticeCertifyLate tells the owners of a queue that the highest share that may be sampled does not suffice for a promise by its day: in the data are "policy", "label"
// (empty: all), "risk" and "confidence" (decimals), "until" and "at" (times: the day, and when it is expected; empty: never), "rate" (the highest) and "by_then"
// (the risk that could be certified by the day; empty: none).
const NoticeCertifyLate NoticeKind = "certify_late"

// SampleChange replaces the rate at which a policy samples sure items. It is made, and accepted at once, by the service itself where the configuration has it choose
// the rate. Everything but Rate, Complete and Off says what it is chosen for: once one of these is another, the time begins anew.
type SampleChange struct {
	Rate float64 `json:"rate"`
	// Complete says that enough were drawn: the rate stays as it is.
	Complete bool `json:"complete,omitempty"`
	// Off takes the change back: the configured rate holds, and no other is chosen.
	Off bool `json:"off,omitempty"`

	From        float64   `json:"from"`        // as configured when it was made
	Policy      string    `json:"policy"`      // version that was configured then
	Model       string    `json:"model"`       // version
	Calibration string    `json:"calibration"` // version; empty: none
	Risk        string    `json:"risk"`        // the error rate that is to be promised not to be exceeded, as a decimal
	Confidence  string    `json:"confidence"`  // with which, as a decimal
	Within      string    `json:"within"`      // in what time
	Since       time.Time `json:"since"`       // when it began
	Until       time.Time `json:"until"`       // and the day
}

// SampleLimits are the rates between which a policy's may be chosen. The zero value is that it may not.
type SampleLimits struct{ Min, Max float64 }

// Resolve returns the rate that holds for a policy that was configured with a rate and limits, once the change was accepted. It is void when another rate was
// configured since, or when none may be chosen any more, and stays within the limits as they are now.
func (c SampleChange) Resolve(configured float64, limits SampleLimits) (rate float64, standing Standing) {
	switch {
	case c.Off:
		return configured, StandingOff
	case c.From != configured || limits == SampleLimits{}:
		return configured, StandingVoid
	}
	return min(max(c.Rate, limits.Min), limits.Max), StandingFull
}

// SameAim says whether both were made for the same: then the time of the earlier goes on.
func (c SampleChange) SameAim(d SampleChange) bool {
	return c.From == d.From && c.Policy == d.Policy && c.Model == d.Model && c.Calibration == d.Calibration &&
		c.Risk == d.Risk && c.Confidence == d.Confidence && c.Within == d.Within
}

// SampleEvidence is what a rate was concluded from. It holds counts of items, and nothing of what people answered.
type SampleEvidence struct {
	Reviews int     `json:"reviews"`           // that are to be drawn in all, of what lacks most
	Sampled int     `json:"sampled"`           // of these were drawn
	Days    float64 `json:"days"`              // that are left to draw
	Present float64 `json:"present"`           // the rate before
	Late    bool    `json:"late,omitempty"`    // the highest rate does not suffice
	ByThen  float64 `json:"by_then,omitempty"` // then: the risk that could be certified
}
