package localtest_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"hitl/deploy/local/localtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(localtest.Wrap(m)) }

func exec(ctx context.Context, dsn, statement string) error {
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, statement)
	if closeErr := conn.Close(ctx); err == nil {
		err = closeErr
	}
	return err
}

// Each test has a database of its own: all of them may make the same table.
func TestDatabase(t *testing.T) {
	t.Parallel()
	for i := range 4 {
		t.Run(fmt.Sprint("own database ", i), func(t *testing.T) {
			t.Parallel()
			if err := exec(t.Context(), localtest.Database(t), "CREATE TABLE item (id int)"); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestDatabaseFrom(t *testing.T) {
	t.Parallel()
	var migrations atomic.Int32
	t.Run("copies", func(t *testing.T) {
		for i := range 4 {
			t.Run(fmt.Sprint(i), func(t *testing.T) {
				t.Parallel()
				dsn := localtest.DatabaseFrom(t, "item", func(ctx context.Context, dsn string) error {
					migrations.Add(1)
					return exec(ctx, dsn, "CREATE TABLE item (id int PRIMARY KEY)")
				})
				if err := exec(t.Context(), dsn, "INSERT INTO item VALUES (1)"); err != nil {
					t.Fatal(err)
				}
			})
		}
	})
	if n := migrations.Load(); n != 1 {
		t.Errorf("migrated %d times, want once", n)
	}
}

func TestRedis(t *testing.T) {
	t.Parallel()
	client := redis.NewClient(&redis.Options{Addr: localtest.Redis(t)})
	t.Cleanup(func() { _ = client.Close() })
	first, second := localtest.Prefix(t), localtest.Prefix(t)
	if first == second {
		t.Fatalf("two prefixes are both %q", first)
	}
	if err := client.Set(t.Context(), first, "x", 0).Err(); err != nil {
		t.Fatal(err)
	}
	if n := client.Exists(t.Context(), second).Val(); n != 0 {
		t.Error("prefixes share keys")
	}
}
