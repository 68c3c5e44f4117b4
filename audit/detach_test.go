package audit_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/mod/sumdb/note"

	"hitl"
	"hitl/audit"
	"hitl/audit/verify"
)

// april is the beginning of the first month that stays in the tests' logs.
var april = time.Date(2026, 4, 1, 0, 0, 0, 0, time.UTC)

// monthlyLog is a signed log with entries of March and April 2026, each in its partition, and of now: one item that was decided and one that was
// not in each.
func monthlyLog(t testing.TB) (s *audit.Store, ownerURL string, owner *pgxpool.Pool, key string, verifier note.Verifier, recs map[time.Month]hitl.Record) {
	t.Helper()
	ownerURL, serviceURL := database(t)
	s, owner = openWith(t, audit.Config{DSN: serviceURL}), pool(t, ownerURL)
	key, verifier = logKey(t)
	_, begin := monthOf(0)
	before := begin.Format("log_before_2006_01")
	if _, err := owner.Exec(t.Context(), fmt.Sprintf(`
		ALTER TABLE hitl.log DETACH PARTITION hitl.%[1]s;
		ALTER TABLE hitl.log ATTACH PARTITION hitl.%[1]s FOR VALUES FROM (MINVALUE) TO ('2026-03-01Z');
		CREATE TABLE hitl.log_2026_03 PARTITION OF hitl.log FOR VALUES FROM ('2026-03-01Z') TO ('2026-04-01Z');
		CREATE TABLE hitl.log_2026_04 PARTITION OF hitl.log FOR VALUES FROM ('2026-04-01Z') TO ('2026-05-01Z')`, before)); err != nil {
		t.Fatal(err)
	}
	recs = map[time.Month]hitl.Record{}
	for _, at := range []time.Time{start, april.Add(time.Hour), time.Now().UTC().Truncate(time.Microsecond)} {
		rec, other := unsure("", at.String()), sure("", "other "+at.String())
		for _, r := range []*hitl.Record{&rec, &other} {
			r.Item.ReceivedAt = at
		}
		rec.Review.OpenedAt, rec.Review.ExpiresAt = at, at.Add(time.Hour)
		mustAppend(t, s, rec, nil)
		mustAppend(t, s, other, nil)
		d := corrected(rec, "U1")
		d.At = at.Add(time.Minute)
		mustDecide(t, s, d, nil)
		recs[at.Month()] = rec
	}
	signAll(t, s, owner, key)
	if r := compared(t, s, verifier); !r.OK() || r.Signed != 9 || r.Detached != 0 || r.Uncompared != 0 {
		t.Fatalf("report before anything was detached: %+v", r)
	}
	return s, ownerURL, owner, key, verifier, recs
}

// signAll signs a checkpoint of every entry, once transactions of other tests, in other databases of the server, have ended.
func signAll(t testing.TB, s *audit.Store, owner *pgxpool.Pool, key string) {
	t.Helper()
	eventually(t, "every entry to have its position", func() bool {
		mustCheckpoint(t, s, key)
		return scalar[bool](t, owner, `SELECT NOT EXISTS (SELECT FROM hitl.log l WHERE NOT EXISTS (SELECT FROM hitl.log_positions p WHERE p.log_id = l.id))`)
	})
}

// compared verifies a log, and the record by it.
func compared(t testing.TB, s *audit.Store, key note.Verifier, seen ...verify.Seen) verify.Report {
	t.Helper()
	r := verified(t, s, key, seen...)
	if err := s.VerifyRecord(t.Context(), &r); err != nil {
		t.Fatal(err)
	}
	return r
}

func mustDetach(t testing.TB, ownerURL string, before time.Time, key note.Verifier, want ...string) {
	t.Helper()
	list, err := audit.Detach(t.Context(), ownerURL, audit.DetachOptions{Before: before, Key: key})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range list {
		got = append(got, fmt.Sprint(p.Name, " ", p.Entries))
	}
	equal(t, "detached", got, want)
}

func beforeMarch() string {
	_, begin := monthOf(0)
	return begin.Format("log_before_2006_01") + " 0"
}

func problems(r verify.Report) string {
	var all []string
	for _, p := range r.Problems {
		all = append(all, fmt.Sprint(p.Kind, ": ", p.Text))
	}
	return strings.Join(all, "\n")
}

