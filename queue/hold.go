package queue

import (
	"context"
	"fmt"

	"github.com/redis/go-redis/v9"
)

// holdScript makes a consumer's reviews look as if they had been delivered
// just now.
//
// KEYS: see Client.keys.
// ARGV: group; consumer; then the reviews' ids.
// Returns how many of them the consumer holds.
//
// What another consumer holds by now is left to it.
var holdScript = redis.NewScript(`
local held = 0
for i = 3, #ARGV do
  local at = redis.call('HGET', KEYS[1], ARGV[i])
  if at then
    local rank, id = string.match(at, '^(%d+) (%S+) ')
    local key = KEYS[3 + tonumber(rank)]
    local pending = redis.pcall('XPENDING', key, ARGV[1], id, id, 1)
    if pending.err then
      if not string.find(pending.err, 'NOGROUP', 1, true) then return pending end
    elseif pending[1] and pending[1][2] == ARGV[2] then
      redis.call('XCLAIM', key, ARGV[1], ARGV[2], 0, id, 'RETRYCOUNT', pending[1][4], 'JUSTID')
      held = held + 1
    end
  end
end
return held`)

// Hold keeps reviews that a consumer has taken from stalling, for another
// Config.StallAfter. Reviews that it does not hold, or not any more, are
// left alone.
func (c *Client) Hold(ctx context.Context, queue, consumer string, reviewIDs ...string) error {
	if _, err := c.each(ctx, holdScript, queue, []any{group, consumer}, reviewIDs); err != nil {
		return fmt.Errorf("hold in queue %q: %w", queue, err)
	}
	return nil
}
