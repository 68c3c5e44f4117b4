package slacksim_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/slack-go/slack"

	"hitl/bot/slacksim"
)

// raw sends a request as it is and returns status, Retry-After and the decoded body.
func raw(t *testing.T, w *world, method, contentType, token, body string) (int, string, map[string]any) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.url+"/api/"+method, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", contentType)
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
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
	var fields map[string]any
	if len(text) > 0 {
		if err := json.Unmarshal(text, &fields); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
	}
	return res.StatusCode, res.Header.Get("Retry-After"), fields
}

const (
	formType = "application/x-www-form-urlencoded"
	jsonType = "application/json; charset=utf-8"
)

func TestArgumentsAndTokens(t *testing.T) {
	t.Parallel()
	const token = "xoxb-slacksim"
	for _, tc := range []struct {
		name, method, kind, token, body, want, message string
		refused                                        bool
	}{
		{"form field token", "auth.test", formType, "", "token=" + token, "", "", false},
		{"bearer token", "auth.test", formType, token, "", "", "", false},
		{"JSON with bearer", "chat.postMessage", jsonType, token, `{"channel":"C0REVIEW","text":"x","unfurl_links":false}`, "", "", false},
		{"JSON with token field", "auth.test", jsonType, "", `{"token":"` + token + `"}`, "not_authed", "", true},
		{"no token", "auth.test", formType, "", "", "not_authed", "", true},
		{"wrong token", "auth.test", formType, "xoxb-other", "", "invalid_auth", "", false},
		{"unknown method", "chat.scheduleMessage", formType, token, "", "unknown_method", "method not simulated: chat.scheduleMessage", true},
		{"unknown argument", "auth.test", formType, token, "colour=red", "invalid_arguments", "[ERROR] unknown argument: colour [json-pointer:/colour]", true},
		{"team_id with any method", "users.info", formType, token, "user=U0ANA&team_id=T0SLACKSIM", "", "", false},
		{"team_id that is no string", "users.info", jsonType, token, `{"user":"U0ANA","team_id":7}`, "invalid_arguments", "must provide a string [json-pointer:/team_id]", true},
		{"missing argument", "users.info", formType, token, "", "invalid_arguments", "[ERROR] missing required field: user [json-pointer:]", true},
		{"not simulated argument", "chat.postMessage", formType, token, "channel=C0REVIEW&text=x&username=boss", "invalid_arguments", "argument not simulated: username", true},
		{"no boolean", "conversations.info", formType, token, "channel=C0REVIEW&include_locale=maybe", "invalid_arguments", "must provide a boolean", true},
		{"no number", "conversations.history", formType, token, "channel=C0REVIEW&limit=many", "invalid_arguments", "must provide a number", true},
		{"no string", "users.info", jsonType, token, `{"user":7}`, "invalid_arguments", "must provide a string", true},
		{"broken JSON", "users.info", jsonType, token, `{"user":`, "invalid_json", "", true},
		{"other body", "users.info", "text/plain", token, `user=U0ANA`, "invalid_post_type", "", true},
		{"broken blocks", "chat.postMessage", formType, token, "channel=C0REVIEW&blocks=%5B", "invalid_blocks_format", "", true},
		{
			"bad block", "chat.postMessage", formType, token, "channel=C0REVIEW&blocks=" + url.QueryEscape(`[{"type":"section","text":{"type":"mrkdwn","text":"`+strings.Repeat("x", 3001)+`"}}]`),
			"invalid_blocks", "[ERROR] must be less than 3001 characters [json-pointer:/blocks/0/text/text]", true,
		},
		{"blocks as text in JSON", "chat.postMessage", jsonType, token, `{"channel":"C0REVIEW","blocks":"[{\"type\":\"divider\"}]"}`, "", "", false},
		{"bad metadata", "chat.postMessage", formType, token, "channel=C0REVIEW&text=x&metadata=%7B%22event_type%22%3A%22a%22%7D", "invalid_metadata_schema", "missing required field: event_payload", true},
		{"Socket Mode with the bot token", "apps.connections.open", formType, token, "", "not_allowed_token_type", "", true},
		{"app-level token elsewhere", "auth.test", formType, "xapp-slacksim", "", "not_allowed_token_type", "", true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w := start(t)
			status, _, body := raw(t, w, tc.method, tc.kind, tc.token, tc.body)
			if status != http.StatusOK {
				t.Errorf("status %d", status)
			}
			code, _ := body["error"].(string)
			if code != tc.want || body["ok"] != (tc.want == "") {
				t.Errorf("body %v, want error %q", body, tc.want)
			}
			meta, _ := body["response_metadata"].(map[string]any)
			messages, _ := json.Marshal(meta["messages"])
			if !strings.Contains(string(messages), tc.message) {
				t.Errorf("messages %s, want %q", messages, tc.message)
			}
			if tc.want == "invalid_blocks" && body["errors"] == nil {
				t.Error("invalid_blocks without errors")
			}
			if (len(w.sim.Refused()) > 0) != tc.refused {
				t.Errorf("refused: %+v", w.sim.Refused())
			}
			calls := w.sim.Calls("")
			if len(calls) != 1 || calls[0].Method != tc.method || calls[0].OK != (tc.want == "") || strings.Contains(calls[0].Args["token"], "xox") {
				t.Errorf("calls: %+v", calls)
			}
		})
	}
}