// A month that is detached leaves a log that is whole: while its table is there its entries are checked on, and when that was dropped its hashes
// hold the tree.
func TestDetachKeepsTheLogWhole(t *testing.T) {
	t.Parallel()
	s, ownerURL, owner, key, verifier, recs := monthlyLog(t)
	dry, err := audit.Detach(t.Context(), ownerURL, audit.DetachOptions{Before: april, DryRun: true})
	if err != nil || len(dry) != 2 || dry[1].Name != "log_2026_03" || dry[1].Entries != 3 || dry[1].Bytes == 0 {
		t.Fatalf("dry run %+v, error %v", dry, err)
	}
	seen, err := verify.ReadWitness(mustCheckpoint(t, s, key), "the bucket", verifier)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "entries", scalar[int](t, owner, `SELECT count(*) FROM hitl.log`), 9)
	mustDetach(t, ownerURL, april, verifier, beforeMarch(), "log_2026_03 3")
	equal(t, "entries", scalar[int](t, owner, `SELECT count(*) FROM hitl.log`), 8) // two say so
	equal(t, "in the table", scalar[int](t, owner, `SELECT count(*) FROM hitl.log_2026_03`), 3)
	mustDetach(t, ownerURL, april, verifier) // twice is once

	check := func(when string, entries, detached, uncompared int64) {
		t.Helper()
		r := compared(t, s, verifier, seen...)
		if !r.OK() || r.Entries+r.Pending != entries || r.Detached != detached || r.Uncompared != uncompared {
			t.Errorf("%s: %d+%d entries, %d detached, %d uncompared\n%s", when, r.Entries, r.Pending, r.Detached, r.Uncompared, problems(r))
		}
	}
	// Two items and a decision of March have no entry in the log to be compared with.
	check("before the entries have their positions", 11, 0, 3)
	signAll(t, s, owner, key)
	check("with the table there", 11, 0, 3)
	var bundle bytes.Buffer
	if n, err := s.WriteBundle(t.Context(), &bundle); err != nil || n != 11 {
		t.Errorf("bundle of %d, error %v", n, err)
	}
	if _, err := owner.Exec(t.Context(), `CREATE SCHEMA archive; ALTER TABLE hitl.log_2026_03 SET SCHEMA archive`); err != nil {
		t.Fatal(err)
	}
	check("with the table away", 11, 3, 3)
	if _, err := s.WriteBundle(t.Context(), &bundle); err == nil || !strings.Contains(err.Error(), "log_2026_03") {
		t.Errorf("bundle: error %v", err)
	}
	list, err := audit.ListPartitions(t.Context(), ownerURL)
	if err != nil || len(list) != 8 || !list[1].Detached || list[1].Entries != 3 || list[1].Bytes != 0 || !list[1].Until.Equal(april) ||
		list[2].Name != "log_2026_04" || list[2].Detached || list[7].Name != "log_default" {
		t.Errorf("partitions %+v, error %v", list, err)
	}

	// What the rest of the service shows of an item of that month.
	item := recs[time.March].Item.ID
	if rec, err := s.Item(t.Context(), item); err != nil || rec.Item.Text == "" {
		t.Errorf("item %+v, error %v", rec, err)
	}
	if _, err := s.Log(t.Context(), item); !errors.Is(err, hitl.ErrNotFound) || !strings.Contains(err.Error(), "log_2026_03") {
		t.Errorf("its log: error %v", err)
	}
	if proof, err := s.Prove(t.Context(), item); err != nil || len(proof.Proofs) != 0 {
		t.Errorf("its proofs %+v, error %v", proof, err)
	}
	equal(t, "proofs of an item of April", len(mustProve(t, s, recs[time.April].Item.ID, verifier).Proofs), 2)
	for _, never := range []string{"itm_never"} {
		if _, err := s.Log(t.Context(), never); !errors.Is(err, hitl.ErrNotFound) || strings.Contains(err.Error(), "detached") {
			t.Errorf("log of no item: error %v", err)
		}
	}

	// The next month, and with it the one whose entry says that March was detached: that entry is known still.
	if _, err := owner.Exec(t.Context(), `ALTER TABLE archive.log_2026_03 SET SCHEMA hitl;
		ALTER TABLE hitl.log ATTACH PARTITION hitl.log_2026_03 FOR VALUES FROM ('2026-03-01Z') TO ('2026-04-01Z')`); err != nil {
		t.Fatal(err)
	}
	check("attached again", 11, 0, 0)
	tamper(t, owner, `DELETE FROM hitl.log WHERE id = (SELECT min(id) FROM hitl.log)`)
	if r := verified(t, s, verifier); len(r.Problems) != 1 || r.Problems[0].Kind != verify.Missing {
		t.Errorf("a row deleted from what is attached again: %s", problems(r))
	}
}

