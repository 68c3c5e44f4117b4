package ingest

import (
	"math"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
)

// Rate bounds what a source may send to one replica. The zero value is no bound.
type Rate struct {
	PerSecond float64 // items on average
	Burst     int     // items at once; default what comes in a second, at least one
}

// bucket holds a source's tokens, one per item. It keeps the one time at which it will be full again: the virtual scheduling algorithm of ITU-T
// I.371, which needs no clock of its own. Nil is a bucket that never empties.
type bucket struct {
	every time.Duration // in which a token comes
	depth time.Duration // in which all tokens come

	mu   sync.Mutex
	full time.Time
}

func newBucket(r Rate) *bucket {
	if r.PerSecond <= 0 {
		return nil
	}
	if r.Burst <= 0 {
		r.Burst = max(1, int(math.Ceil(r.PerSecond)))
	}
	every := time.Duration(float64(time.Second) / r.PerSecond)
	return &bucket{every: every, depth: every * time.Duration(r.Burst)}
}

// take takes a token, or says how long it is until there is one.
func (b *bucket) take(now time.Time) (wait time.Duration) {
	if b == nil {
		return 0
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	full := b.full
	if full.Before(now) {
		full = now
	}
	full = full.Add(b.every)
	if wait := full.Sub(now) - b.depth; wait > 0 {
		return wait
	}
	b.full = full
	return 0
}

// spend takes a token of a source for an item of its, or refuses the item. Only who was authenticated may come here: nobody else's requests count.
func (a *api) spend(source string) *problem {
	wait := a.buckets[source].take(a.Now())
	if wait <= 0 {
		return nil
	}
	if a.RateLimited != nil {
		a.RateLimited(source)
	}
	p := newProblem(codeRateLimited, "")
	p.RetryAfter = int((wait + time.Second - 1) / time.Second)
	return p
}

// limitRate is the middleware that takes a token before the body is read.
func (a *api) limitRate(ctx huma.Context, next func(huma.Context)) {
	sc := scopeOf(ctx.Context())
	if p := a.spend(sc.source); p != nil {
		p.write(sc.w)
		return
	}
	next(ctx)
}
