package queue

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

func TestFirst(t *testing.T) {
	onAll(t, func(t *testing.T, addr string) {
		one := open(t, at(addr))
		cfg := at(addr)
		cfg.Prefix = one.cfg.Prefix
		other := open(t, cfg)
		foreign := open(t, at(addr))
		for _, step := range []struct {
			client *Client
			key    string
			want   bool
		}{{one, "a", true}, {one, "a", false}, {other, "a", false}, {other, "b", true}, {one, "b", false}, {foreign, "a", true}} {
			if got, err := step.client.First(t.Context(), step.key, time.Minute); err != nil || got != step.want {
				t.Errorf("%s: %v, %v, want %v", step.key, got, err, step.want)
			}
		}
		if ttl := one.rdb.PTTL(t.Context(), one.cfg.Prefix+":once:a").Val(); ttl <= 0 || ttl > time.Minute {
			t.Errorf("the key lives for %v", ttl)
		}
		var firsts atomic.Int32
		var wg sync.WaitGroup
		for i := range 20 {
			wg.Go(func() {
				first, err := []*Client{one, other}[i%2].First(t.Context(), "race", time.Minute)
				if err != nil {
					t.Error(err)
				}
				if first {
					firsts.Add(1)
				}
			})
		}
		wg.Wait()
		if n := firsts.Load(); n != 1 {
			t.Errorf("%d calls were first", n)
		}
	})
}

// A Redis that takes connections and never answers holds nobody up for longer than they wait.
func TestFirstOfHangingRedis(t *testing.T) {
	t.Parallel()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	must(t, err)
	var conns sync.WaitGroup
	conns.Go(func() {
		var held []net.Conn
		for {
			c, err := l.Accept()
			if err != nil {
				for _, c := range held {
					_ = c.Close()
				}
				return
			}
			held = append(held, c)
		}
	})
	t.Cleanup(func() { _ = l.Close(); conns.Wait() })
	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	cfg := Config{Addrs: []string{l.Addr().String()}}.withDefaults()
	c := &Client{cfg: cfg, rdb: redis.NewUniversalClient(cfg.options())}
	t.Cleanup(func() { _ = c.Close() })
	start := time.Now()
	if _, err := c.First(short, "a", time.Minute); err == nil {
		t.Error("an answer came from nowhere")
	}
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("it took %v", took)
	}
}
