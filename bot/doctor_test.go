package bot

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"hitl/bot/slacksim"
)

// clinic is a world whose bot is examined.
type clinic struct {
	*world
	cfg Config
	e   Examination
}

// newClinic starts a workspace in which everything is as it should be, changed by change, and the bot's service.
func newClinic(t *testing.T, change ...func(*setup)) *clinic {
	t.Helper()
	people := func(s *setup) {
		demo := slacksim.DemoWorkspace()
		s.sim.Users = slices.Concat(demo.Users, []slacksim.User{{ID: "U0ROBOT", Name: "robot", Bot: true}})
		s.sim.Groups = slices.Concat(demo.Groups, []slacksim.Group{{ID: "S0EMPTY"}, {ID: "S0GONE", Members: []string{"U0DAN", "U0ROBOT"}}})
		s.sim.Channels = slices.Concat(demo.Channels, []slacksim.Channel{
			{ID: "C0OLD", Name: "old", Archived: true, Members: []string{ana, "U0HITL"}},
			{ID: "C0SECRET", Name: "secret", Private: true, Members: []string{ana}},
		})
		s.bot.Queues = map[string]Queue{
			"support": {Channel: channel, Reviewers: Reviewers{Users: []string{chloe}, Groups: []string{"S0REVIEWERS"}}},
			"urgent":  {Channel: "C0ESCALATE", Reviewers: Reviewers{Users: []string{chloe, ana}}},
		}
	}
	c := &clinic{world: newWorld(t, append([]func(*setup){people}, change...)...)}
	app := httptest.NewServer(c.bot.Handler())
	t.Cleanup(app.Close)
	c.cfg, c.e = c.bot.cfg, Examination{Service: app.URL}
	c.cfg.SigningSecrets = []string{c.sim.SigningSecret()}
	c.cfg.Desk, c.cfg.Cards, c.cfg.Waiting, c.cfg.Stats = nil, nil, nil, nil // an examination does without
	return c
}

func (c *clinic) examine() map[string]Check {
	c.t.Helper()
	checks, err := Examine(c.t.Context(), c.cfg, c.e)
	if err != nil {
		c.t.Fatal(err)
	}
	found := map[string]Check{}
	for _, check := range checks {
		if _, twice := found[check.About]; twice {
			c.t.Errorf("two checks of %s", check.About)
		}
		if (check.State == Bad) && check.Mend == "" {
			c.t.Errorf("how is it mended? %+v", check)
		}
		found[check.About] = check
	}
	c.clean()
	return found
}

// only makes sure that one check is as wanted and all others are good.
func (c *clinic) only(about string, state State, words, mend string) {
	c.t.Helper()
	found := c.examine()
	for name, check := range found {
		if name != about && check.State != Good {
			c.t.Errorf("besides: %+v", check)
		}
	}
	if got := found[about]; got.State != state || !strings.Contains(got.Found, words) || !strings.Contains(got.Mend, mend) {
		c.t.Errorf("%+v, want %s, %q, %q", got, state, words, mend)
	}
}

func TestDoctorFindsNothing(t *testing.T) {
	t.Parallel()
	c := newClinic(t)
	c.e.Channels = map[string]string{"C0ESCALATE": "audit.anchor_channel"}
	found := c.examine()
	for about, words := range map[string]string{
		"token":              "hitl (U0HITL) in workspace Slack simulator (T0SLACKSIM)",
		"scopes":             "all that are needed and no others",
		"clock":              "the same as Slack's",
		"channel C0REVIEW":   "queue support: the app is in it and may post",
		"channel C0ESCALATE": "queue urgent, audit.anchor_channel: the app is in it and may post",
		"user U0CHLOE":       "reviews support, reviews urgent: chloe is active",
		"user U0ANA":         "reviews urgent: ana is active",
		"group S0REVIEWERS":  "reviews support: members: 2; ana is active",
		"requests":           "takes what is signed with this secret",
	} {
		if check := found[about]; check.State != Good || !strings.Contains(check.Found, words) || check.Mend != "" {
			t.Errorf("%s: %+v, want %q", about, check, words)
		}
		delete(found, about)
	}
	if len(found) > 0 {
		t.Errorf("more: %+v", found)
	}
	for _, id := range []string{channel, "C0ESCALATE"} {
		if n := len(c.sim.Messages(id)); n > 0 {
			t.Errorf("%d messages stand in %s", n, id)
		}
	}
	for _, user := range []string{ana, ben, chloe} {
		if said := c.whispered(user); said != "" {
			t.Errorf("%s was told %q", user, said)
		}
	}
}

