package slacksim

import (
	"strings"
	"time"
)

// How long an exchanged refresh token goes on working when its answer got lost; Slack does not document it.
const refreshGrace = time.Minute

// tokens are the bot tokens and the refresh tokens that were given out. With rotation off there is one bot token, which never expires.
type tokens struct {
	access  map[string]time.Time // until when each is good; zero for ever
	refresh map[string]*refreshToken
	current string // the newest access token
	next    string // the newest refresh token
}

// refreshToken can be exchanged once. Until the pair that came of it is used, it can be exchanged again, for a minute: the answer may have
// been lost.
type refreshToken struct {
	used  time.Time // when it was exchanged first
	spent bool      // one of a pair that came of it was used
	from  string    // the refresh token before it
}

// newTokens gives the app the token, and the refresh token if tokens expire, that it was installed with.
func newTokens(cfg Config) tokens {
	t := tokens{access: map[string]time.Time{cfg.Token: {}}, refresh: map[string]*refreshToken{}, current: cfg.Token}
	if cfg.TokenLifetime > 0 {
		t.access[cfg.Token] = cfg.Now().Add(cfg.TokenLifetime)
		t.next = cfg.RefreshToken
		t.refresh[t.next] = &refreshToken{}
	}
	return t
}

// authorize checks the token of a call. The caller holds the lock.
func (s *Sim) authorize(name, token string) error {
	_, bot := s.tokens.access[token]
	app := token == s.cfg.AppToken
	wantsApp := name == "apps.connections.open"
	switch {
	case name == oauthAccess:
		return nil // it has other credentials
	case token == "":
		return refuse("not_authed")
	case wantsApp && bot, !wantsApp && app:
		return refuse("not_allowed_token_type")
	case !wantsApp && !bot, wantsApp && !app:
		return slackError("invalid_auth")
	case bot && s.expired(token):
		return slackError("token_expired")
	}
	if bot {
		s.spend(token)
	}
	return nil
}

// expired says whether a known bot token is past its time.
func (s *Sim) expired(token string) bool {
	until := s.tokens.access[token]
	return !until.IsZero() && !s.cfg.Now().Before(until)
}

// spend notes that a token of the newest pair is in use: the refresh token that it came of is revoked.
func (s *Sim) spend(token string) {
	t := &s.tokens
	if token != t.current && token != t.next {
		return
	}
	if newest, ok := t.refresh[t.next]; ok {
		if before, ok := t.refresh[newest.from]; ok {
			before.spent = true
		}
	}
}

// oauthAccess is the method that exchanges refresh tokens.
const oauthAccess = "oauth.v2.access"

// oauthV2Access exchanges a refresh token for a new pair, as https://docs.slack.dev/authentication/using-token-rotation describes: the new
// access token lives for Config.TokenLifetime, old ones go on until their own end, the refresh token is revoked. The names of the errors
// are those of https://docs.slack.dev/reference/methods/oauth.v2.access.
func (s *Sim) oauthV2Access(a args) (map[string]any, error) {
	switch {
	case a.str("client_id") != s.cfg.ClientID:
		return nil, slackError("invalid_client_id")
	case a.str("client_secret") != s.cfg.ClientSecret:
		return nil, slackError("bad_client_secret")
	case a.str("grant_type") != "refresh_token":
		return nil, refuse("invalid_grant_type", problem{text: "only refresh_token is simulated", pointer: "/grant_type"})
	}
	now := s.cfg.Now()
	old, ok := s.tokens.refresh[a.str("refresh_token")]
	if !ok || old.spent || !old.used.IsZero() && now.Sub(old.used) >= refreshGrace {
		return nil, slackError("invalid_refresh_token")
	}
	s.spend(a.str("refresh_token"))
	if old.used.IsZero() {
		old.used = now
	}
	if abandoned, ok := s.tokens.refresh[s.tokens.next]; ok && abandoned.from == a.str("refresh_token") {
		delete(s.tokens.refresh, s.tokens.next) // its answer was lost
	}
	access, refresh := "xoxe.xoxb-1-"+s.token(), "xoxe-1-"+s.token()
	s.tokens.access[access] = now.Add(s.cfg.TokenLifetime)
	s.tokens.refresh[refresh] = &refreshToken{from: a.str("refresh_token")}
	s.tokens.current, s.tokens.next = access, refresh
	return s.installation(map[string]any{
		"access_token": access, "refresh_token": refresh, "token_type": "bot", "expires_in": int(s.cfg.TokenLifetime / time.Second),
		"scope": strings.Join(s.scopes, ","), "bot_user_id": s.cfg.App.BotUserID, "app_id": s.cfg.App.ID,
		"team": map[string]any{"id": s.cfg.Team.ID, "name": s.cfg.Team.Name},
	}), nil
}

// Token returns the bot token that the app was given last; with [Config.TokenLifetime] it changes.
func (s *Sim) Token() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tokens.current
}

// RefreshToken returns the refresh token that the app was given last, "" when tokens do not expire.
func (s *Sim) RefreshToken() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tokens.next
}

// ExpireTokens lets every bot token expire now, before its time. Without [Config.TokenLifetime] there is no way back.
func (s *Sim) ExpireTokens() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for token := range s.tokens.access {
		s.tokens.access[token] = s.cfg.Now()
	}
}

// ClientID returns what the app names itself with in oauth.v2.access.
func (s *Sim) ClientID() string { return s.cfg.ClientID }

// ClientSecret returns what the app proves itself with in oauth.v2.access.
func (s *Sim) ClientSecret() string { return s.cfg.ClientSecret }
