package audit

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/jackc/pgx/v5"
	"golang.org/x/mod/sumdb/tlog"

	"hitl"
	"hitl/audit/verify"
)

// walkTiles is how many of the lowest tiles a verification reads at a time.
const walkTiles = 16

// walker is fed a log in order.
type walker interface {
	Line(l verify.Line) error
	// Checkpoint is called with the size under which the checkpoint is kept.
	Checkpoint(signed string, size int64) error
}

// VerifyLog reads the whole log and its tree, as one moment left them, into a verifier.
func (s *Store) VerifyLog(ctx context.Context, v *verify.Verifier) error {
	err := s.snapshot(ctx, func(tx pgx.Tx) error {
		v.Tiles = func(level int, n int64, hashes []tlog.Hash) {
			data, err := readTile(ctx, tx, level, n, len(hashes))
			if err != nil || !bytes.HasPrefix(data, verify.JoinHashes(hashes)) {
				v.Found(verify.Hash, -1, 0, fmt.Sprintf("tile %d/%d was altered, or is missing", level, n))
			}
		}
		gone, err := readDetachments(ctx, tx, func(entry int64, text string) { v.Found(verify.Detached, -1, entry, text) })
		if err != nil {
			return err
		}
		end, err := walkLog(ctx, tx, feed{v, gone}, gone)
		if err != nil {
			return err
		}
		v.Edge()
		v.Tiles = nil
		gone.check(v)
		return checkRest(ctx, tx, v, end)
	})
	if err != nil {
		return fmt.Errorf("verify log: %w", err)
	}
	return nil
}

// WriteBundle writes the log and its checkpoints to w, for verify.ReadBundle. It returns how many entries that are. A log whose detached entries were
// taken out of the database cannot be written: whoever reads a bundle is to see every entry.
func (s *Store) WriteBundle(ctx context.Context, w io.Writer) (int64, error) {
	var end int64
	err := s.snapshot(ctx, func(tx pgx.Tx) error {
		var broken error
		gone, err := readDetachments(ctx, tx, func(_ int64, text string) { broken = errors.New(text) })
		if err = cmp.Or(err, broken); err != nil {
			return err
		}
		if err := gone.away(); err != nil {
			return err
		}
		b, err := verify.NewBundleWriter(w)
		if err != nil {
			return err
		}
		if end, err = walkLog(ctx, tx, bundle{b}, gone); err != nil {
			return err
		}
		return b.Flush()
	})
	if err != nil {
		return end, fmt.Errorf("write bundle: %w", err)
	}
	return end, nil
}

