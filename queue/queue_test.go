package queue

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"hitl"
	"hitl/deploy/local"
	"hitl/deploy/local/localtest"
)

func TestOrder(t *testing.T) {
	onAll(t, func(t *testing.T, addr string) {
		c := open(t, at(addr))
		want(t, "an empty queue", names(next(t, c, "a", 5)))
		add(t, c, hitl.PrioritySample, "s1")
		add(t, c, hitl.PriorityNormal, "n1", "n2")
		add(t, c, hitl.PriorityUrgent, "u1", "u2")
		first := next(t, c, "a", 3)
		want(t, "urgent first", names(first), "u1", "u2", "n1")
		if d := first[2]; d.Queue != support || d.Priority != hitl.PriorityNormal {
			t.Errorf("delivered %+v", d)
		}
		add(t, c, hitl.PriorityUrgent, "u3")
		want(t, "late but urgent", names(next(t, c, "a", 5)), "u3", "n2", "s1")
		want(t, "all are held", names(next(t, c, "b", 5)))
	})
}

func TestDuplicates(t *testing.T) {
	onAll(t, func(t *testing.T, addr string) {
		c := open(t, at(addr))
		add(t, c, hitl.PriorityNormal, "r1", "r2", "r1")
		must(t, c.Add(t.Context(), support, Entry{"r2", hitl.PriorityNormal}, Entry{"r2", hitl.PriorityNormal}, Entry{"r3", hitl.PriorityNormal}))
		want(t, "once each", names(next(t, c, "a", 9)), "r1", "r2", "r3")
		add(t, c, hitl.PriorityNormal, "r1")
		want(t, "held ones are there", names(next(t, c, "b", 9)))
		must(t, c.Done(t.Context(), support, "r1", "r1", "never there"))
		add(t, c, hitl.PriorityNormal, "r1")
		want(t, "done, then added again", names(next(t, c, "b", 9)), "r1")
	})
}

func TestPromote(t *testing.T) {
	onAll(t, func(t *testing.T, addr string) {
		c := open(t, at(addr))
		add(t, c, hitl.PriorityNormal, "r1", "r2", "r3")
		moved, err := c.Promote(t.Context(), support, Entry{"r3", hitl.PriorityUrgent})
		if err != nil || !moved {
			t.Fatalf("promote: %v, %v", moved, err)
		}
		moved, err = c.Promote(t.Context(), support, Entry{"decided", hitl.PriorityUrgent})
		if err != nil || moved {
			t.Fatalf("promote what does not wait: %v, %v", moved, err)
		}
		add(t, c, hitl.PrioritySample, "r1")
		want(t, "order", names(next(t, c, "a", 9)), "r3", "r2", "r1")
		if n, err := c.Len(t.Context(), support); err != nil || n != 3 {
			t.Errorf("%d reviews, %v; want 3", n, err)
		}
	})
}

// A consumer dies between taking a review and finishing it.
func TestStalled(t *testing.T) {
	onAll(t, func(t *testing.T, addr string) {
		cfg := at(addr)
		cfg.StallAfter = 30 * time.Millisecond
		c := open(t, cfg)
		add(t, c, hitl.PriorityNormal, "r1")
		want(t, "first delivery", names(next(t, c, "dead", 1)), "r1")
		add(t, c, hitl.PriorityNormal, "r2")
		var again []string
		await(t, "second delivery", func() bool {
			again = append(again, names(next(t, c, "alive", 1))...)
			return slices.Contains(again, "r1#2")
		})
		must(t, c.Done(t.Context(), support, "r1", "r2"))
		want(t, "afterwards", names(next(t, c, "alive", 9)))
	})
}

