package audit

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"hitl"
)

// keyPrefix begins every key, so that people and secret scanners know one when they see it.
const keyPrefix = "hitl_"

// keyBytes is the randomness of a key: 160 bits, 32 characters of base32.
const keyBytes = 20

// APIKey is what the database holds of an API key.
type APIKey struct {
	hitl.Key
	Hint      string // beginning of the key's hash
	Note      string
	CreatedAt time.Time // by the database's clock, as all times of keys
	CreatedBy string    // role of the database
	RevokedAt time.Time // zero: it was not
}

// NewKey is what a key shall be.
type NewKey struct {
	Source    string // empty for an admin's
	Rights    []hitl.Right
	ExpiresIn time.Duration // 0: never
	Note      string        // at most 200 bytes
}

// CreateKey makes a key, as the schema's owner, and returns it: this is the only time that anybody sees it, and Postgres never does. Errors are
// *hitl.InvalidError for what no key can be, ErrNotOwner, or Postgres'.
func CreateKey(ctx context.Context, ownerDSN string, k NewKey) (key string, created APIKey, err error) {
	if err := k.check(); err != nil {
		return "", APIKey{}, err
	}
	var random [keyBytes]byte
	_, _ = rand.Read(random[:]) // never fails
	key = keyPrefix + strings.ToLower(base32.StdEncoding.EncodeToString(random[:]))
	hash := hitl.HashKey(key)
	err = asOwner(ctx, ownerDSN, func(conn *pgx.Conn) error {
		rows, err := conn.Query(ctx, `
			INSERT INTO hitl.api_keys (id, hash, source, rights, note, expires_at)
			VALUES ($1, $2, $3, $4, $5, CASE WHEN $6::bigint > 0 THEN now() + $6 * interval '1 microsecond' END)
			RETURNING `+keyColumns,
			hitl.NewID("key", time.Now()), hash[:], k.Source, k.Rights, k.Note, k.ExpiresIn.Microseconds())
		if err != nil {
			return err
		}
		created, err = pgx.CollectExactlyOneRow(rows, scanKey)
		return err
	})
	if err != nil {
		return "", APIKey{}, fmt.Errorf("create key: %w", err)
	}
	return key, created, nil
}

func (k NewKey) check() error {
	if err := hitl.CheckKey(k.Source, k.Rights); err != nil {
		return err
	}
	if k.ExpiresIn < 0 {
		return &hitl.InvalidError{Field: "expires", Reason: "is in the past"}
	}
	if len(k.Note) > 200 || k.Note != hitl.CleanText(k.Note) {
		return &hitl.InvalidError{Field: "note", Reason: "must be UTF-8 without NUL, at most 200 bytes"}
	}
	return nil
}

// RevokeKey ends a key, as the schema's owner, for good. Services see it within seconds: see Keys. A key that is revoked already keeps its time.
// Errors are hitl.ErrNotFound, ErrNotOwner, or Postgres'.
func RevokeKey(ctx context.Context, ownerDSN, id string) (revoked APIKey, err error) {
	err = asOwner(ctx, ownerDSN, func(conn *pgx.Conn) error {
		rows, err := conn.Query(ctx, `UPDATE hitl.api_keys SET revoked_at = coalesce(revoked_at, now()) WHERE id = $1 RETURNING `+keyColumns, id)
		if err != nil {
			return err
		}
		revoked, err = pgx.CollectExactlyOneRow(rows, scanKey)
		if errors.Is(err, pgx.ErrNoRows) {
			return hitl.ErrNotFound
		}
		return err
	})
	if err != nil {
		return APIKey{}, fmt.Errorf("revoke key: %w", err)
	}
	return revoked, nil
}

// APIKeys returns all keys that ever were, the newest first.
func (s *Store) APIKeys(ctx context.Context) ([]APIKey, error) {
	rows, err := s.pool.Query(ctx, `SELECT `+keyColumns+` FROM hitl.api_keys ORDER BY created_at DESC, id DESC`)
	if err != nil {
		return nil, fmt.Errorf("list keys: %w", err)
	}
	keys, err := pgx.CollectRows(rows, scanKey)
	if err != nil {
		return nil, fmt.Errorf("list keys: %w", err)
	}
	return keys, nil
}

const keyColumns = `id, hash, source, rights, note, created_at, created_by, expires_at, revoked_at`

func scanKey(row pgx.CollectableRow) (APIKey, error) {
	var k APIKey
	var hash []byte
	var expires, revoked *time.Time
	if err := row.Scan(&k.ID, &hash, &k.Source, &k.Rights, &k.Note, &k.CreatedAt, &k.CreatedBy, &expires, &revoked); err != nil {
		return k, err
	}
	k.Hint = hitl.KeyHash(hash).Hint()
	k.CreatedAt = k.CreatedAt.UTC()
	if expires != nil {
		k.ExpiresAt = expires.UTC()
	}
	if revoked != nil {
		k.RevokedAt = revoked.UTC()
	}
	return k, nil
}

// ErrNotOwner says that something was to be done by a role that may not: the service's own, for instance.
var ErrNotOwner = errors.New("only the schema's owner may do this")

// asOwner runs what the service may not do, on a connection of its own.
func asOwner(ctx context.Context, dsn string, run func(*pgx.Conn) error) error {
	cfg, err := pgx.ParseConfig(dsn)
	if err != nil {
		return fmt.Errorf("read owner's database URL: %w", err)
	}
	cfg.RuntimeParams["application_name"] = "hitl as owner"
	nameNoStatements(cfg, dsn)
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return fmt.Errorf("connect to database: %w", err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }() // what was done is committed
	err = run(conn)
	var pg *pgconn.PgError
	switch {
	case !errors.As(err, &pg):
		return err
	case pg.Code == "42501": // insufficient privilege
		return fmt.Errorf("%w, role %q is not: %w", ErrNotOwner, cfg.User, err)
	case pg.Code == "42P01", pg.Code == "3F000": // undefined table, invalid schema name
		return fmt.Errorf("%w: %w", ErrOldSchema, err)
	}
	return err
}
