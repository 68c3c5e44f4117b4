package queue

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"hitl"
)

// Depth is how full one priority of a queue is.
type Depth struct {
	Priority hitl.Priority `json:"priority"`
	Len      int64         `json:"len"`       // reviews, held ones included
	Held     int64         `json:"held"`      // reviews that a consumer holds
	Oldest   time.Duration `json:"oldest_ns"` // since the first of them was added here; 0 without any
}

// Waiting is a review in a queue.
type Waiting struct {
	ReviewID string        `json:"review"`
	Priority hitl.Priority `json:"priority"`
	Added    time.Time     `json:"added"`       // when it was added here; a rebuild after a loss adds anew
	Consumer string        `json:"consumer"`    // who holds it, "released" after Release, "" when it was not delivered yet
	Attempts int           `json:"attempts"`    // deliveries so far
	HeldFor  time.Duration `json:"held_for_ns"` // since its last delivery; 0 when it was not delivered yet or was released
}

// Len returns how many reviews are in a queue, held ones included.
func (c *Client) Len(ctx context.Context, queue string) (int64, error) {
	keys, err := c.keys(queue)
	if err != nil {
		return 0, err
	}
	n, err := c.rdb.HLen(ctx, keys[keyIndex]).Result()
	if err != nil {
		return 0, fmt.Errorf("count queue %q: %w", queue, err)
	}
	return n, nil
}

// Has reports whether a review is in a queue.
func (c *Client) Has(ctx context.Context, queue, reviewID string) (bool, error) {
	keys, err := c.keys(queue)
	if err != nil {
		return false, err
	}
	has, err := c.rdb.HExists(ctx, keys[keyIndex], reviewID).Result()
	if err != nil {
		return false, fmt.Errorf("look for review in queue %q: %w", queue, err)
	}
	return has, nil
}

// Depths returns how full each priority is, the most urgent first. Ages are
// by the clock of Redis.
func (c *Client) Depths(ctx context.Context, queue string) ([]Depth, error) {
	keys, err := c.keys(queue)
	if err != nil {
		return nil, err
	}
	streams := keys[keyStreams:]
	lens := make([]*redis.IntCmd, len(streams))
	held := make([]*redis.XPendingCmd, len(streams))
	first := make([]*redis.XMessageSliceCmd, len(streams))
	pipe := c.rdb.Pipeline()
	for i, key := range streams {
		lens[i] = pipe.XLen(ctx, key)
		held[i] = pipe.XPending(ctx, key, group)
		first[i] = pipe.XRangeN(ctx, key, "-", "+", 1)
	}
	_, _ = pipe.Exec(ctx) // each command is asked for its own error
	now, err := c.now(ctx)
	if err != nil {
		return nil, fmt.Errorf("measure queue %q: %w", queue, err)
	}
	depths := make([]Depth, len(streams))
	for i, p := range hitl.Priorities() {
		if err := errors.Join(lens[i].Err(), unlessNoGroup(held[i].Err()), first[i].Err()); err != nil {
			return nil, fmt.Errorf("measure queue %q: %w", queue, err)
		}
		depths[i] = Depth{Priority: p, Len: lens[i].Val()}
		if pending := held[i].Val(); pending != nil {
			depths[i].Held = pending.Count
		}
		if entries := first[i].Val(); len(entries) > 0 {
			depths[i].Oldest = max(0, now.Sub(addedAt(entries[0].ID)))
		}
	}
	return depths, nil
}

// List returns reviews in the order in which they are delivered, limit at
// most.
func (c *Client) List(ctx context.Context, queue string, limit int) ([]Waiting, error) {
	keys, err := c.keys(queue)
	if err != nil {
		return nil, err
	}
	var list []Waiting
	for i, p := range hitl.Priorities() {
		if len(list) >= limit {
			break
		}
		part, err := c.listStream(ctx, keys[keyStreams+i], int64(limit-len(list)))
		if err != nil {
			return nil, fmt.Errorf("list queue %q: %w", queue, err)
		}
		for _, w := range part {
			w.Priority = p
			list = append(list, w)
		}
	}
	return list, nil
}

func (c *Client) listStream(ctx context.Context, key string, limit int64) ([]Waiting, error) {
	entries, err := c.rdb.XRangeN(ctx, key, "-", "+", limit).Result()
	if err != nil || len(entries) == 0 {
		return nil, err
	}
	pending, err := c.rdb.XPendingExt(ctx, &redis.XPendingExtArgs{
		Stream: key, Group: group, Start: entries[0].ID, End: entries[len(entries)-1].ID, Count: limit,
	}).Result()
	if err := unlessNoGroup(err); err != nil {
		return nil, err
	}
	holder := make(map[string]redis.XPendingExt, len(pending))
	for _, p := range pending {
		holder[p.ID] = p
	}
	list := make([]Waiting, 0, len(entries))
	for _, e := range entries {
		review, _ := e.Values["review"].(string)
		w := Waiting{ReviewID: review, Added: addedAt(e.ID)}
		if h, ok := holder[e.ID]; ok {
			w.Consumer, w.Attempts = h.Consumer, int(h.RetryCount)
			if h.Idle <= longestStall*2 { // a released one has been idle since 1970
				w.HeldFor = h.Idle
			}
		}
		list = append(list, w)
	}
	return list, nil
}

func (c *Client) now(ctx context.Context) (time.Time, error) {
	now, err := c.rdb.Time(ctx).Result()
	if err != nil {
		return time.Time{}, fmt.Errorf("read clock of redis: %w", err)
	}
	return now, nil
}

// addedAt reads the time from a stream entry's id.
func addedAt(id string) time.Time {
	ms, _, _ := strings.Cut(id, "-")
	n, err := strconv.ParseInt(ms, 10, 64)
	if err != nil {
		return time.Time{}
	}
	return time.UnixMilli(n).UTC()
}

// unlessNoGroup forgives a stream without the group: nobody has taken from it
// yet.
func unlessNoGroup(err error) error {
	if errors.Is(err, redis.Nil) || redis.HasErrorPrefix(err, "NOGROUP") {
		return nil
	}
	return err
}
