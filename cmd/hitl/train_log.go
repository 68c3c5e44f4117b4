package main

import (
	"context"
	"fmt"
	"time"

	"hitl"
	"hitl/audit"
	"hitl/classifier/learn"
)

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
	query := hitl.LabelledQuery{Classifier: l.classifier, Since: l.since, Texts: true}
	err := l.store.Labelled(ctx, query, func(i hitl.Labelled) error {
		if i.Text == "" || i.Inclusion <= 0 { // erased; or reviewed though that had no probability, as before there was a sample
			return nil
		}
		e := labelledText{ID: i.ItemID, Text: i.Text, Label: i.Label, Weight: 1 / i.Inclusion, At: i.DecidedAt, Incumbent: &learn.Outcome{Correct: i.Correct(), Weight: 1 / i.Inclusion}}
		for _, s := range i.Scores {
			if s.Label == i.Label {
				e.Incumbent.Probability = s.Probability
			}
		}
		out = append(out, e)
		return nil
	})
	if err != nil {
		return nil, err
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("nobody has decided on items of classifier %q since %s whose texts are kept", l.classifier, l.since.Format("2006-01-02"))
	}
	return out, nil
}

// heldAgainst holds what a new model says of texts against what the present one said; nil where that is not known of each.
func heldAgainst(candidate []learn.Outcome, texts []labelledText) *learn.Comparison {
	incumbent := make([]learn.Outcome, len(texts))
	for i, t := range texts {
		if t.Incumbent == nil {
			return nil
		}
		incumbent[i] = *t.Incumbent
		incumbent[i].Weight = candidate[i].Weight // of several equal texts it is the weight of all
	}
	if len(texts) == 0 {
		return nil
	}
	c := learn.Compare(candidate, incumbent, 1)
	return &c
}
