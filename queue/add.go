package queue

import (
	"context"
	"fmt"

	"github.com/redis/go-redis/v9"
)

// batch bounds the reviews that one script call works on: Redis serves
// nobody else meanwhile.
const batch = 250

// addScript puts reviews into their streams and the index.
//
// KEYS: see Client.keys.
// ARGV: group; epoch of a rebuild, or "" for that of the last one begun;
// "any", or "known" to pass over reviews that are not in the queue; then for
// each review its id and its priority's rank.
// Returns how many of the reviews were not in the queue before, and how many
// were.
//
// A review whose entry is there, with the same priority, stays where it is
// and at most gains the epoch. So does one that was preferred to others of
// its priority (see hitl.Desk.Prefer) and has been delivered: whoever has it
// must not lose it, and whoever takes it over from them gets it as soon as
// ever. Whether the entry is there is looked up in the
// stream, for a Redis that is short of memory may have evicted it; a stream
// that began anew in the same millisecond has the same ids for others. The
// index is read and written once for all; a script that fails between leaves
// entries that nothing points to, which is harmless.
var addScript = redis.NewScript(`
local group, mark, which = ARGV[1], ARGV[2], ARGV[3]
if mark == '' then mark = redis.call('GET', KEYS[2]) or '0' end
local epoch = tonumber(mark)
local added, known = 0, 0
local reviews, places, changes, n = {}, {}, {}, 0
for i = 4, #ARGV, 2 do reviews[i / 2 - 1] = ARGV[i] end
for i, at in ipairs(redis.call('HMGET', KEYS[1], unpack(reviews))) do places[reviews[i]] = at end

local function delivered(key, id)
  local pending = redis.pcall('XPENDING', key, group, id, id, 1) -- an error: the stream has no group, since nothing was taken from it yet
  return not pending.err and pending[1] ~= nil
end

local function place(review, rank, id)
  local at = rank .. ' ' .. id .. ' ' .. mark
  places[review] = at
  changes[n + 1], changes[n + 2] = review, at
  n = n + 2
end

for i, review in ipairs(reviews) do
  local rank = ARGV[2 * i + 3]
  local at = places[review]
  local stays = false
  if at then
    known = known + 1
    local r, id, e = string.match(at, '^(%d+) (%S+) (%d+)$')
    local own = redis.call('XRANGE', KEYS[3 + r], id, id)[1]
    own = own and own[2][2] == review
    if own and (r == rank or tonumber(r) < tonumber(rank) and delivered(KEYS[3 + r], id)) then
      stays = true
      if tonumber(e) < epoch then place(review, r, id) end
    elseif own then
      redis.call('XACK', KEYS[3 + r], group, id)
      redis.call('XDEL', KEYS[3 + r], id)
    end
  end
  if not stays and (at or which == 'any') then
    place(review, rank, redis.call('XADD', KEYS[3 + rank], '*', 'review', review, 'epoch', mark))
    if not at then added = added + 1 end
  end
end
if n > 0 then redis.call('HSET', KEYS[1], unpack(changes)) end
return {added, known}`)

// Add makes reviews wait, in the given order among those of one priority. A
// review that waits already keeps its place; with another priority than
// before it goes to the end of that one. Reviews are added in batches: after
// an error some may have been added, and adding all of them again is right.
func (c *Client) Add(ctx context.Context, queue string, entries ...Entry) error {
	_, err := c.add(ctx, queue, "", "any", entries)
	return err
}

// Promote moves a review to the end of another priority and reports whether
// it was in the queue. A review that is not is left alone.
func (c *Client) Promote(ctx context.Context, queue string, entry Entry) (bool, error) {
	n, err := c.add(ctx, queue, "", "known", []Entry{entry})
	return n.known > 0, err
}

// addition counts reviews that were added, and those that were there already.
type addition struct{ added, known int }

// add does Add's and Promote's work. Epoch is "" except in a rebuild; which
// is "any" or "known".
func (c *Client) add(ctx context.Context, queue, epoch, which string, entries []Entry) (addition, error) {
	var sum addition
	keys, err := c.keys(queue)
	if err != nil {
		return sum, err
	}
	for len(entries) > 0 {
		n := min(batch, len(entries))
		args := make([]any, 0, 3+2*n)
		args = append(args, group, epoch, which)
		for _, e := range entries[:n] {
			r, err := rank(e.Priority)
			if err != nil {
				return sum, fmt.Errorf("add review %q: %w", e.ReviewID, err)
			}
			if e.ReviewID == "" {
				return sum, fmt.Errorf("add to queue %q: a review has no id", queue)
			}
			args = append(args, e.ReviewID, r)
		}
		counts, err := addScript.Run(ctx, c.rdb, keys, args...).Int64Slice()
		if err != nil {
			return sum, fmt.Errorf("add to queue %q: %w", queue, err)
		}
		if len(counts) != 2 {
			return sum, fmt.Errorf("add to queue %q: redis answers %v", queue, counts)
		}
		sum.added += int(counts[0])
		sum.known += int(counts[1])
		entries = entries[n:]
	}
	return sum, nil
}
