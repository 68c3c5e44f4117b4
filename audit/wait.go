package audit

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"hitl"
)

// waitPoll is how often the poller asks for all waited items at once.
const waitPoll = 200 * time.Millisecond

// waits are the callers of Wait, by item. A channel is closed when its item may be final.
type waits struct {
	mu      sync.Mutex
	byItem  map[string][]chan struct{}
	some    chan struct{} // buffered: tells the poller that somebody waits
	closing chan struct{}
}

func newWaits() waits {
	return waits{byItem: map[string][]chan struct{}{}, some: make(chan struct{}, 1), closing: make(chan struct{})}
}

func (w *waits) close() { close(w.closing) }

func (w *waits) add(item string) chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	c := make(chan struct{})
	w.byItem[item] = append(w.byItem[item], c)
	select {
	case w.some <- struct{}{}:
	default:
	}
	return c
}

func (w *waits) remove(item string, c chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	rest := slices.DeleteFunc(w.byItem[item], func(o chan struct{}) bool { return o == c })
	if len(rest) == 0 {
		delete(w.byItem, item)
		return
	}
	w.byItem[item] = rest
}

func (w *waits) wake(items ...string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, item := range items {
		for _, c := range w.byItem[item] {
			close(c)
		}
		delete(w.byItem, item)
	}
}

func (w *waits) items() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	items := make([]string, 0, len(w.byItem))
	for item := range w.byItem {
		items = append(items, item)
	}
	return items
}

// Wait returns an item's record as soon as it is final, or as it stands when ctx ends. A decision of this process wakes at once, one of
// another within about 200 ms; all waiting callers share one query. Errors: hitl.ErrNotFound, or that the record could not be read.
func (s *Store) Wait(ctx context.Context, itemID string) (hitl.Record, error) {
	for {
		woken := s.waits.add(itemID) // before the look, so that no decision falls between
		rec, err := s.Item(ctx, itemID)
		if err != nil || rec.Status().Final() {
			s.waits.remove(itemID, woken)
			return rec, err
		}
		select {
		case <-woken:
		case <-ctx.Done():
			s.waits.remove(itemID, woken)
			return rec, nil
		case <-s.waits.closing:
			s.waits.remove(itemID, woken)
			return rec, nil
		}
	}
}

// pollWaits looks for decisions made elsewhere, while anybody waits.
func (s *Store) pollWaits(ctx context.Context) {
	for {
		select {
		case <-s.waits.some:
		case <-s.waits.closing:
			return
		}
		tick := time.NewTicker(waitPoll)
		failing := false
		for items := s.waits.items(); len(items) > 0; items = s.waits.items() {
			select {
			case <-tick.C:
			case <-s.waits.closing:
				tick.Stop()
				return
			}
			err := s.wakeFinal(ctx, items)
			if err != nil && !failing {
				s.cfg.Logger.WarnContext(ctx, "could not look for decisions that callers wait for, will try again", "error", err)
			}
			failing = err != nil
		}
		tick.Stop()
	}
}

func (s *Store) wakeFinal(ctx context.Context, items []string) error {
	rows, err := s.pool.Query(ctx, `SELECT item_id FROM hitl.reviews WHERE item_id = ANY($1) AND state <> 'open'`, items)
	if err != nil {
		return fmt.Errorf("query closed reviews: %w", err)
	}
	final, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return fmt.Errorf("query closed reviews: %w", err)
	}
	s.waits.wake(final...)
	return nil
}
