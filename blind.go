package hitl

// drawBlind says whether a review is among the share of its queue's reviews that are judged without seeing what the model said. It is drawn from the
// review's id, as panels are and independently of them: nobody who sends items can choose it, and whoever knows the id can repeat the draw.
func drawBlind(share float64, reviewID string) bool { return uniform("blind", reviewID) < share }

// Sealed says whether what the model said must not be shown yet: the review is blind, and has no decision.
func (r Record) Sealed() bool { return r.Review != nil && r.Review.Blind && r.Decision == nil }
