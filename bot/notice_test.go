package bot

import (
	"errors"
	"strings"
	"testing"
	"time"

	"hitl"
	"hitl/bot/slacksim"
)

// A notice comes once in its time, whatever becomes of the answers of Slack.
func TestNotifyOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	n := Notice{Channel: channel, Kind: "checkpoint", Text: "Keep <this> & look", Code: "log.example.org\n12\nAAAA=\n\n— log.example.org BBBB+/=<&>"}
	notify := func(since time.Time) error { return w.bot.Notify(t.Context(), n, since) }
	today := time.Now().Add(-12 * time.Hour)
	if err := w.sim.Fail("chat.postMessage", slacksim.Fault{LoseReply: slacksim.LoseByCut, Times: 1}); err != nil {
		t.Fatal(err)
	}
	if err := notify(today); err == nil {
		t.Error("a lost answer is taken for success")
	}
	for range 2 {
		if err := notify(today); err != nil {
			t.Error(err)
		}
	}
	messages := w.sim.Messages(channel)
	if len(messages) != 1 {
		t.Fatalf("%d messages", len(messages))
	}
	for what, text := range map[string]string{"text": messages[0].Text, "blocks": messages[0].AllText()} {
		if !strings.Contains(text, "log.example.org") || !strings.Contains(text, "— ") {
			t.Errorf("%s: %q", what, text)
		}
	}
	if !strings.Contains(messages[0].AllText(), n.Code) {
		t.Errorf("the lines are not there as they are: %q", messages[0].AllText())
	}
	// Tomorrow, and of another kind, it comes again.
	if err := notify(time.Now().Add(time.Hour)); err != nil {
		t.Error(err)
	}
	n.Kind = "other"
	if err := notify(today); err != nil {
		t.Error(err)
	}
	if got := len(w.sim.Messages(channel)); got != 3 {
		t.Errorf("%d messages, want 3", got)
	}
}

func TestNotifyFailures(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	n := Notice{Channel: channel, Kind: "checkpoint", Text: "Keep this", Code: "lines"}
	fail := func(method string, f slacksim.Fault) error {
		if err := w.sim.Fail(method, f); err != nil {
			t.Fatal(err)
		}
		return w.bot.Notify(t.Context(), n, time.Now().Add(-time.Hour))
	}
	var retry *hitl.RetryError
	if err := fail("chat.postMessage", slacksim.Fault{RetryAfter: 7 * time.Second, Times: 1}); !errors.As(err, &retry) || retry.After != 7*time.Second {
		t.Errorf("limited: %v", err)
	}
	w.bot.api.pace = newPacer(time.Now)
	if err := fail("chat.postMessage", slacksim.Fault{Error: "not_in_channel", Times: 1}); err == nil || !strings.Contains(err.Error(), "/invite") {
		t.Errorf("refused: %v", err)
	}
	// Without a look at the history nothing is posted.
	if err := fail("conversations.history", slacksim.Fault{Error: "missing_scope", Times: 1}); err == nil || !strings.Contains(err.Error(), "scope") {
		t.Errorf("no history: %v", err)
	}
	if got := len(w.sim.Messages(channel)); got != 0 {
		t.Errorf("%d messages, want none", got)
	}
	for _, bad := range []Notice{{Channel: "#log", Kind: "x"}, {Channel: channel, Kind: "A b"}, {}} {
		if err := w.bot.Notify(t.Context(), bad, time.Now()); err == nil {
			t.Errorf("%+v was posted", bad)
		}
	}
}
