package localtest

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"hitl/deploy/local"
)

// cleanupLimit bounds the removal of a test's database.
const cleanupLimit = 30 * time.Second

// Postgres returns the test binary's server, starting it on first use.
func Postgres(t testing.TB) *local.Postgres {
	t.Helper()
	shared.mu.Lock()
	defer shared.mu.Unlock()
	if shared.postgres == nil {
		err := shared.start("PostgreSQL", func(ctx context.Context) (err error) {
			shared.postgres, err = local.StartPostgres(ctx, local.PostgresOptions{Progress: t.Output()})
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return shared.postgres
}

// Database returns the connection URL of a new empty database, which is
// dropped when the test ends. The user is a superuser.
func Database(t testing.TB) string {
	t.Helper()
	pg := Postgres(t)
	name := unique(t)
	dsn, err := pg.NewDatabase(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	dropAfter(t, pg, name)
	return dsn
}

// template is a database that migrate has prepared, once.
type template struct {
	once sync.Once
	name string
	err  error
}

// DatabaseFrom is Database with the schema that migrate leaves. Migrate runs
// once for each key in the test binary, on a database of its own that is then
// copied for every test; it must have closed its connections when it returns.
func DatabaseFrom(t testing.TB, key string, migrate func(ctx context.Context, dsn string) error) string {
	t.Helper()
	pg := Postgres(t)
	shared.mu.Lock()
	if shared.template == nil {
		shared.template = make(map[string]*template)
	}
	tpl := shared.template[key]
	if tpl == nil {
		tpl = &template{name: "template_" + strconv.Itoa(len(shared.template)+1)}
		shared.template[key] = tpl
	}
	shared.mu.Unlock()

	tpl.once.Do(func() {
		// Later tests use it too, so this test's end must not cut it short.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), startLimit)
		defer cancel()
		dsn, err := pg.NewDatabase(ctx, tpl.name)
		if err == nil {
			err = migrate(ctx, dsn)
		}
		if err != nil {
			tpl.err = fmt.Errorf("prepare template database %q: %w", key, err)
		}
	})
	if tpl.err != nil {
		t.Fatal(tpl.err)
	}
	name := unique(t)
	dsn, err := pg.CloneDatabase(t.Context(), name, tpl.name)
	if err != nil {
		t.Fatal(err)
	}
	dropAfter(t, pg, name)
	return dsn
}

func dropAfter(t testing.TB, pg *local.Postgres, name string) {
	t.Helper()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), cleanupLimit)
		defer cancel()
		if err := pg.DropDatabase(ctx, name); err != nil {
			t.Error(err)
		}
	})
}

// PrivatePostgres returns a server of this test's own, to be killed and
// restarted at will; it is stopped when the test ends.
func PrivatePostgres(t testing.TB, opts local.PostgresOptions) *local.Postgres {
	t.Helper()
	pg, err := local.StartPostgres(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := pg.Stop(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	return pg
}
