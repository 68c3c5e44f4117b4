package bot

import (
	"context"
	"sync"
	"time"
)

// cache remembers answers of Slack's for a while. Many askers of one key share one request; when Slack does not answer, what it said
// last counts for some longer, but not for ever. It is safe for concurrent use.
type cache[V any] struct {
	fetch  func(ctx context.Context, key string) (V, error)
	now    func() time.Time
	fresh  time.Duration // how long an answer is believed
	atMost time.Duration // and how long while no newer one comes
	spawn  spawner

	mu      sync.Mutex
	entries map[string]*entry[V]
}

// spawner does something that outlives the request it was begun for, and sees to it that somebody waits for it.
type spawner func(ctx context.Context, task func(context.Context))

type entry[V any] struct {
	value   V
	at      time.Time // of value; zero: there is none
	err     error     // of the last request
	loading chan struct{}
}

const (
	maxEntries = 4096
	// patience is how long an asker waits for a newer answer when there is an older one.
	patience = time.Second
)

func newCache[V any](cfg Config, spawn spawner, fetch func(context.Context, string) (V, error)) *cache[V] {
	return &cache[V]{
		fetch: fetch, now: cfg.Now, fresh: cfg.MembersFor, atMost: cfg.MembersAtMost, spawn: spawn, entries: map[string]*entry[V]{},
	}
}

// get returns the answer for a key, or why there is none.
func (c *cache[V]) get(ctx context.Context, key string) (V, error) {
	c.mu.Lock()
	e := c.entry(ctx, key)
	if c.believed(e) {
		defer c.mu.Unlock()
		return e.value, nil
	}
	loading, known := e.loading, c.usable(e)
	c.mu.Unlock()

	if known {
		short, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		ctx = short
	}
	select {
	case <-loading:
	case <-ctx.Done():
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.usable(e) {
		return e.value, nil
	}
	var none V
	if e.err != nil {
		return none, e.err
	}
	return none, ctx.Err()
}

// known returns what may be believed for a key without waiting, and begins to ask where that is nothing fresh.
func (c *cache[V]) known(ctx context.Context, key string) (value V, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.entry(ctx, key)
	return e.value, c.usable(e)
}

// entry returns a key's entry; unless that is fresh, it is being loaded. The caller holds the lock.
func (c *cache[V]) entry(ctx context.Context, key string) *entry[V] {
	e, ok := c.entries[key]
	if !ok {
		c.evict()
		e = &entry[V]{}
		c.entries[key] = e
	}
	if !c.believed(e) && e.loading == nil {
		e.loading = make(chan struct{})
		c.spawn(ctx, func(ctx context.Context) { c.load(ctx, key, e) })
	}
	return e
}

// believed says whether an entry's value is fresh. The caller holds the lock.
func (c *cache[V]) believed(e *entry[V]) bool {
	return !e.at.IsZero() && c.now().Sub(e.at) < c.fresh
}

// usable says whether an entry's value may be believed. The caller holds the lock.
func (c *cache[V]) usable(e *entry[V]) bool {
	return !e.at.IsZero() && c.now().Sub(e.at) < c.atMost
}

func (c *cache[V]) load(ctx context.Context, key string, e *entry[V]) {
	value, err := c.fetch(ctx, key)
	c.mu.Lock()
	defer c.mu.Unlock()
	if e.err = err; err == nil {
		e.value, e.at = value, c.now()
	}
	close(e.loading)
	e.loading = nil
}

// evict makes room when strangers have filled the cache. The caller holds the lock.
func (c *cache[V]) evict() {
	if len(c.entries) < maxEntries {
		return
	}
	for k, e := range c.entries {
		if e.loading == nil {
			delete(c.entries, k)
		}
	}
}
