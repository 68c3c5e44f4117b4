package hitl

// Precedent is a decision that a person made on another item of the same queue.
type Precedent struct {
	ReviewID string
	Text     string  // its beginning, MaxPrecedentChars characters at most
	Length   int     // of the whole text, in characters
	Scores   []Score // the probability of every label
	AILabel  string  // what the model said; empty when it failed
	Decision Decision
	Twin     bool // the texts are near-identical
}

// MaxPrecedentChars is how much of a precedent's text is looked at.
const MaxPrecedentChars = 2000
