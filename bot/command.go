package bot

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/slack-go/slack"

	"hitl"
)

// periods are what figures can be asked for.
var periods = []struct {
	name string
	span time.Duration
}{
	{"24h", 24 * time.Hour},
	{"7d", 7 * 24 * time.Hour},
	{"30d", 30 * 24 * time.Hour},
}

// request is a slash command, understood.
type request struct {
	verb   string        // "stats", "queue" or "help"
	queue  string        // of stats; empty: all
	span   time.Duration // of stats: the period
	unsure string        // why it was not understood, as mrkdwn; verb is "help" then
}

// parseCommand reads what stands behind the slash command. Anything it does not know becomes help with a hint.
func parseCommand(l *language, text string, queues []string) request {
	words := strings.Fields(text)
	if len(words) == 0 {
		return request{verb: "help"}
	}
	verb, rest := strings.ToLower(words[0]), words[1:]
	switch {
	case verb == "help":
		return request{verb: "help"}
	case verb == "queue" && len(rest) == 0:
		return request{verb: "queue"}
	case verb == "queue":
		return request{verb: "help", unsure: l.say("command.queue_alone", "Rest", code(l, strings.Join(rest, " "), maxNameUnits))}
	case verb == "stats":
		return parseStats(l, rest, queues)
	}
	return request{verb: "help", unsure: l.say("command.unknown", "Verb", code(l, words[0], maxNameUnits))}
}

func parseStats(l *language, words, queues []string) request {
	r := request{verb: "stats", span: periods[0].span}
	seenPeriod := false
next:
	for _, w := range words {
		for _, p := range periods {
			if strings.EqualFold(w, p.name) && !seenPeriod {
				r.span, seenPeriod = p.span, true
				continue next
			}
		}
		if r.queue == "" && slices.Contains(queues, w) {
			r.queue = w
			continue
		}
		known := l.say("command.no_queues")
		if len(queues) > 0 {
			known = code(l, strings.Join(queues, ", "), 500)
		}
		return request{verb: "help", unsure: l.say("command.neither", "Word", code(l, w, maxNameUnits), "Queues", known)}
	}
	return r
}

// helpMessage says what can be asked.
func helpMessage(l *language, command, unsure string) message {
	var blocks []slack.Block
	if unsure != "" {
		blocks = append(blocks, section(unsure))
	}
	c := strings.Trim(code(l, command, maxNameUnits), "`")
	help := l.say("command.help", "Command", c)
	blocks = append(blocks, section(help))
	return message{Text: strings.TrimSpace(unsure + " " + help), Blocks: blocks}
}

// command carries out a slash command. What needs no look-up, not even of the language, is answered at once, the rest by the response_url:
// only there does Slack say when it does not take a chart.
func (b *Bot) command(ctx context.Context, c slack.SlashCommand) answer {
	if !slackUser(c.UserID) {
		return answer{}
	}
	queues := slices.Sorted(maps.Keys(b.cfg.Queues))
	l, known := b.knownLanguage(ctx, c.UserID)
	req := parseCommand(l, c.Text, queues)
	if req.verb == "help" && known {
		b.cfg.Observer.Clicked("command", "answered")
		m := helpMessage(l, b.cfg.Command, req.unsure)
		return answer{body: response{ResponseType: "ephemeral", Text: m.Text, Blocks: m.Blocks}}
	}
	b.spawn(ctx, func(ctx context.Context) {
		l := b.languageOf(ctx, c.UserID)
		outcome := b.report(ctx, l, c, parseCommand(l, c.Text, queues))
		b.cfg.Observer.Clicked("command", outcome)
	})
	return answer{}
}

