package bot

import (
	"bytes"
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"hitl"
	"hitl/bot/slacksim"
)

// tokenShelf is a Tokens as the system of record's is.
type tokenShelf struct {
	mu     sync.Mutex
	rows   map[string]hitl.SealedToken
	holder string
	until  time.Time
	now    func() time.Time
}

func (s *tokenShelf) Token(_ context.Context, app string) (hitl.SealedToken, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.rows[app]
	t.App = app
	return t, nil
}

func (s *tokenShelf) LeaseToken(_ context.Context, app string, version int64, holder string, d time.Duration) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.rows[app].Version != version || s.holder != holder && s.now().Before(s.until) {
		return false, nil
	}
	s.holder, s.until = holder, s.now().Add(d)
	return true, nil
}

func (s *tokenShelf) ReleaseToken(_ context.Context, _, holder string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.holder == holder {
		s.until = time.Time{}
	}
	return nil
}

func (s *tokenShelf) SaveToken(_ context.Context, t hitl.SealedToken, holder string) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.holder != holder || s.rows[t.App].Version != t.Version {
		return false, nil
	}
	t.Version++
	s.rows[t.App], s.until = t, time.Time{}
	return true, nil
}

// rotating is a world whose tokens live for twelve hours by a clock.
func rotating(t *testing.T) (*world, *tokenShelf, *movable) {
	t.Helper()
	clock := &movable{}
	shelf := &tokenShelf{rows: map[string]hitl.SealedToken{}, now: clock.now}
	w := newWorld(t, func(s *setup) {
		s.sim.TokenLifetime, s.sim.Now, s.bot.Now = 12*time.Hour, clock.now, clock.now
		s.bot.Rotation = Rotation{RefreshToken: "xoxe-1-slacksim", ClientID: "0.0", ClientSecret: "slacksim-client-secret", Tokens: shelf}
	})
	return w, shelf, clock
}

func (w *world) exchanges() int { return len(w.sim.Calls(refreshMethod)) }

