package hitl

// Requirement says which verdicts of a queue need something that is otherwise left to the reviewer. The zero value is Never.
type Requirement string

// The requirements.
const (
	Never         Requirement = "never"
	OnCorrections Requirement = "corrections" // answers other than the model's
	Always        Requirement = "always"
)

// Of says whether a decision with a status needs it.
func (r Requirement) Of(status Status) bool {
	switch status { //nolint:exhaustive // only people are asked
	case HumanAccepted:
		return r == Always
	case HumanCorrected:
		return r == Always || r == OnCorrections
	}
	return false
}

// OfAll says whether every verdict on a record needs it. Where reviewers are not shown the model's answer, corrections means that: to ask for more in
// some cases would tell it.
func (r Requirement) OfAll(rec Record) bool {
	return r == Always || r == OnCorrections && (rec.Prediction.Label == "" || rec.Sealed())
}

func (r Requirement) of(rec Record, status Status) bool { return r.Of(status) || r.OfAll(rec) }

// Missing is the Reason of an *InvalidError about a reason or a comment that a queue requires.
const Missing = "is missing; this queue requires it"

// complete says whether a person's verdict on a record has all that its queue requires. Errors are *InvalidError.
func (q QueueRules) complete(rec Record, d Decision) error {
	switch {
	case q.ReasonRequired.of(rec, d.Status) && blank(d.Reason):
		return &InvalidError{"reason", Missing}
	case q.CommentRequired.of(rec, d.Status) && blank(d.Comment):
		return &InvalidError{"comment", Missing}
	}
	return nil
}
