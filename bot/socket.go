package bot

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

// maxConnections is how many connections Slack gives an app.
const maxConnections = 10

// Times of Socket Mode.
const (
	// lingerTime is how long a connection that Slack wants to close may go on bringing envelopes; Slack closes it after some 10 s.
	lingerTime = 30 * time.Second
	// socketWriteTime bounds the writing of one frame.
	socketWriteTime = 2 * time.Second
)

// socketMode is what Ready calls Socket Mode's trouble.
const socketMode = "socket mode"

// socket is the bot's side of Socket Mode: Config.SocketConnections connections, any of which may bring an envelope.
//
// It stands on gorilla/websocket alone, as slack-go's socketmode package does, and not on that package: it never acknowledges what it
// cannot decode, retries missing_scope and token_expired for ever as if they would pass, and closes its one connection before it
// opens the next.
type socket struct {
	b       *Bot
	readers sync.WaitGroup
	working tasks // envelopes

	mu   sync.Mutex
	live []*conn // greeted by Slack and not ended, the oldest first
}

// listen keeps the connections open until ctx ends, however long Slack is away. Then it takes what Slack still sends until every envelope
// is answered, and closes.
func (b *Bot) listen(ctx context.Context) {
	s := &socket{b: b}
	reading, hangUp := context.WithCancel(context.WithoutCancel(ctx))
	defer hangUp()
	var slots sync.WaitGroup
	for range b.cfg.SocketConnections {
		slots.Go(func() { s.hold(ctx, reading) })
	}
	slots.Wait()
	s.working.wait()
	hangUp()
	s.readers.Wait()
	s.working.wait()
}

// hold keeps one connection. When Slack announces that it will close it, the next is opened first, and the old one goes on bringing
// envelopes until it is closed.
func (s *socket) hold(ctx, reading context.Context) {
	b, pause := s.b, s.b.backoff()
	for ctx.Err() == nil {
		start := time.Now()
		c, err := b.dial(ctx)
		if err == nil {
			s.greeted(ctx, c)
			s.readers.Go(func() { s.read(reading, c) })
			select {
			case <-ctx.Done():
				return
			case <-c.leave:
			}
			if err = c.why(); err == nil || fatal(err) == "" {
				b.log.InfoContext(ctx, "a socket mode connection ends, opening another", "reason", reasonOf(err))
			}
		}
		if ctx.Err() != nil {
			return
		}
		wait := time.Duration(0)
		switch {
		case fatal(err) != "":
			wait = b.cfg.RetryMost
			b.hinder(socketMode, err)
			b.log.ErrorContext(ctx, "socket mode cannot work, will try again", "error", err, "advice", socketAdvice(fatal(err)))
		case c != nil && time.Since(start) > b.cfg.RetryMost:
			pause = b.backoff()
		case c != nil:
			wait = pause() // one that ends soon after it began must not become a storm of connections
		default:
			wait = max(pause(), rateLimited(err))
			s.troubled(err)
			b.log.WarnContext(ctx, "no socket mode connection, will try again", "error", err, "pause", wait)
		}
		if wait > 0 && sleep(ctx, wait) != nil {
			return
		}
	}
}

func reasonOf(err error) string {
	if err == nil {
		return "asked by slack"
	}
	return err.Error()
}

// greeted takes a connection into use.
func (s *socket) greeted(ctx context.Context, c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.live = append(s.live, c)
	s.b.unhinder(socketMode)
	s.b.log.InfoContext(ctx, "a socket mode connection is open", "connections", len(s.live))
}

// gone takes a connection out of use.
func (s *socket) gone(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.live = slices.DeleteFunc(s.live, func(l *conn) bool { return l == c })
	if len(s.live) == 0 {
		s.b.hinder(socketMode, fmt.Errorf("no connection: %s", reasonOf(c.why())))
	}
}

// troubled shows in Ready what keeps the first or the last connection from being opened.
func (s *socket) troubled(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.live) == 0 {
		s.b.hinder(socketMode, err)
	}
}

// ways returns the connections on which an envelope can be acknowledged: its own first, then the others, the newest first.
func (s *socket) ways(own *conn) []*conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	ways := slices.Clone(s.live)
	slices.Reverse(ways)
	if i := slices.Index(ways, own); i > 0 {
		ways = slices.Insert(slices.Delete(ways, i, i+1), 0, own)
	}
	return ways
}
