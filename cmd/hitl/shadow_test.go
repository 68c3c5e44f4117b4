package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"hitl"
	"hitl/audit"
	"hitl/classifier/learn"
)

// addModel adds a model and returns its version.
func (w *world) addModel(dir string) string {
	w.t.Helper()
	digits := strings.Fields(w.mustHitl("model", "add", dir))[2]
	var one struct {
		Version string `json:"version"`
	}
	if err := json.Unmarshal([]byte(w.mustHitl("model", "show", digits)), &one); err != nil {
		w.t.Fatal(err)
	}
	return one.Version
}

// heard waits until the service's log says something of a model.
func (w *world) heard(words, version string) {
	w.t.Helper()
	w.eventually(words, func() bool {
		for line := range strings.Lines(w.logs.String()) {
			if strings.Contains(line, words) && strings.Contains(line, version) {
				return true
			}
		}
		return false
	})
}

func (w *world) inShadow(version string) int {
	w.t.Helper()
	return query[int](w, `SELECT count(*) FROM hitl.shadow WHERE model = $1`, version)
}

func (w *world) compared(version string) (r shadowReport) {
	w.t.Helper()
	if err := json.Unmarshal([]byte(w.mustHitl("model", "compare", version, "--json")), &r); err != nil {
		w.t.Fatal(err)
	}
	return r
}

