package queue

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
	"go.opentelemetry.io/otel/trace"
)

// Mode is how Redis is run.
type Mode string

// The modes.
const (
	ModeSingle   Mode = "single"
	ModeSentinel Mode = "sentinel"
	ModeCluster  Mode = "cluster"
)

// longestStall bounds Config.StallAfter.
const longestStall = 24 * time.Hour

// Config says which Redis to use and how. Redis 6.2 or later, or Valkey.
type Config struct {
	// Addrs are host:port: the server's; the Sentinels'; some of the
	// cluster's nodes'. Required.
	Addrs []string

	// Mode is how Redis is run. Default: ModeSingle.
	Mode Mode

	// MasterName is the Sentinels' name for the master. Required with
	// ModeSentinel, not allowed otherwise.
	MasterName string

	// Username and Password are sent to the servers. Default: none.
	Username, Password string

	// SentinelPassword is sent to the Sentinels. Default: none.
	SentinelPassword string

	// DB is the database number; a cluster has only 0. Default: 0.
	DB int

	// TLS encrypts connections. Default: nil, no encryption.
	TLS *tls.Config

	// Prefix begins every key. Default: "hitl".
	Prefix string

	// StallAfter is how long a consumer may hold a review without saying so by
	// Hold before another one gets it too; at most 24 hours, by the clock of
	// Redis. All replicas should agree on it. Default: 10 seconds.
	StallAfter time.Duration

	// Waiters is how many calls of Next are to wait at the same time, which is
	// one for each queue of a service. Each has a connection for itself while it
	// waits, and with too few of them everybody else waits with it. Default: 8.
	Waiters int

	// Tracing records commands as OpenTelemetry spans, without their
	// arguments, where they belong to a trace that is recorded. Default:
	// nothing is recorded.
	Tracing trace.TracerProvider

	// Logger hears about rebuilds. Default: silence.
	Logger *slog.Logger
}

// withDefaults returns c with its zero fields filled in.
func (c Config) withDefaults() Config {
	if c.Mode == "" {
		c.Mode = ModeSingle
	}
	if c.Prefix == "" {
		c.Prefix = "hitl"
	}
	if c.StallAfter == 0 {
		c.StallAfter = 10 * time.Second
	}
	if c.Waiters == 0 {
		c.Waiters = 8
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

func (c Config) validate() error {
	var errs []error
	if len(c.Addrs) == 0 {
		errs = append(errs, errors.New("no address"))
	}
	switch c.Mode {
	case ModeSingle:
		if len(c.Addrs) > 1 {
			errs = append(errs, errors.New("a single server has one address"))
		}
	case ModeSentinel:
		if c.MasterName == "" {
			errs = append(errs, errors.New("sentinel mode needs the master's name"))
		}
	case ModeCluster:
		if c.DB != 0 {
			errs = append(errs, errors.New("a cluster has only database 0"))
		}
	default:
		errs = append(errs, fmt.Errorf("unknown mode %q", c.Mode))
	}
	if c.MasterName != "" && c.Mode != ModeSentinel {
		errs = append(errs, errors.New("only sentinel mode has a master's name"))
	}
	if strings.ContainsAny(c.Prefix, "{}") {
		errs = append(errs, fmt.Errorf("prefix %q would change the keys' hash tag", c.Prefix))
	}
	if c.StallAfter < time.Millisecond || c.StallAfter > longestStall {
		errs = append(errs, fmt.Errorf("stall time %v is not between 1ms and %v", c.StallAfter, longestStall))
	}
	if c.Waiters < 0 {
		errs = append(errs, fmt.Errorf("%d waiters are too few", c.Waiters))
	}
	return errors.Join(errs...)
}

// busyConns are the connections for what does not wait.
const busyConns = 20

func (c Config) options() *redis.UniversalOptions {
	return &redis.UniversalOptions{
		Addrs:            c.Addrs,
		IsClusterMode:    c.Mode == ModeCluster,
		MasterName:       c.MasterName,
		Username:         c.Username,
		Password:         c.Password,
		SentinelPassword: c.SentinelPassword,
		DB:               c.DB,
		TLSConfig:        c.TLS,
		ClientName:       "hitl",
		PoolSize:         c.Waiters + busyConns,

		ContextTimeoutEnabled: true,
		// Every command is tried again anyway; trying to connect five times in
		// each try makes an outage's errors slow and many.
		DialerRetries: 1,
		// A feature of one vendor's servers that others answer with an error.
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	}
}
