package audit_test

import (
	"errors"
	"testing"
	"time"

	"hitl"
	"hitl/audit"
)

func labelled(t *testing.T, s *audit.Store, q hitl.LabelledQuery) map[string]hitl.Labelled {
	t.Helper()
	out := map[string]hitl.Labelled{}
	if err := s.Labelled(t.Context(), q, func(l hitl.Labelled) error { out[l.ItemID] = l; return nil }); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestLabelled(t *testing.T) {
	t.Parallel()
	s, owner := open(t)
	atOnce, right, wrong, waits, expired, gold := sure("a", "fine"), unsure("b", "so so"), unsure("c", "hm"), unsure("d", "well"), unsure("e", "late"), unsure("f", "known")
	wrong.Prediction.Calibration, wrong.Prediction.Stage = "sha256:cal", "after sha256:small at 0.9"
	for _, rec := range []hitl.Record{atOnce, right, wrong, waits, expired, gold} {
		mustAppend(t, s, rec, nil)
	}
	mustDecide(t, s, accepted(right, "U1"), nil)
	mustDecide(t, s, corrected(wrong, "U1"), nil)
	mustDecide(t, s, hitl.Decision{ReviewID: expired.Review.ID, Round: 1, Status: hitl.Expired, Label: "POSITIVE", Reviewer: hitl.Reviewer{User: "system"}, At: start}, nil)
	mustDecide(t, s, accepted(gold, "U1"), nil)
	if _, err := owner.Exec(t.Context(), `INSERT INTO hitl.gold (item_id, queue, label, added_by) VALUES ($1, 'default', 'POSITIVE', 'ana')`, gold.Item.ID); err != nil {
		t.Fatal(err)
	}
	all := labelled(t, s, hitl.LabelledQuery{})
	equal(t, "items", len(all), 5)
	for name, c := range map[string]struct {
		rec                        hitl.Record
		reviewed, open, ok, answer bool
	}{
		"accepted at once": {rec: atOnce},
		"accepted":         {rec: right, reviewed: true, ok: true, answer: true},
		"corrected":        {rec: wrong, reviewed: true, answer: true},
		"open":             {rec: waits, reviewed: true, open: true},
		"expired":          {rec: expired, reviewed: true}, // what a clock says is no answer
	} {
		l := all[c.rec.Item.ID]
		equal(t, name, []bool{l.Reviewed, l.Open, l.Correct(), l.Answered()}, []bool{c.reviewed, c.open, c.ok, c.answer})
		equal(t, name+": prediction", []any{l.Model, l.Calibration, l.Stage, l.AILabel, l.Confidence, l.Scores, l.Inclusion, l.Threshold},
			[]any{c.rec.Prediction.Model, c.rec.Prediction.Calibration, c.rec.Prediction.Stage, c.rec.Prediction.Label, c.rec.Prediction.Confidence, c.rec.Prediction.Scores, c.rec.Route.Inclusion, c.rec.Route.Threshold})
	}
	equal(t, "label of the corrected one", all[wrong.Item.ID].Label, corrected(wrong, "U1").Label)

	// A decision that was taken back is no answer.
	if _, err := owner.Exec(t.Context(), `UPDATE hitl.reviews SET round = 2, state = 'open', closed_at = NULL WHERE item_id = $1`, right.Item.ID); err != nil {
		t.Fatal(err)
	}
	if l := labelled(t, s, hitl.LabelledQuery{})[right.Item.ID]; l.Answered() || !l.Open {
		t.Errorf("taken back: %+v", l)
	}
	for name, q := range map[string]hitl.LabelledQuery{
		"other classifier": {Classifier: "x"}, "other model": {Model: "x"}, "other policy": {Policies: []string{"x"}},
		"later": {Since: start.Add(time.Hour)}, "earlier": {Until: start.Add(-time.Hour)},
	} {
		equal(t, name, len(labelled(t, s, q)), 0)
	}
	equal(t, "the same classifier and policy", len(labelled(t, s, hitl.LabelledQuery{
		Classifier: right.Classifier, Model: right.Prediction.Model, Policies: []string{"x", right.Route.Policy}, Since: start.Add(-time.Hour), Until: start.Add(time.Hour),
	})), 5)
	texts := labelled(t, s, hitl.LabelledQuery{Texts: true})
	if len(texts) != 1 || texts[wrong.Item.ID].Text != "hm" {
		t.Errorf("answered, with texts: %+v", texts)
	}
	if all[wrong.Item.ID].Text != "" {
		t.Error("a text that was not asked for")
	}
	if n, err := s.Erase(t.Context(), []string{wrong.Item.ID}, start.Add(time.Hour), "cli/ana", "asked to"); n != 1 || err != nil {
		t.Fatalf("erased %d, %v", n, err)
	}
	if l := labelled(t, s, hitl.LabelledQuery{Texts: true})[wrong.Item.ID]; l.Text != "" || !l.Answered() {
		t.Errorf("erased: %+v", l)
	}
	stop := errors.New("enough")
	calls := 0
	if err := s.Labelled(t.Context(), hitl.LabelledQuery{}, func(hitl.Labelled) error { calls++; return stop }); !errors.Is(err, stop) || calls != 1 {
		t.Errorf("stopped after %d, %v", calls, err)
	}
}

func accepted(rec hitl.Record, user string) hitl.Decision {
	d := corrected(rec, user)
	d.Status, d.Label, d.Reason, d.Comment = hitl.HumanAccepted, rec.Prediction.Label, "", ""
	return d
}
