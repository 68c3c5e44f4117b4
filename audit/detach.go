package audit

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"hitl"
	"hitl/audit/verify"
)

// Partition is one part of the log: the entries of a month, or of all time before the first.
type Partition struct {
	Name string // of the table, in the schema hitl
	// Since is the first moment, Until the first one that is not in it. Both are zero for the part that takes what no other does, Since alone for the first.
	Since, Until time.Time
	Entries      int64
	Bytes        int64 // on disk with its indexes; 0 when it is not in this database any more
	Detached     bool
}

// ListPartitions returns the log's parts, the oldest first, with what was detached and is not attached again. It connects as the schema's owner and counts entries, which
// reads them all.
func ListPartitions(ctx context.Context, ownerDSN string) (list []Partition, err error) {
	err = asOwner(ctx, ownerDSN, func(conn *pgx.Conn) error {
		list, err = listPartitions(ctx, conn)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list partitions: %w", err)
	}
	return list, nil
}

func listPartitions(ctx context.Context, conn *pgx.Conn) ([]Partition, error) {
	rows, err := conn.Query(ctx, `
		SELECT name, nullif(since, '-infinity'), nullif(until, 'infinity'), 0::bigint, pg_total_relation_size(format('hitl.%I', name)::regclass), false
		FROM hitl.log_partitions()
		UNION ALL
		SELECT DISTINCT ON (d.name) d.name, nullif(d.since, '-infinity'), d.until, d.entries,
		    coalesce(pg_total_relation_size(to_regclass(format('hitl.%I', d.name))), 0), true
		FROM hitl.log_detached d
		WHERE NOT EXISTS (SELECT FROM hitl.log_partitions() a WHERE a.since < d.until AND a.until > d.since)
		ORDER BY 3 NULLS LAST`)
	if err != nil {
		return nil, err
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (p Partition, err error) {
		var since, until *time.Time
		err = row.Scan(&p.Name, &since, &until, &p.Entries, &p.Bytes, &p.Detached)
		p.Since, p.Until = orZero(since).UTC(), orZero(until).UTC()
		return p, err
	})
	if err != nil {
		return nil, err
	}
	for i := range list {
		if p := &list[i]; !p.Detached {
			if err := conn.QueryRow(ctx, `SELECT count(*) FROM `+pgx.Identifier{"hitl", p.Name}.Sanitize()).Scan(&p.Entries); err != nil {
				return nil, err
			}
		}
	}
	return list, nil
}

// DetachOptions say what Detach takes out of the log.
type DetachOptions struct {
	// Before is the beginning of a month (UTC), this one at the latest: every part that ends then or earlier is detached.
	Before time.Time
	// Key is that of the log's checkpoints; nil: whose signature they bear is not looked at.
	Key note.Verifier
	// DryRun says what would be detached, and changes nothing.
	DryRun bool
	// Done, if set, is told each part as soon as it is detached.
	Done func(Partition)
}

// ErrNotDetachable says that entries cannot be taken out of the log yet, or that they are not what the signed tree holds.
var ErrNotDetachable = errors.New("it cannot be detached")

// Detach takes old parts out of the log, the oldest first, each in a transaction of its own together with the entry that says so, and returns them. Their tables stay in the
// database, for their owner to move; their hashes stay in the tree. Before an entry goes, it is held against the tree of the latest signed
// checkpoint: what was altered is not let go unseen. It connects as the schema's owner, waits for nobody for long, and may be run again.
func Detach(ctx context.Context, ownerDSN string, o DetachOptions) (list []Partition, err error) {
	err = asOwner(ctx, ownerDSN, func(conn *pgx.Conn) error {
		var month time.Time
		if err := conn.QueryRow(ctx, `SELECT date_trunc('month', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC'`).Scan(&month); err != nil {
			return err
		}
		if o.Before.After(month) {
			return &hitl.InvalidError{Field: "before", Reason: "is after " + month.UTC().Format("2006-01") + ": the current month cannot be detached"}
		}
		all, err := listPartitions(ctx, conn)
		if err != nil {
			return err
		}
		for _, p := range all {
			if p.Detached || p.Until.IsZero() || p.Until.After(o.Before) {
				continue
			}
			if !o.DryRun {
				if err := detach(ctx, conn, p, o.Key); err != nil {
					return fmt.Errorf("%s: %w", p.Name, err)
				}
				if o.Done != nil {
					o.Done(p)
				}
			}
			list = append(list, p)
		}
		return nil
	})
	if err != nil {
		return list, fmt.Errorf("detach from log: %w", err)
	}
	return list, nil
}

func detach(ctx context.Context, conn *pgx.Conn, p Partition, key note.Verifier) error {
	return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SET LOCAL lock_timeout = '2s'; SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0`); err != nil {
			return fmt.Errorf("set time limits: %w", err)
		}
		table := pgx.Identifier{"hitl", p.Name}.Sanitize()
		// What is late for its month, by a clock that is behind, has to wait: the entries that are counted are those that go.
		if _, err := tx.Exec(ctx, `LOCK TABLE `+table+` IN SHARE MODE`); err != nil {
			return fmt.Errorf("lock table: %w", err)
		}
		c, err := claimOf(ctx, tx, p, table, key)
		if err != nil {
			return err
		}
		if err := insertDetached(ctx, tx, c); err != nil {
			return err
		}
		if err := patiently(ctx, tx, `ALTER TABLE hitl.log DETACH PARTITION `+table); err != nil {
			return err
		}
		// Who reads the log may go on to check these entries, as long as they are here.
		_, err = tx.Exec(ctx, `
			DO $$
			DECLARE reader text;
			BEGIN
			    FOR reader IN SELECT a.grantee::regrole::text FROM pg_class c, aclexplode(c.relacl) a
			        WHERE c.oid = 'hitl.log'::regclass AND a.privilege_type = 'SELECT' AND a.grantee NOT IN (c.relowner, 0)
			    LOOP
			        EXECUTE 'GRANT SELECT ON `+table+` TO ' || reader;
			    END LOOP;
			END
			$$`)
		if err != nil {
			return fmt.Errorf("let readers read: %w", err)
		}
		return nil
	})
}

// claimOf checks every entry of a part against the tree of the latest checkpoint, and says which they are.
func claimOf(ctx context.Context, tx pgx.Tx, p Partition, table string, key note.Verifier) (claim, error) {
	c := claim{Partition: p.Name, Until: p.Until, Positions: [][2]int64{}}
	if !p.Since.IsZero() {
		c.Since = &p.Since
	}
	sum := sha256.New()
	var entries, positioned, first, last int64
	if err := tx.QueryRow(ctx, `SELECT count(*), count(p.position), coalesce(min(p.position), 0), coalesce(max(p.position), -1)
		FROM `+table+` l LEFT JOIN hitl.log_positions p ON p.log_id = l.id`).Scan(&entries, &positioned, &first, &last); err != nil {
		return c, fmt.Errorf("count entries: %w", err)
	}
	if entries != positioned {
		return c, fmt.Errorf("%w: %d of %d entries have no position in the tree yet; `hitl log checkpoint` gives it to them", ErrNotDetachable, entries-positioned, entries)
	}
	if entries > 0 {
		signed, _, err := latestCheckpoint(ctx, tx)
		if err != nil && !errors.Is(err, hitl.ErrNotFound) {
			return c, err
		}
		var checkpoint verify.Checkpoint
		if err == nil {
			if checkpoint, err = verify.OpenCheckpoint(signed, key); err != nil {
				return c, fmt.Errorf("%w: the latest checkpoint: %w", ErrNotDetachable, err)
			}
		}
		if checkpoint.Size <= last {
			return c, fmt.Errorf("%w: no signed checkpoint covers its entries; `hitl log checkpoint` signs one", ErrNotDetachable)
		}
		reader := treeReader(ctx, tx, checkpoint)
		for from := first; from <= last; from += sequenceBatch {
			if err := c.takeEntries(ctx, tx, table, reader, from, min(from+sequenceBatch, last+1), func(h tlog.Hash) { sum.Write(h[:]) }); err != nil {
				return c, err
			}
		}
	}
	c.SHA256 = hex.EncodeToString(sum.Sum(nil))
	if c.Entries != entries {
		return c, fmt.Errorf("%w: %d of %d entries were found by their positions; run `hitl verify`", ErrNotDetachable, c.Entries, entries)
	}
	return c, nil
}

// takeEntries adds the entries between two positions, if they are those of the tree that reader proves.
func (c *claim) takeEntries(ctx context.Context, tx pgx.Tx, table string, reader tlog.HashReader, from, to int64, take func(tlog.Hash)) error {
	rows, err := tx.Query(ctx, `SELECT p.position, `+entryColumns+` FROM hitl.log_positions p JOIN `+table+` l ON l.id = p.log_id
		WHERE p.position >= $1 AND p.position < $2 ORDER BY p.position`, from, to)
	if err != nil {
		return fmt.Errorf("read entries: %w", err)
	}
	var position int64
	var r logRow
	var hashes []tlog.Hash
	var indexes []int64
	var positions []int64
	if _, err := pgx.ForEachRow(rows, append([]any{&position}, r.into()...), func() error {
		hashes, indexes, positions = append(hashes, r.entry().Hash()), append(indexes, tlog.StoredHashIndex(0, position)), append(positions, position)
		r = logRow{}
		return nil
	}); err != nil {
		return fmt.Errorf("read entries: %w", err)
	}
	if len(indexes) == 0 {
		return nil
	}
	proven, err := reader.ReadHashes(indexes)
	if err != nil {
		return fmt.Errorf("%w: the tree is not the one of the latest checkpoint; run `hitl verify`: %w", ErrNotDetachable, err)
	}
	for i, h := range proven {
		if h != hashes[i] {
			return fmt.Errorf("%w: the entry at position %d is not the one of the tree; run `hitl verify`", ErrNotDetachable, positions[i])
		}
		c.add(positions[i])
		take(h)
	}
	return nil
}

// insertDetached writes the entry of a claim, which is about no item, and the row that goes with it.
func insertDetached(ctx context.Context, tx pgx.Tx, c claim) error {
	context, err := toJSON("log context", c)
	if err != nil {
		return err
	}
	rows, err := tx.Query(ctx, `
		INSERT INTO hitl.log AS l (item_id, at, status, text_ref, ai_label, confidence, label, reviewer, model, policy, context)
		VALUES ('', now(), $1, '', '', 0, '', session_user, '', '', $2::json) RETURNING `+entryColumns, hitl.Detached, context)
	if err != nil {
		return fmt.Errorf("write entry: %w", err)
	}
	e, err := pgx.CollectExactlyOneRow(rows, func(row pgx.CollectableRow) (verify.Entry, error) {
		var r logRow
		err := row.Scan(r.into()...)
		return r.entry(), err
	})
	if err != nil {
		return fmt.Errorf("write entry: %w", err)
	}
	if _, err := tx.Exec(ctx, `INSERT INTO hitl.log_detached (log_id, name, since, until, entries, leaf) VALUES ($1, $2, coalesce($3::timestamptz, '-infinity'), $4, $5, $6)`,
		e.ID, c.Partition, c.Since, c.Until, c.Entries, e.Leaf()); err != nil {
		return fmt.Errorf("note what is detached: %w", err)
	}
	return nil
}

// patiently executes a statement that needs the log for itself. Who comes to read or write waits behind it, so it gives up soon, and tries again.
func patiently(ctx context.Context, tx pgx.Tx, sql string) error {
	const attempts = 5
	for attempt := 1; ; attempt++ {
		err := pgx.BeginFunc(ctx, tx, func(savepoint pgx.Tx) error {
			_, err := savepoint.Exec(ctx, sql)
			return err
		})
		var pg *pgconn.PgError
		switch {
		case err == nil:
			return nil
		case !errors.As(err, &pg) || pg.Code != "55P03": // lock not available
			return fmt.Errorf("detach: %w", err)
		case attempt == attempts:
			return fmt.Errorf("the log is being read for long (hitl verify, an export, pg_dump): try again when that has ended: %w", err)
		}
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
