package slacksim_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/slack-go/slack"

	"hitl/bot/slacksim"
)

func withShortcuts(c *slacksim.Config) {
	c.Shortcuts = []slacksim.Shortcut{
		{Name: "Report", CallbackID: "report", Type: slacksim.MessageShortcut}, {Name: "New order", CallbackID: "new", Type: slacksim.GlobalShortcut},
	}
}

func TestMessageShortcut(t *testing.T) {
	t.Parallel()
	w := start(t, withShortcuts)
	w.sim.SetBaseURL(w.url)
	w.app.respond = func(_ http.ResponseWriter, got received) {
		if _, err := w.client.OpenView(got.call.TriggerID, form("Report")); err != nil {
			t.Errorf("open: %v", err)
		}
	}
	ts, err := w.sim.Post("U0BEN", "C0REVIEW", "a <rude> text", "")
	if err != nil {
		t.Fatal(err)
	}
	out, err := w.sim.Shortcut(t.Context(), slacksim.UseShortcut{User: "U0ANA", CallbackID: "report", Channel: "C0REVIEW", TS: ts})
	if err != nil || out.Status != 200 || out.Error != "" || len(w.sim.Views("U0ANA")) != 1 {
		t.Errorf("outcome %+v, %v", out, err)
	}
	c := w.app.last().call
	if c.Type != slack.InteractionTypeMessageAction || c.CallbackID != "report" || c.User.ID != "U0ANA" || c.Team.ID != "T0SLACKSIM" ||
		c.Channel.ID != "C0REVIEW" || c.Channel.Name != "review" || c.MessageTs != ts || c.Message.Timestamp != ts || c.Message.User != "U0BEN" ||
		c.Message.Text != "a &lt;rude&gt; text" || c.ResponseURL != out.ResponseURL || c.TriggerID != out.TriggerID || c.ActionTs == "" || c.APIAppID != "" {
		t.Errorf("payload %s", w.app.last().body)
	}
	if err := slack.PostWebhookCustomHTTPContext(t.Context(), out.ResponseURL, w.http, &slack.WebhookMessage{Text: "Thank you."}); err != nil {
		t.Fatal(err)
	}
	if seen := w.sim.Ephemerals("U0ANA"); len(seen) != 1 || seen[0].Text != "Thank you." {
		t.Errorf("only Ana sees %+v", seen)
	}

	// A message of the app comes with its blocks.
	own := post(t, w, "C0REVIEW", slack.MsgOptionText("a", false), card())
	if _, err := w.sim.Shortcut(t.Context(), slacksim.UseShortcut{User: "U0ANA", CallbackID: "report", Channel: "C0REVIEW", TS: own}); err != nil {
		t.Fatal(err)
	}
	if c := w.app.last().call; len(c.Message.Blocks.BlockSet) != 2 || c.Message.BotID != "B0HITL" {
		t.Errorf("payload %s", w.app.last().body)
	}
	if d := w.sim.Deliveries(); d[0].Type != "message_action" {
		t.Errorf("recorded %+v", d)
	}
	w.clean(t)
}

func TestGlobalShortcut(t *testing.T) {
	t.Parallel()
	w := start(t, withShortcuts)
	var out slacksim.Outcome
	if status := control(t, w, "POST", "shortcut", `{"user":"U0ANA","callback_id":"new"}`, &out); status != 200 || out.Status != 200 || out.ResponseURL != "" {
		t.Errorf("%d %+v", status, out)
	}
	c := w.app.last().call
	if c.Type != slack.InteractionTypeShortcut || c.CallbackID != "new" || c.TriggerID != out.TriggerID || c.ResponseURL != "" || c.Channel.ID != "" {
		t.Errorf("payload %s", w.app.last().body)
	}
	w.app.respond = func(rw http.ResponseWriter, _ received) { rw.WriteHeader(http.StatusInternalServerError) }
	if control(t, w, "POST", "shortcut", `{"user":"U0ANA","callback_id":"new"}`, &out); out.Error != slacksim.BadStatus {
		t.Errorf("the app failed, and the user saw %+v", out)
	}
}

func TestShortcutsOverSocketMode(t *testing.T) {
	t.Parallel()
	w := start(t, withShortcuts, socketMode)
	f := connect(t, w)
	f.next()
	var e map[string]any
	out, err := during(func() (slacksim.Outcome, error) {
		return w.sim.Shortcut(t.Context(), slacksim.UseShortcut{User: "U0ANA", CallbackID: "new"})
	}, func() { e = f.next(); f.say(`{"envelope_id":"` + e["envelope_id"].(string) + `"}`) })
	if err != nil || out.Error != "" || e["type"] != "interactive" || e["accepts_response_payload"] != false || e["payload"].(map[string]any)["type"] != "shortcut" {
		t.Errorf("%+v, %v: %v", out, err, e)
	}
}

func TestShortcutsImpossible(t *testing.T) {
	t.Parallel()
	w := start(t, withShortcuts)
	ts := post(t, w, "C0ESCALATE", slack.MsgOptionText("a", false))
	eph, err := w.client.PostEphemeralContext(t.Context(), "C0ESCALATE", "U0ANA", slack.MsgOptionText("b", false))
	if err != nil {
		t.Fatal(err)
	}
	try := func(want string, u slacksim.UseShortcut) {
		t.Helper()
		if _, err := w.sim.Shortcut(t.Context(), u); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", u, err, want)
		}
	}
	on := func(user, callback, ts string) slacksim.UseShortcut {
		return slacksim.UseShortcut{User: user, CallbackID: callback, Channel: "C0ESCALATE", TS: ts}
	}
	try("offered", on("U0ANA", "other", ts))
	try("no message", on("U0ANA", "report", "1.000001"))
	try("ephemeral", on("U0ANA", "report", eph))
	try("cannot see", on("U0CHLOE", "report", ts))
	try("global", on("U0ANA", "new", ts))
	try("deactivated", on("U0DAN", "report", ts))
	w.sim.SetScopes("chat:write")
	try("offered", on("U0ANA", "report", ts))
	for want, list := range map[string][]slacksim.Shortcut{
		"type must be":      {{Name: "a", CallbackID: "a", Type: "loud"}},
		"callback_id must":  {{Name: "a", Type: "global"}},
		"name must":         {{Name: strings.Repeat("a", 25), CallbackID: "a", Type: "global"}},
		"stands twice":      {{Name: "a", CallbackID: "a", Type: "global"}, {Name: "a", CallbackID: "a", Type: "message"}},
		"more than 5 short": {{"a", "a", "global"}, {"a", "b", "global"}, {"a", "c", "global"}, {"a", "d", "global"}, {"a", "e", "global"}, {"a", "f", "global"}},
	} {
		if _, err := slacksim.New(slacksim.Config{Shortcuts: list}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// Shortcuts are part of what the page shows.
func TestShortcutsInState(t *testing.T) {
	t.Parallel()
	w := start(t, withShortcuts)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.url+"/_sim/state", nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := w.http.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(res.Body)
	_ = res.Body.Close()
	var state struct{ Shortcuts []slacksim.Shortcut }
	if err != nil || json.Unmarshal(text, &state) != nil || len(state.Shortcuts) != 2 {
		t.Errorf("%s: %v", text, err)
	}
}
