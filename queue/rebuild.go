package queue

import (
	"context"
	"fmt"
	"iter"
	"strconv"
	"strings"
	"sync"

	"github.com/redis/go-redis/v9"

	"hitl"
)

// page is how many reviews are asked of OpenReviews at a time.
const page = 1000

// OpenReviews knows which reviews belong in a queue.
type OpenReviews interface {
	// OpenReviews returns a queue's reviews that wait for a card, by id,
	// beginning after one ("" for the first), limit at most; fewer mean that
	// there are no more. Whatever was committed before the call is in the
	// answer, so it must not ask a replica that lags.
	OpenReviews(ctx context.Context, queue, after string, limit int) ([]hitl.Review, error)
}

// Rebuilt is what a rebuild has done.
type Rebuilt struct {
	Epoch   int64
	Open    int // reviews that belong in the queue
	Added   int // of these, reviews that were missing
	Dropped int // other reviews that were in the queue
}

// beginScript begins a rebuild.
//
// KEYS: see Client.keys. ARGV: none.
// Returns its epoch, later than every other, and how many reviews the queue
// holds. From now on Add marks reviews with the epoch.
var beginScript = redis.NewScript(`
local begun = math.max(tonumber(redis.call('GET', KEYS[2]) or 0), tonumber(redis.call('GET', KEYS[3]) or 0)) + 1
redis.call('SET', KEYS[2], string.format('%d', begun))
return {begun, redis.call('HLEN', KEYS[1])}`)

// finishScript completes a rebuild, unless Redis was emptied while it ran.
//
// KEYS: see Client.keys. ARGV: the rebuild's epoch.
// Returns 1, or 0 when Redis does not know of the rebuild any more.
var finishScript = redis.NewScript(`
local epoch = tonumber(ARGV[1])
if tonumber(redis.call('GET', KEYS[2]) or 0) < epoch then return 0 end
if tonumber(redis.call('GET', KEYS[3]) or 0) < epoch then redis.call('SET', KEYS[3], ARGV[1]) end
return 1`)

// Rebuild makes a queue hold the reviews that open knows, no more and no
// less: it adds those that are missing, moves those whose priority differs,
// drops the others, and keeps the place of the rest. Progress, if not nil, is
// called after every thousand reviews.
//
// Reviews may be added, taken and dropped meanwhile, and several rebuilds may
// run at once: each drops only reviews that were in the queue before it began
// and that it was not told of. A review that stops waiting meanwhile may be
// left in the queue; its consumer will see that from its row. Errors: ErrLost
// when Redis was emptied meanwhile; the queue then wants another rebuild.
func (c *Client) Rebuild(ctx context.Context, queue string, open OpenReviews, progress func(Rebuilt)) (Rebuilt, error) {
	keys, err := c.keys(queue)
	if err != nil {
		return Rebuilt{}, err
	}
	var r Rebuilt
	begun, err := beginScript.Run(ctx, c.rdb, keys).Int64Slice()
	if err == nil && len(begun) != 2 {
		err = fmt.Errorf("redis answers %v", begun)
	}
	if err != nil {
		return r, fmt.Errorf("begin rebuild of queue %q: %w", queue, err)
	}
	r.Epoch = begun[0]
	epoch := strconv.FormatInt(r.Epoch, 10)
	for entries, err := range readAhead(ctx, queue, open) {
		if err != nil {
			return r, fmt.Errorf("read open reviews of queue %q: %w", queue, err)
		}
		n, err := c.add(ctx, queue, epoch, "any", entries)
		if err != nil {
			return r, err
		}
		r.Open += len(entries)
		r.Added += n.added
		if progress != nil {
			progress(r)
		}
	}
	if begun[1] > 0 { // otherwise all that is there has come since
		if r.Dropped, err = c.sweep(ctx, queue, keys, r.Epoch); err != nil {
			return r, err
		}
	}
	known, err := finishScript.Run(ctx, c.rdb, keys, epoch).Bool()
	if err != nil {
		return r, fmt.Errorf("finish rebuild of queue %q: %w", queue, err)
	}
	if !known {
		return r, fmt.Errorf("rebuild queue %q: %w", queue, ErrLost)
	}
	return r, nil
}

// readAhead yields the reviews that belong in a queue, page by page, and reads
// the next page while one is worked on.
func readAhead(ctx context.Context, queue string, open OpenReviews) iter.Seq2[[]Entry, error] {
	type read struct {
		entries []Entry
		err     error
	}
	return func(yield func([]Entry, error) bool) {
		reads, cancel := context.WithCancel(ctx)
		pages := make(chan read)
		var reading sync.WaitGroup
		defer reading.Wait()
		defer cancel()
		reading.Go(func() {
			defer close(pages)
			for after, full := "", true; full; {
				reviews, err := open.OpenReviews(reads, queue, after, page)
				next := read{make([]Entry, len(reviews)), err}
				for i, review := range reviews {
					next.entries[i] = Entry{ReviewID: review.ID, Priority: review.Priority}
					after = review.ID
				}
				full = err == nil && len(reviews) == page
				select {
				case pages <- next:
				case <-reads.Done():
					return
				}
			}
		})
		for p := range pages {
			if !yield(p.entries, p.err) || p.err != nil {
				return
			}
		}
		if err := ctx.Err(); err != nil { // or what was read would pass for all there is
			yield(nil, err)
		}
	}
}

// sweep drops the reviews that neither the rebuild nor anybody since its
// beginning has added, and returns how many. What it reads may have changed
// when it drops, so the script looks again.
func (c *Client) sweep(ctx context.Context, queue string, keys []string, epoch int64) (int, error) {
	dropped := 0
	for cursor := uint64(0); ; {
		found, next, err := c.rdb.HScan(ctx, keys[keyIndex], cursor, "", page).Result()
		if err != nil {
			return dropped, fmt.Errorf("read index of queue %q: %w", queue, err)
		}
		var old []string
		for i := 0; i+1 < len(found); i += 2 {
			mark := found[i+1][strings.LastIndexByte(found[i+1], ' ')+1:]
			if marked, err := strconv.ParseInt(mark, 10, 64); err != nil || marked < epoch {
				old = append(old, found[i])
			}
		}
		n, err := c.drop(ctx, queue, strconv.FormatInt(epoch, 10), old)
		if err != nil {
			return dropped, err
		}
		dropped += n
		if next == 0 {
			return dropped, nil
		}
		cursor = next
	}
}
