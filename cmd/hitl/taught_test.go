package main

import (
	"fmt"
	"net/http"
	"os"
	"slices"
	"testing"
	"time"

	"hitl"
	"hitl/config"
)

// A queue's digest is about the classifiers whose items may come there.
func TestClassifiersOf(t *testing.T) {
	t.Parallel()
	cfg := &config.Config{
		Policies: map[string]config.Policy{
			"plain":   {Queue: "support"},
			"ruled":   {Queue: "other", Rules: []config.Rule{{Name: "money", Queue: "seniors"}, {Name: "vip"}}},
			"sampled": {Queue: "other", Sample: config.Sample{Queue: "support"}},
		},
		Sources: map[string]config.Source{
			"a": {Classifier: "main", Policy: "plain"}, "b": {Classifier: "small", Policy: "ruled"}, "c": {Classifier: "new", Policy: "sampled"},
			"d": {Classifier: "main", Policy: "sampled"},
		},
	}
	for queue, want := range map[string][]string{"support": {"main", "new"}, "seniors": {"small"}, "other": {"main", "new", "small"}, "empty": nil} {
		if got := classifiersOf(cfg, queue); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", queue, got, want)
		}
	}
}

// What people correct in Slack is what a digest tells.
func TestTaught(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	var said, right string
	for i := range 6 {
		it := w.post(fmt.Sprint("item-", i), unsureText, http.StatusAccepted)
		said, right = it.AILabel, other(it.AILabel)
		w.click("U0ANA", w.card(it), right)
		w.shows(it, "U0ANA", right)
	}
	cfg, err := config.Load(w.configFile(), os.LookupEnv)
	if err != nil {
		t.Fatal(err)
	}
	store := w.ledger()
	now := time.Now()
	for queue, want := range map[string]int{"support": 1, "nowhere": 0} {
		got, err := taught{cfg, store}.Findings(t.Context(), hitl.StatsQuery{Since: now.Add(-time.Hour), Until: now, Queue: queue})
		if err != nil || len(got) != want {
			t.Fatalf("%s: %+v, %v", queue, got, err)
		}
		if want == 1 && (got[0].Kind != hitl.FindConfusion || got[0].Subject != said || got[0].Other != right || got[0].Items != 6 || got[0].Rate.Value != 1) {
			t.Errorf("%+v", got[0])
		}
	}
}
