package bot

import "strings"

// scopes are what the token needs, and what for. They are all that is asked of Slack.
var scopes = []struct{ name, why string }{
	{"chat:write", "post, redraw and delete cards, and answer clicks"},
	{"commands", "have a slash command"},
	{"users:read", "see whether a reviewer's account is active"},
	{"usergroups:read", "read who is in a user group of reviewers"},
	{"channels:history", "find cards again in public channels, and keep replies to them"},
	{"groups:history", "find cards again in private channels, and keep replies to them"},
	{"im:write", "write to a single person"},
	{"im:history", "find again what was written to a single person"},
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
