package slacksim

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// Slack's limits on a message as a whole.
const (
	maxText       = 40_000    // characters; postMessage cuts longer texts
	maxUpdateText = 4_000     // characters; update refuses longer texts
	maxBlockText  = 13_200    // characters of all blocks together, as reported by third parties
	maxMetadata   = 64 * 1024 // bytes of JSON; Slack documents the error but not the number
)

// content is what a message says, checked.
type content struct {
	text     string
	blocks   json.RawMessage // nil when there are none
	metadata *Metadata
	hasBlock bool // the call carried blocks, be they empty
	hasText  bool
	hasMeta  bool
}

// readContent checks text, blocks and metadata of a call or of a response_url post.
func (s *Sim) readContent(a args) (content, error) {
	c := content{text: a.str("text"), hasText: a.has("text")}
	if a.has("blocks") {
		raw, err := a.value("blocks")
		if err != nil {
			return c, refuse("invalid_blocks_format", problem{text: err.Error(), pointer: "/blocks"})
		}
		c.hasBlock = true
		list, problems := checkBlocks(raw, onMessage, "/blocks")
		if len(problems) > 0 {
			return c, refuse("invalid_blocks", problems...)
		}
		if len(list) > 0 {
			if n := blockTextLength(list); n > maxBlockText {
				return c, refuse("msg_blocks_too_long", problem{
					text: fmt.Sprintf("%d characters in all blocks together, at most %d", n, maxBlockText), pointer: "/blocks",
				})
			}
			c.blocks = s.fillIDs(list)
		}
	}
	if a.has("metadata") {
		m, given, err := readMetadata(a)
		if err != nil {
			return c, err
		}
		c.metadata, c.hasMeta = m, given
	}
	return c, nil
}

// readMetadata returns nil and true for an empty object, which removes metadata, and nil and false for the hollow shell
// that some clients send when they have none.
func readMetadata(a args) (*Metadata, bool, error) {
	v, err := a.value("metadata")
	if err != nil {
		return nil, false, refuse("invalid_metadata_format", problem{text: err.Error(), pointer: "/metadata"})
	}
	fields, ok := v.(map[string]any)
	if !ok {
		return nil, false, refuse("invalid_metadata_format", problem{text: "must provide an object", pointer: "/metadata"})
	}
	kind, _ := fields["event_type"].(string)
	payload, _ := fields["event_payload"].(map[string]any)
	if len(fields) == 0 || kind == "" && payload == nil && len(fields) == 2 {
		return nil, len(fields) == 0, nil
	}
	var problems []problem
	if kind == "" {
		problems = append(problems, problem{text: "missing required field: event_type", pointer: "/metadata"})
	}
	if payload == nil {
		problems = append(problems, problem{text: "missing required field: event_payload", pointer: "/metadata"})
	}
	for k := range fields {
		if k != "event_type" && k != "event_payload" {
			problems = append(problems, problem{text: "invalid additional property: " + k, pointer: "/metadata"})
		}
	}
	if len(problems) > 0 {
		return nil, false, refuse("invalid_metadata_schema", problems...)
	}
	raw, err := json.Marshal(fields)
	if err != nil {
		return nil, false, fmt.Errorf("encode metadata: %w", err)
	}
	if len(raw) > maxMetadata {
		return nil, false, refuse("metadata_too_large")
	}
	return &Metadata{EventType: kind, EventPayload: payload}, true, nil
}

// postable finds the channel a message goes to: a channel id, a #name, or a user id, which means the direct messages.
func (s *Sim) postable(where string) (*conversation, error) {
	if c, ok := s.channels[where]; ok {
		return c, s.canPost(c)
	}
	if name, ok := strings.CutPrefix(where, "#"); ok {
		for _, c := range s.channels {
			if c.Name == name && c.with == "" {
				return c, s.canPost(c)
			}
		}
	}
	if u, ok := s.users[where]; ok && !u.Bot {
		return s.openDM(u), nil
	}
	return nil, slackError("channel_not_found")
}

func (s *Sim) canPost(c *conversation) error {
	switch {
	case c.Archived:
		return slackError("is_archived")
	case s.botIn(c):
		return nil
	case c.Private:
		return slackError("channel_not_found")
	}
	return slackError("not_in_channel")
}

func (s *Sim) botIn(c *conversation) bool {
	return c.with != "" || slices.Contains(c.Members, s.cfg.App.BotUserID)
}

