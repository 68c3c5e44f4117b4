package slacksim_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/slack-go/slack"

	"hitl/bot/slacksim"
)

func TestClick(t *testing.T) {
	t.Parallel()
	w := start(t, func(c *slacksim.Config) { c.Now = time.Now }) // slack-go's verifier compares with the real time
	ts := post(t, w, "C0REVIEW", slack.MsgOptionText("a", false), card())
	out, err := w.sim.Click(t.Context(), slacksim.Click{User: "U0ANA", Channel: "C0REVIEW", TS: ts, ActionID: "accept"})
	if err != nil {
		t.Fatal(err)
	}
	if out.Status != 200 || out.Error != "" {
		t.Errorf("outcome: %+v", out)
	}
	got := w.app.last()
	v, err := slack.NewSecretsVerifier(got.header, w.app.secret)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := v.Write(got.body); err != nil {
		t.Fatal(err)
	}
	if err := v.Ensure(); err != nil {
		t.Errorf("signature: %v", err)
	}
	c := got.call
	if c.Type != slack.InteractionTypeBlockActions || c.User.ID != "U0ANA" || c.User.TeamID != "T0SLACKSIM" ||
		c.Team.ID != "T0SLACKSIM" || c.Channel.ID != "C0REVIEW" || c.APIAppID != "A0HITL" ||
		c.Container.MessageTs != ts || c.Container.ChannelID != "C0REVIEW" || c.Container.IsEphemeral ||
		c.TriggerID != out.TriggerID || c.ResponseURL != out.ResponseURL || c.Message.Timestamp != ts {
		t.Errorf("payload: %s", got.body)
	}
	if a := c.ActionCallback.BlockActions; len(a) != 1 || a[0].ActionID != "accept" || a[0].Value != "r1" ||
		a[0].BlockID != "decide" || a[0].Text.Text != "Accept" || a[0].ActionTs == "" {
		t.Errorf("actions: %+v", c.ActionCallback)
	}
	w.clean(t)
}

func TestClickImpossible(t *testing.T) {
	t.Parallel()
	w := start(t)
	ts := post(t, w, "C0ESCALATE", slack.MsgOptionText("a", false), card())
	eph, err := w.client.PostEphemeralContext(t.Context(), "C0ESCALATE", "U0ANA", card())
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		click slacksim.Click
		want  string
	}{
		{slacksim.Click{User: "U0NOBODY", Channel: "C0ESCALATE", TS: ts, ActionID: "accept"}, "no such user"},
		{slacksim.Click{User: "U0DAN", Channel: "C0ESCALATE", TS: ts, ActionID: "accept"}, "deactivated"},
		{slacksim.Click{User: "U0CHLOE", Channel: "C0ESCALATE", TS: ts, ActionID: "accept"}, "cannot see"},
		{slacksim.Click{User: "U0BEN", Channel: "C0ESCALATE", TS: eph, ActionID: "accept"}, "cannot see"},
		{slacksim.Click{User: "U0ANA", Channel: "C0ESCALATE", TS: "1.000001", ActionID: "accept"}, "no message"},
		{slacksim.Click{User: "U0ANA", Channel: "C0ESCALATE", TS: ts, ActionID: "reject"}, "0 elements fit"},
		{slacksim.Click{User: "U0ANA", Channel: "C0ESCALATE", TS: ts, Value: "r1"}, "2 elements fit"},
	} {
		if _, err := w.sim.Click(t.Context(), tc.click); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%+v: %v, want %q", tc.click, err, tc.want)
		}
	}
	if n := len(w.app.requests()); n != 0 {
		t.Errorf("the app received %d requests", n)
	}
}

func TestClickInEphemeralAndByStranger(t *testing.T) {
	t.Parallel()
	w := start(t)
	eph, err := w.client.PostEphemeralContext(t.Context(), "C0REVIEW", "U0EVE", card())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.sim.Click(t.Context(), slacksim.Click{User: "U0EVE", Channel: "C0REVIEW", TS: eph, Text: "Accept"}); err != nil {
		t.Fatal(err)
	}
	c := w.app.last().call
	if !c.Container.IsEphemeral || c.Message.Timestamp != "" || c.User.TeamID != "T0PARTNER" || c.Team.ID != "T0PARTNER" {
		t.Errorf("payload: %s", w.app.last().body)
	}
}

