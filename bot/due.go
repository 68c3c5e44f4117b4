package bot

import (
	"strconv"

	"github.com/slack-go/slack"

	"hitl"
)

// reminder tells a queue's reviewers that reviews have waited for long. link leads to the card of the one that has waited longest; empty: it has none.
func reminder(l *language, n hitl.Notice, rec screened, link string) message {
	words := l.say("notice.reminder", "N", counted(n), "Queue", code(l, n.Queue, maxNameUnits))
	return waitingMessage(l, words, rec, link)
}

// escalation tells that reviews have waited for too long, and whom it calls.
func escalation(l *language, n hitl.Notice, rec screened, link string) message {
	queue := code(l, n.Queue, maxNameUnits)
	words := l.say("notice.escalation", "N", counted(n), "Queue", queue)
	if to := n.Data["to"]; to != "" {
		words += " " + l.say("notice.escalation.moved", "Queue", code(l, to, maxNameUnits))
	}
	if group := n.Data["group"]; group != "" {
		words += " <!subteam^" + group + ">"
	}
	return waitingMessage(l, words, rec, link)
}

// waitingMessage ends words with the review that has waited longest, if it still does.
func waitingMessage(l *language, words string, rec screened, link string) message {
	if !open(rec.Record) {
		words += " " + l.say("notice.over")
		return saidAlone(words)
	}
	since := l.say("notice.since", "When", when(l, rec.Review.OpenedAt))
	m := message{Text: words + " " + since, Blocks: []slack.Block{section(words), contextLine(since)}}
	if link != "" {
		open := l.say("notice.open_card", "Link", link)
		m.Text += " " + open
		m.Blocks = append(m.Blocks, contextLine(open))
	}
	return m
}

// counted is how many reviews a notice tells of.
func counted(n hitl.Notice) int {
	count, err := strconv.Atoi(n.Data["count"])
	if err != nil {
		return 1
	}
	return count
}
