package queue

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/extra/redisotel/v9"
	"github.com/redis/go-redis/v9"

	"hitl"
)

// ErrLost says that the index is not known to be complete and must be
// rebuilt.
var ErrLost = errors.New("queue's index was lost")

// group is the consumer group that every consumer belongs to.
const group = "cards"

// Entry is a review that waits.
type Entry struct {
	ReviewID string
	Priority hitl.Priority
}

// Client reads and writes queues. It is safe for concurrent use. A queue
// comes into being when it is first used; its name is any text without
// braces.
type Client struct {
	cfg Config
	rdb redis.UniversalClient

	gatherings sync.Map // by queue: *together
}

// openPatience is how long Open waits for Redis to answer.
const openPatience = 5 * time.Second

// Open connects to Redis. It returns an error when cfg is wrong or Redis
// refuses it. A Redis that does not answer is logged and no error: reviews
// wait in Postgres meanwhile, and every call tries to connect again.
func Open(ctx context.Context, cfg Config) (*Client, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("configure queue: %w", err)
	}
	c := &Client{cfg: cfg, rdb: redis.NewUniversalClient(cfg.options())}
	if cfg.Tracing != nil {
		err := redisotel.InstrumentTracing(c.rdb, redisotel.WithTracerProvider(childrenOnly{cfg.Tracing}), redisotel.WithDBStatement(false),
			redisotel.WithCallerEnabled(false), redisotel.WithDialFilter(true))
		if err != nil {
			return nil, errors.Join(fmt.Errorf("trace redis: %w", err), c.Close())
		}
	}
	patient, cancel := context.WithTimeout(ctx, openPatience)
	defer cancel()
	err := c.Ready(patient)
	switch {
	case err == nil:
	case ctx.Err() != nil || refused(err):
		return nil, errors.Join(err, c.Close())
	default:
		c.cfg.Logger.WarnContext(ctx, "redis does not answer yet", "addresses", c.cfg.Addrs, "error", err)
	}
	return c, nil
}

// refused says whether waiting will not help: Redis answered, and not that it
// is loading its data or has lost its master, or it is not the server that we
// want.
func refused(err error) bool {
	if _, ok := errors.AsType[redis.Error](err); ok {
		for _, passing := range []string{"LOADING ", "CLUSTERDOWN ", "MASTERDOWN ", "TRYAGAIN ", "BUSY "} {
			if redis.HasErrorPrefix(err, passing) {
				return false
			}
		}
		return true
	}
	var cert *tls.CertificateVerificationError
	var header tls.RecordHeaderError
	return errors.As(err, &cert) || errors.As(err, &header)
}

// Close gives the connections up. Calls under way fail.
func (c *Client) Close() error {
	if err := c.rdb.Close(); err != nil {
		return fmt.Errorf("close queue: %w", err)
	}
	return nil
}

// Ready returns an error when Redis does not answer.
func (c *Client) Ready(ctx context.Context) error {
	if err := c.rdb.Ping(ctx).Err(); err != nil {
		return fmt.Errorf("reach redis: %w", err)
	}
	return nil
}

// Positions in what keys returns. Scripts count from 1, so that KEYS[3+n] is
// the stream of the n-th priority.
const (
	keyIndex = iota
	keyBegun
	keyEpoch
	keyStreams
)

// keys are the names that every script of a queue is given, in this order:
// index, begun, epoch, and the streams, the most urgent first.
func (c *Client) keys(queue string) ([]string, error) {
	if queue == "" || strings.ContainsAny(queue, "{}") {
		return nil, fmt.Errorf("queue name %q is empty or has braces", queue)
	}
	base := c.cfg.Prefix + ":{" + queue + "}:"
	keys := []string{base + "index", base + "begun", base + "epoch"}
	for _, p := range hitl.Priorities() {
		keys = append(keys, base+string(p))
	}
	return keys, nil
}

// leaseKey is where reconcilers take turns.
func (c *Client) leaseKey(queue string) string { return c.cfg.Prefix + ":{" + queue + "}:lease" }

// rank is a priority's number in the scripts: 1 for the most urgent.
func rank(p hitl.Priority) (int, error) {
	for i, known := range hitl.Priorities() {
		if p == known {
			return i + 1, nil
		}
	}
	return 0, fmt.Errorf("unknown priority %q", p)
}

// Epoch returns the number of the last completed rebuild, or ErrLost when the
// index must be rebuilt.
func (c *Client) Epoch(ctx context.Context, queue string) (int64, error) {
	keys, err := c.keys(queue)
	if err != nil {
		return 0, err
	}
	epoch, err := c.rdb.Get(ctx, keys[keyEpoch]).Int64()
	if errors.Is(err, redis.Nil) {
		return 0, fmt.Errorf("queue %q: %w", queue, ErrLost)
	}
	if err != nil {
		return 0, fmt.Errorf("read epoch of queue %q: %w", queue, err)
	}
	return epoch, nil
}
