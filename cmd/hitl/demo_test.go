package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"hitl"
)

var readyLine = regexp.MustCompile(`(?m)^ready service=(http://\S+) slack=(http://\S+)$`)

// runningDemo is `hitl demo` as a script starts it.
type runningDemo struct {
	t              *testing.T
	service, slack string
	out, errOut    *syncBuffer
	stop           func()
}

func startDemo(t *testing.T, args ...string) *runningDemo {
	t.Helper()
	d := &runningDemo{t: t, out: &syncBuffer{}, errOut: &syncBuffer{}}
	p := program{stdin: strings.NewReader(""), stdout: d.out, stderr: d.errOut, env: os.LookupEnv}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- p.run(ctx, append([]string{"demo", "--listen", "127.0.0.1:0", "--slack-listen", "127.0.0.1:0"}, args...))
	}()
	d.stop = func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("demo ended with %v\n%s", err, d.errOut)
		}
	}
	d.eventually("the demo to be ready", func() bool {
		select {
		case err := <-done:
			t.Fatalf("demo ended early: %v\n%s", err, d.errOut)
		default:
		}
		m := readyLine.FindStringSubmatch(d.out.String())
		if m != nil {
			d.service, d.slack = m[1], m[2]
		}
		return m != nil
	})
	return d
}

func (d *runningDemo) eventually(what string, ok func() bool) {
	d.t.Helper()
	deadline := time.After(60 * time.Second)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-deadline:
			d.t.Fatalf("waited for %s in vain\n%s", what, d.errOut)
		case <-tick.C:
		}
	}
}

func (d *runningDemo) call(method, url string, body any, out any) int {
	d.t.Helper()
	var r io.Reader
	if body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			d.t.Fatal(err)
		}
		r = bytes.NewReader(data)
	}
	req, err := http.NewRequestWithContext(d.t.Context(), method, url, r)
	if err != nil {
		d.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer demo")
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		d.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if out != nil {
		if err := json.NewDecoder(resp.Body).Decode(out); err != nil {
			d.t.Fatalf("%s %s: status %d: %v", method, url, resp.StatusCode, err)
		}
	}
	return resp.StatusCode
}

// TestDemo does what a visitor does: start it, post with the printed key, click, see the upstream called back, stop it, and start it
// again on the data it kept.
func TestDemo(t *testing.T) {
	dir := t.TempDir()
	d := startDemo(t, "--data", dir, "--feed", "0")
	var it item
	d.call(http.MethodPost, d.service+"/v1/items", map[string]any{"id": "order-1", "text": unsureText}, &it)
	if it.Status != hitl.HumanReview {
		t.Fatalf("the text that the demo prints is not unsure: %+v", it)
	}
	var hook item
	if status := d.call(http.MethodPost, d.service+"/v1/hooks/demo", map[string]any{
		"ticket": map[string]any{"id": 17, "message": unsureText, "customer": "c-1"},
	}, &hook); status != http.StatusAccepted || hook.ExternalID != "17" {
		t.Errorf("webhook: status %d, %+v", status, hook)
	}
	card := d.waitCard(it, "Accept")
	d.stop()

	d = startDemo(t, "--data", dir, "--feed", "0")
	defer d.stop()
	if again := d.waitCard(it, "Accept"); again != card {
		t.Errorf("after a restart the card is %s, it was %s", again, card)
	}
	var outcome map[string]any
	d.call(http.MethodPost, d.slack+"/_sim/click", map[string]any{"user": "U0ANA", "channel": reviewChannel, "ts": card, "action_id": "hitl_accept"}, &outcome)
	d.eventually("the upstream to be called back", func() bool {
		return strings.Contains(d.errOut.String(), "upstream was called back: order-1 HUMAN_ACCEPTED")
	})
	if status := d.call(http.MethodGet, d.service+"/v1/stats?since=1h", nil, nil); status != http.StatusOK {
		t.Errorf("stats: status %d", status)
	}
}

// waitCard waits for the card of an item with a button, and returns its timestamp.
func (d *runningDemo) waitCard(it item, button string) (ts string) {
	d.t.Helper()
	d.eventually("the card of "+it.ID, func() bool {
		var messages []json.RawMessage
		d.call(http.MethodGet, d.slack+"/_sim/messages?channel="+reviewChannel, nil, &messages)
		for _, m := range messages {
			var head struct {
				TS string `json:"ts"`
			}
			if err := json.Unmarshal(m, &head); err != nil {
				d.t.Fatal(err)
			}
			if bytes.Contains(m, []byte(it.Review.ID)) && bytes.Contains(m, []byte(button)) {
				ts = head.TS
			}
		}
		return ts != ""
	})
	return ts
}
