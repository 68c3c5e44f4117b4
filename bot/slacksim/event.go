package slacksim

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
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

// events are those on their way to the app. They go one after the other, in the order in which things happened; what has to be sent again
// waits for its time beside them.
type events struct {
	ctx    context.Context //nolint:containedctx // ends with the Sim, as the goroutines do
	cancel context.CancelFunc

	changed func() // is called when one is over

	mu      sync.Mutex
	closed  bool
	queue   []delivery
	going   bool
	pending int // first attempts and redeliveries that are not over
	running sync.WaitGroup
}

func newEvents(changed func()) *events {
	ctx, cancel := context.WithCancel(context.Background())
	return &events{ctx: ctx, cancel: cancel, changed: changed}
}

func (e *events) close() {
	e.mu.Lock()
	e.closed = true
	e.mu.Unlock()
	e.cancel()
	e.running.Wait()
}

// forget drops what was not sent yet.
func (e *events) forget() {
	e.mu.Lock()
	e.queue = nil
	e.mu.Unlock()
}

// begin starts something that close waits for; false when it is closed already. The caller holds the lock.
func (e *events) begin(do func()) bool {
	if e.closed {
		return false
	}
	e.pending++
	e.running.Go(func() {
		do()
		e.mu.Lock()
		e.pending--
		e.mu.Unlock()
		e.changed()
	})
	return true
}

// subscribed says whether the app gets an event: it has a way to get it, asked for it, and may have it. The caller holds the lock.
func (s *Sim) subscribed(event string) bool {
	return slices.Contains(s.subscriptions, event) && s.granted(eventScopes[event]) &&
		(s.sockets.enabled() || s.app.url(toEvents) != "")
}

// emit sends an event to the app, soon. The caller holds the lock.
func (s *Sim) emit(name, user string, event map[string]any) {
	if !s.subscribed(name) {
		return
	}
	d := delivery{to: toEvents, what: "event", user: user, payload: s.eventPayload("", event)}
	e := s.events
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return
	}
	e.queue = append(e.queue, d)
	if !e.going {
		e.going = e.begin(s.deliverQueued)
	}
}

// deliverQueued sends what waits, until nothing does.
func (s *Sim) deliverQueued() {
	e := s.events
	for {
		e.mu.Lock()
		if len(e.queue) == 0 || e.closed {
			e.going, e.queue = false, nil
			e.mu.Unlock()
			return
		}
		d := e.queue[0]
		e.queue = e.queue[1:]
		e.mu.Unlock()
		s.attempt(e.ctx, d)
		s.hub.changed()
	}
}

// attempt sends an event once, and sees to it that it is sent again when the app did not take it.
func (s *Sim) attempt(ctx context.Context, d delivery) reply {
	r := s.send(ctx, d)
	delays := s.cfg.EventRetries
	if r.shown == "" || d.retry.Num >= len(delays) || r.header.Get("X-Slack-No-Retry") == "1" {
		return r
	}
	again := d
	again.retry = Retry{Num: d.retry.Num + 1, Reason: s.retryReason(r)}
	e := s.events
	e.mu.Lock()
	defer e.mu.Unlock()
	e.begin(func() {
		if pause(e.ctx, delays[d.retry.Num]) {
			s.attempt(e.ctx, again)
		}
	})
	return r
}

// retryReason is why an event comes again. The words for HTTP are Slack's, https://docs.slack.dev/apis/events-api; Socket Mode's
// "timeout" was reported by others, the rest is not documented.
func (s *Sim) retryReason(r reply) string {
	switch {
	case r.shown == TimedOut && s.sockets.enabled():
		return "timeout"
	case r.shown == TimedOut:
		return "http_timeout"
	case r.shown == BadStatus:
		return "http_error"
	}
	return "connection_failed"
}

// Settle waits until no event is on its way to the app any more, redeliveries included. The error says that ctx ended or the Sim was
// closed first.
func (s *Sim) Settle(ctx context.Context) error {
	return s.Wait(ctx, func() bool {
		s.events.mu.Lock()
		defer s.events.mu.Unlock()
		return s.events.pending == 0
	})
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
	var payload map[string]any
	if wanted {
		payload = s.eventPayload("", s.homeOpened(u, tab))
	}
	s.mu.Unlock()
	s.hub.changed()
	if !wanted {
		return channel, Outcome{}, nil
	}
	r := s.attempt(ctx, delivery{to: toEvents, what: "event", user: user, payload: payload})
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

// changed tells the app that a message is not what it was.
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

// deleted tells the app that a message is gone.
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
