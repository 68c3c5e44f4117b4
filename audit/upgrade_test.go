package audit

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"

	"hitl/audit/verify"
	"hitl/deploy/local/localtest"
)

// schemaAt makes a database with hitl's schema as of a version.
func schemaAt(t *testing.T, version int64) (string, *pgxpool.Pool, *goose.Provider) {
	t.Helper()
	dsn := localtest.Database(t)
	pool, err := pgxpool.New(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	if _, err := pool.Exec(t.Context(), `CREATE SCHEMA hitl`); err != nil {
		t.Fatal(err)
	}
	db := stdlib.OpenDBFromPool(pool)
	t.Cleanup(func() { _ = db.Close() })
	provider, err := goose.NewProvider(goose.DialectPostgres, db, migrationFS(), goose.WithTableName(versionTable), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := provider.UpTo(t.Context(), version); err != nil {
		t.Fatal(err)
	}
	return dsn, pool, provider
}

// A database in use, as of before erasure, keeps what it holds.
func TestMigrateAddsErasure(t *testing.T) {
	t.Parallel()
	dsn, pool, _ := schemaAt(t, 2)
	if _, err := pool.Exec(t.Context(), `
		INSERT INTO hitl.items SELECT 'itm_' || n, 'mail', n, '\x00', now(), 'ana', '\x00', 1, 'A', 0.5, '[]', 1, 1, false, '', 'AI_ACCEPTED', '{}', '', '', '', 0, 1
		FROM generate_series(1, 1000) n;
		INSERT INTO hitl.callbacks (id, source, item_id, body, state) VALUES ('msg_1', 'mail', 'itm_1', 'x', 'dead')`); err != nil {
		t.Fatal(err)
	}
	// An index that a broken build left behind is built anew.
	if _, err := pool.Exec(t.Context(), `CREATE INDEX items_kept ON hitl.items (source)`); err != nil {
		t.Fatal(err)
	}
	if err := Migrate(t.Context(), dsn, MigrateOptions{}); err != nil {
		t.Fatal(err)
	}
	var kept, indexes int
	err := pool.QueryRow(t.Context(), `SELECT
		(SELECT count(*) FROM hitl.items WHERE erased_at IS NULL AND subject = 'ana'),
		(SELECT count(*) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
		    WHERE c.relname IN ('items_kept', 'items_subject') AND i.indisvalid AND i.indpred IS NOT NULL)`).Scan(&kept, &indexes)
	if err != nil || kept != 1000 || indexes != 2 {
		t.Errorf("%d items kept, %d indexes, error %v", kept, indexes, err)
	}
	// What an older binary does to callbacks still works.
	tag, err := pool.Exec(t.Context(), `UPDATE hitl.callbacks SET state = 'pending', attempts = 0 WHERE state = 'dead' AND body = 'x'`)
	if err != nil || tag.RowsAffected() != 1 {
		t.Errorf("revived %d, error %v", tag.RowsAffected(), err)
	}
}

// A log in use becomes one in months while the version before writes into it: every entry, every hash and every right stays, and numbers go on.
func TestMigratePartsTheLog(t *testing.T) {
	t.Parallel()
	dsn, pool, provider := schemaAt(t, 24)
	exec := func(sql string, args ...any) {
		t.Helper()
		if _, err := pool.Exec(t.Context(), sql, args...); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	const insert = `INSERT INTO hitl.log (item_id, at, status, text_ref, ai_label, confidence, label, reviewer, model, policy, context)
		SELECT '', $1::timestamptz + n * interval '1 minute', 'TEST', '\x01', 'A', 0.5, 'A', '', 'm', 'p', '{}' FROM generate_series(1, $2) n`
	exec(`GRANT USAGE ON SCHEMA hitl TO PUBLIC; GRANT SELECT, INSERT ON hitl.log TO PUBLIC`)
	for _, at := range []string{"-infinity", "1970-01-01", "2025-12-31 23:00Z", "infinity", "2999-01-01"} {
		exec(insert, at, 100)
	}
	now := time.Now()
	exec(insert, now, 100)
	s := &Store{cfg: Config{}.withDefaults(), pool: pool}
	if err := s.sequenceAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	// An attempt that was broken off left a bound that is too low by now.
	exec(`ALTER TABLE hitl.log ADD CONSTRAINT log_until CHECK (at < now() + interval '1 hour') NOT VALID`)

	writing, stop := context.WithCancel(t.Context())
	written := make(chan int)
	go func() {
		n := 0
		defer func() { written <- n }()
		for ; writing.Err() == nil; n++ {
			if _, err := pool.Exec(context.WithoutCancel(writing), insert, time.Now(), 1); err != nil {
				t.Errorf("a writer meanwhile: %v", err)
				return
			}
		}
	}()
	err := Migrate(t.Context(), dsn, MigrateOptions{})
	stop()
	more := <-written
	if err != nil {
		t.Fatal(err)
	}
	var entries, inDefault, inTable, greatest, next int
	if err := pool.QueryRow(t.Context(), `SELECT count(*), count(*) FILTER (WHERE tableoid = 'hitl.log_default'::regclass),
		count(*) FILTER (WHERE tableoid::regclass::text LIKE 'hitl.log_before_%'), max(id) FROM hitl.log`).Scan(&entries, &inDefault, &inTable, &greatest); err != nil {
		t.Fatal(err)
	}
	if entries != 600+more || inDefault != 200 || inTable != 400+more || greatest != entries {
		t.Errorf("%d entries, of them %d in the default and %d in the table that was there, the greatest id is %d; %d were written meanwhile",
			entries, inDefault, inTable, greatest, more)
	}
	if err := pool.QueryRow(t.Context(), insert+` RETURNING id`, now, 1).Scan(&next); err != nil || next != greatest+1 {
		t.Errorf("the next id is %d after %d, error %v", next, greatest, err)
	}
	var parts, indexes, triggers, public, constraints, identities int
	if err := pool.QueryRow(t.Context(), `SELECT count(DISTINCT t.relid),
		    (SELECT count(*) FROM pg_index i JOIN pg_partition_tree('hitl.log') p ON p.relid = i.indrelid WHERE i.indisvalid),
		    count(*) FILTER (WHERE g.tgenabled = 'A'), count(*) FILTER (WHERE c.relacl::text LIKE '%{=ar/%' OR c.relacl::text LIKE '%,=ar/%'),
		    (SELECT count(*) FROM pg_constraint WHERE conname = 'log_until'),
		    (SELECT count(*) FROM pg_sequence q JOIN pg_class s ON s.oid = q.seqrelid WHERE s.relname LIKE 'log\_id%')
		FROM pg_partition_tree('hitl.log') t JOIN pg_class c ON c.oid = t.relid LEFT JOIN pg_trigger g ON g.tgrelid = t.relid AND g.tgname = 'append_only'`).
		Scan(&parts, &indexes, &triggers, &public, &constraints, &identities); err != nil {
		t.Fatal(err)
	}
	if parts < 5 || indexes != 3*parts-1 || triggers != parts || public != 1 || constraints != 0 || identities != 1 {
		t.Errorf("%d tables with %d indexes and %d triggers, %d of them for everyone, %d constraints, %d identities", parts, indexes, triggers, public, constraints, identities)
	}
	eventuallySequenced(t, s)
	v := verify.New(nil)
	if err := s.VerifyLog(t.Context(), v); err != nil {
		t.Fatal(err)
	}
	if r := v.Finish(); !r.OK() || r.Entries != int64(entries+1) {
		t.Errorf("report %+v", r)
	}
	// Done again from the beginning, as when the connection broke before it was noted, it changes nothing.
	exec(`DELETE FROM hitl.schema_migrations WHERE version_id = 25`)
	if _, err := provider.ApplyVersion(t.Context(), 25, true); err != nil {
		t.Error(err)
	}
}

// eventuallySequenced waits for the transactions of other tests, in other databases of the server.
func eventuallySequenced(t *testing.T, s *Store) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for waiting := 1; waiting > 0; <-tick.C {
		if err := s.sequenceAll(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := s.pool.QueryRow(t.Context(), `SELECT (SELECT count(*) FROM hitl.log) - (SELECT size FROM hitl.log_tree)`).Scan(&waiting); err != nil {
			t.Fatal(err)
		}
	}
}
