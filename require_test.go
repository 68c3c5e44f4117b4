package hitl

import (
	"errors"
	"testing"
)

func TestRequired(t *testing.T) {
	t.Parallel()
	shown := Record{Prediction: Prediction{Label: "A"}, Review: &Review{}}
	blind := Record{Prediction: Prediction{Label: "A"}, Review: &Review{Blind: true}}
	silent := Record{Review: &Review{}}
	for _, tc := range []struct {
		name     string
		rule     Requirement
		rec      Record
		status   Status
		required bool
	}{
		{"zero value", "", shown, HumanCorrected, false},
		{"never", Never, silent, HumanCorrected, false},
		{"acceptance", OnCorrections, shown, HumanAccepted, false},
		{"correction", OnCorrections, shown, HumanCorrected, true},
		{"always", Always, shown, HumanAccepted, true},
		{"blind acceptance", OnCorrections, blind, HumanAccepted, true},
		{"blind, never", Never, blind, HumanCorrected, false},
		{"no answer of the model's", OnCorrections, silent, HumanCorrected, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			for field, q := range map[string]QueueRules{"reason": {ReasonRequired: tc.rule}, "comment": {CommentRequired: tc.rule}} {
				err := q.complete(tc.rec, Decision{Status: tc.status, Reason: " ", Comment: "\u200b\t"})
				invalid, ok := errors.AsType[*InvalidError](err)
				if ok != tc.required || ok && (invalid.Field != field || invalid.Reason != Missing) {
					t.Errorf("%s: %v", field, err)
				}
				if err := q.complete(tc.rec, Decision{Status: tc.status, Reason: "r", Comment: "c"}); err != nil {
					t.Errorf("%s is there: %v", field, err)
				}
			}
		})
	}
}
