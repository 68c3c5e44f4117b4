package bot

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/slack-go/slack"

	"hitl"
)

// Tokens keeps the app's token when it expires. It is safe for concurrent use.
type Tokens interface {
	// Token returns the token of an app that was kept last; Version 0 when none was.
	Token(ctx context.Context, app string) (hitl.SealedToken, error)
	// LeaseToken lets one holder renew a token of a version for a while. It says no while another does, or when there is another version.
	LeaseToken(ctx context.Context, app string, version int64, holder string, d time.Duration) (bool, error)
	// ReleaseToken ends a holder's lease.
	ReleaseToken(ctx context.Context, app, holder string) error
	// SaveToken keeps what came of the token of t.Version, if the holder's lease has not gone to another.
	SaveToken(ctx context.Context, t hitl.SealedToken, holder string) (bool, error)
}

// Rotation is what it takes to renew a bot token that expires. The zero value: it does not.
type Rotation struct {
	// RefreshToken is the one that the app was installed with, xoxe-…. It is exchanged once; another one here, after the app was installed again, is
	// exchanged in place of what is kept.
	RefreshToken string
	// ClientID and ClientSecret are the app's.
	ClientID, ClientSecret string
	// Tokens keeps what comes of it, readable with ClientSecret only.
	Tokens Tokens
}

const (
	renewLease = 30 * time.Second // longer than an exchange and what follows may take
	renewTime  = 20 * time.Second
	renewPause = 100 * time.Millisecond // between looks at what another process is renewing
	// refreshMethod exchanges a refresh token. Source: https://docs.slack.dev/authentication/using-token-rotation
	refreshMethod = "oauth.v2.access"
)

// rotator keeps a bot token good. One process at a time exchanges the refresh token, under a lease; the others read what came of it. Until a new
// pair is used Slack exchanges the old refresh token again, so that an answer that was lost, or a process that died with it, costs nothing: the pair is
// used only after it was kept.
type rotator struct {
	cfg    Config
	seal   sealer
	app    string // in Tokens
	holder string
	turn   chan struct{} // held by whoever renews in this process

	mu     sync.Mutex
	now    tokenPair
	expiry time.Time
}

func newRotator(cfg Config) *rotator {
	app := cfg.Rotation.ClientID + "/" + cfg.Team
	return &rotator{
		cfg: cfg, app: app, seal: newSealer(cfg.Rotation.ClientSecret, app), holder: hitl.NewID("tok", cfg.Now()), turn: make(chan struct{}, 1),
	}
}

// access returns the token in use; empty when none has been learned yet.
func (r *rotator) access() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.now.Access
}

// expires returns when the token in use stops working; zero when none has been learned yet.
func (r *rotator) expires() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.expiry
}

func (r *rotator) use(p tokenPair, expiry time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.now, r.expiry = p, expiry
}

// renew makes sure that the token in use is another than bad. It goes on when ctx ends meanwhile: what Slack has given out is kept.
func (r *rotator) renew(ctx context.Context, bad string) error {
	select {
	case r.turn <- struct{}{}:
		defer func() { <-r.turn }()
	case <-ctx.Done():
		return fmt.Errorf("wait for a new token: %w", ctx.Err())
	}
	if t := r.access(); t != bad && t != "" {
		return nil // somebody here was faster
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), renewTime)
	defer cancel()
	for {
		row, p, err := r.kept(ctx)
		if err != nil {
			return err
		}
		if p.Access != "" && p.Access != bad && r.cfg.Now().Before(row.ExpiresAt) {
			r.use(p, row.ExpiresAt)
			return nil
		}
		mine, err := r.cfg.Rotation.Tokens.LeaseToken(ctx, r.app, row.Version, r.holder, renewLease)
		if err != nil {
			return fmt.Errorf("renew token: %w", err)
		}
		if mine {
			if done, err := r.exchange(ctx, row, p); done || err != nil {
				return err
			}
		}
		if err := sleep(ctx, renewPause); err != nil {
			return fmt.Errorf("wait for another process to renew the token: %w", err)
		}
	}
}

