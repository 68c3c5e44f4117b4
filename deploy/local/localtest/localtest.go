// Package localtest gives tests real servers: one private PostgreSQL and one
// private Redis per test binary, started when the first test asks for them
// and stopped after the last.
//
// Give the package's TestMain one of these two lines, so that the servers
// are stopped and their folders removed at the end:
//
//	func TestMain(m *testing.M) { localtest.Main(m) }
//	func TestMain(m *testing.M) { goleak.VerifyTestMain(localtest.Wrap(m)) }
//
// Then each test takes what it needs:
//
//	dsn := localtest.Database(t)                             // empty
//	dsn := localtest.DatabaseFrom(t, "audit", audit.Migrate) // migrated
//	addr, prefix := localtest.Redis(t), localtest.Prefix(t)
//	addrs := localtest.RedisCluster(t).Addrs()
//
// Postgres that is not installed is fetched; Redis that is not installed is
// replaced by an in-process stand-in. The few tests that neither can serve,
// and those of pages in a browser and of Slack's own software that are not
// there, are left out and say what to install. With CI=true or HITL_REQUIRE_SERVERS=1 in the environment
// nothing is replaced or left out: what is missing fails the test.
package localtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"hitl/deploy/local"
)

// startLimit allows for a download of PostgreSQL.
const startLimit = 10 * time.Minute

// servers are the test binary's own. They are the one thing that tests of a
// package share, so they live outside of any test.
type servers struct {
	mu       sync.Mutex
	postgres *local.Postgres
	redis    *local.Redis
	cluster  *Cluster
	failed   map[string]error // the first failure to start is everybody's
	names    int              // names given out so far
	template map[string]*template
}

var shared servers

// Main runs the tests, stops the servers and exits.
func Main(m *testing.M) { os.Exit(Wrap(m).Run()) }

// Runner is a testing.M whose Run also stops the servers.
type Runner struct{ m *testing.M }

// Wrap returns m with the servers' end built in, for goleak.VerifyTestMain.
func Wrap(m *testing.M) Runner { return Runner{m} }

// Run runs the tests, stops the servers and returns the exit code: not zero
// if a server could not be stopped.
func (r Runner) Run() int {
	code := r.m.Run()
	if err := shared.stop(); err != nil {
		fmt.Fprintln(os.Stderr, "localtest: stop servers:", err)
		return max(code, 1)
	}
	return code
}

func (s *servers) stop() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	var errs []error
	if s.postgres != nil {
		errs = append(errs, s.postgres.Stop(ctx))
	}
	if s.redis != nil {
		errs = append(errs, s.redis.Stop(ctx))
	}
	if s.cluster != nil {
		errs = append(errs, s.cluster.stop(ctx))
	}
	s.postgres, s.redis, s.cluster = nil, nil, nil
	return errors.Join(errs...)
}

// start runs begin once for the whole binary and remembers its failure. The
// server's life is the binary's, so no test's context bounds it.
func (s *servers) start(what string, begin func(context.Context) error) error {
	if err := s.failed[what]; err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), startLimit)
	defer cancel()
	if err := begin(ctx); err != nil {
		err = fmt.Errorf("start %s: %w", what, err)
		if s.failed == nil {
			s.failed = make(map[string]error)
		}
		s.failed[what] = err
		return err
	}
	return nil
}

// serversRequired reports whether a stand-in would hide something.
func serversRequired() bool {
	for _, name := range []string{"CI", "HITL_REQUIRE_SERVERS"} {
		if required, err := strconv.ParseBool(os.Getenv(name)); err == nil && required {
			return true
		}
	}
	return false
}

// unique returns a name that no other call in this binary gets: the test's
// own, reduced to letters and digits, and a number. At most 50 bytes.
func unique(t testing.TB) string {
	shared.mu.Lock()
	shared.names++
	n := shared.names
	shared.mu.Unlock()
	name := strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z', '0' <= r && r <= '9':
			return r
		case 'A' <= r && r <= 'Z':
			return r - 'A' + 'a'
		default:
			return '_'
		}
	}, t.Name())
	return name[:min(len(name), 40)] + "_" + strconv.Itoa(n)
}
