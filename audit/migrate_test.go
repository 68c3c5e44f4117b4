package audit_test

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"hitl/audit"
	"hitl/deploy/local/localtest"
)

func TestMigrateTwiceAndAtOnce(t *testing.T) {
	t.Parallel()
	dsn := localtest.Database(t)
	if _, err := audit.Open(t.Context(), audit.Config{DSN: dsn}); !errors.Is(err, audit.ErrOldSchema) {
		t.Fatalf("open an empty database: %v", err)
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	var steps []string
	for range 4 {
		wg.Go(func() {
			err := audit.Migrate(t.Context(), dsn, audit.MigrateOptions{
				ServiceRole: "hitl_" + t.Name(), ServicePassword: "p'a\\ss", Progress: func(step string) {
					mu.Lock()
					defer mu.Unlock()
					steps = append(steps, step)
				},
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	first := 0
	for _, step := range steps {
		if strings.HasPrefix(step, "schema hitl: 00001") {
			first++
		}
	}
	equal(t, "times the first step was done", first, 1)
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword("hitl_"+t.Name(), "p'a\\ss")
	s := openWith(t, audit.Config{DSN: u.String()})
	if err := s.Ready(t.Context()); err != nil {
		t.Error(err)
	}
	mustAppend(t, s, sure("a", "fine"), nil)
	s.Close()
	if _, err := pool(t, dsn).Exec(t.Context(), `REASSIGN OWNED BY `+pgx.Identifier{u.User.Username()}.Sanitize()+` TO CURRENT_USER;
		DROP OWNED BY `+pgx.Identifier{u.User.Username()}.Sanitize()+`; DROP ROLE `+pgx.Identifier{u.User.Username()}.Sanitize()); err != nil {
		t.Error(err)
	}
}

func TestMigrateRefuses(t *testing.T) {
	t.Parallel()
	dsn := localtest.Database(t)
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	for name, o := range map[string]audit.MigrateOptions{
		"owner as service role": {ServiceRole: u.User.Username()},
		"password beyond ASCII": {ServiceRole: "hitl_never_made", ServicePassword: "pässword"},
	} {
		if err := audit.Migrate(t.Context(), dsn, o); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	equal(t, "roles made", scalar[int](t, pool(t, dsn), `SELECT count(*) FROM pg_roles WHERE rolname = 'hitl_never_made'`), 0)
}

func TestOpenRefusesOlderTakesNewer(t *testing.T) {
	t.Parallel()
	owner, service := database(t)
	p := pool(t, owner)
	for _, change := range []struct {
		sql string
		ok  bool
	}{
		{`INSERT INTO hitl.schema_migrations (version_id, is_applied) VALUES (9999, true)`, true},
		{`DELETE FROM hitl.schema_migrations WHERE version_id > 0`, false},
		{`INSERT INTO hitl.schema_migrations (version_id, is_applied) VALUES (9999, true); DELETE FROM hitl_jobs.river_migration WHERE version > 6`, false},
	} {
		if _, err := p.Exec(t.Context(), change.sql); err != nil {
			t.Fatal(err)
		}
		s, err := audit.Open(t.Context(), audit.Config{DSN: service})
		if err == nil {
			s.Close()
		}
		if change.ok && err != nil || !change.ok && (!errors.Is(err, audit.ErrOldSchema) || !strings.Contains(err.Error(), "hitl migrate")) {
			t.Errorf("after %s: %v", change.sql, err)
		}
	}
}

// Serving before migrating is the first thing that goes wrong; Postgres itself only speaks of a wrong password.
// A role belongs to the server: several databases that are migrated at once change it at once, which Postgres refuses.
func TestMigrateDatabasesOfOneServerAtOnce(t *testing.T) {
	t.Parallel()
	var wg sync.WaitGroup
	role := "hitl_" + t.Name()
	dsns := []string{localtest.Database(t), localtest.Database(t), localtest.Database(t)}
	for range 3 { // the later ones have nothing to do but the role
		for _, dsn := range dsns {
			wg.Go(func() {
				if err := audit.Migrate(t.Context(), dsn, audit.MigrateOptions{ServiceRole: role, ServicePassword: "secret"}); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	}
	name := pgx.Identifier{role}.Sanitize()
	for _, dsn := range dsns {
		if _, err := pool(t, dsn).Exec(t.Context(), `REASSIGN OWNED BY `+name+` TO CURRENT_USER; DROP OWNED BY `+name); err != nil {
			t.Error(err)
		}
	}
	if _, err := pool(t, dsns[0]).Exec(t.Context(), `DROP ROLE `+name); err != nil {
		t.Error(err)
	}
}

func TestOpenAsARoleThatIsNotThere(t *testing.T) {
	t.Parallel()
	dsn := localtest.Database(t)
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword("hitl_nobody", "x")
	s, err := audit.Open(t.Context(), audit.Config{DSN: u.String()})
	if err == nil {
		s.Close()
		t.Fatal("opened")
	}
	if !strings.Contains(err.Error(), "hitl migrate") {
		t.Errorf("error is %v", err)
	}
}

func refused(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Code == "42501" // insufficient privilege
}

func TestLogOnlyGrows(t *testing.T) {
	t.Parallel()
	ownerDSN, serviceDSN := database(t)
	mustAppend(t, openWith(t, audit.Config{DSN: serviceDSN}), sure("a", "fine"), nil)
	owner, service := pool(t, ownerDSN), pool(t, serviceDSN)
	changes := []string{
		`UPDATE hitl.log SET label = 'x'`, `UPDATE hitl.log SET label = 'x' WHERE false`, `DELETE FROM hitl.log`, `TRUNCATE hitl.log`,
		`TRUNCATE hitl.log CASCADE`,
	}
	for _, partition := range scalar[[]string](t, owner, `SELECT array_agg(name) FROM hitl.log_partitions()`) {
		partition = pgx.Identifier{"hitl", partition}.Sanitize()
		changes = append(changes, `UPDATE `+partition+` SET label = 'x'`, `DELETE FROM `+partition, `TRUNCATE `+partition,
			`INSERT INTO `+partition+` OVERRIDING SYSTEM VALUE SELECT * FROM hitl.log ON CONFLICT (id) DO UPDATE SET label = 'x'`)
	}
	equal(t, "statements", len(changes), 5+4*6)
	for _, change := range changes {
		if _, err := service.Exec(t.Context(), change); !refused(err) {
			t.Errorf("service: %s: %v", change, err)
		}
		if _, err := owner.Exec(t.Context(), change); !refused(err) {
			t.Errorf("superuser: %s: %v", change, err)
		}
		if _, err := owner.Exec(t.Context(), `SET session_replication_role = replica; `+change); !refused(err) {
			t.Errorf("superuser as replica: %s: %v", change, err)
		}
	}
	equal(t, "entries", scalar[int](t, owner, `SELECT count(*) FROM hitl.log WHERE label = 'POSITIVE'`), 1)
}

// What the service must not do, beyond the log.
func TestServiceRights(t *testing.T) {
	t.Parallel()
	_, service := database(t)
	p := pool(t, service)
	for _, change := range []string{
		`ALTER TABLE hitl.log DISABLE TRIGGER append_only`, `DROP TRIGGER append_only ON hitl.log`, `DROP TABLE hitl.log`,
		`CREATE OR REPLACE FUNCTION hitl.refuse_change() RETURNS trigger LANGUAGE sql AS ''`, `SET session_replication_role = replica`,
		`CREATE TABLE hitl.more (id int)`, `UPDATE hitl.decisions SET label = 'x'`, `DELETE FROM hitl.decisions`,
		`UPDATE hitl.items SET ai_label = 'x'`, `DELETE FROM hitl.items`, `UPDATE hitl.callbacks SET body = ''`, `DELETE FROM hitl.callbacks`,
		`UPDATE hitl.reviews SET item_id = ''`, `UPDATE hitl.policy_versions SET text = ''`, `UPDATE hitl.model_versions SET labels = '{}'`,
		`DELETE FROM hitl.schema_migrations`, `DELETE FROM hitl_jobs.river_migration`, `DELETE FROM hitl.item_texts`,
		`UPDATE hitl.shadow SET label = 'x'`, `DELETE FROM hitl.shadow`,
		`ALTER TABLE hitl.log DETACH PARTITION hitl.log_default`, `DROP TABLE hitl.log_default`, `INSERT INTO hitl.log_default SELECT * FROM hitl.log`,
		`ALTER TABLE hitl.log_default DISABLE TRIGGER append_only`, `CREATE TABLE hitl.log_1999_01 PARTITION OF hitl.log FOR VALUES FROM ('1999-01-01') TO ('1999-02-01')`,
	} {
		_, err := p.Exec(t.Context(), change)
		var pg *pgconn.PgError
		if !refused(err) && (!errors.As(err, &pg) || pg.Code != "42809") {
			t.Errorf("%s: %v", change, err)
		}
	}
	rights := scalar[string](t, p, `SELECT string_agg(p, ' ') FROM unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) p
		WHERE has_table_privilege('hitl.log', p)`)
	equal(t, "rights on the log", rights, "SELECT INSERT")
}

// A connection that Postgres ends between two calls costs no call.
func TestConnectionsRecover(t *testing.T) {
	t.Parallel()
	s, owner := open(t)
	mustAppend(t, s, sure("a", "fine"), nil)
	killed := scalar[int](t, owner, `SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
		WHERE datname = current_database() AND pid <> pg_backend_pid() AND application_name = 'hitl'`)
	if killed == 0 {
		t.Fatal("no connection to end")
	}
	eventually(t, "append works again", func() bool {
		_, _, err := s.Append(context.WithoutCancel(t.Context()), sure("b", "fine"), nil)
		return err == nil
	})
}
