package audit

import (
	"context"
	"crypto/rand"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"hitl"
)

const (
	attemptBeat     = time.Second     // how often a worker says that it is still at it
	attemptSilence  = 5 * time.Second // after so long without a word it is dead
	attemptMemory   = time.Hour       // after so long its death is forgotten
	attemptPatience = 2 * time.Second // of a statement that forgets attempts
)

// Attempts counts how often processes died while a model read a text. It is one worker's, of one process: make one with Store.Attempts
// for each classifier. It is safe for concurrent use.
//
// An attempt is a row, which outlives the process. Its worker says every second that it lives, if the attempt lasts that long; a row
// that nobody has touched for five seconds is a death. So a text that many replicas read at the same moment is not taken for one that killed
// them. A death is forgotten after an hour, or when a later attempt is survived.
type Attempts struct {
	store  *Store
	worker []byte
	some   chan struct{} // buffered: tells the loop that something has ended
	turn   chan struct{} // held during a statement: two that lock the same rows could wait for each other

	mu    sync.Mutex
	run   int64 // of the last Begin
	open  map[[32]byte]attempt
	ended map[[32]byte]bool // whose rows are still to be deleted; true: those of the dead too
}

// attempt is one that was begun and has not ended.
type attempt struct {
	at    time.Time
	again bool // others died on the text
}

// Attempts returns a new worker's Attempts. Close of the store waits until what has ended is forgotten.
func (s *Store) Attempts() *Attempts {
	a := &Attempts{
		store: s, worker: make([]byte, 16), some: make(chan struct{}, 1), turn: make(chan struct{}, 1),
		open: map[[32]byte]attempt{}, ended: map[[32]byte]bool{},
	}
	_, _ = rand.Read(a.worker) // never fails
	s.running.Go(a.loop)
	return a
}

const (
	// beginAttempts takes keys, worker, run, whether texts that others tried too are begun, and the times of silence and memory. Rows are
	// locked in the order of their keys, so that no two workers wait for each other.
	beginAttempts = `
		WITH asked AS (
			SELECT a.key, a.n, count(t.key) FILTER (WHERE t.seen_at <= now() - $5::interval) AS dead,
				count(t.key) FILTER (WHERE t.seen_at > now() - $5::interval) AS alive
			FROM unnest($1::bytea[]) WITH ORDINALITY AS a (key, n)
			LEFT JOIN hitl.attempts t ON t.key = a.key AND t.worker <> $2 AND t.seen_at > now() - $6::interval
			GROUP BY a.key, a.n
		), begun AS (
			INSERT INTO hitl.attempts (key, worker, run, seen_at)
			SELECT key, $2, $3, now() FROM asked WHERE $4 OR dead + alive = 0 ORDER BY key
			ON CONFLICT (key, worker) DO UPDATE SET run = excluded.run, seen_at = excluded.seen_at
		)
		SELECT dead, alive FROM asked ORDER BY n`
	endAttempts = `DELETE FROM hitl.attempts WHERE key = ANY($1) AND worker = $2 AND run <= $3`
	// pardon deletes the deaths of texts that did not kill after all. Who finds a row locked leaves it to the other.
	pardon = `
		DELETE FROM hitl.attempts WHERE (key, worker) IN (
			SELECT key, worker FROM hitl.attempts WHERE key = ANY($1) AND seen_at <= now() - $2::interval ORDER BY key, worker FOR UPDATE SKIP LOCKED)`
	touchAttempts = `UPDATE hitl.attempts SET seen_at = now() WHERE key = ANY($1) AND worker = $2`
)

