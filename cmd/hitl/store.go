package main

import (
	"context"
	"log/slog"

	"hitl/audit"
	"hitl/config"
)

// openStore connects to the system of record of a configuration, for commands that run beside the service.
func (p program) openStore(ctx context.Context, global *cli) (*config.Config, *audit.Store, error) {
	cfg, err := p.load(global.Config)
	if err != nil {
		return nil, nil, err
	}
	logger := slog.New(slog.NewTextHandler(p.stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	sc := storeConfig(cfg, logger, nil)
	sc.MaxConns = 4
	store, err := audit.Open(ctx, sc)
	return cfg, store, err
}
