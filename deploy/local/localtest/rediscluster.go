package localtest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"hitl/deploy/local"
)

const (
	// clusterSlots is how many hash slots a Redis Cluster has.
	clusterSlots = 16384
	// togetherLimit bounds the wait for servers to agree on something.
	togetherLimit = 30 * time.Second
)

// Cluster is a Redis Cluster of masters without replicas: what a node held is
// gone when it is killed.
type Cluster struct {
	Nodes []*local.Redis
	ids   []string
}

// RedisCluster returns the test binary's Redis Cluster of three nodes that
// share the slots evenly, starting it on first use. Tests share it and must
// neither flush, move nor stop it; keys and queue names belong under Prefix.
// Where there is no redis-server the test is skipped, and says so; where
// servers are required it fails. It takes Redis 7.
func RedisCluster(t testing.TB) *Cluster {
	t.Helper()
	shared.mu.Lock()
	defer shared.mu.Unlock()
	if shared.cluster == nil {
		err := shared.start("Redis Cluster", func(ctx context.Context) (err error) {
			shared.cluster, err = startCluster(ctx)
			return err
		})
		needRedis(t, err)
	}
	return shared.cluster
}

// PrivateRedisCluster is RedisCluster with nodes of this test's own, to be
// killed at will; they are stopped when the test ends. While a node is down the
// others serve their slots: cluster-require-full-coverage is off.
func PrivateRedisCluster(t testing.TB) *Cluster {
	t.Helper()
	c, err := startCluster(t.Context())
	needRedis(t, err)
	t.Cleanup(func() {
		if err := c.stop(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	return c
}

// needRedis ends the test if its servers did not start.
func needRedis(t testing.TB, err error) {
	t.Helper()
	if errors.Is(err, local.ErrNoRedis) && !serversRequired() {
		t.Skipf("NOT TESTED: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// startCluster starts the nodes and introduces them to each other.
func startCluster(ctx context.Context) (c *Cluster, err error) {
	ctx, cancel := context.WithTimeout(ctx, togetherLimit)
	defer cancel()
	c = &Cluster{}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.stop(context.WithoutCancel(ctx)))
		}
	}()
	const nodes = 3
	var firstBus string
	for i := range nodes {
		bus, err := freePort(ctx)
		if err != nil {
			return c, err
		}
		r, err := local.StartRedis(ctx, local.RedisOptions{NoStandIn: true, NoPassword: true, Settings: []string{
			"cluster-enabled yes",
			"cluster-port " + bus, // by default 10000 above the other, which may be beyond the last
			"cluster-node-timeout 1000",
			"cluster-require-full-coverage no",
		}})
		if err != nil {
			return c, err
		}
		c.Nodes = append(c.Nodes, r)
		if i == 0 {
			firstBus = bus
		}
		commands := [][]any{
			{"CLUSTER", "ADDSLOTSRANGE", i * clusterSlots / nodes, (i+1)*clusterSlots/nodes - 1},
			{"CLUSTER", "SET-CONFIG-EPOCH", i + 1}, // nodes of one epoch would have to agree on another first
		}
		if i > 0 {
			host, port, err := net.SplitHostPort(c.Nodes[0].Addr())
			if err != nil {
				return c, err
			}
			commands = append(commands, []any{"CLUSTER", "MEET", host, port, firstBus})
		}
		for _, command := range commands {
			if _, err := c.do(ctx, i, command...); err != nil {
				return c, err
			}
		}
		id, err := c.do(ctx, i, "CLUSTER", "MYID")
		if err != nil {
			return c, err
		}
		c.ids = append(c.ids, fmt.Sprint(id))
	}
	return c, together(ctx, "the nodes of the cluster", c.whole)
}

func (c *Cluster) stop(ctx context.Context) error {
	var errs []error
	for _, r := range c.Nodes {
		errs = append(errs, r.Stop(ctx))
	}
	return errors.Join(errs...)
}

// Addrs are the nodes' addresses.
func (c *Cluster) Addrs() []string {
	var addrs []string
	for _, r := range c.Nodes {
		addrs = append(addrs, r.Addr())
	}
	return addrs
}

// Owner returns the slot of a hash tag, and which node owned it when the
// cluster was made.
func (c *Cluster) Owner(t testing.TB, tag string) (slot, node int) {
	t.Helper()
	slot = int(c.Do(t, 0, "CLUSTER", "KEYSLOT", tag).(int64))
	for node = range c.Nodes {
		if slot < (node+1)*clusterSlots/len(c.Nodes) {
			break
		}
	}
	return slot, node
}

// AwaitWhole waits until every node knows every other and sees every slot
// served.
func (c *Cluster) AwaitWhole(t testing.TB) {
	t.Helper()
	if err := together(t.Context(), "the nodes of the cluster", c.whole); err != nil {
		t.Fatal(err)
	}
}

func (c *Cluster) whole(ctx context.Context) bool {
	for i := range c.Nodes {
		info, err := c.do(ctx, i, "CLUSTER", "INFO")
		for _, want := range []string{
			"cluster_state:ok\r\n", "cluster_slots_ok:" + strconv.Itoa(clusterSlots) + "\r\n", "cluster_known_nodes:" + strconv.Itoa(len(c.Nodes)) + "\r\n",
		} {
			if err != nil || !strings.Contains(fmt.Sprint(info), want) {
				return false
			}
		}
	}
	return true
}

// BeginMove opens a slot for its way to another node, as a resharding does:
// from now on the old node sends who asks for a key that it lacks there (ASK).
func (c *Cluster) BeginMove(t testing.TB, slot, from, to int) {
	t.Helper()
	c.Do(t, to, "CLUSTER", "SETSLOT", slot, "IMPORTING", c.ids[from])
	c.Do(t, from, "CLUSTER", "SETSLOT", slot, "MIGRATING", c.ids[to])
}

// MoveKeys moves what is in the slot.
func (c *Cluster) MoveKeys(t testing.TB, slot, from, to int) {
	t.Helper()
	host, port, err := net.SplitHostPort(c.Nodes[to].Addr())
	if err != nil {
		t.Fatal(err)
	}
	for {
		keys := c.Do(t, from, "CLUSTER", "GETKEYSINSLOT", slot, 100).([]any)
		if len(keys) == 0 {
			return
		}
		c.Do(t, from, append([]any{"MIGRATE", host, port, "", 0, togetherLimit.Milliseconds(), "KEYS"}, keys...)...)
	}
}

// EndMove gives the slot to its new node: the old one says so from now on
// (MOVED).
func (c *Cluster) EndMove(t testing.TB, slot, from, to int) {
	t.Helper()
	c.Do(t, to, "CLUSTER", "SETSLOT", slot, "NODE", c.ids[to])
	c.Do(t, from, "CLUSTER", "SETSLOT", slot, "NODE", c.ids[to])
}

// Do sends a command to one node and returns its answer.
func (c *Cluster) Do(t testing.TB, node int, command ...any) any {
	t.Helper()
	answer, err := c.do(t.Context(), node, command...)
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

func (c *Cluster) do(ctx context.Context, node int, command ...any) (any, error) {
	client := redis.NewClient(&redis.Options{Addr: c.Nodes[node].Addr(), DialerRetries: 1})
	defer func() { _ = client.Close() }()
	answer, err := client.Do(ctx, command...).Result()
	if err != nil {
		return nil, fmt.Errorf("%v: %w", command, err)
	}
	return answer, nil
}

// together waits until ok.
func together(ctx context.Context, what string, ok func(context.Context) bool) error {
	ctx, cancel := context.WithTimeout(ctx, togetherLimit)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !ok(ctx) {
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for %s: %w", what, ctx.Err())
		case <-tick.C:
		}
	}
	return nil
}

// freePort returns a loopback port that is free now.
func freePort(ctx context.Context) (string, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp4", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("find free port: %w", err)
	}
	defer func() { _ = l.Close() }()
	_, port, err := net.SplitHostPort(l.Addr().String())
	return port, err
}
