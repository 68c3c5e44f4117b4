package audit

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

// backlogAge is how old a count of open reviews may get before it is made again.
const backlogAge = 2 * time.Second

// backlog holds the open reviews of each queue: as last counted, and what this process has added or closed since.
type backlog struct {
	mu       sync.Mutex
	counted  map[string]int
	since    map[string]int // changes by this process since the count began
	at       time.Time      // when the count was made; zero: never
	counting chan struct{}  // closed when the running count is done; nil: none runs
}

func newBacklog() backlog { return backlog{since: map[string]int{}} }

func (b *backlog) add(queue string, n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.since[queue] += n
}

// Backlog returns how many reviews of a queue are open. What other processes did is seen within about two seconds. Only the first
// call, and one call each two seconds, wait for Postgres; hitl.ErrUnavailable says that it is out of reach.
func (s *Store) Backlog(ctx context.Context, queue string) (int, error) {
	b := &s.backlog
	for {
		b.mu.Lock()
		n, known := max(b.counted[queue]+b.since[queue], 0), !b.at.IsZero()
		if known && (b.counting != nil || s.cfg.Now().Sub(b.at) < backlogAge) {
			b.mu.Unlock()
			return n, nil
		}
		running := b.counting
		if running == nil {
			b.counting = make(chan struct{})
			b.mu.Unlock()
			if err := s.count(ctx); err != nil {
				return 0, err
			}
			continue
		}
		b.mu.Unlock()
		select { // for the first count ever
		case <-running:
		case <-ctx.Done():
			return 0, fmt.Errorf("count open reviews: %w", ctx.Err())
		}
	}
}

// count makes a new count. Changes of ours that are committed while it runs may be counted twice for two seconds.
func (s *Store) count(ctx context.Context) error {
	b := &s.backlog
	b.mu.Lock()
	before := b.since
	b.since = map[string]int{}
	b.mu.Unlock()
	counted, err := s.countOpen(ctx)
	b.mu.Lock()
	defer b.mu.Unlock()
	if err == nil {
		b.counted, b.at = counted, s.cfg.Now()
	} else {
		for queue, n := range before {
			b.since[queue] += n
		}
	}
	close(b.counting)
	b.counting = nil
	return err
}

func (s *Store) countOpen(ctx context.Context) (map[string]int, error) {
	rows, err := s.pool.Query(ctx, `SELECT queue, count(*) FROM hitl.reviews WHERE state = 'open' GROUP BY queue`)
	if err != nil {
		return nil, readError("count open reviews", err)
	}
	counted := map[string]int{}
	var queue string
	var n int
	if _, err := pgx.ForEachRow(rows, []any{&queue, &n}, func() error { counted[queue] = n; return nil }); err != nil {
		return nil, readError("count open reviews", err)
	}
	return counted, nil
}
