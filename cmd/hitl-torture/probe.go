package main

import (
	"context"
	"fmt"
	"time"
)

// probeLimit bounds how long one probe may take; what takes longer than that has not recovered.
const probeLimit = 90 * time.Second

// probe posts a new item and follows it on its whole way: acknowledged, shown, decided by a click, called back. It returns how long that
// took.
func (w *world) probe(ctx context.Context) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, probeLimit)
	defer cancel()
	start := time.Now()
	u := w.upstreams[probeFeed]
	n := u.n.Add(1)
	k := key{probeFeed, fmt.Sprintf("%s-%05d", probeFeed, n)}
	v, err := u.submit(ctx, k, fmt.Sprintf("Is the service well? (probe %d)", n))
	if err != nil {
		return 0, err
	}
	if v.Review == nil {
		return 0, fmt.Errorf("probe %s needs no review", k.id)
	}
	for {
		for _, c := range w.slack.cards(u.Channel) {
			if c.review == v.Review.ID && len(c.buttons) > 0 {
				w.team.click(ctx, c, reviewers()[0], c.buttons[0])
			}
		}
		if w.sink.of(v.ID) > 0 {
			return time.Since(start), nil
		}
		if err := sleep(ctx, 50*time.Millisecond); err != nil {
			return 0, fmt.Errorf("probe %s: %w", k.id, err)
		}
	}
}
