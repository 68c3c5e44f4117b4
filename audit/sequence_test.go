package audit_test

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	mathrand "math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"hitl"
	"hitl/audit"
	"hitl/audit/verify"
)

func logKey(t testing.TB) (private string, verifier note.Verifier) {
	t.Helper()
	private, public, err := note.GenerateKey(rand.Reader, "log.example.org")
	if err != nil {
		t.Fatal(err)
	}
	verifier, err = note.NewVerifier(public)
	if err != nil {
		t.Fatal(err)
	}
	return private, verifier
}

// verified verifies a whole log.
func verified(t testing.TB, s *audit.Store, key note.Verifier, seen ...verify.Seen) verify.Report {
	t.Helper()
	v := verify.New(key, seen...)
	if err := s.VerifyLog(t.Context(), v); err != nil {
		t.Fatal(err)
	}
	return v.Finish()
}

func mustCheckpoint(t testing.TB, s *audit.Store, key string) string {
	t.Helper()
	signed, err := s.Checkpoint(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

const insertEntry = `INSERT INTO hitl.log (item_id, at, status, text_ref, ai_label, confidence, label, reviewer, model, policy, context)
	VALUES ($1, now(), 'AI_ACCEPTED', '\x01', 'A', 0.5, 'A', '', 'm', 'p', '{}') RETURNING id`

func sequence(t testing.TB, s *audit.Store) int {
	t.Helper()
	n, err := s.SequenceOnce(t.Context(), true)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// An entry waits for every older transaction: what that one may still commit comes first.
func TestSequenceWaitsForOlderTransactions(t *testing.T) {
	t.Parallel()
	s, owner := open(t)
	if _, err := s.LatestCheckpoint(t.Context()); !errors.Is(err, hitl.ErrNotFound) {
		t.Errorf("checkpoint of an empty log: %v", err)
	}
	slow, err := owner.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = slow.Rollback(context.WithoutCancel(t.Context())) }()
	var first int64
	if err := slow.QueryRow(t.Context(), insertEntry, "itm_slow").Scan(&first); err != nil {
		t.Fatal(err)
	}
	aborted, err := owner.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := aborted.Exec(t.Context(), insertEntry, "itm_aborted"); err != nil {
		t.Fatal(err)
	}
	second := scalar[int64](t, owner, insertEntry, "itm_fast") // does not wait
	equal(t, "taken while both are open", sequence(t, s), 0)
	if err := aborted.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	equal(t, "taken while the slow one is open", sequence(t, s), 0)
	if err := slow.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "both are taken", func() bool {
		sequence(t, s)
		return scalar[int](t, owner, `SELECT count(*) FROM hitl.log_positions`) == 2
	})
	equal(t, "order", scalar[[]int64](t, owner, `SELECT array_agg(log_id ORDER BY position) FROM hitl.log_positions`), []int64{first, second})
}

// Positions follow the transactions, not the ids: one that began to write first comes first, though it took its id last. With ids for the
// order, a full batch would leave it behind a horizon that has passed it.
func TestSequenceFollowsTransactions(t *testing.T) {
	t.Parallel()
	s, owner := open(t)
	slow, err := owner.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = slow.Rollback(context.WithoutCancel(t.Context())) }()
	if _, err := slow.Exec(t.Context(), `SELECT pg_current_xact_id()`); err != nil {
		t.Fatal(err)
	}
	if _, err := owner.Exec(t.Context(), `INSERT INTO hitl.log (item_id, at, status, text_ref, ai_label, confidence, label, reviewer, model, policy, context)
		SELECT 'itm_' || i, now(), 'AI_ACCEPTED', '\x01', 'A', 0.5, 'A', '', 'm', 'p', '{}' FROM generate_series(1, $1) i`, audit.SequenceBatch); err != nil {
		t.Fatal(err)
	}
	var last int64
	if err := slow.QueryRow(t.Context(), insertEntry, "itm_slow").Scan(&last); err != nil {
		t.Fatal(err)
	}
	if err := slow.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "all are taken", func() bool {
		sequence(t, s)
		return scalar[int](t, owner, `SELECT count(*) FROM hitl.log_positions`) == audit.SequenceBatch+1
	})
	equal(t, "the first", scalar[int64](t, owner, `SELECT log_id FROM hitl.log_positions WHERE position = 0`), last)
	equal(t, "the greatest id", scalar[int64](t, owner, `SELECT max(id) FROM hitl.log`), last)
}

