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
	ctx := context.Background()
	pg, err := local.StartPostgres(ctx, local.PostgresOptions{Progress: os.Stderr})
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = pg.Stop(ctx) }()

	dsn, err := pg.NewDatabase(ctx, "demo")
	if err != nil {
		log.Fatal(err)
	}
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = conn.Close(ctx) }()
	var name string
	if err := conn.QueryRow(ctx, "SELECT current_database()").Scan(&name); err != nil {
		log.Fatal(err)
	}
	fmt.Println(name)
	// Output: demo
}
