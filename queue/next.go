package queue

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"hitl"
)

// patience is the longest wait for news from Redis in one request. Nothing
// announces that a held review was released or has stalled, and a request
// that waits does not notice that its context is over.
const patience = 500 * time.Millisecond

// takeScript delivers reviews to a consumer, the most urgent first and among
// those of one priority the stalled ones first, which are the oldest.
//
// KEYS: see Client.keys.
// ARGV: group; consumer; limit; time in ms after which a held review stalls.
// Returns the deliveries, each as {rank, review, deliveries so far}, and the
// id of each stream's last entry, after which news can be waited for.
//
// A stream without its group is new: the group is made to begin at its first
// entry. Entries that the index does not point to are dropped.
var takeScript = redis.NewScript(`
local group, consumer, limit, stall = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4]
local taken, tails = {}, {}

local function offer(rank, entry, attempts)
  local id, review = entry[1], entry[2][2]
  local at = redis.call('HGET', KEYS[1], review)
  if at and string.match(at, '^(%d+ %S+) ') == rank .. ' ' .. id then
    taken[#taken + 1] = {rank, review, attempts}
  else
    redis.call('XACK', KEYS[3 + rank], group, id)
    redis.call('XDEL', KEYS[3 + rank], id)
  end
end

local function take(rank, key)
  local cursor = '0-0'
  repeat
    local claimed = redis.pcall('XAUTOCLAIM', key, group, consumer, stall, cursor, 'COUNT', limit - #taken)
    if claimed.err then
      if not string.find(claimed.err, 'NOGROUP', 1, true) then return claimed end
      redis.call('XGROUP', 'CREATE', key, group, '0')
      claimed = {'0-0', {}}
    end
    cursor = claimed[1]
    for _, entry in ipairs(claimed[2]) do
      if entry then
        local pending = redis.call('XPENDING', key, group, entry[1], entry[1], 1)
        offer(rank, entry, pending[1][4])
      end
    end
  until cursor == '0-0' or #taken >= limit
  while #taken < limit do
    local read = redis.call('XREADGROUP', 'GROUP', group, consumer, 'COUNT', limit - #taken, 'STREAMS', key, '>')
    if not read or #read == 0 then return nil end
    for _, entry in ipairs(read[1][2]) do offer(rank, entry, 1) end
  end
end

for rank = 1, #KEYS - 3 do
  local key = KEYS[3 + rank]
  if #taken < limit and redis.call('EXISTS', key) == 1 then
    local failure = take(rank, key)
    if failure then return failure end
  end
  local last = redis.call('XREVRANGE', key, '+', '-', 'COUNT', 1)
  tails[rank] = last[1] and last[1][1] or '0-0'
end
return {taken, tails}`)

// Next takes up to limit reviews for a consumer: urgent before normal before
// sample, and the longest waiting first. When there are none it waits for
// one, at most for block. None is no error.
//
// A review that was taken is held by its consumer until Done or Release, or
// until Config.StallAfter has passed since this or the last Hold, when anybody
// may get it again; then
// Attempts is more than 1. The consumer's name tells replicas apart in List;
// one name may be used by several callers.
func (c *Client) Next(ctx context.Context, queue, consumer string, limit int, block time.Duration) ([]hitl.Delivery, error) {
	keys, err := c.keys(queue)
	if err != nil {
		return nil, err
	}
	if consumer == "" || limit < 1 {
		return nil, fmt.Errorf("take from queue %q: consumer %q or limit %d is not possible", queue, consumer, limit)
	}
	deadline := time.Now().Add(block)
	for {
		taken, tails, err := c.take(ctx, queue, keys, consumer, limit)
		if err != nil {
			return nil, fmt.Errorf("take from queue %q: %w", queue, err)
		}
		wait := min(time.Until(deadline), patience)
		if len(taken) > 0 || wait < time.Millisecond {
			return taken, nil
		}
		if err := c.await(ctx, keys, tails, wait); err != nil {
			return nil, fmt.Errorf("wait for queue %q: %w", queue, err)
		}
	}
}

func (c *Client) take(ctx context.Context, queue string, keys []string, consumer string, limit int) ([]hitl.Delivery, []string, error) {
	reply, err := takeScript.Run(ctx, c.rdb, keys, group, consumer, limit, c.cfg.StallAfter.Milliseconds()).Slice()
	if err != nil {
		return nil, nil, err
	}
	malformed := fmt.Errorf("redis answers %v", reply)
	if len(reply) != 2 {
		return nil, nil, malformed
	}
	entries, ok := reply[0].([]any)
	last, okLast := reply[1].([]any)
	if !ok || !okLast || len(last) != len(keys)-keyStreams {
		return nil, nil, malformed
	}
	var taken []hitl.Delivery
	for _, entry := range entries {
		fields, ok := entry.([]any)
		if !ok || len(fields) != 3 {
			return nil, nil, malformed
		}
		rank, okRank := fields[0].(int64)
		review, okReview := fields[1].(string)
		attempts, okAttempts := fields[2].(int64)
		if !okRank || !okReview || !okAttempts || rank < 1 || int(rank) > len(hitl.Priorities()) {
			return nil, nil, malformed
		}
		taken = append(taken, hitl.Delivery{
			ReviewID: review, Queue: queue, Priority: hitl.Priorities()[rank-1], Attempts: int(attempts),
		})
	}
	tails := make([]string, len(last))
	for i, id := range last {
		if tails[i], ok = id.(string); !ok {
			return nil, nil, malformed
		}
	}
	return taken, tails, nil
}

// await returns when a stream has an entry after its tail, or wait is over.
// It takes nothing, so that the order between the streams is the script's.
func (c *Client) await(ctx context.Context, keys, tails []string, wait time.Duration) error {
	streams := append(append([]string{}, keys[keyStreams:]...), tails...)
	err := c.rdb.XRead(ctx, &redis.XReadArgs{Streams: streams, Count: 1, Block: wait}).Err()
	if errors.Is(err, redis.Nil) {
		err = nil
	}
	if deadline, ok := ctx.Deadline(); ok && !time.Now().Before(deadline) {
		// The connection's own timer may be a moment ahead of the context's.
		return errors.Join(context.DeadlineExceeded, err)
	}
	return errors.Join(ctx.Err(), err)
}
