package audit_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"hitl"
	"hitl/audit"
)

func TestKeys(t *testing.T) {
	t.Parallel()
	owner, service := database(t)
	s := openWith(t, audit.Config{DSN: service})
	want := audit.NewKey{Source: "shop", Rights: []hitl.Right{hitl.RightSubmit, hitl.RightRead}, ExpiresIn: 90 * 24 * time.Hour, Note: "for \"CI\""}
	key, made, err := audit.CreateKey(t.Context(), owner, want)
	if err != nil {
		t.Fatal(err)
	}
	if !regexp.MustCompile(`^hitl_[a-z2-7]{32}$`).MatchString(key) {
		t.Errorf("key has another form: %d characters", len(key))
	}
	if made.Source != "shop" || made.Note != want.Note || made.Hint != hitl.HashKey(key).Hint() || made.CreatedBy == "" || !made.RevokedAt.IsZero() ||
		made.ExpiresAt.Sub(made.CreatedAt) != want.ExpiresIn {
		t.Errorf("made %+v", made)
	}
	other, admin, err := audit.CreateKey(t.Context(), owner, audit.NewKey{Rights: []hitl.Right{hitl.RightAdmin}})
	if err != nil || other == key {
		t.Fatalf("another key: same %v, %v", other == key, err)
	}
	stored := scalar[string](t, pool(t, owner), `SELECT string_agg(to_jsonb(k)::text, '') FROM hitl.api_keys k`)
	for _, k := range []string{key, other} {
		if strings.Contains(stored, k[len("hitl_"):]) {
			t.Error("the table holds a key itself")
		}
	}
	list, err := s.APIKeys(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "list", list, []audit.APIKey{admin, made})

	ring, err := s.Keyring(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got, ok := ring.Key(hitl.HashKey(key))
	equal(t, "found", ok, true)
	equal(t, "key", got, made.Key)
	_, ok = ring.Key(hitl.HashKey(key + "a"))
	equal(t, "another key is found", ok, false)

	revoked, err := audit.RevokeKey(t.Context(), owner, made.ID)
	if err != nil || revoked.RevokedAt.IsZero() {
		t.Errorf("revoke: %+v, %v", revoked, err)
	}
	again, err := audit.RevokeKey(t.Context(), owner, made.ID)
	if err != nil || !again.RevokedAt.Equal(revoked.RevokedAt) {
		t.Errorf("revoke again: %+v, %v", again, err)
	}
	if _, err := audit.RevokeKey(t.Context(), owner, "key_unknown"); !errors.Is(err, hitl.ErrNotFound) {
		t.Errorf("revoke what is not there: %v", err)
	}
	ring, err = s.Keyring(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_, ok = ring.Key(hitl.HashKey(key))
	equal(t, "a revoked key is found", ok, false)
	got, ok = ring.Key(hitl.HashKey(other))
	equal(t, "the other is found", ok, true)
	equal(t, "the other", got, admin.Key)
}

// Who takes the service over can neither make a key nor bring one back.
func TestKeysAreTheOwners(t *testing.T) {
	t.Parallel()
	owner, service := database(t)
	rights := []hitl.Right{hitl.RightAdmin}
	key, made, err := audit.CreateKey(t.Context(), owner, audit.NewKey{Rights: rights})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := audit.CreateKey(t.Context(), service, audit.NewKey{Rights: rights}); !errors.Is(err, audit.ErrNotOwner) {
		t.Errorf("create as the service: %v", err)
	}
	if _, err := audit.RevokeKey(t.Context(), service, made.ID); !errors.Is(err, audit.ErrNotOwner) {
		t.Errorf("revoke as the service: %v", err)
	}
	p := pool(t, service)
	for _, change := range []string{
		`INSERT INTO hitl.api_keys (id, hash, source, rights) VALUES ('key_x', sha256('x'), '', '{admin}')`, `UPDATE hitl.api_keys SET revoked_at = NULL`,
		`UPDATE hitl.api_keys SET hash = sha256('x')`, `DELETE FROM hitl.api_keys`, `TRUNCATE hitl.api_keys`,
	} {
		if _, err := p.Exec(t.Context(), change); !refused(err) {
			t.Errorf("%s: %v", change, err)
		}
	}
	equal(t, "hash", scalar[[]byte](t, p, `SELECT hash FROM hitl.api_keys`), hashOf(key))
}

func hashOf(key string) []byte {
	h := hitl.HashKey(key)
	return h[:]
}

func TestKeysThatCannotBe(t *testing.T) {
	t.Parallel()
	owner, _ := database(t)
	for name, k := range map[string]audit.NewKey{
		"admin with a source": {Source: "shop", Rights: []hitl.Right{hitl.RightAdmin}},
		"no rights":           {Source: "shop"},
		"negative time":       {Source: "shop", Rights: []hitl.Right{hitl.RightRead}, ExpiresIn: -1},
		"long note":           {Source: "shop", Rights: []hitl.Right{hitl.RightRead}, Note: strings.Repeat("n", 201)},
		"NUL in the note":     {Source: "shop", Rights: []hitl.Right{hitl.RightRead}, Note: "a\x00"},
	} {
		var invalid *hitl.InvalidError
		if _, _, err := audit.CreateKey(t.Context(), owner, k); !errors.As(err, &invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	p := pool(t, owner)
	// The table itself refuses what the code would not write.
	for _, values := range []string{
		`'a', sha256('a'), '', '{submit}'`, `'a', sha256('a'), 'shop', '{admin}'`, `'a', sha256('a'), '', '{admin,submit}'`,
		`'a', sha256('a'), 'shop', '{}'`, `'a', sha256('a'), 'shop', '{write}'`, `'a', 'short', 'shop', '{read}'`,
	} {
		if _, err := p.Exec(t.Context(), `INSERT INTO hitl.api_keys (id, hash, source, rights) VALUES (`+values+`)`); err == nil {
			t.Errorf("the table takes %s", values)
		}
	}
}

// Run sees what is new, and keeps what it has while Postgres does not answer.
func TestKeyringRuns(t *testing.T) {
	t.Parallel()
	owner, service := database(t)
	logs := &lockedBuffer{}
	s := openWith(t, audit.Config{DSN: service, KeysInterval: 5 * time.Millisecond, Logger: logs.logger()})
	ring, err := s.Keyring(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- ring.Run(ctx) }()
	key, made, err := audit.CreateKey(t.Context(), owner, audit.NewKey{Source: "shop", Rights: []hitl.Right{hitl.RightRead}})
	if err != nil {
		t.Fatal(err)
	}
	found := func() bool {
		_, ok := ring.Key(hitl.HashKey(key))
		return ok
	}
	eventually(t, "a new key is found", found)

	p := pool(t, owner)
	rename := func(from, to string) {
		if _, err := p.Exec(t.Context(), `ALTER TABLE hitl.`+from+` RENAME TO `+to); err != nil {
			t.Fatal(err)
		}
	}
	rename("api_keys", "api_keys_away")
	eventually(t, "the log says that keys cannot be read", func() bool { return strings.Contains(logs.String(), "API keys may be old") })
	equal(t, "the key is kept", found(), true)
	rename("api_keys_away", "api_keys")
	eventually(t, "the log says that they can again", func() bool { return strings.Contains(logs.String(), "read again") })
	equal(t, "times it was said", strings.Count(logs.String(), "API keys may be old"), 1)

	if _, err := audit.RevokeKey(t.Context(), owner, made.ID); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a revoked key is gone", func() bool { return !found() })
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("Run ended with %v", err)
	}
}

// The migration can be cut off after any statement and begun again, and gives open reviews their sources.
func TestKeysMigrationRepeats(t *testing.T) {
	t.Parallel()
	s, owner := open(t)
	mustAppend(t, s, unsure("a", "one"), nil)
	closed := unsure("b", "two")
	mustAppend(t, s, closed, nil)
	mustDecide(t, s, corrected(closed, "U1"), nil)
	migration, err := os.ReadFile("migrations/00005_keys.sql")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := owner.Exec(t.Context(), `ALTER TABLE hitl.reviews DROP COLUMN source; DROP TABLE hitl.api_keys`); err != nil {
		t.Fatal(err)
	}
	schema, sources, _ := strings.Cut(string(migration), "-- +goose StatementBegin")
	for range 2 {
		for _, statements := range []string{schema, sources} { // the second commits, so it stands alone
			if _, err := owner.Exec(t.Context(), statements); err != nil {
				t.Fatal(err)
			}
		}
		got := scalar[string](t, owner, `SELECT string_agg(state || ' of ' || source, ', ' ORDER BY state DESC) FROM hitl.reviews`)
		equal(t, "reviews", got, "open of mail, decided of ")
	}
	equal(t, "keys", scalar[int](t, owner, `SELECT count(*) FROM hitl.api_keys`), 0)
}

// lockedBuffer is a log that a store's goroutines write and the test reads.
type lockedBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *lockedBuffer) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
