package bot

import (
	"regexp"
	"strings"
)

// control is what Slack puts between angle brackets into the text of a message: https://docs.slack.dev/messaging/formatting-message-text
var control = regexp.MustCompile(`<[^<>]*>`)

var entities = strings.NewReplacer("&lt;", "<", "&gt;", ">", "&amp;", "&")

// written returns a message's text as people read it: links and mentions by their names, and characters instead of entities.
func written(text string) string {
	return entities.Replace(control.ReplaceAllStringFunc(text, func(c string) string {
		target, name, _ := strings.Cut(c[1:len(c)-1], "|")
		switch {
		case strings.HasPrefix(target, "!"):
			if name != "" {
				return name
			}
			word, _, _ := strings.Cut(target[1:], "^")
			return "@" + word
		case name == "":
			return target
		case strings.HasPrefix(target, "@") || strings.HasPrefix(target, "#"):
			return target[:1] + name
		case strings.HasSuffix(target, name):
			return name
		}
		return name + " (" + target + ")"
	}))
}
