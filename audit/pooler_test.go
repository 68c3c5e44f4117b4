package audit_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"sync"
	"testing"

	"golang.org/x/mod/semver"

	"hitl/audit"
	"hitl/deploy/local"
	"hitl/deploy/local/localtest"
)

// bouncer returns a pooler with three sessions for each role and database.
func bouncer(t *testing.T, settings map[string]string) *local.PgBouncer {
	t.Helper()
	if settings == nil {
		settings = map[string]string{}
	}
	if settings["default_pool_size"] == "" {
		settings["default_pool_size"] = "3"
	}
	return localtest.PgBouncer(t, local.PgBouncerOptions{Passwords: map[string]string{serviceRole: servicePassword}, Settings: settings})
}

// through is a database's URL by way of the pooler, as the service's role if the URL of its owner is not meant, with more parameters.
func through(t *testing.T, b *local.PgBouncer, dsn string, asService bool, more ...string) string {
	t.Helper()
	pooled, err := b.DSN(dsn)
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(pooled)
	if err != nil {
		t.Fatal(err)
	}
	if asService {
		u.User = url.UserPassword(serviceRole, servicePassword)
	}
	u.RawQuery = strings.Join(append([]string{u.RawQuery}, more...), "&")
	return u.String()
}

// Several migrations of an empty database at once, all through the pooler, whose sessions outlive them; then the service, with more connections
// than there are sessions.
func TestBehindAPooler(t *testing.T) {
	t.Parallel()
	b := bouncer(t, map[string]string{"default_pool_size": "8"})
	direct := localtest.Database(t)
	owner, service := through(t, b, direct, false), through(t, b, direct, true)
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			if err := migrate(t.Context(), owner); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	equal(t, "locks that stay", scalar[int](t, pool(t, direct), `SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database
		WHERE locktype = 'advisory' AND datname = current_database()`), 0)

	var logs bytes.Buffer
	s := openWith(t, audit.Config{DSN: service, MaxConns: 16, Logger: slog.New(slog.NewTextHandler(&logs, nil))})
	if got := logs.String(); !strings.Contains(got, "behind a connection pooler") || strings.Contains(got, "unset") {
		t.Errorf("logged %q", got)
	}
	for range 8 {
		wg.Go(func() {
			for i := range 10 {
				rec := mustAppend(t, s, unsure("", fmt.Sprint("text ", i)), nil)
				mustDecide(t, s, corrected(rec, "U1"), nil)
			}
		})
	}
	wg.Wait()
	p := pool(t, through(t, b, direct, true, "default_query_exec_mode=exec"))
	for setting, want := range map[string]string{
		"statement_timeout": "30s", "lock_timeout": "10s", "idle_in_transaction_session_timeout": "10s", "TimeZone": "UTC",
	} {
		equal(t, setting, scalar[string](t, p, `SELECT current_setting('`+setting+`')`), want)
	}
	equal(t, "decisions", scalar[int](t, p, `SELECT count(*) FROM hitl.decisions`), 80)
	equal(t, "prepared statements", scalar[int](t, p, `SELECT count(*) FROM pg_prepared_statements`), 0)
	if _, _, err := audit.CreateKey(t.Context(), owner, audit.NewKey{Source: "mail", Rights: nil}); err == nil {
		t.Error("made a key without rights")
	}
}

// What an operator has given the role stays, and what nobody has is told.
func TestPoolerWithoutLimits(t *testing.T) {
	t.Parallel()
	b := bouncer(t, nil)
	direct := localtest.Database(t)
	if err := migrate(t.Context(), direct); err != nil {
		t.Fatal(err)
	}
	database := strings.TrimPrefix(must(url.Parse(direct)).Path, "/")
	owner := pool(t, direct)
	for _, statement := range []string{"RESET ALL", "SET lock_timeout = '3s'"} {
		if _, err := owner.Exec(t.Context(), `ALTER ROLE `+serviceRole+` IN DATABASE `+database+` `+statement); err != nil {
			t.Fatal(err)
		}
	}
	var logs bytes.Buffer
	openWith(t, audit.Config{DSN: through(t, b, direct, true), Logger: slog.New(slog.NewTextHandler(&logs, nil))})
	if got := logs.String(); !strings.Contains(got, "hitl migrate") || !strings.Contains(got, `unset="[idle_in_transaction_session_timeout statement_timeout]"`) {
		t.Errorf("logged %q", got)
	}
	if err := migrate(t.Context(), direct); err != nil {
		t.Fatal(err)
	}
	fresh := bouncer(t, nil) // sessions keep what was theirs when they began
	p := pool(t, through(t, fresh, direct, true, "default_query_exec_mode=exec"))
	equal(t, "the operator's", scalar[string](t, p, `SELECT current_setting('lock_timeout')`), "3s")
	equal(t, "ours", scalar[string](t, p, `SELECT current_setting('statement_timeout')`), "30s")

	_, err := audit.Open(t.Context(), audit.Config{DSN: through(t, b, direct, true, "statement_timeout=1000")})
	if err == nil || !strings.Contains(err.Error(), "unsupported startup parameter") || !strings.Contains(err.Error(), "ALTER ROLE") {
		t.Errorf("a parameter that the pooler does not take: %v", err)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// From 1.21 on PgBouncer keeps prepared statements if it is told to, and the URL may say so.
func TestPoolerThatKeepsPreparedStatements(t *testing.T) {
	t.Parallel()
	if b := bouncer(t, nil); semver.Compare("v"+b.Version(), "v1.21.0") < 0 {
		t.Skipf("NOT TESTED: prepared statements behind a pooler: PgBouncer %s keeps none, 1.21 does", b.Version())
	}
	b := bouncer(t, map[string]string{"max_prepared_statements": "100"})
	_, service := database(t)
	for _, mode := range []string{"cache_statement", "cache_describe"} {
		s := openWith(t, audit.Config{DSN: through(t, b, service, true, "default_query_exec_mode="+mode), MaxConns: 8})
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				rec := mustAppend(t, s, unsure("", mode), nil)
				mustDecide(t, s, corrected(rec, "U1"), nil)
			})
		}
		wg.Wait()
	}
}