func TestDoctorFinds(t *testing.T) {
	t.Parallel()
	queue := func(change func(*Queue)) func(*setup) {
		return func(s *setup) {
			q := Queue{Channel: channel, Reviewers: Reviewers{Users: []string{ana}}}
			change(&q)
			s.bot.Queues = map[string]Queue{"support": q}
		}
	}
	in := func(id string) func(*setup) { return queue(func(q *Queue) { q.Channel = id }) }
	users := func(ids ...string) func(*setup) { return queue(func(q *Queue) { q.Reviewers.Users = ids }) }
	groups := func(ids ...string) func(*setup) {
		return queue(func(q *Queue) { q.Reviewers.Groups = ids })
	}
	off := func(d time.Duration) func(*setup) {
		return func(s *setup) { s.sim.Now = func() time.Time { return time.Now().Add(d) } }
	}
	for name, tc := range map[string]struct {
		change      func(*setup)
		about       string
		state       State
		words, mend string
	}{
		"scope too many": {
			func(s *setup) { s.sim.Scopes = append(Scopes(Needs{}), "files:write", "mpim:write") },
			"scopes", Open, "files:write, mpim:write is more than hitl needs", "take it away",
		},
		"not in channel":      {in("C0GENERAL"), "channel C0GENERAL", Bad, "queue support: Slack says not_in_channel", "/invite"},
		"no channel":          {in("C0NOWHERE"), "channel C0NOWHERE", Bad, "channel_not_found", "check the id"},
		"private channel":     {in("C0SECRET"), "channel C0SECRET", Bad, "channel_not_found", "/invite"},
		"archived channel":    {in("C0OLD"), "channel C0OLD", Bad, "is_archived", "unarchive"},
		"no user":             {users("U0NOBODY"), "user U0NOBODY", Bad, "reviews support: Slack says user_not_found", "check the id"},
		"deactivated user":    {users("U0DAN", ana), "user U0DAN", Bad, "dan is deactivated", "take the id out"},
		"bot":                 {users("U0ROBOT"), "user U0ROBOT", Bad, "robot is a bot", "take the id out"},
		"stranger":            {users("U0EVE"), "user U0EVE", Bad, "eve belongs to another workspace", "take the id out"},
		"no group":            {groups("S0NONE", "S0REVIEWERS"), "group S0NONE", Bad, "no_such_subteam", "check the id"},
		"empty group":         {groups("S0EMPTY"), "group S0EMPTY", Bad, "no members", "add reviewers"},
		"group of the gone":   {groups("S0GONE"), "group S0GONE", Bad, "none of its members may decide (2)", "add reviewers"},
		"clock a bit behind":  {off(30 * time.Second), "clock", Good, "behind Slack's", ""},
		"clock behind":        {off(2 * time.Minute), "clock", Open, "behind Slack's", "NTP"},
		"clock ahead":         {off(-3 * time.Minute), "clock", Open, "ahead of Slack's", "NTP"},
		"clock far too ahead": {off(-6 * time.Minute), "clock", Bad, "ahead of Slack's: requests more than 5m0s off are refused", "NTP"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			newClinic(t, tc.change).only(tc.about, tc.state, tc.words, tc.mend)
		})
	}
}

