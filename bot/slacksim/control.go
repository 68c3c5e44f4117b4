package slacksim

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"
)

// controlDoc is what GET /_sim/ answers.
const controlDoc = `Slack simulator: control API. Bodies are JSON (Content-Type: application/json).

GET  /_sim/state[?user=U&channel=C]   people, places, faults; with a channel its newest 200 messages, with a user what only they see
GET  /_sim/messages?channel=C         messages with blocks and metadata, oldest first
GET  /_sim/ephemerals?user=U          messages only this user sees
GET  /_sim/views?user=U               open modals, the visible one last
GET  /_sim/home?user=U                the published home tab
GET  /_sim/responses                  accepted posts to response_urls
GET  /_sim/calls[?method=M]           recorded Web API calls
GET  /_sim/refused                    what correct code never does; tests expect []
GET  /_sim/deliveries                 requests sent to the app, and what the user saw
GET  /_sim/events                     server-sent events: one for each change

POST /_sim/click    {user, channel, ts | view_id, action_id?, block_id?, value?, text?, input?: {text|option|options|user}}
POST /_sim/value    {user, block_id, action_id, input}          enter something into the top modal, else the home tab
POST /_sim/submit   {user, values?: {block_id: {action_id: input}}}
POST /_sim/close    {user, all?}
POST /_sim/suggest  {user, view_id, block_id?, action_id?, query}
POST /_sim/command  {user, channel, command, text}
POST /_sim/post     {user, channel, text, thread_ts?}
POST /_sim/shortcut {user, callback_id, channel?, ts?}          channel and ts name the message of a message shortcut
POST /_sim/edit     {user, channel, ts, text}                   edit one's own message
POST /_sim/delete   {user, channel, ts}                         delete one's own message
POST /_sim/home     {user}                                      open the home tab: app_home_opened
POST /_sim/dm       {user}                                      open the direct messages with the app; answers {channel, ...}
POST /_sim/subscribe {events: [name]}                           app_home_opened | message.channels | message.groups | message.im
POST /_sim/eventsurl {url}                                      set the URL for events, after url_verification
POST /_sim/settle   {}                                          wait until no event is on its way, redeliveries included
POST /_sim/fail     {method | "*" | "response_url", times?, error? | status? | retry_after_s? | lose_reply?: "cut"|"500", delay_ms?}
POST /_sim/socket   {fault}                                     cut | freeze | warning | refresh_requested | cut_envelope | drop_ack | repeat | garbage | bad_payload | unknown_type
POST /_sim/socketmode {on}                                      off: link_disabled, and HTTP again
POST /_sim/expire   {}                                          let every bot token expire now
POST /_sim/heal     {}                                          remove all faults
POST /_sim/reset    {}                                          empty the workspace

Actions answer 200 with what the user saw, {status, answer, error, errors, options, ...};
400 {"error": "..."} means that a user could not have done that.
`

