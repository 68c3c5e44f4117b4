package slacksim

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"time"
)

// visible finds a channel that the bot may read.
func (s *Sim) visible(id string) (*conversation, error) {
	c, ok := s.channels[id]
	if !ok || c.Private && !s.botIn(c) {
		return nil, slackError("channel_not_found")
	}
	return c, nil
}

func (s *Sim) history(a args) (map[string]any, error) {
	c, err := s.visible(a.str("channel"))
	if err != nil {
		return nil, err
	}
	if !s.botIn(c) {
		return nil, slackError("not_in_channel")
	}
	var found []*message
	for _, m := range slices.Backward(c.messages) {
		if m.ThreadTS == "" || m.Broadcast {
			found = append(found, m)
		}
	}
	return s.pageOfMessages(a, found)
}

func (s *Sim) replies(a args) (map[string]any, error) {
	c, err := s.visible(a.str("channel"))
	if err != nil {
		return nil, err
	}
	var found []*message
	for _, m := range c.messages {
		if m.TS == a.str("ts") || m.ThreadTS == a.str("ts") {
			found = append(found, m)
		}
	}
	if len(found) == 0 || found[0].TS != a.str("ts") {
		return nil, slackError("thread_not_found")
	}
	return s.pageOfMessages(a, found)
}

// pageOfMessages applies oldest, latest, inclusive, limit and cursor. oldest and latest are exclusive unless inclusive
// is set; timestamps compare as numbers.
func (s *Sim) pageOfMessages(a args, list []*message) (map[string]any, error) {
	within := func(*message) bool { return true }
	for _, bound := range []string{"oldest", "latest"} {
		limit := a.str(bound)
		if limit == "" || limit == "0" || limit == "now" {
			continue
		}
		if !strings.Contains(limit, ".") {
			limit += ".000000"
		}
		at, ok := tsTime(limit)
		if !ok {
			return nil, refuse("invalid_ts_" + bound)
		}
		before, inclusive, older := within, a.flag("inclusive"), bound == "oldest"
		within = func(m *message) bool {
			t, _ := tsTime(m.TS)
			inside := t.After(at) == older && !t.Equal(at) || inclusive && t.Equal(at)
			return inside && before(m)
		}
	}
	list = slices.DeleteFunc(slices.Clone(list), func(m *message) bool { return !within(m) })
	list, next, err := paginate(a, list, 100, 999, func(m *message) string { return m.TS })
	if err != nil {
		return nil, err
	}
	out := make([]map[string]any, 0, len(list))
	for _, m := range list {
		out = append(out, s.messageJSON(m, a.flag("include_all_metadata")))
	}
	return map[string]any{
		"messages": out, "has_more": next != "", "pin_count": 0,
		"response_metadata": map[string]any{"next_cursor": next},
	}, nil
}

// paginate cuts one page out of a list. A cursor names the first element of its page, so pages stay right when newer
// elements arrive in between.
func paginate[T any](a args, list []T, usual, most int, key func(T) string) (page []T, next string, err error) {
	limit := a.num("limit", 0)
	if limit == 0 {
		limit = usual
	}
	if limit < 1 || limit > most {
		return nil, "", refuse("invalid_limit")
	}
	if cursor := a.str("cursor"); cursor != "" {
		raw, err := base64.StdEncoding.DecodeString(cursor)
		want, ok := strings.CutPrefix(string(raw), "next:")
		if err != nil || !ok {
			return nil, "", refuse("invalid_cursor")
		}
		i := slices.IndexFunc(list, func(v T) bool { return key(v) == want })
		if i < 0 {
			return nil, "", slackError("invalid_cursor")
		}
		list = list[i:]
	}
	if len(list) <= limit {
		return list, "", nil
	}
	return list[:limit], base64.StdEncoding.EncodeToString([]byte("next:" + key(list[limit]))), nil
}

func (s *Sim) conversationInfo(a args) (map[string]any, error) {
	c, err := s.visible(a.str("channel"))
	if err != nil {
		return nil, err
	}
	out := s.conversationJSON(c)
	if a.flag("include_num_members") {
		out["num_members"] = len(c.Members)
	}
	if a.flag("include_locale") {
		out["locale"] = "en-US"
	}
	return map[string]any{"channel": out}, nil
}

// shared says whether people of another workspace are in a channel.
func (s *Sim) shared(c *conversation) bool {
	return slices.ContainsFunc(c.Members, func(u string) bool { return s.users[u].TeamID != s.cfg.Team.ID })
}