// another is a bot beside, or after, the world's own.
func (w *world) another(change func(*Config)) *Bot {
	w.t.Helper()
	cfg := w.bot.cfg
	if change != nil {
		change(&cfg)
	}
	b, err := New(cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(b.Wait)
	return b
}

// Tokens that expire in the middle of a run hinder nobody, and what is kept tells nobody what they are.
func TestTokenExpires(t *testing.T) {
	t.Parallel()
	w, shelf, _ := rotating(t)
	for i := range 3 {
		rec, m := w.posted()
		w.sim.ExpireTokens()
		w.click(ana, m, actionAccept)
		if _, ok := w.store.decision(rec.Review.ID); !ok {
			t.Fatalf("%d: not decided, told %q", i, w.whispered(ana))
		}
	}
	w.posted()
	if n := w.exchanges(); n != 4 {
		t.Errorf("%d exchanges, want one at first and one after each end", n)
	}
	if at := w.bot.TokenExpires(); time.Until(at) < 11*time.Hour {
		t.Errorf("expires %s", at)
	}
	for _, row := range shelf.rows {
		for _, secret := range []string{w.sim.Token(), w.sim.RefreshToken(), "xoxe"} {
			if bytes.Contains(row.Sealed, []byte(secret)) {
				t.Error("the row tells a token")
			}
		}
	}
	after := w.another(nil) // a restart takes what is kept
	if _, err := after.api.authTest(t.Context()); err != nil || w.exchanges() != 4 {
		t.Errorf("restart: %v, %d exchanges", err, w.exchanges())
	}
}

// Several processes make one exchange of each end, and none fails for it.
func TestTokenOfManyProcesses(t *testing.T) {
	t.Parallel()
	w, _, _ := rotating(t)
	bots := []*Bot{w.bot, w.another(nil), w.another(nil)}
	for round := 1; round <= 3; round++ {
		var calls sync.WaitGroup
		for _, b := range bots {
			for range 4 {
				calls.Go(func() {
					if _, err := b.api.authTest(context.Background()); err != nil {
						t.Errorf("round %d: %v", round, err)
					}
				})
			}
		}
		calls.Wait()
		if n := w.exchanges(); n != round {
			t.Errorf("round %d: %d exchanges", round, n)
		}
		w.sim.ExpireTokens()
	}
}

// An answer that is lost, with the process or without it, costs no installation: the old refresh token is exchanged again.
func TestTokenReplyLost(t *testing.T) {
	t.Parallel()
	w, _, clock := rotating(t)
	lose := func() {
		t.Helper()
		if err := w.sim.Fail(refreshMethod, slacksim.Fault{LoseReply: slacksim.LoseByCut}); err != nil {
			t.Fatal(err)
		}
	}
	lose()
	_, err := w.bot.api.authTest(t.Context())
	if rateLimited(err) == 0 {
		t.Errorf("without a token: %v", err)
	}
	clock.add(rateLimited(err))
	if _, err := w.bot.api.authTest(t.Context()); err != nil {
		t.Errorf("second try: %v", err)
	}
	// Another process got a lease, and died with what Slack answered.
	r := w.another(nil).api.rotator
	w.sim.ExpireTokens()
	row, _, err := r.kept(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if ok, err := r.cfg.Rotation.Tokens.LeaseToken(t.Context(), r.app, row.Version, r.holder, renewLease); !ok || err != nil {
		t.Fatal(ok, err)
	}
	clock.add(renewLease + time.Second)
	if _, err := w.bot.api.authTest(t.Context()); err != nil {
		t.Errorf("after a death: %v", err)
	}
}

// At half of its life a token is renewed before anybody misses it.
func TestTokenRenewedInTime(t *testing.T) {
	t.Parallel()
	w, _, clock := rotating(t)
	defer w.run()()
	w.eventually("the first token", func() bool { return w.exchanges() == 1 && !w.bot.TokenExpires().IsZero() })
	first := w.bot.TokenExpires()
	clock.add(6*time.Hour + time.Minute)
	w.eventually("the second token", func() bool { return w.bot.TokenExpires().After(first) })
	if n := len(w.sim.Refused()); n != 0 || w.exchanges() != 2 {
		t.Errorf("%d calls were refused, %d exchanges", n, w.exchanges())
	}
}

// With another client secret what is kept cannot be read, and Slack says so too; a newer installation's refresh token goes before what is kept.
func TestTokenWrongSecretAndNewInstallation(t *testing.T) {
	t.Parallel()
	w, _, _ := rotating(t)
	if _, err := w.bot.api.authTest(t.Context()); err != nil {
		t.Fatal(err)
	}
	wrong := w.another(func(c *Config) { c.Rotation.ClientSecret = "another" })
	_, err := wrong.api.authTest(t.Context())
	if refusal(err) != "bad_client_secret" || !strings.Contains(wrong.advice(err), "slack.client_secret") {
		t.Errorf("wrong secret: %v", err)
	}
	if _, err := w.bot.api.authTest(t.Context()); err != nil {
		t.Errorf("the others after that: %v", err)
	}
	stale := w.another(func(c *Config) { c.Rotation.RefreshToken = "xoxe-1-of-long-ago" }) // falls back to what is kept
	if _, err := stale.api.authTest(t.Context()); err != nil {
		t.Errorf("old configuration: %v", err)
	}
	newer := w.another(func(c *Config) { c.Rotation.RefreshToken = w.sim.RefreshToken() })
	before := w.exchanges()
	if _, err := newer.api.authTest(t.Context()); err != nil || w.exchanges() != before+1 {
		t.Errorf("new installation: %v, %d exchanges", err, w.exchanges()-before)
	}
}

// What was sealed for an app opens with its secret, for it alone, and not when a byte is another.
func TestSealer(t *testing.T) {
	t.Parallel()
	pair := tokenPair{Access: "xoxe.xoxb-1", Refresh: "xoxe-1", Seed: "s", Life: time.Hour}
	s := newSealer("secret", "app")
	sealed, err := s.close(pair)
	if err != nil {
		t.Fatal(err)
	}
	if got, ok := s.open(sealed); !ok || got != pair {
		t.Errorf("%+v, %v", got, ok)
	}
	for name, other := range map[string]sealer{"another secret": newSealer("secres", "app"), "another app": newSealer("secret", "apq")} {
		if _, ok := other.open(sealed); ok {
			t.Errorf("%s opens it", name)
		}
	}
	for i := range sealed {
		changed := bytes.Clone(sealed)
		changed[i] ^= 1
		if _, ok := s.open(changed); ok {
			t.Errorf("byte %d may change", i)
		}
	}
}
