package queue

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9/logging"
	"go.uber.org/goleak"

	"hitl"
	"hitl/deploy/local"
	"hitl/deploy/local/localtest"
)

func TestMain(m *testing.M) {
	logging.Disable() // of go-redis: servers die here on purpose, and its lines would bury what failed
	goleak.VerifyTestMain(localtest.Wrap(m))
}

const support = "support"

// onAll runs a test on a real server, on a real cluster and on the stand-in,
// which `hitl demo` uses where there is no real one.
func onAll(t *testing.T, test func(t *testing.T, addr string)) {
	t.Parallel()
	t.Run("server", func(t *testing.T) {
		t.Parallel()
		test(t, localtest.Redis(t))
	})
	t.Run("cluster", func(t *testing.T) {
		t.Parallel()
		test(t, strings.Join(localtest.RedisCluster(t).Addrs(), ","))
	})
	t.Run("stand-in", func(t *testing.T) {
		t.Parallel()
		test(t, localtest.PrivateRedis(t, local.RedisOptions{StandIn: true, NoPassword: true}).Addr())
	})
}

// onPrivate is as onAll, with servers that the test may empty and kill.
func onPrivate(t *testing.T, test func(t *testing.T, server *local.Redis)) {
	t.Parallel()
	for name, opts := range map[string]local.RedisOptions{"server": {NoStandIn: true}, "stand-in": {StandIn: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, localtest.PrivateRedis(t, opts))
		})
	}
}

func open(t testing.TB, cfg Config) *Client {
	t.Helper()
	if cfg.Prefix == "" {
		cfg.Prefix = localtest.Prefix(t)
	}
	c, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// at is the configuration for a server, or for several of a cluster with commas between.
func at(addr string) Config {
	cfg := Config{Addrs: strings.Split(addr, ",")}
	if len(cfg.Addrs) > 1 {
		cfg.Mode = ModeCluster
	}
	return cfg
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func add(t testing.TB, c *Client, p hitl.Priority, ids ...string) {
	t.Helper()
	for _, id := range ids {
		must(t, c.Add(t.Context(), support, Entry{ReviewID: id, Priority: p}))
	}
}

func next(t testing.TB, c *Client, consumer string, limit int) []hitl.Delivery {
	t.Helper()
	taken, err := c.Next(t.Context(), support, consumer, limit, 0)
	must(t, err)
	return taken
}

// names are the ids of deliveries, with the attempts where they are not 1.
func names(taken []hitl.Delivery) []string {
	var ids []string
	for _, d := range taken {
		id := d.ReviewID
		if d.Attempts != 1 {
			id += fmt.Sprint("#", d.Attempts)
		}
		ids = append(ids, id)
	}
	return ids
}

// want compares in order; nil and empty are the same.
func want(t testing.TB, what string, got []string, wanted ...string) {
	t.Helper()
	if !slices.Equal(got, wanted) {
		t.Errorf("%s: got %v, want %v", what, got, wanted)
	}
}

// await polls until ok: other goroutines are at work.
func await(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(); {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
		time.Sleep(time.Millisecond)
	}
}

// ledger is a stand-in for Postgres.
type ledger struct {
	mu      sync.Mutex
	reviews map[string]hitl.Priority
	err     error
	asked   int
	during  func() // called in every query, before it answers
}

// newLedger returns a ledger with normal reviews.
func newLedger(ids ...string) *ledger {
	l := &ledger{reviews: map[string]hitl.Priority{}}
	for _, id := range ids {
		l.reviews[id] = hitl.PriorityNormal
	}
	return l
}

func (l *ledger) OpenReviews(_ context.Context, _, after string, limit int) ([]hitl.Review, error) {
	l.mu.Lock()
	l.asked++
	var found []hitl.Review
	for id, p := range l.reviews {
		if id > after {
			found = append(found, hitl.Review{ID: id, Priority: p})
		}
	}
	err, during := l.err, l.during
	l.mu.Unlock()
	if during != nil {
		during()
	}
	slices.SortFunc(found, func(a, b hitl.Review) int { return cmp.Compare(a.ID, b.ID) })
	return found[:min(limit, len(found))], err
}

func (l *ledger) change(f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f()
}
