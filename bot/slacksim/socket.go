package slacksim

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"
)

const (
	// maxConnections is how many Socket Mode connections an app may have.
	maxConnections = 10
	// maxAck is the size in bytes from which Slack drops an acknowledgement without a word.
	maxAck = 20480
	// ticketTime is how long the URL of a connection can be used, once.
	ticketTime = 30 * time.Second
	// frameTime bounds the writing of one frame.
	frameTime = 5 * time.Second
)

// sockets are an app's Socket Mode connections. Each envelope goes to one of them, in turn; its acknowledgement counts on whichever
// connection it comes.
type sockets struct {
	within time.Duration // for an acknowledgement
	grace  time.Duration // from a disconnect's announcement to the end

	mu      sync.Mutex
	on      bool
	closed  bool
	tickets map[string]time.Time // until when each is good
	open    []*socket            // the oldest first
	turn    int
	waiting map[string]chan reply // by envelope_id
	sent    map[string]bool       // envelope_id, true when an answer may have a payload
	faults  []SocketFault         // that wait for the next envelope
	running sync.WaitGroup        // of the connections' handlers
}

// socket is one connection.
type socket struct {
	ws      *websocket.Conn
	writing sync.Mutex
	leaving *time.Timer // set once a disconnect was announced
	frozen  atomic.Bool // says and hears nothing any more
}

func newSockets(cfg Config) *sockets {
	return &sockets{
		on: cfg.SocketMode, within: cfg.AnswerWithin, grace: cfg.SocketGrace,
		tickets: map[string]time.Time{}, waiting: map[string]chan reply{}, sent: map[string]bool{},
	}
}

// enabled says whether Socket Mode is on.
func (t *sockets) enabled() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.on
}

// ticket notes a URL that was given out.
func (t *sockets) ticket(id string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for old, until := range t.tickets {
		if time.Now().After(until) {
			delete(t.tickets, old)
		}
	}
	t.tickets[id] = time.Now().Add(ticketTime)
}

// redeem uses a ticket up.
func (t *sockets) redeem(id string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	until, ok := t.tickets[id]
	delete(t.tickets, id)
	if !ok || time.Now().After(until) || t.closed {
		return false
	}
	t.running.Add(1) // before close can wait
	return true
}

// connectionsOpen gives out the URL of one connection.
func (s *Sim) connectionsOpen(args) (map[string]any, error) {
	base, ok := strings.CutPrefix(s.baseURL, "http")
	if !ok {
		return nil, refuse("internal_error", problem{text: "the simulator does not know where it is reached: set BaseURL"})
	}
	ticket := s.token()
	s.sockets.ticket(ticket)
	return map[string]any{"url": "ws" + base + "/link/?ticket=" + ticket + "&app_id=" + s.cfg.App.ID}, nil
}

// serveSocket keeps one connection: hello, then what the app says, until either side ends it.
func (s *Sim) serveSocket(w http.ResponseWriter, r *http.Request) {
	if !s.sockets.redeem(r.URL.Query().Get("ticket")) {
		http.Error(w, "ticket is not valid", http.StatusForbidden)
		return
	}
	defer s.sockets.running.Done()
	upgrader := websocket.Upgrader{HandshakeTimeout: frameTime}
	ws, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		return // it has answered
	}
	defer func() { _ = ws.Close() }()
	c := &socket{ws: ws}
	n, reason := s.sockets.add(c, s.cfg.App.ID)
	if reason != "" {
		if reason == tooMany {
			s.mu.Lock()
			s.refused(r.Context(), "socket", fmt.Sprintf("more than %d connections", maxConnections))
			s.mu.Unlock()
		}
		_ = c.write(disconnect(reason))
		return
	}
	if n == 0 {
		return // the app is gone already
	}
	s.hub.changed()
	defer s.hub.changed()
	defer s.sockets.drop(c)
	ws.SetReadLimit(maxBody)
	pong := ws.PingHandler()
	ws.SetPingHandler(func(data string) error {
		if c.frozen.Load() {
			return nil
		}
		return pong(data)
	})
	for {
		_, frame, err := ws.ReadMessage()
		if err != nil {
			return
		}
		if c.frozen.Load() {
			continue
		}
		if wrong := s.sockets.acked(frame); wrong != "" {
			s.mu.Lock()
			s.refused(r.Context(), "socket", wrong)
			s.mu.Unlock()
		}
	}
}

// Reasons of a disconnect.
const (
	disabled = "link_disabled"
	tooMany  = "too_many_websockets"
)

// add greets a new connection and takes it into the turn. The greeting is its first frame, so that nothing can come before. n is how many
// there are then, 0 when the greeting could not be sent; reason is why it is turned away.
func (t *sockets) add(c *socket, app string) (n int, reason string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.closed:
		return 0, ""
	case !t.on:
		return 0, disabled
	case len(t.open) >= maxConnections:
		return 0, tooMany
	}
	hello := map[string]any{
		"type": "hello", "num_connections": len(t.open) + 1, "connection_info": map[string]any{"app_id": app},
		"debug_info": map[string]any{"host": "applink-slacksim", "build_number": 1, "approximate_connection_time": 18060},
	}
	if c.write(hello) != nil {
		return 0, ""
	}
	t.open = append(t.open, c)
	return len(t.open), ""
}

