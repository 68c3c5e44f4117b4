package slacksim

import (
	"context"
	"fmt"
)

// homeOpened is the event of a user who opened a tab of the app.
func (s *Sim) homeOpened(u *User, tab string) map[string]any {
	event := map[string]any{
		"type": EventHomeOpened, "user": u.ID, "channel": s.openDM(u).ID, "tab": tab, "event_ts": s.timestamp(),
	}
	if v, ok := s.homes[u.ID]; ok && tab == "home" {
		event["view"] = s.viewJSON(v)
	}
	return event
}

// openTab opens a tab and tells the app, if it wants to know. The Outcome is that of the first delivery.
func (s *Sim) openTab(ctx context.Context, user, tab string) (channel string, out Outcome, err error) {
	s.mu.Lock()
	u, err := s.actor(user)
	if err != nil {
		s.mu.Unlock()
		return "", Outcome{}, fmt.Errorf("open %s: %w", tab, err)
	}
	channel = s.openDM(u).ID
	wanted := s.subscribed(EventHomeOpened)
	era := s.events.now()
	var payload map[string]any
	if wanted {
		payload = s.eventPayload("", s.homeOpened(u, tab))
	}
	s.mu.Unlock()
	s.hub.changed()
	if !wanted {
		return channel, Outcome{}, nil
	}
	r := s.attempt(ctx, delivery{to: toEvents, what: "event", user: user, payload: payload, era: era})
	s.hub.changed()
	return channel, outcome(r), nil
}

// OpenHome shows the app's home tab to a user: an app that is subscribed receives app_home_opened and may publish a view. The Outcome is
// zero when nothing was sent.
func (s *Sim) OpenHome(ctx context.Context, user string) (Outcome, error) {
	_, out, err := s.openTab(ctx, user, "home")
	return out, err
}

// OpenMessages shows the app's messages tab, its direct messages with a user, and returns their channel. An app that is subscribed
// receives app_home_opened with the tab "messages".
func (s *Sim) OpenMessages(ctx context.Context, user string) (channel string, out Outcome, err error) {
	return s.openTab(ctx, user, "messages")
}

// said tells the app of a message that was posted. The caller holds the lock.
func (s *Sim) said(c *conversation, m *message) {
	event := s.messageJSON(m, false)
	event["event_ts"] = m.TS
	s.tell(c, m.User, event)
}

// changedMessage tells the app that a message is not what it was.
func (s *Sim) changedMessage(m *message, before map[string]any) {
	c, ok := s.channels[m.Channel]
	if !ok || m.EphemeralTo != "" {
		return
	}
	s.tell(c, m.User, map[string]any{
		"type": "message", "subtype": "message_changed", "hidden": true, "ts": s.timestamp(),
		"message": s.messageJSON(m, false), "previous_message": before,
	})
}

// deletedMessage tells the app that a message is gone.
func (s *Sim) deletedMessage(c *conversation, m *message, before map[string]any) {
	s.tell(c, m.User, map[string]any{
		"type": "message", "subtype": "message_deleted", "hidden": true, "ts": s.timestamp(), "deleted_ts": m.TS,
		"previous_message": before,
	})
}

// tell sends a message event if the bot is in the conversation.
func (s *Sim) tell(c *conversation, user string, event map[string]any) {
	if !s.botIn(c) {
		return
	}
	name, kind := EventChannels, "channel"
	switch {
	case c.with != "":
		name, kind = EventDirect, "im"
	case c.Private:
		name, kind = EventGroups, "group"
	}
	event["channel"], event["channel_type"] = c.ID, kind
	if _, ok := event["event_ts"]; !ok {
		event["event_ts"] = event["ts"]
	}
	s.emit(name, user, event)
}
