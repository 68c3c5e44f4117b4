package main

import (
	"errors"
	"io"
	"net"
	"testing"
	"time"
)

// echo answers what it is sent.
func echo(t *testing.T) net.Listener {
	t.Helper()
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = io.Copy(c, c)
			_ = c.Close()
		}
	}()
	t.Cleanup(func() { _ = l.Close(); <-done })
	return l
}

func TestProxy(t *testing.T) {
	t.Parallel()
	gone, err := freePort(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	p, err := newProxy(t.Context(), gone, echo(t).Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer p.close()
	dial := func() (net.Conn, error) {
		var d net.Dialer
		c, err := d.DialContext(t.Context(), "tcp", p.addr())
		if err == nil {
			t.Cleanup(func() { _ = c.Close() })
			err = c.SetDeadline(time.Now().Add(10 * time.Second))
		}
		return c, err
	}
	say := func(c net.Conn, err error) error {
		if err != nil {
			return err
		}
		b := make([]byte, 5)
		_, err = io.WriteString(c, "hello")
		_, readErr := io.ReadFull(c, b)
		return errors.Join(err, readErr)
	}
	first, err := dial()
	if err := say(first, err); err != nil {
		t.Fatalf("through, past a target that is gone: %v", err)
	}
	p.cut()
	if say(first, nil) == nil {
		t.Error("a connection that was cut still works")
	}
	p.setDown(true)
	if say(dial()) == nil {
		t.Error("a new connection works while the proxy is down")
	}
	p.setDown(false)
	if err := say(dial()); err != nil {
		t.Errorf("after it is up again: %v", err)
	}
}