// A consumer that needs long keeps what it has, and loses it when it says no more.
func TestHold(t *testing.T) {
	onAll(t, func(t *testing.T, addr string) {
		cfg := at(addr)
		cfg.StallAfter = 200 * time.Millisecond
		c := open(t, cfg)
		must(t, c.Hold(t.Context(), support, "slow", "r1")) // no stream yet
		add(t, c, hitl.PriorityNormal, "r1", "r2", "r3")
		want(t, "taken", names(next(t, c, "slow", 2)), "r1", "r2")
		must(t, c.Hold(t.Context(), support, "slow", "r3", "never there")) // not its own
		want(t, "the third", names(next(t, c, "other", 1)), "r3")
		var again []string
		await(t, "r2 and r3 stalled", func() bool {
			must(t, c.Hold(t.Context(), support, "slow", "r1", "r3"))
			again = append(again, names(next(t, c, "other", 9))...)
			return slices.Contains(again, "r2#2") && slices.Contains(again, "r3#2")
		})
		if slices.Contains(again, "r1#2") {
			t.Error("a review that was held stalled")
		}
		await(t, "r1 stalled", func() bool { return slices.Contains(names(next(t, c, "third", 9)), "r1#2") })
	})
}

func TestRelease(t *testing.T) {
	onAll(t, func(t *testing.T, addr string) {
		c := open(t, at(addr))
		add(t, c, hitl.PriorityNormal, "r1", "r2", "r3")
		must(t, c.Release(t.Context(), support, "r1", "never there")) // held by nobody, streams not yet read
		want(t, "taken", names(next(t, c, "a", 2)), "r1", "r2")
		must(t, c.Release(t.Context(), support, "r2", "r1", "r3"))
		want(t, "in their old order", names(next(t, c, "b", 3)), "r1#2", "r2#2", "r3")
		want(t, "not released", names(next(t, c, "a", 3)))
		must(t, c.Done(t.Context(), support, "r1"))
		must(t, c.Release(t.Context(), support, "r1", "r2", "r3"))
		want(t, "done in between", names(next(t, c, "a", 3)), "r2#3", "r3#2")
	})
}

func TestDone(t *testing.T) {
	onAll(t, func(t *testing.T, addr string) {
		c := open(t, at(addr))
		add(t, c, hitl.PriorityNormal, "r1", "r2", "r3")
		must(t, c.Done(t.Context(), support, "r2"))
		want(t, "decided while it waited", names(next(t, c, "a", 9)), "r1", "r3")
		must(t, c.Done(t.Context(), support, "r1", "r3"))
		if n, err := c.Len(t.Context(), support); err != nil || n != 0 {
			t.Errorf("%d reviews, %v; want none", n, err)
		}
		must(t, c.Done(t.Context(), support))
	})
}

// Each review goes to one of several consumers.
func TestConsumersShare(t *testing.T) {
	onAll(t, func(t *testing.T, addr string) {
		c := open(t, at(addr))
		const reviews = 200
		var ids []string
		for i := range reviews {
			ids = append(ids, "r"+strings.Repeat("i", i))
		}
		var mu sync.Mutex
		var got []string
		var wg sync.WaitGroup
		for _, consumer := range []string{"a", "b", "c"} {
			wg.Go(func() {
				for {
					taken, err := c.Next(t.Context(), support, consumer, 7, 0)
					if err != nil {
						t.Error(err)
						return
					}
					mu.Lock()
					got = append(got, names(taken)...)
					full := len(got) >= reviews
					mu.Unlock()
					if full {
						return
					}
					for _, d := range taken {
						if err := c.Done(t.Context(), support, d.ReviewID); err != nil {
							t.Error(err)
						}
					}
				}
			})
		}
		add(t, c, hitl.PriorityNormal, ids...)
		wg.Wait()
		slices.Sort(got)
		want(t, "all of them, once", got, ids...)
	})
}

