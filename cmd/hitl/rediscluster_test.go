package main

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"hitl"
	"hitl/deploy/local/localtest"
)

// addrs is the key of YAML that names servers.
func addrs(list []string) string { return fmt.Sprintf(`addrs: ["%s"]`, strings.Join(list, `", "`)) }

// decided has a reviewer accept an item by its card, and waits until its upstream knows.
func (w *world) decided(it item) {
	w.t.Helper()
	w.click("U0ANA", w.card(it), "Accept")
	if got := w.calledBack(it); got.Status != hitl.HumanAccepted || got.Label != it.AILabel {
		w.t.Errorf("upstream was told %+v", got)
	}
}

// The service on a cluster. The node of its queue dies: items are taken, and their cards come when the node is back, empty.
func TestStoryOnACluster(t *testing.T) {
	t.Parallel()
	cluster := localtest.PrivateRedisCluster(t)
	_, home := cluster.Owner(t, "support")
	w := newWorld(t, func(s *storySettings) { s.Redis = addrs(cluster.Addrs()) + ", mode: cluster" })
	w.signedLog()
	w.decided(w.post("cluster-1", unsureText, http.StatusAccepted))

	if err := cluster.Nodes[home].Kill(); err != nil {
		t.Fatal(err)
	}
	meanwhile := w.post("cluster-2", unsureText, http.StatusAccepted)
	w.post("cluster-3", sureText, http.StatusOK)
	if err := cluster.Nodes[home].Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.decided(meanwhile)
	w.verifies("5 entries, 5 of them bound by")
	if out := w.mustHitl("queue", "list"); !strings.Contains(out, "support") {
		t.Errorf("queue list printed %s", out)
	}
	w.mustHitl("queue", "rebuild")
}

// The service on what Sentinels watch over. The master dies while cards are out and items wait: nothing is lost, and the next cards come from
// the new master.
func TestStoryOfAFailover(t *testing.T) {
	t.Parallel()
	servers := localtest.RedisSentinel(t)
	w := newWorld(t, func(s *storySettings) {
		s.Redis = addrs(servers.Addrs()) + ", mode: sentinel, master_name: " + localtest.SentinelMaster
		s.OpenLimit = 1
	})
	w.signedLog()
	first := w.post("failover-1", unsureText, http.StatusAccepted)
	w.card(first)
	second := w.post("failover-2", unsureText, http.StatusAccepted) // waits for room in the channel
	if err := servers.Master.Kill(); err != nil {
		t.Fatal(err)
	}
	third := w.post("failover-3", unsureText, http.StatusAccepted)
	w.decided(first)
	servers.AwaitFailover(t)
	for waiting := []item{second, third}; len(waiting) > 0; { // the order is the new master's: it may not know who was first
		next := -1
		w.eventually("the next card", func() bool {
			next = slices.IndexFunc(waiting, func(it item) bool { return w.cardNow(it).TS != "" })
			return next >= 0
		})
		w.decided(waiting[next])
		waiting = slices.Delete(waiting, next, next+1)
	}
	w.verifies("6 entries, 6 of them bound by")
	if n := query[int](w, `SELECT count(*) FROM hitl.reviews WHERE state = 'open'`); n != 0 {
		t.Errorf("%d reviews are still open", n)
	}
}