func TestSelectsInMessages(t *testing.T) {
	t.Parallel()
	w := start(t)
	opt := func(v string) *slack.OptionBlockObject { return slack.NewOptionBlockObject(v, plain("Label "+v), nil) }
	ts := post(t, w, "C0REVIEW", slack.MsgOptionText("x", false), slack.MsgOptionBlocks(slack.NewActionBlock("b",
		slack.NewOptionsSelectBlockElement(slack.OptTypeStatic, plain("Pick"), "sel", opt("a"), opt("b")),
		slack.NewOptionsSelectBlockElement(slack.OptTypeUser, plain("Who"), "who"),
		slack.NewOverflowBlockElement("more", opt("x"), opt("y")),
		slack.NewRadioButtonsBlockElement("radio", opt("r1"), opt("r2")),
		slack.NewCheckboxGroupsBlockElement("boxes", opt("c1"), opt("c2")),
	)))
	click := func(action string, in slacksim.Input) *slack.BlockAction {
		t.Helper()
		if _, err := w.sim.Click(t.Context(), slacksim.Click{User: "U0ANA", Channel: "C0REVIEW", TS: ts, ActionID: action, Input: in}); err != nil {
			t.Fatal(err)
		}
		return w.app.last().call.ActionCallback.BlockActions[0]
	}
	if a := click("sel", slacksim.Input{Option: "b"}); a.SelectedOption.Value != "b" || a.SelectedOption.Text.Text != "Label b" {
		t.Errorf("select: %+v", a)
	}
	if a := click("who", slacksim.Input{User: "U0BEN"}); a.SelectedUser != "U0BEN" {
		t.Errorf("users_select: %+v", a)
	}
	if a := click("more", slacksim.Input{Option: "y"}); a.SelectedOption.Value != "y" {
		t.Errorf("overflow: %+v", a)
	}
	if a := click("radio", slacksim.Input{Option: "r2"}); a.SelectedOption.Value != "r2" {
		t.Errorf("radio: %+v", a)
	}
	if a := click("boxes", slacksim.Input{Options: []string{"c1", "c2"}}); len(a.SelectedOptions) != 2 {
		t.Errorf("checkboxes: %+v", a)
	}
	for _, in := range []slacksim.Click{{ActionID: "sel", Input: slacksim.Input{Option: "z"}}, {ActionID: "who", Input: slacksim.Input{User: "U0DAN"}}} {
		in.User, in.Channel, in.TS = "U0ANA", "C0REVIEW", ts
		if _, err := w.sim.Click(t.Context(), in); err == nil {
			t.Errorf("%+v was possible", in)
		}
	}
	w.clean(t)
}