func TestPeopleAndPlaces(t *testing.T) {
	t.Parallel()
	w := start(t)
	ctx := t.Context()
	who, err := w.client.AuthTestContext(ctx)
	if err != nil || who.UserID != "U0HITL" || who.BotID != "B0HITL" || who.TeamID != "T0SLACKSIM" {
		t.Errorf("auth.test: %+v, %v", who, err)
	}
	u, err := w.client.GetUserInfoContext(ctx, "U0EVE")
	if err != nil || !u.IsStranger || u.TeamID != "T0PARTNER" || u.RealName != "Eve Lindqvist" {
		t.Errorf("users.info: %+v, %v", u, err)
	}
	if u, err := w.client.GetUserInfoContext(ctx, "U0DAN"); err != nil || !u.Deleted {
		t.Errorf("deactivated: %+v, %v", u, err)
	}
	if _, err := w.client.GetUserInfoContext(ctx, "U0NOBODY"); errText(err) != "user_not_found" {
		t.Errorf("unknown user: %v", err)
	}
	ids, err := w.client.GetUserGroupMembersContext(ctx, "S0REVIEWERS")
	if d := cmp.Diff([]string{"U0ANA", "U0BEN"}, ids); err != nil || d != "" {
		t.Error(err, d)
	}
	if _, err := w.client.GetUserGroupMembersContext(ctx, "S0NONE"); errText(err) != "no_such_subteam" {
		t.Errorf("unknown group: %v", err)
	}
	groups, err := w.client.GetUserGroupsContext(ctx, slack.GetUserGroupsOptionIncludeUsers(true))
	if err != nil || len(groups) != 1 || groups[0].Handle != "reviewers" || len(groups[0].Users) != 2 {
		t.Errorf("groups: %+v, %v", groups, err)
	}
	c, err := w.client.GetConversationInfoContext(ctx, &slack.GetConversationInfoInput{ChannelID: "C0REVIEW", IncludeNumMembers: true})
	if err != nil || c.Name != "review" || !c.IsMember || !c.IsExtShared || c.NumMembers != 5 {
		t.Errorf("conversations.info: %+v, %v", c, err)
	}
	members, next, err := w.client.GetUsersInConversationContext(ctx, &slack.GetUsersInConversationParameters{ChannelID: "C0REVIEW", Limit: 3})
	if err != nil || len(members) != 3 || next == "" {
		t.Errorf("members: %v %q %v", members, next, err)
	}
	members, next, err = w.client.GetUsersInConversationContext(ctx, &slack.GetUsersInConversationParameters{ChannelID: "C0REVIEW", Limit: 3, Cursor: next})
	if err != nil || len(members) != 2 || next != "" {
		t.Errorf("second page: %v %q %v", members, next, err)
	}
	dm, noOp, _, err := w.client.OpenConversationContext(ctx, &slack.OpenConversationParameters{Users: []string{"U0ANA"}})
	if err != nil || noOp || !strings.HasPrefix(dm.ID, "D") || w.sim.DM("U0ANA") != dm.ID {
		t.Errorf("conversations.open: %+v %v %v", dm, noOp, err)
	}
	again, noOp, _, err := w.client.OpenConversationContext(ctx, &slack.OpenConversationParameters{Users: []string{"U0ANA"}})
	if err != nil || !noOp || again.ID != dm.ID {
		t.Errorf("again: %+v %v %v", again, noOp, err)
	}
	if _, _, _, err := w.client.OpenConversationContext(ctx, &slack.OpenConversationParameters{Users: []string{"U0DAN"}}); errText(err) != "user_disabled" {
		t.Errorf("deactivated: %v", err)
	}
	if id, _, err := w.client.PostMessageContext(ctx, "U0ANA", slack.MsgOptionText("hi", false)); err != nil || id != dm.ID {
		t.Errorf("post to a user: %q, %v", id, err)
	}
	if _, _, err := w.client.PostMessageContext(ctx, "#review", slack.MsgOptionText("hi", false)); err != nil {
		t.Errorf("post to a name: %v", err)
	}
	list, _, err := w.client.GetConversationsContext(ctx, &slack.GetConversationsParameters{Types: []string{"public_channel", "im"}})
	if err != nil || len(list) != 4 {
		t.Errorf("conversations.list: %d, %v", len(list), err)
	}
	if _, _, _, err := w.client.JoinConversationContext(ctx, "C0GENERAL"); err != nil {
		t.Errorf("join: %v", err)
	}
	if _, _, err := w.client.PostMessageContext(ctx, "C0GENERAL", slack.MsgOptionText("hi", false)); err != nil {
		t.Errorf("post after join: %v", err)
	}
	w.clean(t)
	if err := errors.Join(w.sim.SetGroupMembers("S0REVIEWERS", "U0CHLOE"), w.sim.SetDeactivated("U0BEN", true), w.sim.SetMember("C0REVIEW", "U0HITL", false)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := w.client.PostMessageContext(ctx, "C0REVIEW", slack.MsgOptionText("hi", false)); errText(err) != "not_in_channel" {
		t.Errorf("after leaving: %v", err)
	}
}

func TestRates(t *testing.T) {
	t.Parallel()
	w := start(t, func(c *slacksim.Config) { c.Rates = slacksim.RatesStrict })
	limited := func(err error, want time.Duration) {
		t.Helper()
		var e *slack.RateLimitedError
		if !errors.As(err, &e) || e.RetryAfter != want {
			t.Errorf("%v, want 429 with Retry-After %v", err, want)
		}
	}
	say := func(channel string) error {
		_, _, err := w.client.PostMessageContext(t.Context(), channel, slack.MsgOptionText("x", false))
		return err
	}
	posted := 0
	for say("C0REVIEW") == nil {
		posted++
	}
	if posted < 2 || posted > 5 {
		t.Errorf("a burst of %d", posted)
	}
	limited(say("C0REVIEW"), time.Second)
	if err := say("C0ESCALATE"); err != nil {
		t.Errorf("another channel: %v", err)
	}
	w.clock.advance(time.Second)
	if err := say("C0REVIEW"); err != nil {
		t.Errorf("a second later: %v", err)
	}
	limited(say("C0REVIEW"), time.Second)

	groups := func() error { _, err := w.client.GetUserGroupMembersContext(t.Context(), "S0REVIEWERS"); return err }
	for i := range 20 {
		if err := groups(); err != nil {
			t.Fatalf("call %d of tier 2: %v", i+1, err)
		}
		w.clock.advance(time.Second)
	}
	limited(groups(), 40*time.Second)
	w.clock.advance(39*time.Second + 500*time.Millisecond)
	limited(groups(), time.Second)
	w.clock.advance(500 * time.Millisecond)
	if err := groups(); err != nil {
		t.Errorf("after the wait: %v", err)
	}
	status, retry, body := raw(t, w, "usergroups.users.list", formType, w.sim.Token(), "usergroup=S0REVIEWERS")
	if status != http.StatusTooManyRequests || retry == "" || body["error"] != "ratelimited" {
		t.Errorf("status %d, Retry-After %q, %v", status, retry, body)
	}
	w.clean(t)
}

func TestFaults(t *testing.T) {
	t.Parallel()
	w := start(t)
	say := func() error {
		_, _, err := w.client.PostMessageContext(t.Context(), "C0REVIEW", slack.MsgOptionText("x", false))
		return err
	}
	fail := func(method string, f slacksim.Fault) {
		t.Helper()
		if err := w.sim.Fail(method, f); err != nil {
			t.Fatal(err)
		}
	}
	fail("chat.postMessage", slacksim.Fault{Times: 2, Error: "fatal_error"})
	fail("chat.postMessage", slacksim.Fault{Status: 503})
	fail("chat.postMessage", slacksim.Fault{RetryAfter: 1500 * time.Millisecond})
	for i, want := range []string{"fatal_error", "fatal_error", "slack server error: 503 Service Unavailable", "slack rate limit exceeded, retry after 2s", ""} {
		if got := errText(say()); got != want {
			t.Errorf("call %d: %q, want %q", i+1, got, want)
		}
	}
	if n := len(w.sim.Messages("C0REVIEW")); n != 1 {
		t.Errorf("%d messages: faults must have no effect", n)
	}
	fail("chat.postMessage", slacksim.Fault{LoseReply: slacksim.LoseByCut})
	fail("chat.postMessage", slacksim.Fault{LoseReply: slacksim.LoseByStatus})
	for range 2 {
		if say() == nil {
			t.Error("the reply was not lost")
		}
	}
	if n := len(w.sim.Messages("C0REVIEW")); n != 3 {
		t.Errorf("%d messages: lost replies must take effect", n)
	}
	fail("auth.test", slacksim.Fault{Delay: 30 * time.Millisecond})
	begin := time.Now()
	if _, err := w.client.AuthTestContext(t.Context()); err != nil || time.Since(begin) < 30*time.Millisecond {
		t.Errorf("delay: %v after %v", err, time.Since(begin))
	}
	fail(slacksim.AnyMethod, slacksim.Fault{Times: -1, Status: 500})
	for range 3 {
		if say() == nil {
			t.Error("no fault")
		}
	}
	w.sim.Heal()
	if err := say(); err != nil {
		t.Error(err)
	}
	for _, bad := range []slacksim.Fault{{}, {Status: 200}, {Error: "x", Status: 500}, {LoseReply: "maybe"}} {
		if w.sim.Fail("auth.test", bad) == nil {
			t.Errorf("%+v passed", bad)
		}
	}
	if w.sim.Fail("chat.nothing", slacksim.Fault{Status: 500}) == nil {
		t.Error("a fault for an unknown method passed")
	}
	w.clean(t)
	var struck int
	for _, c := range w.sim.Calls("") {
		if c.Fault != "" {
			struck++
		}
	}
	if struck != 10 {
		t.Errorf("%d calls are marked as struck", struck)
	}
}

func TestConfigMistakes(t *testing.T) {
	t.Parallel()
	for want, cfg := range map[string]slacksim.Config{
		"must begin with U":      {Users: []slacksim.User{{ID: "ana"}}},
		"stands twice":           {Users: []slacksim.User{{ID: "U1"}, {ID: "U1"}}},
		`no such user "U2"`:      {Users: []slacksim.User{{ID: "U1"}}, Channels: []slacksim.Channel{{ID: "C1", Members: []string{"U2"}}}},
		`"X1" must begin with`:   {Users: []slacksim.User{{ID: "U1"}}, Channels: []slacksim.Channel{{ID: "X1"}}},
		`group id "G1" must`:     {Users: []slacksim.User{{ID: "U1"}}, Groups: []slacksim.Group{{ID: "G1"}}},
		`channel id "" must beg`: {Users: []slacksim.User{{ID: "U1"}}, Channels: []slacksim.Channel{{}}},
	} {
		if _, err := slacksim.New(cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