// mountControl serves the control API. Posts from other origins are refused, so that a web page cannot drive it.
func (s *Sim) mountControl(mux *http.ServeMux) {
	sub := http.NewServeMux()
	sub.HandleFunc("GET /_sim/{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = io.WriteString(w, controlDoc) // the client may have gone
	})
	get := func(path string, read func(q query) any) {
		sub.HandleFunc("GET /_sim/"+path, func(w http.ResponseWriter, r *http.Request) {
			writeJSON(w, http.StatusOK, read(func(name string) string { return r.URL.Query().Get(name) }))
		})
	}
	get("state", func(q query) any { return s.state(q("user"), q("channel")) })
	get("messages", func(q query) any { return list(s.Messages(q("channel"))) })
	get("ephemerals", func(q query) any { return list(s.Ephemerals(q("user"))) })
	get("views", func(q query) any { return list(s.Views(q("user"))) })
	get("home", func(q query) any { return s.homeOrNull(q("user")) })
	get("responses", func(query) any { return list(s.Responses()) })
	get("calls", func(q query) any { return list(s.Calls(q("method"))) })
	get("refused", func(query) any { return list(s.Refused()) })
	get("deliveries", func(query) any { return list(s.Deliveries()) })
	sub.HandleFunc("GET /_sim/events", s.serveEvents)

	handle(s, sub, "click", s.Click)
	handle(s, sub, "suggest", s.Suggest)
	handle(s, sub, "shortcut", s.Shortcut)
	handle(s, sub, "submit", s.SubmitView)
	handle(s, sub, "value", func(_ context.Context, in struct {
		User     string `json:"user"`
		BlockID  string `json:"block_id"`
		ActionID string `json:"action_id"`
		Input    Input  `json:"input"`
	},
	) (Outcome, error) {
		return Outcome{}, s.SetValue(in.User, in.BlockID, in.ActionID, in.Input)
	})
	handle(s, sub, "close", func(ctx context.Context, in struct {
		User string `json:"user"`
		All  bool   `json:"all"`
	},
	) (Outcome, error) {
		return s.CloseView(ctx, in.User, in.All)
	})
	handle(s, sub, "command", func(ctx context.Context, in spoken) (Outcome, error) {
		return s.Command(ctx, in.User, in.Channel, in.Command, in.Text)
	})
	handle(s, sub, "post", func(_ context.Context, in spoken) (Message, error) {
		ts, err := s.Post(in.User, in.Channel, in.Text, in.ThreadTS)
		m, _ := s.Message(in.Channel, ts)
		return m, err
	})
	handle(s, sub, "edit", func(_ context.Context, in spoken) (Message, error) {
		err := s.EditMessage(in.User, in.Channel, in.TS, in.Text)
		m, _ := s.Message(in.Channel, in.TS)
		return m, err
	})
	handle(s, sub, "delete", func(_ context.Context, in spoken) (Outcome, error) {
		return Outcome{}, s.DeleteMessage(in.User, in.Channel, in.TS)
	})
	handle(s, sub, "dm", func(ctx context.Context, in spoken) (any, error) {
		channel, out, err := s.OpenMessages(ctx, in.User)
		return struct {
			Channel string `json:"channel"`
			Outcome
		}{channel, out}, err
	})
	handle(s, sub, "subscribe", func(_ context.Context, in struct {
		Events []string `json:"events"`
	},
	) (Outcome, error) {
		return Outcome{}, s.Subscribe(in.Events...)
	})
	handle(s, sub, "eventsurl", func(ctx context.Context, in struct {
		URL string `json:"url"`
	},
	) (Outcome, error) {
		return Outcome{}, s.SetEventsURL(ctx, in.URL)
	})
	handle(s, sub, "settle", func(ctx context.Context, _ struct{}) (Outcome, error) { return Outcome{}, s.Settle(ctx) })
	handle(s, sub, "home", func(ctx context.Context, in spoken) (Outcome, error) { return s.OpenHome(ctx, in.User) })
	handle(s, sub, "fail", func(_ context.Context, in failRequest) (Outcome, error) {
		f := in.Fault
		f.RetryAfter, f.Delay = time.Duration(in.RetryAfterS)*time.Second, time.Duration(in.DelayMS)*time.Millisecond
		return Outcome{}, s.Fail(in.Method, f)
	})
	handle(s, sub, "socket", func(ctx context.Context, in struct {
		Fault SocketFault `json:"fault"`
	},
	) (Outcome, error) {
		return s.FailSocket(ctx, in.Fault)
	})
	handle(s, sub, "socketmode", func(_ context.Context, in struct {
		On bool `json:"on"`
	},
	) (Outcome, error) {
		s.SetSocketMode(in.On)
		return Outcome{}, nil
	})
	handle(s, sub, "expire", func(context.Context, struct{}) (Outcome, error) { s.ExpireTokens(); return Outcome{}, nil })
	handle(s, sub, "heal", func(context.Context, struct{}) (Outcome, error) { s.Heal(); return Outcome{}, nil })
	handle(s, sub, "reset", func(context.Context, struct{}) (Outcome, error) { s.Reset(); return Outcome{}, nil })
	mux.Handle("/_sim/", http.NewCrossOriginProtection().Handler(sub))
}

type query func(name string) string

// spoken is the body of what a user says.
type spoken struct {
	User     string `json:"user"`
	Channel  string `json:"channel"`
	Command  string `json:"command"`
	Text     string `json:"text"`
	TS       string `json:"ts"`
	ThreadTS string `json:"thread_ts"`
}

