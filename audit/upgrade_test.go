package audit

import (
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"

	"hitl/deploy/local/localtest"
)

// A database in use, as of before erasure, keeps what it holds.
func TestMigrateAddsErasure(t *testing.T) {
	t.Parallel()
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
	if _, err := provider.UpTo(t.Context(), 2); err != nil {
		t.Fatal(err)
	}
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
	err = pool.QueryRow(t.Context(), `SELECT
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