func (s *Sim) conversationJSON(c *conversation) map[string]any {
	if c.with != "" {
		return map[string]any{
			"id": c.ID, "is_im": true, "user": c.with, "is_open": true, "is_archived": false,
			"context_team_id": s.cfg.Team.ID, "is_user_deleted": s.users[c.with].Deactivated,
		}
	}
	shared := s.shared(c)
	return map[string]any{
		"id": c.ID, "name": c.Name, "name_normalized": c.Name, "is_channel": !c.Private, "is_group": c.Private,
		"is_im": false, "is_mpim": false, "is_private": c.Private, "is_archived": c.Archived, "is_general": false,
		"is_ext_shared": shared, "is_shared": shared, "is_member": s.botIn(c), "context_team_id": s.cfg.Team.ID,
		"topic": map[string]any{"value": c.Topic, "creator": "", "last_set": 0},
	}
}

func (s *Sim) joinConversation(a args) (map[string]any, error) {
	c, err := s.visible(a.str("channel"))
	switch {
	case err != nil:
		return nil, err
	case c.with != "" || c.Private:
		return nil, slackError("method_not_supported_for_channel_type")
	case c.Archived:
		return nil, slackError("is_archived")
	}
	out := map[string]any{"channel": s.conversationJSON(c)}
	if s.botIn(c) {
		out["warning"] = "already_in_channel"
		out["response_metadata"] = map[string]any{"warnings": []string{"already_in_channel"}}
		return out, nil
	}
	c.Members = append(c.Members, s.cfg.App.BotUserID)
	return map[string]any{"channel": s.conversationJSON(c)}, nil
}

func (s *Sim) listConversations(a args) (map[string]any, error) {
	types := a.str("types")
	or(&types, "public_channel")
	wanted := strings.Split(types, ",")
	for _, t := range wanted {
		if !slices.Contains([]string{"public_channel", "private_channel", "im", "mpim"}, t) {
			return nil, refuse("invalid_types")
		}
	}
	var found []*conversation
	for _, id := range s.chanOrder {
		c := s.channels[id]
		kind := "public_channel"
		if c.with != "" {
			kind = "im"
		} else if c.Private {
			kind = "private_channel"
		}
		if slices.Contains(wanted, kind) && (!c.Private || s.botIn(c)) && (!c.Archived || !a.flag("exclude_archived")) {
			found = append(found, c)
		}
	}
	list, next, err := paginate(a, found, 100, 999, func(c *conversation) string { return c.ID })
	if err != nil {
		return nil, err
	}
	out := make([]map[string]any, 0, len(list))
	for _, c := range list {
		out = append(out, s.conversationJSON(c))
	}
	return map[string]any{"channels": out, "response_metadata": map[string]any{"next_cursor": next}}, nil
}

func (s *Sim) conversationMembers(a args) (map[string]any, error) {
	c, err := s.visible(a.str("channel"))
	if err != nil {
		return nil, err
	}
	list, next, err := paginate(a, c.Members, 100, 999, func(id string) string { return id })
	if err != nil {
		return nil, err
	}
	return map[string]any{
		"members": append([]string{}, list...), "response_metadata": map[string]any{"next_cursor": next},
	}, nil
}

func (s *Sim) openConversation(a args) (map[string]any, error) {
	if id := a.str("channel"); id != "" {
		c, ok := s.channels[id]
		if !ok || c.with == "" {
			return nil, slackError("channel_not_found")
		}
		return s.opened(a, c, true), nil
	}
	if a.str("users") == "" {
		return nil, refuse("users_list_not_supplied")
	}
	ids := strings.Split(a.str("users"), ",")
	if len(ids) > 1 {
		return nil, refuse("not_simulated", problem{text: "group direct messages are not simulated", pointer: "/users"})
	}
	u, ok := s.users[ids[0]]
	switch {
	case !ok || u.Bot:
		return nil, slackError("user_not_found")
	case u.Deactivated:
		return nil, slackError("user_disabled")
	}
	for _, c := range s.channels {
		if c.with == u.ID {
			return s.opened(a, c, true), nil
		}
	}
	if a.flag("prevent_creation") {
		return nil, slackError("channel_not_found")
	}
	return s.opened(a, s.openDM(u), false), nil
}

