package slacksim

import (
	"time"
)

// Posting into one channel: one message a second, with room for a short burst. Slack documents the rate and says only
// that short bursts are allowed; four is a cautious guess.
const (
	postBurst = 4
	postEvery = time.Second
)

// rates counts calls for each method over a sliding minute, and posts for each channel with a token bucket.
type rates struct {
	calls map[string][]time.Time
	posts map[string]bucket
}

type bucket struct {
	tokens float64
	at     time.Time
}

func newRates() rates {
	return rates{calls: map[string][]time.Time{}, posts: map[string]bucket{}}
}

// take asks for one call and returns how long to wait when there is no room; a refused call costs nothing.
func (r *rates) take(method, channel string, perMinute int, now time.Time) time.Duration {
	recent := r.calls[method]
	for len(recent) > 0 && now.Sub(recent[0]) >= time.Minute {
		recent = recent[1:]
	}
	r.calls[method] = recent
	if len(recent) >= perMinute {
		return recent[0].Add(time.Minute).Sub(now)
	}
	if method == "chat.postMessage" {
		if wait := r.post(channel, now); wait > 0 {
			return wait
		}
	}
	r.calls[method] = append(recent, now)
	return 0
}

func (r *rates) post(channel string, now time.Time) time.Duration {
	b, ok := r.posts[channel]
	if !ok {
		b = bucket{tokens: postBurst, at: now}
	}
	if passed := now.Sub(b.at); passed > 0 {
		b.tokens = min(postBurst, b.tokens+passed.Seconds()/postEvery.Seconds())
		b.at = now
	}
	if b.tokens < 1-1e-9 {
		r.posts[channel] = b
		return time.Duration((1 - b.tokens) * float64(postEvery))
	}
	b.tokens--
	r.posts[channel] = b
	return 0
}
