package slacksim

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// Kinds of shortcuts.
const (
	// MessageShortcut stands in the menu of every message.
	MessageShortcut = "message"
	// GlobalShortcut stands beside the message box.
	GlobalShortcut = "global"
)

// Shortcut is one of the app's shortcuts, as its manifest lists them.
type Shortcut struct {
	// Name is what people see, at most 24 characters.
	Name string `json:"name"`
	// CallbackID tells the app which one was chosen, at most 255 characters.
	CallbackID string `json:"callback_id"`
	// Type is MessageShortcut or GlobalShortcut.
	Type string `json:"type"`
}

// checkShortcuts finds mistakes in a list of shortcuts. Slack allows five of each kind.
func checkShortcuts(list []Shortcut) error {
	var errs []error
	seen, kinds := map[string]bool{}, map[string]int{}
	for _, sc := range list {
		switch {
		case sc.Type != MessageShortcut && sc.Type != GlobalShortcut:
			errs = append(errs, fmt.Errorf("shortcut %q: type must be %s or %s", sc.CallbackID, MessageShortcut, GlobalShortcut))
		case sc.CallbackID == "" || runes(sc.CallbackID) > 255:
			errs = append(errs, fmt.Errorf("shortcut %q: callback_id must have 1 to 255 characters", sc.Name))
		case sc.Name == "" || runes(sc.Name) > 24:
			errs = append(errs, fmt.Errorf("shortcut %q: name must have 1 to 24 characters", sc.CallbackID))
		case seen[sc.CallbackID]:
			errs = append(errs, fmt.Errorf("shortcut %q: callback_id stands twice", sc.CallbackID))
		}
		seen[sc.CallbackID] = true
		if kinds[sc.Type]++; kinds[sc.Type] == 6 {
			errs = append(errs, fmt.Errorf("more than 5 shortcuts of type %s", sc.Type))
		}
	}
	return errors.Join(errs...)
}

// UseShortcut is a user choosing a shortcut: a message's, then Channel and TS name the message, or a global one.
type UseShortcut struct {
	User       string `json:"user"`
	CallbackID string `json:"callback_id"`
	Channel    string `json:"channel,omitempty"`
	TS         string `json:"ts,omitempty"`
}

// Shortcut delivers a message_action or a shortcut payload, as the shortcut's type is, and returns what the user saw. The error says that
// the user could not have chosen it: it is not registered, the app lacks the scope commands, the message cannot be seen or is ephemeral.
func (s *Sim) Shortcut(ctx context.Context, u UseShortcut) (Outcome, error) {
	s.mu.Lock()
	payload, out, err := s.shortcutPayload(u)
	s.mu.Unlock()
	if err != nil {
		return Outcome{}, fmt.Errorf("shortcut: %w", err)
	}
	what, _ := payload["type"].(string)
	done := outcome(s.send(ctx, delivery{to: toInteractivity, what: what, user: u.User, payload: payload}))
	done.TriggerID, done.ResponseURL = out.TriggerID, out.ResponseURL
	s.hub.changed()
	return done, nil
}

// shortcutPayload builds what the app gets. Slack's payloads of shortcuts have no api_app_id, a global one no response_url and no channel:
// https://api.slack.com/reference/interaction-payloads/shortcuts
func (s *Sim) shortcutPayload(u UseShortcut) (map[string]any, Outcome, error) {
	if _, err := s.actor(u.User); err != nil {
		return nil, Outcome{}, err
	}
	i := slices.IndexFunc(s.cfg.Shortcuts, func(sc Shortcut) bool { return sc.CallbackID == u.CallbackID })
	if i < 0 || !s.granted([]string{commandScope}) {
		return nil, Outcome{}, fmt.Errorf("no shortcut with callback_id %q is offered", u.CallbackID)
	}
	kind := "shortcut"
	var m *message
	c := s.channels[u.Channel]
	if s.cfg.Shortcuts[i].Type == MessageShortcut {
		kind, m = "message_action", s.find(u.Channel, u.TS)
		switch {
		case m == nil:
			return nil, Outcome{}, fmt.Errorf("no message %s in channel %q", u.TS, u.Channel)
		case m.EphemeralTo != "":
			return nil, Outcome{}, errors.New("ephemeral messages offer no shortcuts")
		case !slices.Contains(c.Members, u.User):
			return nil, Outcome{}, fmt.Errorf("user %s cannot see message %s in %s", u.User, u.TS, u.Channel)
		}
	} else if u.Channel != "" || u.TS != "" {
		return nil, Outcome{}, fmt.Errorf("shortcut %q is a global one: it has no message", u.CallbackID)
	}
	payload := s.basePayload(kind, u.User)
	delete(payload, "api_app_id")
	out := Outcome{TriggerID: s.newTrigger(u.User, "")}
	payload["callback_id"], payload["action_ts"], payload["trigger_id"] = u.CallbackID, s.timestamp(), out.TriggerID
	if m != nil {
		out.ResponseURL = s.newHook("app", hook{channel: u.Channel, user: u.User, thread: m.ThreadTS})
		payload["response_url"], payload["message_ts"] = out.ResponseURL, m.TS
		payload["message"] = s.messageJSON(m, false)
		payload["channel"] = channelJSON(c)
	}
	return payload, out, nil
}

// channelJSON names a channel in payloads.
func channelJSON(c *conversation) map[string]any {
	return map[string]any{"id": c.ID, "name": c.shownName()}
}

// shownName is a conversation's name in what is sent to apps: Slack does not tell those of private channels.
func (c *conversation) shownName() string {
	if c.Private {
		return "privategroup"
	}
	return c.Name
}
