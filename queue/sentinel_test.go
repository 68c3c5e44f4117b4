package queue

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"hitl"
	"hitl/deploy/local/localtest"
)

// The master dies and the Sentinels name another. What the replicas had not heard of yet is brought back from Postgres, and a client that
// was there before goes on, as does one that comes in between.
func TestSentinelFailover(t *testing.T) {
	t.Parallel()
	servers := localtest.RedisSentinel(t)
	cfg := Config{Addrs: servers.Addrs(), Mode: ModeSentinel, MasterName: localtest.SentinelMaster}
	c := open(t, cfg)
	l := newLedger("r1", "r2")
	r := Reconciler{Client: c, Queue: support, Open: l, CheckEvery: 10 * time.Millisecond, Every: 50 * time.Millisecond}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	wg.Go(func() {
		if err := r.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	await(t, "first build", func() bool { n, err := c.Len(t.Context(), support); return err == nil && n == 2 })

	must(t, servers.Master.Kill())
	l.change(func() { l.reviews["r3"] = hitl.PriorityUrgent })
	cfg.Prefix = c.cfg.Prefix
	late := open(t, cfg)
	servers.AwaitFailover(t)
	for _, client := range []*Client{c, late} {
		await(t, "all reviews on the new master", func() bool { n, err := client.Len(t.Context(), support); return err == nil && n == 3 })
	}
	taken := names(next(t, late, "a", 9))
	slices.Sort(taken)
	want(t, "taken", taken, "r1", "r2", "r3")
	must(t, c.Done(t.Context(), support, "r1", "r2"))
	want(t, "done is done on the new master", names(next(t, c, "b", 9)))
}
