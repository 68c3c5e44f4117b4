package slacksim

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Outcome is what the user saw after doing something.
type Outcome struct {
	// Status and Answer are the app's; Status is 0 when no answer came or nothing was sent.
	Status int    `json:"status"`
	Answer string `json:"answer,omitempty"`
	// Error is what the user is shown when the app failed: TimedOut, Unreachable, BadStatus or BadAnswer. Empty when
	// all went well.
	Error string `json:"error,omitempty"`
	// Errors are the messages below a modal's inputs, by block_id; the modal stays open.
	Errors map[string]string `json:"errors,omitempty"`
	// Options are what an external select shows.
	Options []Option `json:"options,omitempty"`
	// TriggerID and ResponseURL are what the app was given.
	TriggerID   string        `json:"trigger_id,omitempty"`
	ResponseURL string        `json:"response_url,omitempty"`
	Took        time.Duration `json:"took"`
}

func outcome(r reply) Outcome {
	return Outcome{Status: r.status, Answer: string(r.body), Error: r.shown, Took: r.took}
}

// Click is a user acting on an element: pressing a button, choosing an option.
type Click struct {
	User string `json:"user"`
	// Channel and TS name a message; ViewID names an open modal or home tab instead.
	Channel string `json:"channel,omitempty"`
	TS      string `json:"ts,omitempty"`
	ViewID  string `json:"view_id,omitempty"`
	// BlockID, ActionID, Value (of a button) and Text (a button's label) find the element. Those that are set must all
	// match, and exactly one element may.
	BlockID  string `json:"block_id,omitempty"`
	ActionID string `json:"action_id,omitempty"`
	Value    string `json:"value,omitempty"`
	Text     string `json:"text,omitempty"`
	// Input is what was chosen or typed, for elements other than buttons.
	Input Input `json:"input"`
}

// place is where an element stands: in a message or in a view.
type place struct {
	message *message
	view    *view
	channel *conversation
	element Element
}

// Click delivers a block_actions payload and returns what the user saw. The error says that the click is impossible: no
// such message or element, a user who cannot see it, an option that is not offered. Confirmation dialogs count as
// confirmed.
func (s *Sim) Click(ctx context.Context, c Click) (Outcome, error) {
	s.mu.Lock()
	p, err := s.locate(c.User, c.Channel, c.TS, c.ViewID, func(e Element) bool {
		return match(c.BlockID, e.BlockID) && match(c.ActionID, e.ActionID) && match(c.Value, e.Value) && match(c.Text, e.Text)
	})
	if err != nil {
		s.mu.Unlock()
		return Outcome{}, fmt.Errorf("click: %w", err)
	}
	action, err := s.act(p, c.Input)
	if err != nil {
		s.mu.Unlock()
		return Outcome{}, fmt.Errorf("click: %w", err)
	}
	payload, out := s.actionPayload(c.User, p, action)
	s.mu.Unlock()
	s.hub.changed()

	r := s.send(ctx, delivery{to: toInteractivity, what: "block_actions", user: c.User, payload: payload})
	done := outcome(r)
	done.TriggerID, done.ResponseURL = out.TriggerID, out.ResponseURL
	s.mu.Lock()
	s.showTrouble(p, c.User, r.shown)
	s.mu.Unlock()
	s.hub.changed()
	return done, nil
}

func match(want, got string) bool { return want == "" || want == got }

// showTrouble puts the warning beside the message or into the view, or takes it away.
func (s *Sim) showTrouble(p place, user, shown string) {
	switch {
	case p.view != nil && shown != "":
		p.view.errors = map[string]string{"": shown}
	case p.view != nil:
		delete(p.view.errors, "")
	case shown != "":
		if p.message.trouble == nil {
			p.message.trouble = map[string]string{}
		}
		p.message.trouble[user] = shown
	default:
		delete(p.message.trouble, user)
	}
}

// actor makes sure that a user can do things.
func (s *Sim) actor(user string) (*User, error) {
	u, ok := s.users[user]
	switch {
	case !ok || u.Bot:
		return nil, fmt.Errorf("no such user: %q", user)
	case u.Deactivated:
		return nil, fmt.Errorf("user %s is deactivated", user)
	}
	return u, nil
}