func (s *Sim) opened(a args, c *conversation, already bool) map[string]any {
	out := map[string]any{"channel": map[string]any{"id": c.ID}}
	if a.flag("return_im") {
		out["channel"] = s.conversationJSON(c)
	}
	if already {
		out["no_op"], out["already_open"] = true, true
	}
	return out
}

// openDM returns the direct messages with a user, begun now if need be.
func (s *Sim) openDM(u *User) *conversation {
	for _, c := range s.channels {
		if c.with == u.ID {
			return c
		}
	}
	return s.addDM(s.id("D"), u.ID)
}

func (s *Sim) addDM(id, user string) *conversation {
	c := &conversation{
		Channel: Channel{ID: id, Name: "directmessage", Members: []string{user, s.cfg.App.BotUserID}}, with: user,
	}
	s.channels[id] = c
	s.chanOrder = append(s.chanOrder, id)
	return c
}

func (s *Sim) userInfo(a args) (map[string]any, error) {
	u, ok := s.users[a.str("user")]
	if !ok {
		return nil, slackError("user_not_found")
	}
	out := map[string]any{
		"id": u.ID, "team_id": u.TeamID, "name": u.Name, "real_name": u.RealName, "deleted": u.Deactivated,
		"is_bot": u.Bot, "is_restricted": u.Guest, "is_ultra_restricted": false, "is_app_user": false, "tz": u.TimeZone, "updated": s.cfg.Now().Unix(),
		"profile": map[string]any{
			"real_name": u.RealName, "display_name": u.Name, "email": u.Email, "team": u.TeamID,
		},
	}
	if u.TeamID != s.cfg.Team.ID {
		out["is_stranger"] = true
	}
	s.enterpriseUser(u, out)
	if at, err := time.LoadLocation(u.TimeZone); err == nil { // New has tried it
		name, offset := s.cfg.Now().In(at).Zone()
		out["tz_label"], out["tz_offset"] = name, offset
	}
	if a.flag("include_locale") {
		out["locale"] = u.Locale
	}
	return map[string]any{"user": out}, nil
}

func (s *Sim) listGroups(a args) (map[string]any, error) {
	out := make([]map[string]any, 0, len(s.groups))
	for _, g := range s.groups {
		if g.Disabled && !a.flag("include_disabled") {
			continue
		}
		entry := map[string]any{
			"id": g.ID, "team_id": s.cfg.Team.ID, "is_usergroup": true, "name": g.Name, "handle": g.Handle,
			"description": "", "is_external": false, "date_create": 1700000000, "date_update": 1700000000, "date_delete": 0,
			"prefs": map[string]any{"channels": []string{}, "groups": []string{}},
		}
		if a.flag("include_users") {
			entry["users"] = append([]string{}, g.Members...)
		}
		if a.flag("include_count") {
			entry["user_count"] = len(g.Members)
		}
		out = append(out, entry)
	}
	return map[string]any{"usergroups": out}, nil
}

func (s *Sim) groupMembers(a args) (map[string]any, error) {
	for _, g := range s.groups {
		if g.ID == a.str("usergroup") {
			if g.Disabled && !a.flag("include_disabled") {
				return map[string]any{"users": []string{}}, nil
			}
			return map[string]any{"users": append([]string{}, g.Members...)}, nil
		}
	}
	return nil, slackError("no_such_subteam")
}

// SetGroupMembers replaces the members of a user group.
func (s *Sim) SetGroupMembers(group string, members ...string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.groups {
		if s.groups[i].ID == group {
			s.groups[i].Members = slices.Clone(members)
			s.hub.changed()
			return nil
		}
	}
	return fmt.Errorf("set group members: no group %q", group)
}

// SetDeactivated deactivates a user, or brings one back.
func (s *Sim) SetDeactivated(user string, deactivated bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	u, ok := s.users[user]
	if !ok {
		return fmt.Errorf("set deactivated: no user %q", user)
	}
	u.Deactivated = deactivated
	s.hub.changed()
	return nil
}

// SetMember adds a user (or the bot) to a channel, or takes one out.
func (s *Sim) SetMember(channel, user string, member bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, ok := s.channels[channel]
	if !ok || c.with != "" {
		return fmt.Errorf("set member: no channel %q", channel)
	}
	if _, ok := s.users[user]; !ok {
		return fmt.Errorf("set member: no user %q", user)
	}
	c.Members = slices.DeleteFunc(slices.Clone(c.Members), func(id string) bool { return id == user })
	if member {
		c.Members = append(c.Members, user)
	}
	s.hub.changed()
	return nil
}