// What metrics say while entries wait, and when they are signed.
func TestTreeStats(t *testing.T) {
	t.Parallel()
	s, owner := open(t)
	key, _ := logKey(t)
	stats := func() audit.TreeStats {
		got, err := s.TreeStats(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	equal(t, "empty", stats(), audit.TreeStats{})
	mustAppend(t, s, sure("a", "fine"), nil)
	mustAppend(t, s, sure("b", "fine"), nil)
	equal(t, "waiting", stats(), audit.TreeStats{Pending: 2})
	eventually(t, "both are signed", func() bool {
		mustCheckpoint(t, s, key)
		return stats().Checkpoint == 2
	})
	scalar[int64](t, owner, insertEntry, "itm_late")
	got := stats()
	if got.Age <= 0 || got.Age > time.Minute {
		t.Errorf("age %s", got.Age)
	}
	got.Age = 0
	equal(t, "signed", got, audit.TreeStats{Entries: 2, Pending: 1, Checkpoint: 2})
}

// Writers commit late, out of order or not at all while several sequencers run, some of which do not know that another leads: every committed
// entry gets one position, positions have no gap, and each checkpoint is a prefix of the next.
func TestSequenceSkipsNothing(t *testing.T) {
	t.Parallel()
	s, owner := open(t)
	key, verifier := logKey(t)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var sequencers, writers sync.WaitGroup
	for _, lead := range []bool{true, false} {
		sequencers.Go(func() {
			tick := time.NewTicker(time.Millisecond)
			defer tick.Stop()
			for ; ctx.Err() == nil; <-tick.C {
				if _, err := s.SequenceOnce(ctx, lead); err != nil && lead && ctx.Err() == nil && !strings.Contains(err.Error(), "another process") &&
					!strings.Contains(err.Error(), "23505") {
					t.Error(err)
				}
			}
		})
	}
	sequencers.Go(func() {
		for ctx.Err() == nil {
			if _, err := s.Checkpoint(ctx, key); err != nil && ctx.Err() == nil && !strings.Contains(err.Error(), "another process") &&
				!strings.Contains(err.Error(), "23505") {
				t.Error(err)
			}
		}
	})
	var mu sync.Mutex
	committed := map[int64]bool{}
	for w := range 6 {
		writers.Go(func() {
			random := mathrand.New(mathrand.NewPCG(uint64(w), 7)) //nolint:gosec // no secret
			for range 60 {
				ids, err := writeSlowly(t.Context(), owner, random)
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				for _, id := range ids {
					committed[id] = true
				}
				mu.Unlock()
			}
		})
	}
	writers.Wait()
	stop()
	sequencers.Wait()
	mustCheckpoint(t, s, key)
	eventually(t, "nothing is left", func() bool {
		sequence(t, s)
		return scalar[int](t, owner, `SELECT count(*) FROM hitl.log`) == scalar[int](t, owner, `SELECT count(*) FROM hitl.log_positions`)
	})
	mustCheckpoint(t, s, key)
	rows, err := owner.Query(t.Context(), `SELECT log_id FROM hitl.log_positions`)
	if err != nil {
		t.Fatal(err)
	}
	taken, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "entries with a position", len(taken), len(committed))
	for _, id := range taken {
		if !committed[id] {
			t.Errorf("entry %d was never committed", id)
		}
	}
	r := verified(t, s, verifier)
	if !r.OK() || r.Entries != int64(len(committed)) || r.Signed != r.Entries {
		t.Errorf("report %+v", r)
	}
	t.Logf("%d entries, %d checkpoints", r.Entries, r.Checkpoints)
}

// writeSlowly inserts a few entries in a transaction that takes its time, and returns their ids if it commits.
func writeSlowly(ctx context.Context, p *pgxpool.Pool, random *mathrand.Rand) ([]int64, error) {
	tx, err := p.Begin(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { _ = tx.Rollback(ctx) }()
	var ids []int64
	for range 1 + random.IntN(3) {
		var id int64
		if err := tx.QueryRow(ctx, insertEntry, "itm_x").Scan(&id); err != nil {
			return nil, err
		}
		ids = append(ids, id)
		if random.IntN(3) == 0 {
			if _, err := tx.Exec(ctx, `SELECT pg_sleep($1)`, random.Float64()/100); err != nil {
				return nil, err
			}
		}
	}
	if random.IntN(4) == 0 {
		return nil, nil
	}
	return ids, tx.Commit(ctx)
}

// A dump that was restored into a server whose transactions count anew is taken up where it was.
func TestSequenceAfterRestore(t *testing.T) {
	t.Parallel()
	s, owner := open(t)
	key, verifier := logKey(t)
	insert := func(n int) {
		if _, err := owner.Exec(t.Context(), `INSERT INTO hitl.log (item_id, at, status, text_ref, ai_label, confidence, label, reviewer, model, policy, context, tx)
			SELECT 'itm_' || i, now(), 'AI_ACCEPTED', '\x01', 'A', 0.5, 'A', '', 'm', 'p', '{}', (10000000000 + i)::text::xid8 FROM generate_series(1, $1) i`, n); err != nil {
			t.Fatal(err)
		}
	}
	insert(3)
	if _, err := owner.Exec(t.Context(), `UPDATE hitl.log_tree SET horizon = '9000000000'`); err != nil {
		t.Fatal(err)
	}
	mustAppend(t, s, sure("a", "fine"), nil)
	mustCheckpoint(t, s, key)
	eventually(t, "all are taken", func() bool {
		sequence(t, s)
		return scalar[int](t, owner, `SELECT count(*) FROM hitl.log_positions`) == 4
	})
	sequence(t, s)
	if !scalar[bool](t, owner, `SELECT horizon < '9000000000' FROM hitl.log_tree`) {
		t.Error("the horizon is still the other server's")
	}
	mustAppend(t, s, sure("b", "fine"), nil)
	eventually(t, "the new one is taken", func() bool {
		mustCheckpoint(t, s, key)
		return verified(t, s, verifier).Signed == 5
	})
}

// Batches that are full, across the edges of tiles.
func TestSequenceManyBatches(t *testing.T) {
	t.Parallel()
	s, owner := open(t)
	key, verifier := logKey(t)
	n := 2*audit.SequenceBatch + 300
	if _, err := owner.Exec(t.Context(), `INSERT INTO hitl.log (item_id, at, status, text_ref, ai_label, confidence, label, reviewer, model, policy, context)
		SELECT 'itm_' || i % 1000, now(), 'AI_ACCEPTED', '\x01', 'A', 0.5, 'A', '', 'm', 'p', '{}' FROM generate_series(1, $1) i`, n); err != nil {
		t.Fatal(err)
	}
	eventually(t, "all are signed", func() bool {
		mustCheckpoint(t, s, key)
		return verified(t, s, verifier).Signed == int64(n)
	})
	r := verified(t, s, verifier)
	if !r.OK() {
		t.Errorf("report %+v", r)
	}
	// Every tile that a client may ask for is the one of the tree.
	signed, err := s.LatestCheckpoint(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c, err := verify.OpenCheckpoint(signed, verifier)
	if err != nil {
		t.Fatal(err)
	}
	reader := tlog.TileHashReader(tlog.Tree{N: c.Size, Hash: c.Root}, client{t, s})
	for _, position := range []int64{0, 255, 256, c.Size / 2, c.Size - 1} {
		if _, err := tlog.ProveRecord(c.Size, position, reader); err != nil {
			t.Errorf("position %d: %v", position, err)
		}
	}
	for _, path := range []string{"8/0/099", "8/0/000.p/0", "8/0/000.p/257", "8/1/000.p/200", "8/9/000", "7/0/000", "8/data/000", "0/../000", "", "8/0/000/"} {
		if _, err := s.Tile(t.Context(), path); !errors.Is(err, hitl.ErrNotFound) {
			t.Errorf("tile %q: %v", path, err)
		}
	}
	// A proof of each entry of an item.
	proof, err := s.Prove(t.Context(), "itm_7")
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "proofs", len(proof.Proofs), 9)
	for _, p := range proof.Proofs {
		if _, err := verify.CheckProof(verify.Proof{Position: p.Position, Leaf: p.Leaf, Hashes: p.Hashes}, proof.Checkpoint, verifier); err != nil {
			t.Error(err)
		}
	}
}

// client reads tiles as over HTTP.
type client struct {
	t *testing.T
	s *audit.Store
}

func (client) Height() int { return 8 }

func (c client) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	out := make([][]byte, len(tiles))
	for i, tile := range tiles {
		data, err := c.s.Tile(c.t.Context(), strings.TrimPrefix(tile.Path(), "tile/"))
		if err != nil {
			return nil, err
		}
		again, err := c.s.Tile(c.t.Context(), strings.TrimPrefix(tile.Path(), "tile/8/")) // as c2sp.org/tlog-tiles names it
		if err != nil || string(again) != string(data) {
			c.t.Errorf("tile %s differs without its height, %v", tile.Path(), err)
		}
		out[i] = data
	}
	return out, nil
}

func (client) SaveTiles([]tlog.Tile, [][]byte) {}

// keeper is an anchor in memory.
type keeper struct {
	mu   sync.Mutex
	kept []string
}

func (*keeper) Name() string { return "memory" }

func (k *keeper) Keep(_ context.Context, signed string) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.kept = append(k.kept, signed)
	return nil
}

