package slacksim_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/slack-go/slack"
	"github.com/slack-go/slack/slackevents"

	"hitl/bot/slacksim"
)

// subscribed wants every event, and those that were not taken again at once.
func subscribed(c *slacksim.Config) {
	c.Events, c.EventRetries = slacksim.AllEvents(), []time.Duration{0, time.Millisecond, time.Millisecond}
}

// inner are the events that the app got, each in short.
func (w *world) inner(t *testing.T) []string {
	t.Helper()
	if err := w.sim.Settle(context5(t)); err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, r := range w.app.requests() {
		if r.call.Type != "" || r.slash.Command != "" {
			continue
		}
		if _, err := slackevents.ParseEvent(r.body, slackevents.OptionNoVerifyToken()); err != nil {
			t.Errorf("slack-go cannot read %s: %v", r.body, err)
		}
		var e struct {
			Event struct {
				Type, Subtype, Channel, Text, User, TS, Tab string
				Kind                                        string `json:"channel_type"`
				Bot                                         string `json:"bot_id"`
				Thread                                      string `json:"thread_ts"`
				Parent                                      string `json:"parent_user_id"`
				Message, Previous                           struct{ Text string }
				Before                                      struct{ Text string } `json:"previous_message"`
			}
		}
		if err := json.Unmarshal(r.body, &e); err != nil {
			t.Fatal(err)
		}
		v := e.Event
		words := []string{v.Type, v.Subtype, v.Kind, v.User, v.Bot, v.Text, v.Before.Text, v.Message.Text, v.Parent, v.Tab}
		out = append(out, strings.Join(slices.DeleteFunc(words, func(s string) bool { return s == "" }), " "))
	}
	return out
}

