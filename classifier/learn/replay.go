package learn

// Fate counts items by what is known of them.
type Fate struct {
	Right   int
	Wrong   int
	Unknown int // nobody answered
	IDs     []string
}

func (f *Fate) add(e Evidence) {
	switch {
	case !e.Answered:
		f.Unknown++
	case e.Correct:
		f.Right++
	default:
		f.Wrong++
	}
	f.IDs = append(f.IDs, e.ItemID)
}

// Replayed says which items would have gone the other way.
type Replayed struct {
	Items    int
	Accepted Fate // that went to people for their confidence, and would have been accepted
	Reviewed Fate // that were accepted, and would have gone to people
}

// Replay runs other thresholds over items: then is the threshold of a label, sure whether an item was over the one that held when it came. Items that went to people
// for another reason, or by chance, would have gone either way, and are neither.
func Replay(items []Evidence, then func(label string) float64, sure func(Evidence) bool) Replayed {
	r := Replayed{Items: len(items)}
	for _, e := range items {
		if e.Other {
			continue
		}
		switch was, would := sure(e), e.Confidence >= then(e.Label); {
		case would && !was:
			r.Accepted.add(e)
		case was && !would && !e.Reviewed:
			r.Reviewed.add(e)
		}
	}
	return r
}