func (k *keeper) count() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.kept)
}

type failingAnchor struct{}

func (failingAnchor) Name() string                       { return "broken" }
func (failingAnchor) Keep(context.Context, string) error { panic("no bucket") }

func TestSequenceLoop(t *testing.T) {
	t.Parallel()
	s, owner := open(t)
	key, verifier := logKey(t)
	if err := s.Sequence(t.Context(), audit.SequenceConfig{Key: "PRIVATE+KEY+nonsense"}); err == nil || strings.Contains(err.Error(), "nonsense") {
		t.Errorf("a bad key: %v", err)
	}
	ctx, stop := context.WithCancel(t.Context())
	var k keeper
	var running sync.WaitGroup
	for range 2 {
		running.Go(func() {
			err := s.Sequence(ctx, audit.SequenceConfig{
				Key: key, Every: 5 * time.Millisecond, CheckpointEvery: 20 * time.Millisecond, Anchors: []audit.Anchor{failingAnchor{}, &k},
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	running.Go(func() {
		if err := s.Sequence(ctx, audit.SequenceConfig{Every: 5 * time.Millisecond}); err != nil {
			t.Error(err)
		}
	})
	for i := range 3 {
		mustAppend(t, s, sure("", "fine"), nil)
		eventually(t, "a checkpoint is anchored", func() bool {
			return k.count() > i && scalar[int64](t, owner, `SELECT max(size) FROM hitl.log_checkpoints`) == int64(i+1)
		})
	}
	stop()
	running.Wait()
	k.mu.Lock()
	defer k.mu.Unlock()
	equal(t, "checkpoints", scalar[int](t, owner, `SELECT count(*) FROM hitl.log_checkpoints`), 3)
	seen, err := verify.ReadWitness(strings.Join(k.kept, "\n"), "memory", verifier)
	if err != nil {
		t.Fatal(err)
	}
	if r := verified(t, s, verifier, seen...); !r.OK() || r.Signed != 3 {
		t.Errorf("report %+v", r)
	}
}

// A transaction that nobody ends is told of.
func TestSequenceTellsOfWaiting(t *testing.T) {
	t.Parallel()
	warned := make(chan string, 1)
	s, owner := open(t, func(c *audit.Config) {
		c.Logger = slog.New(slog.NewTextHandler(writerFunc(func(b []byte) {
			if strings.Contains(string(b), "older transaction") {
				select {
				case warned <- string(b):
				default:
				}
			}
		}), nil))
	})
	slow, err := owner.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = slow.Rollback(context.WithoutCancel(t.Context())) }()
	if _, err := slow.Exec(t.Context(), `SELECT pg_current_xact_id()`); err != nil {
		t.Fatal(err)
	}
	mustAppend(t, s, sure("a", "fine"), nil) // long ago, by the tests' clock
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() {
		if err := s.Sequence(ctx, audit.SequenceConfig{Every: time.Millisecond, CheckpointEvery: time.Millisecond}); err != nil {
			t.Error(err)
		}
	})
	if line := <-warned; !strings.Contains(line, "entries=1") {
		t.Errorf("warned of %s", line)
	}
	stop()
	running.Wait()
}

type writerFunc func([]byte)

func (f writerFunc) Write(b []byte) (int, error) { f(b); return len(b), nil }

// The signer does not sign a tree that does not extend what it signed.
func TestForkIsNotSigned(t *testing.T) {
	t.Parallel()
	s, owner := open(t)
	key, _ := logKey(t)
	for range 3 {
		mustAppend(t, s, sure("", "fine"), nil)
	}
	eventually(t, "three are taken", func() bool {
		mustCheckpoint(t, s, key)
		return scalar[int64](t, owner, `SELECT size FROM hitl.log_tree`) == 3
	})
	tamper(t, owner, `UPDATE hitl.log_tiles SET data = overlay(data placing '\xff' FROM 1 FOR 1)`)
	mustAppend(t, s, sure("", "fine"), nil)
	eventually(t, "the fourth is taken", func() bool { return sequence(t, s) == 1 })
	if _, err := s.Checkpoint(t.Context(), key); err == nil || !strings.Contains(err.Error(), "hitl verify") {
		t.Errorf("signed a fork: %v", err)
	}
}

// tamper does what a superuser can who stops at nothing.
func tamper(t testing.TB, owner *pgxpool.Pool, sql string) {
	t.Helper()
	off, on := "", ""
	for _, table := range []string{"log", "log_positions", "log_tiles", "log_tree", "log_checkpoints"} {
		off += `ALTER TABLE hitl.` + table + ` DISABLE TRIGGER ALL;`
		on += `ALTER TABLE hitl.` + table + ` ENABLE TRIGGER ALL;`
	}
	if _, err := owner.Exec(t.Context(), `BEGIN;`+off+sql+`;`+on+`COMMIT`); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}
