// Package local starts a private PostgreSQL and a private Redis on this
// machine, for `hitl demo` and for tests.
//
// Both servers listen on a free loopback port, belong to the process that
// started them and never outlive it: they are stopped in order by Stop, and
// by the operating system when the process dies without calling it. Nothing
// has to be prepared. PostgreSQL programs are looked for on the machine and
// fetched once into the user's cache folder when there are none; without a
// redis-server an in-process stand-in answers, and [Redis.Kind] says so.
//
//	pg, err := local.StartPostgres(ctx, local.PostgresOptions{})
//	if err != nil { … }
//	defer pg.Stop(context.WithoutCancel(ctx))
//	pool, err := pgxpool.New(ctx, pg.DSN())
//
// PostgreSQL refuses to run as root, so a root caller's server runs as an
// unprivileged account (postgres, else nobody). See [StartPostgres] for how
// data folders are laid out and what is kept in them.
//
// [StartPgBouncer] puts a private connection pooler before a Postgres, and
// [RedisOptions] can make a Redis a node of a cluster or a Sentinel: both are
// for tests of how hitl does with them.
//
// Tests use the package localtest beside this one, which shares one server
// among the tests of a package and gives each test its own database.
package local
