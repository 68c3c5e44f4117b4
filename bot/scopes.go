package bot

import "strings"

// scopes are what the token needs, and what for. They are all that is asked of Slack.
var scopes = []struct{ name, why string }{
	{"chat:write", "posts, redraws and deletes cards, and answers clicks"},
	{"commands", "brings the slash command"},
	{"users:read", "sees whether a reviewer's account is active"},
	{"usergroups:read", "reads who is in a user group of reviewers"},
	{"channels:history", "finds its cards again in public channels"},
	{"groups:history", "finds its cards again in private channels"},
}

// Scopes returns the bot scopes that the app needs, and no others.
func Scopes() []string {
	names := make([]string, len(scopes))
	for i, s := range scopes {
		names[i] = s.name
	}
	return names
}

// scopeWords enumerates the scopes in a sentence.
func scopeWords() string {
	names := Scopes()
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " and " + names[last]
}
