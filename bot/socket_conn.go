package bot

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

// conn is one connection of Socket Mode.
type conn struct {
	ws        *websocket.Conn
	pingEvery time.Duration

	writing sync.Mutex

	leave    chan struct{} // closed once another connection should be opened in its place
	leaveErr error         // why, set before leave is closed; nil when Slack asked for it
	left     sync.Once
	until    time.Time // of the reader: when reading ends at the latest, zero for never
}

// reasonError is why Slack turned a connection away.
type reasonError struct{ reason string }

func (e *reasonError) Error() string { return "slack closed the connection: " + e.reason }

// fatal returns Slack's word for trouble that lasts until somebody does something, or "".
func fatal(err error) string {
	if r, ok := errors.AsType[*reasonError](err); ok && r.reason == "link_disabled" {
		return r.reason
	}
	switch code := refusal(err); code {
	case "invalid_auth", "account_inactive", "not_authed", "token_revoked", "token_expired", "missing_scope", "no_permission",
		"not_allowed_token_type", "forbidden_team", "http_404":
		return code
	}
	return ""
}

// socketAdvice says what the operator can do about fatal trouble.
func socketAdvice(code string) string {
	switch code {
	case "link_disabled":
		return "Socket Mode is off: turn it on under \"Socket Mode\" of the app, or remove slack.app_token and give Slack the request URLs"
	case "missing_scope", "no_permission":
		return "the app-level token lacks connections:write: make one with that scope under \"Basic Information\" of the app"
	case "not_allowed_token_type":
		return "slack.app_token is no app-level token: these begin with xapp-, and stand under \"Basic Information\" of the app"
	case "forbidden_team":
		return "the workspace does not allow the app to connect: ask its administrators"
	case "http_404":
		return "slack.api_url leads nowhere: it is https://slack.com/api/"
	}
	return "the app-level token is not valid: make another under \"Basic Information\" of the app, and put it into the configuration"
}

// helloTime bounds the opening of a connection, until Slack greets.
const helloTime = 10 * time.Second

// connectionsOpen asks for the address of a connection. It holds a ticket, and is not for logs.
func (a *api) connectionsOpen(ctx context.Context) (address string, err error) {
	err = a.call(ctx, "apps.connections.open", 0, func(ctx context.Context) (err error) {
		_, address, err = a.slack().StartSocketModeContext(ctx)
		return err
	})
	return address, err
}

// dial opens one connection and waits for Slack's greeting.
func (b *Bot) dial(ctx context.Context) (*conn, error) {
	ctx, cancel := context.WithTimeout(ctx, helloTime)
	defer cancel()
	address, err := b.api.connectionsOpen(ctx)
	if err != nil {
		return nil, err
	}
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "wss" && (u.Scheme != "ws" || strings.HasPrefix(b.cfg.APIURL, "https:")) {
		return nil, errors.New("open connection: the address that slack gave is none of a secure websocket")
	}
	dialer := websocket.Dialer{Proxy: http.ProxyFromEnvironment, HandshakeTimeout: helloTime}
	ws, res, err := dialer.DialContext(ctx, address, nil)
	if res != nil && res.Body != nil {
		_ = res.Body.Close() // a copy of its beginning
	}
	if err != nil {
		return nil, fmt.Errorf("open connection: %w", err)
	}
	if err := greeting(ctx, ws); err != nil {
		_ = ws.Close()
		return nil, err
	}
	return &conn{ws: ws, pingEvery: b.cfg.PingEvery, leave: make(chan struct{})}, nil
}

// greeting reads the first frame of a connection.
func greeting(ctx context.Context, ws *websocket.Conn) error {
	stop := context.AfterFunc(ctx, func() { _ = ws.Close() })
	defer stop()
	ws.SetReadLimit(maxBody)
	_, frame, err := ws.ReadMessage()
	if err != nil {
		return fmt.Errorf("read greeting: %w", errors.Join(ctx.Err(), err))
	}
	var e envelope
	switch err := json.Unmarshal(frame, &e); {
	case err == nil && e.Type == "hello":
		return nil
	case err == nil && e.Type == "disconnect":
		return &reasonError{metricWord(e.Reason)}
	}
	return errors.New("read greeting: it is none")
}

// read takes frames until the connection ends or ctx does.
func (s *socket) read(ctx context.Context, c *conn) {
	var pinging sync.WaitGroup
	ctx, stop := context.WithCancel(ctx)
	pinging.Go(func() { c.ping(ctx) })
	defer func() {
		s.gone(c)
		stop()
		pinging.Wait()
	}()
	c.ws.SetPongHandler(func(string) error { return c.alive() })
	answer := c.ws.PingHandler()
	c.ws.SetPingHandler(func(data string) error { return errors.Join(c.alive(), answer(data)) })
	err := c.alive()
	for err == nil {
		var frame []byte
		if _, frame, err = c.ws.ReadMessage(); err == nil {
			s.frame(ctx, c, frame)
			err = c.alive()
		}
	}
	c.part(fmt.Errorf("read frame: %w", err))
}

// alive puts the end of reading off.
func (c *conn) alive() error {
	end := time.Now().Add(3 * c.pingEvery)
	if !c.until.IsZero() && c.until.Before(end) {
		end = c.until
	}
	return c.ws.SetReadDeadline(end)
}

// ping asks now and then whether the connection is alive, and closes it when ctx ends.
func (c *conn) ping(ctx context.Context) {
	for sleep(ctx, c.pingEvery) == nil {
		if c.ws.WriteControl(websocket.PingMessage, nil, time.Now().Add(socketWriteTime)) != nil {
			break // the reader finds out why
		}
	}
	_ = c.ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseNormalClosure, ""), time.Now().Add(socketWriteTime))
	_ = c.ws.Close()
}

// part says that another connection should be opened in this one's place; the first reason stands.
func (c *conn) part(err error) {
	c.left.Do(func() {
		c.leaveErr = err
		close(c.leave)
	})
}

// leaving says whether the connection is about to end.
func (c *conn) leaving() bool {
	select {
	case <-c.leave:
		return true
	default:
		return false
	}
}

// why returns what part was told. leave must be closed.
func (c *conn) why() error { return c.leaveErr }

func (c *conn) write(frame []byte) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	if err := c.ws.SetWriteDeadline(time.Now().Add(socketWriteTime)); err != nil {
		return err
	}
	return c.ws.WriteMessage(websocket.TextMessage, frame)
}
