package audit_test

import (
	"context"
	"net"
	"net/url"
	"sync"
	"testing"
	"time"

	"hitl/audit"
)

// muffler passes connections on to Postgres, and can make those that there are silent: they stay open, and nothing comes through.
type muffler struct {
	net.Listener
	to string

	mu    sync.Mutex
	round int // connections of earlier ones are silent
	conns []net.Conn
}

func newMuffler(t *testing.T, to string) *muffler {
	t.Helper()
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m := &muffler{Listener: l, to: to}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			running.Go(func() { m.pass(t.Context(), &running, c) })
		}
	})
	t.Cleanup(func() { _ = l.Close(); running.Wait() })
	return m
}

func (m *muffler) muffle() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.round++
}

// cut ends all connections that there were.
func (m *muffler) cut() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, c := range m.conns {
		_ = c.Close()
	}
}

func (m *muffler) now() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.round
}

func (m *muffler) pass(ctx context.Context, running *sync.WaitGroup, client net.Conn) {
	round := m.now()
	var d net.Dialer
	server, err := d.DialContext(ctx, "tcp", m.to)
	if err != nil {
		_ = client.Close()
		return
	}
	m.mu.Lock()
	m.conns = append(m.conns, client, server)
	m.mu.Unlock()
	for _, way := range [][2]net.Conn{{client, server}, {server, client}} {
		running.Go(func() {
			defer func() { _ = way[0].Close(); _ = way[1].Close() }()
			b := make([]byte, 32<<10)
			for {
				n, err := way[0].Read(b)
				if err != nil {
					return
				}
				if m.now() != round {
					continue
				}
				if _, err := way[1].Write(b[:n]); err != nil {
					return
				}
			}
		})
	}
}

// Connections that went silent are replaced in time: nobody waits until TCP gives them up.
func TestSilentConnections(t *testing.T) {
	t.Parallel()
	_, service := database(t)
	u, err := url.Parse(service)
	if err != nil {
		t.Fatal(err)
	}
	m := newMuffler(t, u.Host)
	u.Host = m.Addr().String()
	s := openWith(t, audit.Config{DSN: u.String(), MaxConns: 4}) // what is given up takes its room for a while longer
	if err := s.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	idle := time.Now()
	eventually(t, "idle for long enough to be doubted", func() bool { return time.Since(idle) > 1500*time.Millisecond })
	m.muffle()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := s.Ready(ctx); err != nil {
		t.Errorf("after connections went silent: %v", err)
	}
	m.cut() // or closing the store waits for the silent one
}
