package audit

import (
	"context"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// serviceGrants are all the rights of the service, $ROLE standing for its name. A callback's body, an item and a decision cannot
// be changed; the log can be added to and read. What hitl.erase does, with its trace in the log, is the one exception.
var serviceGrants = []string{
	`REVOKE ALL ON ALL TABLES IN SCHEMA hitl, hitl_jobs FROM $ROLE`,
	`REVOKE ALL ON ALL FUNCTIONS IN SCHEMA hitl, hitl_jobs FROM $ROLE`,
	`GRANT USAGE ON SCHEMA hitl, hitl_jobs TO $ROLE`,
	`GRANT SELECT ON ALL TABLES IN SCHEMA hitl TO $ROLE`,
	`GRANT INSERT ON hitl.log, hitl.items, hitl.item_texts, hitl.decisions, hitl.verdicts, hitl.notes, hitl.policy_versions TO $ROLE`,
	`GRANT INSERT ON hitl.log_positions, hitl.log_checkpoints TO $ROLE`,
	`GRANT INSERT, UPDATE (data) ON hitl.log_tiles TO $ROLE`,
	`GRANT UPDATE (size, horizon) ON hitl.log_tree TO $ROLE`,
	`GRANT INSERT, UPDATE (engine) ON hitl.model_versions TO $ROLE`,
	`GRANT INSERT, UPDATE (round, state, queue, priority, opened_at, expires_at, closed_at, version, claimed_team, claimed_user, claimed_until,
	     undo_until, remind_at, escalate_at, entered_at, panel) ON hitl.reviews TO $ROLE`,
	`GRANT INSERT, UPDATE (channel, ts, state, attempt, live, begun_at) ON hitl.cards TO $ROLE`,
	`GRANT INSERT, UPDATE (state, attempts, last_error, delivered_at, next_at) ON hitl.callbacks TO $ROLE`,
	`GRANT INSERT, UPDATE ON hitl.timers TO $ROLE`,
	`GRANT INSERT, UPDATE (state, attempts, channel, ts) ON hitl.notices TO $ROLE`,
	`GRANT INSERT, UPDATE, DELETE ON hitl.pauses TO $ROLE`,
	`GRANT INSERT, UPDATE (state, decided_at, decided_by, number) ON hitl.proposals TO $ROLE`,
	`GRANT INSERT ON hitl.shadow TO $ROLE`,
	`GRANT INSERT, UPDATE (active, shown_at) ON hitl.gold TO $ROLE`,
	`GRANT INSERT, UPDATE (drawn_at), DELETE ON hitl.gold_masters TO $ROLE`,
	`GRANT INSERT, UPDATE (version, sealed, expires_at, leased_by, leased_until) ON hitl.slack_tokens TO $ROLE`,
	`GRANT INSERT, UPDATE (run, keys, seen_at), DELETE ON hitl.attempts TO $ROLE`,
	`GRANT EXECUTE ON FUNCTION hitl.make_log_partitions() TO $ROLE`,
	`GRANT EXECUTE ON FUNCTION hitl.erase(text[], timestamptz, text, text) TO $ROLE`,
	`GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA hitl_jobs TO $ROLE`,
	`REVOKE INSERT, UPDATE, DELETE ON hitl_jobs.river_migration FROM $ROLE`,
	`GRANT USAGE ON ALL SEQUENCES IN SCHEMA hitl_jobs TO $ROLE`,
}

// grantService makes the role what serviceGrants say, in one transaction, so that a running service never lacks a right. Bounded is that of
// boundRole.
func grantService(ctx context.Context, pool *pgxpool.Pool, role, password string) (bounded bool, err error) {
	for range 10 { // a role is the server's, and may be changed from another of its databases at the same moment
		if bounded, err = grantOnce(ctx, pool, role, password); !concurrentlyUpdated(err) {
			return bounded, err
		}
		select {
		case <-time.After(jitter(100 * time.Millisecond)):
		case <-ctx.Done():
			return false, ctx.Err()
		}
	}
	return bounded, err
}

// concurrentlyUpdated is how Postgres refuses the second of two changes of a role at once: it does not wait.
func concurrentlyUpdated(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Code == "XX000" && strings.Contains(pg.Message, "tuple concurrently")
}

func grantOnce(ctx context.Context, pool *pgxpool.Pool, role, password string) (bounded bool, err error) {
	err = pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		var exists, owner bool
		err := tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1), current_user = $1`, role).Scan(&exists, &owner)
		if err != nil {
			return fmt.Errorf("look up service role: %w", err)
		}
		if owner {
			return fmt.Errorf("role %q owns the schema and could alter the log; give the service a role of its own", role)
		}
		name := pgx.Identifier{role}.Sanitize()
		if !exists {
			if err := createRole(ctx, tx, name); err != nil {
				return err
			}
		}
		if password != "" {
			verifier, err := scramVerifier(password)
			if err != nil {
				return fmt.Errorf("set service role's password: %w", err)
			}
			if _, err := tx.Exec(ctx, `ALTER ROLE `+name+` LOGIN PASSWORD '`+verifier+`'`); err != nil {
				return fmt.Errorf("set service role's password: %w", err)
			}
		}
		for _, grant := range serviceGrants {
			if _, err := tx.Exec(ctx, strings.ReplaceAll(grant, "$ROLE", name)); err != nil {
				return fmt.Errorf("grant rights to service role: %w", err)
			}
		}
		bounded, err = boundRole(ctx, tx, role)
		return err
	})
	return bounded, err
}

// createRole tolerates that a migration of another database, whose lock is not ours, made the role meanwhile.
func createRole(ctx context.Context, tx pgx.Tx, name string) error {
	err := pgx.BeginFunc(ctx, tx, func(savepoint pgx.Tx) error {
		_, err := savepoint.Exec(ctx, `CREATE ROLE `+name+` NOLOGIN`)
		return err
	})
	var pg *pgconn.PgError
	if errors.As(err, &pg) && (pg.Code == "42710" || pg.Code == "23505") { // duplicate object, unique violation
		return nil
	}
	if err != nil {
		return fmt.Errorf("create service role: %w", err)
	}
	return nil
}

// scramVerifier returns what Postgres stores for a password (RFC 5803, RFC 7677). It wants printable ASCII, on which SASLprep
// changes nothing.
func scramVerifier(password string) (string, error) {
	if strings.ContainsFunc(password, func(r rune) bool { return r < ' ' || r > '~' }) {
		return "", errors.New("password may hold printable ASCII only")
	}
	const iterations = 4096
	var salt [16]byte
	_, _ = rand.Read(salt[:]) // never fails
	salted, err := pbkdf2.Key(sha256.New, password, salt[:], iterations, sha256.Size)
	if err != nil {
		return "", fmt.Errorf("derive key: %w", err)
	}
	sign := func(key []byte, what string) []byte {
		h := hmac.New(sha256.New, key)
		h.Write([]byte(what))
		return h.Sum(nil)
	}
	stored := sha256.Sum256(sign(salted, "Client Key"))
	b64 := base64.StdEncoding.EncodeToString
	return fmt.Sprintf("SCRAM-SHA-256$%d:%s$%s:%s", iterations, b64(salt[:]), b64(stored[:]), b64(sign(salted, "Server Key"))), nil
}
