package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hitl"
	"hitl/classifier"
	"hitl/config"
)

// cascade puts a small model before the story's, which keeps what it is sure of from 0.9 on.
func (w *world) cascade(small string) {
	w.t.Helper()
	w.reconfigure("sentiment: {model:", fmt.Sprintf("sentiment: {cascade: {model: %q, threshold: 0.9}, model:", small))
}

func (w *world) stages(small, large, fallback int) {
	w.t.Helper()
	metrics := string(w.request(http.MethodGet, w.metrics+"/metrics", nil, nil).body)
	for stage, n := range map[string]int{"small": small, "large": large, "fallback": fallback} {
		if line := fmt.Sprintf(`hitl_cascade_texts_total{classifier="sentiment",stage=%q} %d`, stage, n); !strings.Contains(metrics, line+"\n") {
			w.t.Errorf("metrics lack %s", line)
		}
	}
}

// Each stage answers an item, and the log names the model and its place. The large model is replaced while the small one stays, but by none with other labels; and
// what is learned of one judge is not said of another.
func TestCascadeInService(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *storySettings) { s.Rate = 1 })
	w.appendConfig("audit: {key: \"" + strings.Fields(w.mustHitl("log", "key", "log.example.org"))[0] + "\", checkpoint_every: 1s}\n")
	_, large := w.modelOf(unsureText) // alone, before there is a cascade
	misfit := w.addModel(altered(t, "other labels", "bad", "good"))
	w.cascade(altered(t, "small"))

	sure, small := w.modelOf(sureText)
	unsure, second := w.modelOf(unsureText)
	if small == large || second != large || sure.AILabel == "" || unsure.AILabel == "" {
		t.Fatalf("%s answered the sure text, %s the other, %s runs", small, second, large)
	}
	c := hitl.NewCascade(small, 0.9, large)
	for _, one := range []struct {
		id, model, stage string
	}{{sure.ID, small, c.Before()}, {unsure.ID, large, c.After()}} {
		e := w.log(one.id)[0]
		if e.Model != one.model || e.Context["stage"] != one.stage {
			t.Errorf("the log says %s: %v", e.Model, e.Context)
		}
	}
	w.stages(1, 1, 0)
	if log := w.logs.String(); !strings.Contains(log, "from 0.9 on, then starter") {
		t.Error("the log does not say what runs")
	}

	sure, _ = w.modelOf(sureText) // the latest item is the small model's
	cfg, err := config.Load(w.configFile(), os.LookupEnv)
	if err != nil {
		t.Fatal(err)
	}
	e, err := newEvidence(t.Context(), cfg, w.ledger(), "sentiment", time.Hour)
	if err != nil || e.judge != c.String() || e.model != large || len(e.items) != 3 || e.others != 1 || !e.items[0].Small() || e.items[1].Small() {
		t.Errorf("evidence: %+v, %v", e, err)
	}
	a, err := newAdviser(t.Context(), e, "sentiment")
	if err != nil || len(a.routed) != 3 {
		t.Errorf("an advice is about %d items of 3, %v", len(a.routed), err)
	}
	if _, _, err := e.calibrate(0); err == nil || !strings.Contains(err.Error(), "answer") {
		t.Errorf("calibrated by no answer: %v", err)
	}
	var advice adviceReport
	if err := json.Unmarshal([]byte(w.mustHitl("advise", "--json")), &advice); err != nil || advice.Model != c.String() {
		t.Errorf("advice is about %s, %v", advice.Model, err)
	}

	promoted := w.addModel(altered(t, "promoted"))
	w.mustHitl("model", "promote", promoted)
	w.eventually("the promoted model sees the rest", func() bool { _, v := w.modelOf(unsureText); return v == promoted })
	if _, v := w.modelOf(sureText); v != small {
		t.Errorf("after the promotion %s answers the sure text, not %s", v, small)
	}
	if _, err := w.hitl("model", "promote", misfit); err == nil || !strings.Contains(err.Error(), "must have the same labels") {
		t.Errorf("promoted with other labels: %v", err)
	}
	change := hitl.ModelChange{Version: misfit, From: "starter"} // as if it had been accepted before there was a cascade
	if _, err := putForward(t.Context(), w.ledger(), hitl.ProposeModel, "sentiment", "", change, hitl.ModelEvidence{}, true, "cli/ben"); err != nil {
		t.Fatal(err)
	}
	w.eventually("the service says that it does not fit", func() bool {
		return strings.Contains(w.logs.String(), "must have the same labels: the small one alone has")
	})
	if _, v := w.modelOf(unsureText); v != promoted {
		t.Errorf("after a promotion that does not fit %s sees the rest", v)
	}
	w.stop()
	w.start() // with the configured model, as when a promoted one does not open
	if _, v := w.modelOf(unsureText); v != large {
		t.Errorf("after a new start %s sees the rest", v)
	}
	if out := w.mustHitl("verify"); !strings.Contains(out, "nothing was altered") {
		t.Errorf("verify: %s", out)
	}
}

