//go:build unix

package local

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"
)

func startPostgres(t *testing.T, opts PostgresOptions) *Postgres {
	t.Helper()
	pg, err := StartPostgres(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, pg) })
	return pg
}

func stop(t *testing.T, server interface{ Stop(context.Context) error }) {
	t.Helper()
	if err := server.Stop(context.WithoutCancel(t.Context())); err != nil {
		t.Error(err)
	}
}

func query[T any](t *testing.T, dsn, sql string) T {
	t.Helper()
	var value T
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(t.Context())) }()
	if err := conn.QueryRow(t.Context(), sql).Scan(&value); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return value
}

// await polls until ok: the tests wait for other processes.
func await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(); {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func alive(pid int) bool {
	return syscall.Kill(pid, 0) == nil && commandLine(context.Background(), pid) != ""
}

func TestPostgresTemporary(t *testing.T) {
	t.Parallel()
	pg, err := StartPostgres(t.Context(), PostgresOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if got := query[string](t, pg.DSN(), "SELECT upper('grüße') || current_setting('server_encoding')"); got != "GRÜSSEUTF8" && got != "GRÜßEUTF8" {
		t.Errorf("encoding or locale is off: %q", got)
	}
	if got := query[string](t, pg.DSN(), "SELECT current_setting('listen_addresses') || current_setting('unix_socket_directories')"); got != "127.0.0.1" {
		t.Errorf("listens on %q", got)
	}
	wrong := strings.Replace(pg.DSN(), pg.password, "guess", 1)
	if conn, err := pgx.Connect(t.Context(), wrong); err == nil {
		_ = conn.Close(t.Context())
		t.Error("a wrong password is let in")
	}
	stop(t, pg)
	stop(t, pg)
	if !pg.proc.exited() {
		t.Error("server still runs after Stop")
	}
	if _, err := os.Stat(pg.folder.path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("temporary folder is still there: %v", err)
	}
	if err := pg.Restart(t.Context()); !errors.Is(err, ErrStopped) {
		t.Errorf("Restart after Stop: %v, want ErrStopped", err)
	}
	if err := pg.Kill(); !errors.Is(err, ErrStopped) {
		t.Errorf("Kill after Stop: %v, want ErrStopped", err)
	}
}

// A test's folder is closed to others, as root's home is: the server has to
// get through all the same.
func TestPostgresKeepsData(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "with space", "data")
	pg := startPostgres(t, PostgresOptions{Dir: dir, Durable: true})
	if got := query[string](t, pg.DSN(), "SHOW fsync"); got != "on" {
		t.Errorf("durable server has fsync = %s", got)
	}
	dsn, err := pg.NewDatabase(t.Context(), `odd "name"`)
	if err != nil {
		t.Fatal(err)
	}
	if got := query[string](t, dsn, "SELECT current_database()"); got != `odd "name"` {
		t.Errorf("connected to %q", got)
	}
	if _, err := StartPostgres(t.Context(), PostgresOptions{Dir: dir}); !errors.Is(err, ErrInUse) {
		t.Errorf("second owner: %v, want ErrInUse", err)
	}
	stop(t, pg)

	// A pid file that names a living stranger must not keep the server down.
	pid := filepath.Join(dir, "data", "postmaster.pid")
	if err := os.WriteFile(pid, fmt.Appendf(nil, "%d\n%s\n", os.Getpid(), filepath.Join(dir, "data")), 0o600); err != nil {
		t.Fatal(err)
	}

	again := startPostgres(t, PostgresOptions{Dir: dir})
	if got := query[int](t, again.DSN(), `SELECT count(*)::int FROM pg_database WHERE datname = 'odd "name"'`); got != 1 {
		t.Error("data was not kept")
	}
	if err := again.DropDatabase(t.Context(), `odd "name"`); err != nil {
		t.Fatal(err)
	}
}

func TestPostgresKillRestart(t *testing.T) {
	t.Parallel()
	pg := startPostgres(t, PostgresOptions{})
	before := pg.DSN()
	conn, err := pgx.Connect(t.Context(), before)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(t.Context())) }()
	if _, err := conn.Exec(t.Context(), "CREATE TABLE kept AS SELECT 7 AS n"); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := pg.Kill(); err != nil {
			t.Fatal(err)
		}
		if err := pg.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if err := pg.Kill(); err != nil {
		t.Fatal(err)
	}
	var lc net.ListenConfig
	stranger, err := lc.Listen(t.Context(), "tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(pg.port)))
	if err != nil {
		t.Fatal(err)
	}
	if err := pg.Restart(t.Context()); !errors.Is(err, errPortTaken) {
		t.Errorf("start on a taken port: %v, want errPortTaken", err)
	}
	_ = stranger.Close()
	if err := pg.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	if pg.DSN() != before {
		t.Errorf("DSN changed from %s to %s", before, pg.DSN())
	}
	if got := query[int](t, pg.DSN(), "SELECT n FROM kept"); got != 7 {
		t.Errorf("a commit was lost: %d", got)
	}
	if err := pg.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestPostgresOtherVersion(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, content := range map[string]string{"data/PG_VERSION": "9\n", "password": "x\n"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	_, err := StartPostgres(t.Context(), PostgresOptions{Dir: dir})
	if err == nil || !strings.Contains(err.Error(), "written by PostgreSQL 9") {
		t.Errorf("got %v", err)
	}
}

func TestPostgresCancelled(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	dir := t.TempDir()
	if _, err := StartPostgres(ctx, PostgresOptions{Dir: dir}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
	f, err := openFolder(dir, "")
	if err != nil {
		t.Fatalf("folder was not given up: %v", err)
	}
	if err := f.close(); err != nil {
		t.Error(err)
	}
}

// Servers die with a process that is killed without a chance to stop them,
// and the next owner of the folders finds what was committed.
func TestOwnerKilled(t *testing.T) {
	t.Parallel()
	skipWithoutRedis(t)
	dir := t.TempDir()
	owner := exec.CommandContext(t.Context(), os.Args[0])
	owner.Env = append(os.Environ(), "HITL_LOCAL_TEST_OWNER="+dir)
	owner.Stderr = t.Output()
	in, err := owner.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = in.Close() }()
	out, err := owner.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := owner.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	var dsn, url string
	var pids [2]int
	if _, err := fmt.Sscan(line, &dsn, &url, &pids[0], &pids[1]); err != nil {
		t.Fatalf("%q: %v", line, err)
	}
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Exec(t.Context(), "CREATE TABLE kept AS SELECT 7 AS n"); err != nil {
		t.Fatal(err)
	}
	options, err := redis.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	client := redis.NewClient(options)
	if err := client.Set(t.Context(), "kept", "7", 0).Err(); err != nil {
		t.Fatal(err)
	}
	_ = client.Close()

	if err := owner.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = owner.Wait()
	_ = conn.Close(t.Context())

	// The next owner does not wait for the old servers' end.
	pg := startPostgres(t, PostgresOptions{Dir: dir + "/postgres"})
	if got := query[int](t, pg.DSN(), "SELECT n FROM kept"); got != 7 {
		t.Errorf("found %d, want 7", got)
	}
	for _, pid := range pids {
		await(t, fmt.Sprint("end of process ", pid), func() bool { return !alive(pid) })
	}
	rd := startRedis(t, RedisOptions{Dir: dir + "/redis", NoStandIn: true})
	options, err = redis.ParseURL(rd.URL())
	if err != nil {
		t.Fatal(err)
	}
	client = redis.NewClient(options)
	defer func() { _ = client.Close() }()
	if got := client.Get(t.Context(), "kept").Val(); got != "7" {
		t.Errorf("redis kept %q, want 7", got)
	}
}
