package slacksim

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// Command runs a slash command as a user in a channel. The app's answer, if any, appears in the channel; when the app
// fails, the user sees an ephemeral message that says so, and Outcome.Error holds the reason.
func (s *Sim) Command(ctx context.Context, user, channel, command, text string) (Outcome, error) {
	s.mu.Lock()
	u, err := s.actor(user)
	c := s.channels[channel]
	switch {
	case err != nil:
	case c == nil || !slices.Contains(c.Members, user):
		err = fmt.Errorf("user %s is not in channel %q", user, channel)
	case !strings.HasPrefix(command, "/") || strings.ContainsAny(command, " \t\n"):
		err = fmt.Errorf("%q is no slash command", command)
	}
	if err != nil {
		s.mu.Unlock()
		return Outcome{}, fmt.Errorf("command: %w", err)
	}
	if !s.granted([]string{commandScope}) || len(s.cfg.Commands) > 0 && !slices.Contains(s.cfg.Commands, command) {
		s.slackbot(channel, user, fmt.Sprintf("`%s` is not a valid command.", command))
		s.mu.Unlock()
		s.hub.changed()
		return Outcome{Error: "unknown_command"}, nil
	}
	h := hook{channel: channel, user: user}
	out := Outcome{TriggerID: s.newTrigger(user, ""), ResponseURL: s.newHook("commands", h)}
	name := c.shownName()
	form := url.Values{
		"token": {"verification-token-is-deprecated"}, "team_id": {s.cfg.Team.ID}, "team_domain": {s.cfg.Team.Domain},
		"channel_id": {channel}, "channel_name": {name}, "user_id": {user}, "user_name": {u.Name}, "command": {command},
		"text": {strings.TrimSpace(text)}, "api_app_id": {s.cfg.App.ID}, "is_enterprise_install": {"false"},
		"response_url": {out.ResponseURL}, "trigger_id": {out.TriggerID},
	}
	s.enterpriseForm(form)
	if u.TeamID != s.cfg.Team.ID {
		form.Set("team_id", u.TeamID)
	}
	s.mu.Unlock()

	r := s.send(ctx, delivery{to: toCommands, what: "command", user: user, form: form})
	done := outcome(r)
	done.TriggerID, done.ResponseURL = out.TriggerID, out.ResponseURL
	s.mu.Lock()
	if r.shown == "" {
		if err := s.showCommandAnswer(&h, r); err != nil {
			done.Error = BadAnswer
			s.refused(ctx, "command", err.Error())
		}
	}
	if done.Error != "" {
		s.slackbot(channel, user, fmt.Sprintf("%s failed with the error %q", command, done.Error))
	}
	s.mu.Unlock()
	s.hub.changed()
	return done, nil
}

// slackbot says something to one user in Slack's own name.
func (s *Sim) slackbot(channel, user, text string) {
	m := s.addEphemeral(channel, user, content{text: text}, "")
	m.User, m.BotID = "USLACKBOT", ""
}

// showCommandAnswer shows the immediate answer to a command: nothing, plain text, or a JSON message.
func (s *Sim) showCommandAnswer(h *hook, r reply) error {
	body := bytes.TrimSpace(r.body)
	if len(body) == 0 {
		return nil
	}
	a := args{"text": string(body)}
	if contentType(r.header) == "application/json" {
		var fields map[string]any
		if err := decodeJSON(body, &fields); err != nil {
			return err
		}
		a = args{}
		for k, v := range fields {
			if v != nil && v != "" {
				a[k] = v
			}
		}
	}
	if len(a) == 0 {
		return nil
	}
	if err := a.check(arguments(responseFields)); err != nil {
		return err
	}
	said, err := s.readContent(a)
	if err != nil {
		return err
	}
	_, err = s.respond(h, a, said)
	return err
}

// Post writes a message as a user, in a thread when threadTS is set, and returns its timestamp.
func (s *Sim) Post(user, channel, text, threadTS string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.channels[channel]
	if _, err := s.actor(user); err != nil {
		return "", fmt.Errorf("post: %w", err)
	}
	if c == nil || !slices.Contains(c.Members, user) {
		return "", fmt.Errorf("post: user %s is not in channel %q", user, channel)
	}
	if strings.TrimSpace(text) == "" {
		return "", errors.New("post: no text")
	}
	thread, err := threadOf(c, threadTS)
	if err != nil {
		return "", fmt.Errorf("post: %w", err)
	}
	m := &message{Message: Message{Channel: channel, TS: s.timestamp(), User: user, Text: text, ThreadTS: thread}}
	c.messages = append(c.messages, m)
	s.said(c, m)
	s.hub.changed()
	return m.TS, nil
}

// EditMessage changes the text of a user's own message.
func (s *Sim) EditMessage(user, channel, ts, text string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, m, err := s.theirs(user, channel, ts)
	if err != nil {
		return fmt.Errorf("edit message: %w", err)
	}
	if strings.TrimSpace(text) == "" {
		return errors.New("edit message: no text")
	}
	before := s.messageJSON(m, false)
	m.Text, m.EditedTS = text, s.timestamp()
	s.changedMessage(m, before)
	s.hub.changed()
	return nil
}

// DeleteMessage deletes a user's own message. Replies to it stay.
func (s *Sim) DeleteMessage(user, channel, ts string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, m, err := s.theirs(user, channel, ts)
	if err != nil {
		return fmt.Errorf("delete message: %w", err)
	}
	s.remove(c, m)
	s.hub.changed()
	return nil
}

// theirs finds a message that a user wrote.
func (s *Sim) theirs(user, channel, ts string) (*conversation, *message, error) {
	if _, err := s.actor(user); err != nil {
		return nil, nil, err
	}
	c := s.channels[channel]
	if c == nil || !slices.Contains(c.Members, user) {
		return nil, nil, fmt.Errorf("user %s is not in channel %q", user, channel)
	}
	for _, m := range c.messages {
		switch {
		case m.TS != ts:
		case m.User != user:
			return nil, nil, fmt.Errorf("message %s in channel %s is not by user %s", ts, channel, user)
		default:
			return c, m, nil
		}
	}
	return nil, nil, fmt.Errorf("no message %s in channel %q", ts, channel)
}
