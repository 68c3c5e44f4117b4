package localtest

import (
	"context"
	"errors"
	"testing"

	"hitl/deploy/local"
)

// Redis returns the host:port of the test binary's server, which asks for no
// password, starting it on first use. Tests share it and must neither flush
// nor stop it; keys and queue names belong under Prefix.
func Redis(t testing.TB) string {
	t.Helper()
	shared.mu.Lock()
	defer shared.mu.Unlock()
	if shared.redis == nil {
		err := shared.start("Redis", func(ctx context.Context) (err error) {
			shared.redis, err = local.StartRedis(ctx, local.RedisOptions{NoPassword: true, NoStandIn: serversRequired()})
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return shared.redis.Addr()
}

// Prefix returns a name of lower-case letters, digits and underscores that
// belongs to this call alone, for keys, queues and the like.
func Prefix(t testing.TB) string {
	t.Helper()
	return unique(t)
}

// PrivateRedis returns a server of this test's own, to be flushed, killed and
// restarted at will; it is stopped when the test ends. A test that must not
// have the stand-in is skipped where there is no redis-server, and says so;
// where servers are required it fails.
func PrivateRedis(t testing.TB, opts local.RedisOptions) *local.Redis {
	t.Helper()
	opts.NoStandIn = opts.NoStandIn || serversRequired() && !opts.StandIn
	r, err := local.StartRedis(t.Context(), opts)
	if errors.Is(err, local.ErrNoRedis) && !serversRequired() {
		t.Skipf("NOT TESTED: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Stop(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	return r
}