// kept returns what is kept, and the pair in it. The pair is empty when there is none, when it came of another installation than the
// configuration's, or cannot be opened; its Seed tells the first two apart.
func (r *rotator) kept(ctx context.Context) (hitl.SealedToken, tokenPair, error) {
	row, err := r.cfg.Rotation.Tokens.Token(ctx, r.app)
	if err != nil {
		return row, tokenPair{}, fmt.Errorf("learn token: %w", err)
	}
	if row.Version == 0 {
		return row, tokenPair{}, nil
	}
	p, readable := r.seal.open(row.Sealed)
	if !readable {
		r.cfg.Logger.WarnContext(ctx, "the token that is kept cannot be read with slack.client_secret; trying slack.refresh_token")
		return row, tokenPair{}, nil
	}
	if p.Seed != seedOf(r.cfg.Rotation.RefreshToken) {
		p.Access = "" // the app may have been installed again since
	}
	return row, p, nil
}

// exchange gets a new pair, keeps it and uses it; false means that another process has kept one meanwhile. Refresh tokens are tried as they are known:
// of an installation newer than what is kept the configuration's, then the kept one.
func (r *rotator) exchange(ctx context.Context, row hitl.SealedToken, p tokenPair) (bool, error) {
	configured := r.cfg.Rotation.RefreshToken
	candidates := []string{p.Refresh}
	switch {
	case p.Refresh == "":
		candidates = []string{configured}
	case p.Seed != seedOf(configured):
		candidates = []string{configured, p.Refresh}
	}
	for i, refresh := range candidates {
		sent := r.cfg.Now()
		res, err := slack.RefreshOAuthV2TokenContext(ctx, r.cfg.HTTPClient, r.cfg.Rotation.ClientID, r.cfg.Rotation.ClientSecret, refresh,
			slack.OAuthOptionAPIURL(r.cfg.APIURL))
		if err == nil && (res.AccessToken == "" || res.RefreshToken == "" || res.ExpiresIn <= 0) {
			err = errors.New("the answer holds no token that expires")
		}
		err = classify(refreshMethod, err)
		r.observe(err, time.Since(sent))
		if refusal(err) == "invalid_refresh_token" && i+1 < len(candidates) {
			continue
		}
		if err != nil {
			_ = r.cfg.Rotation.Tokens.ReleaseToken(ctx, r.app, r.holder) // else it ends by itself
			return false, err
		}
		life := time.Duration(res.ExpiresIn) * time.Second
		next := tokenPair{Access: res.AccessToken, Refresh: res.RefreshToken, Seed: seedOf(configured), Life: life}
		row.ExpiresAt = sent.Add(life)
		if row.Sealed, err = r.seal.close(next); err != nil {
			return false, err
		}
		saved, err := r.cfg.Rotation.Tokens.SaveToken(ctx, row, r.holder)
		if err != nil {
			return false, fmt.Errorf("renew token: %w", err)
		}
		if saved {
			r.use(next, row.ExpiresAt)
			r.cfg.Logger.InfoContext(ctx, "slack gave a new bot token", "expires", row.ExpiresAt)
		}
		return saved, nil
	}
	return false, nil
}

func (r *rotator) observe(err error, took time.Duration) {
	outcome := "ok"
	if f, ok := errors.AsType[*failure](err); ok {
		outcome = f.outcome()
	}
	r.cfg.Observer.Called(refreshMethod, metricWord(outcome), took)
}

// due says whether the token in use has lived half of its life.
func (r *rotator) due() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.now.Access != "" && !r.cfg.Now().Before(r.expiry.Add(-r.now.Life/2))
}

// rotate renews the token at half of its life until ctx ends.
func (b *Bot) rotate(ctx context.Context) {
	r := b.api.rotator
	if r == nil {
		return
	}
	pause := b.backoff()
	for ctx.Err() == nil {
		wait := b.cfg.Poll
		if r.due() {
			if err := r.renew(ctx, r.access()); err != nil {
				b.log.ErrorContext(ctx, "the bot token was not renewed, will try again", "expires", r.expires(), "error", err, "advice", b.advice(err))
				wait = pause()
			} else {
				pause = b.backoff()
			}
		}
		_ = sleep(ctx, wait)
	}
}

// TokenExpires returns when the bot token stops working, unless it is renewed before; zero when tokens do not expire, or none is known yet.
func (b *Bot) TokenExpires() time.Time {
	if b.api.rotator == nil {
		return time.Time{}
	}
	return b.api.rotator.expires()
}
