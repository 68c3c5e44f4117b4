//go:build unix

package local

import (
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/redis/go-redis/v9"
)

// skipWithoutRedis leaves a test out where it needs a redis-server and there
// is none, and says so; with CI=true or HITL_REQUIRE_SERVERS=1 the test fails
// instead.
func skipWithoutRedis(t *testing.T) {
	t.Helper()
	if program, _ := findRedis(t.Context()); program == "" && os.Getenv("CI")+os.Getenv("HITL_REQUIRE_SERVERS") == "" {
		t.Skipf("NOT TESTED: %v", ErrNoRedis)
	}
}

func startRedis(t *testing.T, opts RedisOptions) *Redis {
	t.Helper()
	if opts.NoStandIn {
		skipWithoutRedis(t)
	}
	r, err := StartRedis(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, r) })
	return r
}

func connect(t *testing.T, r *Redis) *redis.Client {
	t.Helper()
	options, err := redis.ParseURL(r.URL())
	if err != nil {
		t.Fatal(err)
	}
	options.MaxRetries, options.DialerRetries = -1, 1 // the test knows when the server is down
	client := redis.NewClient(options)
	t.Cleanup(func() { _ = client.Close() })
	return client
}

func TestRedis(t *testing.T) {
	t.Parallel()
	kinds := map[string]struct {
		opts RedisOptions
		kind string
	}{
		"server":   {RedisOptions{NoStandIn: true}, "-server "},
		"stand-in": {RedisOptions{StandIn: true}, "stand-in"},
	}
	for name, tt := range kinds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := startRedis(t, tt.opts)
			if !strings.Contains(r.Kind(), tt.kind) {
				t.Errorf("kind is %q", r.Kind())
			}
			client := connect(t, r)
			if err := client.Set(t.Context(), "k", "v", 0).Err(); err != nil {
				t.Fatal(err)
			}
			stranger := redis.NewClient(&redis.Options{Addr: r.Addr()})
			defer func() { _ = stranger.Close() }()
			if err := stranger.Get(t.Context(), "k").Err(); err == nil || !strings.Contains(err.Error(), "NOAUTH") {
				t.Errorf("without a password: %v, want NOAUTH", err)
			}
			if err := r.Kill(); err != nil {
				t.Fatal(err)
			}
			if err := client.Ping(t.Context()).Err(); err == nil {
				t.Error("a killed server answers")
			}
			if err := r.Restart(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := client.Get(t.Context(), "k").Err(); !errors.Is(err, redis.Nil) {
				t.Errorf("a server without a folder kept its data: %v", err)
			}
			if err := r.Restart(t.Context()); err != nil {
				t.Fatal(err)
			}
			stop(t, r)
			stop(t, r)
			if err := r.Kill(); !errors.Is(err, ErrStopped) {
				t.Errorf("Kill after Stop: %v, want ErrStopped", err)
			}
			if err := r.Restart(t.Context()); !errors.Is(err, ErrStopped) {
				t.Errorf("Restart after Stop: %v, want ErrStopped", err)
			}
			if r.folder != nil {
				if _, err := os.Stat(r.folder.path); !errors.Is(err, os.ErrNotExist) {
					t.Errorf("temporary folder is still there: %v", err)
				}
			}
		})
	}
}

func TestRedisKeepsData(t *testing.T) {
	t.Parallel()
	dir := t.TempDir() + "/with space"
	r := startRedis(t, RedisOptions{Dir: dir, NoStandIn: true})
	if err := connect(t, r).Set(t.Context(), "k", "v", 0).Err(); err != nil {
		t.Fatal(err)
	}
	if _, err := StartRedis(t.Context(), RedisOptions{Dir: dir, NoStandIn: true}); !errors.Is(err, ErrInUse) {
		t.Errorf("second owner: %v, want ErrInUse", err)
	}
	stop(t, r)
	again := startRedis(t, RedisOptions{Dir: dir, NoStandIn: true})
	if got := connect(t, again).Get(t.Context(), "k").Val(); got != "v" {
		t.Errorf("kept %q, want v", got)
	}
}

func TestRedisPortTaken(t *testing.T) {
	t.Parallel()
	first := startRedis(t, RedisOptions{NoStandIn: true})
	second := startRedis(t, RedisOptions{NoStandIn: true})
	if err := second.proc.stop(t.Context(), syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	second.port = first.port
	if err := second.run(t.Context()); !errors.Is(err, errPortTaken) {
		t.Errorf("run on a taken port: %v, want errPortTaken", err)
	}
}

// Without programs on PATH there is the stand-in, or an error if declined.
func TestRedisMissing(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	if _, err := StartRedis(t.Context(), RedisOptions{NoStandIn: true}); !errors.Is(err, ErrNoRedis) {
		t.Errorf("got %v, want ErrNoRedis", err)
	}
	r := startRedis(t, RedisOptions{})
	if !strings.Contains(r.Kind(), "stand-in") {
		t.Errorf("kind is %q", r.Kind())
	}
}