// Begin notes an attempt at each text, by its key, and returns for each how many processes died on it and how many others are at it now.
// Unless again, a text of which either is not zero is not begun. Keys must differ from each other.
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
	gone, until := a.take()
	a.run++
	run := a.run
	a.mu.Unlock()

	var b pgx.Batch
	a.queueEnd(&b, gone, until)
	raw := make([][]byte, len(keys))
	for i := range keys {
		raw[i] = keys[i][:]
	}
	b.Queue(beginAttempts, raw, a.worker, run, again, attemptSilence, attemptMemory).Query(func(rows pgx.Rows) error {
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
	if err == nil {
		for i, key := range keys {
			if again || dead[i]+alive[i] == 0 {
				a.open[key] = attempt{at: time.Now(), again: dead[i] > 0}
			}
		}
		return dead, alive, nil
	}
	a.putBack(gone)
	if !nothingSent(err) { // it may have been done all the same
		for _, key := range keys {
			if _, ended := a.ended[key]; !ended {
				a.ended[key] = false
			}
		}
	}
	return nil, nil, fmt.Errorf("begin attempts: %w: %w", hitl.ErrUnavailable, err)
}

// End forgets attempts that were begun. Survived says that the texts were tried and the process lives: earlier deaths are forgotten
// too. It does not wait for Postgres: the rows are deleted soon, at the latest by the next Begin.
func (a *Attempts) End(keys [][32]byte, survived bool) {
	a.mu.Lock()
	for _, key := range keys {
		a.ended[key] = survived && a.open[key].again
		delete(a.open, key)
	}
	a.mu.Unlock()
	select {
	case a.some <- struct{}{}:
	default:
	}
}

// loop deletes what has ended, and says that the worker lives while attempts last, until the store closes.
func (a *Attempts) loop() {
	beat := time.NewTicker(attemptBeat)
	defer beat.Stop()
	failing := false
	for closing := false; !closing; {
		var err error
		select {
		case <-a.some:
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

func (a *Attempts) forget() error {
	a.turn <- struct{}{}
	defer func() { <-a.turn }()
	a.mu.Lock()
	gone, until := a.take()
	a.mu.Unlock()
	if len(gone) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), attemptPatience)
	defer cancel()
	var b pgx.Batch
	a.queueEnd(&b, gone, until)
	if err := a.store.pool.SendBatch(ctx, &b).Close(); err != nil {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.putBack(gone)
		return fmt.Errorf("end attempts: %w", err)
	}
	return nil
}

// touch keeps attempts that last from looking like deaths.
func (a *Attempts) touch() error {
	a.turn <- struct{}{}
	defer func() { <-a.turn }()
	a.mu.Lock()
	var keys [][]byte
	for key, begun := range a.open {
		if time.Since(begun.at) >= attemptBeat {
			keys = append(keys, key[:])
		}
	}
	a.mu.Unlock()
	if len(keys) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), attemptPatience)
	defer cancel()
	if _, err := a.store.pool.Exec(ctx, touchAttempts, keys, a.worker); err != nil {
		return fmt.Errorf("touch attempts: %w", err)
	}
	return nil
}

// take returns what is to be deleted, and the run up to which.
func (a *Attempts) take() (gone map[[32]byte]bool, until int64) {
	gone, a.ended = a.ended, map[[32]byte]bool{}
	return gone, a.run
}

// putBack keeps for later what could not be deleted.
func (a *Attempts) putBack(gone map[[32]byte]bool) {
	for key, survived := range gone {
		if _, later := a.ended[key]; !later {
			a.ended[key] = survived
		}
	}
}

func (a *Attempts) queueEnd(b *pgx.Batch, gone map[[32]byte]bool, until int64) {
	var own, pardoned [][]byte
	for key, survived := range gone {
		own = append(own, key[:])
		if survived {
			pardoned = append(pardoned, key[:])
		}
	}
	if len(own) > 0 {
		b.Queue(endAttempts, own, a.worker, until)
	}
	if len(pardoned) > 0 {
		b.Queue(pardon, pardoned, attemptSilence)
	}
}

// SweepAttempts deletes deaths that are forgotten. Any process may, from time to time.
func (s *Store) SweepAttempts(ctx context.Context) error {
	if _, err := s.pool.Exec(ctx, `DELETE FROM hitl.attempts WHERE seen_at <= now() - $1::interval`, attemptMemory); err != nil {
		return fmt.Errorf("sweep attempts: %w", err)
	}
	return nil
}
