package slacksim_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/slack-go/slack"

	"hitl/bot/slacksim"
)

func TestScopes(t *testing.T) {
	t.Parallel()
	w := start(t, func(c *slacksim.Config) {
		demo := slacksim.DemoWorkspace()
		c.Users, c.Groups, c.Channels = demo.Users, demo.Groups, demo.Channels
		c.Channels = append(c.Channels, slacksim.Channel{ID: "C0PRIVATE", Name: "private", Private: true, Members: []string{"U0ANA", "U0HITL"}})
	})
	// By default the token may do everything.
	if _, err := w.client.GetUserInfoContext(t.Context(), "U0ANA"); err != nil {
		t.Error(err)
	}
	dm, _, _, err := w.client.OpenConversationContext(t.Context(), &slack.OpenConversationParameters{Users: []string{"U0ANA"}})
	if err != nil {
		t.Fatal(err)
	}
	w.sim.SetScopes("chat:write", "groups:history")
	for _, tc := range []struct{ method, args, needed string }{
		{"auth.test", "", ""},
		{"chat.postMessage", "channel=C0REVIEW&text=x", ""},
		{"conversations.history", "channel=C0PRIVATE", ""},
		{"conversations.history", "channel=C0REVIEW", "channels:history"},
		{"conversations.history", "channel=" + dm.ID, "im:history"},
		{"conversations.info", "channel=C0REVIEW", "channels:read"},
		{"conversations.list", "", "channels:read,groups:read,im:read"},
		{"users.info", "user=U0ANA", "users:read"},
		{"usergroups.users.list", "usergroup=S0REVIEWERS", "usergroups:read"},
	} {
		_, _, body := raw(t, w, tc.method, formType, w.sim.Token(), tc.args)
		needed, _ := body["needed"].(string)
		refused := body["error"] == "missing_scope" && body["provided"] == "chat:write,groups:history"
		if needed != tc.needed || refused != (tc.needed != "") {
			t.Errorf("%s %s: %v", tc.method, tc.args, body)
		}
	}
	if out, err := w.sim.Command(t.Context(), "U0ANA", "C0REVIEW", "/hitl", ""); err != nil || out.Error != "unknown_command" {
		t.Errorf("a slash command without its scope: %+v, %v", out, err)
	}
	w.clean(t)
}

// Slack's answers tell what time it is there, and what a good token may do.
func TestLetterhead(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.sim.SetScopes("chat:write", "commands")
	for token, scopes := range map[string]string{w.sim.Token(): "chat:write,commands", "xoxb-other": ""} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.url+"/api/auth.test", strings.NewReader(url.Values{"token": {token}}.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", formType)
		res, err := w.http.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if got := res.Header.Get("X-OAuth-Scopes"); got != scopes {
			t.Errorf("scopes %q, want %q", got, scopes)
		}
		if got := res.Header.Get("Date"); got != w.clock.now().UTC().Format(http.TimeFormat) {
			t.Errorf("date %q, the workspace's clock says %s", got, w.clock.now())
		}
	}
}
