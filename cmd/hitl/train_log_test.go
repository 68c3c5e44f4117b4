package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hitl"
	"hitl/audit"
	"hitl/classifier/learn"
)

// What reviewers decided becomes a model that knows their labels, and is held against what the present one said.
func TestTrainFromDecisions(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	if _, err := w.hitl("train", "--classifier", "sentiment", "--out", filepath.Join(w.dir, "none")); err == nil || !strings.Contains(err.Error(), "nobody has decided") {
		t.Errorf("without decisions: %v", err)
	}
	store := w.ledger()
	examples, err := exampleFile(tickets).examples(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	held := w.corrected(store, examples)
	var card modelCard
	folder := filepath.Join(w.dir, "model")
	if err := json.Unmarshal([]byte(w.mustHitl("train", "--classifier", "sentiment", "--out", folder, "--json")), &card); err != nil {
		t.Fatal(err)
	}
	if len(card.Labels) != 4 || card.Validated.Items != len(examples)-held || !strings.Contains(card.Source, "classifier sentiment since") || card.From == nil {
		t.Errorf("%+v", card)
	}
	c := card.Comparison
	if c == nil || c.Items != held || c.Incumbent != 0 || c.OnlyCandidate == 0 || c.Verdict != learn.Better {
		t.Errorf("of %d held out: %+v", held, c)
	}
	// No single text is sure to be told right.
	args := []string{"classify", "--model", folder}
	for _, e := range examples {
		args = append(args, e.Text)
	}
	right := 0
	for i, line := range strings.Split(strings.TrimSpace(w.mustHitl(args...)), "\n") {
		if strings.HasPrefix(line, examples[i].Label+" ") {
			right++
		}
	}
	if right < len(examples)*3/4 {
		t.Errorf("the model is right on %d of %d texts, of which it has learned from four in five", right, len(examples))
	}
}

// corrected records items with these texts, of which the model said the same each time, and what people answered; it returns how many of them are held out.
func (w *world) corrected(store *audit.Store, examples []labelledText) (held int) {
	w.t.Helper()
	at := time.Now().UTC().Truncate(time.Microsecond).Add(-time.Hour)
	for i, e := range examples {
		id := hitl.NewID("itm", at)
		for learn.HeldOut(id) != (i%5 == 0) { // ids are drawn, but what is held out must not be: a verdict hangs on it
			id = hitl.NewID("itm", at)
		}
		if i%5 == 0 {
			held++
		}
		rec := hitl.Record{
			Item:       hitl.Item{ID: id, Source: "shop", ExternalID: fmt.Sprint(id, "-", i), Text: e.Text, ReceivedAt: at},
			Classifier: "sentiment", Labels: []string{"NEGATIVE", "POSITIVE"},
			Prediction: hitl.Prediction{Label: "NEGATIVE", Confidence: 0.6, Model: "m", Scores: []hitl.Score{{Label: "NEGATIVE", Probability: 0.6}, {Label: "POSITIVE", Probability: 0.4}}},
			Route:      hitl.Route{Status: hitl.HumanReview, Triggers: []hitl.Trigger{hitl.TriggerLowConfidence}, Queue: "support", Priority: hitl.PriorityNormal, Policy: "p", Threshold: 0.85, Inclusion: 1},
			Review:     &hitl.Review{ID: hitl.NewID("rev", at), ItemID: id, Round: 1, State: hitl.ReviewOpen, Queue: "support", Priority: hitl.PriorityNormal, OpenedAt: at, Panel: 1},
		}
		if _, _, err := store.Append(w.t.Context(), rec, nil); err != nil {
			w.t.Fatal(err)
		}
		d := hitl.Decision{ReviewID: rec.Review.ID, Round: 1, Status: hitl.HumanCorrected, Label: e.Label, Reviewer: hitl.Reviewer{Team: "T0SLACKSIM", User: "U0ANA"}, At: at}
		if _, _, err := store.Decide(w.t.Context(), d, nil); err != nil {
			w.t.Fatal(err)
		}
	}
	return held
}

// A model is trained on a schedule once there are answers enough, and the owners are asked about it once.
func TestTrainDue(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *storySettings) { s.Queue = "    owners: {users: [U0ANA]}" })
	watch := w.watcher()
	r, err := openRegistry(watch.cfg)
	if err != nil {
		t.Fatal(err)
	}
	c := watch.cfg.Classifiers["sentiment"]
	c.TrainEvery = 7 * 24 * time.Hour
	watch.cfg.Classifiers["sentiment"] = c
	s := &service{cfg: watch.cfg, store: watch.store, logger: slog.New(slog.DiscardHandler), opener: &modelOpener{registry: r}}
	if tasks := s.trainTasks(); len(tasks) != 1 || tasks[0].Name != "train_sentiment" || tasks[0].Every != c.TrainEvery {
		t.Errorf("tasks %+v", tasks)
	}
	examples, err := exampleFile(tickets).examples(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // of nothing, and of 96 answers
		if err := s.train(t.Context(), "sentiment"); !errors.Is(err, audit.ErrTooEarly) {
			t.Errorf("too few answers: %v", err)
		}
		if len(examples) == 96 {
			w.corrected(watch.store, examples)
			for _, e := range examples {
				e.Text += " Please help."
				examples = append(examples, e)
			}
		}
	}
	w.corrected(watch.store, examples[96:])
	proposals := func() []hitl.Proposal {
		all, err := watch.store.Proposals(t.Context(), "sentiment")
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	for range 2 {
		if err := s.train(t.Context(), "sentiment"); err != nil {
			t.Fatal(err)
		}
	}
	all := proposals()
	if len(all) != 1 || all[0].Kind != hitl.ProposeModel || all[0].MadeBy != "system" || all[0].State != hitl.ProposalOpen {
		t.Fatalf("proposed: %+v", all)
	}
	var e hitl.ModelEvidence
	if err := json.Unmarshal(all[0].Evidence, &e); err != nil || e.Comparison == nil || e.Comparison.Verdict != "better" || len(e.Labels) != 4 {
		t.Errorf("evidence %+v, %v", e, err)
	}
	w.mustHitl("proposals", "decline", all[0].ID)
	if err := s.train(t.Context(), "sentiment"); err != nil || len(proposals()) != 1 {
		t.Errorf("asked again after it was declined: %v, %v", proposals(), err)
	}
}
