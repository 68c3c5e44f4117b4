package config

import (
	"maps"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // time zones are known on machines that have no list of them

	"hitl"
)

func (q Queue) validate(ps *problems, path string) {
	if q.Channel != "" && !channelForm.MatchString(q.Channel) {
		ps.add(path+".channel", `must be the channel's id, "C…", which stands at the end of "View channel details", not its name`)
	}
	if len(q.Reviewers.Users)+len(q.Reviewers.Groups) == 0 && !q.Reviewers.ChannelMembers {
		ps.add(path+".reviewers", "nobody may review: name users or groups, or set channel_members")
	}
	checkPeople(ps, path+".reviewers", q.Reviewers.Users, q.Reviewers.Groups)
	checkPeople(ps, path+".owners", q.Owners.Users, q.Owners.Groups)
	if c := q.Owners.Channel; c != "" && !channelForm.MatchString(c) {
		ps.add(path+".owners.channel", `must be the channel's id, "C…", which stands at the end of "View channel details", not its name`)
	}
	q.SLA.validate(ps, path+".sla")
	if h := q.Hours; h != nil {
		h.validate(ps, path+".hours")
	}
	if _, err := hitl.NewWeekly(time.UTC, q.Digest); err != nil {
		ps.add(path+".digest", "%s", err)
	}
	if p := q.Panel; p != nil {
		who := p.Adjudicators
		if len(who.Users)+len(who.Groups)+len(q.Owners.Users)+len(q.Owners.Groups) == 0 {
			ps.add(path+".panel.adjudicators", "nobody may decide where a panel has no majority: name users or groups, or the queue's owners")
		}
		checkPeople(ps, path+".panel.adjudicators", who.Users, who.Groups)
	}
	if q.ReasonRequired != "never" && len(q.Reasons) == 0 {
		ps.add(path+".reason_required", "has a meaning with reasons to choose from only: name some under reasons")
	}
	for _, name := range slices.Sorted(maps.Keys(q.RedactPatterns)) {
		checkPattern(ps, join(path+".redact_patterns", name), q.RedactPatterns[name])
	}
}

func (s SLA) validate(ps *problems, path string) {
	if c := s.EscalateTo.Channel; c != "" && !channelForm.MatchString(c) {
		ps.add(path+".escalate_to.channel", `must be the channel's id, "C…", which stands at the end of "View channel details", not its name`)
	}
	if g := s.EscalateTo.Group; g != "" && !groupForm.MatchString(g) {
		ps.add(path+".escalate_to.group", `must be the id of a user group, "S…", not its handle`)
	}
	label, named := strings.CutPrefix(s.ExpireAs, "label:")
	if s.ExpireAs != "undecided" && s.ExpireAs != "ai_label" && (!named || strings.TrimSpace(label) == "") {
		ps.add(path+".expire_as", "must be undecided, ai_label or label:NAME")
	}
}

func (h Hours) validate(ps *problems, path string) {
	zone, err := time.LoadLocation(h.TimeZone)
	if err != nil || h.TimeZone == "Local" {
		ps.add(path+".time_zone", "%q is no time zone; names are like Europe/Berlin", h.TimeZone)
		return
	}
	if _, err := hitl.NewHours(zone, h.Week, h.Holidays); err != nil {
		ps.add(path, "%s", err)
	}
}

func checkPeople(ps *problems, path string, users, groups []string) {
	for i, u := range users {
		if !userForm.MatchString(u) {
			ps.add(index(path+".users", i), `must be a member id, "U…" or "W…", which "Copy member ID" in a profile gives, not a name`)
		}
	}
	for i, g := range groups {
		if !groupForm.MatchString(g) {
			ps.add(index(path+".groups", i), `must be the id of a user group, "S…", not its handle`)
		}
	}
}

// Warnings returns what is allowed and yet hardly meant, by key.
func (c *Config) Warnings() []string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(c.Queues)) {
		q := c.Queues[name]
		if q.Order == "oldest" || q.ExpireAfter <= 0 || q.SLA.RemindAfter > 0 && q.SLA.RemindAfter < q.ExpireAfter {
			continue
		}
		out = append(out, join("queues", name)+".order: with "+q.Order+", what the model is surest of waits longest, and it expires after expire_after without "+
			"anybody having been told; set sla.remind_after to less than expire_after, since reviews go by age from the reminder on")
	}
	return out
}
