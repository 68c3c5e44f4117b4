package bot

import "github.com/slack-go/slack"

// hiddenWords says how much of a record is hidden.
func hiddenWords(l *language, s screened) string {
	return l.say("card.hidden", "N", s.hidden)
}

// revealButton shows what is hidden, to the one person who clicks on it.
func revealButton(l *language, s screened) *slack.ButtonBlockElement {
	r := ref{Review: s.Review.ID, Round: s.Review.Round}
	b := slack.NewButtonBlockElement(actionReveal, r.String(), plain(l.say("card.button.reveal")))
	b.AccessibilityLabel = l.say("card.button.reveal.spoken")
	return b
}
