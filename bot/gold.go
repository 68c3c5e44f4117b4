package bot

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"hitl"
)

// goldPrivate tells somebody how they answered what was known. Of what they missed it has links and labels alone: the texts are where the queue
// shows them, and a conversation is out of erasure's reach.
func (b *Bot) goldPrivate(ctx context.Context, n hitl.Notice) (message, error) {
	var missed []hitl.MissedGold
	if err := json.Unmarshal([]byte(n.Data["missed"]), &missed); err != nil {
		return message{}, fmt.Errorf("read what was missed: %w: %w", err, hitl.ErrPermanent)
	}
	links := make([]string, len(missed))
	for i, m := range missed {
		links[i] = b.cardLink(ctx, m.ReviewID)
	}
	return goldPrivateMessage(b.languageOf(ctx, n.To), n, missed, links), nil
}

func goldPrivateMessage(l *language, n hitl.Notice, missed []hitl.MissedGold, links []string) message {
	share := goldShare(l, n)
	if share == "" {
		share = l.say("gold.few")
	}
	lines := []string{l.say("gold.private", "Queue", code(l, n.Queue, maxNameUnits), "Since", goldDate(l, n, "since"), "Until", goldDate(l, n, "until"),
		"Right", n.Data["right"], "Of", n.Data["of"], "Share", share)}
	for i, m := range missed {
		if i == 0 {
			lines = append(lines, l.say("gold.missed"))
		}
		line := "• " + l.say("gold.missed.one", "Said", code(l, m.Said, maxLabelUnits), "Known", code(l, m.Known, maxLabelUnits))
		if links[i] != "" {
			line += " · " + l.say("mine.link", "Link", links[i])
		}
		lines = append(lines, line)
	}
	return saidAlone(strings.Join(lines, "\n"))
}

// goldOwners tells the owners of a queue what the person was told a week before; of few answers no rate, for it would say nothing.
func goldOwners(l *language, n hitl.Notice) message {
	person, queue := who(l, hitl.Reviewer{User: n.Data["reviewer"]}), code(l, n.Queue, maxNameUnits)
	since, until := goldDate(l, n, "since"), goldDate(l, n, "until")
	share := goldShare(l, n)
	if share == "" {
		return saidAlone(l.say("gold.owners.few", "Who", person, "Queue", queue, "Since", since, "Until", until, "Of", n.Data["of"]))
	}
	return saidAlone(l.say("gold.owners", "Who", person, "Queue", queue, "Since", since, "Until", until,
		"Right", n.Data["right"], "Of", n.Data["of"], "Share", share))
}

func goldDate(l *language, n hitl.Notice, key string) string {
	t, _ := time.Parse(time.RFC3339, n.Data[key]) // it was written by us
	return when(l, t)
}

// goldShare is the share that was right, with its interval; empty where there is none.
func goldShare(l *language, n hitl.Notice) string {
	right, _ := strconv.Atoi(n.Data["right"])
	of, _ := strconv.Atoi(n.Data["of"])
	low, errLow := strconv.ParseFloat(n.Data["low"], 64)
	high, errHigh := strconv.ParseFloat(n.Data["high"], 64)
	if errLow != nil || errHigh != nil || of == 0 {
		return ""
	}
	return l.say("gold.share", "Share", rate(l, float64(right)/float64(of)), "Low", rate(l, low), "High", rate(l, high))
}
