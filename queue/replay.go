package queue

import (
	"context"
	"fmt"
	"time"

	"hitl"
)

// First says whether a key is given to any client with this prefix for the
// first time within ttl. It holds for as long as Redis keeps its data. A reply
// that was lost and asked for again is no repetition: what is stored under the
// key names the call.
func (c *Client) First(ctx context.Context, key string, ttl time.Duration) (bool, error) {
	name, call := c.cfg.Prefix+":once:"+key, hitl.NewID("call", time.Now())
	pipe := c.rdb.Pipeline()
	pipe.SetNX(ctx, name, call, ttl)
	stored := pipe.Get(ctx, name)
	if _, err := pipe.Exec(ctx); err != nil {
		return false, fmt.Errorf("remember key: %w", err)
	}
	return stored.Val() == call, nil
}