// snapshot runs f on one state of the database, for as long as it takes.
func (s *Store) snapshot(ctx context.Context, f func(tx pgx.Tx) error) error {
	return pgx.BeginTxFunc(ctx, s.pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0`); err != nil {
			return fmt.Errorf("lift time limits: %w", err)
		}
		return f(tx)
	})
}

// walkLog feeds every position that anything in the database knows of, and every checkpoint behind the last position that it covers.
func walkLog(ctx context.Context, tx pgx.Tx, w walker, gone *detachments) (int64, error) {
	var end int64
	err := tx.QueryRow(ctx, `
		SELECT greatest(
		    (SELECT coalesce(max(position) + 1, 0) FROM hitl.log_positions),
		    (SELECT coalesce(max(n * 256 + length(data) / 32), 0) FROM hitl.log_tiles WHERE level = 0 AND n = (SELECT max(n) FROM hitl.log_tiles WHERE level = 0)))`,
	).Scan(&end)
	if err != nil {
		return 0, fmt.Errorf("read size: %w", err)
	}
	checkpoints, err := readCheckpoints(ctx, tx, -1<<62, 0)
	if err != nil {
		return 0, err
	}
	const step = walkTiles * verify.TileWidth
	for from := int64(0); ; from += step {
		to := min(from+step, end)
		if err := feedCheckpoints(w, &checkpoints, from); err != nil {
			return 0, err
		}
		if from >= end {
			break
		}
		if checkpoints, err = readCheckpoints(ctx, tx, from, to); err != nil {
			return 0, err
		}
		lines, err := readLines(ctx, tx, from, to)
		if err != nil {
			return 0, err
		}
		if err := gone.fill(ctx, tx, lines, from, to); err != nil {
			return 0, err
		}
		for _, l := range lines {
			if err := w.Line(l); err != nil {
				return 0, err
			}
			if err := feedCheckpoints(w, &checkpoints, l.Position+1); err != nil {
				return 0, err
			}
		}
	}
	beyond, err := readCheckpoints(ctx, tx, end, 1<<62)
	if err != nil {
		return 0, err
	}
	return end, feedCheckpoints(w, &beyond, 1<<62)
}

type keptCheckpoint struct {
	Size int64
	Note string
}

// readCheckpoints reads the checkpoints that are kept for sizes above from, up to to.
func readCheckpoints(ctx context.Context, tx pgx.Tx, from, to int64) ([]keptCheckpoint, error) {
	rows, err := tx.Query(ctx, `SELECT size, note FROM hitl.log_checkpoints WHERE size > $1 AND size <= $2 ORDER BY size, id`, from, to)
	if err != nil {
		return nil, fmt.Errorf("read checkpoints: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[keptCheckpoint])
	if err != nil {
		return nil, fmt.Errorf("read checkpoints: %w", err)
	}
	return list, nil
}

func feedCheckpoints(w walker, list *[]keptCheckpoint, upTo int64) error {
	for len(*list) > 0 && (*list)[0].Size <= upTo {
		c := (*list)[0]
		*list = (*list)[1:]
		if err := w.Checkpoint(c.Note, c.Size); err != nil {
			return err
		}
	}
	return nil
}

// readLines reads the positions from from to to, whatever is left of each.
func readLines(ctx context.Context, tx pgx.Tx, from, to int64) ([]verify.Line, error) {
	lines := make([]verify.Line, to-from)
	for i := range lines {
		lines[i].Position = from + int64(i)
	}
	rows, err := tx.Query(ctx, `SELECT n, data FROM hitl.log_tiles WHERE level = 0 AND n >= $1 AND n * 256 < $2`, from/verify.TileWidth, to)
	if err != nil {
		return nil, fmt.Errorf("read tiles: %w", err)
	}
	var n, position, logID int64
	var data, leaf []byte
	some := false
	if _, err := pgx.ForEachRow(rows, []any{&n, &data}, func() error {
		for i, h := range verify.SplitHashes(data) {
			if at := n*verify.TileWidth + int64(i) - from; at < int64(len(lines)) {
				lines[at].Tile, some = &h, true
			}
		}
		return nil
	}); err != nil {
		return nil, fmt.Errorf("read tiles: %w", err)
	}
	rows, err = tx.Query(ctx, `
		SELECT p.position, p.log_id, p.leaf_hash, `+entryColumns+` FROM hitl.log_positions p LEFT JOIN hitl.log l ON l.id = p.log_id
		WHERE p.position >= $1 AND p.position < $2 ORDER BY p.position`, from, to)
	if err != nil {
		return nil, fmt.Errorf("read entries: %w", err)
	}
	var r logRow
	if _, err := pgx.ForEachRow(rows, append([]any{&position, &logID, &leaf}, r.into()...), func() error {
		l := &lines[position-from]
		l.LogID, l.Leaf, some = logID, new(tlog.Hash), true
		copy(l.Leaf[:], leaf)
		if r.found() {
			e := r.entry()
			l.Entry = &e
		}
		r = logRow{}
		return nil
	}); err != nil {
		return nil, fmt.Errorf("read entries: %w", err)
	}
	if !some { // a position far away would have us count for ever
		return nil, fmt.Errorf("every trace of positions %d to %d is missing", from, to-1)
	}
	return lines, nil
}

// checkRest looks at what has no position.
func checkRest(ctx context.Context, tx pgx.Tx, v *verify.Verifier, end int64) error {
	var size, pending int64
	if err := tx.QueryRow(ctx, `
		SELECT coalesce((SELECT size FROM hitl.log_tree), -1),
		    (SELECT count(*) FROM hitl.log l WHERE NOT EXISTS (SELECT FROM hitl.log_positions p WHERE p.log_id = l.id)
		        AND l.tx >= coalesce((SELECT horizon FROM hitl.log_tree), '0'))`).Scan(&size, &pending); err != nil {
		return fmt.Errorf("count pending entries: %w", err)
	}
	if size != end {
		v.Found(verify.Hash, -1, 0, fmt.Sprintf("the size kept for the tree is %d, the log has %d entries", size, end))
	}
	v.Pending(pending)
	rows, err := tx.Query(ctx, `
		SELECT l.id FROM hitl.log l WHERE NOT EXISTS (SELECT FROM hitl.log_positions p WHERE p.log_id = l.id)
		    AND l.tx < (SELECT horizon FROM hitl.log_tree) ORDER BY l.id`)
	if err != nil {
		return fmt.Errorf("look for added entries: %w", err)
	}
	var id int64
	if _, err := pgx.ForEachRow(rows, []any{&id}, func() error { v.Added(id); return nil }); err != nil {
		return fmt.Errorf("look for added entries: %w", err)
	}
	rows, err = tx.Query(ctx, `
		SELECT l.id FROM hitl.log l WHERE l.item_id = '' AND l.status = $1
		    AND NOT EXISTS (SELECT FROM hitl.log_detached d WHERE d.log_id = l.id) ORDER BY l.id`, hitl.Detached)
	if err != nil {
		return fmt.Errorf("look for entries of what is detached: %w", err)
	}
	if _, err := pgx.ForEachRow(rows, []any{&id}, func() error {
		v.Found(verify.Detached, -1, id, fmt.Sprintf("entry %d says that entries were detached, and hitl.log_detached does not", id))
		return nil
	}); err != nil {
		return fmt.Errorf("look for entries of what is detached: %w", err)
	}
	return nil
}

// feed is a verifier as a walker.
type feed struct {
	v    *verify.Verifier
	gone *detachments
}

func (f feed) Line(l verify.Line) error {
	if l.Tile == nil {
		f.v.Found(verify.Hash, l.Position, l.LogID, fmt.Sprintf("the tile of position %d is missing", l.Position))
	}
	f.gone.line(&l)
	f.v.Line(l)
	return nil
}

func (f feed) Checkpoint(signed string, size int64) error { f.v.Checkpoint(signed, size); return nil }

// bundle is a bundle's writer as a walker.
type bundle struct{ *verify.BundleWriter }

func (b bundle) Checkpoint(signed string, _ int64) error { return b.BundleWriter.Checkpoint(signed) }
