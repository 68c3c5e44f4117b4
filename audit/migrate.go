package audit

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
)

//go:embed migrations/*.sql
var migrationFiles embed.FS

const (
	jobsSchema   = "hitl_jobs"
	versionTable = "hitl.schema_migrations"
	// migrateLock is the advisory lock that lets one migration run at a time: "hitl" in ASCII.
	migrateLock = 0x6869746c
)

// MigrateOptions say what Migrate does besides.
type MigrateOptions struct {
	// ServiceRole is the role the service connects as. It is created if it is missing and given exactly the rights it needs.
	// Empty: no role is touched.
	ServiceRole string
	// ServicePassword lets the role log in with this password. Postgres is sent its SCRAM verifier only, so that the password
	// never stands in a server's log. Empty: an existing role is left as it is, a new one cannot log in until
	// the operator says so (ALTER ROLE … LOGIN).
	ServicePassword string
	// Progress, if set, is told each step in a few words.
	Progress func(string)
}

// Migrate brings the database's schema to what this binary needs, as the schema's owner: ownerDSN is a superuser, or a role that may
// create schemas in the database and, if need be, roles. It only goes forward, does nothing twice, and is safe to run
// from several places at once.
func Migrate(ctx context.Context, ownerDSN string, o MigrateOptions) error {
	if o.Progress == nil {
		o.Progress = func(string) {}
	}
	cfg, err := pgxpool.ParseConfig(ownerDSN)
	if err != nil {
		return fmt.Errorf("read owner's database URL: %w", err)
	}
	cfg.MaxConns = 3 // the lock's, goose's, River's
	cfg.ConnConfig.RuntimeParams["application_name"] = "hitl migrate"
	nameNoStatements(cfg.ConnConfig, ownerDSN)
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return fmt.Errorf("open database: %w", err)
	}
	defer pool.Close()
	lock, err := lockMigrations(ctx, pool)
	if err != nil {
		return fmt.Errorf("wait for other migrations: %w", err)
	}
	defer func() { _ = lock.Rollback(context.WithoutCancel(ctx)) }()

	var version int
	if err := pool.QueryRow(ctx, `SELECT current_setting('server_version_num')::int`).Scan(&version); err != nil {
		return fmt.Errorf("read server version: %w", err)
	}
	if version < 140000 {
		return fmt.Errorf("postgres %d is too old, hitl needs 14 or later", version/10000)
	}
	if _, err := pool.Exec(ctx, `CREATE SCHEMA IF NOT EXISTS hitl; CREATE SCHEMA IF NOT EXISTS `+jobsSchema); err != nil {
		return fmt.Errorf("create schemas: %w", err)
	}
	if err := migrateRecord(ctx, pool, o.Progress); err != nil {
		return err
	}
	if err := prepareMonths(ctx, pool, o.Progress); err != nil {
		return err
	}
	if err := migrateJobs(ctx, pool, o.Progress); err != nil {
		return err
	}
	if o.ServiceRole == "" {
		return nil
	}
	bounded, err := grantService(ctx, pool, o.ServiceRole, o.ServicePassword)
	if err != nil {
		return err
	}
	o.Progress("granted rights to role " + o.ServiceRole)
	if !bounded {
		o.Progress("role " + o.ServiceRole + " keeps its own settings, which this owner may not alter: serve says what it lacks behind a connection pooler")
	}
	return nil
}