// drop takes a connection out of the turn.
func (t *sockets) drop(c *socket) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i, o := range t.open {
		if o == c {
			t.open = append(t.open[:i:i], t.open[i+1:]...)
			break
		}
	}
	if c.leaving != nil {
		c.leaving.Stop()
	}
}

// close ends every connection and waits for their handlers.
func (t *sockets) close() {
	t.mu.Lock()
	t.closed = true
	for _, c := range t.open {
		_ = c.ws.Close()
	}
	t.mu.Unlock()
	t.running.Wait()
}

// next is the connection whose turn it is: those that were told to leave come only when there is no other.
func (t *sockets) next() *socket {
	var leaving *socket
	for range t.open {
		t.turn++
		c := t.open[t.turn%len(t.open)]
		switch {
		case c.staying():
			return c
		case !c.frozen.Load():
			leaving = c
		}
	}
	return leaving
}

// staying says whether the connection was neither told to leave nor frozen.
func (c *socket) staying() bool { return c.leaving == nil && !c.frozen.Load() }

func (c *socket) write(v any) error {
	raw, ok := v.([]byte)
	if !ok {
		var err error
		if raw, err = json.Marshal(v); err != nil {
			return fmt.Errorf("encode frame: %w", err)
		}
	}
	c.writing.Lock()
	defer c.writing.Unlock()
	_ = c.ws.SetWriteDeadline(time.Now().Add(frameTime)) // writing says whether it works
	return c.ws.WriteMessage(websocket.TextMessage, raw)
}

func disconnect(reason string) map[string]any {
	return map[string]any{"type": "disconnect", "reason": reason, "debug_info": map[string]any{"host": "applink-slacksim"}}
}

// deliver sends an envelope over the connection whose turn it is and waits for its acknowledgement.
func (t *sockets) deliver(ctx context.Context, d delivery, id string) (r reply) {
	start := time.Now()
	defer func() { r.took = time.Since(start) }()
	ctx, cancel := context.WithTimeout(ctx, t.within)
	defer cancel()
	frame := d.envelope(id)
	answered := make(chan reply, 1)
	t.mu.Lock()
	c := t.next()
	if c == nil {
		t.mu.Unlock()
		return reply{shown: Unreachable, body: []byte("there is no Socket Mode connection")}
	}
	t.waiting[id] = answered
	if len(t.sent) >= keepAtMost {
		clear(t.sent)
	}
	t.sent[id] = frame["accepts_response_payload"] == true
	cut := t.takeFault(SocketCutEnvelope)
	var second *socket
	if t.takeFault(SocketRepeat) {
		second = t.next()
	}
	t.mu.Unlock()
	defer func() {
		t.mu.Lock()
		delete(t.waiting, id)
		t.mu.Unlock()
	}()
	err := c.write(frame)
	if second != nil {
		_ = second.write(frame) // the first is what counts
	}
	if cut {
		_ = c.ws.Close()
	}
	if err != nil {
		return reply{shown: Unreachable, body: []byte(err.Error())}
	}
	select {
	case r := <-answered:
		return r
	case <-ctx.Done():
		return reply{shown: TimedOut, body: []byte("the envelope was not acknowledged")}
	}
}

// envelope wraps what is delivered, as Socket Mode does.
func (d delivery) envelope(id string) map[string]any {
	e := map[string]any{"envelope_id": id, "type": "interactive", "payload": d.payload, "accepts_response_payload": false}
	switch {
	case d.as != "":
		e["type"], e["payload"] = d.as, d.raw
	case d.to == toCommands:
		fields := map[string]string{}
		for name := range d.form {
			fields[name] = d.form.Get(name)
		}
		e["type"], e["payload"], e["accepts_response_payload"] = "slash_commands", fields, true
	case d.to == toEvents:
		e["type"], e["retry_attempt"], e["retry_reason"] = "events_api", d.retry.Num, d.retry.Reason
	case d.what == "view_submission", d.what == "block_suggestion":
		e["accepts_response_payload"] = true
	}
	return e
}

// acked takes what an app sent and says what is wrong with it: an acknowledgement, or nothing that Slack knows.
func (t *sockets) acked(frame []byte) (wrong string) {
	var ack struct {
		EnvelopeID string          `json:"envelope_id"`
		Payload    json.RawMessage `json:"payload"`
	}
	if err := decodeJSON(frame, &ack); err != nil || ack.EnvelopeID == "" {
		return "a frame that is no acknowledgement"
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	accepts, known := t.sent[ack.EnvelopeID]
	payload := len(ack.Payload) > 0 && string(ack.Payload) != "null" && string(ack.Payload) != "{}" // Slack's client for Node sends {} always
	switch {
	case !known:
		return "an acknowledgement of an envelope that was never sent"
	case len(frame) >= maxAck:
		return fmt.Sprintf("an acknowledgement of %d bytes, which is dropped", len(frame))
	case payload && !accepts:
		return "an acknowledgement with a payload, where none is accepted"
	case t.takeFault(SocketDropAck):
		return ""
	}
	r := reply{status: http.StatusOK, header: http.Header{}}
	if payload {
		r.body = ack.Payload
		r.header.Set("Content-Type", "application/json")
	}
	if answered, ok := t.waiting[ack.EnvelopeID]; ok { // otherwise it is late, or said twice
		answered <- r
		delete(t.waiting, ack.EnvelopeID)
	}
	return ""
}
