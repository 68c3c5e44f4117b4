package slacksim

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
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
	name := c.Name
	form := url.Values{
		"token": {"verification-token-is-deprecated"}, "team_id": {s.cfg.Team.ID}, "team_domain": {s.cfg.Team.Domain},
		"channel_id": {channel}, "channel_name": {name}, "user_id": {user}, "user_name": {u.Name}, "command": {command},
		"text": {strings.TrimSpace(text)}, "api_app_id": {s.cfg.App.ID}, "is_enterprise_install": {"false"},
		"response_url": {out.ResponseURL}, "trigger_id": {out.TriggerID},
	}
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
	s.hub.changed()
	return m.TS, nil
}

// Retry says that an event is a redelivery. Slack redelivers at once, after a minute and after five; here the test says
// when.
type Retry struct {
	// Num is 1 to 3; zero is the first delivery.
	Num int
	// Reason is http_timeout, http_error, connection_failed and the like.
	Reason string
}

// Event sends an event_callback with this inner event. id is the event_id, which redeliveries repeat; empty makes a new
// one.
func (s *Sim) Event(ctx context.Context, id string, event map[string]any, retry Retry) Outcome {
	s.mu.Lock()
	or(&id, s.id("Ev"))
	payload := map[string]any{
		"type": "event_callback", "token": "verification-token-is-deprecated", "team_id": s.cfg.Team.ID,
		"api_app_id": s.cfg.App.ID, "event_id": id, "event_time": s.cfg.Now().Unix(), "event": maps.Clone(event),
		"authorizations": []any{map[string]any{
			"team_id": s.cfg.Team.ID, "user_id": s.cfg.App.BotUserID, "is_bot": true, "is_enterprise_install": false,
		}},
	}
	s.mu.Unlock()
	return outcome(s.send(ctx, delivery{to: toEvents, what: "event", payload: payload, retry: retry}))
}

// VerifyEvents sends url_verification to the events URL; the error says that the challenge did not come back.
func (s *Sim) VerifyEvents(ctx context.Context) error {
	s.mu.Lock()
	challenge := s.token()
	s.mu.Unlock()
	r := s.send(ctx, delivery{to: toEvents, what: "url_verification", payload: map[string]any{
		"type": "url_verification", "token": "verification-token-is-deprecated", "challenge": challenge,
	}})
	if r.shown != "" {
		return fmt.Errorf("verify events URL: %s (status %d)", r.shown, r.status)
	}
	var fields struct {
		Challenge string `json:"challenge"`
	}
	said := strings.TrimSpace(string(r.body))
	if contentType(r.header) == "application/json" && decodeJSON(r.body, &fields) == nil {
		said = fields.Challenge
	}
	if said != challenge {
		return errors.New("verify events URL: the answer does not hold the challenge")
	}
	return nil
}

// OpenHome shows the app's home tab to a user: the app receives app_home_opened and may publish a view.
func (s *Sim) OpenHome(ctx context.Context, user string) (Outcome, error) {
	s.mu.Lock()
	_, err := s.actor(user)
	event := map[string]any{"type": "app_home_opened", "user": user, "tab": "home", "event_ts": s.timestamp()}
	if v, ok := s.homes[user]; ok {
		event["view"] = s.viewJSON(v)
	}
	s.mu.Unlock()
	if err != nil {
		return Outcome{}, fmt.Errorf("open home: %w", err)
	}
	return s.Event(ctx, "", event, Retry{}), nil
}