// locate finds the one element that fits, in a place that the user can see.
func (s *Sim) locate(user, channel, ts, viewID string, fits func(Element) bool) (place, error) {
	if _, err := s.actor(user); err != nil {
		return place{}, err
	}
	var p place
	var all []Element
	if viewID != "" {
		p.view = s.openView(viewID)
		if p.view == nil || p.view.user != user {
			return p, fmt.Errorf("user %s has no open view %s", user, viewID)
		}
		all = p.view.elements()
	} else {
		p.channel, p.message = s.channels[channel], s.find(channel, ts)
		switch {
		case p.message == nil:
			return p, fmt.Errorf("no message %s in channel %q", ts, channel)
		case p.message.EphemeralTo != "" && p.message.EphemeralTo != user,
			!slices.Contains(p.channel.Members, user):
			return p, fmt.Errorf("user %s cannot see message %s in %s", user, ts, channel)
		}
		all = elements(anyBlocks(decodeBlocks(p.message.blocks)))
	}
	var names []string
	for _, e := range all {
		names = append(names, fmt.Sprintf("%s %s %q", e.Type, e.ActionID, e.Text))
	}
	all = slices.DeleteFunc(all, func(e Element) bool { return !fits(e) })
	if len(all) != 1 {
		return p, fmt.Errorf("%d elements fit, need exactly one; there are: %s", len(all), strings.Join(names, ", "))
	}
	p.element = all[0]
	return p, nil
}

// act makes the entry of the payload's actions list, and keeps the new state in a view.
func (s *Sim) act(p place, in Input) (map[string]any, error) {
	e := p.element
	var suggested []Option
	if p.view != nil {
		suggested = p.view.suggested[e.BlockID+"/"+e.ActionID]
	} else if e.Type == "external_select" {
		return nil, errors.New("external selects in messages are not simulated")
	}
	state, err := e.state(in, suggested, s.users)
	if err != nil {
		return nil, err
	}
	if p.view != nil && e.stateful() {
		put(p.view.values, e, state)
	}
	action := maps.Clone(state)
	action["action_id"], action["block_id"], action["action_ts"] = e.ActionID, e.BlockID, s.timestamp()
	if e.Type == "button" {
		for _, name := range []string{"text", "value", "style", "url"} {
			if v, ok := e.fields[name]; ok {
				action[name] = v
			}
		}
	} else if v, ok := e.fields["placeholder"]; ok {
		action["placeholder"] = v
	}
	return action, nil
}

// actionPayload builds block_actions and issues trigger_id and response_url.
func (s *Sim) actionPayload(user string, p place, action map[string]any) (map[string]any, Outcome) {
	var out Outcome
	if p.view != nil {
		payload := s.viewPayload("block_actions", user, p.view)
		out.TriggerID = s.newTrigger(user, p.view.id)
		payload["trigger_id"], payload["actions"] = out.TriggerID, []any{action}
		payload["container"] = map[string]any{"type": "view", "view_id": p.view.id}
		return payload, out
	}
	payload := s.basePayload("block_actions", user)
	payload["actions"] = []any{action}
	m := p.message
	out.TriggerID = s.newTrigger(user, "")
	out.ResponseURL = s.newHook("actions", hook{channel: m.Channel, user: user, original: m.TS, thread: m.ThreadTS})
	payload["trigger_id"], payload["response_url"] = out.TriggerID, out.ResponseURL
	container := map[string]any{
		"type": "message", "message_ts": m.TS, "channel_id": m.Channel, "is_ephemeral": m.EphemeralTo != "",
	}
	if m.ThreadTS != "" {
		container["thread_ts"] = m.ThreadTS
	}
	payload["container"] = container
	payload["channel"] = channelJSON(p.channel)
	if m.EphemeralTo == "" {
		payload["message"] = s.messageJSON(m, false) // Slack sends no message for ephemeral ones
	}
	if p.element.stateful() {
		state := maps.Clone(action)
		for _, name := range []string{"action_id", "block_id", "action_ts", "placeholder"} {
			delete(state, name)
		}
		if m.entered == nil {
			m.entered = map[string]State{}
		}
		if m.entered[user] == nil {
			m.entered[user] = State{}
		}
		put(m.entered[user], p.element, state)
	}
	payload["state"] = map[string]any{"values": m.values(user)}
	return payload, out
}

