package slacksim

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"
)

// keepAtMost bounds each list of the record; a demo may run for weeks.
const keepAtMost = 5000

// Call is one recorded Web API call, or one post to a response_url. The token is never recorded.
type Call struct {
	At     time.Time `json:"at"`
	Method string    `json:"method"`
	// Args are the arguments; structured ones as JSON text.
	Args   map[string]string `json:"args,omitempty"`
	OK     bool              `json:"ok"`
	Status int               `json:"status"`
	Error  string            `json:"error,omitempty"`
	// Fault describes the injected fault that struck the call.
	Fault string `json:"fault,omitempty"`
}

// Refusal is something that correct code never does: an unknown method or argument, a malformed block, view or
// answer, a missing token, a response_url that is used up.
type Refusal struct {
	At time.Time `json:"at"`
	// Where is the method, "response_url", or the kind of delivery whose answer was wrong.
	Where string `json:"where"`
	// Problem says what was wrong, with JSON pointers.
	Problem string `json:"problem"`
}

// Delivery is one request that the simulator sent to the app.
type Delivery struct {
	At time.Time `json:"at"`
	// Type is block_actions, view_submission, view_closed, block_suggestion, message_action, shortcut, command, event or url_verification.
	Type string `json:"type"`
	// Event is the kind of an event: app_home_opened, message, message_changed, message_deleted. Retry counts its redeliveries.
	Event string `json:"event,omitempty"`
	Retry int    `json:"retry,omitempty"`
	User  string `json:"user,omitempty"`
	// Status and Answer are the app's; Status is 0 when none came.
	Status int    `json:"status"`
	Answer string `json:"answer,omitempty"`
	// Error is what the user was shown, such as operation_timeout; empty when all went well.
	Error string        `json:"error,omitempty"`
	Took  time.Duration `json:"took"`
}

// record is everything that tests may ask about afterwards.
type record struct {
	calls      []Call
	refused    []Refusal
	deliveries []Delivery
	responses  []Response
}

func keep[T any](list []T, v T) []T {
	if len(list) >= keepAtMost {
		list = slices.Clone(list[len(list)-keepAtMost/2:])
	}
	return append(list, v)
}

// keep records a call, and a refusal when err is one.
func (s *Sim) keep(ctx context.Context, call Call, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	call.At = s.cfg.Now()
	s.log.calls = keep(s.log.calls, call)
	var failed *apiError
	if errors.As(err, &failed) && failed.refused {
		s.refused(ctx, call.Method, failed.Error())
	}
}

// refused notes a refusal; the caller holds the lock.
func (s *Sim) refused(ctx context.Context, where, what string) {
	s.log.refused = keep(s.log.refused, Refusal{At: s.cfg.Now(), Where: where, Problem: what})
	s.cfg.Logger.LogAttrs(ctx, slog.LevelWarn, "slack simulator refused",
		slog.String("where", where), slog.String("problem", what))
}

// Calls returns the recorded calls, oldest first; with a method, only that one's. The record keeps the newest 2,500 at
// least.
func (s *Sim) Calls(method string) []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Call
	for _, c := range s.log.calls {
		if method == "" || c.Method == method {
			out = append(out, c)
		}
	}
	return out
}

// Refused returns what correct code never does. Most tests end by asserting that it is empty.
func (s *Sim) Refused() []Refusal {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.log.refused)
}

// Deliveries returns the requests sent to the app, oldest first.
func (s *Sim) Deliveries() []Delivery {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.log.deliveries)
}

// Responses returns what was posted to response_urls, oldest first.
func (s *Sim) Responses() []Response {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.log.responses)
}
