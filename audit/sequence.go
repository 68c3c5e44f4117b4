package audit

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/mod/sumdb/tlog"

	"hitl/audit/verify"
)

// sequenceLock is the advisory lock of the one who extends the tree: "hitltree" in ASCII. It is held by a transaction, not by a session, so
// that connection poolers are fine; it only saves two sequencers from doing the same work, see errLostTree.
const sequenceLock = 0x6869746c74726565

// sequenceBatch is the most entries that get their positions in one transaction.
const sequenceBatch = 4096

// SequenceConfig says how Sequence works. The zero value sequences without signing.
type SequenceConfig struct {
	// Key signs the checkpoints: an Ed25519 key in the note format, "PRIVATE+KEY+ORIGIN+…". Empty: nothing is signed.
	Key string
	// Every is how long Sequence waits between two looks for new entries. Default 1 s.
	Every time.Duration
	// CheckpointEvery is the least time between two checkpoints. Default 1 minute.
	CheckpointEvery time.Duration
	// Anchors are told of each new checkpoint by the process that signed it, and of the latest by every process that begins, should the one that
	// signed it have died. One that fails is logged and tried again, until the next checkpoint takes its place.
	Anchors []Anchor
	// Anchored is told of each attempt, for metrics. It must not block. May be nil.
	Anchored func(anchor string, err error)
}

