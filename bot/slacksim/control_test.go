package slacksim_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/slack-go/slack"

	"hitl/bot/slacksim"
)

// control calls the control API and decodes what it answers.
func control(t *testing.T, w *world, method, path, body string, into any) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, w.url+"/_sim/"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := w.http.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(res.Body)
	_ = res.Body.Close()
	if err != nil {
		t.Fatal(err)
	}
	if into != nil {
		if err := json.Unmarshal(text, into); err != nil {
			t.Fatalf("%s %s: %v: %s", method, path, err, text)
		}
	}
	return res.StatusCode
}

// TestControlAPI drives the whole way of a card over HTTP, as a script would.
func TestControlAPI(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.app.respond = func(rw http.ResponseWriter, got received) {
		if got.call.Type == slack.InteractionTypeBlockActions {
			if _, err := w.client.OpenView(got.call.TriggerID, form("Correct")); err != nil {
				t.Errorf("open: %v", err)
			}
		}
		if got.slash.Command != "" {
			_, _ = io.WriteString(rw, "stats")
		}
	}
	post(t, w, "C0REVIEW", slack.MsgOptionText("a", false), card())
	var messages []slacksim.Message
	control(t, w, "GET", "messages?channel=C0REVIEW", "", &messages)
	if len(messages) != 1 || len(messages[0].Elements()) != 2 {
		t.Fatalf("messages: %+v", messages)
	}
	var out slacksim.Outcome
	click := `{"user":"U0ANA","channel":"C0REVIEW","ts":"` + messages[0].TS + `","action_id":"other"}`
	if code := control(t, w, "POST", "click", click, &out); code != 200 || out.Status != 200 || out.TriggerID == "" {
		t.Errorf("click: %d %+v", code, out)
	}
	var views []slacksim.View
	control(t, w, "GET", "views?user=U0ANA", "", &views)
	if len(views) != 1 || views[0].Title != "Correct" {
		t.Fatalf("views: %+v", views)
	}
	control(t, w, "POST", "value", `{"user":"U0ANA","block_id":"comment","action_id":"text","input":{"text":"hm"}}`, nil)
	out = slacksim.Outcome{}
	control(t, w, "POST", "submit", `{"user":"U0ANA"}`, &out)
	if out.Errors["label"] == "" {
		t.Errorf("submit: %+v", out)
	}
	control(t, w, "POST", "submit", `{"user":"U0ANA","values":{"label":{"choice":{"option":"POSITIVE"}}}}`, nil)
	if c := w.app.last().call; c.View.State.Values["comment"]["text"].Value != "hm" {
		t.Errorf("submission: %s", w.app.last().body)
	}
	control(t, w, "POST", "command", `{"user":"U0ANA","channel":"C0REVIEW","command":"/hitl","text":"stats"}`, nil)
	var seen []slacksim.Message
	control(t, w, "GET", "ephemerals?user=U0ANA", "", &seen)
	if len(seen) != 1 || seen[0].Text != "stats" {
		t.Errorf("ephemerals: %+v", seen)
	}
	control(t, w, "POST", "fail", `{"method":"auth.test","retry_after_s":7}`, nil)
	if _, err := w.client.AuthTestContext(t.Context()); err == nil || !strings.Contains(err.Error(), "7s") {
		t.Errorf("fault: %v", err)
	}
	var problem struct{ Error string }
	for path, body := range map[string]string{
		"click": `{"user":"U0ANA","channel":"C0REVIEW","ts":"1.000000"}`, "submit": `{"user":"U0ANA"}`, "fail": `{"method":"nope","status":500}`,
		"post": `{"user":"U0ANA","channel":"C0REVIEW","colour":"red"}`, "close": `{"user":"U0NOBODY"}`, "home": `{"user":"U0NOBODY"}`,
	} {
		if code := control(t, w, "POST", path, body, &problem); code != 400 || problem.Error == "" {
			t.Errorf("%s: %d %q", path, code, problem.Error)
		}
	}
	w.clean(t)
	for _, path := range []string{"state?user=U0ANA&channel=C0REVIEW", "responses", "calls", "refused", "deliveries", "home?user=U0ANA"} {
		var any any
		if code := control(t, w, "GET", path, "", &any); code != 200 {
			t.Errorf("%s: %d", path, code)
		}
	}
	control(t, w, "POST", "reset", "", nil)
	if n := len(w.sim.Messages("C0REVIEW")) + len(w.sim.Calls("")); n != 0 {
		t.Errorf("%d things are left after reset", n)
	}
}

func TestControlRefusesOtherOrigins(t *testing.T) {
	t.Parallel()
	w := start(t)
	for name, change := range map[string]func(*http.Request){
		"form":         func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") },
		"other origin": func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") },
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.url+"/_sim/reset", strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		change(req)
		res, err := w.http.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode < 400 {
			t.Errorf("%s: %d", name, res.StatusCode)
		}
	}
}

func TestLiveUpdatesAndWait(t *testing.T) {
	t.Parallel()
	w := start(t)
	ctx := context5(t)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, w.url+"/_sim/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := w.http.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	lines := bufio.NewScanner(res.Body)
	next := func() string {
		for lines.Scan() {
			if s, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
				return s
			}
		}
		t.Fatalf("the stream ended: %v", lines.Err())
		return ""
	}
	first := next()
	done := make(chan error, 1)
	go func() { done <- w.sim.Wait(ctx, func() bool { return len(w.sim.Messages("C0REVIEW")) == 1 }) }()
	post(t, w, "C0REVIEW", slack.MsgOptionText("x", false))
	if second := next(); second == first {
		t.Error("no change was told")
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	w.sim.Close()
	for lines.Scan() { // to the end, which Close brings about
	}
	if err := w.sim.Wait(context.Background(), func() bool { return false }); err == nil {
		t.Error("Wait outlives Close")
	}
}

func TestPageIsGuarded(t *testing.T) {
	t.Parallel()
	w := start(t)
	for _, path := range []string{"/", "/assets/app.js", "/assets/style.css", "/_sim/"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.url+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := w.http.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		csp := res.Header.Get("Content-Security-Policy")
		if res.StatusCode != http.StatusOK || path != "/_sim/" && (!strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "unsafe")) {
			t.Errorf("%s: %d, policy %q", path, res.StatusCode, csp)
		}
	}
}
