package audit_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"time"

	"hitl"
	"hitl/audit"
)

// The owner prepares the database once; the service then opens it with its own, lesser role.
func ExampleMigrate() {
	ctx := context.Background()
	err := audit.Migrate(ctx, os.Getenv("HITL_OWNER_DSN"), audit.MigrateOptions{
		ServiceRole: "hitl_service", ServicePassword: os.Getenv("HITL_SERVICE_PASSWORD"),
		Progress: func(step string) { fmt.Println(step) },
	})
	if err != nil {
		log.Fatal(err)
	}
}

// A process of the service: it records, and carries out what must happen after a commit.
func ExampleStore_RunEffects() {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	store, err := audit.Open(ctx, audit.Config{DSN: os.Getenv("HITL_DSN")})
	if err != nil {
		log.Print(err)
		return
	}
	defer store.Close()
	desk := &hitl.Desk{Decisions: store, Now: time.Now}
	err = store.RunEffects(ctx, audit.Handlers{
		Callback: func(_ context.Context, c hitl.Callback) error {
			fmt.Printf("send %s to %s: %s\n", c.ID, c.Source, c.Body)
			return nil
		},
		Periodic: []audit.Periodic{{Name: "expire", Every: 5 * time.Second, Run: func(ctx context.Context) error {
			_, err := desk.ExpireDue(ctx, 100)
			return err
		}}},
	})
	if err != nil {
		log.Print(err)
	}
}

// A month of what reviewers corrected, for a spreadsheet.
func ExampleStore_Export() {
	ctx := context.Background()
	store, err := audit.Open(ctx, audit.Config{DSN: os.Getenv("HITL_DSN")})
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()
	n, err := store.Export(ctx, os.Stdout, audit.ExportQuery{
		Kind: audit.ExportCorrections, Format: audit.ExportCSV, Since: time.Now().AddDate(0, -1, 0),
	})
	if err != nil {
		log.Print(err)
	}
	log.Printf("%d corrections", n)
}
