package slacksim

import (
	"context"
	"sync"
	"time"
)

// events are those on their way to the app. They go one after the other, in the order in which things happened; what has to be sent again
// waits for its time beside them.
type events struct {
	ctx    context.Context //nolint:containedctx // ends with the Sim, as the goroutines do
	cancel context.CancelFunc

	changed func() // is called when one is over

	mu      sync.Mutex
	closed  bool
	era     int           // counts how often all was forgotten
	ended   chan struct{} // closed when this era ends
	queue   []delivery
	going   bool
	pending int // first attempts and redeliveries that are not over
	running sync.WaitGroup
}

func newEvents(changed func()) *events {
	ctx, cancel := context.WithCancel(context.Background())
	return &events{ctx: ctx, cancel: cancel, changed: changed, ended: make(chan struct{})}
}

func (e *events) close() {
	e.mu.Lock()
	e.closed = true
	e.mu.Unlock()
	e.cancel()
	e.running.Wait()
}

// forget drops what was not sent yet, and what would have been sent again.
func (e *events) forget() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.queue = nil
	e.era++
	close(e.ended)
	e.ended = make(chan struct{})
}

// wait lets time pass; false when the era ended or the Sim was closed first.
func (e *events) wait(d time.Duration, ended <-chan struct{}) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ended:
	case <-e.ctx.Done():
	}
	return false
}

// now is the era.
func (e *events) now() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.era
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
	d.era = e.era
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
	if d.era != e.era {
		return r
	}
	ended := e.ended
	e.begin(func() {
		if e.wait(delays[d.retry.Num], ended) {
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
