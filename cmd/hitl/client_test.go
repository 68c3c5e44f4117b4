package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"hitl/ingest/client"
)

// forgetful is a proxy that carries requests out, and closes the connection in place of the answer so many times.
func forgetful(t *testing.T, target string, times int32) (address string, forgot *atomic.Int32) {
	t.Helper()
	u, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	proxy, forgot := httputil.NewSingleHostReverseProxy(u), &atomic.Int32{}
	proxy.ModifyResponse = func(*http.Response) error {
		if forgot.Add(1) <= times {
			return errors.New("the answer is forgotten")
		}
		forgot.Add(-1)
		return nil
	}
	proxy.ErrorHandler = func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) }
	server := httptest.NewServer(proxy)
	t.Cleanup(server.Close)
	return server.URL, forgot
}

// A program submits over a network that loses answers, waits in the background, and gets what a person says.
func TestClientOverALosingNetwork(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	ctx, cancel := context.WithTimeout(t.Context(), storyTime)
	defer cancel()
	address, forgot := forgetful(t, w.url, 3)
	c, err := client.New(address, storyKey, client.WithPoll(time.Second))
	if err != nil {
		t.Fatal(err)
	}
	it, err := c.Submit(ctx, client.Submission{Text: unsureText, Metadata: map[string]any{"order": 7}})
	if err != nil || it.Final() || !it.Replayed || forgot.Load() != 3 {
		t.Fatalf("after %d lost answers: %+v, %v", forgot.Load(), it, err)
	}
	if n := query[int](w, "SELECT count(*) FROM hitl.items WHERE external_id = $1", it.ExternalID); n != 1 {
		t.Errorf("%d items, want one", n)
	}
	type answered struct {
		it  client.Item
		err error
	}
	got := make(chan answered, 1)
	go func() {
		it, err := c.Wait(ctx, it.ID)
		got <- answered{it, err}
	}()
	card := w.card(w.get(it.ID))
	w.click("U0ANA", card, "POSITIVE")
	a := <-got
	if a.err != nil || !a.it.Answered("POSITIVE") || a.it.Decision == nil || !strings.HasSuffix(a.it.Decision.Reviewer, "/U0ANA") {
		t.Fatalf("waited for %+v, %v", a.it, a.err)
	}
	if now, err := c.Get(ctx, it.ID); err != nil || now.Status != a.it.Status {
		t.Errorf("got %+v, %v", now, err)
	}
	if l, err := c.Log(ctx, it.ID); err != nil || len(l.Entries) != 2 || l.Entries[1].Status != a.it.Status {
		t.Errorf("log %+v, %v", l, err)
	}
	if err := c.Ready(ctx); err != nil {
		t.Error(err)
	}
	if _, err := c.Submit(ctx, client.Submission{ID: it.ExternalID, Text: "another text"}); !errors.Is(err, client.ErrConflict) {
		t.Errorf("another text with the same id: %v", err)
	}
	if _, err := c.Submit(ctx, client.Submission{}); !errors.Is(err, client.ErrInvalid) {
		t.Errorf("no text: %v", err)
	}
	if _, err := c.Wait(ctx, "itm_none"); !errors.Is(err, client.ErrNotFound) {
		t.Errorf("no such item: %v", err)
	}
	v, err := client.NewVerifier(storySecret)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := v.VerifyCallback(http.Header{}, nil); !errors.Is(err, client.ErrSignature) {
		t.Errorf("an unsigned callback: %v", err)
	}
}

// example starts the program of an example, with an environment of its own, until the test ends.
func example(t *testing.T, name string, env []string, args ...string) (cmd *exec.Cmd, stdout *bufio.Scanner, stderr *bytes.Buffer) {
	t.Helper()
	bin := filepath.Join(t.TempDir(), name)
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", bin, "../../deploy/examples/"+name).CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 2*storyTime)
	cmd, stderr = exec.CommandContext(ctx, bin, args...), &bytes.Buffer{}
	cmd.Env, cmd.Stderr = append(os.Environ(), env...), stderr
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		_ = cmd.Wait() // it was killed, or has ended before
	})
	return cmd, bufio.NewScanner(pipe), stderr
}

// line is what follows prefix in the next line of a program.
func line(t *testing.T, s *bufio.Scanner, prefix string) string {
	t.Helper()
	if !s.Scan() {
		t.Fatalf("the program ended before it said %q: %v", prefix, s.Err())
	}
	rest, ok := strings.CutPrefix(s.Text(), prefix)
	if !ok {
		t.Fatalf("the program said %q, want %q", s.Text(), prefix)
	}
	return rest
}

