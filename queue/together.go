package queue

import (
	"context"
	"fmt"
	"sync"
)

// together is a queue's callers of AddTogether: while the entries of some are
// on their way to Redis, those of the others gather.
type together struct {
	turn sync.Mutex // held by who is on its way

	mu       sync.Mutex
	gathered *gathering // nil: nobody waits for its turn
}

// gathering is what goes to Redis in one call.
type gathering struct {
	entries []Entry
	done    chan struct{} // closed when err is known
	err     error
}

// AddTogether makes a review wait, as Add does, in one call with those that
// other callers add to the queue meanwhile: under load that is a call for
// many of them. It returns once the review is added, or ctx ends; then it is
// added all the same, unless Redis is away.
func (c *Client) AddTogether(ctx context.Context, queue string, entry Entry) error {
	if _, err := rank(entry.Priority); err != nil { // it must not fail the others
		return fmt.Errorf("add review %q: %w", entry.ReviewID, err)
	}
	if entry.ReviewID == "" {
		return fmt.Errorf("add to queue %q: a review has no id", queue)
	}
	found, _ := c.gatherings.LoadOrStore(queue, &together{})
	t, _ := found.(*together)
	t.mu.Lock()
	g := t.gathered
	if g == nil {
		g = &gathering{done: make(chan struct{})}
		t.gathered = g
		go c.bring(context.WithoutCancel(ctx), queue, t)
	}
	g.entries = append(g.entries, entry)
	t.mu.Unlock()
	select {
	case <-g.done:
		return g.err
	case <-ctx.Done():
		return fmt.Errorf("add to queue %q: %w", queue, ctx.Err())
	}
}

// bring adds what has gathered by the time that it is its turn.
func (c *Client) bring(ctx context.Context, queue string, t *together) {
	t.turn.Lock()
	defer t.turn.Unlock()
	t.mu.Lock()
	g := t.gathered
	t.gathered = nil
	t.mu.Unlock()
	g.err = c.Add(ctx, queue, g.entries...)
	close(g.done)
}