func (s *Sim) postMessage(a args) (map[string]any, error) {
	c, err := s.postable(a.str("channel"))
	if err != nil {
		return nil, err
	}
	body, err := s.readContent(a)
	if err != nil {
		return nil, err
	}
	if body.text == "" && body.blocks == nil {
		return nil, refuse("no_text")
	}
	thread, err := threadOf(c, a.str("thread_ts"))
	if err != nil {
		return nil, err
	}
	out := map[string]any{"channel": c.ID}
	if utf8.RuneCountInString(body.text) > maxText {
		body.text = string([]rune(body.text)[:maxText])
		out["warning"] = "message_truncated"
	}
	m := s.addMessage(c, body, thread, a.flag("reply_broadcast"))
	out["ts"], out["message"] = m.TS, s.messageJSON(m, true)
	return out, nil
}

// threadOf resolves thread_ts. A reply to a message that is gone is posted into the channel, as Slack does.
func threadOf(c *conversation, ts string) (string, error) {
	if ts == "" {
		return "", nil
	}
	if _, ok := tsTime(ts); !ok {
		return "", refuse("invalid_thread_ts")
	}
	for _, m := range c.messages {
		if m.TS == ts {
			if m.ThreadTS != "" {
				return m.ThreadTS, nil
			}
			return ts, nil
		}
	}
	return "", nil
}

func (s *Sim) addMessage(c *conversation, body content, thread string, broadcast bool) *message {
	m := &message{
		Message: Message{
			Channel: c.ID, TS: s.timestamp(), User: s.cfg.App.BotUserID, BotID: s.cfg.App.BotID,
			Text: body.text, Metadata: body.metadata, ThreadTS: thread, Broadcast: broadcast && thread != "",
		},
		blocks: body.blocks,
	}
	c.messages = append(c.messages, m)
	s.said(c, m)
	return m
}

// own finds a message that the app may change: one of its own that is not ephemeral.
func (s *Sim) own(a args, notMine string) (*conversation, *message, error) {
	c, ok := s.channels[a.str("channel")]
	if !ok {
		return nil, nil, slackError("channel_not_found")
	}
	for _, m := range c.messages {
		if m.TS == a.str("ts") {
			if m.BotID != s.cfg.App.BotID {
				return nil, nil, slackError(notMine)
			}
			return c, m, nil
		}
	}
	return nil, nil, slackError("message_not_found")
}

func (s *Sim) update(a args) (map[string]any, error) {
	_, m, err := s.own(a, "cant_update_message")
	if err != nil {
		return nil, err
	}
	body, err := s.readContent(a)
	if err != nil {
		return nil, err
	}
	if utf8.RuneCountInString(body.text) > maxUpdateText {
		return nil, refuse("msg_too_long")
	}
	if body.text == "" && body.blocks == nil && !body.hasMeta {
		return nil, refuse("no_text")
	}
	s.edit(m, body)
	return map[string]any{"channel": m.Channel, "ts": m.TS, "text": m.Text, "message": s.messageJSON(m, true)}, nil
}

// edit changes a message in place. A text without blocks removes the blocks; metadata stays unless sent.
func (s *Sim) edit(m *message, body content) {
	before := s.messageJSON(m, false)
	if body.hasText || body.hasBlock {
		m.Text, m.blocks = body.text, body.blocks
	}
	if body.hasMeta {
		m.Metadata = body.metadata
	}
	m.EditedTS = s.timestamp()
	m.trouble = nil
	s.changedMessage(m, before)
}

// remove takes a message out of its conversation.
func (s *Sim) remove(c *conversation, m *message) {
	before := s.messageJSON(m, false)
	c.messages = slices.DeleteFunc(c.messages, func(x *message) bool { return x == m })
	s.deletedMessage(c, m, before)
}

func (s *Sim) deleteMessage(a args) (map[string]any, error) {
	c, m, err := s.own(a, "cant_delete_message")
	if err != nil {
		return nil, err
	}
	s.remove(c, m)
	return map[string]any{"channel": c.ID, "ts": m.TS}, nil
}

func (s *Sim) postEphemeral(a args) (map[string]any, error) {
	c, err := s.postable(a.str("channel"))
	if err != nil {
		return nil, err
	}
	user := a.str("user")
	if c.with != user && !slices.Contains(c.Members, user) {
		return nil, slackError("user_not_in_channel")
	}
	body, err := s.readContent(a)
	if err != nil {
		return nil, err
	}
	if body.text == "" && body.blocks == nil {
		return nil, refuse("no_text")
	}
	if utf8.RuneCountInString(body.text) > maxText {
		return nil, refuse("msg_too_long")
	}
	thread, err := threadOf(c, a.str("thread_ts"))
	if err != nil {
		return nil, err
	}
	m := s.addEphemeral(c.ID, user, body, thread)
	return map[string]any{"message_ts": m.TS}, nil
}

