package bot

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"hitl"
)

// Events of messages in the channels that the bot is in, and what each of them is called.
const (
	eventChannels = "message.channels"
	eventGroups   = "message.groups"
	eventMessage  = "message"
)

// outcomeNoted says that a reply stands in the record, since now or before.
const outcomeNoted = "noted"

// reply says whether an event is what a person wrote in a thread: no bot's words, and nothing with a subtype. Later changes of a message come with
// one and are not supported: the record keeps what was said at first.
func (e innerEvent) reply() bool {
	return e.Type == eventMessage && e.Subtype == "" && e.BotID == "" && slackUser(e.User) && e.Channel != "" && e.TS != "" &&
		e.Thread != "" && e.Thread != e.TS
}

// note keeps a reply in the thread of a card. The answer is 200 once it is committed, or when it is none of ours to keep; otherwise Slack sends it
// again, and what is there already is not kept twice.
func (b *Bot) note(ctx context.Context, e event) answer {
	at, ok := stampTime(e.Event.TS)
	if !ok {
		return answer{}
	}
	failed := func(err error) answer {
		b.log.ErrorContext(ctx, "note not kept, slack will send it again", "channel", e.Event.Channel, "thread", e.Event.Thread, "error", err)
		b.cfg.Observer.Clicked("note", outcomeFailed)
		return notDone()
	}
	_, err := b.cfg.Cards.CardAt(ctx, e.Event.Channel, e.Event.Thread) // before Slack is asked: most threads are no card's
	if errors.Is(err, hitl.ErrNotFound) {
		return answer{}
	}
	if err != nil {
		return failed(err)
	}
	who := b.identified(ctx, claimed(e.Event.User, e.Team, e.Enterprise))
	err = b.rights.member(ctx, who)
	if err == nil {
		_, err = b.rights.active(ctx, who.User)
	}
	if _, no := errors.AsType[*notAllowedError](err); no {
		b.cfg.Observer.Clicked("note", outcomeRefused)
		return answer{}
	}
	if err != nil {
		return failed(err)
	}
	_, err = b.cfg.Desk.Note(ctx, hitl.Note{
		Channel: e.Event.Channel, Thread: e.Event.Thread, TS: e.Event.TS, Author: who, At: at, Text: typed.Replace(e.Event.Text),
	})
	var invalid *hitl.InvalidError
	switch {
	case errors.Is(err, hitl.ErrNotFound), errors.As(err, &invalid): // erased by now, or without words
		return answer{}
	case err != nil:
		return failed(err)
	}
	b.cfg.Observer.Clicked("note", outcomeNoted)
	return answer{}
}

// typed undoes Slack's escaping. Mentions and links stay as Slack writes them.
var typed = strings.NewReplacer("&lt;", "<", "&gt;", ">", "&amp;", "&")

// stampTime reads the timestamp of a message, which is its time.
func stampTime(ts string) (time.Time, bool) {
	whole, fraction, ok := strings.Cut(ts, ".")
	if !ok || len(fraction) != 6 || strings.Trim(whole+fraction, "0123456789") != "" {
		return time.Time{}, false
	}
	s, err := strconv.ParseInt(whole, 10, 40)
	us, errFraction := strconv.ParseInt(fraction, 10, 64)
	if err != nil || errFraction != nil {
		return time.Time{}, false
	}
	return time.Unix(s, us*1000).UTC(), true
}

// noteLine says how many notes there are on a review; empty when there are none.
func noteLine(l *language, rec hitl.Record) string {
	if len(rec.Notes) == 0 {
		return ""
	}
	return l.say("card.notes", "N", len(rec.Notes))
}

// noteOf returns the words of the note that an entry of the log is about, as far as they may be shown.
func noteOf(notes []hitl.Note, e hitl.Entry) string {
	for _, n := range notes {
		if n.At.Equal(e.At) && n.Author.String() == e.Reviewer {
			return n.Text
		}
	}
	return ""
}
