package main

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// probeLimit bounds how long one probe may take; what takes longer than that has not recovered.
const probeLimit = 90 * time.Second

// slowProbe is how long a probe may take before the log says where it spent its time.
const slowProbe = 5 * time.Second

// probe posts a new item and follows it on its whole way: acknowledged, shown, decided by a click, called back. It returns how long that
// took, and says where a slow one was held up.
func (w *world) probe(ctx context.Context, kind string, say func(string, ...any)) (took time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, probeLimit)
	defer cancel()
	u := w.upstreams[probeFeed]
	n := u.n.Add(1)
	k := key{probeFeed, fmt.Sprintf("%s-%05d", probeFeed, n)}
	way := newStages()
	defer func() {
		if took = time.Since(way.start); took > slowProbe {
			say("%s after %s was slow: %s", k.id, kind, way)
		}
	}()
	v, err := u.submit(ctx, k, fmt.Sprintf("Is the service well? (probe %d)", n))
	if err != nil {
		return 0, err
	}
	way.reach("acknowledged")
	if v.Review == nil {
		return 0, fmt.Errorf("probe %s needs no review", k.id)
	}
	for {
		for _, c := range w.slack.cards(u.Channel) {
			if c.review == v.Review.ID && len(c.buttons) > 0 {
				way.reach("shown")
				if w.team.decide(ctx, c, reviewers()[0], c.buttons[0], true) {
					way.reach("decided")
				}
			}
		}
		if len(w.sink.of(v.ID)) > 0 {
			way.reach("called back")
			return 0, nil
		}
		if err := sleep(ctx, 50*time.Millisecond); err != nil {
			return 0, fmt.Errorf("probe %s: %w", k.id, err)
		}
	}
}

// stages are the points that a probe passes, with the times at which it first did.
type stages struct {
	start time.Time
	names []string
	at    map[string]time.Duration
}

func newStages() *stages { return &stages{start: time.Now(), at: map[string]time.Duration{}} }

func (s *stages) reach(name string) {
	if _, before := s.at[name]; !before {
		s.names, s.at[name] = append(s.names, name), time.Since(s.start)
	}
}

// String implements fmt.Stringer.
func (s *stages) String() string {
	var b strings.Builder
	for _, name := range s.names {
		fmt.Fprintf(&b, "%s after %.1fs, ", name, s.at[name].Seconds())
	}
	return fmt.Sprintf("%sover after %.1fs", &b, time.Since(s.start).Seconds())
}
