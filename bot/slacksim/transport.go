package slacksim

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"
)

// What the user is shown when the app fails, in the words Slack uses.
const (
	// TimedOut is shown when no answer came in time.
	TimedOut = "operation_timeout"
	// Unreachable is shown when there is no URL or no connection.
	Unreachable = "dispatch_failed"
	// BadStatus is shown when the app answered with another status than 200.
	BadStatus = "http_service_error"
	// BadAnswer is shown when the answer's body makes no sense.
	BadAnswer = "invalid_answer"
)

// endpoint is the kind of URL that a delivery goes to.
type endpoint int

const (
	toInteractivity endpoint = iota
	toOptions
	toCommands
	toEvents
)

// delivery is one thing on its way to the app. Exactly one of payload, form and raw is set.
type delivery struct {
	to      endpoint
	what    string // the recorded type
	user    string
	payload map[string]any
	form    url.Values
	retry   Retry  // of an event
	era     int    // of an event: it is not sent again in another
	as      string // of raw: the type of its envelope
	raw     any    // a payload for Socket Mode alone
}

// reply is what came of a delivery; shown is empty when the app answered 200 in time.
type reply struct {
	status int
	body   []byte
	header http.Header
	shown  string
	took   time.Duration
}

// httpTransport sends signed requests to the app's URLs.
type httpTransport struct {
	client *http.Client
	secret string
	within time.Duration
	now    func() time.Time

	mu        sync.Mutex
	endpoints Endpoints
}

func (t *httpTransport) setEndpoints(e Endpoints) {
	t.mu.Lock()
	t.endpoints = e
	t.mu.Unlock()
}

// setEvents changes the URL for events and returns the one before.
func (t *httpTransport) setEvents(url string) (before string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	before, t.endpoints.Events = t.endpoints.Events, url
	return before
}

func (t *httpTransport) url(to endpoint) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch to {
	case toOptions:
		return t.endpoints.Options
	case toCommands:
		return t.endpoints.Commands
	case toEvents:
		return t.endpoints.Events
	case toInteractivity:
	}
	return t.endpoints.Interactivity
}

func (t *httpTransport) deliver(ctx context.Context, d delivery) (r reply) {
	start := time.Now()
	defer func() { r.took = time.Since(start) }()
	body, kind, err := d.encode()
	if err != nil {
		return reply{shown: Unreachable, body: []byte(err.Error())}
	}
	ctx, cancel := context.WithTimeout(ctx, t.within)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, t.url(d.to), strings.NewReader(body))
	if err != nil || req.URL.Host == "" {
		return reply{shown: Unreachable, body: []byte("no usable URL is configured")}
	}
	stamp := strconv.FormatInt(t.now().Unix(), 10)
	req.Header.Set("Content-Type", kind)
	req.Header.Set("User-Agent", "Slackbot 1.0 (+https://api.slack.com/robots)")
	req.Header.Set("X-Slack-Request-Timestamp", stamp)
	req.Header.Set("X-Slack-Signature", Sign(t.secret, stamp, body))
	if d.retry.Num > 0 {
		req.Header.Set("X-Slack-Retry-Num", strconv.Itoa(d.retry.Num))
		req.Header.Set("X-Slack-Retry-Reason", d.retry.Reason)
	}
	res, err := t.client.Do(req)
	if err != nil {
		return reply{shown: shownFor(err), body: []byte(err.Error())}
	}
	defer func() { _ = res.Body.Close() }()
	answer, err := io.ReadAll(io.LimitReader(res.Body, maxBody))
	if err != nil {
		return reply{status: res.StatusCode, shown: shownFor(err), body: answer}
	}
	r = reply{status: res.StatusCode, body: answer, header: res.Header}
	if res.StatusCode != http.StatusOK && (d.what != "event" || res.StatusCode/100 != 2) { // any 2xx takes an event
		r.shown = BadStatus
	}
	return r
}

func shownFor(err error) string {
	if errors.Is(err, context.DeadlineExceeded) {
		return TimedOut
	}
	return Unreachable
}

// encode gives the body and its content type: a form for commands, a form with one JSON field for interactivity, JSON
// for events.
func (d delivery) encode() (body, contentType string, err error) {
	const form = "application/x-www-form-urlencoded"
	if d.form != nil {
		return d.form.Encode(), form, nil
	}
	raw, err := json.Marshal(d.payload)
	if err != nil {
		return "", "", fmt.Errorf("encode payload: %w", err)
	}
	if d.to == toEvents {
		return string(raw), "application/json", nil
	}
	return url.Values{"payload": {string(raw)}}.Encode(), form, nil
}

// event is the kind of an event: its subtype if it has one, otherwise its type.
func (d delivery) event() string {
	inner, _ := d.payload["event"].(map[string]any)
	kind, _ := inner["type"].(string)
	if sub, ok := inner["subtype"].(string); ok {
		kind = sub
	}
	return kind
}

// Sign returns the X-Slack-Signature of a body sent at timestamp, which is in Unix seconds.
func Sign(secret, timestamp, body string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	_, _ = io.WriteString(mac, "v0:"+timestamp+":"+body) // a hash's Write never fails
	return "v0=" + hex.EncodeToString(mac.Sum(nil))
}

// send delivers, over Socket Mode if that is on and otherwise to the endpoints, and records. The caller must not hold the lock.
func (s *Sim) send(ctx context.Context, d delivery) (r reply) {
	at := s.cfg.Now()
	if s.sockets.enabled() {
		s.mu.Lock()
		id := s.token()
		s.mu.Unlock()
		r = s.sockets.deliver(ctx, d, id)
	} else {
		r = s.app.deliver(ctx, d)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.log.deliveries = keep(s.log.deliveries, Delivery{
		At: at, Type: d.what, Event: d.event(), Retry: d.retry.Num, User: d.user, Status: r.status, Answer: string(r.body), Error: r.shown, Took: r.took,
	})
	if r.shown != "" {
		s.cfg.Logger.LogAttrs(ctx, slog.LevelWarn, "app did not answer the slack simulator well",
			slog.String("type", d.what), slog.Int("status", r.status), slog.String("shown", r.shown))
	}
	return r
}
