package audit

import (
	"context"
	"crypto/rand"
	"fmt"
	"iter"
	"maps"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"hitl"
)

const (
	attemptBeat     = time.Second           // how often a worker says that it is still at it
	attemptSilence  = 5 * time.Second       // after so long without a word it is dead
	attemptMemory   = time.Hour             // after so long its death is forgotten
	attemptLinger   = 10 * time.Millisecond // how long what has ended waits for a Begin, which forgets it at no cost
	attemptPatience = 2 * time.Second       // of a statement that forgets
)

// Attempts counts how often processes died while a model read a text. It is one worker's, of one process: make one with Store.Attempts
// for each classifier. It is safe for concurrent use.
//
// The texts that a worker is at stand in a row, which outlives the process. The worker says every second that it lives, if an attempt lasts that
// long; a row of which nobody has heard for five seconds is a death. So a text that many replicas read at the same moment is not taken for one
// that killed them. A death is forgotten after an hour, or when a later attempt is survived.
type Attempts struct {
	store  *Store
	worker []byte
	some   chan struct{} // buffered: tells the loop that something has ended
	turn   chan struct{} // held during a statement, so that they come in order

	mu    sync.Mutex
	run   int64 // of the last Begin
	open  map[[32]byte]attempt
	stale bool                  // the row may name attempts that have ended
	spare map[[32]byte]struct{} // texts whose deaths are to be forgotten
}

// attempt is one that was begun and has not ended.
type attempt struct {
	at   time.Time
	dead bool // others died on the text
}

// Attempts returns a new worker's Attempts. Close of the store waits until what has ended is forgotten.
func (s *Store) Attempts() *Attempts {
	a := &Attempts{
		store: s, worker: make([]byte, 16), some: make(chan struct{}, 1), turn: make(chan struct{}, 1),
		open: map[[32]byte]attempt{}, spare: map[[32]byte]struct{}{},
	}
	_, _ = rand.Read(a.worker) // never fails
	s.running.Go(a.loop)
	return a
}

const (
	// beginAttempts takes the keys asked for, worker, run, whether texts that others tried too are begun, the keys that are open
	// already, and the times of silence and memory.
	beginAttempts = `
		WITH asked AS (
			SELECT a.key, a.n, count(o.key) FILTER (WHERE o.seen_at <= now() - $6::interval) AS dead,
				count(o.key) FILTER (WHERE o.seen_at > now() - $6::interval) AS alive
			FROM unnest($1::bytea[]) WITH ORDINALITY AS a (key, n)
			LEFT JOIN (
				SELECT unnest(keys) AS key, seen_at FROM hitl.attempts WHERE worker <> $2 AND seen_at > now() - $7::interval
			) o ON o.key = a.key
			GROUP BY a.key, a.n
		), begun AS (
			INSERT INTO hitl.attempts (worker, run, keys, seen_at)
			SELECT $2, $3, $5::bytea[] || coalesce(array_agg(key) FILTER (WHERE $4 OR dead + alive = 0), '{}'), now() FROM asked
			ON CONFLICT (worker) DO UPDATE SET run = excluded.run, keys = excluded.keys, seen_at = excluded.seen_at
		)
		SELECT dead, alive FROM asked ORDER BY n`
	// spareAttempts forgets the deaths of texts that did not kill after all. Who finds a row locked leaves it to the other.
	spareAttempts = `
		UPDATE hitl.attempts SET keys = ARRAY(SELECT unnest(keys) EXCEPT SELECT unnest($1::bytea[]))
		WHERE worker IN (
			SELECT worker FROM hitl.attempts WHERE keys && $1 AND seen_at <= now() - $2::interval ORDER BY worker FOR UPDATE SKIP LOCKED
		)`
	keepAttempts  = `UPDATE hitl.attempts SET keys = $3 WHERE worker = $1 AND run <= $2`
	endAttempts   = `DELETE FROM hitl.attempts WHERE worker = $1 AND run <= $2`
	touchAttempts = `UPDATE hitl.attempts SET seen_at = now() WHERE worker = $1`
)