// basePayload holds the fields that all interactive payloads share.
func (s *Sim) basePayload(kind, user string) map[string]any {
	u := s.users[user]
	return map[string]any{
		"type": kind, "token": "verification-token-is-deprecated", "api_app_id": s.cfg.App.ID, "team": s.teamJSON(u),
		"user":                  map[string]any{"id": u.ID, "username": u.Name, "name": u.Name, "team_id": u.TeamID},
		"enterprise":            s.enterpriseJSON(),
		"is_enterprise_install": s.cfg.Enterprise.OrgWide,
	}
}

// Suggest is a user typing into an external select of an open view.
type Suggest struct {
	User     string `json:"user"`
	ViewID   string `json:"view_id"`
	BlockID  string `json:"block_id,omitempty"`
	ActionID string `json:"action_id,omitempty"`
	Query    string `json:"query"`
}

// Suggest delivers a block_suggestion payload and returns the options that the user is shown. Choosing one of them by
// its value works until the next suggestion.
func (s *Sim) Suggest(ctx context.Context, q Suggest) (Outcome, error) {
	s.mu.Lock()
	p, err := s.locate(q.User, "", "", q.ViewID, func(e Element) bool {
		return e.Type == "external_select" && match(q.BlockID, e.BlockID) && match(q.ActionID, e.ActionID)
	})
	if err != nil {
		s.mu.Unlock()
		return Outcome{}, fmt.Errorf("suggest: %w", err)
	}
	if p.view == nil {
		s.mu.Unlock()
		return Outcome{}, errors.New("suggest: external selects in messages are not simulated")
	}
	payload := s.viewPayload("block_suggestion", q.User, p.view)
	payload["container"] = map[string]any{"type": "view", "view_id": p.view.id}
	payload["block_id"], payload["action_id"], payload["value"] = p.element.BlockID, p.element.ActionID, q.Query
	s.mu.Unlock()

	r := s.send(ctx, delivery{to: toOptions, what: "block_suggestion", user: q.User, payload: payload})
	out := outcome(r)
	if r.shown != "" {
		return out, nil
	}
	shown, problems := suggestions(r)
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(problems) > 0 {
		out.Error = BadAnswer
		s.refused(ctx, "block_suggestion", (&apiError{code: BadAnswer, problems: problems}).Error())
		return out, nil
	}
	out.Options = shown
	p.view.suggested[p.element.BlockID+"/"+p.element.ActionID] = shown
	return out, nil
}

// suggestions reads the app's answer to a block_suggestion: options or option_groups, at most 100.
func suggestions(r reply) ([]Option, []problem) {
	var v any
	if err := decodeJSON(r.body, &v); err != nil {
		return nil, []problem{{text: err.Error()}}
	}
	c := &checker{where: onModal}
	n := c.object(v, "")
	if n == nil {
		return nil, c.problems
	}
	list, _ := n.fields["options"].([]any)
	if _, grouped := n.fields["option_groups"]; !grouped && n.fields["options"] != nil && len(list) == 0 {
		return nil, nil // nothing found
	}
	n.selectOptions()
	if len(c.problems) > 0 {
		return nil, c.problems
	}
	all := elements([]any{map[string]any{
		"type": "input", "element": map[string]any{
			"type": "static_select", "options": n.fields["options"], "option_groups": n.fields["option_groups"],
		},
	}})
	return all[0].Options, nil
}

// contentType reads an answer's media type.
func contentType(h http.Header) string {
	kind, _, _ := strings.Cut(h.Get("Content-Type"), ";")
	return strings.TrimSpace(strings.ToLower(kind))
}
