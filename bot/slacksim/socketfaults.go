package slacksim

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/gorilla/websocket"
)

// SocketFault is what goes wrong with Socket Mode, or what Slack does that may surprise.
type SocketFault string

const (
	// SocketCut cuts the oldest connection without warning.
	SocketCut SocketFault = "cut"
	// SocketFreeze makes the oldest connection fall silent without ending, as one does whose network is gone; no envelope goes to it.
	SocketFreeze SocketFault = "freeze"
	// SocketWarning tells the oldest connection that it will be closed, and closes it after Config.SocketGrace.
	SocketWarning SocketFault = "warning"
	// SocketRefresh is SocketWarning with the reason refresh_requested.
	SocketRefresh SocketFault = "refresh_requested"
	// SocketCutEnvelope cuts a connection right after the next envelope was sent over it.
	SocketCutEnvelope SocketFault = "cut_envelope"
	// SocketDropAck loses the next acknowledgement.
	SocketDropAck SocketFault = "drop_ack"
	// SocketRepeat sends the next envelope twice, each over the connection whose turn it is.
	SocketRepeat SocketFault = "repeat"
	// SocketGarbage sends a frame that is no JSON.
	SocketGarbage SocketFault = "garbage"
	// SocketBadPayload sends an interactive envelope whose payload is no object, which is to be acknowledged.
	SocketBadPayload SocketFault = "bad_payload"
	// SocketUnknownType sends an envelope of a type that does not exist, which is to be acknowledged.
	SocketUnknownType SocketFault = "unknown_type"
)

// SetSocketMode turns Socket Mode on or off. Off, every connection is told link_disabled and closed, and so is each one that is opened;
// deliveries go to the endpoints again.
func (s *Sim) SetSocketMode(on bool) {
	s.sockets.mu.Lock()
	s.sockets.on = on
	if !on {
		for _, c := range s.sockets.open {
			_ = c.write(disconnect(disabled)) // closing tells it too
			c.bye()
		}
	}
	s.sockets.mu.Unlock()
	s.hub.changed()
}

// Connections returns how many Socket Mode connections are open, without those that were told to leave or are frozen.
func (s *Sim) Connections() int {
	s.sockets.mu.Lock()
	defer s.sockets.mu.Unlock()
	n := 0
	for _, c := range s.sockets.open {
		if c.staying() {
			n++
		}
	}
	return n
}

// FailSocket makes Socket Mode go wrong. Faults of a connection and of an envelope strike at once, SocketCutEnvelope,
// SocketDropAck and SocketRepeat when there is something to strike. The Outcome is that of the envelope that was sent, if one was; the error says that there is no
// connection, or no such fault.
func (s *Sim) FailSocket(ctx context.Context, f SocketFault) (Outcome, error) {
	t := s.sockets
	switch f {
	case SocketCutEnvelope, SocketDropAck, SocketRepeat:
		t.mu.Lock()
		t.faults = append(t.faults, f)
		t.mu.Unlock()
		return Outcome{}, nil
	case SocketBadPayload:
		return outcome(s.send(ctx, delivery{what: string(f), as: "interactive", raw: []any{"no object"}})), nil
	case SocketUnknownType:
		return outcome(s.send(ctx, delivery{what: string(f), as: "telepathy", raw: map[string]any{}})), nil
	case SocketCut, SocketFreeze, SocketWarning, SocketRefresh, SocketGarbage:
		return Outcome{}, t.strike(f)
	}
	return Outcome{}, fmt.Errorf("socket fault: no such fault: %q", f)
}

// strike does something to the oldest connection that was not told to leave.
func (t *sockets) strike(f SocketFault) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	i := slices.IndexFunc(t.open, (*socket).staying)
	if i < 0 {
		return errors.New("socket fault: there is no connection")
	}
	c := t.open[i]
	switch f { //nolint:exhaustive // those of envelopes strike elsewhere
	case SocketFreeze:
		c.frozen.Store(true)
		return nil
	case SocketGarbage:
		return c.write([]byte(`{"envelope_id": "`))
	case SocketWarning, SocketRefresh:
		c.leaving = time.AfterFunc(t.grace, c.bye)
		return c.write(disconnect(string(f)))
	}
	return c.ws.Close()
}

// takeFault says whether a fault that waits strikes now.
func (t *sockets) takeFault(f SocketFault) bool {
	i := slices.Index(t.faults, f)
	if i >= 0 {
		t.faults = slices.Delete(t.faults, i, i+1)
	}
	return i >= 0
}

// bye closes a connection as WebSocket wants it.
func (c *socket) bye() {
	_ = c.ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseNormalClosure, ""), time.Now().Add(time.Second))
	_ = c.ws.Close()
}
