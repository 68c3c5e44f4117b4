package audit

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// defaultStatementTimeout bounds each statement, exports excepted.
const defaultStatementTimeout = 30 * time.Second

// sessionSettings are what every session of the service shall have. They travel with a connection's first packet; a connection pooler refuses
// them there or forgets them, so that Migrate makes them the role's own besides.
func sessionSettings(statementTimeout time.Duration) map[string]string {
	return map[string]string{
		"statement_timeout":                   strconv.FormatInt(statementTimeout.Milliseconds(), 10),
		"lock_timeout":                        "10000",
		"idle_in_transaction_session_timeout": "10000",
		"timezone":                            "UTC",
	}
}

// throughPooler says whether a connection leads to a pooler, such as PgBouncer, which lends it a session of Postgres for each transaction.
// A pooler does not know yet which one when it greets, so that the process it names there is none of Postgres.
func throughPooler(ctx context.Context, cfg *pgx.ConnConfig) (bool, error) {
	conn, err := pgx.ConnectConfig(ctx, cfg.Copy())
	if err != nil {
		return false, connectError(err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	var pid uint32
	if err := conn.QueryRow(ctx, `SELECT pg_backend_pid()`, pgx.QueryExecModeSimpleProtocol).Scan(&pid); err != nil {
		return false, connectError(err)
	}
	return pid != conn.PgConn().PID(), nil
}

// nameNoStatements lets connections go through a pooler, where the next transaction may have another session, which does not know what was
// prepared in the last. A pooler that keeps prepared statements is the operator's to know: the DSN's default_query_exec_mode goes before.
func nameNoStatements(cfg *pgx.ConnConfig, dsn string) {
	if !strings.Contains(dsn, "default_query_exec_mode") {
		cfg.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe
	}
}

// checkPooled says that there is a pooler, and warns of what is not bounded behind it.
func (s *Store) checkPooled(ctx context.Context) error {
	names, err := unbounded(ctx, s.pool)
	if err != nil {
		return err
	}
	s.cfg.Logger.InfoContext(ctx, "the database is behind a connection pooler: statements go unprepared, the role's own settings bound them")
	if len(names) > 0 {
		s.cfg.Logger.WarnContext(ctx, "behind the connection pooler nothing bounds what a stuck replica holds: run `hitl migrate` as a role that may "+
			"ALTER ROLE, or set them for the service's role by hand, then let the pooler reconnect", "unset", names)
	}
	return nil
}

// unbounded returns the names of the time limits that sessions of the service go without, in order.
func unbounded(ctx context.Context, pool *pgxpool.Pool) ([]string, error) {
	rows, err := pool.Query(ctx, `SELECT name FROM pg_settings WHERE name LIKE '%timeout' AND name = ANY($1) AND setting = '0' ORDER BY name`,
		slices.Collect(maps.Keys(sessionSettings(defaultStatementTimeout))))
	if err != nil {
		return nil, fmt.Errorf("read settings: %w", err)
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("read settings: %w", err)
	}
	return names, nil
}

// boundRole makes the session's settings the role's own in this database, for sessions behind a pooler. What an operator has given the role
// stays. It reports false when the owner has no right to: that is no error, for connections without a pooler bring the settings along.
func boundRole(ctx context.Context, tx pgx.Tx, role string) (bool, error) {
	rows, err := tx.Query(ctx, `
		SELECT split_part(c, '=', 1) FROM pg_db_role_setting s, unnest(s.setconfig) c
		WHERE s.setrole = (SELECT oid FROM pg_roles WHERE rolname = $1)
		  AND s.setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))`, role)
	if err != nil {
		return false, fmt.Errorf("read service role's settings: %w", err)
	}
	given, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return false, fmt.Errorf("read service role's settings: %w", err)
	}
	var database string
	if err := tx.QueryRow(ctx, `SELECT current_database()`).Scan(&database); err != nil {
		return false, fmt.Errorf("read database's name: %w", err)
	}
	settings := sessionSettings(defaultStatementTimeout)
	err = pgx.BeginFunc(ctx, tx, func(savepoint pgx.Tx) error {
		for _, name := range slices.Sorted(maps.Keys(settings)) {
			if slices.ContainsFunc(given, func(g string) bool { return strings.EqualFold(g, name) }) {
				continue
			}
			_, err := savepoint.Exec(ctx, `ALTER ROLE `+pgx.Identifier{role}.Sanitize()+` IN DATABASE `+pgx.Identifier{database}.Sanitize()+
				` SET `+name+` = '`+settings[name]+`'`)
			if err != nil {
				return err
			}
		}
		return nil
	})
	var pg *pgconn.PgError
	if errors.As(err, &pg) && pg.Code == "42501" { // insufficient privilege
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("set service role's settings: %w", err)
	}
	return true, nil
}
