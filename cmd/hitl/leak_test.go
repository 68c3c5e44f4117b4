package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"hitl"
	"hitl/bot/slacksim"
)

// Words planted in what people send. None may come out anywhere but where texts belong: Postgres, the reviewers' Slack, an export.
var marks = map[string]string{
	"text": "zqtextqz", "metadata": "zqmetaqz", "subject": "zqsubjectqz", "comment": "zqcommentqz",
	"wrong key": "zqwrongkeyqz", "forged payload": "zqforgedqz", "unmappable payload": "zqunmappableqz", "receiver's answer": "zqansweredqz",
}

// TestNothingLeaks runs everything that a service does, well and badly, and looks for planted texts and for every secret in all that comes
// out: the log at its most talkative, metrics, traces, answers, Redis, what the commands print, the bundle for outsiders.
func TestNothingLeaks(t *testing.T) {
	t.Parallel()
	traces := newCollector(t)
	w := newWorld(t, func(s *storySettings) { s.Telemetry = traces.section(1) })
	outputs := map[string]string{}
	keep := func(name string, a answer) answer {
		outputs["answer to "+name] += string(a.body) + fmt.Sprint(a.header)
		return a
	}
	submit := func(id, text string) map[string]any {
		return map[string]any{
			"id": id, "text": text + " " + marks["text"], "subject": marks["subject"], "metadata": map[string]any{"note": marks["metadata"]},
		}
	}
	post := func(name, path string, body any, header map[string]string) answer {
		h := map[string]string{"Authorization": "Bearer " + storyKey, "Content-Type": "application/json"}
		maps.Copy(h, header)
		return keep(name, w.requestWith(http.MethodPost, path, body, nil, h))
	}

	// What goes well: a review that is corrected with a comment, a batch, a hook, reading it all.
	var it item
	w.request(http.MethodPost, "/v1/items", submit("leak-1", unsureText), &it)
	w.correctByModal("U0BEN", it, other(it.AILabel), "Irony", marks["comment"])
	w.calledBack(it)
	post("a batch", "/v1/items/batch", map[string]any{"items": []any{submit("leak-2", sureText), submit("leak-3", ""), 7}}, nil)
	hook := func(name, body, secret string) {
		mac := hmac.New(sha256.New, []byte(secret))
		mac.Write([]byte(body))
		post(name, "/v1/hooks/github", body, map[string]string{"Authorization": "", "X-Hub-Signature-256": "sha256=" + hex.EncodeToString(mac.Sum(nil))})
	}
	hook("a hook", fmt.Sprintf(`{"issue":{"id":1,"title":"x","body":%q},"repository":{"name":%q}}`, unsureText+marks["text"], marks["metadata"]), hookSecret)
	for _, path := range []string{"/v1/items/" + it.ID, "/v1/items/" + it.ID + "/log", "/v1/stats", "/v1/log/checkpoint", "/docs", "/openapi.json", "/readyz"} {
		keep("GET "+path, w.request(http.MethodGet, path, nil, nil))
	}

	// What is refused, and why it is said so.
	post("another text under the same id", "/v1/items", submit("leak-1", "other"), nil)
	long := submit("leak-4", strings.Repeat(marks["text"], hitl.MaxTextBytes/8))
	post("a text that is too long", "/v1/items", long, nil)
	post("broken JSON", "/v1/items", `{"text":"`+marks["text"], nil)
	post("metadata that is no object", "/v1/items", map[string]any{"text": unsureText, "metadata": marks["metadata"]}, nil)
	post("a wrong key", "/v1/items", submit("leak-5", sureText), map[string]string{"Authorization": "Bearer " + marks["wrong key"]})
	hook("an unmappable payload", fmt.Sprintf(`{"issue":{"id":{"%[1]s":"%[1]s"},"title":7}}`, marks["unmappable payload"]), hookSecret)
	hook("a forged hook", fmt.Sprintf(`{"issue":%q}`, marks["forged payload"]), "a guessed secret of theirs")
	post("a forged click", "/slack/interactivity", "payload="+marks["forged payload"], map[string]string{
		"Content-Type": "application/x-www-form-urlencoded", "X-Slack-Signature": "v0=" + strings.Repeat("0", 64), "X-Slack-Request-Timestamp": "1531420618",
	})

	// What goes wrong on our side: connections cut in the middle, a receiver that fails and talks.
	w.upstream.mu.Lock()
	w.upstream.fail, w.upstream.answer = 2, marks["receiver's answer"]
	w.upstream.mu.Unlock()
	for i := range 3 {
		query[int](w, `SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`)
		post("an item while connections break", "/v1/items", submit(fmt.Sprint("cut-", i), sureText), nil)
	}
	w.eventually("an item to be taken again", func() bool {
		return post("an item for a receiver that fails", "/v1/items", submit("leak-6", sureText), nil).status < 300
	})
	w.eventually("failing callbacks", func() bool {
		return query[int](w, `SELECT count(*) FROM hitl.callbacks WHERE attempts > 1`) > 0
	})
	unsure := w.post("leak-7", unsureText+" "+marks["text"], http.StatusAccepted)
	if err := w.sim.Fail(slacksim.AnyMethod, slacksim.Fault{Times: 2, Error: "internal_error"}); err != nil {
		t.Fatal(err)
	}
	w.card(unsure)

	// What an operator sees.
	for _, args := range [][]string{
		{"stats"},
		{"stats", "--json"},
		{"queue", "list"},
		{"queue", "list", "--json"},
		{"queue", "rebuild"},
		{"callbacks", "list"},
		{"policy", "show"},
		{"policy", "history", "--text"},
		{"config", "check"},
		{"log", "export"},
		{"verify"},
		{"migrate"},
		{"version"},
	} {
		out, err := w.hitl(args...)
		outputs["hitl "+strings.Join(args, " ")] = fmt.Sprint(out, err)
	}
	outputs["Redis"] = w.dumpRedis()
	w.stop()
	outputs["the service's log"] = w.logs.String()
	if !strings.Contains(outputs["the service's log"], "level=DEBUG") || !strings.Contains(outputs["the service's log"], it.ID) {
		t.Error("the log is not at its most talkative: this test sees nothing")
	}

	broken := newWorld(t, func(s *storySettings) { s.Model, s.Telemetry = brokenModel(t), traces.section(1) })
	broken.request(http.MethodPost, "/v1/items", submit("leak-8", sureText), nil)
	broken.stop()
	outputs["the log of a service whose model fails"] = broken.logs.String()

	outputs["the exported traces"] = traces.raw()
	if !strings.Contains(outputs["the exported traces"], it.ID) {
		t.Error("no trace of an item was exported: this test sees nothing")
	}

	secrets := maps.Clone(marks)
	maps.Copy(secrets, map[string]string{
		"bot token": w.sim.Token(), "signing secret": w.sim.SigningSecret(), "source key": storyKey, "callback secret": strings.TrimPrefix(storySecret, "whsec_"),
		"hook secret": hookSecret, "Postgres password": ":service@", "sample key": storySampleKey,
	})
	for _, where := range slices.Sorted(maps.Keys(outputs)) {
		for what, secret := range secrets {
			if what == "comment" && where == "answer to GET /v1/items/"+it.ID {
				continue // a source is told what a reviewer says of its item
			}
			if i := strings.Index(outputs[where], secret); i >= 0 {
				t.Errorf("the %s comes out in %s: …%s…", what, where, outputs[where][max(0, i-200):min(len(outputs[where]), i+60)])
			}
		}
	}
	// The test itself must be able to find them: texts stand where they belong.
	if exported := w.mustHitl("export", "items", "--format", "jsonl"); !strings.Contains(exported, marks["text"]) || !strings.Contains(exported, marks["comment"]) {
		t.Error("an export lacks the text or the comment")
	}
}
