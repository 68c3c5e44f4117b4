package slacksim

import (
	"maps"
	"net/url"
	"strings"
)

// Enterprise is the Enterprise Grid organisation that the workspace belongs to. The zero value: none.
type Enterprise struct {
	// ID begins with E.
	ID   string `json:"id"`
	Name string `json:"name"`
	// OrgWide says that the app is installed in the whole organisation, not in the workspace alone: is_enterprise_install is true, payloads
	// from views name no team, and methods that list things of a workspace need team_id.
	OrgWide bool `json:"org_wide,omitempty"`
}

// DemoEnterprise returns the demo workspace as one of the organisation "Slack simulator Grid" (E0SLACKSIM): its people have the same
// names and W in place of U in their ids.
func DemoEnterprise() Config {
	cfg := DemoWorkspace()
	global := func(ids []string) []string {
		out := make([]string, len(ids))
		for i, id := range ids {
			out[i] = id
			if id != "U0HITL" {
				out[i] = globalID(id)
			}
		}
		return out
	}
	for i := range cfg.Users {
		cfg.Users[i].ID = globalID(cfg.Users[i].ID)
	}
	for i := range cfg.Groups {
		cfg.Groups[i].Members = global(cfg.Groups[i].Members)
	}
	for i := range cfg.Channels {
		cfg.Channels[i].Members = global(cfg.Channels[i].Members)
	}
	cfg.Enterprise = Enterprise{ID: "E0SLACKSIM", Name: "Slack simulator Grid"}
	return cfg
}

func globalID(id string) string { return "W" + strings.TrimPrefix(id, "U") }

// orgID is the organisation's id, null when there is none.
func (s *Sim) orgID() any {
	if s.cfg.Enterprise.ID == "" {
		return nil
	}
	return s.cfg.Enterprise.ID
}

// enterpriseJSON is the organisation in payloads, null when there is none.
func (s *Sim) enterpriseJSON() any {
	if s.cfg.Enterprise.ID == "" {
		return nil
	}
	return map[string]any{"id": s.cfg.Enterprise.ID, "name": s.cfg.Enterprise.Name}
}

// teamJSON is a user's workspace in payloads.
func (s *Sim) teamJSON(u *User) map[string]any {
	if u.TeamID != s.cfg.Team.ID {
		return map[string]any{"id": u.TeamID, "domain": strings.ToLower(u.TeamID)}
	}
	team := map[string]any{"id": u.TeamID, "domain": s.cfg.Team.Domain}
	if s.cfg.Enterprise.ID != "" {
		team["enterprise_id"], team["enterprise_name"] = s.cfg.Enterprise.ID, s.cfg.Enterprise.Name
	}
	return team
}

// viewPayload begins a payload that comes from a view. With an org-wide installation it is of no workspace: the user's team_id says where
// they are. Slack's own types allow null here, https://github.com/slackapi/bolt-js/blob/main/src/types/view/index.ts.
func (s *Sim) viewPayload(kind, user string, v *view) map[string]any {
	payload := s.basePayload(kind, user)
	payload["view"] = s.viewJSON(v)
	if s.cfg.Enterprise.OrgWide {
		payload["team"] = nil
	}
	return payload
}

// installedIn is where the app is installed: the workspace, or the organisation.
func (s *Sim) installedIn() string {
	if s.cfg.Enterprise.OrgWide {
		return s.cfg.Enterprise.ID
	}
	return s.cfg.Team.ID
}

// enterpriseForm adds the organisation to a slash command.
func (s *Sim) enterpriseForm(form url.Values) {
	if s.cfg.Enterprise.ID == "" {
		return
	}
	form.Set("enterprise_id", s.cfg.Enterprise.ID)
	form.Set("enterprise_name", s.cfg.Enterprise.Name)
	if s.cfg.Enterprise.OrgWide {
		form.Set("is_enterprise_install", "true")
	}
}

// enterpriseUser adds what users.info tells of a member of the organisation.
func (s *Sim) enterpriseUser(u *User, out map[string]any) {
	if s.cfg.Enterprise.ID == "" || u.TeamID != s.cfg.Team.ID {
		return
	}
	out["enterprise_user"] = map[string]any{
		"id": u.ID, "enterprise_id": s.cfg.Enterprise.ID, "enterprise_name": s.cfg.Enterprise.Name,
		"is_admin": false, "is_owner": false, "teams": []string{u.TeamID},
	}
}

// needsTeam lists the simulated methods that need team_id when the token is an organisation's:
// https://api.slack.com/enterprise/apps/changes-apis
var needsTeam = map[string]bool{"conversations.list": true, "usergroups.list": true, "usergroups.users.list": true}

// ofTeam checks the team_id of a call, which counts with an organisation's token only.
func (s *Sim) ofTeam(method string, a args) error {
	if !s.cfg.Enterprise.OrgWide || !needsTeam[method] {
		return nil
	}
	switch a.str("team_id") {
	case "":
		return refuse("missing_argument", problem{text: "missing required field: team_id"})
	case s.cfg.Team.ID:
		return nil
	}
	return slackError("team_access_not_granted")
}

// installation adds where the app is installed to an answer.
func (s *Sim) installation(out map[string]any) map[string]any {
	maps.Copy(out, map[string]any{"is_enterprise_install": s.cfg.Enterprise.OrgWide, "enterprise": s.enterpriseJSON()})
	if s.cfg.Enterprise.OrgWide {
		out["team"] = nil
	}
	return out
}