// An entry may be detached itself that says what was detached before: its leaf is kept.
func TestDetachEntriesOfDetachments(t *testing.T) {
	t.Parallel()
	s, ownerURL, owner, key, verifier, _ := monthlyLog(t)
	mustDetach(t, ownerURL, april, verifier, beforeMarch(), "log_2026_03 3")
	signAll(t, s, owner, key)
	name, begin := monthOf(0)
	if _, err := owner.Exec(t.Context(), `DROP TABLE hitl.log_2026_03`); err != nil {
		t.Fatal(err)
	}
	// As if time had passed: the month goes the way of those before it.
	if _, err := owner.Exec(t.Context(), fmt.Sprintf(`ALTER TABLE hitl.log DETACH PARTITION hitl.%s`, name)); err != nil {
		t.Fatal(err)
	}
	r := verified(t, s, verifier)
	if want := int64(3 + 2); int64(len(r.Problems)) != want || r.Detached != 3 {
		t.Errorf("want the %d entries of %s missing and those of March not: %d detached\n%s", want, begin, r.Detached, problems(r))
	}
}

func TestDetachRefuses(t *testing.T) {
	t.Parallel()
	s, ownerURL, owner, key, verifier, _ := monthlyLog(t)
	_, next := monthOf(1)
	var invalid *hitl.InvalidError
	if _, err := audit.Detach(t.Context(), ownerURL, audit.DetachOptions{Before: next}); !errors.As(err, &invalid) || invalid.Field != "before" {
		t.Errorf("the current month: %v", err)
	}
	_, other := logKey(t)
	refuse := func(what, words string, key note.Verifier) {
		t.Helper()
		if _, err := audit.Detach(t.Context(), ownerURL, audit.DetachOptions{Before: april, Key: key}); !errors.Is(err, audit.ErrNotDetachable) || !strings.Contains(err.Error(), words) {
			t.Errorf("%s: error %v", what, err)
		}
	}
	refuse("another key", "checkpoint", other)
	// The partition before March is empty, and was detached by that.
	equal(t, "detached", scalar[string](t, owner, `SELECT string_agg(name || ' ' || entries, ', ') FROM hitl.log_detached`), beforeMarch())

	insertAt(t, owner, start)
	refuse("an entry without position", "1 of 4 entries have no position", verifier)
	eventually(t, "the entry to have its position", func() bool {
		return sequence(t, s) >= 0 && scalar[bool](t, owner, `SELECT NOT EXISTS (SELECT FROM hitl.log_2026_03 l WHERE NOT EXISTS (SELECT FROM hitl.log_positions p WHERE p.log_id = l.id))`)
	})
	refuse("an entry that is not signed", "hitl log checkpoint", verifier)
	signAll(t, s, owner, key)
	tamper(t, owner, `UPDATE hitl.log SET label = 'x' WHERE at = (SELECT min(at) FROM hitl.log)`)
	refuse("an entry that was altered", "hitl verify", verifier)
	equal(t, "entries of March", scalar[int](t, owner, `SELECT count(*) FROM hitl.log WHERE at < '2026-04-01Z'`), 4)

	if _, err := audit.Detach(t.Context(), ownerURL, audit.DetachOptions{Before: time.Unix(0, 0)}); err != nil {
		t.Errorf("nothing to detach: %v", err)
	}
}

