package hitl

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

var (
	sure   = oracle{prediction: Prediction{Label: "POSITIVE", Confidence: 0.97, Model: "sha256:model"}}
	unsure = oracle{prediction: Prediction{Label: "POSITIVE", Confidence: 0.62, Model: "sha256:model"}}
)

func TestSubmitSureItem(t *testing.T) {
	t.Parallel()
	m, w := newMemory(), &waiting{}
	rec, replayed, err := testIntake(m, w, sure).Submit(t.Context(), Submission{Source: "shop", ExternalID: "1", Text: "lovely"})
	if err != nil || replayed {
		t.Fatalf("Submit: replayed %v, %v", replayed, err)
	}
	if rec.Status() != AIAccepted || rec.Label() != "POSITIVE" || rec.Review != nil || len(w.ids) != 0 {
		t.Errorf("got %v %q, review %v, queued %v", rec.Status(), rec.Label(), rec.Review, w.ids)
	}
	if len(m.callbacks) != 1 {
		t.Fatalf("%d callbacks, want 1", len(m.callbacks))
	}
	var body struct {
		Type string
		Data CallbackItem
	}
	if err := json.Unmarshal(m.callbacks[0].Body, &body); err != nil {
		t.Fatal(err)
	}
	if body.Type != "item.decided" || body.Data.ExternalID != "1" || body.Data.Label != "POSITIVE" || body.Data.Status != AIAccepted {
		t.Errorf("callback says %+v", body)
	}
}

func TestSubmitUnsureItemOpensAReview(t *testing.T) {
	t.Parallel()
	m, w := newMemory(), &waiting{}
	rec, _, err := testIntake(m, w, unsure).Submit(t.Context(), Submission{Source: "shop", ExternalID: "1", Text: "hm"})
	if err != nil {
		t.Fatal(err)
	}
	if rec.Status() != HumanReview || rec.Label() != "" || rec.Review == nil || len(m.callbacks) != 0 {
		t.Fatalf("got %v %q %v, %d callbacks", rec.Status(), rec.Label(), rec.Review, len(m.callbacks))
	}
	if diff := cmp.Diff([]string{rec.Review.ID}, w.ids); diff != "" {
		t.Error(diff)
	}
	if got := rec.Review.ExpiresAt.Sub(rec.Item.ReceivedAt); got.Hours() != 1 {
		t.Errorf("expires after %v, want 1h", got)
	}
}

func TestSubmitReplaysAndConflicts(t *testing.T) {
	t.Parallel()
	in := testIntake(newMemory(), &waiting{}, sure)
	first := Submission{Source: "shop", ExternalID: "1", Text: "lovely", Metadata: map[string]any{"a": 1.0, "b": "x"}}
	want, _, err := in.Submit(t.Context(), first)
	if err != nil {
		t.Fatal(err)
	}
	got, replayed, err := in.Submit(t.Context(), first)
	if err != nil || !replayed || got.Item.ID != want.Item.ID {
		t.Errorf("same again: %s replayed %v, %v; want %s", got.Item.ID, replayed, err, want.Item.ID)
	}
	first.Metadata = map[string]any{"a": 2.0, "b": "x"}
	if _, _, err := in.Submit(t.Context(), first); !errors.Is(err, ErrConflict) {
		t.Errorf("other metadata: %v, want ErrConflict", err)
	}
}