// TestExampleAgent has the agent act only on a person's APPROVE.
func TestExampleAgent(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *storySettings) { s.Model, s.Labels = "", []string{"APPROVE", "REJECT"} })
	env := []string{"HITL_URL=" + w.url, "HITL_KEY=" + storyKey}
	for _, c := range []struct {
		answer  string
		timeout time.Duration
		ok      bool
		want    string
	}{
		{"APPROVE", storyTime, true, ""},
		{"REJECT", storyTime, false, "the answer is HUMAN_CORRECTED REJECT"},
		{"", time.Second, false, "deadline exceeded"},
	} {
		cmd, out, stderr := example(t, "llm-agent", env, "--timeout", c.timeout.String(), "Refund order", c.answer)
		id := line(t, out, "asked as ")
		if c.answer != "" {
			w.click("U0ANA", w.card(w.get(id)), c.answer)
		}
		acted := c.ok && strings.HasSuffix(line(t, out, "approved by "), "doing it: Refund order APPROVE")
		more := out.Scan()
		if err := cmd.Wait(); (err == nil) != c.ok || acted != c.ok || more || !strings.Contains(stderr.String(), c.want) {
			t.Errorf("%q: acted %t, ended with %v, %s", c.answer, acted, err, stderr)
		}
	}
}

// TestExampleDesk has a ticket go in by the example's mapping and the answer come out at its receiver.
func TestExampleDesk(t *testing.T) {
	t.Parallel()
	_, out, _ := example(t, "support-desk", []string{"DESK_CALLBACK_SECRET=" + storySecret}, "--listen", "127.0.0.1:0")
	receiver := line(t, out, "listening on ")
	data, err := os.ReadFile("../../deploy/examples/support-desk/hitl.yaml")
	if err != nil {
		t.Fatal(err)
	}
	_, source, found := strings.Cut(string(data), "\n  desk:\n")
	if !found {
		t.Fatal("the example has no source desk")
	}
	source = strings.NewReplacer("policy: tickets", "classifier: sentiment\n    policy: sentiment", "${DESK_WEBHOOK_SECRET}", storySecret,
		"${DESK_CALLBACK_URL:-http://127.0.0.1:8090/hitl}", receiver, "${DESK_CALLBACK_SECRET}", storySecret).Replace(source)
	w := newWorld(t, func(s *storySettings) { s.Sources = "  helpdesk:\n" + source })
	body, err := json.Marshal(map[string]any{
		"type": "ticket.created", "ticket": map[string]any{"id": 4711, "subject": "A review", "message": unsureText},
		"customer": map[string]any{"plan": "free", "email": "ada@example.org"},
	})
	if err != nil {
		t.Fatal(err)
	}
	hook, err := standardwebhooks.NewWebhook(storySecret)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	signature, err := hook.Sign("msg_1", now, body)
	if err != nil {
		t.Fatal(err)
	}
	var it item
	resp := w.requestWith(http.MethodPost, "/v1/hooks/helpdesk", string(body), &it, map[string]string{
		"Content-Type": "application/json", "Webhook-Id": "msg_1", "Webhook-Timestamp": strconv.FormatInt(now.Unix(), 10), "Webhook-Signature": signature,
	})
	if resp.status >= 300 || it.ExternalID != "ticket-4711" {
		t.Fatalf("the hook answered %d: %s", resp.status, resp.body)
	}
	if it.Review != nil {
		w.click("U0ANA", w.card(it), "POSITIVE")
	}
	if text := line(t, out, "ticket-4711: tag it "); !strings.Contains(text, ", said ") {
		t.Errorf("the desk said %q", text)
	}
}

// TestExamplesAreGood checks the configuration of each example, as its README says.
func TestExamplesAreGood(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"support-desk", "github-issues", "moderation", "llm-agent"} {
		file := "../../deploy/examples/" + name + "/hitl.yaml"
		var out, errOut bytes.Buffer
		p := program{stdin: strings.NewReader(""), stdout: &out, stderr: &errOut, env: func(name string) (string, bool) {
			switch {
			case name == "HITL_POSTGRES_URL":
				return "postgres://hitl@localhost/hitl", true
			case name == "HITL_SLACK_BOT_TOKEN":
				return "xoxb-1-1-example", true
			case name == "HITL_SLACK_CHANNEL":
				return "C0123ABCD", true
			case name == "HITL_SLACK_REVIEWER":
				return "U0123ABCD", true
			case strings.HasSuffix(name, "_MODEL") || strings.Contains(name, "_OLD_") || strings.HasSuffix(name, "_URL") || name == "HITL_REDIS":
				return "", false
			default:
				return storySecret, true
			}
		}}
		if err := p.run(t.Context(), []string{"--config", file, "config", "check"}); err != nil || !strings.Contains(out.String(), "is good") || strings.Contains(out.String(), "warning") {
			t.Errorf("%s: %v\n%s%s", name, err, &out, &errOut)
		}
		readme, err := os.ReadFile(filepath.Join(filepath.Dir(file), "README.md"))
		if err != nil || !strings.Contains(string(readme), fmt.Sprintf("hitl --config deploy/examples/%s/hitl.yaml config check", name)) {
			t.Errorf("%s: its README does not say how to check its configuration: %v", name, err)
		}
	}
}
