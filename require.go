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

// Missing is the Reason of an *InvalidError about a reason or a comment that a queue requires.
const Missing = "is missing; this queue requires it"

// complete says whether a decision has all that its queue requires. Errors are *InvalidError.
func (q QueueRules) complete(d Decision) error {
	switch {
	case q.ReasonRequired.Of(d.Status) && blank(d.Reason):
		return &InvalidError{"reason", Missing}
	case q.CommentRequired.Of(d.Status) && blank(d.Comment):
		return &InvalidError{"comment", Missing}
	}
	return nil
}
