package audit_test

import (
	"testing"
	"time"

	"hitl"
)

// One holder at a time renews a token, and only whoever holds the lease at the end keeps what came of it.
func TestTokenLease(t *testing.T) {
	t.Parallel()
	s, owner := open(t)
	ctx := t.Context()
	yes := func(what string, want bool) func(bool, error) {
		return func(got bool, err error) {
			t.Helper()
			if err != nil || got != want {
				t.Errorf("%s: %v, %v", what, got, err)
			}
		}
	}
	token := func(version int64, sealed string) {
		t.Helper()
		got, err := s.Token(ctx, "app")
		if err != nil || got.Version != version || string(got.Sealed) != sealed {
			t.Errorf("%+v, %v; want version %d, %q", got, err, version, sealed)
		}
	}
	token(0, "")
	yes("of a version that is not", false)(s.LeaseToken(ctx, "app", 7, "a", time.Minute))
	yes("a", true)(s.LeaseToken(ctx, "app", 0, "a", time.Minute))
	yes("a again", true)(s.LeaseToken(ctx, "app", 0, "a", time.Minute))
	yes("b meanwhile", false)(s.LeaseToken(ctx, "app", 0, "b", time.Minute))
	yes("another app", true)(s.LeaseToken(ctx, "other", 0, "b", time.Minute))
	token(0, "")
	kept := hitl.SealedToken{App: "app", Sealed: []byte("one"), ExpiresAt: time.Now().Add(time.Hour)}
	yes("b keeps", false)(s.SaveToken(ctx, kept, "b"))
	yes("a keeps", true)(s.SaveToken(ctx, kept, "a"))
	yes("a keeps again", false)(s.SaveToken(ctx, kept, "a"))
	token(1, "one")
	yes("b of the old version", false)(s.LeaseToken(ctx, "app", 0, "b", time.Minute))
	yes("b", true)(s.LeaseToken(ctx, "app", 1, "b", time.Minute))
	if err := s.ReleaseToken(ctx, "app", "a"); err != nil { // not theirs
		t.Fatal(err)
	}
	yes("a while b holds it", false)(s.LeaseToken(ctx, "app", 1, "a", time.Minute))
	if _, err := owner.Exec(ctx, `UPDATE hitl.slack_tokens SET leased_until = now() WHERE app = 'app'`); err != nil { // b died, or is slow
		t.Fatal(err)
	}
	yes("a after b", true)(s.LeaseToken(ctx, "app", 1, "a", time.Minute))
	kept.Version, kept.Sealed = 1, []byte("of b")
	yes("b, too late", false)(s.SaveToken(ctx, kept, "b"))
	if err := s.ReleaseToken(ctx, "app", "a"); err != nil {
		t.Fatal(err)
	}
	yes("c after a gave up", true)(s.LeaseToken(ctx, "app", 1, "c", time.Minute))
	token(1, "one")
}
