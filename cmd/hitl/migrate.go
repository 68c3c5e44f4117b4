package main

import (
	"context"
	"fmt"
	"io"
	"net/url"

	"github.com/jackc/pgx/v5"

	"hitl/audit"
	"hitl/config"
)

type migrateCmd struct{}

// Help is shown by hitl migrate --help.
func (migrateCmd) Help() string {
	return `Connects as postgres.migrate_url, the owner of the schema, brings it up to date, and gives the role of postgres.url exactly the rights that the
service needs: on the log it may insert and read, nothing else. The role is made with its password when it is missing.

Safe to run twice, from several places, and while an older version serves.`
}

func (c *migrateCmd) Run(ctx context.Context, p program, global *cli) error {
	cfg, err := p.load(global.Config)
	if err != nil {
		return err
	}
	if err := migrate(ctx, cfg, p.stdout); err != nil {
		return err
	}
	_, err = fmt.Fprintln(p.stdout, "schema is up to date")
	return err
}

// migrate prepares the database that a configuration names, and says each step to w.
func migrate(ctx context.Context, cfg *config.Config, w io.Writer) error {
	service, err := pgx.ParseConfig(cfg.Postgres.URL.Reveal())
	if err != nil {
		return usageError{fmt.Errorf("postgres.url: %w", err)}
	}
	owner, err := pgx.ParseConfig(cfg.Postgres.MigrateURL.Reveal())
	if err != nil {
		return usageError{fmt.Errorf("postgres.migrate_url: %w", err)}
	}
	if service.User == owner.User {
		return usageError{fmt.Errorf("postgres.url and postgres.migrate_url are the same role, %q: an owner could alter the log, so the service needs "+
			"a role of its own (name any in postgres.url; hitl migrate makes it)", owner.User)}
	}
	return audit.Migrate(ctx, cfg.Postgres.MigrateURL.Reveal(), audit.MigrateOptions{
		ServiceRole: service.User, ServicePassword: service.Password,
		Progress: func(step string) { fmt.Fprintln(w, step) },
	})
}

// withUser is a Postgres URL with another role.
func withUser(dsn, user, password string) (string, error) {
	u, err := url.Parse(dsn)
	if err != nil {
		return "", fmt.Errorf("postgres address: %w", err)
	}
	u.User = url.UserPassword(user, password)
	return u.String(), nil
}