// report answers a command by the response_url.
func (b *Bot) report(ctx context.Context, l *language, c slack.SlashCommand, req request) (outcome string) {
	if req.verb == "help" {
		b.whisper(ctx, c.ResponseURL, c.ChannelID, c.UserID, helpMessage(l, b.cfg.Command, req.unsure))
		return "answered"
	}
	say := func(words string) {
		b.whisper(ctx, c.ResponseURL, c.ChannelID, c.UserID, message{Text: words, Blocks: []slack.Block{section(words)}})
	}
	team := c.TeamID
	if team == "" {
		team = c.EnterpriseID
	}
	var no *notAllowedError
	switch err := b.rights.insider(ctx, hitl.Reviewer{Team: team, User: c.UserID}); {
	case errors.As(err, &no):
		say(no.why(l))
		return outcomeRefused
	case err != nil:
		b.log.ErrorContext(ctx, "command not carried out", "command", req.verb, "error", err)
		say(l.say("command.not_sure"))
		return outcomeFailed
	}
	var err error
	if req.verb == "queue" {
		err = b.reportQueues(ctx, l, c)
	} else {
		err = b.reportStats(ctx, l, c, req)
	}
	if err != nil {
		b.log.ErrorContext(ctx, "command not carried out", "command", req.verb, "error", err)
		say(l.say("command.failed"))
		return outcomeFailed
	}
	return "answered"
}

func (b *Bot) reportStats(ctx context.Context, l *language, c slack.SlashCommand, req request) error {
	now := b.cfg.Now()
	s, err := b.cfg.Stats.Stats(ctx, hitl.StatsQuery{Since: now.Add(-req.span), Until: now, Queue: req.queue})
	if err != nil {
		return fmt.Errorf("read statistics: %w", err)
	}
	m := statsMessage(l, s, req.span, true)
	if c.ResponseURL != "" {
		if err = b.api.respond(ctx, c.ResponseURL, response{ResponseType: "ephemeral", Text: m.Text, Blocks: m.Blocks}); err == nil {
			return nil
		}
		b.log.InfoContext(ctx, "slack did not take the chart, sending words alone", "error", err)
	}
	b.whisper(ctx, c.ResponseURL, c.ChannelID, c.UserID, statsMessage(l, s, req.span, false))
	return nil
}

// queueLine is the state of one queue.
type queueLine struct {
	name    string
	channel string
	waiting int64 // for a card; -1 when the queue does not answer
	open    int
	oldest  time.Duration
}

func (b *Bot) reportQueues(ctx context.Context, l *language, c slack.SlashCommand) error {
	var rows []queueLine
	now := b.cfg.Now()
	for _, name := range slices.Sorted(maps.Keys(b.cfg.Queues)) {
		waiting, err := b.cfg.Waiting.Len(ctx, name)
		if err != nil {
			b.log.WarnContext(ctx, "queue figures without what waits for a card", "queue", name, "error", err)
			waiting = -1 // the system of record still knows what is open
		}
		s, err := b.cfg.Stats.Stats(ctx, hitl.StatsQuery{Since: now.Add(-time.Hour), Until: now, Queue: name})
		if err != nil {
			return fmt.Errorf("read statistics: %w", err)
		}
		rows = append(rows, queueLine{name, b.cfg.Queues[name].Channel, waiting, s.Open, s.OldestAge})
	}
	b.whisper(ctx, c.ResponseURL, c.ChannelID, c.UserID, queuesMessage(l, rows))
	return nil
}

// queuesMessage shows what waits.
func queuesMessage(l *language, rows []queueLine) message {
	if len(rows) == 0 {
		text := l.say("queues.none")
		return message{Text: text, Blocks: []slack.Block{section(text)}}
	}
	words := lines(l, rows, 40, func(q queueLine) string {
		s := l.say("queues.open", "Queue", code(l, q.name, maxNameUnits), "Channel", "<#"+q.channel+">", "N", q.open)
		if q.open > 0 {
			s += l.say("queues.oldest", "Oldest", duration(l, q.oldest))
		}
		if q.waiting < 0 {
			return s + l.say("queues.waiting_unknown")
		}
		return s + l.say("queues.waiting", "Waiting", int(q.waiting))
	})
	return message{Text: words, Blocks: []slack.Block{slack.NewHeaderBlock(plain(l.say("queues.title"))), section(words)}}
}
