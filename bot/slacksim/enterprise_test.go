package slacksim_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/slack-go/slack"

	"hitl/bot/slacksim"
)

// inGrid is a workspace of an organisation.
func inGrid(c *slacksim.Config) {
	demo := slacksim.DemoEnterprise()
	c.Users, c.Groups, c.Channels, c.Enterprise = demo.Users, demo.Groups, demo.Channels, demo.Enterprise
}

// orgWide is a workspace of an organisation in all of which the app is installed.
func orgWide(c *slacksim.Config) {
	inGrid(c)
	c.Enterprise.OrgWide = true
}

// grid is what payloads say of workspace and organisation.
type grid struct {
	Team *struct {
		ID             string
		EnterpriseID   string `json:"enterprise_id"`
		EnterpriseName string `json:"enterprise_name"`
	}
	Enterprise *struct{ ID, Name string }
	Install    *bool `json:"is_enterprise_install"`
	User       struct {
		ID     string
		TeamID string `json:"team_id"`
	}
	View struct {
		TeamID    string `json:"team_id"`
		Installed string `json:"app_installed_team_id"`
	}
}

func TestEnterprisePayloads(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		config  func(*slacksim.Config)
		orgWide bool
	}{"workspace": {inGrid, false}, "organisation": {orgWide, true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := start(t, tc.config, withShortcuts, subscribed)
			ts := post(t, w, "C0REVIEW", slack.MsgOptionText("x", false), card())
			check := func(what string, fromView bool) {
				t.Helper()
				var g grid
				if err := json.Unmarshal([]byte(w.app.payload()), &g); err != nil {
					t.Fatal(err)
				}
				if g.Enterprise == nil || g.Enterprise.ID != "E0SLACKSIM" || g.Enterprise.Name == "" || g.Install == nil || *g.Install != tc.orgWide ||
					g.User.ID != "W0ANA" || g.User.TeamID != "T0SLACKSIM" {
					t.Errorf("%s: %s", what, w.app.payload())
				}
				if fromView && tc.orgWide {
					if g.Team != nil || g.View.Installed != "E0SLACKSIM" || g.View.TeamID != "T0SLACKSIM" {
						t.Errorf("%s: %s", what, w.app.payload())
					}
				} else if g.Team == nil || g.Team.ID != "T0SLACKSIM" || g.Team.EnterpriseID != "E0SLACKSIM" || g.Team.EnterpriseName == "" {
					t.Errorf("%s: %s", what, w.app.payload())
				}
			}
			try := func(out slacksim.Outcome, err error) slacksim.Outcome {
				t.Helper()
				if err != nil || out.Error != "" {
					t.Fatalf("%+v, %v", out, err)
				}
				return out
			}
			out := try(w.sim.Click(t.Context(), slacksim.Click{User: "W0ANA", Channel: "C0REVIEW", TS: ts, ActionID: "other"}))
			check("click in a message", false)
			if _, err := w.client.OpenView(out.TriggerID, form("Correct")); err != nil {
				t.Fatal(err)
			}
			try(w.sim.SubmitView(t.Context(), slacksim.Submit{User: "W0ANA", Values: map[string]map[string]slacksim.Input{"label": {"choice": {Option: "POSITIVE"}}}}))
			check("submission", true)
			try(w.sim.Shortcut(t.Context(), slacksim.UseShortcut{User: "W0ANA", CallbackID: "new"}))
			check("shortcut", false)
			v, err := w.client.PublishViewContext(t.Context(), slack.PublishViewContextRequest{
				UserID: "W0ANA", View: slack.HomeTabViewRequest{Type: slack.VTHomeTab, Blocks: slack.Blocks{BlockSet: chooser()}},
			})
			if err != nil {
				t.Fatal(err)
			}
			try(w.sim.Click(t.Context(), slacksim.Click{User: "W0ANA", ViewID: v.ID, ActionID: "go"}))
			check("click in a home tab", true)

			try(w.sim.Command(t.Context(), "W0ANA", "C0REVIEW", "/hitl", "x"))
			if c := w.app.last().slash; c.EnterpriseID != "E0SLACKSIM" || c.EnterpriseName == "" || c.IsEnterpriseInstall != tc.orgWide || c.TeamID != "T0SLACKSIM" {
				t.Errorf("command: %s", w.app.last().body)
			}
			if err := w.sim.Settle(context5(t)); err != nil {
				t.Fatal(err)
			}
			try(w.sim.OpenHome(t.Context(), "W0ANA"))
			var e struct {
				EnterpriseID   string `json:"enterprise_id"`
				Context        string `json:"context_enterprise_id"`
				Authorizations []struct {
					EnterpriseID string `json:"enterprise_id"`
					TeamID       string `json:"team_id"`
					Install      bool   `json:"is_enterprise_install"`
				}
			}
			if err := json.Unmarshal(w.app.last().body, &e); err != nil || e.EnterpriseID != "E0SLACKSIM" || e.Context != "E0SLACKSIM" || len(e.Authorizations) != 1 ||
				e.Authorizations[0].EnterpriseID != "E0SLACKSIM" || e.Authorizations[0].Install != tc.orgWide {
				t.Errorf("event: %s", w.app.last().body)
			}
			w.clean(t)
		})
	}
}

func TestEnterpriseAnswers(t *testing.T) {
	t.Parallel()
	w := start(t, orgWide, rotating)
	who, err := w.client.AuthTestContext(t.Context())
	if err != nil || who.EnterpriseID != "E0SLACKSIM" {
		t.Errorf("auth.test: %+v, %v", who, err)
	}
	u, err := w.client.GetUserInfoContext(t.Context(), "W0ANA")
	if err != nil || u.Enterprise.EnterpriseID != "E0SLACKSIM" || u.Enterprise.ID != "W0ANA" || len(u.Enterprise.Teams) != 1 {
		t.Errorf("users.info: %+v, %v", u, err)
	}
	r, err := w.refresh(t, w.sim.RefreshToken())
	if err != nil || r.Enterprise.ID != "E0SLACKSIM" || !r.IsEnterpriseInstall || r.Team.ID != "" {
		t.Errorf("oauth.v2.access: %+v, %v", r, err)
	}
	for args, want := range map[string]any{"": "missing_argument", "team_id=T0OTHER": "team_access_not_granted", "team_id=T0SLACKSIM": nil} {
		if _, _, body := raw(t, w, "usergroups.list", formType, w.sim.Token(), args); body["error"] != want {
			t.Errorf("usergroups.list %q: %v", args, body)
		}
	}
	if _, err := slacksim.New(slacksim.Config{Enterprise: slacksim.Enterprise{ID: "T1"}}); err == nil || !strings.Contains(err.Error(), "enterprise id") {
		t.Errorf("a wrong id: %v", err)
	}
}
