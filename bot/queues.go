package bot

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/slack-go/slack"

	"hitl"
)

// queueLine is the state of one queue.
type queueLine struct {
	name    string
	channel string
	waiting int64 // for a card; -1 when the queue does not answer
	open    int
	oldest  time.Duration
	paused  bool
}

// waitingNow answers `queue` without a name.
func (b *Bot) waitingNow(ctx context.Context, q asked) (message, error) {
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
			return message{}, fmt.Errorf("read statistics: %w", err)
		}
		rows = append(rows, queueLine{name, b.cfg.Queues[name].Channel, waiting, s.Open, s.OldestAge, b.paused(ctx, name)})
	}
	return queuesMessage(q.l, rows), nil
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
		if q.paused {
			s += l.say("queues.paused")
		}
		if q.waiting < 0 {
			return s + l.say("queues.waiting_unknown")
		}
		return s + l.say("queues.waiting", "Waiting", int(q.waiting))
	})
	return message{Text: words, Blocks: []slack.Block{slack.NewHeaderBlock(plain(l.say("queues.title"))), section(words)}}
}
