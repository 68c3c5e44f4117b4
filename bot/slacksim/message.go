package slacksim

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
)

// Block is one decoded Block Kit block. Numbers in it are json.Number.
type Block = map[string]any

// Metadata is a message's metadata.
type Metadata struct {
	EventType    string         `json:"event_type"`
	EventPayload map[string]any `json:"event_payload"`
}

// Message is a snapshot of one message; changing it changes nothing in the workspace.
type Message struct {
	Channel string `json:"channel"`
	TS      string `json:"ts"`
	// User is the author; BotID is set when that is the app.
	User     string    `json:"user"`
	BotID    string    `json:"bot_id,omitempty"`
	Text     string    `json:"text"`
	Blocks   []Block   `json:"blocks,omitempty"`
	Metadata *Metadata `json:"metadata,omitempty"`
	// ThreadTS is the parent's timestamp, for replies; Broadcast shows a reply in the channel as well.
	ThreadTS  string `json:"thread_ts,omitempty"`
	Broadcast bool   `json:"broadcast,omitempty"`
	// EditedTS is the time of the last edit.
	EditedTS string `json:"edited_ts,omitempty"`
	// EphemeralTo is the only user who sees the message.
	EphemeralTo string `json:"ephemeral_to,omitempty"`
	// Mentions lists what the text or the blocks notify or link to: "!channel", "!here", "!everyone", "@U…",
	// "!subteam^S…". A test of hostile texts asserts that it is empty.
	Mentions []string `json:"mentions,omitempty"`
	// Trouble is what each user sees beside the message because the app did not answer their click.
	Trouble map[string]string `json:"trouble,omitempty"`
}

// message is the stored form. blocks holds canonical JSON with every block_id and action_id filled in.
type message struct {
	Message
	blocks  json.RawMessage
	trouble map[string]string
	entered map[string]State // what each user has chosen in it
}

// values is what a user sees chosen in a message: what they chose, as far as the elements are still there, else what was chosen at first.
func (m *message) values(user string) State {
	list := elements(anyBlocks(decodeBlocks(m.blocks)))
	out := initialValues(list)
	for _, e := range list {
		if was, ok := m.entered[user][e.BlockID][e.ActionID]; ok && was["type"] == e.Type {
			put(out, e, was)
		}
	}
	return out
}

func (m *message) snapshot() Message {
	out := m.Message
	out.Blocks = decodeBlocks(m.blocks)
	out.Mentions = mentions(out.Text, out.Blocks)
	if m.Metadata != nil {
		out.Metadata = cloneMetadata(m.Metadata)
	}
	for user, what := range m.trouble {
		if out.Trouble == nil {
			out.Trouble = map[string]string{}
		}
		out.Trouble[user] = what
	}
	return out
}

func decodeBlocks(raw json.RawMessage) []Block {
	if len(raw) == 0 {
		return nil
	}
	var blocks []Block
	if err := decodeJSON(raw, &blocks); err != nil {
		panic("slacksim: stored blocks do not decode: " + err.Error()) // they were encoded by us
	}
	return blocks
}

func cloneMetadata(m *Metadata) *Metadata {
	raw, err := json.Marshal(m)
	if err != nil {
		panic("slacksim: stored metadata does not encode: " + err.Error())
	}
	var out Metadata
	if err := decodeJSON(raw, &out); err != nil {
		panic("slacksim: stored metadata does not decode: " + err.Error())
	}
	return &out
}

// AllText returns every text of the message: the top-level one and those of all its blocks, one a line. Tests look for
// substrings in it.
func (m Message) AllText() string {
	lines := []string{m.Text}
	for _, b := range m.Blocks {
		lines = append(lines, texts(b)...)
	}
	return strings.Join(lines, "\n")
}

// Elements returns every interactive element of the message in order.
func (m Message) Elements() []Element { return elements(anyBlocks(m.Blocks)) }

// Element returns the first interactive element with that action_id.
func (m Message) Element(actionID string) (Element, bool) {
	all := m.Elements()
	i := slices.IndexFunc(all, func(e Element) bool { return e.ActionID == actionID })
	if i < 0 {
		return Element{}, false
	}
	return all[i], true
}

func anyBlocks(blocks []Block) []any {
	out := make([]any, len(blocks))
	for i, b := range blocks {
		out[i] = b
	}
	return out
}

// texts collects the strings under "text", "title", "label" and the like, in a stable order.
func texts(v any) []string {
	var out []string
	switch v := v.(type) {
	case map[string]any:
		keys := make([]string, 0, len(v))
		for k := range v {
			keys = append(keys, k)
		}
		slices.Sort(keys)
		for _, k := range keys {
			if s, ok := v[k].(string); ok {
				if k == "text" || k == "title" || k == "label" || k == "name" || k == "alt_text" {
					out = append(out, s)
				}
				continue
			}
			out = append(out, texts(v[k])...)
		}
	case []any:
		for _, e := range v {
			out = append(out, texts(e)...)
		}
	}
	return out
}

var mention = regexp.MustCompile(`<(@[UW][A-Z0-9]+|!(?:channel|here|everyone)|!subteam\^S[A-Z0-9]+)(?:\|[^<>]*)?>`)

// mentions finds what a message would notify. Only mrkdwn counts: plain_text shows the characters as they are.
func mentions(text string, blocks []Block) []string {
	var out []string
	add := func(s string) {
		for _, m := range mention.FindAllStringSubmatch(s, -1) {
			if !slices.Contains(out, m[1]) {
				out = append(out, m[1])
			}
		}
	}
	add(text)
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			s, _ := v["text"].(string)
			switch v["type"] {
			case "mrkdwn", "markdown":
				add(s)
			case "user":
				id, _ := v["user_id"].(string)
				add("<@" + id + ">")
			case "usergroup":
				id, _ := v["usergroup_id"].(string)
				add("<!subteam^" + id + ">")
			case "broadcast":
				r, _ := v["range"].(string)
				add("<!" + r + ">")
			}
			for _, e := range v {
				walk(e)
			}
		case []any:
			for _, e := range v {
				walk(e)
			}
		}
	}
	walk(anyBlocks(blocks))
	slices.Sort(out)
	return out
}

// Messages returns a channel's messages, oldest first, replies included and ephemeral ones not.
func (s *Sim) Messages(channel string) []Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, ok := s.channels[channel]
	if !ok {
		return nil
	}
	out := make([]Message, 0, len(c.messages))
	for _, m := range c.messages {
		out = append(out, m.snapshot())
	}
	return out
}

// Message returns one message, also an ephemeral one.
func (s *Sim) Message(channel, ts string) (Message, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.find(channel, ts)
	if m == nil {
		return Message{}, false
	}
	return m.snapshot(), true
}

// Ephemerals returns what only this user sees, in all channels, oldest first.
func (s *Sim) Ephemerals(user string) []Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Message
	for _, m := range s.ephemeral {
		if m.EphemeralTo == user {
			out = append(out, m.snapshot())
		}
	}
	return out
}

// DM returns the channel id of the direct messages between the bot and a user, or "" when none was opened.
func (s *Sim) DM(user string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, c := range s.channels {
		if c.with == user {
			return id
		}
	}
	return ""
}

// find looks a message up, ephemeral ones included.
func (s *Sim) find(channel, ts string) *message {
	if c, ok := s.channels[channel]; ok {
		for _, m := range c.messages {
			if m.TS == ts {
				return m
			}
		}
	}
	for _, m := range s.ephemeral {
		if m.Channel == channel && m.TS == ts {
			return m
		}
	}
	return nil
}