// Begin notes an attempt at each text, by its key, and returns for each how many processes died on it and how many others are at it now.
// Unless again, a text of which either is not zero is not begun. Keys must differ from each other and from those that have not ended.
//
// What it returns counts what was committed before, so two that begin the same text in the same instant may not see each other. Errors:
// hitl.ErrUnavailable, and then nothing is begun.
func (a *Attempts) Begin(ctx context.Context, keys [][32]byte, again bool) (dead, alive []int, err error) {
	select {
	case a.turn <- struct{}{}:
		defer func() { <-a.turn }()
	case <-ctx.Done():
		return nil, nil, fmt.Errorf("begin attempts: %w: %w", hitl.ErrUnavailable, ctx.Err())
	}
	a.mu.Lock()
	a.run++
	run, open, spare := a.run, raw(maps.Keys(a.open)), a.takeSpare()
	a.stale = false
	a.mu.Unlock()

	var b pgx.Batch
	if len(spare) > 0 {
		b.Queue(spareAttempts, raw(maps.Keys(spare)), attemptSilence)
	}
	asked := make([][]byte, len(keys))
	for i := range keys {
		asked[i] = keys[i][:]
	}
	b.Queue(beginAttempts, asked, a.worker, run, again, open, attemptSilence, attemptMemory).Query(func(rows pgx.Rows) error {
		var d, l int
		_, err := pgx.ForEachRow(rows, []any{&d, &l}, func() error {
			dead, alive = append(dead, d), append(alive, l)
			return nil
		})
		return err
	})
	err = a.store.pool.SendBatch(ctx, &b).Close()

	a.mu.Lock()
	defer a.mu.Unlock()
	if err != nil {
		maps.Copy(a.spare, spare)
		a.stale = true // it may have been done all the same
		return nil, nil, fmt.Errorf("begin attempts: %w: %w", hitl.ErrUnavailable, err)
	}
	for i, key := range keys {
		if again || dead[i]+alive[i] == 0 {
			a.open[key] = attempt{at: time.Now(), dead: dead[i] > 0}
		}
	}
	return dead, alive, nil
}

// End forgets attempts that were begun. Survived says that the texts were tried and the process lives: earlier deaths are forgotten
// too. It does not wait for Postgres, which is told soon, at the latest by the next Begin.
func (a *Attempts) End(keys [][32]byte, survived bool) {
	a.mu.Lock()
	for _, key := range keys {
		if survived && a.open[key].dead {
			a.spare[key] = struct{}{}
		}
		delete(a.open, key)
	}
	a.stale = true
	a.mu.Unlock()
	select {
	case a.some <- struct{}{}:
	default:
	}
}

// loop forgets what has ended, and says that the worker lives while attempts last, until the store closes.
func (a *Attempts) loop() {
	beat, linger := time.NewTicker(attemptBeat), time.NewTimer(attemptLinger)
	defer beat.Stop()
	defer linger.Stop()
	failing := false
	for closing := false; !closing; {
		var err error
		select {
		case <-a.some:
			linger.Reset(attemptLinger)
			continue
		case <-linger.C:
			err = a.forget()
		case <-beat.C:
			if err = a.forget(); err == nil {
				err = a.touch()
			}
		case <-a.store.closing:
			closing = true
			err = a.forget()
		}
		if err != nil && (closing || !failing) {
			a.store.cfg.Logger.Warn("could not forget attempts that were survived", "error", err)
		}
		failing = err != nil
	}
}

// forget makes the row name what is open and nothing else.
func (a *Attempts) forget() error {
	a.turn <- struct{}{}
	defer func() { <-a.turn }()
	a.mu.Lock()
	run, open, stale, spare := a.run, raw(maps.Keys(a.open)), a.stale, a.takeSpare()
	a.stale = false
	a.mu.Unlock()
	var b pgx.Batch
	if len(spare) > 0 {
		b.Queue(spareAttempts, raw(maps.Keys(spare)), attemptSilence)
	}
	switch {
	case stale && len(open) > 0:
		b.Queue(keepAttempts, a.worker, run, open)
	case stale:
		b.Queue(endAttempts, a.worker, run)
	}
	if b.Len() == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), attemptPatience)
	defer cancel()
	if err := a.store.pool.SendBatch(ctx, &b).Close(); err != nil {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.stale = true
		maps.Copy(a.spare, spare)
		return fmt.Errorf("end attempts: %w", err)
	}
	return nil
}

// touch keeps attempts that last from looking like deaths.
func (a *Attempts) touch() error {
	a.turn <- struct{}{}
	defer func() { <-a.turn }()
	lasts := false
	a.mu.Lock()
	for _, begun := range a.open {
		lasts = lasts || time.Since(begun.at) >= attemptBeat
	}
	a.mu.Unlock()
	if !lasts {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), attemptPatience)
	defer cancel()
	if _, err := a.store.pool.Exec(ctx, touchAttempts, a.worker); err != nil {
		return fmt.Errorf("touch attempts: %w", err)
	}
	return nil
}

func (a *Attempts) takeSpare() map[[32]byte]struct{} {
	spare := a.spare
	a.spare = map[[32]byte]struct{}{}
	return spare
}

// raw returns keys as Postgres takes them.
func raw(keys iter.Seq[[32]byte]) [][]byte {
	out := [][]byte{}
	for key := range keys {
		out = append(out, key[:])
	}
	return out
}

// SweepAttempts deletes deaths that are forgotten. Any process may, from time to time.
func (s *Store) SweepAttempts(ctx context.Context) error {
	if _, err := s.pool.Exec(ctx, `DELETE FROM hitl.attempts WHERE seen_at <= now() - $1::interval`, attemptMemory); err != nil {
		return fmt.Errorf("sweep attempts: %w", err)
	}
	return nil
}
