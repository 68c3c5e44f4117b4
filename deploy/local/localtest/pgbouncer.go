package localtest

import (
	"context"
	"errors"
	"testing"

	"hitl/deploy/local"
)

// PgBouncer returns a pooler of this test's own in front of the test binary's
// Postgres; it is stopped when the test ends. Where there is no pgbouncer the
// test is skipped, and says so; where servers are required it fails.
func PgBouncer(t testing.TB, opts local.PgBouncerOptions) *local.PgBouncer {
	t.Helper()
	b, err := local.StartPgBouncer(t.Context(), Postgres(t), opts)
	if errors.Is(err, local.ErrNoPgBouncer) && !serversRequired() {
		t.Skipf("NOT TESTED: what works behind a connection pooler: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Stop(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	return b
}
