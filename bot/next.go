package bot

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/slack-go/slack"

	"hitl"
)

// actionNext brings the next review into the message where it is clicked.
const actionNext = "hitl_next"

// everyQueue stands on a Next button for all queues that the person reviews. No queue has this name.
const everyQueue = "*"

// next answers `next`.
func (b *Bot) next(ctx context.Context, q asked) (message, error) {
	scope := ""
	switch {
	case len(q.words) == 1:
		scope = q.words[0]
	case len(q.words) > 1:
		return message{}, &usageError{saying("command.next.one_queue")}
	}
	if _, ok := b.cfg.Queues[scope]; scope != "" && !ok {
		return message{}, &usageError{func(l *language) string {
			return l.say("command.no_queue", "Word", code(l, scope, maxNameUnits), "Queues", queueNames(l, slices.Sorted(maps.Keys(b.cfg.Queues))))
		}}
	}
	return b.nextMessage(ctx, q.l, q.who, scope)
}

// nextMessage claims the next review of a queue, or of all that somebody reviews, and shows it to them. Error: *notAllowedError; others mean
// that nothing is known.
func (b *Bot) nextMessage(ctx context.Context, l *language, who hitl.Reviewer, scope string) (message, error) {
	queues, err := b.reviews(ctx, who, scope)
	if err != nil {
		return message{}, err
	}
	rec, ok, err := b.cfg.Desk.Next(ctx, who, queues)
	switch {
	case err != nil:
		return message{}, fmt.Errorf("take next review: %w", err)
	case ok:
		return scopedCard(l, b.screen(rec), scope), nil
	case scope != "":
		return nextOffer(l, scope, l.say("next.nothing_in", "Queue", code(l, scope, maxNameUnits))), nil
	}
	return nextOffer(l, scope, l.say("next.nothing")), nil
}

// reviews returns the queues that somebody reviews at this moment, of those in scope. Error: *notAllowedError when there are none; others mean
// that Slack did not say.
func (b *Bot) reviews(ctx context.Context, who hitl.Reviewer, scope string) ([]string, error) {
	if scope != "" {
		return []string{scope}, b.rights.reviewer(ctx, who, scope)
	}
	if err := b.rights.member(ctx, who); err != nil {
		return nil, err
	}
	var queues []string
	var unclear []error
	for _, name := range slices.Sorted(maps.Keys(b.cfg.Queues)) {
		err := b.rights.reviewer(ctx, who, name)
		if _, no := errors.AsType[*notAllowedError](err); no {
			continue
		}
		if err != nil {
			unclear = append(unclear, err)
			continue
		}
		queues = append(queues, name)
	}
	if len(queues) == 0 && len(unclear) == 0 {
		return nil, &notAllowedError{saying("told.no_queues")}
	}
	if len(queues) == 0 {
		return nil, errors.Join(unclear...)
	}
	return queues, nil
}

// scopedCard is a card that one person sees. The scope of what follows is in its blocks' ids: of an ephemeral message nothing else comes back
// with a click.
func scopedCard(l *language, rec screened, scope string) message {
	return scoped(card(l, rec), scope)
}

func scoped(m message, scope string) message {
	for _, block := range m.Blocks {
		if row, ok := block.(*slack.ActionBlock); ok && scope != "" {
			row.BlockID += "/" + scope
		}
	}
	return m
}

// scopeOf reads what scopedCard wrote.
func scopeOf(blockID string) string {
	_, scope, _ := strings.Cut(blockID, "/")
	return scope
}

// nextOffer is words with the way to the next review.
func nextOffer(l *language, scope, words string) message {
	value := scope
	if value == "" {
		value = everyQueue
	}
	next := slack.NewButtonBlockElement(actionNext, value, plain(l.say("card.button.next"))).WithStyle(slack.StylePrimary)
	return message{Text: words, Blocks: []slack.Block{section(words), slack.NewActionBlock("hitl_next", next)}}
}

// recorded says what somebody has just said of a review, with the way to the next one, and the way back.
func recorded(l *language, rec screened, scope string) message {
	if rec.Decision == nil {
		return nextOffer(l, scope, l.say("next.recorded.voice"))
	}
	words := l.say("next.recorded", "Verdict", verdict(l, *rec.Decision, rec.Prediction.Label))
	if !undoable(rec.Record) {
		return nextOffer(l, scope, words)
	}
	m := nextOffer(l, scope, words+" "+undoLine(l, rec.Record)+".")
	for _, block := range m.Blocks {
		if row, ok := block.(*slack.ActionBlock); ok {
			row.Elements.ElementSet = append(row.Elements.ElementSet, undoButton(l, rec.Record))
		}
	}
	return scoped(m, scope)
}

// nextClick brings the next review in place of the ephemeral message with the button.
func (b *Bot) nextClick(ctx context.Context, in interaction, value string) answer {
	scope := value
	if value == everyQueue {
		scope = ""
	}
	b.spawn(ctx, func(ctx context.Context) {
		l := b.languageOf(ctx, in.User.ID)
		m, err := b.nextMessage(ctx, l, in.reviewer(), scope)
		outcome := outcomeClaimed
		if err != nil {
			if no, ok := errors.AsType[*notAllowedError](err); ok {
				outcome, m = outcomeRefused, saidAlone(no.why(l))
			} else {
				b.log.ErrorContext(ctx, "next review not brought", "reviewer", in.reviewer(), "error", err)
				outcome, m = outcomeFailed, nextOffer(l, scope, l.say("command.failed"))
			}
		}
		b.cfg.Observer.Clicked("button", outcome)
		b.bring(ctx, in, m)
	})
	return answer{}
}

// bring shows a message in place of the ephemeral one that was clicked, and beside any other.
func (b *Bot) bring(ctx context.Context, in interaction, m message) {
	if in.Container.IsEphemeral && in.ResponseURL != "" {
		err := b.api.respond(ctx, in.ResponseURL, response{ReplaceOriginal: true, Text: m.Text, Blocks: m.Blocks})
		if err == nil || uncertain(err) {
			return
		}
		b.log.InfoContext(ctx, "slack did not replace a message, sending another", "error", err)
	}
	channel, _ := in.place()
	b.whisper(ctx, in.ResponseURL, channel, in.User.ID, m)
}
