//go:build unix

package local

import (
	"errors"
	"os"
	"testing"

	"github.com/jackc/pgx/v5"
)

// The pooler lends sessions: what it greets with is no process of Postgres. It leaves nothing behind.
func TestPgBouncer(t *testing.T) {
	t.Parallel()
	pg, err := StartPostgres(t.Context(), PostgresOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, pg) })
	b, err := StartPgBouncer(t.Context(), pg, PgBouncerOptions{Settings: map[string]string{"default_pool_size": "1"}})
	if errors.Is(err, ErrNoPgBouncer) && os.Getenv("CI")+os.Getenv("HITL_REQUIRE_SERVERS") == "" {
		t.Skipf("NOT TESTED: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, b) })
	dsn, err := b.DSN(pg.DSN())
	if err != nil {
		t.Fatal(err)
	}
	var sessions []int32
	for range 2 { // both clients are connected at once and have the one session in turn
		conn, err := pgx.Connect(t.Context(), dsn)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close(t.Context()) })
		var pid int32
		if err := conn.QueryRow(t.Context(), "SELECT pg_backend_pid()", pgx.QueryExecModeExec).Scan(&pid); err != nil {
			t.Fatal(err)
		}
		if uint32(pid) == conn.PgConn().PID() {
			t.Error("the pooler names its session when it greets")
		}
		sessions = append(sessions, pid)
	}
	if sessions[0] != sessions[1] {
		t.Errorf("sessions %v, want one", sessions)
	}
	if err := b.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(b.folder.path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("folder after stop: %v", err)
	}
}
