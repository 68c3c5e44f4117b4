package main

import (
	"context"
	"fmt"
)

// openIngest holds the whole way of an item, from the request to the answer that says that it is durable, against nothing but its rows: another
// database of the same server, with the same schema, is given exactly what the service wrote, in batches as large as there are clients.
func openIngest(ctx context.Context, b *bench) (*pair, error) {
	svc, err := b.serve(ctx, settings{})
	if err != nil {
		return nil, err
	}
	bare, err := b.migrated(ctx)
	if err != nil {
		return nil, err
	}
	raw, err := b.openRaw(ctx, svc.database, bare)
	if err != nil {
		return nil, err
	}
	c, items := b.newClients(svc.url, 1), b.size(6400, 320)
	// The peer takes what an earlier run wrote: one run is ahead, so that either may begin.
	if _, err := c.run(ctx, items); err != nil {
		return nil, err
	}
	return &pair{
		unit: "items/s",
		ours: func(ctx context.Context) (float64, error) { return c.run(ctx, items) },
		peer: func(ctx context.Context) (float64, error) { return raw.run(ctx, items) },
		note: func() string {
			return fmt.Sprintf("%d clients; %d items a run; raw: batches of %d on %d connections, rows ready in binary", clientCount, items, rawBatch, rawConns)
		},
	}, nil
}

// openTree holds posting while the log's Merkle tree grows and its checkpoints are signed against posting while it does not: of two services
// like each other, one is kept from leading the tree by its lock, which the bench holds.
func openTree(ctx context.Context, b *bench) (*pair, error) {
	key, err := newLogKey()
	if err != nil {
		return nil, err
	}
	with, err := b.serve(ctx, settings{LogKey: key})
	if err != nil {
		return nil, err
	}
	database, err := b.migrated(ctx)
	if err != nil {
		return nil, err
	}
	holder, err := b.connect(ctx, database)
	if err != nil {
		return nil, err
	}
	const sequenceLock = 0x6869746c74726565 // audit/sequence.go
	if _, err := holder.Exec(ctx, `SELECT pg_advisory_lock($1)`, int64(sequenceLock)); err != nil {
		return nil, err
	}
	without, err := b.serve(ctx, settings{LogKey: key, Database: database})
	if err != nil {
		return nil, err
	}
	conn, err := b.connect(ctx, with.database)
	if err != nil {
		return nil, err
	}
	ours, peer, items := b.newClients(with.url, 1), b.newClients(without.url, 1), b.size(12_800, 320)
	return &pair{
		unit: "items/s",
		ours: func(ctx context.Context) (float64, error) { return ours.run(ctx, items) },
		peer: func(ctx context.Context) (float64, error) {
			rate, err := peer.run(ctx, items)
			var size int64
			if scan := holder.QueryRow(ctx, `SELECT size FROM hitl.log_tree`).Scan(&size); scan != nil || size != 0 {
				return 0, fmt.Errorf("the tree that should not grow is of size %d: %w", size, scan)
			}
			return rate, err
		},
		settle: func(ctx context.Context) error {
			return until(ctx, func() (whole bool, err error) {
				err = conn.QueryRow(ctx, `SELECT (SELECT size FROM hitl.log_tree) = (SELECT count(*) FROM hitl.log)`).Scan(&whole)
				return whole, err
			})
		},
		note: func() string {
			return fmt.Sprintf("%d items a run, a checkpoint every second; the tree's last second is waited for, untimed", items)
		},
	}, nil
}

// migrated makes a database with hitl's schema.
func (b *bench) migrated(ctx context.Context) (string, error) {
	dsn, err := b.database(ctx, "schema")
	if err != nil {
		return "", err
	}
	return dsn, migrate(ctx, dsn)
}
