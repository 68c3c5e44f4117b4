package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"

	"hitl"
	"hitl/audit"
	"hitl/classifier/learn"
	"hitl/deploy/local/localtest"
)

// answered appends the labelled texts of a file as items whose label people gave, an hour ago, and returns how many there are.
func (w *world) answered(file string) int {
	w.t.Helper()
	store := w.ledger()
	examples, err := exampleFile(file).examples(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	at := time.Now().UTC().Truncate(time.Microsecond).Add(-time.Hour)
	for i, e := range examples {
		id := hitl.NewID("itm", at)
		rec := hitl.Record{
			Item:       hitl.Item{ID: id, Source: "shop", ExternalID: fmt.Sprint("t-", i), Text: e.Text, ReceivedAt: at},
			Classifier: "sentiment", Labels: []string{"NEGATIVE", "POSITIVE"},
			Prediction: hitl.Prediction{Label: "NEGATIVE", Confidence: 0.6, Model: "m", Scores: []hitl.Score{{Label: "NEGATIVE", Probability: 0.6}, {Label: "POSITIVE", Probability: 0.4}}},
			Route:      hitl.Route{Status: hitl.HumanReview, Triggers: []hitl.Trigger{hitl.TriggerLowConfidence}, Queue: "support", Priority: hitl.PriorityNormal, Policy: "p", Threshold: 0.85, Inclusion: 1},
			Review:     &hitl.Review{ID: hitl.NewID("rev", at), ItemID: id, Round: 1, State: hitl.ReviewOpen, Queue: "support", Priority: hitl.PriorityNormal, OpenedAt: at, Panel: 1},
		}
		if i%2 == 0 {
			rec.Route.Triggers, rec.Route.Inclusion = []hitl.Trigger{hitl.TriggerSample}, 0.25
		}
		if _, _, err := store.Append(w.t.Context(), rec, nil); err != nil {
			w.t.Fatal(err)
		}
		d := hitl.Decision{ReviewID: rec.Review.ID, Round: 1, Status: hitl.HumanCorrected, Label: e.Label, Reviewer: hitl.Reviewer{Team: "T0SLACKSIM", User: "U0ANA"}, At: at}
		if _, _, err := store.Decide(w.t.Context(), d, nil); err != nil {
			w.t.Fatal(err)
		}
	}
	return len(examples)
}

// What people answered leaves for training elsewhere, with the split that hitl train goes by; and what does not go together is said before any work.
func TestExportLabelled(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	n := w.answered(tickets)
	file := filepath.Join(w.dir, "labelled.parquet")
	labelled := []string{"export", "labelled", "--classifier", "sentiment", "--format"}
	if out := w.mustHitl(append(labelled, "parquet", "-o", file)...); out != "" {
		t.Errorf("printed %q", out)
	}
	rows, err := parquet.ReadFile[audit.ExportedLabelled](file)
	if err != nil || len(rows) != n {
		t.Fatalf("%d rows of %d, error %v", len(rows), n, err)
	}
	held := 0
	for _, r := range rows {
		if r.HeldOut != learn.HeldOut(r.ItemID) || r.Weight*r.Inclusion != 1 || r.Label == "" || r.Text == "" {
			t.Errorf("%+v", r)
		}
		if r.HeldOut {
			held++
		}
	}
	if held == 0 || held > n/2 {
		t.Errorf("%d of %d are held out", held, n)
	}
	var first audit.ExportedLabelled
	lines := strings.Split(strings.TrimSpace(w.mustHitl(append(labelled, "jsonl", "--since", "2h")...)), "\n")
	if err := json.Unmarshal([]byte(lines[0]), &first); err != nil || len(lines) != n || first.ItemID != rows[0].ItemID {
		t.Errorf("%d lines, the first %+v, error %v", len(lines), first, err)
	}
	for _, period := range [][]string{{"--since", "10m"}, {"--until", "2h"}, {"--since", "3h", "--until", "2h"}} {
		if out := w.mustHitl(append(append(labelled, "csv"), period...)...); strings.Count(out, "\n") != 1 {
			t.Errorf("%v: %s", period, out)
		}
	}

	if err := os.WriteFile(file, []byte("what was there"), 0o600); err != nil {
		t.Fatal(err)
	}
	for want, args := range map[string][]string{
		"needs --classifier":              {"export", "labelled"},
		`"x" is not configured`:           {"export", "labelled", "--classifier", "x", "-o", file},
		"belongs to hitl export labelled": {"export", "items", "--classifier", "sentiment"},
		"needs --output FILE":             {"export", "items", "--format", "parquet"},
		"nothing between":                 {"export", "items", "--since", "1h", "--until", "2h"},
		"it is no file":                   {"export", "items", "--format", "parquet", "--out", os.DevNull},
	} {
		if out, err := w.hitl(args...); err == nil || !strings.Contains(err.Error(), want) || !errors.As(err, new(usageError)) || out != "" {
			t.Errorf("%v: %q, error %v, want %q", args, out, err, want)
		}
	}
	if info, err := os.Stat(os.DevNull); err != nil || info.Mode().IsRegular() {
		t.Errorf("%s is a file now: %v", os.DevNull, err)
	}
	if _, err := w.hitl("export", "items", "--format", "parquet", "-o", filepath.Join(w.dir, "none", "x")); err == nil {
		t.Error("a folder that is not there was written to")
	}
	if data, err := os.ReadFile(file); err != nil || string(data) != "what was there" {
		t.Errorf("a refused export touched the file: %q, %v", data, err)
	}
	if left, _ := filepath.Glob(filepath.Join(w.dir, ".hitl-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// The program in docs/retraining.md runs as it stands there, on what hitl export wrote.
func TestRetrainingExample(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/retraining.md")
	if err != nil {
		t.Fatal(err)
	}
	program := regexp.MustCompile("(?s)```python\n(.*?)```").FindSubmatch(page)
	if program == nil {
		t.Fatal("docs/retraining.md has no program")
	}
	w := newWorld(t, nil)
	cmd := localtest.Pyarrow(t.Context(), t, "-c", string(program[1]))
	cmd.Dir = w.dir
	n := w.answered(tickets)
	w.mustHitl("export", "labelled", "--classifier", "sentiment", "--format", "parquet", "--output", filepath.Join(w.dir, "labelled.parquet"))
	var diagnosis bytes.Buffer
	cmd.Stderr = &diagnosis
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, diagnosis.String())
	}
	var learned, held int
	var better, present float64
	if _, err := fmt.Sscanf(string(out), "learned from %d; of %d held out %f%% right, the present model %f%%", &learned, &held, &better, &present); err != nil {
		t.Fatalf("%q: %v", out, err)
	}
	if learned+held != n || held == 0 || better < 25 || present != 0 {
		t.Errorf("%s", out)
	}
}

// Every column of the contract stands in docs/retraining.md, and no other.
func TestRetrainingColumns(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/retraining.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(page), "## Columns")
	section, _, _ = strings.Cut(section, "\n\nColumns may be added")
	var told []string
	for line := range strings.Lines(section) {
		first, _, _ := strings.Cut(strings.TrimPrefix(line, "|"), "|")
		for _, name := range regexp.MustCompile("`([a-z_]+)`").FindAllStringSubmatch(first, -1) {
			told = append(told, name[1])
		}
	}
	var written []string
	for _, path := range parquet.SchemaOf(audit.ExportedLabelled{}).Fields() {
		written = append(written, path.Name())
	}
	if strings.Join(told, " ") != strings.Join(written, " ") {
		t.Errorf("docs tell %v, written are %v", told, written)
	}
}
