package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"hitl"
)

// witness is a witness's webhook: it keeps what is signed, and refuses the first.
type witness struct {
	mu   sync.Mutex
	ids  []string
	body []string
}

func newWitness(t *testing.T) (*witness, string) {
	t.Helper()
	hook, err := standardwebhooks.NewWebhook(storySecret)
	if err != nil {
		t.Fatal(err)
	}
	r := &witness{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(req.Body)
		if err := errors.Join(err, hook.Verify(body, req.Header)); err != nil {
			t.Errorf("checkpoint message is wrong: %v", err)
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.ids, r.body = append(r.ids, req.Header.Get("webhook-id")), append(r.body, string(body))
		if len(r.ids) == 1 {
			http.Error(w, "not now", http.StatusInternalServerError)
		}
	}))
	t.Cleanup(server.Close)
	return r, server.URL
}

func (r *witness) lines() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Join(r.body, "\n")
}

// Checkpoints leave the service by webhook and into a Slack channel, and what was kept there binds the log.
func TestCheckpointsAreAnchored(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	keys := strings.Fields(w.mustHitl("log", "key", "log.example.org"))
	private, public := keys[0], keys[1]
	r, at := newWitness(t)
	w.appendConfig("audit: {key: \"" + private + "\", checkpoint_every: 1s, anchor_url: \"" + at + "\", anchor_secret: \"" + storySecret + "\"}\n")
	w.post("a", sureText, http.StatusOK)
	w.eventually("the checkpoint is posted again after it was refused", func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		return len(r.ids) == 2
	})
	if r.ids[0] != r.ids[1] || r.body[0] != r.body[1] {
		t.Errorf("the second attempt differs: %q, %q", r.ids, r.body)
	}
	var message struct {
		Type      string
		Timestamp time.Time
		Data      struct {
			Checkpoint, Origin string
			Size               int64
		}
	}
	if err := json.Unmarshal([]byte(r.body[1]), &message); err != nil || message.Type != "log.checkpoint" || message.Timestamp.IsZero() ||
		message.Data.Size != 1 || message.Data.Origin != "log.example.org" || message.Data.Checkpoint != w.signed("1") {
		t.Errorf("the message is %s, %v", r.body[1], err)
	}

	// The channel gets one message, however often the service starts.
	w.setConfig("checkpoint_every: 1s", "checkpoint_every: 1s, anchor_channel: C0REVIEW")
	notices := func() (texts []string) {
		for _, m := range w.sim.Messages(reviewChannel) {
			if m.Metadata != nil && m.Metadata.EventType == "hitl_checkpoint" {
				texts = append(texts, m.AllText())
			}
		}
		return texts
	}
	w.eventually("the notice in the channel", func() bool { return len(notices()) == 1 })
	ran := func() int64 {
		return query[int64](w, `SELECT (extract(epoch FROM next_at) * 1000000)::bigint FROM hitl.timers WHERE name = 'anchor_channel'`)
	}
	w.eventually("the task is done", func() bool {
		return query[bool](w, `SELECT next_at > now() + interval '23 hours' FROM hitl.timers WHERE name = 'anchor_channel'`)
	})
	w.stop()
	before := ran()
	w.asSuperuser(`UPDATE hitl.timers SET next_at = now()`) // as if it had died before it noted that it was done
	w.start()
	w.eventually("the task ran again", func() bool { return ran() > before })
	if n := notices(); len(n) != 1 || !strings.Contains(n[0], "--key "+public) {
		t.Errorf("notices: %q", n)
	}

	for _, want := range []string{
		"hitl_log_entries 1\n", "hitl_log_pending_entries 0\n", "hitl_log_checkpoint_size 1\n", "hitl_log_checkpoint_age_seconds ",
		`hitl_log_anchors_total{anchor="channel",outcome="ok"} 1`, `hitl_log_anchors_total{anchor="webhook",outcome="ok"} 1`,
	} {
		w.eventually("metric "+want, func() bool {
			return strings.Contains(string(w.request(http.MethodGet, w.metrics+"/metrics", nil, nil).body), want)
		})
	}

	// What both have kept is a witness, copied as it is.
	chat, hooks := w.file("chat.txt", "hitl APP 9:00\n"+notices()[0]+"\n"), w.file("hooks.jsonl", r.lines())
	for _, witness := range []string{chat, hooks} {
		if out, err := w.hitl("verify", "--url", w.url, "--key", public, "--witness", witness); err != nil {
			t.Errorf("verify --witness %s: %v, %s", witness, err, out)
		}
		fork := newFakeLog(t, private, 3, 9)
		if out, err := w.hitl("verify", "--url", fork.url, "--key", public, "--witness", witness); err == nil || !strings.Contains(out, "the log was forked") {
			t.Errorf("verify of a fork: %v, %s", err, out)
		}
	}
}

// setConfig replaces a part of the configuration and starts the service again.
func (w *world) setConfig(old, by string) {
	w.t.Helper()
	w.stop()
	text, err := os.ReadFile(w.configFile())
	if err != nil || !strings.Contains(string(text), old) {
		w.t.Fatalf("the configuration has no %q, %v", old, err)
	}
	if err := os.WriteFile(w.configFile(), []byte(strings.Replace(string(text), old, by, 1)), 0o600); err != nil {
		w.t.Fatal(err)
	}
	w.start()
}

// An id belongs to a checkpoint, and to nothing else.
func TestWebhookAnchorID(t *testing.T) {
	t.Parallel()
	now := time.Now()
	var got []hitl.Callback
	a := &webhookAnchor{
		send: func(_ context.Context, c hitl.Callback) error { got = append(got, c); return nil },
		now:  func() time.Time { now = now.Add(time.Second); return now },
	}
	k := newFakeLog(t, strings.Fields((&world{t: t, dir: t.TempDir()}).mustHitl("log", "key", "log.example.org"))[0], 2, 0)
	other := strings.Replace(k.signed, "\n2\n", "\n3\n", 1)
	for _, signed := range []string{k.signed, k.signed, other, k.signed} {
		if err := a.Keep(t.Context(), signed); err != nil {
			t.Fatal(err)
		}
	}
	if got[0].ID != got[1].ID || string(got[0].Body) != string(got[1].Body) || got[2].ID == got[0].ID || got[3].ID != got[0].ID || got[0].Source != anchorTarget {
		t.Errorf("%+v", got)
	}
	if err := a.Keep(t.Context(), "no note"); err == nil {
		t.Error("what is no checkpoint was sent")
	}
}
