package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"hitl"
	"hitl/audit"
	"hitl/classifier/learn"
)

var errNoExamples = errors.New("nobody has decided")

// exampleLog is what reviewers decided about the items of a classifier.
type exampleLog struct {
	store      *audit.Store
	classifier string
	since      time.Time
}

func (l exampleLog) String() string {
	return fmt.Sprintf("decisions on items of classifier %s since %s", l.classifier, l.since.Format("2006-01-02"))
}

func (l exampleLog) examples(ctx context.Context) ([]labelledText, error) {
	var out []labelledText
	var models []string // which judged them
	query := hitl.LabelledQuery{Classifier: l.classifier, Since: l.since, Texts: true}
	err := l.store.Labelled(ctx, query, func(i hitl.Labelled) error {
		if i.Text == "" || i.Inclusion <= 0 { // erased; or reviewed though that had no probability, as before there was a sample
			return nil
		}
		e := labelledText{ID: i.ItemID, Text: i.Text, Label: i.Label, Weight: 1 / i.Inclusion, At: i.DecidedAt}
		if i.AILabel != "" || len(i.Triggers) > 0 && i.Triggers[0] == hitl.TriggerModelError {
			e.Incumbent = &learn.Outcome{Correct: i.Correct(), Weight: 1 / i.Inclusion}
			for _, s := range i.Scores {
				if s.Label == i.Label {
					e.Incumbent.Probability = s.Probability
				}
			}
		}
		if i.Small() { // it stays before whatever takes the large model's place
			e.Incumbent = nil
		}
		out, models = append(out, e), append(models, i.LargeModel())
		return nil
	})
	if err != nil {
		return nil, err
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%w on items of classifier %q since %s whose texts are kept", errNoExamples, l.classifier, l.since.Format("2006-01-02"))
	}
	for i := range out {
		if models[i] != models[len(models)-1] { // what models said that do not run any more says nothing of the present one
			out[i].Incumbent = nil
		}
	}
	return out, nil
}

// heldAgainst holds what a new model says of texts against what the present one said, where that is known; nil where it is of none.
func heldAgainst(candidate []learn.Outcome, texts []labelledText) *learn.Comparison {
	var now, present []learn.Outcome
	for i, t := range texts {
		if t.Incumbent != nil {
			o := *t.Incumbent
			o.Weight = candidate[i].Weight // of several equal texts it is the weight of all
			now, present = append(now, candidate[i]), append(present, o)
		}
	}
	if len(now) == 0 {
		return nil
	}
	c := learn.Compare(now, present, 1)
	return &c
}