// A proposed model says of live items what it would have said, and nothing comes of it; people's answers tell who is right. It ends with the proposal.
func TestShadow(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *storySettings) { s.Labels, s.Queue = []string{"bad", "good"}, "    owners: {users: [U0ANA]}" })
	w.appendConfig("audit: {key: \"" + strings.Fields(w.mustHitl("log", "key", "log.example.org"))[0] + "\", checkpoint_every: 1s}\n")
	_, incumbent := w.modelOf(sureText)
	if _, err := w.hitl("model", "compare"); err == nil || !strings.Contains(err.Error(), "no model is proposed") {
		t.Errorf("before there is a candidate: %v", err)
	}
	candidate := w.addModel(altered(t, "candidate", "bad", "good"))
	if out := w.mustHitl("model", "compare", candidate); !strings.Contains(out, "has classified no item of sentiment in the shadow") {
		t.Errorf("before it is proposed: %s", out)
	}
	w.mustHitl("model", "propose", candidate)
	w.heard("a proposed model runs in the shadow", candidate)

	says := map[string]string{"NEGATIVE": "bad", "POSITIVE": "good"}
	store := w.ledger()
	var items []item
	for i := range 10 {
		it := w.post(fmt.Sprint("s-", i), unsureText, http.StatusAccepted)
		if says[it.AILabel] == "" || it.Status != hitl.HumanReview {
			t.Fatalf("in the shadow of another: %+v", it)
		}
		items = append(items, it)
	}
	w.post("s-0", unsureText, http.StatusAccepted) // a replay
	sure := w.post("sure", sureText, http.StatusOK)
	w.eventually("all are classified", func() bool { return w.inShadow(candidate) == 11 })
	for i, it := range append(items, sure) {
		got := query[string](w, `SELECT label || ' ' || (confidence = $2)::text FROM hitl.shadow WHERE item_id = $1`, it.ID, it.Confidence)
		if got != says[it.AILabel]+" true" {
			t.Errorf("item %d: the candidate says %s", i, got)
		}
		if e := w.log(it.ID)[0]; e.Model != incumbent || e.AILabel != it.AILabel {
			t.Errorf("item %d: the log says %+v", i, e)
		}
	}
	if r := w.compared(""); r.Shadowed != 11 || r.Answered != 0 || r.Comparison != nil || r.Candidate != nil {
		t.Errorf("before people answered: %+v", r)
	}
	if out := w.mustHitl("model", "compare"); !strings.Contains(out, "nothing can be said of who is right") {
		t.Errorf("before people answered: %s", out)
	}

	for i, it := range items { // the candidate is right 8 times, the incumbent twice
		d := hitl.Decision{ReviewID: it.Review.ID, Round: 1, Status: hitl.HumanCorrected, Label: says[it.AILabel], Reviewer: hitl.Reviewer{Team: "T0SLACKSIM", User: "U0BEN"}, At: time.Now()}
		if i >= 8 {
			d.Status, d.Label = hitl.HumanAccepted, it.AILabel
		}
		if _, _, err := store.Decide(t.Context(), d, nil); err != nil {
			t.Fatal(err)
		}
	}
	w.mustHitl("erase", "--item", items[0].ID, "--reason", "asked to")
	r := w.compared("")
	c := r.Comparison
	// Of a fair coin, 2 or fewer of 10 one way or the other: 2·(1 + 10 + 45)/1024.
	if c == nil || c.Items != 10 || c.Candidate != 0.8 || c.Incumbent != 0.2 || math.Abs(c.Difference-0.6) > 1e-9 || c.P != 0.109375 || c.Verdict != string(learn.NotToldApart) {
		t.Errorf("compared: %+v", c)
	}
	want := disagree{Incumbent: items[0].AILabel, Candidate: says[items[0].AILabel], Items: 10, IncumbentRight: 2, CandidateRight: 8}
	if sure.AILabel == items[0].AILabel {
		want.Items++
	}
	if r.Both != 11 || r.Same != 0 || len(r.Disagree) == 0 || r.Disagree[0] != want || !slices.Equal(r.Incumbents, []string{incumbent}) {
		t.Errorf("agreement: %+v", r)
	}
	out := w.mustHitl("model", "compare", "--since", "1h")
	for _, words := range []string{"shadowed   11 items; 0 left out", "agreement  0.0%", "answered   10 by people", "candidate  80.0% right", "+60.0 points", "p = 0.11, on 10 items: not told apart"} {
		if !strings.Contains(out, words) {
			t.Errorf("it does not say %q: %s", words, out)
		}
	}
	metrics := string(w.request(http.MethodGet, w.metrics+"/metrics", nil, nil).body)
	for _, line := range []string{`hitl_shadow_items_total{classifier="sentiment",outcome="classified"} 11`, `hitl_shadow_disagreements_total{classifier="sentiment"} 11`} {
		if !strings.Contains(metrics, line) {
			t.Errorf("metrics lack %s", line)
		}
	}

	var open []hitl.Proposal
	if err := json.Unmarshal([]byte(w.mustHitl("proposals", "list", "--json")), &open); err != nil || len(open) != 1 {
		t.Fatalf("%+v, %v", open, err)
	}
	w.mustHitl("proposals", "decline", open[0].ID)
	w.heard("a proposed model has left the shadow", candidate)
	w.post("declined", sureText, http.StatusOK)

	second, third := w.addModel(altered(t, "second")), w.addModel(altered(t, "third"))
	w.mustHitl("model", "propose", second)
	w.heard("a proposed model runs in the shadow", second)
	w.post("second", sureText, http.StatusOK)
	w.mustHitl("model", "propose", third) // replaces it
	w.heard("a proposed model runs in the shadow", third)
	w.post("third", sureText, http.StatusOK)
	w.eventually("the third is asked", func() bool { return w.inShadow(third) == 1 })
	if a, b := w.inShadow(candidate), w.inShadow(second); a != 11 || b != 1 {
		t.Errorf("the declined one said %d things, the replaced one %d", a, b)
	}
	w.mustHitl("model", "promote", third)
	w.heard("a proposed model has left the shadow", third)
	w.eventually("the third runs", func() bool { _, v := w.modelOf(sureText); return v == third })
	if out := w.mustHitl("verify"); !strings.Contains(out, "nothing was altered") {
		t.Errorf("verify: %s", out)
	}
}

// stuckModel hangs until it is closed.
type stuckModel struct {
	asked, free chan struct{}
	close       func()
}

func newStuckModel() *stuckModel {
	m := &stuckModel{asked: make(chan struct{}, 1), free: make(chan struct{})}
	m.close = sync.OnceFunc(func() { close(m.free) })
	return m
}

func (m *stuckModel) Classify(ctx context.Context, _ string) (hitl.Prediction, error) {
	select {
	case m.asked <- struct{}{}:
	default:
	}
	select {
	case <-m.free:
		return hitl.Prediction{}, fmt.Errorf("no answer: %w", hitl.ErrModel)
	case <-ctx.Done():
		return hitl.Prediction{}, ctx.Err()
	}
}

func (m *stuckModel) Close() error { m.close(); return nil }

func scrape(t *testing.T, m *metrics) string {
	t.Helper()
	w := httptest.NewRecorder()
	m.handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
	return w.Body.String()
}