// What somebody with the whole database does to pass off entries as detached, or to detached ones, is found.
func TestTamperWithDetachments(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ sql, want string }{
		"a month dropped": {`DROP TABLE hitl.log_2026_04`, "missing: entry 4 at position 3 is missing"},
		"a month dropped, with a row that says it was detached": {
			`DROP TABLE hitl.log_2026_04;
			INSERT INTO hitl.log_detached SELECT log_id + 100, 'log_2026_04', until, until + interval '1 month', entries, leaf FROM hitl.log_detached WHERE name = 'log_2026_03'`,
			"detached: hitl.log_detached says that log_2026_04 was detached with entry",
		},
		"a month dropped, with a row under another month's entry": {
			`DROP TABLE hitl.log_2026_04;
			UPDATE hitl.log_detached SET name = 'log_2026_04', since = until, until = until + interval '1 month' WHERE name = 'log_2026_03'`,
			"which says something else",
		},
		"a month dropped, with an entry and no row": {
			`DROP TABLE hitl.log_2026_04;
			INSERT INTO hitl.log (item_id, at, status, text_ref, ai_label, confidence, label, reviewer, model, policy, context)
			SELECT item_id, now(), status, text_ref, ai_label, confidence, label, reviewer, model, policy, context FROM hitl.log WHERE status = 'DETACHED' LIMIT 1`,
			"and hitl.log_detached does not",
		},
		"a leaf widened": {
			`UPDATE hitl.log_detached SET leaf = overlay(leaf placing '[[0,9]]'::bytea FROM position('[[0,2]]'::bytea IN leaf)) WHERE name = 'log_2026_03'`,
			"has no such entry",
		},
		"the row deleted":                       {`DELETE FROM hitl.log_detached WHERE name = 'log_2026_03'`, "missing: entry 1 at position 0 is missing"},
		"the entry deleted":                     {`DELETE FROM hitl.log WHERE status = 'DETACHED' AND context->>'partition' = 'log_2026_03'`, "missing: entry 11 at position 10 is missing"},
		"a kept hash altered":                   {`UPDATE hitl.log_positions SET leaf_hash = decode(repeat('00', 32), 'hex') WHERE position = 1`, "hash: the hash kept for position 1 was altered"},
		"an item of a month that is there gone": {`DELETE FROM hitl.log WHERE id = 5`, "missing: entry 5"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, ownerURL, owner, key, verifier, _ := monthlyLog(t)
			mustDetach(t, ownerURL, april, verifier, beforeMarch(), "log_2026_03 3")
			signAll(t, s, owner, key)
			if _, err := owner.Exec(t.Context(), `DROP TABLE hitl.log_2026_03; ALTER TABLE hitl.log_detached DISABLE TRIGGER ALL`); err != nil {
				t.Fatal(err)
			}
			tamper(t, owner, c.sql)
			if r := verified(t, s, verifier); !strings.Contains(problems(r), c.want) {
				t.Errorf("found\n%s\nwant %s", problems(r), c.want)
			}
		})
	}
	t.Run("a row of the table that is kept", func(t *testing.T) {
		t.Parallel()
		s, ownerURL, owner, _, verifier, _ := monthlyLog(t)
		mustDetach(t, ownerURL, april, verifier, beforeMarch(), "log_2026_03 3")
		if _, err := owner.Exec(t.Context(), `ALTER TABLE hitl.log_2026_03 DISABLE TRIGGER ALL; UPDATE hitl.log_2026_03 SET label = 'x' WHERE id = 2`); err != nil {
			t.Fatal(err)
		}
		if r := verified(t, s, verifier); !strings.Contains(problems(r), "entry 2 at position 1 was altered") {
			t.Errorf("found %s", problems(r))
		}
	})
	t.Run("a record of the month that is there", func(t *testing.T) {
		t.Parallel()
		s, ownerURL, owner, _, verifier, recs := monthlyLog(t)
		mustDetach(t, ownerURL, april, verifier, beforeMarch(), "log_2026_03 3")
		if _, err := owner.Exec(t.Context(), `UPDATE hitl.items SET ai_label = 'x' WHERE id = $1`, recs[time.April].Item.ID); err != nil {
			t.Fatal(err)
		}
		if r := compared(t, s, verifier); len(r.Problems) != 1 || !strings.Contains(problems(r), "differs from its entry 4 in ai_label") {
			t.Errorf("found %s", problems(r))
		}
	})
}