// A small model that fails on every text costs nothing but its time; one that kills the process costs one process, and then its text is the large one's.
func TestCascadeWithABrokenSmallModel(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	_, large := w.modelOf(sureText)
	w.cascade(brokenModel(t))
	if it, v := w.modelOf(sureText); v != large || it.Status != hitl.AIAccepted {
		t.Errorf("%s answered: %+v", v, it)
	}
	w.stages(0, 0, 1)

	w.stop()
	w.writeConfig()
	w.cascade(killerModel(t, "refund"))
	w.stop()
	raw, err := os.ReadFile(w.configFile())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(w.configFile(), bytes.Replace(raw, []byte("sentiment: {"), []byte(`sentiment: {onnxruntime: "off", `), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	child := w.startChild()
	if status, err := w.send("poison", "I want a refund."); err == nil {
		t.Fatalf("status %d, want a dead service", status)
	}
	if err := child.wait(); err == nil {
		t.Fatal("the service ended well")
	}
	w.passTime()
	child = w.startChild()
	if status, err := w.send("poison", "I want a refund."); err != nil || status >= 300 {
		t.Fatalf("status %d, %v", status, err)
	}
	if got := query[string](w, `SELECT m.version || ' ' || i.failure FROM hitl.items i JOIN hitl.model_versions m ON m.id = i.model_id WHERE external_id = 'poison'`); got != large+" " {
		t.Errorf("the poison was answered by %q", got)
	}
	w.stages(0, 0, 1)
	if err := child.interrupt(); err != nil {
		t.Errorf("the service ended with %v: %s", err, child.log)
	}
}

// What does not fit together is said at the start.
func TestCascadeThatDoesNotStart(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.stop()
	for _, c := range []struct{ small, want string }{
		{altered(t, "other labels", "bad", "good"), `classifier "sentiment": the models of the cascade must have the same labels: the small one alone has ["bad" "good"], the large one alone ["NEGATIVE" "POSITIVE"]`},
		{filepath.Join(w.dir, "nowhere"), `classifier "sentiment": cascade: open model `},
		{altered(t, ""), ""}, // fits
	} {
		w.writeConfig()
		raw, err := os.ReadFile(w.configFile())
		if err != nil {
			t.Fatal(err)
		}
		text := strings.Replace(string(raw), "sentiment: {model:", fmt.Sprintf("sentiment: {cascade: {model: %q, threshold: 1}, model:", c.small), 1)
		if err := os.WriteFile(w.configFile(), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		cfg, err := config.Load(w.configFile(), os.LookupEnv)
		if err != nil {
			t.Fatal(err)
		}
		s, err := openService(t.Context(), cfg, slog.New(slog.DiscardHandler), io.Discard)
		switch {
		case c.want == "" && err != nil, c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("error %v, want %q", err, c.want)
		}
		if err == nil {
			s.close()
		}
	}
}

// Two heads that were trained on different texts, held against each other: the threshold is that at which the cascade of the two does what is promised, on those texts.
func TestCascadeCommand(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := func(name string, keep func(i int) bool, columns ...int) string {
		t.Helper()
		raw, err := os.ReadFile(tickets)
		if err != nil {
			t.Fatal(err)
		}
		rows, err := csv.NewReader(bytes.NewReader(raw)).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		to := csv.NewWriter(&out)
		for i, row := range rows {
			if i > 0 && !keep(i) {
				continue
			}
			cells := make([]string, len(columns))
			for j, c := range columns {
				cells[j] = row[c]
			}
			if err := to.Write(cells); err != nil {
				t.Fatal(err)
			}
		}
		to.Flush()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, out.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	all := func(int) bool { return true }
	run := func(args ...string) (string, error) {
		var out bytes.Buffer
		p := program{stdin: strings.NewReader(""), stdout: &out, stderr: io.Discard, env: os.LookupEnv}
		err := p.run(t.Context(), args)
		return out.String(), err
	}
	small, large := filepath.Join(dir, "small"), filepath.Join(dir, "large")
	for _, args := range [][]string{
		{"train", "--data", file("half.csv", func(i int) bool { return (i-1)/4%2 == 0 }, 0, 1), "--out", small},
		{"train", "--data", tickets, "--out", large},
	} {
		if out, err := run(args...); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	config := filepath.Join(dir, "hitl.yaml")
	text := fmt.Sprintf("postgres: {url: postgres://x}\nredis: {addrs: [\"x:1\"]}\nslack: {bot_token: xoxb-1, signing_secret: s}\nclassifiers: {tickets: {model: %q}}\n"+
		"queues: {default: {channel: C0X, reviewers: {users: [U0X]}}}\nsources: {a: {classifier: tickets}}\n", large)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	ask := func(args ...string) (string, error) {
		return run(append([]string{"--config", config, "cascade", "--small", small}, args...)...)
	}
	out, err := ask("--data", tickets, "--risk", "0.2", "--confidence", "0.8", "--json")
	if err != nil {
		t.Fatal(err)
	}
	var r cascadeReport
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatal(err)
	}
	if !r.Found || r.Items != 96 || r.Kept <= 0 || r.Upper > 0.2 || r.Tested < 8 || r.Small.PerSecond <= 0 || r.Answered == nil || len(r.Curve) == 0 {
		t.Fatalf("%+v", r)
	}

	// The cascade with that threshold.
	s, err := classifier.Open(t.Context(), classifier.Options{Model: small})
	if err != nil {
		t.Fatal(err)
	}
	l, err := classifier.Open(t.Context(), classifier.Options{Model: large})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := errors.Join(s.Close(), l.Close()); err != nil {
			t.Error(err)
		}
	}()
	both, err := classifier.NewCascade(s, l, r.Threshold, func(classifier.Stage) {})
	if err != nil {
		t.Fatal(err)
	}
	examples, err := exampleFile(tickets).examples(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	kept, differ, right := 0, 0, 0
	for _, e := range examples {
		p, err := both.Classify(t.Context(), e.Text)
		if err != nil {
			t.Fatal(err)
		}
		alone, err := l.Classify(t.Context(), e.Text)
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case p.Model == s.Version():
			kept++
			if p.Label != alone.Label {
				differ++
			}
			if p.Label == e.Label {
				right++
			}
		case p.Label != alone.Label:
			t.Errorf("%q: the large model says %s in the cascade and %s alone", e.Text, p.Label, alone.Label)
		}
	}
	if kept != int(r.Kept*96+0.5) || differ < r.Differ || kept < r.Tested || r.Answered.Items != kept || int(r.Answered.Candidate*float64(kept)+0.5) != right {
		t.Errorf("the small model keeps %d of 96, %d differ, %d are right; reported %+v, %+v", kept, differ, right, r, r.Answered)
	}

	words, err := ask("--data", file("texts.csv", all, 0), "--risk", "0.2", "--confidence", "0.8") // without labels
	if err != nil || !strings.Contains(words, fmt.Sprintf("\n    cascade:\n      model: %s\n      threshold: %s\n", small, threshold(r.Threshold))) || strings.Contains(words, "As people answered") {
		t.Errorf("%v: %s", err, words)
	}
	if words, err := ask("--data", tickets); err != nil || !strings.Contains(words, "The texts do not suffice") && !strings.Contains(words, "Nothing can be promised") {
		t.Errorf("96 texts, and a risk of 0.01: %v: %s", err, words)
	}
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"--data", tickets, "--small", "starter"}, "must have the same labels"},
		{[]string{"--data", tickets, "--small", large}, "are the same"},
		{[]string{"--data", tickets, "--risk", "1%"}, "--risk: "},
		{[]string{"--data", filepath.Join(dir, "none.csv")}, "no such file"},
	} {
		if out, err := ask(c.args...); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v %s, want %q", c.args, err, out, c.want)
		}
	}
	if out, err := run("--config", config, "cascade", "--data", tickets); err == nil || !strings.Contains(err.Error(), "say which small model") {
		t.Errorf("without a small model: %v %s", err, out)
	}
}

