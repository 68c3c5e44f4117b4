package audit

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	// backlogAge is how old a count of open reviews may get before it is made again.
	backlogAge = 2 * time.Second
	// backlogShare is the part of the time, one in so many, that counting may take: where a count takes long, it is made less often.
	backlogShare = 20
)

// backlog holds the open reviews of each queue and source: as last counted, and what this process has added or closed since.
type backlog struct {
	mu       sync.Mutex
	counted  openReviews
	since    openReviews   // changes by this process since the count began
	at       time.Time     // when the count was made; zero: never
	took     time.Duration // that it took
	counting chan struct{} // closed when the running count is done; nil: none runs
}

// openReviews are numbers of open reviews. A review counts in both maps.
type openReviews struct{ queues, sources map[string]int }

func newOpenReviews() openReviews { return openReviews{map[string]int{}, map[string]int{}} }

func (o openReviews) add(queue, source string, n int) {
	o.queues[queue] += n
	o.sources[source] += n
}

func newBacklog() backlog { return backlog{since: newOpenReviews()} }

func (b *backlog) add(queue, source string, n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.since.add(queue, source, n)
}

// Backlog returns how many reviews are open in a queue, and how many of a source in all queues. What other processes did is seen within about two
// seconds, or, where so many reviews are open that counting takes longer than a tenth of one, within twenty times as long as it takes. Only the first call,
// and one call each such time, wait for Postgres; hitl.ErrUnavailable says that it is out of reach.
func (s *Store) Backlog(ctx context.Context, queue, source string) (inQueue, ofSource int, err error) {
	b := &s.backlog
	for {
		b.mu.Lock()
		inQueue = max(b.counted.queues[queue]+b.since.queues[queue], 0)
		ofSource = max(b.counted.sources[source]+b.since.sources[source], 0)
		if known := !b.at.IsZero(); known && (b.counting != nil || s.cfg.Now().Sub(b.at) < max(backlogAge, backlogShare*b.took)) {
			b.mu.Unlock()
			return inQueue, ofSource, nil
		}
		running := b.counting
		if running == nil {
			b.counting = make(chan struct{})
			b.mu.Unlock()
			if err := s.count(ctx); err != nil {
				return 0, 0, err
			}
			continue
		}
		b.mu.Unlock()
		select { // for the first count ever
		case <-running:
		case <-ctx.Done():
			return 0, 0, fmt.Errorf("count open reviews: %w", ctx.Err())
		}
	}
}

// count makes a new count. Changes of ours that are committed while it runs may be counted twice for two seconds.
func (s *Store) count(ctx context.Context) error {
	b := &s.backlog
	b.mu.Lock()
	before := b.since
	b.since = newOpenReviews()
	b.mu.Unlock()
	began := s.cfg.Now()
	counted, err := s.countOpen(ctx)
	b.mu.Lock()
	defer b.mu.Unlock()
	if err == nil {
		b.counted, b.at = counted, s.cfg.Now()
		b.took = b.at.Sub(began)
	} else {
		for queue, n := range before.queues {
			b.since.queues[queue] += n
		}
		for source, n := range before.sources {
			b.since.sources[source] += n
		}
	}
	close(b.counting)
	b.counting = nil
	return err
}

func (s *Store) countOpen(ctx context.Context) (openReviews, error) {
	rows, err := s.pool.Query(ctx, `SELECT queue, source, count(*) FROM hitl.reviews WHERE state = 'open' GROUP BY queue, source`)
	if err != nil {
		return openReviews{}, readError("count open reviews", err)
	}
	counted := newOpenReviews()
	var queue, source string
	var n int
	if _, err := pgx.ForEachRow(rows, []any{&queue, &source, &n}, func() error { counted.add(queue, source, n); return nil }); err != nil {
		return openReviews{}, readError("count open reviews", err)
	}
	return counted, nil
}
