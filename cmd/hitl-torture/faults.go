package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"hitl/bot/slacksim"
)

// fault is one way in which things go wrong.
type fault struct {
	kind string
	// group: of the faults of one group, one is there at a time.
	group string
	// begin makes things go wrong, at most for the given time, and returns how they are mended. It is given its own source of chance.
	// Error: errNotNow.
	begin beginFault
	// longest and shortest are how long it lasts.
	shortest, longest time.Duration
}

// errNotNow says that a fault cannot happen now, since another one is there.
var errNotNow = errors.New("not now")

func nothing(context.Context) error { return nil }

// faults are all that we know of.
func faults() []fault {
	list := []fault{
		{"replica_kill", "replicas", killReplica, 100 * time.Millisecond, 2 * time.Second},
		{"replicas_kill_all", "replicas", killReplicas, 100 * time.Millisecond, 2 * time.Second},
		{"replica_stop", "replicas", stopReplica, 0, time.Second},
		{"replica_pause", "replicas", pauseReplica, 2 * time.Second, 8 * time.Second},
		{"postgres_kill", "postgres", outage(killPostgres), 200 * time.Millisecond, 4 * time.Second},
		{"redis_kill", "redis", killRedis, 200 * time.Millisecond, 4 * time.Second},
		{"redis_flush", "redis", flushRedis, 0, 0},
		{"sink_refuses", "sink", sinkFault(sinkRefuses), time.Second, 5 * time.Second},
		{"sink_hangs", "sink", sinkFault(sinkHangs), time.Second, 5 * time.Second},
		{"sink_fails_late", "sink", sinkFault(sinkFailsLate), time.Second, 5 * time.Second},
		{"slack_429", "slack", slackFault(slacksim.AnyMethod, slacksim.Fault{Times: -1, RetryAfter: 2 * time.Second}), time.Second, 4 * time.Second},
		{"slack_invalid_auth", "slack", badToken, time.Second, 5 * time.Second},
		{"slack_500_after_post", "slack", slackFault("chat.postMessage", slacksim.Fault{Times: 4, LoseReply: slacksim.LoseByStatus}), time.Second, 6 * time.Second},
		{"slack_lost_reply", "slack", slackFault("chat.postMessage", slacksim.Fault{Times: 4, LoseReply: slacksim.LoseByCut}), time.Second, 6 * time.Second},
		{"slack_late_history", "slack", lateHistory, 4 * time.Second, 10 * time.Second},
	}
	for _, where := range []string{"postgres", "redis", "slack", "front"} {
		off := cutOff(where)
		if where == "postgres" {
			off = outage(off)
		}
		list = append(list,
			fault{"cut_" + where, "cut " + where, cutOnce(where), 0, 0},
			fault{"cut_off_" + where, "cut " + where, off, 200 * time.Millisecond, 3 * time.Second})
	}
	return list
}

func killReplica(_ context.Context, w *world, rng *rand.Rand) (func(context.Context) error, error) {
	release := w.replicas[rng.IntN(len(w.replicas))].kill()
	return func(context.Context) error { release(); return nil }, nil
}

func killReplicas(_ context.Context, w *world, _ *rand.Rand) (func(context.Context) error, error) {
	var releases []func()
	for _, r := range w.replicas {
		releases = append(releases, r.kill())
	}
	return func(context.Context) error {
		for _, release := range releases {
			release()
		}
		return nil
	}, nil
}

// stopReplica tells a replica to stop, as a deployment does, and starts it again once it has.
func stopReplica(_ context.Context, w *world, rng *rand.Rand) (func(context.Context) error, error) {
	restart := w.replicas[rng.IntN(len(w.replicas))].tell()
	if restart == nil {
		return nil, errNotNow
	}
	return func(context.Context) error { restart(); return nil }, nil
}

// pauseReplica stops a replica where it stands. It wakes up in a world in which others may have taken over its work.
func pauseReplica(_ context.Context, w *world, rng *rand.Rand) (func(context.Context) error, error) {
	wake := w.replicas[rng.IntN(len(w.replicas))].pause()
	if wake == nil {
		return nil, errNotNow
	}
	return func(context.Context) error { wake(); return nil }, nil
}

