package bot

import (
	"time"

	"github.com/slack-go/slack"

	"hitl"
)

// Actions of the tool row, and of what follows from them.
const (
	actionClaim   = "hitl_claim" // also extends one's own claim
	actionRelease = "hitl_release"
	actionSkip    = "hitl_skip"
)

// tools are what can be done with an open review beside deciding it.
func tools(l *language, s screened) slack.Block {
	r := ref{Review: s.Review.ID, Round: s.Review.Round}
	value := r.String()
	row := []slack.BlockElement{detailsButton(l, s)}
	if s.hidden > 0 && !s.veil.on() {
		row = append(row, revealButton(l, s))
	}
	switch {
	case s.claimed:
		row = append(row, slack.NewButtonBlockElement(actionClaim, value, plain(l.say("card.button.extend"))),
			slack.NewButtonBlockElement(actionRelease, value, plain(l.say("card.button.release"))))
	case s.claimable && !s.Gathering():
		row = append(row, slack.NewButtonBlockElement(actionClaim, value, plain(l.say("card.button.claim"))))
	}
	return slack.NewActionBlock("hitl_tools", append(row, slack.NewButtonBlockElement(actionSkip, value, plain(l.say("card.button.skip"))))...)
}

// claimLine says who has a review for themselves, and until when; empty when nobody has.
func claimLine(l *language, s screened) string {
	if !s.claimed || !open(s.Record) {
		return ""
	}
	return l.say("card.claimed", "Who", who(l, s.Review.ClaimedBy), "Until", clock(s.Review.ClaimedUntil))
}

// clock writes a time of today in the reader's own time zone, as mrkdwn.
func clock(t time.Time) string { return date(t, "{time}") }

// claimedWords tell somebody who has the review that they wanted to do something with.
func claimedWords(err *hitl.ClaimedError) words {
	return func(l *language) string {
		return l.say("told.claimed", "Who", who(l, err.By), "Until", clock(err.Until))
	}
}