func TestMessageEvents(t *testing.T) {
	t.Parallel()
	w := start(t, subscribed, func(c *slacksim.Config) {
		demo := slacksim.DemoWorkspace()
		c.Users, c.Groups = demo.Users, demo.Groups
		c.Channels = slices.Concat(demo.Channels, []slacksim.Channel{{ID: "C0SECRET", Name: "secret", Private: true, Members: []string{"U0ANA", "U0HITL"}}})
	})
	say := func(user, channel, text, thread string) string {
		t.Helper()
		ts, err := w.sim.Post(user, channel, text, thread)
		if err != nil {
			t.Fatal(err)
		}
		return ts
	}
	card := post(t, w, "C0REVIEW", slack.MsgOptionText("a card", false), card())
	reply := say("U0ANA", "C0REVIEW", "5 < 6 & <@U0BEN>", card)
	say("U0ANA", "C0GENERAL", "the bot is not here", "")
	say("U0ANA", "C0SECRET", "hush", "")
	dm, _, err := w.sim.OpenMessages(t.Context(), "U0ANA")
	if err != nil {
		t.Fatal(err)
	}
	say("U0ANA", dm, "hello", "")
	if err := w.sim.EditMessage("U0ANA", "C0REVIEW", reply, "5 > 4"); err != nil {
		t.Fatal(err)
	}
	if _, _, _, err := w.client.UpdateMessageContext(t.Context(), "C0REVIEW", card, slack.MsgOptionText("decided", false)); err != nil {
		t.Fatal(err)
	}
	if err := w.sim.DeleteMessage("U0ANA", "C0REVIEW", reply); err != nil {
		t.Fatal(err)
	}
	if _, err := w.client.PostEphemeralContext(t.Context(), "C0REVIEW", "U0ANA", slack.MsgOptionText("only you", false)); err != nil {
		t.Fatal(err)
	}
	got := w.inner(t)
	slices.Sort(got) // that of the tab is not sent in turn
	want := []string{
		"app_home_opened U0ANA messages",
		"message channel U0ANA 5 &lt; 6 &amp; <@U0BEN> U0HITL",
		"message channel U0HITL B0HITL a card",
		"message group U0ANA hush",
		"message im U0ANA hello",
		"message message_changed channel 5 &lt; 6 &amp; <@U0BEN> 5 &gt; 4",
		"message message_changed channel a card decided",
		"message message_deleted channel 5 &gt; 4",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	var wrap struct {
		Type, TeamID, ID string
		AppID            string `json:"api_app_id"`
		EventID          string `json:"event_id"`
		EventTime        int64  `json:"event_time"`
		Authorizations   []struct {
			TeamID string `json:"team_id"`
			UserID string `json:"user_id"`
			IsBot  bool   `json:"is_bot"`
		}
	}
	if err := json.Unmarshal(w.app.last().body, &wrap); err != nil {
		t.Fatal(err)
	}
	if wrap.Type != "event_callback" || wrap.AppID != "A0HITL" || !strings.HasPrefix(wrap.EventID, "Ev") || wrap.EventTime != w.clock.now().Unix() ||
		len(wrap.Authorizations) != 1 || wrap.Authorizations[0].UserID != "U0HITL" || !wrap.Authorizations[0].IsBot {
		t.Errorf("around the event: %s", w.app.last().body)
	}
	for what, err := range map[string]error{
		"somebody else's":  w.sim.EditMessage("U0BEN", "C0REVIEW", card, "x"),
		"from elsewhere":   w.sim.DeleteMessage("U0CHLOE", "C0SECRET", card),
		"what is gone":     w.sim.DeleteMessage("U0ANA", "C0REVIEW", reply),
		"what is nowhere":  w.sim.EditMessage("U0ANA", "C0REVIEW", "1.000001", "x"),
		"by a robot":       w.sim.EditMessage("U0HITL", "C0REVIEW", card, "x"),
		"another's events": w.sim.Subscribe("reaction_added"),
	} {
		if err == nil {
			t.Errorf("%s: no error", what)
		}
	}
	w.clean(t)
}

// An app gets what it asked for and may have, and nothing else.
func TestSubscriptions(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		change func(*slacksim.Config)
		want   []string
	}{
		"all":          {func(*slacksim.Config) {}, []string{"message channel U0ANA hi", "app_home_opened U0ANA home"}},
		"home only":    {func(c *slacksim.Config) { c.Events = nil }, []string{"app_home_opened U0ANA home"}},
		"channel only": {func(c *slacksim.Config) { c.Events = []string{slacksim.EventChannels} }, []string{"message channel U0ANA hi"}},
		"none":         {func(c *slacksim.Config) { c.Events = []string{} }, nil},
		"no scope":     {func(c *slacksim.Config) { c.Scopes = []string{"groups:history"} }, []string{"app_home_opened U0ANA home"}},
		"no URL":       {func(c *slacksim.Config) { c.Endpoints.Events = "" }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := start(t, subscribed, tc.change)
			if _, err := w.sim.Post("U0ANA", "C0REVIEW", "hi", ""); err != nil {
				t.Fatal(err)
			}
			if err := w.sim.Settle(context5(t)); err != nil {
				t.Fatal(err)
			}
			if _, err := w.sim.OpenHome(t.Context(), "U0ANA"); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, w.inner(t)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestEventRetries(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	for name, tc := range map[string]struct {
		respond func(http.ResponseWriter, received)
		want    []string
	}{
		"taken": {func(rw http.ResponseWriter, _ received) { rw.WriteHeader(http.StatusNoContent) }, []string{""}},
		"refused": {
			func(rw http.ResponseWriter, _ received) { rw.WriteHeader(http.StatusServiceUnavailable) },
			[]string{"", "1 http_error", "2 http_error", "3 http_error"},
		},
		"not again": {func(rw http.ResponseWriter, _ received) {
			rw.Header().Set("X-Slack-No-Retry", "1")
			rw.WriteHeader(http.StatusServiceUnavailable)
		}, []string{""}},
		"late": {func(_ http.ResponseWriter, got received) {
			if got.header.Get("X-Slack-Retry-Num") == "" {
				<-release
			}
		}, []string{"", "1 http_timeout"}},
		"cut": {func(_ http.ResponseWriter, got received) {
			if got.header.Get("X-Slack-Retry-Num") == "" {
				panic(http.ErrAbortHandler)
			}
		}, []string{"", "1 connection_failed"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := start(t, subscribed, func(c *slacksim.Config) {
				if name == "late" {
					c.AnswerWithin = time.Second
				}
			})
			w.app.respond = tc.respond
			if _, err := w.sim.Post("U0ANA", "C0REVIEW", "hi", ""); err != nil {
				t.Fatal(err)
			}
			w.inner(t)
			if name == "late" {
				close(release)
			}
			var got, ids []string
			for _, r := range w.app.requests() {
				got = append(got, strings.TrimSpace(r.header.Get("X-Slack-Retry-Num")+" "+r.header.Get("X-Slack-Retry-Reason")))
				var e struct {
					ID string `json:"event_id"`
				}
				if err := json.Unmarshal(r.body, &e); err != nil {
					t.Fatal(err)
				}
				ids = append(ids, e.ID)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("deliveries (-want +got):\n%s", diff)
			}
			if len(slices.Compact(ids)) != 1 {
				t.Errorf("the event's id changes: %v", ids)
			}
			if d := w.sim.Deliveries(); d[len(d)-1].Retry != len(tc.want)-1 || d[0].Event != "message" {
				t.Errorf("recorded %+v", d)
			}
		})
	}
}

func TestEventsOverSocketMode(t *testing.T) {
	t.Parallel()
	w := start(t, subscribed, socketMode, func(c *slacksim.Config) { c.AnswerWithin = time.Second })
	f := connect(t, w)
	f.next()
	if _, err := w.sim.Post("U0ANA", "C0REVIEW", "hi", ""); err != nil {
		t.Fatal(err)
	}
	first, second := f.next(), f.next()
	a, b := first["payload"].(map[string]any), second["payload"].(map[string]any)
	if first["type"] != "events_api" || first["retry_attempt"] != 0.0 || first["retry_reason"] != "" || first["accepts_response_payload"] != false ||
		second["retry_attempt"] != 1.0 || second["retry_reason"] != "timeout" || a["event_id"] != b["event_id"] || first["envelope_id"] == second["envelope_id"] {
		t.Errorf("envelopes %v and %v", first, second)
	}
	f.say(`{"envelope_id":"` + second["envelope_id"].(string) + `"}`)
	if err := w.sim.Settle(context5(t)); err != nil {
		t.Fatal(err)
	}
	if d := w.sim.Deliveries(); len(d) != 2 || d[0].Error != slacksim.TimedOut || d[1].Error != "" {
		t.Errorf("deliveries %+v", d)
	}
	w.clean(t)
}

func TestEventsURL(t *testing.T) {
	t.Parallel()
	w := start(t, subscribed, func(c *slacksim.Config) { c.Endpoints.Events = "" })
	url := ""
	w.app.respond = func(rw http.ResponseWriter, got received) {
		var v struct{ Type, Challenge string }
		if json.Unmarshal(got.body, &v) == nil && v.Type == "url_verification" && strings.HasSuffix(url, "/events") {
			_, _ = rw.Write([]byte(v.Challenge))
		}
	}
	app := w.appURL
	for _, tc := range []struct {
		url  string
		want int
	}{{app + "/events", 200}, {app + "/elsewhere", 400}, {"nowhere", 400}} {
		url = tc.url
		if status := control(t, w, "POST", "eventsurl", `{"url":"`+tc.url+`"}`, nil); status != tc.want {
			t.Errorf("%s: %d", tc.url, status)
		}
	}
	before := len(w.app.requests())
	if _, err := w.sim.OpenHome(t.Context(), "U0ANA"); err != nil || len(w.app.requests()) != before+1 {
		t.Errorf("the URL before does not stay: %v", err)
	}
	control(t, w, "POST", "eventsurl", `{"url":""}`, nil)
	if out, err := w.sim.OpenHome(t.Context(), "U0ANA"); err != nil || out.Status != 0 || len(w.app.requests()) != before+1 {
		t.Errorf("without a URL: %+v, %v", out, err)
	}
}

func TestEventControl(t *testing.T) {
	t.Parallel()
	w := start(t, subscribed)
	var m slacksim.Message
	control(t, w, "POST", "post", `{"user":"U0ANA","channel":"C0REVIEW","text":"a"}`, &m)
	if status := control(t, w, "POST", "edit", `{"user":"U0ANA","channel":"C0REVIEW","ts":"`+m.TS+`","text":"b"}`, &m); status != 200 || m.Text != "b" || m.EditedTS == "" {
		t.Errorf("edit: %d %+v", status, m)
	}
	if status := control(t, w, "POST", "delete", `{"user":"U0BEN","channel":"C0REVIEW","ts":"`+m.TS+`"}`, nil); status != 400 {
		t.Errorf("delete by another: %d", status)
	}
	control(t, w, "POST", "delete", `{"user":"U0ANA","channel":"C0REVIEW","ts":"`+m.TS+`"}`, nil)
	var dm struct {
		Channel string
		Status  int
	}
	if control(t, w, "POST", "dm", `{"user":"U0ANA"}`, &dm); dm.Channel != w.sim.DM("U0ANA") || dm.Status != 200 {
		t.Errorf("dm: %+v", dm)
	}
	control(t, w, "POST", "settle", `{}`, nil)
	if status := control(t, w, "POST", "subscribe", `{"events":["message.im"]}`, nil); status != 200 {
		t.Errorf("subscribe: %d", status)
	}
	control(t, w, "POST", "post", `{"user":"U0ANA","channel":"C0REVIEW","text":"not heard"}`, nil)
	control(t, w, "POST", "post", `{"user":"U0ANA","channel":"`+dm.Channel+`","text":"heard"}`, nil)
	got := w.inner(t)
	slices.Sort(got)
	want := []string{
		"app_home_opened U0ANA messages", "message channel U0ANA a", "message im U0ANA heard",
		"message message_changed channel a b", "message message_deleted channel b",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Reset ends redeliveries.
func TestResetEndsRedeliveries(t *testing.T) {
	t.Parallel()
	w := start(t, func(c *slacksim.Config) { c.Events, c.EventRetries = slacksim.AllEvents(), []time.Duration{time.Hour} })
	w.app.respond = func(rw http.ResponseWriter, _ received) { rw.WriteHeader(http.StatusInternalServerError) }
	if _, err := w.sim.Post("U0ANA", "C0REVIEW", "hi", ""); err != nil {
		t.Fatal(err)
	}
	if err := w.sim.Wait(context5(t), func() bool { return len(w.sim.Deliveries()) == 1 }); err != nil {
		t.Fatal(err)
	}
	w.sim.Reset()
	if err := w.sim.Settle(context5(t)); err != nil || len(w.app.requests()) != 1 {
		t.Errorf("%d requests, %v", len(w.app.requests()), err)
	}
}

// Closing the simulator ends what is on its way.
func TestCloseEndsEvents(t *testing.T) {
	t.Parallel()
	w := start(t, func(c *slacksim.Config) { c.Events, c.EventRetries = slacksim.AllEvents(), []time.Duration{time.Hour} })
	w.app.respond = func(rw http.ResponseWriter, _ received) { rw.WriteHeader(http.StatusInternalServerError) }
	if _, err := w.sim.Post("U0ANA", "C0REVIEW", "hi", ""); err != nil {
		t.Fatal(err)
	}
	if err := w.sim.Wait(context5(t), func() bool { return len(w.sim.Deliveries()) == 1 }); err != nil {
		t.Fatal(err)
	}
	w.sim.Close()
	if _, err := w.sim.Post("U0ANA", "C0REVIEW", "after the end", ""); err != nil || len(w.sim.Deliveries()) != 1 {
		t.Errorf("deliveries %+v, %v", w.sim.Deliveries(), err)
	}
}
