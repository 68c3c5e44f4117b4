package bot

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

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

// stats answers `stats`.
func (b *Bot) stats(ctx context.Context, q asked) (message, error) {
	queue, span, err := parseStats(q.words, slices.Sorted(maps.Keys(b.cfg.Queues)))
	if err != nil {
		return message{}, err
	}
	now := b.cfg.Now()
	s, err := b.cfg.Stats.Stats(ctx, hitl.StatsQuery{Since: now.Add(-span), Until: now, Queue: queue})
	if err != nil {
		return message{}, fmt.Errorf("read statistics: %w", err)
	}
	if q.slash.ResponseURL != "" {
		m := statsMessage(q.l, s, span, true)
		if err = b.api.respond(ctx, q.slash.ResponseURL, response{ResponseType: "ephemeral", Text: m.Text, Blocks: m.Blocks}); err == nil {
			return message{}, nil
		}
		b.log.InfoContext(ctx, "slack did not take the chart, sending words alone", "error", err)
	}
	return statsMessage(q.l, s, span, false), nil
}

// parseStats reads a queue and a period, in any order; either may be missing. Error: *usageError.
func parseStats(words, queues []string) (queue string, span time.Duration, err error) {
	span, seenPeriod := periods[0].span, false
next:
	for _, w := range words {
		for _, p := range periods {
			if strings.EqualFold(w, p.name) && !seenPeriod {
				span, seenPeriod = p.span, true
				continue next
			}
		}
		if queue == "" && slices.Contains(queues, w) {
			queue = w
			continue
		}
		return "", 0, &usageError{func(l *language) string {
			return l.say("command.neither", "Word", code(l, w, maxNameUnits), "Queues", queueNames(l, queues))
		}}
	}
	return queue, span, nil
}

// queueNames lists the queues there are, as mrkdwn.
func queueNames(l *language, queues []string) string {
	if len(queues) == 0 {
		return l.say("command.no_queues")
	}
	return code(l, strings.Join(queues, ", "), 500)
}
