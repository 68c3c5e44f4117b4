package audit_test

import "testing"

// A decision says whether whoever made it had not been shown what the model said: in a later round, the card of the first one has told.
func TestDecisionsSayBlind(t *testing.T) {
	t.Parallel()
	s, owner := open(t)
	for _, c := range []struct {
		id    string
		blind bool
		round int
		want  bool
	}{{"shown", false, 1, false}, {"blind", true, 1, true}, {"again", true, 2, false}} {
		rec := unsure(c.id, "so so")
		rec.Review.Blind = c.blind
		mustAppend(t, s, rec, nil)
		if _, err := owner.Exec(t.Context(), `UPDATE hitl.reviews SET round = $2 WHERE id = $1`, rec.Review.ID, c.round); err != nil {
			t.Fatal(err)
		}
		rec.Review.Round = c.round
		mustDecide(t, s, corrected(rec, "U1"), nil)
		got := scalar[bool](t, owner, `SELECT blind FROM hitl.decisions WHERE review_id = $1`, rec.Review.ID)
		equal(t, c.id, got, c.want)
	}
}
