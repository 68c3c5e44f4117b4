package bot

import (
	"slices"
	"strings"
)

// Needs are what a configuration uses of Slack beside what every one does.
type Needs struct {
	ChannelMembers bool // reviewers are a channel's members
	TokenRotation  bool // the bot token expires
	Shortcut       bool // messages can be sent to hitl
}

// Needs returns what a configuration uses.
func (c Config) Needs() Needs {
	n := Needs{TokenRotation: c.Rotation.RefreshToken != "", Shortcut: len(c.ShortcutSources) > 0}
	for _, q := range c.Queues {
		n.ChannelMembers = n.ChannelMembers || q.Reviewers.MembersOf != ""
	}
	return n
}

type scope struct{ name, why string }

// scopes are what every token needs, and what for.
var scopes = []scope{
	{"chat:write", "post, redraw and delete cards, and answer clicks"},
	{"commands", "have a slash command"},
	{"users:read", "see whether a reviewer's account is active"},
	{"usergroups:read", "read who is in a user group of reviewers"},
	{"channels:history", "find cards again in public channels, and keep replies to them"},
	{"groups:history", "find cards again in private channels, and keep replies to them"},
	{"im:write", "write to a single person"},
	{"im:history", "find again what was written to a single person"},
}

// memberScopes are needed where reviewers are a channel's members.
var memberScopes = []scope{
	{"channels:read", "read who is in a public channel whose members review"},
	{"groups:read", "read who is in a private channel whose members review"},
}

// scopes are all that is asked of Slack.
func (n Needs) scopes() []scope {
	if n.ChannelMembers {
		return slices.Concat(scopes, memberScopes)
	}
	return scopes
}

// Scopes returns the bot scopes that the app needs, and no others.
func Scopes(n Needs) []string {
	var names []string
	for _, s := range n.scopes() {
		names = append(names, s.name)
	}
	return names
}

// scopeWords enumerates the scopes in a sentence.
func scopeWords() string {
	return strings.Join(Scopes(Needs{}), ", ") + ", and, where reviewers are a channel's members, " + strings.Join(Scopes(Needs{ChannelMembers: true})[len(scopes):], " and ")
}
