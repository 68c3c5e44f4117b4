package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"time"
)

// proxy passes TCP connections on to one of its targets, whichever takes them, and can cut them all. It stands between the
// replicas and everything they talk to, and in front of the replicas as their load balancer.
type proxy struct {
	listener net.Listener
	targets  []string
	cancel   context.CancelFunc
	running  sync.WaitGroup

	mu    sync.Mutex
	conns map[net.Conn]bool
	down  bool
}

func newProxy(ctx context.Context, targets ...string) (*proxy, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for proxy: %w", err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	p := &proxy{listener: l, targets: targets, cancel: cancel, conns: map[net.Conn]bool{}}
	p.running.Go(func() { p.accept(ctx) })
	return p, nil
}

func (p *proxy) addr() string { return p.listener.Addr().String() }

// close ends everything and waits for it.
func (p *proxy) close() {
	p.cancel()
	_ = p.listener.Close()
	p.cut()
	p.running.Wait()
}

// cut resets every connection that there is.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		reset(c)
	}
}

// setDown makes new connections fail at once, after cutting the old ones, or lets them in again.
func (p *proxy) setDown(down bool) {
	p.mu.Lock()
	p.down = down
	p.mu.Unlock()
	if down {
		p.cut()
	}
}

// reset closes a connection the rude way: what was not sent is lost, and the other side sees an error instead of an end.
func reset(c net.Conn) {
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = c.Close()
}

func (p *proxy) accept(ctx context.Context) {
	for {
		c, err := p.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err == nil {
			p.running.Go(func() { p.serve(ctx, c) })
		}
	}
}

func (p *proxy) serve(ctx context.Context, client net.Conn) {
	if !p.keep(client) {
		reset(client)
		return
	}
	defer p.drop(client)
	server := p.dial(ctx)
	if server == nil {
		reset(client)
		return
	}
	if !p.keep(server) {
		reset(server)
		reset(client)
		return
	}
	defer p.drop(server)
	var both sync.WaitGroup
	for _, way := range [][2]net.Conn{{client, server}, {server, client}} {
		both.Go(func() {
			_, err := io.Copy(way[1], way[0])
			if tcp, ok := way[1].(*net.TCPConn); ok && err == nil {
				_ = tcp.CloseWrite()
				return
			}
			reset(way[0])
			reset(way[1])
		})
	}
	both.Wait()
	_ = client.Close()
	_ = server.Close()
}

// dial tries the targets in random order.
func (p *proxy) dial(ctx context.Context) net.Conn {
	d := net.Dialer{Timeout: 2 * time.Second}
	for _, i := range rand.Perm(len(p.targets)) {
		if c, err := d.DialContext(ctx, "tcp", p.targets[i]); err == nil {
			return c
		}
	}
	return nil
}

func (p *proxy) keep(c net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.down {
		return false
	}
	p.conns[c] = true
	return true
}

func (p *proxy) drop(c net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, c)
}
