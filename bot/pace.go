package bot

import (
	"context"
	"math"
	"sync"
	"time"
)

// pacer keeps the calls to Slack below its rates, and away from it for as long as it asked. It is safe for concurrent use.
//
// Keys are Slack's units: a method, or a method and a channel.
type pacer struct {
	now func() time.Time

	mu    sync.Mutex
	lanes map[string]*lane
}

// lane is a token bucket that can be closed for a time.
type lane struct {
	rate   Rate
	tokens float64
	at     time.Time // when tokens was right
	closed time.Time // Slack said: not before
}

func newPacer(now func() time.Time) *pacer {
	return &pacer{now: now, lanes: map[string]*lane{}}
}

// take asks to make a call and returns how long it would have to wait: 0 means now, and only then is it counted.
func (p *pacer) take(key string, rate Rate) time.Duration {
	now := p.now()
	p.mu.Lock()
	defer p.mu.Unlock()
	l, ok := p.lanes[key]
	if !ok {
		l = &lane{rate: rate, tokens: float64(rate.Burst), at: now}
		p.lanes[key] = l
	}
	l.rate = rate
	wait := l.closed.Sub(now)
	if rate.Every > 0 {
		l.tokens += float64(max(now.Sub(l.at), 0)) / float64(rate.Every)
		l.tokens = min(l.tokens, float64(rate.Burst))
		if l.at.Before(now) {
			l.at = now
		}
		const whole = 1 - 1e-9 // parts of tokens add up inexactly
		if l.tokens < whole {
			wait = max(wait, time.Duration(math.Ceil((1-l.tokens)*float64(rate.Every))))
		}
	}
	if wait > 0 {
		return wait
	}
	l.tokens--
	return 0
}

// close keeps everybody off a key for a time: Slack answered 429.
func (p *pacer) close(key string, d time.Duration) {
	until := p.now().Add(d)
	p.mu.Lock()
	defer p.mu.Unlock()
	l, ok := p.lanes[key]
	if !ok {
		l = &lane{at: p.now(), tokens: math.MaxInt32} // never used: its bucket is full, however large it will be
		p.lanes[key] = l
	}
	if until.After(l.closed) {
		l.closed = until
	}
}

// wait takes, waiting as long as it needs.
func (p *pacer) wait(ctx context.Context, key string, rate Rate) error {
	for {
		d := p.take(key, rate)
		if d <= 0 {
			return nil
		}
		if err := sleep(ctx, d); err != nil {
			return err
		}
	}
}

// giveBack returns what was taken and not used.
func (p *pacer) giveBack(key string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if l, ok := p.lanes[key]; ok {
		l.tokens = min(float64(l.rate.Burst), l.tokens+1)
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