// Sequence gives the log's committed entries their positions in the Merkle tree and signs checkpoints of it, until ctx ends. Any number
// of processes may run it: at each moment one of them does the work. Writers of the log never wait for it.
//
// An entry gets its position once every transaction that is older than its own has ended, which is when nothing can become visible
// before it any more: the order of positions is one that a reader of the log could have seen, and no entry is skipped.
func (s *Store) Sequence(ctx context.Context, cfg SequenceConfig) error {
	cfg.Every = cmp.Or(cfg.Every, time.Second)
	cfg.CheckpointEvery = cmp.Or(cfg.CheckpointEvery, time.Minute)
	var sign *checkpointer
	if cfg.Key == "" {
		s.cfg.Logger.WarnContext(ctx, "the log has no key: its tree grows, but no checkpoint is signed")
	} else {
		var err error
		if sign, err = newCheckpointer(cfg); err != nil {
			return err
		}
	}
	anchors, wait := s.newAnchorings(ctx, cfg)
	defer wait()
	offered := false
	tick := time.NewTicker(cfg.Every)
	defer tick.Stop()
	looked := s.cfg.Now()
	for {
		err := s.sequenceAll(ctx)
		if now := s.cfg.Now(); err == nil && now.Sub(looked) >= cfg.CheckpointEvery {
			looked = now
			err = s.warnOfWaiting(ctx)
		}
		if err == nil && sign != nil {
			var signed string
			var fresh bool
			if signed, fresh, err = s.checkpoint(ctx, sign, cfg.CheckpointEvery); signed != "" && (fresh || !offered) {
				anchors.offer(signed)
				offered = true
			}
		}
		if err != nil && ctx.Err() == nil {
			s.cfg.Logger.WarnContext(ctx, "could not extend the log's tree", "error", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

const waitingEntries = `
	SELECT (SELECT count(*) FROM ` + unplaced + ` AND l.at < now() - $2::bigint * interval '1 microsecond') FROM hitl.log_tree t`

// warnOfWaiting says when entries do not get their positions: a transaction that nobody ends, in any database of the server, keeps them waiting.
func (s *Store) warnOfWaiting(ctx context.Context) error {
	const patience = time.Minute
	var waiting int64
	err := s.pool.QueryRow(ctx, waitingEntries, pendingMost, patience.Microseconds()).Scan(&waiting)
	if err != nil {
		return fmt.Errorf("count waiting entries: %w", err)
	}
	if waiting > 0 {
		s.cfg.Logger.WarnContext(ctx, "log entries wait for an older transaction to end, and no checkpoint binds them; look for it in pg_stat_activity",
			"entries", waiting)
	}
	return nil
}

// Checkpoint gives every committed entry that it can its position and signs a checkpoint of the tree now, which it returns as a note.
// When nothing was added since the last one, that is the last one.
func (s *Store) Checkpoint(ctx context.Context, key string) (string, error) {
	sign, err := newCheckpointer(SequenceConfig{Key: key})
	if err != nil {
		return "", err
	}
	if err := s.sequenceAll(ctx); err != nil {
		return "", err
	}
	signed, _, err := s.checkpoint(ctx, sign, 0)
	return signed, err
}

func (s *Store) sequenceAll(ctx context.Context) error {
	for ctx.Err() == nil {
		n, err := s.sequenceOnce(ctx, true)
		if err != nil {
			return fmt.Errorf("sequence log: %w", err)
		}
		if n < sequenceBatch {
			return nil
		}
	}
	return ctx.Err()
}

// errLostTree says that someone else extended the tree at the same time. Nothing of ours was committed.
var errLostTree = errors.New("the tree was extended by another process")

// sequenceOnce positions one batch, unless it should lead and another process does. It returns how many entries it took.
func (s *Store) sequenceOnce(ctx context.Context, lead bool) (int, error) {
	var taken int
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		if lead {
			if ok, err := tryLead(ctx, tx); err != nil || !ok {
				return err
			}
		}
		from, err := readTree(ctx, tx)
		if err != nil {
			return err
		}
		entries, err := pendingEntries(ctx, tx, from)
		if err != nil {
			return err
		}
		if len(entries) == 0 {
			return from.settle(ctx, tx)
		}
		if err := extendTree(ctx, tx, from, entries); err != nil {
			return err
		}
		taken = len(entries)
		return nil
	})
	if err != nil {
		return 0, err
	}
	return taken, nil
}

func tryLead(ctx context.Context, tx pgx.Tx) (bool, error) {
	var ok bool
	if err := tx.QueryRow(ctx, `SELECT pg_try_advisory_xact_lock($1)`, int64(sequenceLock)).Scan(&ok); err != nil {
		return false, fmt.Errorf("try to lead: %w", err)
	}
	return ok, nil
}

// treeState is what stands in log_tree, and which transactions have ended.
type treeState struct {
	size       int64
	horizon    uint64 // every entry of an older transaction has its position
	xmin, xmax uint64 // every transaction older than xmin has ended, none from xmax on has begun
}

func readTree(ctx context.Context, tx pgx.Tx) (treeState, error) {
	var t treeState
	err := tx.QueryRow(ctx, `
		SELECT size, horizon, pg_snapshot_xmin(pg_current_snapshot()), pg_snapshot_xmax(pg_current_snapshot()) FROM hitl.log_tree`,
	).Scan(&t.size, &t.horizon, &t.xmin, &t.xmax)
	if err != nil {
		return t, fmt.Errorf("read tree: %w", err)
	}
	return t, nil
}

// foreign says whether the horizon is another server's: see pendingEntries.
func (t treeState) foreign() bool { return t.horizon > t.xmax }

// settle notes that all is positioned, once a restored log was looked through. Otherwise the horizon moves with the next batch: until then there
// is nothing behind it.
func (t treeState) settle(ctx context.Context, tx pgx.Tx) error {
	if !t.foreign() {
		return nil
	}
	if _, err := tx.Exec(ctx, `UPDATE hitl.log_tree SET horizon = $2 WHERE size = $1`, t.size, t.xmin); err != nil {
		return fmt.Errorf("set horizon: %w", err)
	}
	return nil
}

// entryColumns are a log row's columns as scanRow takes them.
const entryColumns = `l.id, l.item_id, l.at, l.status, l.text_ref, l.ai_label, l.confidence, l.label, l.reviewer, l.model, l.policy, l.context::text, l.tx`

// pendingEntries returns the next batch of entries that may have their positions, in order: that of their transactions' numbers. An entry
// that depends on another was written by a transaction that began to write after the other's commit, so it has the greater number.
//
// A number beyond those that the server has given comes from another server, whose dump was restored into this one, where counting
// began anew. Then every entry is looked at once.
func pendingEntries(ctx context.Context, tx pgx.Tx, t treeState) ([]verify.Entry, error) {
	query, args := t.pending()
	batch := &pgx.Batch{}
	if t.foreign() {
		batch.Queue(`SET LOCAL statement_timeout = 0`)
	} else {
		batch.Queue(inOrder)
	}
	var entries []verify.Entry
	batch.Queue(query, args...).Query(func(rows pgx.Rows) (err error) {
		entries, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (verify.Entry, error) {
			var r logRow
			err := row.Scan(r.into()...)
			return r.entry(), err
		})
		return err
	})
	if err := tx.SendBatch(ctx, batch).Close(); err != nil {
		return nil, fmt.Errorf("read pending entries: %w", err)
	}
	return entries, nil
}

// pending is the query of pendingEntries. From the horizon on it needs inOrder: where nothing was positioned when Postgres looked last, it would join the whole
// log with the positions for each batch.
func (t treeState) pending() (query string, args []any) {
	where, from := `l.tx >= $1 AND l.tx < $2`, t.horizon
	if t.foreign() {
		where, from = `(l.tx >= $1 OR l.tx < $2)`, t.xmax
	}
	return `
		SELECT ` + entryColumns + ` FROM hitl.log l
		WHERE ` + where + ` AND NOT EXISTS (SELECT FROM hitl.log_positions p WHERE p.log_id = l.id)
		ORDER BY l.tx, l.id LIMIT $3`, []any{from, t.xmin, sequenceBatch}
}

// extendTree appends a batch to the tree as it was. It fails with errLostTree, or with a unique violation, when it is not so any more.
func extendTree(ctx context.Context, tx pgx.Tx, from treeState, entries []verify.Entry) error {
	tree, err := loadTree(ctx, tx, from.size)
	if err != nil {
		return err
	}
	changed := tileSet{}
	ids, hashes := make([]int64, len(entries)), make([][]byte, len(entries))
	var leaf []byte
	for i, e := range entries {
		leaf = e.AppendLeaf(leaf[:0])
		h := tlog.RecordHash(leaf)
		ids[i], hashes[i] = e.ID, h[:]
		tree.Append(h, changed.put)
	}
	tree.Edge(func(level int, n int64, hashes []tlog.Hash) {
		if shift := verify.TileHeight * level; from.size>>shift != tree.Size()>>shift {
			changed.put(level, n, hashes)
		}
	})
	horizon := from.xmin
	if len(entries) == sequenceBatch { // there may be more of the last one's transaction
		horizon = entries[len(entries)-1].Tx
		if from.foreign() {
			horizon = from.horizon
		}
	}
	tag, err := tx.Exec(ctx, `UPDATE hitl.log_tree SET size = $2, horizon = $3 WHERE size = $1`, from.size, tree.Size(), horizon)
	if err != nil {
		return fmt.Errorf("extend tree: %w", err)
	}
	if tag.RowsAffected() != 1 {
		return errLostTree
	}
	if _, err := tx.Exec(ctx, `
		INSERT INTO hitl.log_positions (position, log_id, leaf_hash)
		SELECT $1 + i - 1, id, hash FROM unnest($2::bigint[], $3::bytea[]) WITH ORDINALITY AS t (id, hash, i)`, from.size, ids, hashes); err != nil {
		return fmt.Errorf("insert positions: %w", err)
	}
	return changed.write(ctx, tx)
}
