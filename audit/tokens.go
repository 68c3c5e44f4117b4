package audit

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"hitl"
)

// Token returns an app's token as it was kept last; Version 0 when none was.
func (s *Store) Token(ctx context.Context, app string) (hitl.SealedToken, error) {
	t := hitl.SealedToken{App: app}
	err := s.pool.QueryRow(ctx, `SELECT version, sealed, expires_at FROM hitl.slack_tokens WHERE app = $1 AND version > 0`, app).
		Scan(&t.Version, &t.Sealed, &t.ExpiresAt)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return hitl.SealedToken{}, fmt.Errorf("read token: %w", err)
	}
	t.ExpiresAt = t.ExpiresAt.UTC()
	return t, nil
}

// LeaseToken lets one holder alone renew a token of a version for a while, by the database's clock. It says no while another holds it, and when the
// token has another version by now.
func (s *Store) LeaseToken(ctx context.Context, app string, version int64, holder string, d time.Duration) (bool, error) {
	tag, err := s.pool.Exec(ctx, `
		INSERT INTO hitl.slack_tokens AS t (app, leased_by, leased_until) SELECT $1, $3, now() + $4::interval
		WHERE $2 = 0 OR EXISTS (SELECT FROM hitl.slack_tokens WHERE app = $1)
		ON CONFLICT (app) DO UPDATE SET leased_by = $3, leased_until = now() + $4::interval
		WHERE t.version = $2 AND (t.leased_until <= now() OR t.leased_by = $3)`, app, version, holder, d)
	if err != nil {
		return false, fmt.Errorf("lease token: %w", err)
	}
	return tag.RowsAffected() == 1, nil
}

// ReleaseToken ends a holder's lease, if it still lasts.
func (s *Store) ReleaseToken(ctx context.Context, app, holder string) error {
	_, err := s.pool.Exec(ctx, `UPDATE hitl.slack_tokens SET leased_until = '-infinity' WHERE app = $1 AND leased_by = $2`, app, holder)
	if err != nil {
		return fmt.Errorf("release token: %w", err)
	}
	return nil
}

// SaveToken keeps what came of the token of t.Version, and ends the lease. It says no, and keeps nothing, when another has taken the lease, or has
// kept something: that one's token is the newer one.
func (s *Store) SaveToken(ctx context.Context, t hitl.SealedToken, holder string) (bool, error) {
	tag, err := s.pool.Exec(ctx, `
		UPDATE hitl.slack_tokens SET version = version + 1, sealed = $3, expires_at = $4, leased_until = '-infinity'
		WHERE app = $1 AND version = $2 AND leased_by = $5`, t.App, t.Version, t.Sealed, t.ExpiresAt, holder)
	if err != nil {
		return false, fmt.Errorf("keep token: %w", err)
	}
	return tag.RowsAffected() == 1, nil
}
