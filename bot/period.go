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

// statsAsk is what figures were asked for.
type statsAsk struct {
	queue string // empty: all
	span  time.Duration
	by    statsBy
}

// statsBy is what the figures are broken down by; byTime shows all of them.
type statsBy int

const (
	byTime statsBy = iota
	byLabel
	byReviewer
)

// stats answers `stats`.
func (b *Bot) stats(ctx context.Context, q asked) (message, error) {
	ask, err := parseStats(q.words, slices.Sorted(maps.Keys(b.cfg.Queues)))
	if err != nil {
		return message{}, err
	}
	now := b.cfg.Now()
	s, err := b.cfg.Stats.Stats(ctx, hitl.StatsQuery{Since: now.Add(-ask.span), Until: now, Queue: ask.queue})
	if err != nil {
		return message{}, fmt.Errorf("read statistics: %w", err)
	}
	show := func(chart bool) message {
		if ask.by == byTime {
			return statsMessage(q.l, s, ask.span, chart)
		}
		return rankedMessage(q.l, s, ask.span, ask.by, chart)
	}
	if q.slash.ResponseURL != "" {
		m := show(true)
		if err = b.api.respond(ctx, q.slash.ResponseURL, response{ResponseType: "ephemeral", Text: m.Text, Blocks: m.Blocks}); err == nil {
			return message{}, nil
		}
		b.log.InfoContext(ctx, "slack did not take the chart, sending words alone", "error", err)
	}
	return show(false), nil
}

// parseStats reads a queue, a period and what to break down by, in any order; each may be missing. Error: *usageError.
func parseStats(words, queues []string) (ask statsAsk, err error) {
	ask.span = periods[0].span
	seenPeriod := false
next:
	for i := 0; i < len(words); i++ {
		w := words[i]
		for _, p := range periods {
			if strings.EqualFold(w, p.name) && !seenPeriod {
				ask.span, seenPeriod = p.span, true
				continue next
			}
		}
		if strings.EqualFold(w, "by") && ask.by == byTime && i+1 < len(words) {
			switch strings.ToLower(words[i+1]) {
			case "label":
				ask.by = byLabel
			case "reviewer":
				ask.by = byReviewer
			}
			if ask.by != byTime {
				i++
				continue
			}
		}
		if ask.queue == "" && slices.Contains(queues, w) {
			ask.queue = w
			continue
		}
		return statsAsk{}, &usageError{func(l *language) string {
			return l.say("command.neither", "Word", code(l, w, maxNameUnits), "Queues", queueNames(l, queues))
		}}
	}
	return ask, nil
}

// queueNames lists the queues there are, as mrkdwn.
func queueNames(l *language, queues []string) string {
	if len(queues) == 0 {
		return l.say("command.no_queues")
	}
	return code(l, strings.Join(queues, ", "), 500)
}
