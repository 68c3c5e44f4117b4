package queue

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/redis/go-redis/v9"
	"golang.org/x/sync/errgroup"

	"hitl"
	"hitl/deploy/local"
)

// gate counts scripts that a client sends, and holds them until it is opened.
type gate struct {
	opened chan struct{}
	calls  atomic.Int64
}

func (g *gate) DialHook(next redis.DialHook) redis.DialHook { return next }

func (g *gate) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if cmd.Name() == "evalsha" {
			g.calls.Add(1)
			<-g.opened
		}
		return next(ctx, cmd)
	}
}

func (g *gate) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

// gathered is how many reviews wait for their turn.
func gathered(c *Client) int {
	found, _ := c.gatherings.LoadOrStore(support, &together{})
	t, _ := found.(*together)
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.gathered == nil {
		return 0
	}
	return len(t.gathered.entries)
}

// While one review is on its way others gather, and go in one call.
func TestAddTogether(t *testing.T) {
	onAll(t, func(t *testing.T, addr string) {
		c := open(t, at(addr))
		add(t, c, hitl.PriorityNormal, "r0") // and Redis knows the script
		g := &gate{opened: make(chan struct{})}
		c.rdb.AddHook(g)
		var group errgroup.Group
		group.Go(func() error {
			return c.AddTogether(t.Context(), support, Entry{"r1", hitl.PriorityNormal})
		})
		await(t, "the first to be on its way", func() bool { return g.calls.Load() == 1 })
		all := []string{"r0", "r1"}
		for i := range 40 {
			id := fmt.Sprint("s", i)
			all = append(all, id)
			group.Go(func() error { return c.AddTogether(t.Context(), support, Entry{id, hitl.PriorityNormal}) })
		}
		await(t, "the others to gather", func() bool { return gathered(c) == 40 })

		left, leave := context.WithCancel(t.Context())
		leave()
		if err := c.AddTogether(left, support, Entry{"late", hitl.PriorityNormal}); !errors.Is(err, context.Canceled) {
			t.Errorf("whoever leaves: %v", err)
		}
		for _, bad := range []Entry{{"", hitl.PriorityNormal}, {"x", "soon"}} {
			if err := c.AddTogether(t.Context(), support, bad); err == nil {
				t.Errorf("%+v was added", bad)
			}
		}
		close(g.opened)
		must(t, group.Wait())
		if n := g.calls.Load(); n != 2 {
			t.Errorf("%d calls for all, want 2", n)
		}
		got := names(next(t, c, "a", 99))
		slices.Sort(got)
		want(t, "each once, and what nobody waits for, too", got, slices.Sorted(slices.Values(append(all, "late")))...)
	})
}

// Everybody hears of the failure of a call that was made for all.
func TestAddTogetherFails(t *testing.T) {
	onPrivate(t, func(t *testing.T, server *local.Redis) {
		c := open(t, Config{Addrs: []string{server.Addr()}, Password: server.Password()})
		must(t, server.Stop(t.Context()))
		errs := make(chan error, 8)
		for i := range cap(errs) {
			go func() { errs <- c.AddTogether(t.Context(), support, Entry{fmt.Sprint(i), hitl.PriorityNormal}) }()
		}
		for range cap(errs) {
			if err := <-errs; err == nil {
				t.Error("added to a Redis that is away")
			}
		}
	})
}
