package main

import (
	"context"
	"net/http"
	"sync"
	"time"
)

// probeTimeout bounds one probe of a replica's health; its readiness check may take two seconds.
const probeTimeout = 5 * time.Second

// probesFailed is after how many failed probes in a row an orchestrator would kill a process.
const probesFailed = 3

// health is what an orchestrator would have seen of the replicas.
type health struct {
	client *http.Client

	mu           sync.Mutex
	turned       int // times that a live replica said it was not ready while Postgres was away, and ready again later
	missed       int // times that it went on to say it was ready, or did not become ready again
	lively       int // answers that a process is alive
	livenessLost int // times that one was silent that nobody had touched
}

func newHealth() *health { return &health{client: newClient(probeTimeout)} }

// status is what a replica answers; 0 when it does not.
func (h *health) status(ctx context.Context, r *replica, path string) int {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.url+path, http.NoBody)
	if err != nil {
		return 0
	}
	res, err := h.client.Do(req)
	if err != nil {
		return 0
	}
	_ = res.Body.Close()
	return res.StatusCode
}

// watch asks a replica whether it is alive until ctx ends. Whatever else is away, a process that has once said so must go on to, as long as
// nobody kills, stops or pauses it.
func (h *health) watch(ctx context.Context, r *replica, say func(string, ...any)) {
	silent := 0
	for sleep(ctx, 250*time.Millisecond) == nil {
		before := r.untouched()
		status := h.status(ctx, r, "/healthz")
		switch {
		case status == http.StatusOK && before != nil:
			silent = 0
			before.up.Store(true)
			h.mu.Lock()
			h.lively++
			h.mu.Unlock()
			continue
		case ctx.Err() != nil, before == nil, before != r.untouched(), before.ended(), !before.up.Load():
			silent = 0 // not its fault, or it may still be starting
			continue
		}
		if silent++; silent == probesFailed {
			say("%s is alive and does not say so: status %d", r.name, status)
			h.mu.Lock()
			h.livenessLost++
			h.mu.Unlock()
		}
	}
}

// outage watches, while Postgres is away, whether each replica that is up says that it is not ready. The returned function is to be called
// before Postgres comes back; it ends the watch.
func (h *health) outage(ctx context.Context, replicas []*replica, say func(string, ...any)) (over func()) {
	// A shorter one may fall between two probes.
	const matters = 1500 * time.Millisecond
	ctx, cancel := context.WithCancel(ctx)
	began := time.Now()
	var watching sync.WaitGroup
	for _, r := range replicas {
		watching.Go(func() {
			c := r.untouched()
			if c == nil || !c.up.Load() {
				return
			}
			turned := false
			for !turned && sleep(ctx, 50*time.Millisecond) == nil {
				turned = h.status(ctx, r, "/readyz") == http.StatusServiceUnavailable
			}
			if !turned && (time.Since(began) < matters || c.ended() || r.untouched() != c) {
				return
			}
			h.mu.Lock()
			defer h.mu.Unlock()
			if turned {
				h.turned++
				return
			}
			h.missed++
			say("%s went on to say that it was ready for %v without postgres", r.name, time.Since(began))
		})
	}
	return func() {
		cancel()
		watching.Wait()
	}
}

// backWithin is how long a replica may take to be ready after Postgres has come back. It may have been killed meanwhile, and Postgres gone again.
const backWithin = 45 * time.Second

// awaitReady waits until every replica has said that it is ready again.
func (h *health) awaitReady(ctx context.Context, replicas []*replica, say func(string, ...any)) {
	bounded, cancel := context.WithTimeout(ctx, backWithin)
	defer cancel()
	for _, r := range replicas {
		if r.awaitReady(bounded, h.client) != nil && ctx.Err() == nil {
			say("%s did not become ready again", r.name)
			h.mu.Lock()
			h.missed++
			h.mu.Unlock()
		}
	}
}
