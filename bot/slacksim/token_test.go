package slacksim_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/slack-go/slack"

	"hitl/bot/slacksim"
)

func rotating(c *slacksim.Config) { c.TokenLifetime = 12 * time.Hour }

func (w *world) refresh(t *testing.T, token string) (*slack.OAuthV2Response, error) {
	t.Helper()
	return slack.RefreshOAuthV2TokenContext(t.Context(), w.http, w.sim.ClientID(), w.sim.ClientSecret(), token, slack.OAuthOptionAPIURL(w.url+"/api/"))
}

// works says what a call with a token is answered.
func (w *world) works(t *testing.T, token string) string {
	t.Helper()
	_, _, body := raw(t, w, "auth.test", formType, token, "")
	s, _ := body["error"].(string)
	return s
}

func TestTokenRotation(t *testing.T) {
	t.Parallel()
	w := start(t, rotating)
	first, key := w.sim.Token(), w.sim.RefreshToken()
	if w.works(t, first) != "" || !strings.HasPrefix(first, "xoxe.xoxb-") || !strings.HasPrefix(key, "xoxe-") {
		t.Fatalf("installed with %s and %s", first, key)
	}
	w.clock.advance(11 * time.Hour)
	r, err := w.refresh(t, key)
	if err != nil {
		t.Fatal(err)
	}
	if r.ExpiresIn != 43200 || r.TokenType != "bot" || r.AccessToken != w.sim.Token() || r.RefreshToken != w.sim.RefreshToken() ||
		!strings.HasPrefix(r.AccessToken, "xoxe.xoxb-") || !strings.HasPrefix(r.RefreshToken, "xoxe-") || r.AccessToken == first || r.RefreshToken == key ||
		r.AppID != "A0HITL" || r.BotUserID != "U0HITL" || r.Team.ID != "T0SLACKSIM" || !strings.Contains(r.Scope, "chat:write") {
		t.Errorf("answer %+v", r)
	}
	if w.works(t, first) != "" || w.works(t, r.AccessToken) != "" {
		t.Error("both tokens are good until their ends")
	}
	if _, err := w.refresh(t, key); errText(err) != "invalid_refresh_token" {
		t.Errorf("the refresh token's second use: %v", err)
	}
	w.clock.advance(time.Hour)
	if got := w.works(t, first); got != "token_expired" {
		t.Errorf("the first token after 12 h: %q", got)
	}
	w.clock.advance(11 * time.Hour)
	if got := w.works(t, r.AccessToken); got != "token_expired" {
		t.Errorf("the second token after 12 h: %q", got)
	}
	if r, err = w.refresh(t, r.RefreshToken); err != nil || w.works(t, r.AccessToken) != "" {
		t.Errorf("a refresh token does not expire: %v", err)
	}
	for _, c := range w.sim.Calls("oauth.v2.access") {
		if len(c.Args) != 2 || c.Args["client_id"] == "" || c.Args["grant_type"] == "" {
			t.Errorf("secrets are recorded: %v", c.Args)
		}
	}
	w.clean(t)
}

// When the answer is lost, the same refresh token works again, as long as nothing of the pair is used and a minute has not passed.
func TestLostRefresh(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		between func(t *testing.T, w *world, access, refresh string)
		want    string
	}{
		"at once":            {func(*testing.T, *world, string, string) {}, ""},
		"a minute later":     {func(_ *testing.T, w *world, _, _ string) { w.clock.advance(time.Minute) }, "invalid_refresh_token"},
		"after access":       {func(t *testing.T, w *world, access, _ string) { w.works(t, access) }, "invalid_refresh_token"},
		"after next refresh": {func(t *testing.T, w *world, _, next string) { _, _ = w.refresh(t, next) }, "invalid_refresh_token"},
		"first still in use": {func(t *testing.T, w *world, _, _ string) { w.works(t, "xoxe.xoxb-1-slacksim") }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := start(t, rotating)
			key := w.sim.RefreshToken()
			if err := w.sim.Fail("oauth.v2.access", slacksim.Fault{LoseReply: slacksim.LoseByCut}); err != nil {
				t.Fatal(err)
			}
			if _, err := w.refresh(t, key); err == nil {
				t.Fatal("the answer was not lost")
			}
			access, lost := w.sim.Token(), w.sim.RefreshToken()
			tc.between(t, w, access, lost)
			r, err := w.refresh(t, key)
			if errText(err) != tc.want {
				t.Fatalf("%v, want %q", err, tc.want)
			}
			if tc.want != "" {
				return
			}
			if _, err := w.refresh(t, lost); errText(err) != "invalid_refresh_token" {
				t.Errorf("the refresh token that was lost: %v", err)
			}
			if w.works(t, r.AccessToken) != "" {
				t.Error("the new token does not work")
			}
		})
	}
}

func TestRefreshErrors(t *testing.T) {
	t.Parallel()
	const good = "client_id=0.0&client_secret=slacksim-client-secret&grant_type=refresh_token&refresh_token=xoxe-1-slacksim"
	for name, tc := range map[string]struct {
		args, want string
		refused    bool
	}{
		"good":          {good, "", false},
		"client id":     {strings.Replace(good, "0.0", "1.0", 1), "invalid_client_id", false},
		"client secret": {strings.Replace(good, "=slacksim-client", "=other", 1), "bad_client_secret", false},
		"refresh token": {good + "x", "invalid_refresh_token", false},
		"grant type":    {strings.Replace(good, "grant_type=refresh_token", "grant_type=password", 1), "invalid_grant_type", true},
		"nothing":       {"", "invalid_arguments", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := start(t, rotating)
			_, _, body := raw(t, w, "oauth.v2.access", formType, "", tc.args)
			got, _ := body["error"].(string)
			if got != tc.want || (len(w.sim.Refused()) > 0) != tc.refused {
				t.Errorf("answer %v, refused %v", body, w.sim.Refused())
			}
		})
	}
	t.Run("HTTP Basic", func(t *testing.T) {
		t.Parallel()
		w := start(t, rotating)
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.url+"/api/oauth.v2.access", strings.NewReader("grant_type=refresh_token&refresh_token="+w.sim.RefreshToken()))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", formType)
		req.SetBasicAuth(w.sim.ClientID(), w.sim.ClientSecret())
		before := w.sim.Token()
		res, err := w.http.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if w.sim.Token() == before {
			t.Error("no new token")
		}
		w.clean(t)
	})
	t.Run("rotation is off", func(t *testing.T) {
		t.Parallel()
		w := start(t)
		if _, err := w.refresh(t, "xoxe-1-slacksim"); errText(err) != "invalid_refresh_token" || w.sim.RefreshToken() != "" || w.sim.Token() != "xoxb-slacksim" {
			t.Errorf("%v", err)
		}
	})
}

func TestExpireTokens(t *testing.T) {
	t.Parallel()
	w := start(t, rotating)
	if control(t, w, "POST", "expire", `{}`, nil); w.works(t, w.sim.Token()) != "token_expired" {
		t.Error("not expired")
	}
	if r, err := w.refresh(t, w.sim.RefreshToken()); err != nil || w.works(t, r.AccessToken) != "" {
		t.Errorf("refreshed: %v", err)
	}
	w.clean(t)
}
