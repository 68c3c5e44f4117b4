package audit

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/mod/sumdb/tlog"

	"hitl"
	"hitl/audit/verify"
)

// claim is the context of a DETACHED entry: what was taken out of the log with it. It stands in the tree like every entry's, so that nobody can widen it.
type claim struct {
	Partition string     `json:"partition"`
	Since     *time.Time `json:"since"` // nil: from the log's beginning
	Until     time.Time  `json:"until"`
	Entries   int64      `json:"entries"`
	// Positions are those of the entries, as first and last of each run, ascending.
	Positions [][2]int64 `json:"positions"`
	// SHA256 is the hash over the entries' leaf hashes, in the order of their positions, in hex.
	SHA256 string `json:"leaf_hashes_sha256"`
}

// add takes the next position.
func (c *claim) add(position int64) {
	c.Entries++
	if n := len(c.Positions); n > 0 && c.Positions[n-1][1] == position-1 {
		c.Positions[n-1][1] = position
		return
	}
	c.Positions = append(c.Positions, [2]int64{position, position})
}

func (c *claim) holds(position int64) bool {
	n := len(c.Positions)
	if n == 0 || position < c.Positions[0][0] || position > c.Positions[n-1][1] {
		return false
	}
	_, found := slices.BinarySearchFunc(c.Positions, position, func(run [2]int64, position int64) int {
		switch {
		case run[1] < position:
			return -1
		case run[0] > position:
			return 1
		}
		return 0
	})
	return found
}

func (c *claim) overlaps(from, to int64) bool {
	return slices.ContainsFunc(c.Positions, func(run [2]int64) bool { return run[0] < to && run[1] >= from })
}

// detached is a row of hitl.log_detached whose table is no part of the log.
type detached struct {
	claim
	logID int64
	here  bool // its table is in the database still, and may be read
	seen  int64
	sum   hash.Hash
}

// detachments are what a verification holds the log's gaps against.
type detachments struct{ list []*detached }

// detachedRows are the rows of hitl.log_detached but for what is attached again, with what the log says of each.
const detachedRows = `
	SELECT d.log_id, d.name, CASE WHEN d.since = '-infinity' THEN NULL ELSE d.since END, d.until, d.entries, d.leaf, p.leaf_hash,
	    coalesce(has_table_privilege(to_regclass(format('hitl.%I', d.name)), 'SELECT'), false), ` + entryColumns + `
	FROM hitl.log_detached d
	LEFT JOIN hitl.log_positions p ON p.log_id = d.log_id
	LEFT JOIN hitl.log l ON l.id = d.log_id
	WHERE NOT EXISTS (SELECT FROM hitl.log_partitions() a WHERE a.since < d.until AND a.until > d.since)
	ORDER BY d.since, d.log_id`

// readDetachments returns what was detached as far as the log agrees: a claim counts if its entry is in the tree, or is in the log and waits for its
// position. Where row and entry do not agree, found is told.
func readDetachments(ctx context.Context, tx pgx.Tx, found func(entry int64, text string)) (*detachments, error) {
	rows, err := tx.Query(ctx, detachedRows)
	if err != nil {
		return nil, fmt.Errorf("read what is detached: %w", err)
	}
	out := &detachments{}
	var d detached
	var name string
	var since *time.Time
	var until time.Time
	var entries int64
	var leaf, kept []byte
	var r logRow
	if _, err := pgx.ForEachRow(rows, append([]any{&d.logID, &name, &since, &until, &entries, &leaf, &kept, &d.here}, r.into()...), func() error {
		e, err := verify.ParseLeaf(leaf)
		h := tlog.RecordHash(leaf)
		known := bytes.Equal(kept, h[:]) || kept == nil && r.found() && r.entry().Hash() == h
		c := claim{}
		sameTime := func(a, b *time.Time) bool { return a == nil && b == nil || a != nil && b != nil && a.Equal(*b) }
		switch {
		case err != nil || !known:
			found(d.logID, fmt.Sprintf("hitl.log_detached says that %s was detached with entry %d, and the log has no such entry", name, d.logID))
		case e.ID != d.logID || e.Status != string(hitl.Detached) || json.Unmarshal([]byte(e.Context), &c) != nil ||
			c.Partition != name || !sameTime(c.Since, since) || !c.Until.Equal(until) || c.Entries != entries || time.UnixMicro(e.At).Before(until):
			found(d.logID, fmt.Sprintf("hitl.log_detached says that %s was detached with entry %d, which says something else", name, d.logID))
		default:
			out.list = append(out.list, &detached{claim: c, logID: d.logID, here: d.here, sum: sha256.New()})
		}
		r = logRow{}
		return nil
	}); err != nil {
		return nil, fmt.Errorf("read what is detached: %w", err)
	}
	return out, nil
}