type beginFault = func(context.Context, *world, *rand.Rand) (mend func(context.Context) error, err error)

// outage makes a fault that takes Postgres away also watch what the replicas say of themselves.
func outage(begin beginFault) beginFault {
	return func(ctx context.Context, w *world, rng *rand.Rand) (func(context.Context) error, error) {
		mend, err := begin(ctx, w, rng)
		if err != nil {
			return nil, err
		}
		over := w.health.outage(ctx, w.replicas, w.replicas[0].say)
		return func(ctx context.Context) error {
			over()
			return mend(ctx)
		}, nil
	}
}

func killPostgres(_ context.Context, w *world, _ *rand.Rand) (func(context.Context) error, error) {
	if err := w.postgres.Kill(); err != nil {
		return nil, fmt.Errorf("kill postgres: %w", err)
	}
	return w.postgres.Restart, nil
}

func killRedis(_ context.Context, w *world, _ *rand.Rand) (func(context.Context) error, error) {
	if err := w.redis.Kill(); err != nil {
		return nil, fmt.Errorf("kill redis: %w", err)
	}
	return w.redis.Restart, nil
}

func flushRedis(ctx context.Context, w *world, _ *rand.Rand) (func(context.Context) error, error) {
	if err := w.redisClient.FlushAll(ctx).Err(); err != nil {
		return nil, fmt.Errorf("empty redis: %w", err)
	}
	return nothing, nil
}

func sinkFault(m sinkMode) func(context.Context, *world, *rand.Rand) (func(context.Context) error, error) {
	return func(_ context.Context, w *world, _ *rand.Rand) (func(context.Context) error, error) {
		w.sink.set(m)
		return func(context.Context) error { w.sink.set(sinkTakes); return nil }, nil
	}
}

func slackFault(method string, f slacksim.Fault) func(context.Context, *world, *rand.Rand) (func(context.Context) error, error) {
	return func(_ context.Context, w *world, _ *rand.Rand) (func(context.Context) error, error) {
		if err := w.slack.sim.Fail(method, f); err != nil {
			return nil, err
		}
		return func(context.Context) error { w.slack.sim.Heal(); return nil }, nil
	}
}

// badToken makes Slack refuse the bot's token. The one of Socket Mode is another: for whoever meets that refused, a minute is soon enough to
// try again.
func badToken(_ context.Context, w *world, _ *rand.Rand) (func(context.Context) error, error) {
	err := errors.Join(w.slack.sim.Fail("apps.connections.open", slacksim.Fault{Times: -1, Delay: time.Millisecond}),
		w.slack.sim.Fail(slacksim.AnyMethod, slacksim.Fault{Times: -1, Error: "invalid_auth"}))
	if err != nil {
		return nil, err
	}
	return func(context.Context) error { w.slack.sim.Heal(); return nil }, nil
}

// lateHistory loses the answers of posts while the history does not show them yet: the hardest case for whoever posts.
func lateHistory(_ context.Context, w *world, _ *rand.Rand) (func(context.Context) error, error) {
	w.slack.setLate(10 * time.Second)
	if err := w.slack.sim.Fail("chat.postMessage", slacksim.Fault{Times: 3, LoseReply: slacksim.LoseByCut}); err != nil {
		return nil, err
	}
	return func(context.Context) error {
		w.slack.sim.Heal()
		w.slack.setLate(0)
		return nil
	}, nil
}

func cutOnce(where string) func(context.Context, *world, *rand.Rand) (func(context.Context) error, error) {
	return func(_ context.Context, w *world, _ *rand.Rand) (func(context.Context) error, error) {
		w.proxies[where].cut()
		return nothing, nil
	}
}

func cutOff(where string) func(context.Context, *world, *rand.Rand) (func(context.Context) error, error) {
	return func(_ context.Context, w *world, _ *rand.Rand) (func(context.Context) error, error) {
		p := w.proxies[where]
		p.setDown(true)
		return func(context.Context) error { p.setDown(false); return nil }, nil
	}
}
