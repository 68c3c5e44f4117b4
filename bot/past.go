package bot

import (
	"strings"

	"github.com/slack-go/slack"

	"hitl"
)

// maxPast is how many entries of the log the details show.
const maxPast = 15

// pastBlocks tell what happened to an item, by its entries in the log, the oldest first; of very many the latest. open says that it waits for
// a verdict, notes are those whose words may be shown, blind that nobody may know until then what others said of it.
func pastBlocks(l *language, entries []hitl.Entry, notes []hitl.Note, blind bool) []slack.Block {
	if len(entries) == 0 {
		return nil
	}
	blocks := []slack.Block{section(l.say("details.past"))}
	if n := len(entries) - maxPast; n > 0 {
		blocks = append(blocks, contextLine(l.say("details.past.earlier", "N", n)))
		entries = entries[n:]
	}
	for _, e := range entries {
		blocks = append(blocks, contextLine(pastLine(l, e, notes, blind)))
	}
	return blocks
}

// pastLine is one entry in words, as mrkdwn.
func pastLine(l *language, e hitl.Entry, notes []hitl.Note, blind bool) string {
	by := who(l, entryReviewer(e.Reviewer))
	at := when(l, e.At)
	var line string
	switch e.Status {
	case hitl.HumanReview:
		queue, _ := e.Context["queue"].(string)
		line = l.say("past.routed", "Queue", code(l, queue, maxNameUnits), "When", at)
	case hitl.AIAccepted:
		line = l.say("past.ai_accepted", "When", at)
	case hitl.HumanAccepted, hitl.HumanCorrected, hitl.Expired, hitl.Cancelled:
		d := hitl.Decision{Status: e.Status, Label: e.Label, Reviewer: entryReviewer(e.Reviewer), At: e.At}
		if line = decided(l, d, e.AILabel); blind {
			line = l.say("past.decided", "Who", by, "When", at)
		}
		if where, _ := e.Context["where"].(map[string]any); where[hitl.DecidedWith] != nil {
			line = l.say("past.together", "Decision", line)
		}
	case hitl.Revealed:
		line = l.say("past.revealed", "Who", by, "When", at)
	case hitl.SkippedByOne:
		line = l.say("past.skipped", "Who", by, "When", at)
	case hitl.Voted:
		line = l.say("past.voted", "Who", by, "When", at)
	case hitl.Reopened:
		line = l.say("past.reopened", "Who", by, "When", at)
	case hitl.Noted:
		line = l.say("past.noted", "Who", by, "When", at)
		if words := noteOf(notes, e); words != "" {
			line = l.say("past.noted.words", "Noted", line, "Text", escape(cut(isolate(oneLine(visible(l, words))), maxCommentSummary, escapedUnits)))
		}
	case hitl.Escalated:
		line = l.say("past.escalated", "When", at)
	case hitl.Erased:
		line = l.say("past.erased", "Who", by, "When", at)
	default:
		line = code(l, string(e.Status), maxNameUnits) + " · " + by + " · " + at
	}
	if round, _ := e.Context["round"].(float64); round > 1 {
		line += " · " + l.say("card.origin.round", "Round", int(round))
	}
	return line
}

// entryReviewer is a reviewer as the log writes them.
func entryReviewer(s string) hitl.Reviewer {
	if team, user, ok := strings.Cut(s, "/"); ok {
		return hitl.Reviewer{Team: team, User: user}
	}
	return hitl.Reviewer{User: s}
}
