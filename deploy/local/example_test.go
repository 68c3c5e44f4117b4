package local_test

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/jackc/pgx/v5"

	"hitl/deploy/local"
)

func Example() {
	if err := run(context.Background()); err != nil {
		log.Fatal(err)
	}
	// Output: demo
}

func run(ctx context.Context) error {
	pg, err := local.StartPostgres(ctx, local.PostgresOptions{Progress: os.Stderr})
	if err != nil {
		return err
	}
	defer func() { _ = pg.Stop(ctx) }()

	dsn, err := pg.NewDatabase(ctx, "demo")
	if err != nil {
		return err
	}
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }()
	var name string
	if err := conn.QueryRow(ctx, "SELECT current_database()").Scan(&name); err != nil {
		return err
	}
	fmt.Println(name)
	return nil
}
