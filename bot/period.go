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

// period is how far figures look back.
type period struct {
	name  string
	span  time.Duration                                      // 0: since a moment of the calendar
	since func(now time.Time, zone *time.Location) time.Time // of those
	words words                                              // "in the last 24 hours"
}

// periods are what figures can be asked for, the first where nothing else is said.
var periods = []period{
	lately("24h", 24*time.Hour),
	lately("7d", 7*24*time.Hour),
	lately("30d", 30*24*time.Hour),
	{name: "today", since: hitl.Midnight, words: saying("stats.period.today")},
	{name: "week", since: hitl.Monday, words: saying("stats.period.week")},
}

func lately(name string, span time.Duration) period {
	return period{name: name, span: span, words: func(l *language) string { return l.say("stats.period.last", "Span", spanWords(l, span)) }}
}

// begin is when it begins. At the first moment of a day or a week it is the one that is over: a period is never empty.
func (p period) begin(now time.Time, zone *time.Location) time.Time {
	if p.since == nil {
		return now.Add(-p.span)
	}
	return p.since(now.Add(-time.Microsecond), zone)
}

// zoneOf is whose clocks days and weeks go by: those of the queue's hours, else those of whoever asks, as far as they are known, else UTC.
func (b *Bot) zoneOf(ctx context.Context, queue, user string) *time.Location {
	if q, ok := b.cfg.Desk.Queues[queue]; ok && !q.Hours.Always() {
		return q.Hours.Location()
	}
	if p, known := b.rights.people.known(ctx, user); known && p.Zone != "" {
		if zone, err := time.LoadLocation(p.Zone); err == nil {
			return zone
		}
	}
	return time.UTC
}

// statsAsk is what figures were asked for.
type statsAsk struct {
	queue  string // empty: all
	period period
	by     statsBy
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
	now, zone := b.cfg.Now(), time.UTC
	if ask.period.since != nil {
		zone = b.zoneOf(ctx, ask.queue, q.slash.UserID)
	}
	s, err := b.cfg.Stats.Stats(ctx, hitl.StatsQuery{Since: ask.period.begin(now, zone), Until: now, Queue: ask.queue})
	if err != nil {
		return message{}, fmt.Errorf("read statistics: %w", err)
	}
	show := func(chart bool) message {
		if ask.by == byTime {
			return statsMessage(q.l, s, ask.period, zone, chart)
		}
		return rankedMessage(q.l, s, ask.period, ask.by, chart)
	}
	return b.charted(ctx, q, show), nil
}

// parseStats reads a queue, a period and what to break down by, in any order; each may be missing. Error: *usageError.
func parseStats(words, queues []string) (ask statsAsk, err error) {
	ask.period = periods[0]
	seenPeriod := false
next:
	for i := 0; i < len(words); i++ {
		w := words[i]
		for _, p := range periods {
			if strings.EqualFold(w, p.name) && !seenPeriod {
				ask.period, seenPeriod = p, true
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
