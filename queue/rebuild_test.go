package queue

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"hitl"
	"hitl/deploy/local"
	"hitl/deploy/local/localtest"
)

func TestRebuild(t *testing.T) {
	onAll(t, func(t *testing.T, addr string) {
		c := open(t, at(addr))
		if _, err := c.Epoch(t.Context(), support); !errors.Is(err, ErrLost) {
			t.Errorf("epoch of a new queue: %v, want ErrLost", err)
		}
		add(t, c, hitl.PriorityNormal, "decided", "held", "waits", "wrong")
		next(t, c, "a", 2)
		l := newLedger("held", "missing", "waits", "wrong")
		l.reviews["wrong"] = hitl.PriorityUrgent
		got, err := c.Rebuild(t.Context(), support, l, nil)
		if w := (Rebuilt{Epoch: 1, Open: 4, Added: 1, Dropped: 1}); err != nil || got != w {
			t.Errorf("got %+v, %v; want %+v", got, err, w)
		}
		if epoch, err := c.Epoch(t.Context(), support); err != nil || epoch != 1 {
			t.Errorf("epoch %d, %v; want 1", epoch, err)
		}
		want(t, "the others", names(next(t, c, "a", 9)), "wrong", "waits", "missing")
		got, err = c.Rebuild(t.Context(), support, l, nil)
		if w := (Rebuilt{Epoch: 2, Open: 4}); err != nil || got != w {
			t.Errorf("again: got %+v, %v; want %+v", got, err, w)
		}
		want(t, "held ones stay held", names(next(t, c, "a", 9)))
	})
}

func TestRebuildPages(t *testing.T) {
	onAll(t, func(t *testing.T, addr string) {
		c := open(t, at(addr))
		for _, n := range []int{page - 1, page, page + 1, 2*page + 7} {
			l := newLedger()
			for i := range n {
				l.reviews[fmt.Sprintf("%05d", i)] = hitl.PriorityNormal
			}
			calls := 0
			got, err := c.Rebuild(t.Context(), support, l, func(r Rebuilt) {
				if calls++; r.Open != min(calls*page, n) {
					t.Errorf("progress %d: %+v", calls, r)
				}
			})
			if err != nil || got.Open != n {
				t.Fatalf("rebuilt %+v, %v; want %d", got, err, n)
			}
			if in, err := c.Len(t.Context(), support); err != nil || in != int64(n) {
				t.Errorf("%d in the queue, %v; want %d", in, err, n)
			}
		}
		// And all of them are dropped again.
		got, err := c.Rebuild(t.Context(), support, newLedger(), nil)
		if err != nil || got.Dropped != 2*page+7 {
			t.Errorf("rebuilt %+v, %v", got, err)
		}
	})
}

// Reviews that are opened while a rebuild runs, after it has read the ledger,
// are not taken for decided ones.
func TestRebuildWhileOthersAdd(t *testing.T) {
	onAll(t, func(t *testing.T, addr string) {
		c := open(t, at(addr))
		add(t, c, hitl.PriorityNormal, "decided")
		l := newLedger("old")
		l.during = func() { add(t, c, hitl.PriorityNormal, "new") }
		if _, err := c.Rebuild(t.Context(), support, l, nil); err != nil {
			t.Fatal(err)
		}
		want(t, "queue", names(next(t, c, "a", 9)), "new", "old")
	})
}

func TestRebuildsAtOnce(t *testing.T) {
	onAll(t, func(t *testing.T, addr string) {
		c := open(t, at(addr))
		l := newLedger()
		var ids []string
		for i := range 300 {
			ids = append(ids, fmt.Sprintf("%03d", i))
			l.reviews[ids[i]] = hitl.PriorityNormal
		}
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				if _, err := c.Rebuild(t.Context(), support, l, nil); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if epoch, err := c.Epoch(t.Context(), support); err != nil || epoch != 4 {
			t.Errorf("epoch %d, %v; want 4", epoch, err)
		}
		got := names(next(t, c, "a", 999))
		slices.Sort(got)
		want(t, "queue", got, ids...)
	})
}

