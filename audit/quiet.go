package audit

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// quiet is what River logs through. It drops what River says below warnings, of every start and stop of its parts; and of a message that comes
// again and again, as several times a second while Postgres is away, it lets one through every sayAgain, with how many were not.
type quiet struct {
	slog.Handler
	said *said
}

const (
	sayAgain = 10 * time.Second
	maxSaid  = 256 // messages remembered; River has a few dozen
)

// said remembers when a message was let through last.
type said struct {
	mu sync.Mutex
	by map[string]*utterance
}

type utterance struct {
	at      time.Time
	dropped int
}

func newQuiet(h slog.Handler) quiet { return quiet{h, &said{by: map[string]*utterance{}}} }

// again says whether a message may be said, and how often it was not since the last time.
func (s *said) again(message string, now time.Time) (ok bool, dropped int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.by[message]
	switch {
	case u == nil && len(s.by) >= maxSaid:
		return true, 0
	case u == nil:
		s.by[message] = &utterance{at: now}
		return true, 0
	case now.Sub(u.at) < sayAgain:
		u.dropped++
		return false, 0
	}
	dropped = u.dropped
	u.at, u.dropped = now, 0
	return true, dropped
}

// Enabled implements slog.Handler.
func (q quiet) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn && q.Handler.Enabled(ctx, level)
}

// Handle implements slog.Handler.
func (q quiet) Handle(ctx context.Context, r slog.Record) error {
	ok, dropped := q.said.again(r.Message, r.Time)
	if !ok {
		return nil
	}
	if dropped > 0 {
		r = r.Clone()
		r.AddAttrs(slog.Int("not_logged_since", dropped))
	}
	return q.Handler.Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (q quiet) WithAttrs(attrs []slog.Attr) slog.Handler {
	return quiet{q.Handler.WithAttrs(attrs), q.said}
}

// WithGroup implements slog.Handler.
func (q quiet) WithGroup(name string) slog.Handler { return quiet{q.Handler.WithGroup(name), q.said} }
