package slacksim

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Bot events that an app may subscribe to.
const (
	// EventHomeOpened says that a user opened the app's home tab, or its messages tab. It needs no scope.
	EventHomeOpened = "app_home_opened"
	// EventChannels are messages in public channels that the bot is in. It needs channels:history.
	EventChannels = "message.channels"
	// EventGroups are messages in private channels that the bot is in. It needs groups:history.
	EventGroups = "message.groups"
	// EventDirect are messages in the app's direct messages. It needs im:history.
	EventDirect = "message.im"
)

// AllEvents returns the names of the bot events that are simulated.
func AllEvents() []string {
	return []string{EventHomeOpened, EventChannels, EventGroups, EventDirect}
}

// eventScopes are what each event needs.
var eventScopes = map[string][]string{
	EventHomeOpened: nil, EventChannels: {"channels:history"}, EventGroups: {"groups:history"}, EventDirect: {"im:history"},
}

// subscribed says whether the app gets an event: it has a way to get it, asked for it, and may have it. The caller holds the lock.
func (s *Sim) subscribed(event string) bool {
	return slices.Contains(s.subscriptions, event) && s.granted(eventScopes[event]) &&
		(s.sockets.enabled() || s.app.url(toEvents) != "")
}

// Subscribe changes which bot events the app is subscribed to, as its settings do. An unknown name is an error.
func (s *Sim) Subscribe(names ...string) error {
	if err := knownEvents(names); err != nil {
		return fmt.Errorf("subscribe: %w", err)
	}
	s.mu.Lock()
	s.subscriptions = slices.Clone(names)
	s.mu.Unlock()
	return nil
}

func knownEvents(names []string) error {
	for _, n := range names {
		if _, ok := eventScopes[n]; !ok {
			return fmt.Errorf("event %q is not simulated; these are: %s", n, strings.Join(AllEvents(), ", "))
		}
	}
	return nil
}

// Retry says that an event is a redelivery. Slack redelivers at once, after a minute and after five.
type Retry struct {
	// Num is 1 to 3; zero is the first delivery.
	Num int
	// Reason is http_timeout, http_error, connection_failed and the like.
	Reason string
}

// Event sends an event_callback with this inner event once, whatever the app is subscribed to; the test says when it is a redelivery. id
// is the event_id, which redeliveries repeat; empty makes a new one.
func (s *Sim) Event(ctx context.Context, id string, event map[string]any, retry Retry) Outcome {
	s.mu.Lock()
	payload := s.eventPayload(id, event)
	s.mu.Unlock()
	return outcome(s.send(ctx, delivery{to: toEvents, what: "event", payload: payload, retry: retry}))
}

// eventPayload wraps an inner event.
func (s *Sim) eventPayload(id string, event map[string]any) map[string]any {
	or(&id, s.id("Ev"))
	at := s.cfg.Now().Unix()
	if ts, ok := event["event_ts"].(string); ok {
		if t, ok := tsTime(ts); ok {
			at = t.Unix()
		}
	}
	out := map[string]any{
		"type": "event_callback", "token": "verification-token-is-deprecated", "team_id": s.cfg.Team.ID,
		"context_team_id": s.cfg.Team.ID, "context_enterprise_id": s.orgID(),
		"api_app_id": s.cfg.App.ID, "event_id": id, "event_time": at, "event": maps.Clone(event),
		"authorizations": []any{map[string]any{
			"enterprise_id": s.orgID(), "team_id": s.cfg.Team.ID, "user_id": s.cfg.App.BotUserID, "is_bot": true,
			"is_enterprise_install": s.cfg.Enterprise.OrgWide,
		}},
		"event_context": "4-" + id, "is_ext_shared_channel": false,
	}
	if id := s.orgID(); id != nil {
		out["enterprise_id"] = id
	}
	if channel, ok := event["channel"].(string); ok {
		if c, ok := s.channels[channel]; ok {
			out["is_ext_shared_channel"] = s.shared(c)
		}
	}
	return out
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

// SetEventsURL does what saving the request URL in an app's settings does: the URL gets url_verification and is taken only when the
// challenge comes back; otherwise the one before stays. Empty takes the URL away. [Sim.SetEndpoints] takes a URL unasked.
func (s *Sim) SetEventsURL(ctx context.Context, url string) error {
	before := s.app.setEvents(url)
	if url == "" {
		return nil
	}
	if err := s.VerifyEvents(ctx); err != nil {
		s.app.setEvents(before)
		return err
	}
	return nil
}
