package bot

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"hitl"
)

// paused says whether nothing of a queue is to be posted now. When the system of record does not say, the queue goes on.
func (b *Bot) paused(ctx context.Context, queue string) bool {
	all, err := b.cfg.Desk.Paused(ctx)
	if err != nil && ctx.Err() == nil {
		b.log.WarnContext(ctx, "it is not known which queues are paused", "queue", queue, "error", err)
	}
	_, ok := all[queue]
	return ok
}

// pauseLook is which queues were paused a moment ago. The posters of all queues share that look, or an idle bot would ask as often as it has queues.
type pauseLook struct {
	mu  sync.Mutex
	at  time.Time
	all map[string]hitl.Pause
}

// pausedLately is paused as it was within half of Config.Poll.
func (b *Bot) pausedLately(ctx context.Context, queue string) bool {
	p := &b.pauses
	p.mu.Lock()
	defer p.mu.Unlock()
	if now := time.Now(); now.Sub(p.at) >= b.cfg.Poll/2 {
		var err error
		if p.all, err = b.cfg.Desk.Paused(ctx); err != nil && ctx.Err() == nil {
			b.log.WarnContext(ctx, "it is not known which queues are paused", "error", err)
		}
		p.at = now
	}
	_, ok := p.all[queue]
	return ok
}

// forget makes the next look a new one.
func (p *pauseLook) forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.at = time.Time{}
}

// pause answers `pause QUEUE [reason]`.
func (b *Bot) pause(ctx context.Context, q asked) (message, error) {
	name, rest, err := b.ownedQueue(ctx, q)
	if err != nil {
		return message{}, err
	}
	p, fresh, err := b.cfg.Desk.Pause(ctx, name, q.who.String(), strings.Join(rest, " "))
	var invalid *hitl.InvalidError
	switch {
	case errors.As(err, &invalid):
		return message{}, &usageError{saying("pause.long_reason")}
	case errors.Is(err, hitl.ErrBusy):
		return saidAlone(q.l.say("pause.busy", "Queue", code(q.l, name, maxNameUnits))), nil
	case err != nil:
		return message{}, err
	case !fresh:
		return saidAlone(q.l.say("pause.already", "Queue", code(q.l, name, maxNameUnits), "Who", byWhom(q.l, p.By), "When", when(q.l, p.At))), nil
	}
	return saidAlone(q.l.say("pause.done", "Queue", code(q.l, name, maxNameUnits))), nil
}

// resume answers `resume QUEUE`.
func (b *Bot) resume(ctx context.Context, q asked) (message, error) {
	name, rest, err := b.ownedQueue(ctx, q)
	if err != nil {
		return message{}, err
	}
	if len(rest) > 0 {
		return message{}, &usageError{saying("pause.which")}
	}
	p, err := b.cfg.Desk.Resume(ctx, name, q.who.String())
	switch {
	case errors.Is(err, hitl.ErrNotFound):
		return saidAlone(q.l.say("pause.not_paused", "Queue", code(q.l, name, maxNameUnits))), nil
	case err != nil:
		return message{}, err
	}
	b.pauses.forget()
	b.wake(name)
	return saidAlone(q.l.say("pause.over", "Queue", code(q.l, name, maxNameUnits), "Long", duration(q.l, b.cfg.Now().Sub(p.At).Round(time.Second)))), nil
}

// ownedQueue is the queue that the first word names, of somebody who runs it.
func (b *Bot) ownedQueue(ctx context.Context, q asked) (name string, rest []string, err error) {
	if len(q.words) == 0 || !slices.Contains(slices.Collect(maps.Keys(b.cfg.Queues)), q.words[0]) {
		return "", nil, &usageError{saying("pause.which")}
	}
	return q.words[0], q.words[1:], b.rights.owner(ctx, q.who, q.words[0])
}

// byWhom names who did something, as the system of record writes them: a person of Slack's, or who ran a command.
func byWhom(l *language, by string) string {
	team, user, ok := strings.Cut(by, "/")
	if ok && slackUser(user) {
		return who(l, hitl.Reviewer{Team: team, User: user})
	}
	return code(l, by, maxNameUnits)
}

// pausedMessage tells a queue's channel that somebody stopped it, or lets it go on.
func pausedMessage(l *language, n hitl.Notice) message {
	queue, by := code(l, n.Queue, maxNameUnits), byWhom(l, n.Data["by"])
	if n.Kind == hitl.NoticeResumed {
		return saidAlone(l.say("notice.resumed", "Queue", queue, "Who", by))
	}
	words := l.say("notice.paused", "Queue", queue, "Who", by)
	if reason := n.Data["reason"]; reason != "" {
		words += " " + l.say("notice.paused.why", "Reason", escape(plainName(l, reason, maxReasonUnits)))
	}
	return saidAlone(words)
}