// A scope that is missing is said once, with what it is for; what could not be looked at says no more than that.
func TestDoctorMissesScopes(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		without string
		open    []string
	}{
		"users":    {"users:read", []string{"user U0CHLOE", "user U0ANA", "group S0REVIEWERS"}},
		"groups":   {"usergroups:read", []string{"group S0REVIEWERS"}},
		"history":  {"channels:history", []string{"channel C0REVIEW", "channel C0ESCALATE"}},
		"posting":  {"chat:write", []string{"channel C0REVIEW", "channel C0ESCALATE"}},
		"commands": {"commands", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newClinic(t)
			c.sim.SetScopes(slices.DeleteFunc(Scopes(Needs{}), func(s string) bool { return s == tc.without })...)
			for about, check := range c.examine() {
				want := Good
				switch {
				case about == "scopes":
					want = Bad
				case slices.Contains(tc.open, about):
					want = Open
				}
				if check.State != want {
					t.Errorf("%+v, want %s", check, want)
				}
				if about == "scopes" && (!strings.Contains(check.Found, tc.without+" is missing, it is needed to ") || !strings.Contains(check.Mend, "add "+tc.without)) {
					t.Errorf("%+v", check)
				}
			}
		})
	}
}

func TestDoctorNeedsTheToken(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		change      func(*clinic)
		words, mend string
	}{
		"wrong token": {func(c *clinic) { c.cfg.Token = "xoxb-another" }, "invalid_auth", "install the app again"},
		"another team": {
			func(c *clinic) { c.cfg.Team = "T0OTHER" },
			"it belongs to workspace Slack simulator (T0SLACKSIM), and slack.team is T0OTHER", "slack.team",
		},
		"nothing there": {func(c *clinic) { c.cfg.APIURL = "http://127.0.0.1:1/api/" }, "Slack does not answer", "slack.api_url"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newClinic(t)
			tc.change(c)
			found := c.examine()
			if got := found["token"]; got.State != Bad || !strings.Contains(got.Found, tc.words) || !strings.Contains(got.Mend, tc.mend) {
				t.Errorf("%+v", got)
			}
			if got := found["channels and reviewers"]; got.State != Open {
				t.Errorf("%+v", got)
			}
			if got := found["requests"]; got.State != Good {
				t.Errorf("%+v", got)
			}
			for _, check := range found {
				if strings.Contains(check.Found+check.Mend, "xoxb-another") {
					t.Errorf("the token shows: %+v", check)
				}
			}
		})
	}
}

func TestDoctorTriesTheService(t *testing.T) {
	t.Parallel()
	serve := func(h http.HandlerFunc) func(*clinic) {
		return func(c *clinic) {
			server := httptest.NewServer(h)
			c.t.Cleanup(server.Close)
			c.e.Service = server.URL
		}
	}
	for name, tc := range map[string]struct {
		change      func(*clinic)
		state       State
		words, mend string
	}{
		"another secret": {func(c *clinic) { c.cfg.SigningSecrets = []string{"another"} }, Bad, "does not take what is signed", "restart the service"},
		"not running":    {func(c *clinic) { c.e.Service = "http://127.0.0.1:1" }, Bad, "the service is not running", "hitl serve"},
		"not known":      {func(c *clinic) { c.e.Service = "" }, Open, "not looked at", ""},
		"somebody else":  {serve(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("hello")) }), Bad, "answers 200, and not as the service does", "proxy"},
		"not found":      {serve(http.NotFound), Bad, "answers 404", "proxy"},
		"redirect": {
			serve(func(w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, "https://elsewhere.example/slack/events", http.StatusMovedPermanently)
			}), Bad, "redirects (301)", "server.public_url",
		},
		"no certificate": {func(c *clinic) {
			server := httptest.NewTLSServer(http.NotFoundHandler())
			c.t.Cleanup(server.Close)
			c.e.Service = server.URL
		}, Bad, "has no good certificate", "everybody trusts"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newClinic(t)
			tc.change(c)
			c.only("requests", tc.state, tc.words, tc.mend)
		})
	}
}

