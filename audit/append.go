package audit

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"go.opentelemetry.io/otel/trace"

	"hitl"
)

const (
	// flushers is how many transactions of new items run at once: while one commits, the next fills, and only one does.
	flushers = 2
	// batchBytes bounds the texts of a batch.
	batchBytes = 8 << 20
)

// call is one caller's record on its way through a batch. done is buffered: the flusher never waits for a caller.
type call struct {
	row   row
	done  chan result
	span  trace.Span // of the caller
	doubt bool       // an attempt to write it may have been committed
}

type result struct {
	rec      hitl.Record
	replayed bool
	err      error
}

// Append commits a new record with its log entry, its review (if any) and its callback (if any). Concurrent calls share a
// transaction; one that Postgres refuses does not fail the others. When the idempotency key exists it changes nothing and
// returns the stored record with replayed true, or hitl.ErrConflict when the body hash differs. An erased item has lost its hash: whatever
// comes under its key is a replay.
//
// When ctx ends first, Append returns its error and the record may or may not be committed; so it may after any other error but
// hitl.ErrConflict and hitl.ErrUnavailable. Appending the record again tells, as long as it keeps its key.
func (s *Store) Append(ctx context.Context, record hitl.Record, callback *hitl.Callback) (hitl.Record, bool, error) {
	r, err := newRow(record, callback)
	if err != nil {
		return hitl.Record{}, false, err
	}
	c := &call{row: r, done: make(chan result, 1), span: trace.SpanFromContext(ctx)}
	if err := s.enqueue(ctx, c); err != nil {
		return hitl.Record{}, false, err
	}
	select {
	case res := <-c.done:
		return res.rec, res.replayed, res.err
	case <-ctx.Done():
		return hitl.Record{}, false, fmt.Errorf("wait for the commit: %w", ctx.Err())
	}
}

// enqueue hands a call to the flushers. Close waits for the callers that are here, so that no call is left behind.
func (s *Store) enqueue(ctx context.Context, c *call) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return hitl.ErrUnavailable
	}
	select {
	case s.calls <- c:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for a batch: %w", ctx.Err())
	}
}

// flushLoop takes batches until the calls end.
func (s *Store) flushLoop(ctx context.Context) {
	for {
		s.filling.Lock()
		first, open := <-s.calls
		if !open {
			s.filling.Unlock()
			return
		}
		batch := s.fill(first)
		s.filling.Unlock()
		s.settle(ctx, batch)
	}
}

// fill collects a batch: what waits already, then what comes within BatchWait, as long as no gap between two calls is wider
// than an eighth of it. Callers that were answered together come back together, and a lone one need not wait for nobody.
func (s *Store) fill(first *call) []*call {
	batch, size := []*call{first}, len(first.row.text)
	wait := max(s.cfg.BatchWait, 0)
	over, gap := time.NewTimer(wait), time.NewTimer(wait/8)
	defer over.Stop()
	defer gap.Stop()
	for len(batch) < s.cfg.BatchSize && size < batchBytes {
		var c *call
		select {
		case c = <-s.calls:
		default:
			gap.Reset(wait / 8)
			select {
			case c = <-s.calls:
			case <-gap.C:
			case <-over.C:
			case <-s.closing:
			}
		}
		if c == nil { // time is up, or no more will come
			break
		}
		batch, size = append(batch, c), size+len(c.row.text)
	}
	return batch
}

// settle answers every call of a batch. Of several with one key the first is written and the rest find it stored.
func (s *Store) settle(ctx context.Context, batch []*call) {
	// In key order, two transactions that hold some of the same keys wait for each other one way only.
	slices.SortStableFunc(batch, func(a, b *call) int { return compareKeys(a.row.key, b.row.key) })
	firsts := slices.CompactFunc(slices.Clone(batch), func(a, b *call) bool { return a.row.key == b.row.key })
	answered := make(map[*call]bool, len(batch))
	s.write(ctx, firsts, answered)

	var rest []*call
	for _, c := range batch {
		if !answered[c] {
			rest = append(rest, c)
		}
	}
	if len(rest) == 0 {
		return
	}
	keys := make([]key, len(rest))
	for i, c := range rest {
		keys[i] = c.row.key
	}
	stored, err := s.findKeys(ctx, keys)
	for _, c := range rest {
		rec, found := stored[c.row.key]
		switch {
		case err != nil:
			c.done <- result{err: err}
		case !found && len(batch) > 1:
			// The first of its key was refused; this one may be good.
			s.settle(ctx, []*call{c})
		case !found:
			c.done <- result{err: fmt.Errorf("item %s is neither new nor stored", c.row.id)}
		case rec.Item.ErasedAt.IsZero() && rec.Item.BodyHash != c.row.rec.Item.BodyHash:
			c.done <- result{err: hitl.ErrConflict}
		case c.doubt && rec.Item.ID == c.row.id: // it was
			c.done <- s.added(rec)
		default:
			c.done <- result{rec: rec, replayed: true}
		}
	}
}

// write commits calls of different keys and answers those that were new or refused.
func (s *Store) write(ctx context.Context, calls []*call, answered map[*call]bool) {
	answer := func(c *call, r result) {
		answered[c] = true
		c.done <- r
	}
	start := s.cfg.Now()
	flushing, span := flushSpan(ctx, calls)
	fresh, err := s.flush(flushing, calls)
	endSpan(span, err)
	s.cfg.Observer.Flushed(len(calls), s.cfg.Now().Sub(start), err)
	if err != nil && len(calls) > 1 && isDataError(err) {
		// One of them cannot be stored. Which, only trying tells.
		for _, c := range calls {
			s.write(ctx, []*call{c}, answered)
		}
		return
	}
	for _, c := range calls {
		switch {
		case err != nil:
			answer(c, result{err: err})
		case fresh[c.row.id]:
			answer(c, s.added(c.row.rec))
		}
	}
}

// added is the answer to a call whose record is new.
func (s *Store) added(rec hitl.Record) result {
	if r := rec.Review; r != nil {
		s.backlog.add(r.Queue, rec.Item.Source, 1)
	}
	return result{rec: rec}
}

func compareKeys(a, b key) int {
	return cmp.Or(cmp.Compare(a.source, b.source), cmp.Compare(a.externalID, b.externalID))
}