// A candidate that hangs takes nothing but the room that it has, and ends with the service.
func TestShadowThatHangs(t *testing.T) {
	t.Parallel()
	model, loaded, saved := newStuckModel(), make(chan struct{}), make(chan int, 1)
	tries := 0
	s := &shadow{
		name: "tickets", share: 1, metrics: newMetrics(), logger: slog.New(slog.DiscardHandler), items: make(chan shadowItem, shadowRoom),
		wanted: func(context.Context) (string, error) { return "v1", nil },
		load: func(context.Context, string) (shadowModel, error) {
			if tries++; tries == 1 {
				return nil, errors.New("the registry is away")
			}
			return model, nil
		},
		save: func(_ context.Context, list []audit.ShadowPrediction) error { saved <- len(list); return nil },
	}
	rec := func(i int) hitl.Record {
		return hitl.Record{Item: hitl.Item{ID: fmt.Sprint("itm_", i)}, Classifier: "tickets"}
	}
	s.offer(rec(0)) // there is no model yet
	for range 3 {   // fails, waits, waits
		if err := s.look(t.Context()); err != nil || s.runs.Load() || tries != 1 {
			t.Fatalf("%d tries, error %v", tries, err)
		}
	}
	s.retry = time.Now()
	if err := s.look(t.Context()); err != nil || !s.runs.Load() {
		t.Fatalf("it does not run: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	go func() { defer close(loaded); _ = s.Run(ctx) }()
	observer := shadows{s.metrics, map[string]*shadow{"tickets": s}}
	observer.Submitted(t.Context(), rec(1), false, 0, nil)
	<-model.asked
	for i := range 1000 {
		observer.Submitted(t.Context(), rec(i), false, 0, nil)
		observer.Submitted(t.Context(), rec(i), true, 0, nil)           // a replay
		observer.Submitted(t.Context(), rec(i), false, 0, hitl.ErrBusy) // refused
		observer.Submitted(t.Context(), hitl.Record{}, false, 0, nil)   // of a classifier that has no shadow
	}
	if n := len(s.items); n != shadowRoom {
		t.Errorf("%d items wait", n)
	}
	cancel()
	<-loaded
	if !strings.Contains(scrape(t, s.metrics), `hitl_shadow_items_total{classifier="tickets",outcome="left_out"} 1001`) {
		t.Errorf("metrics: %s", scrape(t, s.metrics))
	}
	select {
	case <-model.free:
	default:
		t.Error("the model was not closed")
	}
	if s.runs.Load() || len(saved) != 0 {
		t.Error("the shadow goes on")
	}
}

// A candidate that kills the process on a text does so once: the item has its answer by then, and the text is not tried again in the shadow.
func TestShadowThatKills(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.stop()
	text, err := os.ReadFile(w.configFile())
	if err != nil {
		t.Fatal(err)
	}
	text = bytes.Replace(text, []byte("sentiment: {model:"), []byte(`sentiment: {onnxruntime: "off", model:`), 1)
	if err := os.WriteFile(w.configFile(), text, 0o600); err != nil {
		t.Fatal(err)
	}
	candidate := w.addModel(killerModel(t, "refund"))
	w.mustHitl("model", "propose", candidate)
	shadowing := func() *child {
		c := w.startChild()
		w.eventually("the candidate runs", func() bool { return strings.Contains(c.log.String(), "a proposed model runs in the shadow") })
		return c
	}
	child := shadowing()
	_, _ = w.send("poison-0", poisonText) // its answer may be under way when the process dies
	if err := child.wait(); err == nil || !strings.Contains(child.log.String(), "integer divide by zero") {
		t.Fatalf("the service ended with %v: %s", err, child.log)
	}
	w.passTime()
	child = shadowing()
	it := w.post("poison-1", poisonText, http.StatusAccepted)
	if it.AILabel == "" || slices.Contains(it.Triggers, hitl.TriggerModelError) {
		t.Errorf("the incumbent says %+v", it)
	}
	w.eventually("the candidate is taken as failed", func() bool { return w.inShadow(candidate) == 1 })
	if label := query[string](w, `SELECT label FROM hitl.shadow WHERE item_id = $1`, it.ID); label != "" {
		t.Errorf("the candidate says %q", label)
	}
	if n := query[int](w, `SELECT count(*) FROM hitl.items WHERE external_id LIKE 'poison-%' AND ai_label <> ''`); n != 2 {
		t.Errorf("%d items have their answer", n)
	}
	if err := child.interrupt(); err != nil {
		t.Errorf("the service ended with %v: %s", err, child.log)
	}
}
