package audit_test

import (
	"strings"
	"testing"

	"hitl/audit"
)

// The service's own role may not rewrite the log; the owner of the schema may.
func TestServer(t *testing.T) {
	t.Parallel()
	owner, service := database(t)
	for dsn, rewrites := range map[string]bool{owner: true, service: false} {
		s := openWith(t, audit.Config{DSN: dsn, MaxConns: 2})
		v, err := s.Server(t.Context())
		if err != nil || v.CanRewrite != rewrites || (v.Role == serviceRole) == rewrites || !strings.HasPrefix(v.Version, "1") || v.Took <= 0 {
			t.Errorf("%+v, %v; want one that can rewrite: %v", v, err, rewrites)
		}
	}
}
