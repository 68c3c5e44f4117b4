package bot

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/slack-go/slack"

	"hitl"
)

// A person and a card, as Slack writes them into a command: escaped or not.
var (
	mentioned = regexp.MustCompile(`^(?:<@([UW][A-Z0-9]{1,31})(?:\|[^>]*)?>|([UW][A-Z0-9]{5,31}))$`)
	cardURL   = regexp.MustCompile(`^<?https://[^/|>]+/archives/([CGD][A-Z0-9]+)/p([0-9]{7,})([0-9]{6})(?:\?[^|>]*)?(?:\|[^>]*)?>?$`)
)

// assign answers `assign`.
func (b *Bot) assign(ctx context.Context, q asked) (message, error) {
	if len(q.words) != 2 {
		return message{}, &usageError{saying("command.assign.two")}
	}
	m := mentioned.FindStringSubmatch(q.words[1])
	if m == nil {
		return message{}, &usageError{func(l *language) string {
			return l.say("command.assign.nobody", "Word", code(l, q.words[1], maxNameUnits))
		}}
	}
	rec, err := b.reviewAt(ctx, q.words[0])
	if errors.Is(err, hitl.ErrNotFound) {
		return message{}, &usageError{func(l *language) string {
			return l.say("command.assign.no_review", "Word", code(l, q.words[0], 2*maxNameUnits))
		}}
	}
	if err != nil {
		return message{}, err
	}
	to := hitl.Reviewer{Team: q.who.Team, User: m[1] + m[2]}
	return b.hand(ctx, q, rec, to)
}

// hand gives a review to somebody, if both may.
func (b *Bot) hand(ctx context.Context, q asked, rec screened, to hitl.Reviewer) (message, error) {
	var no *notAllowedError
	err := b.rights.owner(ctx, q.who, rec.Review.Queue)
	over := err == nil
	if errors.As(err, &no) {
		err = b.rights.reviewer(ctx, q.who, rec.Review.Queue)
	}
	if err != nil {
		return message{}, err
	}
	switch err := b.rights.reviewer(ctx, to, rec.Review.Queue); {
	case errors.As(err, &no):
		return message{}, &notAllowedError{func(l *language) string {
			return l.say("told.assignee_no_reviewer", "Who", who(l, to), "Queue", code(l, rec.Review.Queue, maxNameUnits))
		}}
	case err != nil:
		return message{}, err
	}
	r := ref{Review: rec.Review.ID, Round: rec.Review.Round}
	after, err := b.cfg.Desk.Assign(ctx, r.Review, r.Round, to, q.who, over)
	if err != nil {
		res := b.handled(ctx, r, q.who, rec, err)
		if res.outcome == outcomeFailed {
			return message{}, fmt.Errorf("assign review: %w", err)
		}
		return message{}, &notAllowedError{res.words}
	}
	b.refreshSoon(ctx, r.Review)
	return saidAlone(q.l.say("told.assigned", "Who", who(q.l, to), "Until", clock(after.Review.ClaimedUntil))), nil
}

// reviewAt returns the review that a word names, by its id or by its card's address. Error: hitl.ErrNotFound.
func (b *Bot) reviewAt(ctx context.Context, word string) (screened, error) {
	id := word
	if m := cardURL.FindStringSubmatch(word); m != nil {
		var err error
		if id, err = b.cfg.Cards.CardAt(ctx, m[1], m[2]+"."+m[3]); err != nil {
			return screened{}, err
		}
	}
	if !idText(id) {
		return screened{}, hitl.ErrNotFound
	}
	rec, err := b.state(ctx, id)
	if err == nil && rec.Review == nil {
		err = hitl.ErrNotFound
	}
	return rec, err
}

// assignedMessage tells somebody that a review is theirs now. It holds nothing of the item's text: what is in a conversation is out of erasure's
// reach. A claim that is over by now is told as such.
func assignedMessage(l *language, n hitl.Notice, rec screened, link string) message {
	_, user, _ := strings.Cut(n.Data["by"], "/")
	words := l.say("notice.assigned", "Who", who(l, hitl.Reviewer{User: user}), "Origin", origin(l, rec.Record))
	switch {
	case !rec.claimed || rec.Review.ClaimedBy.User != n.To || !open(rec.Record):
		words += " " + l.say("notice.assigned.over")
		return saidAlone(words)
	case link != "":
		words += " · " + l.say("mine.link", "Link", link)
	}
	words += "\n" + l.say("card.claimed", "Who", who(l, rec.Review.ClaimedBy), "Until", clock(rec.Review.ClaimedUntil))
	value := ref{Review: rec.Review.ID, Round: rec.Review.Round}.String()
	return message{Text: words, Blocks: []slack.Block{section(words), slack.NewActionBlock("",
		slack.NewButtonBlockElement(actionOpen, value, plain(l.say("card.button.open"))))}}
}

// skippedMessage tells a queue's owners that nobody wants a review.
func skippedMessage(l *language, n hitl.Notice, rec screened, owners Owners, link string) message {
	var reasons []string
	for r := range strings.SplitSeq(n.Data["reasons"], "\n") {
		reasons = append(reasons, skipReason(l, r))
	}
	words := strings.TrimSpace(mentions(Reviewers{Users: owners.Users, Groups: owners.Groups}) + " " +
		l.say("notice.skipped_twice", "Origin", origin(l, rec.Record), "Reasons", strings.Join(reasons, ", ")))
	if link != "" {
		words += " · " + l.say("mine.link", "Link", link)
	}
	return saidAlone(words)
}