// failRequest is a Fault with plain numbers in place of durations.
type failRequest struct {
	Method      string `json:"method"`
	RetryAfterS int    `json:"retry_after_s"`
	DelayMS     int    `json:"delay_ms"`
	Fault
}

// handle mounts one action: a strict JSON body in, what the user saw out.
func handle[In, Out any](s *Sim, mux *http.ServeMux, path string, do func(context.Context, In) (Out, error)) {
	mux.HandleFunc("POST /_sim/"+path, func(w http.ResponseWriter, r *http.Request) {
		s.learnBase(r)
		if contentType(r.Header) != "application/json" {
			writeJSON(w, http.StatusUnsupportedMediaType, map[string]string{"error": "send application/json"})
			return
		}
		var in In
		dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
		dec.DisallowUnknownFields()
		err := dec.Decode(&in)
		if errors.Is(err, io.EOF) {
			err = nil // an empty body is {}
		}
		var out Out
		if err == nil {
			out, err = do(r.Context(), in)
		}
		if err != nil {
			writeJSON(w, http.StatusBadRequest, map[string]string{"error": err.Error()})
			return
		}
		writeJSON(w, http.StatusOK, out)
	})
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the client may have gone
}

// list makes sure that an empty list is [] in JSON.
func list[T any](v []T) []T {
	if v == nil {
		return []T{}
	}
	return v
}

func (s *Sim) homeOrNull(user string) any {
	if v, ok := s.Home(user); ok {
		return v
	}
	return nil
}

// shownMessages is how many of a channel's newest messages, and of a user's ephemeral ones, the page draws.
const shownMessages = 200

// chosen is what a user sees chosen in a channel's messages and in what only they see, by timestamp; without those where nothing is.
func (s *Sim) chosen(user, channel string) map[string]State {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := map[string]State{}
	note := func(list []*message) {
		for _, m := range list[max(0, len(list)-shownMessages):] {
			if m.entered[user] != nil || bytes.Contains(m.blocks, []byte(`"initial_`)) {
				out[m.TS] = m.values(user)
			}
		}
	}
	if c, ok := s.channels[channel]; ok {
		note(c.messages)
	}
	note(s.ephemeral)
	return out
}

// state is all that the page needs for one draw.
func (s *Sim) state(user, channel string) map[string]any {
	s.mu.Lock()
	users := make([]User, 0, len(s.userOrder))
	for _, id := range s.userOrder {
		users = append(users, *s.users[id])
	}
	type place struct {
		Channel
		With   string `json:"with,omitempty"`
		Latest string `json:"latest,omitempty"`
	}
	places := make([]place, 0, len(s.chanOrder))
	for _, id := range s.chanOrder {
		c := s.channels[id]
		p := place{Channel: c.Channel, With: c.with}
		p.Members = slices.Clone(c.Members)
		if n := len(c.messages); n > 0 {
			p.Latest = c.messages[n-1].TS
		}
		places = append(places, p)
	}
	faults := map[string][]string{}
	for method, queue := range s.faults {
		for _, f := range queue {
			faults[method] = append(faults[method], fmt.Sprintf("%s (%d)", f, f.Times))
		}
	}
	groups := slices.Clone(s.groups)
	refused := len(s.log.refused)
	s.mu.Unlock()

	out := map[string]any{
		"team": s.cfg.Team, "enterprise": s.enterpriseJSON(), "app": s.cfg.App, "users": users, "groups": groups, "channels": places,
		"commands": list(s.cfg.Commands), "shortcuts": list(s.cfg.Shortcuts), "faults": faults, "refused": refused, "now": s.cfg.Now(),
	}
	if channel != "" {
		all := s.Messages(channel)
		out["messages"] = list(all[max(0, len(all)-shownMessages):])
	}
	if user != "" {
		out["chosen"] = s.chosen(user, channel)
		only := s.Ephemerals(user)
		out["ephemerals"] = list(only[max(0, len(only)-shownMessages):])
		out["views"], out["home"] = list(s.Views(user)), s.homeOrNull(user)
	}
	return out
}