// A full queue refuses new items; what is stored is still answered.
func TestSubmitAnswersReplaysWhileRefusing(t *testing.T) {
	t.Parallel()
	m := newMemory()
	s := Submission{Source: "shop", ExternalID: "1", Text: "lovely"}
	if _, _, err := testIntake(m, &waiting{}, sure).Submit(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	for _, refusal := range []error{ErrBusy, ErrUnavailable} {
		in := testIntake(m, &waiting{}, oracle{err: fmt.Errorf("queue: %w", refusal)})
		if _, replayed, err := in.Submit(t.Context(), s); err != nil || !replayed {
			t.Errorf("%v: replay answered %v, %v", refusal, replayed, err)
		}
		changed := s
		changed.Text = "other"
		if _, _, err := in.Submit(t.Context(), changed); !errors.Is(err, ErrConflict) {
			t.Errorf("%v: other body: %v, want ErrConflict", refusal, err)
		}
		for _, id := range []string{"2", ""} {
			fresh := Submission{Source: "shop", ExternalID: id, Text: "new"}
			if _, _, err := in.Submit(t.Context(), fresh); !errors.Is(err, refusal) {
				t.Errorf("fresh item %q: %v, want %v", id, err, refusal)
			}
		}
	}
	if len(m.records) != 1 {
		t.Errorf("%d records, want 1: a refusal recorded something", len(m.records))
	}
}

func TestSubmitModelErrorGoesToAPerson(t *testing.T) {
	t.Parallel()
	m, w := newMemory(), &waiting{}
	rec, _, err := testIntake(m, w, oracle{err: fmt.Errorf("run: %w: panic", ErrModel)}).Submit(t.Context(), Submission{Source: "shop", Text: "boom"})
	if err != nil {
		t.Fatal(err)
	}
	if rec.Status() != HumanReview || rec.Failure == "" || rec.Prediction.Model != "sha256:model" || len(w.ids) != 1 {
		t.Errorf("got %v, failure %q, model %q, queued %v", rec.Status(), rec.Failure, rec.Prediction.Model, w.ids)
	}
	if rec.Item.ExternalID != rec.Item.ID {
		t.Errorf("external id %q, want the item's own", rec.Item.ExternalID)
	}
}

func TestSubmitFullBacklog(t *testing.T) {
	t.Parallel()
	m := newMemory()
	in := testIntake(m, &waiting{}, unsure)
	for i := range 3 {
		if _, _, err := in.Submit(t.Context(), Submission{Source: "shop", Text: fmt.Sprint("hm ", i)}); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := in.Submit(t.Context(), Submission{Source: "shop", Text: "one more"}); !errors.Is(err, ErrBacklog) {
		t.Errorf("got %v, want ErrBacklog", err)
	}
	in.Sources["shop"] = Source{Model: sure, Policy: threshold(0.85)}
	if _, _, err := in.Submit(t.Context(), Submission{Source: "shop", Text: "sure"}); err != nil {
		t.Errorf("sure item with a full backlog: %v", err)
	}
}

// A source that fills its share leaves room to the others in the queue.
func TestSubmitFullBacklogOfASource(t *testing.T) {
	t.Parallel()
	in := testIntake(newMemory(), &waiting{}, unsure)
	greedy := in.Sources["shop"]
	greedy.Backlog = 2
	in.Sources = map[string]Source{"greedy": greedy, "shop": in.Sources["shop"]}
	submit := func(source, id string) error {
		_, _, err := in.Submit(t.Context(), Submission{Source: source, ExternalID: id, Text: "hm"})
		return err
	}
	for _, step := range []struct {
		source, id string
		full       bool
	}{
		{"greedy", "1", false}, {"greedy", "2", false}, {"greedy", "3", true}, {"greedy", "1", false}, // stored: answered
		{"shop", "1", false}, {"shop", "2", true}, // the queue has three
	} {
		if err := submit(step.source, step.id); errors.Is(err, ErrBacklog) != step.full || err != nil && !step.full {
			t.Errorf("%s %s: %v", step.source, step.id, err)
		}
	}
	in.Queues = nil
	if err := submit("greedy", "4"); !errors.Is(err, ErrBacklog) || !strings.Contains(err.Error(), "greedy") {
		t.Errorf("without a limit of the queue: %v", err)
	}
}

func TestSubmitFailures(t *testing.T) {
	t.Parallel()
	observed := &seen{}
	m := newMemory()
	in := testIntake(m, &waiting{err: errors.New("redis is away")}, unsure)
	in.Observer = observed
	if _, _, err := in.Submit(t.Context(), Submission{Source: "nobody", Text: "x"}); !errors.Is(err, ErrNotFound) {
		t.Errorf("unknown source: %v", err)
	}
	if _, _, err := in.Submit(t.Context(), Submission{Source: "shop", Text: "queue is away"}); err != nil {
		t.Errorf("the queue being away lost an item: %v", err)
	}
	m.fail = errors.New("commit: connection reset")
	if _, _, err := in.Submit(t.Context(), Submission{Source: "shop", Text: "x"}); err == nil {
		t.Error("acknowledged without a commit")
	}
	if len(observed.submitted) != 3 {
		t.Errorf("observer saw %d submissions, want 3", len(observed.submitted))
	}
}

func TestSubmissionLimits(t *testing.T) {
	t.Parallel()
	deep := any("x")
	for range 20 {
		deep = map[string]any{"d": deep}
	}
	for name, tc := range map[string]struct {
		s     Submission
		field string
	}{
		"empty text":     {Submission{Text: " \n"}, "text"},
		"huge text":      {Submission{Text: strings.Repeat("a", MaxTextBytes+1)}, "text"},
		"long id":        {Submission{Text: "x", ExternalID: strings.Repeat("a", 257)}, "id"},
		"control in id":  {Submission{Text: "x", ExternalID: "a\nb"}, "id"},
		"invalid id":     {Submission{Text: "x", ExternalID: "a\xff"}, "id"},
		"long subject":   {Submission{Text: "x", Subject: strings.Repeat("a", 257)}, "subject"},
		"deep metadata":  {Submission{Text: "x", Metadata: map[string]any{"m": deep}}, "metadata"},
		"large metadata": {Submission{Text: "x", Metadata: map[string]any{"m": strings.Repeat("a", MaxMetadataBytes)}}, "metadata"},
		"no JSON":        {Submission{Text: "x", Metadata: map[string]any{"m": make(chan int)}}, "metadata"},
	} {
		_, err := tc.s.item(testTime)
		var invalid *InvalidError
		if !errors.As(err, &invalid) || invalid.Field != tc.field {
			t.Errorf("%s: %v, want an InvalidError for %s", name, err, tc.field)
		}
	}
}

func FuzzSubmission(f *testing.F) {
	f.Add("hello", "id", `{"a":[1,"\u0000",{"b":null}]}`)
	f.Add("\x00\xff<!channel>", "", `{"\u0000":"x"}`)
	f.Fuzz(func(t *testing.T, text, id, metadata string) {
		var m map[string]any
		_ = json.Unmarshal([]byte(metadata), &m)
		it, err := Submission{Source: "s", ExternalID: id, Text: text, Metadata: m}.item(testTime)
		if err != nil {
			if _, ok := errors.AsType[*InvalidError](err); !ok {
				t.Fatalf("%v is no InvalidError", err)
			}
			return
		}
		if !utf8.ValidString(it.Text) || strings.ContainsRune(it.Text, 0) {
			t.Fatalf("text %q cannot be stored", it.Text)
		}
		meta, err := json.Marshal(it.Metadata)
		if err != nil || strings.Contains(strings.ReplaceAll(string(meta), `\\`, ""), `\u0000`) {
			t.Fatalf("metadata %s cannot be stored: %v", meta, err)
		}
		again, err := Submission{Source: "s", ExternalID: id, Text: it.Text, Metadata: it.Metadata}.item(testTime)
		if err != nil || again.BodyHash != it.BodyHash {
			t.Fatalf("cleaning twice changed the body: %v", err)
		}
	})
}

func TestNewIDSortsByTime(t *testing.T) {
	t.Parallel()
	a, b := NewID("itm", testTime), NewID("itm", testTime.Add(1e6))
	if a >= b || len(a) != len("itm_")+26 {
		t.Errorf("%s, %s", a, b)
	}
}

func TestSubmitCancelled(t *testing.T) {
	t.Parallel()
	m := newMemory()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := testIntake(m, &waiting{}, oracle{err: ctx.Err()}).Submit(ctx, Submission{Source: "shop", Text: "x"}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if len(m.records) != 0 {
		t.Error("a cancelled submission was recorded")
	}
}
