package queue

import (
	"context"
	"fmt"

	"github.com/redis/go-redis/v9"
)

// dropScript removes reviews from the queue.
//
// KEYS: see Client.keys.
// ARGV: group; "" or an epoch, to pass over reviews of that one or a later
// one; then the reviews' ids.
// Returns how many reviews were removed.
//
// An entry that belongs to another review stays: see addScript.
var dropScript = redis.NewScript(`
local group, epoch = ARGV[1], tonumber(ARGV[2])
local dropped = 0
for i = 3, #ARGV do
  local at = redis.call('HGET', KEYS[1], ARGV[i])
  if at then
    local rank, id, e = string.match(at, '^(%d+) (%S+) (%d+)$')
    if not epoch or tonumber(e) < epoch then
      local key = KEYS[3 + tonumber(rank)]
      local entry = redis.call('XRANGE', key, id, id)[1]
      if not entry or entry[2][2] == ARGV[i] then
        redis.call('XACK', key, group, id)
        redis.call('XDEL', key, id)
      end
      redis.call('HDEL', KEYS[1], ARGV[i])
      dropped = dropped + 1
    end
  end
end
return dropped`)

// releaseScript gives reviews back whose consumer does not want them now.
//
// KEYS: see Client.keys.
// ARGV: group; then the reviews' ids.
// Returns how many reviews were held.
//
// The entry keeps its place: it is made to look as if it had been delivered
// at the beginning of time, so that it has stalled and is next in line.
var releaseScript = redis.NewScript(`
local released = 0
for i = 2, #ARGV do
  local at = redis.call('HGET', KEYS[1], ARGV[i])
  if at then
    local rank, id = string.match(at, '^(%d+) (%S+) ')
    local key = KEYS[3 + tonumber(rank)]
    local pending = redis.pcall('XPENDING', key, ARGV[1], id, id, 1)
    if pending.err then
      if not string.find(pending.err, 'NOGROUP', 1, true) then return pending end
    elseif pending[1] then
      redis.call('XCLAIM', key, ARGV[1], 'released', 0, id, 'TIME', 1, 'RETRYCOUNT', pending[1][4], 'JUSTID')
      released = released + 1
    end
  end
end
return released`)

// Done drops reviews that need no card any more, whether they are held or
// still wait: one got its card, another was decided elsewhere. Reviews that
// are not in the queue are no error.
func (c *Client) Done(ctx context.Context, queue string, reviewIDs ...string) error {
	_, err := c.drop(ctx, queue, "", reviewIDs)
	return err
}

// drop returns how many reviews it removed. Epoch is "" except in a rebuild.
func (c *Client) drop(ctx context.Context, queue, epoch string, reviewIDs []string) (int, error) {
	dropped, err := c.each(ctx, dropScript, queue, []any{group, epoch}, reviewIDs)
	if err != nil {
		return dropped, fmt.Errorf("drop from queue %q: %w", queue, err)
	}
	return dropped, nil
}

// Release gives held reviews back, to be delivered again before those that
// came after them. Reviews that nobody holds are left alone. A consumer that
// waits in Next sees a released review within half a second.
func (c *Client) Release(ctx context.Context, queue string, reviewIDs ...string) error {
	if _, err := c.each(ctx, releaseScript, queue, []any{group}, reviewIDs); err != nil {
		return fmt.Errorf("release to queue %q: %w", queue, err)
	}
	return nil
}

// each runs a script on reviews, batch by batch, and returns the sum of what
// it returns.
func (c *Client) each(ctx context.Context, script *redis.Script, queue string, args []any, reviewIDs []string) (int, error) {
	keys, err := c.keys(queue)
	if err != nil {
		return 0, err
	}
	sum := 0
	for len(reviewIDs) > 0 {
		n := min(batch, len(reviewIDs))
		all := append([]any{}, args...)
		for _, id := range reviewIDs[:n] {
			all = append(all, id)
		}
		count, err := script.Run(ctx, c.rdb, keys, all...).Int()
		if err != nil {
			return sum, err
		}
		sum += count
		reviewIDs = reviewIDs[n:]
	}
	return sum, nil
}
