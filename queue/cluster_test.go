package queue

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"hitl"
	"hitl/deploy/local/localtest"
)

// spread returns the names of a queue on each node of a cluster.
func spread(t *testing.T, cluster *localtest.Cluster) []string {
	t.Helper()
	names := make([]string, len(cluster.Nodes))
	for i, missing := 0, len(names); missing > 0; i++ {
		name := fmt.Sprint("queue-", i)
		if _, node := cluster.Owner(t, name); names[node] == "" {
			names[node] = name
			missing--
		}
	}
	return names
}

func lens(t *testing.T, c *Client, names []string) []int64 {
	t.Helper()
	var all []int64
	for _, name := range names {
		n, err := c.Len(t.Context(), name)
		must(t, err)
		all = append(all, n)
	}
	return all
}

// A node is killed with all that it held, and nobody has a copy: its queue is away, the others go on, and a service that starts meanwhile serves
// them. When the node is back, empty, what Postgres knows is brought back.
func TestClusterLosesANode(t *testing.T) {
	t.Parallel()
	cluster := localtest.PrivateRedisCluster(t)
	cfg := Config{Addrs: cluster.Addrs(), Mode: ModeCluster}
	c := open(t, cfg)
	queues := spread(t, cluster)
	ledgers := make([]*ledger, len(queues))
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	for i, name := range queues {
		ledgers[i] = newLedger(name+"-a", name+"-b")
		r := Reconciler{Client: c, Queue: name, Open: ledgers[i], CheckEvery: 10 * time.Millisecond, Every: 50 * time.Millisecond}
		wg.Go(func() {
			if err := r.Run(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	full := func() bool {
		for _, name := range queues {
			if n, err := c.Len(t.Context(), name); err != nil || n != 2 {
				return false
			}
		}
		return true
	}
	await(t, "all queues", full)

	const dead = 1
	must(t, cluster.Nodes[dead].Kill())
	brief := func() (context.Context, context.CancelFunc) { return context.WithTimeout(t.Context(), 5*time.Second) }
	short, stop := brief()
	defer stop()
	if _, err := c.Next(short, queues[dead], "a", 1, 0); err == nil {
		t.Error("took from a node that is not there")
	}
	if _, err := c.Epoch(short, queues[dead]); err == nil || errors.Is(err, ErrLost) {
		t.Errorf("epoch on a node that is not there: %v", err)
	}
	late := open(t, Config{Addrs: cluster.Addrs(), Mode: ModeCluster, Prefix: c.cfg.Prefix})
	for i, name := range queues {
		if i == dead {
			continue
		}
		for _, client := range []*Client{c, late} {
			taken, err := client.Next(t.Context(), name, "a", 1, 0)
			if err != nil || len(taken) != 1 {
				t.Errorf("queue on a living node: %v, %v", taken, err)
			}
		}
		if _, err := c.Depths(t.Context(), name); err != nil {
			t.Error(err)
		}
	}
	if err := late.Ready(t.Context()); err != nil {
		t.Errorf("two of three nodes answer: %v", err)
	}
	ledgers[dead].change(func() { ledgers[dead].reviews["opened meanwhile"] = hitl.PriorityUrgent })

	must(t, cluster.Nodes[dead].Restart(t.Context()))
	await(t, "the dead node's queue", func() bool {
		n, err := c.Len(t.Context(), queues[dead])
		return err == nil && n == 3
	})
	cluster.AwaitWhole(t)
	taken, err := late.Next(t.Context(), queues[dead], "a", 9, 0)
	must(t, err)
	want(t, "the urgent one first", names(taken), "opened meanwhile", queues[dead]+"-a", queues[dead]+"-b")
}

// A resharding moves a queue's slot to another node, entries and all. While its keys are on their way some calls fail, and say so in the way of
// what passes; afterwards who asks the old node is sent on.
func TestClusterMovesASlot(t *testing.T) {
	t.Parallel()
	cluster := localtest.PrivateRedisCluster(t)
	c := open(t, Config{Addrs: cluster.Addrs(), Mode: ModeCluster})
	stale := open(t, Config{Addrs: cluster.Addrs(), Mode: ModeCluster, Prefix: c.cfg.Prefix}) // asks the old node first, every time
	slot, from := cluster.Owner(t, support)
	to := (from + 1) % len(cluster.Nodes)
	l := newLedger("n1", "n2", "n3")
	l.reviews["u1"] = hitl.PriorityUrgent
	_, err := c.Rebuild(t.Context(), support, l, nil)
	must(t, err)
	want(t, "held", names(next(t, stale, "holder", 1)), "u1")

	cluster.BeginMove(t, slot, from, to)
	equal := func(what string, got, want any) {
		t.Helper()
		if got != want {
			t.Errorf("%s: got %v, want %v", what, got, want)
		}
	}
	equal("before the keys move", lens(t, c, []string{support})[0], int64(4))
	cluster.MoveKeys(t, slot, from, to)
	// The keys are there, the slot is not yet: who asks is sent once (ASK).
	equal("after the keys moved", lens(t, stale, []string{support})[0], int64(4))
	if epoch, err := stale.Epoch(t.Context(), support); err != nil || epoch != 1 {
		t.Errorf("epoch %d, %v", epoch, err)
	}
	has, err := stale.Has(t.Context(), support, "n2")
	equal("has n2", has && err == nil, true)
	// A script names keys that do not exist, so that it waits for the end of the move.
	if err := stale.Add(t.Context(), support, Entry{"n4", hitl.PriorityNormal}); err != nil && refused(err) {
		t.Errorf("what passes is taken for a refusal: %v", err)
	}
	cluster.EndMove(t, slot, from, to)
	// And from now on for good (MOVED).
	must(t, stale.Add(t.Context(), support, Entry{"n4", hitl.PriorityNormal}))
	want(t, "what the holder does not hold, in its place", names(next(t, c, "other", 9)), "n1", "n2", "n3", "n4")
	must(t, stale.Release(t.Context(), support, "u1"))
	want(t, "what it held", names(next(t, c, "other", 9)), "u1#2")
	first, err := stale.First(t.Context(), support, time.Minute)
	equal("first of a key", first && err == nil, true)
	depths, err := stale.Depths(t.Context(), support)
	if err != nil || depths[0].Held != 1 || depths[1].Len != 4 {
		t.Errorf("depths %+v, %v", depths, err)
	}
	must(t, stale.Done(t.Context(), support, "u1", "n1", "n2", "n3", "n4"))
	equal("afterwards", lens(t, c, []string{support})[0], int64(0))
}