func TestNextWaits(t *testing.T) {
	onAll(t, func(t *testing.T, addr string) {
		c := open(t, at(addr))
		for _, p := range hitl.Priorities() {
			// The queue is new, then drained: both must wake the waiting one.
			for _, id := range []string{"first", "second"} {
				done := make(chan []string)
				go func() {
					taken, err := c.Next(t.Context(), support, "a", 2, time.Minute)
					if err != nil {
						t.Error(err)
					}
					done <- names(taken)
				}()
				add(t, c, p, id)
				want(t, string(p), <-done, id)
				must(t, c.Done(t.Context(), support, id))
			}
		}
		began := time.Now()
		taken, err := c.Next(t.Context(), support, "a", 1, 50*time.Millisecond)
		if err != nil || len(taken) > 0 || time.Since(began) < 45*time.Millisecond {
			t.Errorf("waited %v in vain: %v, %v", time.Since(began), taken, err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		if _, err := c.Next(ctx, support, "a", 1, time.Minute); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("with a context that ends: %v", err)
		}
	})
}

func TestLooks(t *testing.T) {
	onAll(t, func(t *testing.T, addr string) {
		c := open(t, at(addr))
		depths, err := c.Depths(t.Context(), support)
		if err != nil || len(depths) != 3 || depths[0] != (Depth{Priority: hitl.PriorityUrgent}) {
			t.Errorf("an empty queue: %+v, %v", depths, err)
		}
		if list, err := c.List(t.Context(), support, 5); err != nil || len(list) != 0 {
			t.Errorf("an empty queue: %+v, %v", list, err)
		}
		add(t, c, hitl.PriorityUrgent, "u1", "u2")
		next(t, c, "a", 1)
		add(t, c, hitl.PrioritySample, "s1", "s2")

		if depths, err = c.Depths(t.Context(), support); err != nil {
			t.Fatal(err)
		}
		for i, w := range []Depth{{hitl.PriorityUrgent, 2, 1, 0}, {hitl.PriorityNormal, 0, 0, 0}, {hitl.PrioritySample, 2, 0, 0}} {
			got := depths[i]
			if got.Oldest < 0 || got.Oldest > time.Minute {
				t.Errorf("oldest: %v", got.Oldest)
			}
			if got.Oldest = 0; got != w {
				t.Errorf("got %+v, want %+v", got, w)
			}
		}
		for limit, ids := range map[int][]string{0: nil, 1: {"u1"}, 3: {"u1", "u2", "s1"}, 9: {"u1", "u2", "s1", "s2"}} {
			list, err := c.List(t.Context(), support, limit)
			must(t, err)
			var got []string
			for _, w := range list {
				got = append(got, w.ReviewID)
				if held := w.ReviewID == "u1"; (w.Consumer == "a") != held || (w.Attempts == 1) != held {
					t.Errorf("listed %+v", w)
				}
				if age := time.Since(w.Added); age < -time.Minute || age > time.Minute || w.HeldFor > time.Minute {
					t.Errorf("listed %+v", w)
				}
			}
			want(t, "list", got, ids...)
		}
		must(t, c.Release(t.Context(), support, "u1"))
		list, err := c.List(t.Context(), support, 1)
		if err != nil || list[0].Consumer != "released" || list[0].HeldFor != 0 {
			t.Errorf("a released one: %+v, %v", list, err)
		}
		for id, w := range map[string]bool{"u1": true, "s2": true, "x": false} {
			if has, err := c.Has(t.Context(), support, id); err != nil || has != w {
				t.Errorf("has %s: %v, %v", id, has, err)
			}
		}
	})
}

// A Redis that is short of memory evicts whole keys, each on its own.
func TestEvicted(t *testing.T) {
	onAll(t, func(t *testing.T, addr string) {
		c := open(t, at(addr))
		keys, err := c.keys(support)
		must(t, err)
		add(t, c, hitl.PriorityNormal, "r1", "r2")
		next(t, c, "a", 1)
		must(t, c.rdb.Del(t.Context(), keys[keyStreams+1]).Err())
		add(t, c, hitl.PriorityNormal, "r1", "r2")
		want(t, "after the stream", names(next(t, c, "a", 9)), "r1", "r2")

		// A new stream may give an old entry's id to another review, which
		// must not be taken for it.
		for _, lose := range []func() error{
			func() error { return c.Done(t.Context(), support, "r1") },
			func() error {
				return c.Add(t.Context(), support, Entry{"r1", hitl.PriorityNormal})
			},
			func() error {
				return c.Add(t.Context(), support, Entry{"r1", hitl.PriorityUrgent})
			},
		} {
			same := c.rdb.HGet(t.Context(), keys[keyIndex], "r2").Val()
			must(t, c.rdb.HSet(t.Context(), keys[keyIndex], "r1", same).Err())
			must(t, lose())
			must(t, c.Release(t.Context(), support, "r2"))
			taken := next(t, c, "a", 9)
			if !slices.ContainsFunc(taken, func(d hitl.Delivery) bool { return d.ReviewID == "r2" }) {
				t.Errorf("the other review is gone: got %v", names(taken))
			}
		}
		must(t, c.Done(t.Context(), support, "r1", "r2"))

		add(t, c, hitl.PriorityNormal, "r3")
		must(t, c.rdb.Del(t.Context(), keys[keyIndex]).Err())
		add(t, c, hitl.PriorityNormal, "r1", "r3")
		want(t, "after the index", names(next(t, c, "a", 9)), "r1", "r3")
		must(t, c.Release(t.Context(), support, "r1", "r3"))
		want(t, "old entries are gone", names(next(t, c, "a", 9)), "r1#2", "r3#2")
	})
}

func TestRedisRestarts(t *testing.T) {
	onPrivate(t, func(t *testing.T, server *local.Redis) {
		cfg := at(server.Addr())
		cfg.Password = server.Password()
		c := open(t, cfg)
		add(t, c, hitl.PriorityNormal, "r1")
		must(t, server.Kill())
		if err := c.Ready(t.Context()); err == nil {
			t.Error("ready without a server")
		}
		if _, err := c.Next(t.Context(), support, "a", 1, 0); err == nil {
			t.Error("took from no server")
		}
		if _, err := c.Epoch(t.Context(), support); err == nil || errors.Is(err, ErrLost) {
			t.Errorf("epoch without a server: %v", err)
		}
		must(t, server.Restart(t.Context()))
		await(t, "a connection", func() bool { return c.Ready(t.Context()) == nil })
		want(t, "nothing was kept", names(next(t, c, "a", 1)))
		add(t, c, hitl.PriorityNormal, "r1")
		want(t, "scripts are known again", names(next(t, c, "a", 1)), "r1")
	})
}

// A service that starts while Redis is away serves, and finds it later; a wrong password is the operator's to mend.
func TestOpenWithoutRedis(t *testing.T) {
	onPrivate(t, func(t *testing.T, server *local.Redis) {
		cfg := Config{Addrs: []string{server.Addr()}, Password: server.Password() + "x"}
		if _, err := Open(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), "WRONGPASS") {
			t.Errorf("wrong password: %v", err)
		}
		cfg.Password = server.Password()
		must(t, server.Kill())
		c := open(t, cfg)
		if err := c.Ready(t.Context()); err == nil {
			t.Error("ready without redis")
		}
		must(t, server.Restart(t.Context()))
		add(t, c, hitl.PriorityNormal, "a")
		want(t, "added later", names(next(t, c, "me", 1)), "a")
	})
}

// Each queue's poster waits for news nearly all the time. That keeps nobody else from Redis.
func TestWaitersLeaveRoom(t *testing.T) {
	t.Parallel()
	cfg := at(localtest.Redis(t))
	cfg.Waiters = 3 * busyConns
	c := open(t, cfg)
	ctx, stop := context.WithCancel(t.Context())
	var waiting sync.WaitGroup
	for i := range cfg.Waiters {
		waiting.Go(func() {
			for ctx.Err() == nil {
				if _, err := c.Next(ctx, fmt.Sprint("q", i), "a", 1, time.Minute); err != nil && ctx.Err() == nil {
					t.Error(err)
					return
				}
			}
		})
	}
	await(t, "all to wait", func() bool { return c.rdb.PoolStats().TotalConns >= uint32(cfg.Waiters) })
	for range busyConns {
		add(t, c, hitl.PriorityNormal, "r1")
	}
	stop()
	waiting.Wait()
	if s := c.rdb.PoolStats(); s.WaitCount > 0 || s.Timeouts > 0 {
		t.Errorf("%d calls waited for a connection, %d in vain", s.WaitCount, s.Timeouts)
	}
}