func TestEmptiedDuringRebuild(t *testing.T) {
	onPrivate(t, func(t *testing.T, server *local.Redis) {
		cfg := at(server.Addr())
		cfg.Password = server.Password()
		c := open(t, cfg)
		l := newLedger("r1")
		l.during = func() { must(t, c.rdb.FlushAll(t.Context()).Err()) }
		if _, err := c.Rebuild(t.Context(), support, l, nil); !errors.Is(err, ErrLost) {
			t.Errorf("got %v, want ErrLost", err)
		}
		if _, err := c.Epoch(t.Context(), support); !errors.Is(err, ErrLost) {
			t.Errorf("epoch: %v, want ErrLost", err)
		}
	})
}

// The story of a Redis that is emptied while replicas run.
func TestReconciler(t *testing.T) {
	onPrivate(t, func(t *testing.T, server *local.Redis) {
		cfg := at(server.Addr())
		cfg.Password = server.Password()
		c := open(t, cfg)
		l := newLedger("r1", "r2")
		l.err = errors.New("postgres is away")
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for range 2 {
			r := Reconciler{Client: c, Queue: support, Open: l, CheckEvery: time.Millisecond, Every: time.Hour}
			wg.Go(func() {
				if err := r.Run(ctx); err != nil {
					t.Error(err)
				}
			})
		}
		healthy := func() bool { _, err := c.Epoch(t.Context(), support); return err == nil }
		await(t, "second try", func() (again bool) {
			l.change(func() { again = l.asked > 1 })
			return again
		})
		if healthy() {
			t.Error("an epoch without a rebuild")
		}
		l.change(func() { l.err = nil })
		await(t, "first build", healthy)
		asked := 0
		l.change(func() { asked = l.asked })
		want(t, "queue", names(next(t, c, "a", 9)), "r1", "r2")

		must(t, c.Done(t.Context(), support, "r1"))
		l.change(func() { delete(l.reviews, "r1"); l.reviews["r3"] = hitl.PriorityUrgent })
		must(t, c.rdb.FlushAll(t.Context()).Err())
		await(t, "second build", healthy)
		want(t, "after the loss", names(next(t, c, "a", 9)), "r3", "r2")
		cancel()
		wg.Wait()
		if l.asked != asked+1 {
			t.Errorf("%d rebuilds after one loss", l.asked-asked)
		}
	})
}

// Without a loss, a review that could not be added is brought in time.
func TestReconcilerPeriodic(t *testing.T) {
	onAll(t, func(t *testing.T, addr string) {
		c := open(t, at(addr))
		l := newLedger()
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		r := Reconciler{Client: c, Queue: support, Open: l, CheckEvery: time.Millisecond, Every: 5 * time.Millisecond}
		wg.Go(func() {
			if err := r.Run(ctx); err != nil {
				t.Error(err)
			}
		})
		await(t, "first build", func() bool { _, err := c.Epoch(t.Context(), support); return err == nil })
		l.change(func() { l.reviews["r1"] = hitl.PrioritySample })
		taken, err := c.Next(t.Context(), support, "a", 1, time.Minute)
		must(t, err)
		want(t, "queue", names(taken), "r1")
		cancel()
		wg.Wait()

		bad := Reconciler{Client: c, Queue: "{}", Open: l}
		if err := bad.Run(t.Context()); err == nil {
			t.Error("reconciles a queue with an impossible name")
		}
	})
}

// Consumers of replicas that are gone are forgotten, unless they hold
// reviews. The stand-in has one process's consumers, and counts what they hold
// wrong.
func TestPrune(t *testing.T) {
	t.Parallel()
	c := open(t, at(localtest.PrivateRedis(t, local.RedisOptions{NoStandIn: true, NoPassword: true}).Addr()))
	keys, err := c.keys(support)
	must(t, err)
	must(t, c.prune(t.Context(), support)) // nothing there
	add(t, c, hitl.PriorityNormal, "r1", "r2")
	next(t, c, "idle", 1)
	must(t, c.Done(t.Context(), support, "r1"))
	next(t, c, "holds", 1)
	must(t, c.prune(t.Context(), support)) // too early
	consumers := func() []string {
		infos, err := c.rdb.XInfoConsumers(t.Context(), keys[keyStreams+1], group).Result()
		must(t, err)
		var list []string
		for _, info := range infos {
			list = append(list, info.Name)
		}
		slices.Sort(list)
		return list
	}
	want(t, "recent ones", consumers(), "holds", "idle")
	await(t, "silence", func() bool {
		n, err := pruneScript.Run(t.Context(), c.rdb, keys, group, 1).Int()
		must(t, err)
		return n > 0
	})
	want(t, "afterwards", consumers(), "holds")
}

