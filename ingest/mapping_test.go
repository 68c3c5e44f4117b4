package ingest

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hitl"
)

func mustCompile(t testing.TB, h Hook) *mapping {
	t.Helper()
	env, err := newEnv()
	if err != nil {
		t.Fatal(err)
	}
	m, err := compile(env, h)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func payload(t testing.TB, file string) string {
	t.Helper()
	b, err := os.ReadFile("testdata/" + file)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestPayloads maps whole payloads of the kind that upstreams send.
func TestPayloads(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		hook    Hook
		headers http.Header
		want    hitl.Submission
	}{
		"github_issue.json": {
			Hook{
				When:     `headers["x-github-event"] == "issues" && body.action == "opened"`,
				ID:       `"issue-" + string(body.issue.id)`,
				Text:     `body.issue.title + "\n\n" + (body.issue.?body.orValue(null) == null ? "" : body.issue.body)`,
				Metadata: `{"repository": body.repository.full_name, "number": body.issue.number, "labels": body.issue.labels.map(l, l.name), "url": body.issue.html_url}`,
				Subject:  `body.issue.user.login`,
			},
			http.Header{"X-Github-Event": {"issues"}},
			hitl.Submission{
				ExternalID: "issue-2714523398", Text: "Export fails on large tables\n\nSince the last release it stops after 10,000 rows. Very annoying.",
				Metadata: map[string]any{
					"repository": "acme/exporter", "number": 1347.0, "labels": []any{"bug", "export"},
					"url": "https://github.com/acme/exporter/issues/1347",
				},
				Subject: "mona",
			},
		},
		"support_desk.json": {
			Hook{
				ID:       `body.ticket.id`,
				Text:     `body.ticket.comments.filter(c, c.author.role == "end-user").map(c, c.plain_body).join("\n---\n")`,
				Metadata: `{"priority": body.ticket.?priority.orValue("normal"), "tags": body.ticket.tags, "account": body.account}`,
				Subject:  `body.ticket.?requester.?email`,
			},
			nil,
			hitl.Submission{
				ExternalID: "9007199254740993", Text: "My parcel is lost.\n---\nStill nothing!",
				Metadata: map[string]any{"priority": "normal", "tags": []any{"parcel", "vip"}, "account": map[string]any{"id": "9007199254740995", "plan": "pro", "trial": false, "ends": nil}},
				Subject:  "ann@example.com",
			},
		},
	}
	for file, c := range cases {
		body, err := decodeJSON([]byte(payload(t, file)), celNumber)
		if err != nil {
			t.Fatal(err)
		}
		got, ok, p := mustCompile(t, c.hook).apply(t.Context(), body, hookHeaders(c.headers))
		if p != nil || !ok {
			t.Errorf("%s: %v, %v", file, ok, p)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", file, diff)
		}
	}
	// The same payload with another action is none of ours.
	hook := cases["github_issue.json"].hook
	body, err := decodeJSON([]byte(strings.Replace(payload(t, "github_issue.json"), `"opened"`, `"labeled"`, 1)), celNumber)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok, p := mustCompile(t, hook).apply(t.Context(), body, map[string]string{"x-github-event": "issues"}); ok || p != nil {
		t.Errorf("a labeled issue is %v, %v", ok, p)
	}
}

func TestMappingKeys(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ id, json, want, fails string }{
		{`body`, `"abc"`, "abc", ""},
		{`body`, `42`, "42", ""},
		{`body`, `-7`, "-7", ""},
		{`body`, `9223372036854775807`, "9223372036854775807", ""},
		{`body`, `18446744073709551615`, "18446744073709551615", ""},
		{`body`, `123456789012345678901234567890`, "123456789012345678901234567890", ""},
		{`body`, `42.0`, "42", ""},
		{`body`, `1e15`, "1000000000000000", ""},
		{`body`, `1.5`, "", "no integer"},
		{`body`, `1e300`, "", "no integer"},
		{`body`, `1e999`, "1e999", ""}, // beyond doubles: a string of what was sent
		{`body`, `null`, "", "yields null"},
		{`body`, `""`, "", "empty"},
		{`body`, `true`, "", "type bool"},
		{`body`, `[1]`, "", "type list"},
		{`body.a`, `{}`, "", "no such key: a"},
		{`body.?a`, `{}`, "", "yields null"},
		{`body.?a`, `{"a":3}`, "3", ""},
		{`body.a.b`, `{"a":"x"}`, "", "no such key: b"},
		{`body[0] / body[1]`, `[1,0]`, "", "division by zero"},
		{`string(body.at(0))`, ``, "", ""}, // does not compile; see below
		{`headers["x-id"]`, `1`, "from-header", ""},
		{`headers["authorization"]`, `1`, "", "no such key: authorization"},
		{`headers["cookie"]`, `1`, "", "no such key: cookie"},
		{`headers[?"x-other"].orValue("none")`, `1`, "none", ""},
	} {
		if c.json == "" {
			if err := CheckHook(Hook{Text: "'x'", ID: c.id}); err == nil {
				t.Errorf("%s compiles", c.id)
			}
			continue
		}
		body, err := decodeJSON([]byte(c.json), celNumber)
		if err != nil {
			t.Fatal(err)
		}
		h := http.Header{"X-Id": {"from-header", "second"}, "Authorization": {"Bearer planted"}, "Cookie": {"planted"}}
		s, ok, p := mustCompile(t, Hook{Text: "'x'", ID: c.id}).apply(t.Context(), body, hookHeaders(h))
		switch {
		case c.fails == "" && (p != nil || !ok || s.ExternalID != c.want):
			t.Errorf("%s over %s = %q, %v", c.id, c.json, s.ExternalID, p)
		case c.fails != "" && (p == nil || p.Code != codeUnmappable || p.Errors[0].Location != "hook.id" || !strings.Contains(p.Errors[0].Message, c.fails)):
			t.Errorf("%s over %s = %q, %v; want %q", c.id, c.json, s.ExternalID, p, c.fails)
		}
	}
}

