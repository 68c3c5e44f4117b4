package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/mod/sumdb/note"

	"hitl/audit"
)

// migrate makes hitl's schema, with the role that services use.
func migrate(ctx context.Context, dsn string) error {
	return audit.Migrate(ctx, dsn, audit.MigrateOptions{ServiceRole: "hitl_bench", ServicePassword: "bench"})
}

// openStore makes a database with hitl's schema and opens it as a service does. Both go when the row ends.
func (b *bench) openStore(ctx context.Context) (*audit.Store, error) {
	dsn, err := b.migrated(ctx)
	if err != nil {
		return nil, err
	}
	as, err := asService(dsn)
	if err != nil {
		return nil, err
	}
	store, err := audit.Open(ctx, audit.Config{DSN: as})
	if err != nil {
		return nil, err
	}
	b.onRowEnd(func(context.Context) error { store.Close(); return nil })
	return store, nil
}

// connect makes a connection for the length of the row.
func (b *bench) connect(ctx context.Context, dsn string) (*pgx.Conn, error) {
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return nil, err
	}
	b.onRowEnd(conn.Close)
	return conn, nil
}

// newLogKey makes a key that signs checkpoints.
func newLogKey() (string, error) {
	private, _, err := note.GenerateKey(rand.Reader, "bench.test")
	if err != nil {
		return "", fmt.Errorf("make log key: %w", err)
	}
	return private, nil
}

// until returns when ok says so, five minutes later at the latest.
func until(ctx context.Context, ok func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if done, err := ok(); done || err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
