package slacksim

import (
	"maps"
	"slices"
	"strings"
)

// scope says what a method needs, in the words of Slack's reference of methods. Empty: any token will do. "*:history" is
// the scope of the conversation's kind: channels:history, groups:history or im:history; without a conversation any of
// them will do.
type scope string

// kinds are what stands for the star of a scope.
const (
	publicKind  = "channels"
	privateKind = "groups"
	directKind  = "im"
)

// of names the scopes of which one is needed for a conversation, which may be nil.
func (sc scope) of(c *conversation) []string {
	rest, kindly := strings.CutPrefix(string(sc), "*")
	switch {
	case sc == "":
		return nil
	case !kindly:
		return []string{string(sc)}
	case c == nil:
		return []string{publicKind + rest, privateKind + rest, directKind + rest}
	case c.with != "":
		return []string{directKind + rest}
	case c.Private:
		return []string{privateKind + rest}
	}
	return []string{publicKind + rest}
}

// allScopes are what the simulated methods and slash commands need, in order.
func allScopes() []string {
	all := map[string]bool{commandScope: true}
	for _, m := range methods() {
		for _, name := range m.scope.of(nil) {
			all[name] = true
		}
	}
	return slices.Sorted(maps.Keys(all))
}

// commandScope lets an app have slash commands.
const commandScope = "commands"

// granted says whether the token has one of the scopes. The caller holds the lock.
func (s *Sim) granted(oneOf []string) bool {
	return len(oneOf) == 0 || slices.ContainsFunc(oneOf, func(name string) bool { return slices.Contains(s.scopes, name) })
}

// permit refuses a call that the token has no scope for. The caller holds the lock.
func (s *Sim) permit(needed scope, a args) error {
	oneOf := needed.of(s.channels[a.str("channel")])
	if s.granted(oneOf) {
		return nil
	}
	return &apiError{code: "missing_scope", fields: map[string]any{
		"needed": strings.Join(oneOf, ","), "provided": strings.Join(s.scopes, ","),
	}}
}

// SetScopes changes what the token may do, as installing the app again does.
func (s *Sim) SetScopes(scopes ...string) {
	s.mu.Lock()
	s.scopes = slices.Clone(scopes)
	s.mu.Unlock()
	s.hub.changed()
}
