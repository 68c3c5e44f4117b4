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

// actionOwned opens what is said of a queue, for its owners.
const actionOwned = actionHome + "owned"

// maxOwned is how many queues the home tab shows to their owner: with the list it stays well below the 100 blocks that Slack allows.
const maxOwned = 30

// owned is a queue as its owner sees it in the home tab.
type owned struct {
	hitl.QueueFigures
	paused bool
}

// ownedBy returns the queues that somebody runs, in alphabetical order. One of which Slack does not tell who its owners are is left out: whoever reviews
// sees their list all the same.
func (b *Bot) ownedBy(ctx context.Context, who hitl.Reviewer) (queues []string) {
	for _, name := range slices.Sorted(maps.Keys(b.cfg.Queues)) {
		err := b.rights.owner(ctx, who, name)
		if _, no := errors.AsType[*notAllowedError](err); no {
			continue
		}
		if err != nil {
			b.log.WarnContext(ctx, "home tab without a queue that may be its owner's", "queue", name, "user", who.User, "error", err)
			continue
		}
		queues = append(queues, name)
	}
	return queues
}

// ownedNow loads the queues that somebody runs, with the figures since midnight by each queue's clocks.
func (b *Bot) ownedNow(ctx context.Context, who hitl.Reviewer) ([]owned, error) {
	names := b.ownedBy(ctx, who)
	if len(names) == 0 {
		return nil, nil
	}
	now := b.cfg.Now().Add(-time.Microsecond) // as a period begins
	var since []hitl.QueueSince
	for _, name := range names {
		since = append(since, hitl.QueueSince{Queue: name, Since: hitl.Midnight(now, b.zoneOf(ctx, name, who.User))})
	}
	figures, err := b.cfg.Lists.Figures(ctx, since)
	if err != nil {
		return nil, fmt.Errorf("read figures: %w", err)
	}
	paused, err := b.cfg.Desk.Paused(ctx)
	if err != nil {
		return nil, fmt.Errorf("read pauses: %w", err)
	}
	var out []owned
	for _, f := range figures {
		_, stopped := paused[f.Queue]
		out = append(out, owned{f, stopped})
	}
	return out, nil
}

// ownedBlocks show the queues that somebody runs.
func ownedBlocks(l *language, queues []owned) []slack.Block {
	if len(queues) == 0 {
		return nil
	}
	blocks := []slack.Block{slack.NewHeaderBlock(plain(l.say("home.owned")))}
	for i, q := range queues[:min(len(queues), maxOwned)] {
		open := slack.NewButtonBlockElement(actionOwned, q.Queue, plain(l.say("home.owned.open")))
		blocks = append(blocks, slack.NewSectionBlock(mrkdwn(ownedLine(l, q)), nil, slack.NewAccessory(open),
			slack.SectionBlockOptionBlockID(fmt.Sprint("hitl_owned_", i))))
	}
	if more := len(queues) - maxOwned; more > 0 {
		blocks = append(blocks, contextLine(l.say("more", "More", more)))
	}
	return blocks
}

func ownedLine(l *language, q owned) string {
	facts := []string{l.say("home.owned.open_now", "Queue", code(l, q.Queue, maxNameUnits), "Open", q.Open)}
	if q.Open > 0 {
		facts[0] += l.say("queues.oldest", "Oldest", duration(l, q.OldestAge))
	}
	if q.paused {
		facts[0] += l.say("queues.paused")
	}
	today := l.say("home.owned.today", "Decided", q.Accepted+q.Corrected, "ReviewRate", rate(l, q.ReviewRate()))
	if q.Accepted+q.Corrected > 0 {
		today += l.say("home.owned.corrected", "CorrectionRate", rate(l, q.CorrectionRate()))
	}
	return strings.Join(append(facts, today), "\n")
}

// ownedClick opens what is said of a queue.
func (b *Bot) ownedClick(ctx context.Context, in interaction, name string) answer {
	l, _ := b.knownLanguage(ctx, in.User.ID)
	id, err := b.api.openView(ctx, in.TriggerID, loading(l, l.say("home.owned.title"), viewData{}))
	if err != nil {
		b.cfg.Observer.Clicked("home", outcomeFailed)
		b.log.WarnContext(ctx, "queue not opened", "user", in.User.ID, "error", err)
		return notDone()
	}
	b.spawn(ctx, func(ctx context.Context) {
		l := b.languageOf(ctx, in.User.ID)
		outcome, view := b.ownedView(ctx, l, in.reviewer(), name)
		b.cfg.Observer.Clicked("home", outcome)
		b.setView(ctx, id, view)
	})
	return answer{}
}

// ownedView is what is said of a queue to one of its owners.
func (b *Bot) ownedView(ctx context.Context, l *language, who hitl.Reviewer, name string) (outcome string, view slack.ModalViewRequest) {
	title := l.say("home.owned.title")
	err := b.rights.owner(ctx, who, name)
	var o overview
	if err == nil {
		o, err = b.overview(ctx, name, who.User)
	}
	if no, ok := errors.AsType[*notAllowedError](err); ok {
		return outcomeRefused, notice(l, title, no.why(l), viewData{})
	}
	if err != nil {
		b.log.ErrorContext(ctx, "queue not loaded", "queue", name, "user", who.User, "error", err)
		return outcomeFailed, notice(l, title, l.say("modal.not_loaded"), viewData{})
	}
	return "opened", modal(l, viewNotice, title, viewData{}, overviewMessage(l, o, false).Blocks...)
}