func TestWhatTheUserSeesWhenTheAppFails(t *testing.T) {
	t.Parallel()
	w := start(t, func(c *slacksim.Config) { c.AnswerWithin = 2 * time.Second })
	ts := post(t, w, "C0REVIEW", slack.MsgOptionText("a", false), card())
	click := func() slacksim.Outcome {
		t.Helper()
		out, err := w.sim.Click(t.Context(), slacksim.Click{User: "U0ANA", Channel: "C0REVIEW", TS: ts, ActionID: "accept"})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	release := make(chan struct{})
	w.app.respond = func(http.ResponseWriter, received) { <-release }
	if out := click(); out.Error != slacksim.TimedOut {
		t.Errorf("late: %+v", out)
	}
	close(release)
	if m, _ := w.sim.Message("C0REVIEW", ts); m.Trouble["U0ANA"] != slacksim.TimedOut {
		t.Errorf("the message shows no warning: %+v", m.Trouble)
	}
	w.app.mu.Lock()
	w.app.respond = func(rw http.ResponseWriter, _ received) { rw.WriteHeader(http.StatusInternalServerError) }
	w.app.mu.Unlock()
	if out := click(); out.Error != slacksim.BadStatus || out.Status != 500 {
		t.Errorf("500: %+v", out)
	}
	w.app.answer("text/plain", "")
	if out := click(); out.Error != "" {
		t.Errorf("well again: %+v", out)
	}
	if m, _ := w.sim.Message("C0REVIEW", ts); len(m.Trouble) != 0 {
		t.Errorf("the warning stays: %+v", m.Trouble)
	}
	w.sim.SetEndpoints(slacksim.Endpoints{})
	if out := click(); out.Error != slacksim.Unreachable {
		t.Errorf("no URL: %+v", out)
	}
	var seen []string
	for _, d := range w.sim.Deliveries() {
		seen = append(seen, d.Error)
	}
	if d := cmp.Diff([]string{slacksim.TimedOut, slacksim.BadStatus, "", slacksim.Unreachable}, seen); d != "" {
		t.Error(d)
	}
}

func TestResponseURL(t *testing.T) {
	t.Parallel()
	w := start(t)
	ts := post(t, w, "C0REVIEW", slack.MsgOptionText("a", false), card())
	click := func() string {
		t.Helper()
		out, err := w.sim.Click(t.Context(), slacksim.Click{User: "U0ANA", Channel: "C0REVIEW", TS: ts, ActionID: "accept"})
		if err != nil {
			t.Fatal(err)
		}
		return out.ResponseURL
	}
	send := func(url, body string) (int, string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		res, err := w.http.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, string(raw)
	}
	url := click()
	err := slack.PostWebhookCustomHTTPContext(t.Context(), url, w.http, &slack.WebhookMessage{Text: "already decided"})
	if err != nil {
		t.Fatal(err)
	}
	if got := w.sim.Ephemerals("U0ANA"); len(got) != 1 || got[0].Text != "already decided" {
		t.Errorf("ephemeral by default: %+v", got)
	}
	if err := slack.PostWebhookCustomHTTPContext(t.Context(), url, w.http, &slack.WebhookMessage{Text: "for all", ResponseType: "in_channel"}); err != nil {
		t.Fatal(err)
	}
	if got := w.sim.Messages("C0REVIEW"); len(got) != 2 || got[1].Text != "for all" {
		t.Errorf("in_channel: %+v", got)
	}
	if _, _, err := w.client.PostMessageContext(t.Context(), "", slack.MsgOptionReplaceOriginal(url), slack.MsgOptionText("new", false)); err != nil {
		t.Fatal(err)
	}
	if m, _ := w.sim.Message("C0REVIEW", ts); m.Text != "new" || m.Blocks != nil {
		t.Errorf("replaced: %+v", m)
	}
	w.clean(t)
	if code, body := send(url, `{"text":"x","colour":"red"}`); !strings.Contains(body, "unknown argument: colour") {
		t.Errorf("unknown field: %d %s", code, body)
	}
	for range 2 {
		if code, body := send(url, `{"text":"x"}`); code != 200 {
			t.Errorf("%d %s", code, body)
		}
	}
	if code, body := send(url, `{"text":"x"}`); code != 404 || !strings.Contains(body, "used_url") {
		t.Errorf("sixth use: %d %s", code, body)
	}
	if _, _, _, err := w.client.UpdateMessageContext(t.Context(), "C0REVIEW", ts, slack.MsgOptionText("x", false), card()); err != nil {
		t.Fatal(err)
	}
	url = click()
	w.clock.advance(31 * time.Minute)
	if code, body := send(url, `{"text":"x"}`); code != 404 || !strings.Contains(body, "expired_url") {
		t.Errorf("late use: %d %s", code, body)
	}
	url = click()
	if code, body := send(url, `{"delete_original":true}`); code != 200 {
		t.Errorf("delete: %d %s", code, body)
	}
	if _, ok := w.sim.Message("C0REVIEW", ts); ok {
		t.Error("still there after delete_original")
	}
	var what []string
	for _, r := range w.sim.Responses() {
		what = append(what, r.What)
	}
	if d := cmp.Diff([]string{"ephemeral", "posted", "replaced", "ephemeral", "ephemeral", "deleted"}, what); d != "" {
		t.Error(d)
	}
}

func TestCommand(t *testing.T) {
	t.Parallel()
	w := start(t, func(c *slacksim.Config) { c.Commands = []string{"/hitl"} })
	run := func(command, text string) slacksim.Outcome {
		t.Helper()
		out, err := w.sim.Command(t.Context(), "U0ANA", "C0REVIEW", command, text)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	last := func() slacksim.Message { all := w.sim.Ephemerals("U0ANA"); return all[len(all)-1] }
	w.app.answer("application/json", `{"text":"12 open","blocks":[{"type":"section","text":{"type":"mrkdwn","text":"*12* open"}}]}`)
	out := run("/hitl", " queue ")
	got := w.app.last().slash
	if got.Command != "/hitl" || got.Text != "queue" || got.UserID != "U0ANA" || got.ChannelID != "C0REVIEW" ||
		got.ChannelName != "review" || got.TeamID != "T0SLACKSIM" || got.ResponseURL != out.ResponseURL || got.TriggerID == "" {
		t.Errorf("command: %+v", got)
	}
	if m := last(); m.Text != "12 open" || len(m.Blocks) != 1 {
		t.Errorf("answer: %+v", m)
	}
	w.app.answer("text/plain", "plain words")
	run("/hitl", "help")
	if last().Text != "plain words" {
		t.Errorf("answer: %+v", last())
	}
	w.app.answer("application/json", `{"response_type":"in_channel","text":"look"}`)
	run("/hitl", "stats")
	if m := w.sim.Messages("C0REVIEW"); len(m) != 1 || m[0].Text != "look" {
		t.Errorf("in_channel: %+v", m)
	}
	w.clean(t)
	w.app.answer("application/json", `{"blocks":[{"type":"section"}]}`)
	if out := run("/hitl", "x"); out.Error != slacksim.BadAnswer || !strings.Contains(last().Text, "failed with the error") {
		t.Errorf("bad blocks: %+v %q", out, last().Text)
	}
	w.app.mu.Lock()
	w.app.respond = func(rw http.ResponseWriter, _ received) { rw.WriteHeader(http.StatusBadGateway) }
	w.app.mu.Unlock()
	if out := run("/hitl", "x"); out.Error != slacksim.BadStatus || last().User != "USLACKBOT" {
		t.Errorf("502: %+v %+v", out, last())
	}
	if out := run("/other", ""); out.Error != "unknown_command" || !strings.Contains(last().Text, "not a valid command") {
		t.Errorf("unregistered: %+v", out)
	}
	if _, err := w.sim.Command(t.Context(), "U0CHLOE", "C0ESCALATE", "/hitl", ""); err == nil {
		t.Error("an outsider ran a command")
	}
}

func TestEvents(t *testing.T) {
	t.Parallel()
	w := start(t)
	if err := w.sim.VerifyEvents(t.Context()); err == nil {
		t.Error("an empty answer passed for the challenge")
	}
	w.app.mu.Lock()
	w.app.respond = func(rw http.ResponseWriter, got received) {
		_, after, _ := strings.Cut(string(got.body), `"challenge":"`)
		challenge, _, _ := strings.Cut(after, `"`)
		_, _ = io.WriteString(rw, challenge)
	}
	w.app.mu.Unlock()
	if err := w.sim.VerifyEvents(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := w.sim.OpenHome(t.Context(), "U0ANA"); err != nil {
		t.Fatal(err)
	}
	if body := string(w.app.last().body); !strings.Contains(body, `"app_home_opened"`) || !strings.Contains(body, `"event_callback"`) {
		t.Errorf("event: %s", body)
	}
	w.sim.Event(t.Context(), "Ev1", map[string]any{"type": "x"}, slacksim.Retry{Num: 2, Reason: "http_timeout"})
	if h := w.app.last().header; h.Get("X-Slack-Retry-Num") != "2" || h.Get("X-Slack-Retry-Reason") != "http_timeout" {
		t.Errorf("retry headers: %v", h)
	}
}

// TestSignatureVector is the example on Slack's page about verifying requests.
func TestSignatureVector(t *testing.T) {
	t.Parallel()
	const body = "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&" +
		"user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands" +
		"%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
	const want = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"
	if got := slacksim.Sign("8f742231b10e8888abcd99yyyzzz85a5", "1531420618", body); got != want {
		t.Errorf("signature %s, want %s", got, want)
	}
}
