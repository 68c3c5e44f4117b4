package bot

import (
	"net/url"
	"strings"

	"hitl"
)

// sentIDPrefix begins the external ids of items that people have sent by the shortcut: "slack:TEAM/CHANNEL/TS".
const sentIDPrefix = "slack:"

// metadataLink is the key under which such an item has its message's address.
const metadataLink = "permalink"

// sentFrom returns the address of the message that an item was, ready for mrkdwn; empty for all others. An upstream could claim one, too: only
// Slack's own places count.
func (b *Bot) sentFrom(rec hitl.Record) string {
	if !b.sends(rec.Item.Source) || !strings.HasPrefix(rec.Item.ExternalID, sentIDPrefix) || erased(rec) {
		return ""
	}
	link, _ := rec.Item.Metadata[metadataLink].(string)
	u, err := url.Parse(link)
	if err != nil || u.Scheme != "https" || u.User != nil || u.Port() != "" || strings.ContainsAny(link, "<>|` \t\r\n") {
		return ""
	}
	if !strings.HasSuffix(u.Hostname(), ".slack.com") && !b.ourHost(u.Hostname()) {
		return ""
	}
	return escape(u.String())
}

// ourHost says whether a host is the workspace's own, as far as that is known: not all of Slack's end with slack.com.
func (b *Bot) ourHost(host string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.host != "" && host == b.host
}

// settleIn remembers where the workspace is.
func (b *Bot) settleIn(workspace string) {
	u, err := url.Parse(workspace)
	if err != nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.host = u.Hostname()
}

// sentLine leads from a card to the message; empty where there is none, or where something of its text is not shown here.
func sentLine(l *language, s screened) string {
	if s.sent == "" || s.hidden > 0 || s.veil.on() {
		return ""
	}
	return l.say("send.open", "Link", s.sent)
}
