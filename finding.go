package hitl

// FindingKind is what a finding is about.
type FindingKind string

// The kinds of findings.
const (
	FindConfusion FindingKind = "confusion"     // Subject: the model's label, Other: people's
	FindSource    FindingKind = "source"        // corrected more often than the others
	FindQueue     FindingKind = "queue"         // the same
	FindRule      FindingKind = "rule"          // the same: the rule finds what the model gets wrong
	FindIdleRule  FindingKind = "idle_rule"     // none of its items was corrected
	FindUnknown   FindingKind = "unknown_label" // Subject: a label that people use and the model does not know
	FindDrift     FindingKind = "drift"         // Subject: what changed, one of the constants below, Other: the classifier
)

// What drift is found in.
const (
	DriftLabels     = "labels"     // that the model gives
	DriftConfidence = "confidence" // of the model, as the policy sees it
	DriftLength     = "length"     // of texts, in the model's tokens
)

// Finding is one fact that statistics found in a period, beyond chance, without words: those are whoever tells it.
type Finding struct {
	Kind    FindingKind
	Subject string
	Other   string
	Items   int   // that it rests on
	Rate    Share // of what Kind is about; none for drift
	Rest    Share // of all others, for sources, queues and rules
	Reviews int   // of an idle rule: that it alone asked for
}

// Share is an estimated share with its 95% interval, all in [0, 1].
type Share struct{ Value, Low, High float64 }
