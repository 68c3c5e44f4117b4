package audit_test

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"testing"

	"hitl/audit"
	"hitl/deploy/local"
)

// What a session of the service would lose is refused, whoever set it.
func TestCheckDurability(t *testing.T) {
	t.Parallel()
	server, err := local.StartPostgres(t.Context(), local.PostgresOptions{Durable: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	if err := migrate(t.Context(), server.DSN()); err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(server.DSN())
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword(serviceRole, servicePassword)
	for _, c := range []struct{ set, finds string }{
		{"SET synchronous_commit = local", ""}, // of this session only
		{"ALTER ROLE " + serviceRole + " SET synchronous_commit = off", "synchronous_commit is off (set by: user)"},
		{"ALTER ROLE " + serviceRole + " SET synchronous_commit = local", ""},
		{"ALTER DATABASE postgres SET synchronous_commit = off", ""}, // the role's goes before
		{"ALTER ROLE " + serviceRole + " RESET synchronous_commit", "synchronous_commit is off (set by: database)"},
	} {
		owner := pool(t, server.DSN())
		if _, err := owner.Exec(t.Context(), c.set); err != nil {
			t.Fatal(err)
		}
		owner.Close()
		s := openWith(t, audit.Config{DSN: u.String(), MaxConns: 2})
		err := s.CheckDurability(t.Context())
		s.Close()
		if c.finds == "" && err != nil || c.finds != "" && (!errors.Is(err, audit.ErrNotDurable) || !strings.Contains(err.Error(), c.finds)) {
			t.Errorf("after %s: %v, want %q", c.set, err, c.finds)
		}
	}
}

func TestCheckDurabilityOfATestServer(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	err := s.CheckDurability(t.Context())
	if !errors.Is(err, audit.ErrNotDurable) || !strings.Contains(err.Error(), "fsync is off") || !strings.Contains(err.Error(), "full_page_writes is off") {
		t.Errorf("error is %v", err)
	}
}