// lockMigrations waits until no other migration runs, and holds the lock until the transaction that it returns ends, whatever happens to us.
//
// A lock of a session would stay behind in a connection pooler. It asks again and again: a statement that waits for the lock has a snapshot,
// and CREATE INDEX CONCURRENTLY, in the migration that holds the lock, would wait for that in turn. Between statements, a transaction that
// reads what is committed has none, if they came by the simple protocol: the extended one leaves a portal open, and with it the snapshot.
func lockMigrations(ctx context.Context, pool *pgxpool.Pool) (_ pgx.Tx, err error) {
	tx, err := pool.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.ReadCommitted})
	if err != nil {
		return nil, connectError(err)
	}
	defer func() {
		if err != nil {
			_ = tx.Rollback(context.WithoutCancel(ctx))
		}
	}()
	if _, err := tx.Exec(ctx, `SET LOCAL idle_in_transaction_session_timeout = 0`); err != nil {
		return nil, err
	}
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		var mine bool
		if err := tx.QueryRow(ctx, `SELECT pg_try_advisory_xact_lock($1)`, pgx.QueryExecModeSimpleProtocol, migrateLock).Scan(&mine); err != nil {
			return nil, err
		}
		if mine {
			return tx, nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func migrationFS() fs.FS {
	sub, err := fs.Sub(migrationFiles, "migrations")
	if err != nil {
		panic(err) // the folder is embedded under this very name
	}
	return sub
}

func migrateRecord(ctx context.Context, pool *pgxpool.Pool, progress func(string)) (err error) {
	db := stdlib.OpenDBFromPool(pool)
	defer func() { err = errors.Join(err, db.Close()) }()
	provider, err := goose.NewProvider(goose.DialectPostgres, db, migrationFS(), goose.WithTableName(versionTable),
		goose.WithDisableGlobalRegistry(true), goose.WithSlog(slog.New(slog.DiscardHandler)))
	if err != nil {
		return fmt.Errorf("read migrations: %w", err)
	}
	results, err := provider.Up(ctx)
	if err != nil {
		return fmt.Errorf("migrate schema hitl: %w", err)
	}
	for _, r := range results {
		progress(fmt.Sprintf("schema hitl: %s (%s)", r.Source.Path, r.Duration.Round(1e6)))
	}
	return nil
}

// prepareMonths makes the log's partitions for the months to come, should no service have run to do it.
func prepareMonths(ctx context.Context, pool *pgxpool.Pool, progress func(string)) error {
	made, left, err := makePartitions(ctx, pool)
	if err != nil {
		return err
	}
	if len(made) > 0 {
		progress("made partitions " + strings.Join(made, ", "))
	}
	if len(left) > 0 {
		progress("made no partition " + strings.Join(left, ", ") + ": entries of these months are in hitl.log_default already, and stay there")
	}
	return nil
}

func migrateJobs(ctx context.Context, pool *pgxpool.Pool, progress func(string)) error {
	m, err := jobsMigrator(pool)
	if err != nil {
		return err
	}
	result, err := m.Migrate(ctx, rivermigrate.DirectionUp, nil)
	if err != nil {
		return fmt.Errorf("migrate schema %s: %w", jobsSchema, err)
	}
	for _, v := range result.Versions {
		progress(fmt.Sprintf("schema %s: %d %s (%s)", jobsSchema, v.Version, v.Name, v.Duration.Round(1e6)))
	}
	return nil
}

func jobsMigrator(pool *pgxpool.Pool) (*rivermigrate.Migrator[pgx.Tx], error) {
	m, err := rivermigrate.New(riverpgxv5.New(pool), &rivermigrate.Config{Schema: jobsSchema, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, fmt.Errorf("read job migrations: %w", err)
	}
	return m, nil
}

// ErrOldSchema says that the database needs `hitl migrate` before this binary can use it.
var ErrOldSchema = errors.New("database schema is older than this binary: run `hitl migrate`")

// connectError says of a first query's error what an operator can do about it.
func connectError(err error) error {
	var pg *pgconn.PgError
	if errors.As(err, &pg) && (pg.Code == "28P01" || pg.Code == "28000") { // invalid password, invalid authorization
		return fmt.Errorf("log in to database: %w (`hitl migrate` makes the service's role and sets its password)", err)
	}
	if errors.As(err, &pg) && pg.Code == "08P01" && strings.Contains(pg.Message, "unsupported startup parameter") {
		return fmt.Errorf("connect to database: %w (a connection pooler takes few parameters: take it out of the URL and give it to the role, "+
			"ALTER ROLE … SET …)", err)
	}
	return fmt.Errorf("connect to database: %w", err)
}

// checkSchema refuses a schema that lacks a migration of ours. One that is ahead is fine: migrations keep older binaries working.
func checkSchema(ctx context.Context, pool *pgxpool.Pool) error {
	var exists bool
	if err := pool.QueryRow(ctx, `SELECT to_regclass($1) IS NOT NULL`, versionTable).Scan(&exists); err != nil {
		return connectError(err)
	}
	if !exists {
		return fmt.Errorf("%w (there is no schema yet)", ErrOldSchema)
	}
	var have int64
	if err := pool.QueryRow(ctx, `SELECT coalesce(max(version_id), 0) FROM `+versionTable).Scan(&have); err != nil {
		return fmt.Errorf("read schema version: %w", err)
	}
	want, err := latestMigration()
	if err != nil {
		return err
	}
	if have < want {
		return fmt.Errorf("%w (it is at %d, this binary needs %d)", ErrOldSchema, have, want)
	}
	m, err := jobsMigrator(pool)
	if err != nil {
		return err
	}
	result, err := m.Validate(ctx, nil)
	if err != nil {
		return fmt.Errorf("check schema %s: %w", jobsSchema, err)
	}
	if !result.OK {
		return fmt.Errorf("%w (schema %s: %v)", ErrOldSchema, jobsSchema, result.Messages)
	}
	return nil
}

func latestMigration() (int64, error) {
	names, err := fs.Glob(migrationFS(), "*.sql")
	if err != nil {
		return 0, fmt.Errorf("list migrations: %w", err)
	}
	var latest int64
	for _, name := range names {
		v, err := goose.NumericComponent(name)
		if err != nil {
			return 0, fmt.Errorf("read number of migration %s: %w", name, err)
		}
		latest = max(latest, v)
	}
	return latest, nil
}
