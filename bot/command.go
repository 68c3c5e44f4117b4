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
	name, words string
	span        time.Duration
}{
	{"24h", "24 hours", 24 * time.Hour},
	{"7d", "7 days", 7 * 24 * time.Hour},
	{"30d", "30 days", 30 * 24 * time.Hour},
}

// request is a slash command, understood.
type request struct {
	verb   string // "stats", "queue" or "help"
	queue  string // of stats; empty: all
	words  string // of stats: the period
	span   time.Duration
	unsure string // why it was not understood, as mrkdwn; verb is "help" then
}

// parseCommand reads what stands behind the slash command. Anything it does not know becomes help with a hint.
func parseCommand(text string, queues []string) request {
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
		return request{verb: "help", unsure: "`queue` takes nothing behind it, not " + code(strings.Join(rest, " "), maxNameUnits) + "."}
	case verb == "stats":
		return parseStats(rest, queues)
	}
	return request{verb: "help", unsure: "I do not know " + code(words[0], maxNameUnits) + "."}
}

func parseStats(words, queues []string) request {
	r := request{verb: "stats", words: periods[0].words, span: periods[0].span}
	seenPeriod := false
next:
	for _, w := range words {
		for _, p := range periods {
			if strings.EqualFold(w, p.name) && !seenPeriod {
				r.words, r.span, seenPeriod = p.words, p.span, true
				continue next
			}
		}
		if r.queue == "" && slices.Contains(queues, w) {
			r.queue = w
			continue
		}
		known := "none"
		if len(queues) > 0 {
			known = code(strings.Join(queues, ", "), 500)
		}
		return request{verb: "help", unsure: fmt.Sprintf("%s is neither a queue (%s) nor a period (`24h`, `7d`, `30d`).", code(w, maxNameUnits), known)}
	}
	return r
}

// helpMessage says what can be asked.
func helpMessage(command, unsure string) message {
	var blocks []slack.Block
	if unsure != "" {
		blocks = append(blocks, section(unsure))
	}
	c := strings.Trim(code(command, maxNameUnits), "`")
	help := fmt.Sprintf("• `%[1]s stats [queue] [24h|7d|30d]` throughput, rates and times to decision\n"+
		"• `%[1]s queue` what waits now\n• `%[1]s help` this text", c)
	blocks = append(blocks, section(help))
	return message{Text: strings.TrimSpace(unsure + " " + help), Blocks: blocks}
}

// command carries out a slash command. What needs no look-up is answered at once, the rest by the response_url: only there does
// Slack say when it does not take a chart.
func (b *Bot) command(ctx context.Context, c slack.SlashCommand) answer {
	if !slackUser(c.UserID) {
		return answer{}
	}
	req := parseCommand(c.Text, slices.Sorted(maps.Keys(b.cfg.Queues)))
	if req.verb == "help" {
		b.cfg.Observer.Clicked("command", "answered")
		m := helpMessage(b.cfg.Command, req.unsure)
		return answer{body: response{ResponseType: "ephemeral", Text: m.Text, Blocks: m.Blocks}}
	}
	b.spawn(ctx, func(ctx context.Context) {
		outcome := b.report(ctx, c, req)
		b.cfg.Observer.Clicked("command", outcome)
	})
	return answer{}
}

// report answers with figures.
func (b *Bot) report(ctx context.Context, c slack.SlashCommand, req request) (outcome string) {
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
		say(no.why)
		return outcomeRefused
	case err != nil:
		b.log.ErrorContext(ctx, "command not carried out", "command", req.verb, "error", err)
		say("Slack did not tell me who you are. Please try again in a moment.")
		return outcomeFailed
	}
	var err error
	if req.verb == "queue" {
		err = b.reportQueues(ctx, c)
	} else {
		err = b.reportStats(ctx, c, req)
	}
	if err != nil {
		b.log.ErrorContext(ctx, "command not carried out", "command", req.verb, "error", err)
		say("The figures could not be read. Please try again in a moment.")
		return outcomeFailed
	}
	return "answered"
}

func (b *Bot) reportStats(ctx context.Context, c slack.SlashCommand, req request) error {
	now := b.cfg.Now()
	s, err := b.cfg.Stats.Stats(ctx, hitl.StatsQuery{Since: now.Add(-req.span), Until: now, Queue: req.queue})
	if err != nil {
		return fmt.Errorf("read statistics: %w", err)
	}
	m := statsMessage(s, req.words, true)
	if c.ResponseURL != "" {
		if err = b.api.respond(ctx, c.ResponseURL, response{ResponseType: "ephemeral", Text: m.Text, Blocks: m.Blocks}); err == nil {
			return nil
		}
		b.log.InfoContext(ctx, "slack did not take the chart, sending words alone", "error", err)
	}
	b.whisper(ctx, c.ResponseURL, c.ChannelID, c.UserID, statsMessage(s, req.words, false))
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

func (b *Bot) reportQueues(ctx context.Context, c slack.SlashCommand) error {
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
	b.whisper(ctx, c.ResponseURL, c.ChannelID, c.UserID, queuesMessage(rows))
	return nil
}

// queuesMessage shows what waits.
func queuesMessage(rows []queueLine) message {
	if len(rows) == 0 {
		return message{Text: "No queue is configured.", Blocks: []slack.Block{section("No queue is configured.")}}
	}
	words := lines(rows, 40, func(q queueLine) string {
		s := fmt.Sprintf("%s in <#%s>: %s open", code(q.name, maxNameUnits), q.channel, count(q.open, "review"))
		if q.open > 0 {
			s += ", the oldest for " + duration(q.oldest)
		}
		if q.waiting < 0 {
			return s + "; how many wait for a card is not known right now"
		}
		return s + fmt.Sprintf("; %s waiting for a card", thousands(int(q.waiting)))
	})
	return message{Text: words, Blocks: []slack.Block{slack.NewHeaderBlock(plain("Queues")), section(words)}}
}