// A backlog that takes long to read is not read all the time.
func TestReconcilerPausesAfterALongRebuild(t *testing.T) {
	onAll(t, func(t *testing.T, addr string) {
		c := open(t, at(addr))
		l := newLedger("r1")
		const long = 50 * time.Millisecond
		l.during = func() { <-time.After(long) }
		budget := &Budget{}
		for i, name := range []string{support, "other"} { // the second pays for both
			r := Reconciler{Client: c, Queue: name, Open: l, Every: time.Millisecond, Budget: budget}
			must(t, r.step(t.Context(), slog.New(slog.DiscardHandler)))
			left, err := c.rdb.PTTL(t.Context(), c.leaseKey(name)).Result()
			must(t, err)
			if least := time.Duration(i+1) * 15 * long; left < least {
				t.Errorf("the next rebuild of queue %d begins %v after it, want %v", i, left, least)
			}
		}
	})
}

// However many queues are lost at once, few are rebuilt at once.
func TestBudgetKeepsRoom(t *testing.T) {
	t.Parallel()
	c, l := open(t, at(localtest.Redis(t))), newLedger("r1")
	var now, most atomic.Int64
	l.during = func() {
		n := now.Add(1)
		defer now.Add(-1)
		for seen := most.Load(); n > seen && !most.CompareAndSwap(seen, n); seen = most.Load() {
		}
		<-time.After(5 * time.Millisecond)
	}
	budget := &Budget{}
	var all sync.WaitGroup
	for i := range 3 * budgetBusy {
		r := Reconciler{Client: c, Queue: fmt.Sprint("q", i), Open: l, Budget: budget}
		all.Go(func() {
			if err := r.step(t.Context(), slog.New(slog.DiscardHandler)); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if got := most.Load(); got != budgetBusy {
		t.Errorf("%d were rebuilt at once, want %d", got, budgetBusy)
	}
}

// A review that was preferred to others of its priority goes before them. It is back among them with the next rebuild, unless it was delivered: then it
// stays with who has it, and with who takes over.
func TestRebuildKeepsPreferred(t *testing.T) {
	onAll(t, func(t *testing.T, addr string) {
		c := open(t, at(addr))
		l := newLedger("r1", "r2", "r3", "r4")
		prefer := func(id string) {
			t.Helper()
			if moved, err := c.Promote(t.Context(), support, Entry{id, hitl.PriorityUrgent}); err != nil || !moved {
				t.Fatalf("prefer %s: %v, %v", id, moved, err)
			}
		}
		rebuild := func() {
			t.Helper()
			if got, err := c.Rebuild(t.Context(), support, l, nil); err != nil || got.Dropped != 0 {
				t.Fatalf("rebuild: %+v, %v", got, err)
			}
		}
		rebuild()
		prefer("r3")
		rebuild()
		want(t, "preferred, not delivered, and rebuilt", names(next(t, c, "a", 1)), "r1")
		prefer("r4")
		want(t, "preferred", names(next(t, c, "a", 1)), "r4")
		rebuild()
		prefer("r4")
		want(t, "held: others get others", names(next(t, c, "b", 9)), "r2", "r3")
		must(t, c.Release(t.Context(), support, "r4"))
		rebuild()
		want(t, "given back: the first again", names(next(t, c, "b", 9)), "r4#2")
		must(t, c.Done(t.Context(), support, "r4"))
		if n, err := c.Len(t.Context(), support); err != nil || n != 3 {
			t.Errorf("%d reviews, %v; want 3", n, err)
		}
	})
}