// The texts are those of the latest items, answered by people or not, that are not erased.
func TestCascadeOfItems(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	if _, err := w.hitl("cascade", "--small", altered(t, "small")); err == nil || !strings.Contains(err.Error(), "has no items since") {
		t.Errorf("of nothing: %v", err)
	}
	gone := w.post("gone", "I want a refund of what I paid.", http.StatusAccepted)
	w.mustHitl("erase", "--item", gone.ID, "--reason", "asked to")
	for i := range 3 {
		w.post(fmt.Sprint("sure-", i), sureText, http.StatusOK)
	}
	raw, err := os.ReadFile(tickets)
	if err != nil {
		t.Fatal(err)
	}
	header, rows, _ := bytes.Cut(raw, []byte("\n"))
	file := filepath.Join(w.dir, "texts.csv")
	if err := os.WriteFile(file, append(append(header, '\n'), bytes.Repeat(rows, 5)...), 0o600); err != nil {
		t.Fatal(err)
	}
	n := w.answered(file) // an hour ago
	ask := func(args ...string) (r cascadeReport) {
		t.Helper()
		out := w.mustHitl(append([]string{"cascade", "--small", altered(t, "small"), "--risk", "0.2", "--json"}, args...)...)
		if err := json.Unmarshal([]byte(out), &r); err != nil {
			t.Fatal(err)
		}
		return r
	}
	r := ask()
	if r.Items != n+3 || !r.Found || r.Kept < 0.9 || r.Differ != 0 || r.Answered == nil || r.Answered.Items > n || r.Answered.Items < n*9/10 {
		t.Errorf("%+v, %+v", r, r.Answered)
	}
	if r := ask("--items", "5"); r.Items != 5 || r.Found || r.More == 0 {
		t.Errorf("the latest five: %+v", r)
	}
}
