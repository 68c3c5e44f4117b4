package bot

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"hitl"
)

// paceOver is the time whose arrivals and decisions say how fast a queue moves.
const paceOver = 24 * time.Hour

// overview is everything that is said of one queue.
type overview struct {
	name    string
	queue   Queue
	rules   hitl.QueueRules
	state   hitl.QueueState
	waiting int64       // for a card; -1 when the queue does not answer
	pause   *hitl.Pause // nil: it is not paused
	today   hitl.Stats
	day     hitl.Stats     // of paceOver
	zone    *time.Location // that today goes by
	now     time.Time
}

// queueCommand answers `queue [NAME]`.
func (b *Bot) queueCommand(ctx context.Context, q asked) (message, error) {
	if len(q.words) == 0 {
		return b.waitingNow(ctx, q)
	}
	queues := slices.Sorted(maps.Keys(b.cfg.Queues))
	if len(q.words) > 1 {
		return message{}, &usageError{saying("command.queue.one")}
	}
	if !slices.Contains(queues, q.words[0]) {
		return message{}, &usageError{func(l *language) string {
			return l.say("command.no_queue", "Word", code(l, q.words[0], maxNameUnits), "Queues", queueNames(l, queues))
		}}
	}
	o, err := b.overview(ctx, q.words[0], q.slash.UserID)
	if err != nil {
		return message{}, err
	}
	return b.charted(ctx, q, func(chart bool) message { return overviewMessage(q.l, o, chart) }), nil
}

// charted answers with a chart where Slack takes one, and else returns the words for whoever calls.
func (b *Bot) charted(ctx context.Context, q asked, show func(chart bool) message) message {
	if q.slash.ResponseURL != "" {
		m := show(true)
		err := b.api.respond(ctx, q.slash.ResponseURL, response{ResponseType: "ephemeral", Text: m.Text, Blocks: m.Blocks})
		if err == nil {
			return message{}
		}
		b.log.InfoContext(ctx, "slack did not take the chart, sending words alone", "error", err)
	}
	return show(false)
}

// overview loads what is said of a queue to somebody.
func (b *Bot) overview(ctx context.Context, name, user string) (overview, error) {
	now := b.cfg.Now()
	o := overview{name: name, queue: b.cfg.Queues[name], rules: b.cfg.Desk.Queues[name], zone: b.zoneOf(ctx, name, user), now: now}
	var err error
	if o.state, err = b.cfg.Lists.QueueState(ctx, name); err != nil {
		return o, fmt.Errorf("read queue: %w", err)
	}
	paused, err := b.cfg.Desk.Paused(ctx)
	if err != nil {
		return o, fmt.Errorf("read pauses: %w", err)
	}
	if p, ok := paused[name]; ok {
		o.pause = &p
	}
	if o.waiting, err = b.cfg.Waiting.Len(ctx, name); err != nil {
		b.log.WarnContext(ctx, "queue figures without what waits for a card", "queue", name, "error", err)
		o.waiting = -1 // the system of record still knows what is open
	}
	midnight := hitl.Midnight(now.Add(-time.Microsecond), o.zone)
	if o.today, err = b.cfg.Stats.Stats(ctx, hitl.StatsQuery{Since: midnight, Until: now, Queue: name}); err != nil {
		return o, fmt.Errorf("read statistics: %w", err)
	}
	if o.day, err = b.cfg.Stats.Stats(ctx, hitl.StatsQuery{Since: now.Add(-paceOver), Until: now, Queue: name}); err != nil {
		return o, fmt.Errorf("read statistics: %w", err)
	}
	return o, nil
}

// flow is how fast a queue moves.
type flow struct {
	arrived, done float64 // reviews an hour that came, and that were decided or expired
	alone         time.Duration
	lasts         time.Duration // until nothing waits; 0: never, or nothing does now
}

// flowOf takes the pace of a period for that of the time to come. alone is how long what waits would take if nothing came any more.
func flowOf(s hitl.Stats, open int) flow {
	hours := s.Until.Sub(s.Since).Hours()
	if hours <= 0 {
		return flow{}
	}
	f := flow{arrived: float64(s.Reviewed) / hours, done: float64(s.Decisions) / hours}
	span := func(pace float64) time.Duration {
		if pace <= 0 {
			return 0
		}
		return time.Duration(min(float64(open)/pace, longest.Hours()) * float64(time.Hour))
	}
	f.alone, f.lasts = span(f.done), span(f.done-f.arrived)
	return f
}

// longest is as far as a pace is carried on into the future.
const longest = 1000 * 24 * time.Hour
