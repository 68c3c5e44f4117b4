package queue

import (
	"context"
	"sync"
	"time"
)

// Budget bounds what the reconcilers of a process take together, however many
// queues there are: a twentieth of the time, and at each moment a few
// connections to Redis and Postgres. The zero value is ready for use. It is
// safe for concurrent use.
type Budget struct {
	mu   sync.Mutex
	took map[string]time.Duration // the last rebuild of each queue
	busy chan struct{}
}

const (
	// budgetShare is the part of the time that rebuilds may take: one in so many.
	budgetShare = 20
	// budgetBusy is how many queues are looked at at once. After Redis was emptied
	// all of them are lost, and what people do must have room beside their
	// rebuilds.
	budgetBusy = 4
)

// begin waits until there is room for one more.
func (b *Budget) begin(ctx context.Context) error {
	b.mu.Lock()
	if b.busy == nil {
		b.busy = make(chan struct{}, budgetBusy)
	}
	busy := b.busy
	b.mu.Unlock()
	select {
	case busy <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (b *Budget) end() { <-b.busy }

// spent notes how long a queue's rebuild took.
func (b *Budget) spent(queue string, took time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.took == nil {
		b.took = map[string]time.Duration{}
	}
	b.took[queue] = took
}

// pause is how long a queue is left alone after its rebuild, if all of them
// are to stay within the budget. Rebuilds that run at once count as if they ran
// one after the other, and those that another process does by now as when they
// were last ours: it may be longer than need be, never too short.
func (b *Budget) pause() time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	var all time.Duration
	for _, took := range b.took {
		all += took
	}
	return budgetShare * all
}
