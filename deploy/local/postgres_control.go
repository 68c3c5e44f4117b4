package local

import (
	"context"
	"errors"
	"fmt"
	"syscall"

	"github.com/jackc/pgx/v5"
)

// ErrStopped is returned by operations on a server after its Stop.
var ErrStopped = errors.New("server has been stopped")

// Stop ends the server, disconnecting its clients, and removes a temporary
// folder. It waits for the server's end, kills the server when that takes
// longer than ten seconds or ctx, and may be called again.
func (p *Postgres) Stop(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stopped {
		return nil
	}
	p.stopped = true
	var err error
	if p.proc != nil {
		err = p.proc.stop(ctx, syscall.SIGINT) // fast shutdown
	}
	return errors.Join(err, p.folder.close())
}

// Kill ends the server as a crash would: no disconnects, no checkpoint. The
// data stays for Restart.
func (p *Postgres) Kill() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stopped {
		return ErrStopped
	}
	return p.proc.kill()
}

// Restart stops the server if it runs and starts it again on the same port
// and data. It returns when the server answers, after recovery.
func (p *Postgres) Restart(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stopped {
		return ErrStopped
	}
	if err := p.proc.stop(ctx, syscall.SIGINT); err != nil {
		return err
	}
	return p.run(ctx)
}

// NewDatabase creates an empty database and returns its connection URL.
func (p *Postgres) NewDatabase(ctx context.Context, name string) (dsn string, err error) {
	// template0 has no sessions, so that creators never disturb each other.
	return p.CloneDatabase(ctx, name, "template0")
}

// CloneDatabase creates a database as a copy of template, to which nobody may
// be connected, and returns its connection URL.
func (p *Postgres) CloneDatabase(ctx context.Context, name, template string) (dsn string, err error) {
	statement := "CREATE DATABASE " + pgx.Identifier{name}.Sanitize() + " TEMPLATE " + pgx.Identifier{template}.Sanitize()
	if err := p.administer(ctx, statement); err != nil {
		return "", fmt.Errorf("create database %s: %w", name, err)
	}
	return p.dsn(name), nil
}

// DropDatabase removes a database if it exists, disconnecting its users.
func (p *Postgres) DropDatabase(ctx context.Context, name string) error {
	if err := p.administer(ctx, "DROP DATABASE IF EXISTS "+pgx.Identifier{name}.Sanitize()+" WITH (FORCE)"); err != nil {
		return fmt.Errorf("drop database %s: %w", name, err)
	}
	return nil
}

func (p *Postgres) administer(ctx context.Context, statement string) error {
	conn, err := pgx.Connect(ctx, p.DSN())
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, statement)
	return errors.Join(err, conn.Close(ctx))
}
