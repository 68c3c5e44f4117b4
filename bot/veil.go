package bot

import (
	"slices"
	"strings"

	"github.com/slack-go/slack"

	"hitl"
)

// veil says why a text is kept from the channel, and is shown only to a reviewer who asks; zero: it is not.
type veil struct {
	sensitive bool     // everything in the queue is
	warnings  []string // labels that people want to be warned of, the likeliest first
}

func (v veil) on() bool { return v.sensitive || len(v.warnings) > 0 }

// distressingFrom is the probability from which on a label counts that is not the model's answer.
const distressingFrom = 0.2

// veilOf says whether a queue wants an item veiled, by what the model said of it. Where the queue is not configured any more, everything is.
func (b *Bot) veilOf(queue, label string, scores []hitl.Score) veil {
	q, ok := b.cfg.Queues[queue]
	if !ok {
		return veil{sensitive: b.anySensitive()}
	}
	v := veil{sensitive: q.Sensitive}
	warn := func(label string) {
		if slices.Contains(q.Distressing, label) && !slices.Contains(v.warnings, label) {
			v.warnings = append(v.warnings, label)
		}
	}
	warn(label)
	for _, s := range scores {
		if s.Probability >= distressingFrom {
			warn(s.Label)
		}
	}
	return v
}

// anySensitive says whether any queue keeps texts from its channel.
func (b *Bot) anySensitive() bool {
	for _, q := range b.cfg.Queues {
		if q.Sensitive || len(q.Distressing) > 0 {
			return true
		}
	}
	return false
}

// veilWords say why the text is not there, as mrkdwn. Of a blind review they do not name what the model said.
func veilWords(l *language, s screened) string {
	if len(s.veil.warnings) == 0 {
		return l.say("card.veil.sensitive")
	}
	if s.Review != nil && s.Review.Blind {
		return l.say("card.veil.distressing.blind")
	}
	var names []string
	for _, w := range s.veil.warnings {
		names = append(names, code(l, w, maxLabelUnits))
	}
	return l.say("card.veil.distressing", "Labels", cut(strings.Join(names, ", "), maxWhyUnits, units))
}

// detailsButton opens the details; where the text is veiled it says what it is for.
func detailsButton(l *language, s screened) *slack.ButtonBlockElement {
	r := ref{Review: s.Review.ID, Round: s.Review.Round}
	word := l.say("card.button.text")
	if s.veil.on() {
		word = l.say("card.button.show")
	}
	return slack.NewButtonBlockElement(actionText, r.String(), plain(word))
}

// showButton lifts the veil in a modal, for the one person who has it open.
func showButton(l *language, s screened) *slack.ButtonBlockElement {
	r := ref{Review: s.Review.ID, Round: s.Review.Round}
	b := slack.NewButtonBlockElement(actionShow, r.String(), plain(l.say("card.button.show")))
	b.AccessibilityLabel = l.say("card.button.show.spoken")
	return b
}