// TestCompileErrors compares what is said of wrong expressions, with the caret under the place.
func TestCompileErrors(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		hook Hook
		want []string
	}{
		{Hook{}, []string{"text: is missing"}},
		{Hook{Text: "bdy.text"}, []string{`text: ERROR: <input>:1:1: undeclared reference to 'bdy'`, "\n | bdy.text\n | ^"}},
		{Hook{Text: "body.a +"}, []string{"text: ERROR: <input>:1:9: Syntax error", "\n | ........^"}},
		{Hook{Text: "1 + 2"}, []string{"text: `1 + 2` yields int, it must yield string"}},
		{Hook{Text: "body.a", ID: "[1]"}, []string{"id: `[1]` yields list(int), it must yield string, int, uint, double"}},
		{Hook{Text: "body.a", Metadata: "body.a == 1"}, []string{"metadata: `body.a == 1` yields bool, it must yield map(string, dyn)"}},
		{Hook{Text: "body.a", Metadata: "{1: 2}"}, []string{"yields map(int, int)"}},
		{Hook{Text: "body.a", When: "'yes'"}, []string{"when: `'yes'` yields string, it must yield bool"}},
		{Hook{Text: "body.a.matches('(')"}, []string{"text: ERROR", "matches"}},
		{Hook{Text: "body.a", ID: "x", Subject: "y"}, []string{"id: ERROR", "subject: ERROR"}},
		{Hook{Text: "'" + strings.Repeat("x", 5000) + "'"}, []string{"text: ERROR", "size"}},
	} {
		err := CheckHook(c.hook)
		for _, want := range c.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%+v: error %v does not say %q", c.hook, err, want)
			}
		}
	}
	for _, good := range []Hook{{Text: "body.a", Metadata: "{}"}, {Text: "body.a", Metadata: "{'a': 1}"}, {Text: "body.?a", Subject: "null"}, {Text: "body.a", ID: "1u"}} {
		if err := CheckHook(good); err != nil {
			t.Errorf("%+v: %v", good, err)
		}
	}
	_, err := newHooks(map[string]Source{"hub": {Hook: &Hook{Text: "bdy"}}, "desk": {Hook: &Hook{}}})
	if err == nil || !strings.Contains(err.Error(), `source "hub": hook: text: ERROR`) || !strings.Contains(err.Error(), `source "desk": hook: text: is missing`) {
		t.Errorf("newHooks: %v", err)
	}
}

// TestMappingCost makes expressions do more work than they may.
func TestMappingCost(t *testing.T) {
	t.Parallel()
	list := make([]any, 3000)
	for i := range list {
		list[i] = int64(i)
	}
	m := mustCompile(t, Hook{Text: `body.map(a, body.map(b, body.filter(c, c == a).size()).size()).size() > 0 ? "x" : "y"`})
	_, err := m.text.eval(t.Context(), map[string]any{"body": list, "headers": map[string]string{}})
	if err == nil || !strings.Contains(err.Error(), "cost limit exceeded") {
		t.Errorf("27,000,000,000 steps: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, p := m.apply(ctx, list, nil); p == nil || p.Code != codeUnmappable {
		t.Errorf("without time: %v", p)
	}
	large := strings.Repeat("x", 1<<20)
	if s, ok, p := mustCompile(t, Hook{Text: `body.contains("y") ? "y" : body + "!"`}).apply(t.Context(), large, nil); !ok || p != nil || len(s.Text) != 1<<20+1 {
		t.Errorf("the largest text: %v", p)
	}
}

func TestHook(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	body := `{"issue":{"id":2714523398,"number":7,"title":"sure","body":"thing","user":{"login":"mona"}},"repository":{"full_name":"a/b"}}`
	hub := func(body string) call {
		return call{method: "POST", path: "/v1/hooks/hub", body: body, header: hubHeader(hubSecret, body)}
	}
	rec := w.do(t, hub(body))
	got := decode[item](t, rec)
	if rec.Code != http.StatusOK || got.Source != "hub" || got.ExternalID != "2714523398" {
		t.Fatalf("hook = %d %s", rec.Code, rec.Body)
	}
	stored := w.store.byID[got.ID].Item
	if stored.Text != "sure\nthing" || stored.Subject != "mona" || fmt.Sprint(stored.Metadata) != "map[number:7 repo:a/b]" {
		t.Errorf("stored = %+v", stored)
	}
	if rec = w.do(t, hub(body)); rec.Code != http.StatusOK || rec.Header().Get("Idempotent-Replayed") != "true" {
		t.Errorf("delivered again = %d %v", rec.Code, rec.Header())
	}
	ping := hub(`{"zen":"Keep it logically awesome."}`)
	ping.header["X-GitHub-Event"] = "ping"
	if rec = w.do(t, ping); rec.Code != http.StatusNoContent || rec.Body.Len() != 0 {
		t.Errorf("ping = %d %s", rec.Code, rec.Body)
	}
	// Without an id expression a Standard Webhooks message has its own.
	desk := call{method: "POST", path: "/v1/hooks/desk", body: `{"data":{"message":"unsure"}}`, header: map[string]string{}}
	for k, v := range webhookHeader(t, webhookSecret, "msg_42", testNow, desk.body) {
		desk.header[k] = v[0]
	}
	if rec = w.do(t, desk); rec.Code != http.StatusAccepted || decode[item](t, rec).ExternalID != "msg_42" {
		t.Errorf("desk = %d %s", rec.Code, rec.Body)
	}
}