// line looks at a position: what is missing there may be detached.
func (d *detachments) line(l *verify.Line) {
	for _, c := range d.list {
		if !c.holds(l.Position) {
			continue
		}
		if l.Entry == nil {
			l.Detached = c.Partition
		}
		if l.Leaf != nil {
			c.seen++
			c.sum.Write(l.Leaf[:])
		}
	}
}

// check compares what line saw with what the entries said would be there, once the log has ended.
func (d *detachments) check(v *verify.Verifier) {
	for _, c := range d.list {
		if c.seen != c.Entries || hex.EncodeToString(c.sum.Sum(nil)) != c.SHA256 {
			v.Found(verify.Detached, -1, c.logID, fmt.Sprintf("entry %d says that %d entries were detached as %s, and the tree does not hold them so",
				c.logID, c.Entries, c.Partition))
		}
	}
}

// fill reads what is still in the database of detached entries, between two positions, into lines that lack theirs.
func (d *detachments) fill(ctx context.Context, tx pgx.Tx, lines []verify.Line, from, to int64) error {
	for _, c := range d.list {
		if !c.here || !c.overlaps(from, to) {
			continue
		}
		rows, err := tx.Query(ctx, `
			SELECT p.position, `+entryColumns+` FROM hitl.log_positions p JOIN `+pgx.Identifier{"hitl", c.Partition}.Sanitize()+` l ON l.id = p.log_id
			WHERE p.position >= $1 AND p.position < $2`, from, to)
		if err != nil {
			return fmt.Errorf("read detached %s: %w", c.Partition, err)
		}
		var position int64
		var r logRow
		if _, err := pgx.ForEachRow(rows, append([]any{&position}, r.into()...), func() error {
			if l := &lines[position-from]; l.Entry == nil && c.holds(position) {
				e := r.entry()
				l.Entry = &e
			}
			r = logRow{}
			return nil
		}); err != nil {
			return fmt.Errorf("read detached %s: %w", c.Partition, err)
		}
	}
	return nil
}

// away is why a log cannot be written out whole, or nil.
func (d *detachments) away() error {
	var names []string
	for _, c := range d.list {
		if !c.here {
			names = append(names, c.Partition)
		}
	}
	if len(names) == 0 {
		return nil
	}
	return fmt.Errorf("entries of %s were detached and taken away: restore these tables into the schema hitl, or use what was exported before",
		strings.Join(names, ", "))
}

// absence are the times of which the log has no entries, because they are detached.
type absence [][2]*time.Time

// readAbsence returns what is detached. That the log agrees is VerifyLog's business.
func readAbsence(ctx context.Context, q querier) (absence, error) {
	rows, err := q.Query(ctx, `
		SELECT CASE WHEN d.since = '-infinity' THEN NULL ELSE d.since END, d.until FROM hitl.log_detached d
		WHERE NOT EXISTS (SELECT FROM hitl.log_partitions() a WHERE a.since < d.until AND a.until > d.since)`)
	if err != nil {
		return nil, fmt.Errorf("read what is detached: %w", err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (span [2]*time.Time, err error) {
		err = row.Scan(&span[0], &span[1])
		return span, err
	})
	if err != nil {
		return nil, fmt.Errorf("read what is detached: %w", err)
	}
	return list, nil
}

// holds says whether an entry of a time would be among what is detached. No time: no.
func (a absence) holds(at *time.Time) bool {
	return at != nil && slices.ContainsFunc(a, func(span [2]*time.Time) bool {
		return (span[0] == nil || !at.Before(*span[0])) && at.Before(*span[1])
	})
}
