package main

import "context"

type serveCmd struct{}

// Help is shown by hitl serve --help.
func (serveCmd) Help() string {
	return `Serves until it gets SIGINT or SIGTERM, then finishes what it has acknowledged, within server.shutdown_timeout.

Any number of replicas may run on the same Postgres and Redis. It refuses a schema that is older than it needs: run hitl migrate first. And it
refuses a Postgres that may lose what it has committed, since fsync, full_page_writes or synchronous_commit is off, unless
postgres.accept_data_loss says that this is fine.`
}

func (c *serveCmd) Run(ctx context.Context, p program, global *cli) error {
	cfg, err := p.load(global.Config)
	if err != nil {
		return err
	}
	logger, err := newLogger(p.stderr, cfg.Log)
	if err != nil {
		return err
	}
	l, err := listen(ctx, cfg.Server.Listen)
	if err != nil {
		return err
	}
	svc, err := openService(ctx, cfg, logger, p.stderr)
	if err != nil {
		_ = l.Close()
		return err
	}
	return svc.Run(ctx, l)
}