func TestDoctorPosts(t *testing.T) {
	t.Parallel()
	c := newClinic(t)
	c.e.Post = true
	if got := c.examine()["channel C0REVIEW"]; got.State != Good || !strings.Contains(got.Found, "a message was posted and deleted") {
		t.Errorf("%+v", got)
	}
	if posts, left := len(c.sim.Calls("chat.postMessage")), len(c.sim.Messages(channel)); posts != 2 || left != 0 {
		t.Errorf("%d posts, %d messages stand", posts, left)
	}
	if err := c.sim.Fail("chat.delete", slacksim.Fault{Times: -1, Error: "cant_delete_message"}); err != nil {
		t.Fatal(err)
	}
	if got := c.examine()["channel C0REVIEW"]; got.State != Bad || !strings.Contains(got.Found, "cannot be deleted") {
		t.Errorf("%+v", got)
	}
	if err := c.sim.Fail("chat.postMessage", slacksim.Fault{Times: -1, LoseReply: slacksim.LoseByStatus}); err != nil {
		t.Fatal(err)
	}
	if got := c.examine()["channel C0REVIEW"]; got.State != Bad || !strings.Contains(got.Mend, "may stand in the channel") {
		t.Errorf("%+v", got)
	}
}

// What Slack says of a dry run that no card would meet is no verdict.
func TestDoctorCannotTell(t *testing.T) {
	t.Parallel()
	c := newClinic(t)
	if err := c.sim.Fail("chat.postEphemeral", slacksim.Fault{Times: -1, Error: "user_not_in_channel"}); err != nil {
		t.Fatal(err)
	}
	if got := c.examine()["channel C0REVIEW"]; got.State != Open || !strings.Contains(got.Mend, "--post") {
		t.Errorf("%+v", got)
	}
}

// Slack's "not now" is waited for.
func TestDoctorIsPatient(t *testing.T) {
	t.Parallel()
	c := newClinic(t)
	for _, method := range []string{"auth.test", "users.info", "usergroups.users.list"} {
		if err := c.sim.Fail(method, slacksim.Fault{RetryAfter: time.Second}); err != nil {
			t.Fatal(err)
		}
	}
	for _, check := range c.examine() {
		if check.State != Good {
			t.Errorf("%+v", check)
		}
	}
}

func TestDoctorEnds(t *testing.T) {
	t.Parallel()
	c := newClinic(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Examine(ctx, c.cfg, c.e); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	c.cfg.Token = ""
	if _, err := Examine(t.Context(), c.cfg, c.e); err == nil || !strings.Contains(err.Error(), "token is missing") {
		t.Error(err)
	}
}

// An app-level token must open connections, and nothing is opened to find that out.
func TestDoctorTriesTheAppToken(t *testing.T) {
	t.Parallel()
	socket := func(s *setup) { s.sim.SocketMode = true }
	c := newClinic(t, socket)
	before := c.sim.Connections()
	if got := c.examine()["app token"]; got.State != Good || c.sim.Connections() != before {
		t.Errorf("%+v, connections %d and then %d", got, before, c.sim.Connections())
	}
	for code, mend := range map[string]string{
		"invalid_auth": "make another", "not_allowed_token_type": "begin with xapp-", "missing_scope": "connections:write",
	} {
		c := newClinic(t, socket)
		if err := c.sim.Fail("apps.connections.open", slacksim.Fault{Error: code}); err != nil {
			t.Fatal(err)
		}
		if got := c.examine()["app token"]; got.State != Bad || !strings.Contains(got.Found, code) || !strings.Contains(got.Mend, mend) {
			t.Errorf("%s: %+v", code, got)
		}
	}
	if _, there := newClinic(t).examine()["app token"]; there {
		t.Error("looked at without one")
	}
}
