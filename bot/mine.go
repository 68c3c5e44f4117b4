package bot

import (
	"context"
	"fmt"
	"strings"

	"github.com/slack-go/slack"

	"hitl"
)

// Actions of the list of one's claims.
const (
	actionOpen     = "hitl_open"
	actionGiveBack = "hitl_give_back"
)

// maxMine is how many claims are listed; the rest is counted.
const maxMine = 20

// held is one claim, with where its card stands.
type held struct {
	rec  screened
	link string // empty: there is no card
}

// myClaims answers `mine`.
func (b *Bot) myClaims(ctx context.Context, q asked) (message, error) {
	if len(q.words) > 0 {
		return message{}, &usageError{func(l *language) string {
			return l.say("command.mine_alone", "Rest", code(l, strings.Join(q.words, " "), maxNameUnits))
		}}
	}
	return b.claims(ctx, q.l, q.who)
}

// claims lists what somebody has claimed.
func (b *Bot) claims(ctx context.Context, l *language, who hitl.Reviewer) (message, error) {
	recs, err := b.cfg.Desk.Mine(ctx, who)
	if err != nil {
		return message{}, fmt.Errorf("list claims: %w", err)
	}
	list := make([]held, len(recs))
	for i, rec := range recs {
		list[i].rec = b.screen(rec)
		if i < maxMine {
			list[i].link = b.cardLink(ctx, rec.Review.ID)
		}
	}
	return mineMessage(l, list), nil
}

// mineMessage shows claims.
func mineMessage(l *language, list []held) message {
	if len(list) == 0 {
		return nextOffer(l, "", l.say("mine.none"))
	}
	title := l.say("mine.title", "N", len(list))
	m := message{Blocks: []slack.Block{section(title)}}
	texts := []string{title}
	for i, h := range list {
		if i == maxMine {
			more := l.say("more", "More", len(list)-i)
			m.Blocks, texts = append(m.Blocks, contextLine(more)), append(texts, more)
			break
		}
		line := l.say("mine.line", "Origin", origin(l, h.rec.Record), "Until", clock(h.rec.Review.ClaimedUntil))
		if h.link != "" {
			line += " · " + l.say("mine.link", "Link", h.link)
		}
		texts = append(texts, line)
		value := ref{Review: h.rec.Review.ID, Round: h.rec.Review.Round}.String()
		m.Blocks = append(m.Blocks, section(line), slack.NewActionBlock("",
			slack.NewButtonBlockElement(actionOpen, value, plain(l.say("card.button.open"))),
			slack.NewButtonBlockElement(actionGiveBack, value, plain(l.say("card.button.release")))))
	}
	m.Text = cut(strings.Join(texts, "\n"), maxLinesUnits, units)
	return m
}

// openClick shows a claimed review's card to who clicked.
func (b *Bot) openClick(ctx context.Context, in interaction, r ref) answer {
	b.spawn(ctx, func(ctx context.Context) {
		l := b.languageOf(ctx, in.User.ID)
		rec, no := b.loadFor(ctx, hitl.Verdict{ReviewID: r.Review, Round: r.Round, Reviewer: in.reviewer()}, b.rights.reader)
		if no != nil {
			b.cfg.Observer.Clicked("button", no.outcome)
			b.tell(ctx, in, no.words)
			return
		}
		b.cfg.Observer.Clicked("button", "opened")
		channel, _ := in.place()
		b.whisper(ctx, in.ResponseURL, channel, in.User.ID, card(l, rec))
	})
	return answer{}
}

// giveBackClick releases a review out of the list, and shows the list anew.
func (b *Bot) giveBackClick(ctx context.Context, in interaction, r ref) answer {
	b.spawn(ctx, func(ctx context.Context) {
		_, no := b.handle(ctx, r, in.reviewer(), func(ctx context.Context) (hitl.Record, error) {
			return b.cfg.Desk.Release(ctx, r.Review, r.Round, in.reviewer())
		})
		if no != nil {
			b.cfg.Observer.Clicked("button", no.outcome)
			b.tell(ctx, in, no.words)
			if no.outcome == outcomeFailed {
				return
			}
		} else {
			b.cfg.Observer.Clicked("button", outcomeReleased)
			b.refreshSoon(ctx, r.Review)
		}
		m, err := b.claims(ctx, b.languageOf(ctx, in.User.ID), in.reviewer())
		if err != nil {
			b.log.WarnContext(ctx, "claims not listed anew", "error", err)
			return
		}
		b.replace(ctx, in.ResponseURL, m)
	})
	return answer{}
}