// addEphemeral shows something to one user. Slack keeps these in the client only; here they stay until Reset.
func (s *Sim) addEphemeral(channel, user string, body content, thread string) *message {
	m := &message{
		Message: Message{
			Channel: channel, TS: s.timestamp(), User: s.cfg.App.BotUserID, BotID: s.cfg.App.BotID,
			Text: body.text, ThreadTS: thread, EphemeralTo: user,
		},
		blocks: body.blocks,
	}
	s.ephemeral = keep(s.ephemeral, m)
	return m
}

func (s *Sim) permalink(a args) (map[string]any, error) {
	c, ok := s.channels[a.str("channel")]
	if !ok {
		return nil, slackError("channel_not_found")
	}
	ts := a.str("message_ts")
	i := slices.IndexFunc(c.messages, func(m *message) bool { return m.TS == ts })
	if i < 0 {
		return nil, slackError("message_not_found")
	}
	link := fmt.Sprintf("https://%s.slack.com/archives/%s/p%s", s.cfg.Team.Domain, c.ID, strings.ReplaceAll(ts, ".", ""))
	if thread := c.messages[i].ThreadTS; thread != "" {
		link += "?thread_ts=" + thread + "&cid=" + c.ID
	}
	return map[string]any{"channel": c.ID, "permalink": link}, nil
}

// messageJSON is a message as the Web API and the payloads to the app show it.
func (s *Sim) messageJSON(m *message, metadata bool) map[string]any {
	out := map[string]any{
		"type": "message", "user": m.User, "text": m.Text, "ts": m.TS, "team": s.cfg.Team.ID,
	}
	if u, ok := s.users[m.User]; ok && m.BotID == "" {
		out["text"], out["team"] = escaped(m.Text), u.TeamID
	}
	if m.BotID != "" {
		out["bot_id"], out["app_id"], out["bot_profile"] = m.BotID, s.cfg.App.ID, map[string]any{
			"id": m.BotID, "app_id": s.cfg.App.ID, "name": s.cfg.App.Name, "team_id": s.cfg.Team.ID, "deleted": false,
		}
	}
	if m.blocks != nil {
		out["blocks"] = m.blocks
	}
	if m.Metadata != nil && metadata {
		out["metadata"] = m.Metadata
	}
	s.threadJSON(m, out)
	if m.Broadcast {
		out["subtype"] = "thread_broadcast"
	}
	if m.EditedTS != "" {
		out["edited"] = map[string]any{"user": m.User, "ts": m.EditedTS}
	}
	return out
}

// threadJSON adds what Slack says of threads: a reply names its parent and the parent's author, a parent its replies.
func (s *Sim) threadJSON(m *message, out map[string]any) {
	if m.ThreadTS != "" {
		out["thread_ts"] = m.ThreadTS
		if parent := s.find(m.Channel, m.ThreadTS); parent != nil {
			out["parent_user_id"] = parent.User
		}
		return
	}
	c, ok := s.channels[m.Channel]
	if !ok || m.EphemeralTo != "" {
		return
	}
	var users []string
	count, latest := 0, ""
	for _, r := range c.messages {
		if r.ThreadTS != m.TS {
			continue
		}
		count, latest = count+1, r.TS
		if !slices.Contains(users, r.User) {
			users = append(users, r.User)
		}
	}
	if count > 0 {
		out["thread_ts"], out["reply_count"], out["latest_reply"] = m.TS, count, latest
		out["reply_users"], out["reply_users_count"] = users, len(users)
	}
}

// reference is what a person's text may hold besides characters: somebody who was mentioned, a group, a channel.
var reference = regexp.MustCompile(`<(?:@[UW]|#C|!subteam\^S)[A-Z0-9]+(?:\|[^<>]*)?>|<!(?:channel|here|everyone)>`)

// escaped is a person's text as Slack hands it on: & < and > are entities, but for those of references.
func escaped(text string) string {
	plainly := strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")
	var out strings.Builder
	at := 0
	for _, span := range reference.FindAllStringIndex(text, -1) {
		out.WriteString(plainly.Replace(text[at:span[0]]))
		out.WriteString(text[span[0]:span[1]])
		at = span[1]
	}
	out.WriteString(plainly.Replace(text[at:]))
	return out.String()
}
