package bot

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"github.com/slack-go/slack"

	"hitl"
)

// The message shortcut "Send to hitl", its form and the fields of that.
const (
	shortcutSend = "hitl_send"
	viewSend     = "hitl_send"
	blockSource  = "hitl_source"
	fieldSource  = "source"
)

const (
	outcomeSent  = "sent"
	outcomeKnown = "known" // it was sent before
)

// sendData is what the form carries for us: which message it is about, and what that said when it was shown. The text itself is read again when
// the form is sent; so it may be longer than a form can hold, and nobody sends what they have not seen.
type sendData struct {
	Channel string `json:"channel"`
	TS      string `json:"ts"`
	Thread  string `json:"thread,omitempty"`
	Shown   string `json:"shown"` // key of the text
}

// shortcut answers a message shortcut. Its trigger lives for three seconds, so the form opens before anything is looked up.
func (b *Bot) shortcut(ctx context.Context, in interaction) answer {
	if in.CallbackID != shortcutSend {
		b.cfg.Observer.Clicked("shortcut", outcomeUnknown)
		return answer{}
	}
	l, _ := b.knownLanguage(ctx, in.User.ID)
	id, err := b.api.openView(ctx, in.TriggerID, loading(l, l.say("send.title"), viewData{}))
	if err != nil {
		b.log.WarnContext(ctx, "form of the shortcut not opened", "error", err)
		b.cfg.Observer.Clicked("shortcut", outcomeFailed)
		b.tell(ctx, in, saying("told.not_opened"))
		return answer{}
	}
	b.cfg.Observer.Clicked("shortcut", "opened")
	b.spawn(ctx, func(ctx context.Context) {
		view := b.sendView(ctx, in)
		err := b.api.updateView(ctx, id, "", view)
		if d := rateLimited(err); d > 0 && sleep(ctx, d) == nil {
			err = b.api.updateView(ctx, id, "", view)
		}
		if err != nil && refusal(err) != "not_found" { // closed meanwhile
			b.log.WarnContext(ctx, "form of the shortcut not filled", "error", err)
			b.tell(ctx, in, saying("told.not_opened"))
		}
	})
	return answer{}
}

// sendView is the form for one message, or what is in the way.
func (b *Bot) sendView(ctx context.Context, in interaction) slack.ModalViewRequest {
	l := b.languageOf(ctx, in.User.ID)
	at := sendData{Channel: in.Channel.ID, TS: in.MessageTS, Thread: in.Message.Thread}
	m, no := b.toSend(ctx, in.reviewer(), at)
	if no != nil {
		return notice(l, l.say("send.title"), escape(no.words(l)), viewData{})
	}
	at.Shown = labelKey(m.text)
	return sendModal(l, m.text, b.cfg.ShortcutSources, at)
}

// sendModal shows what will be sent, and asks where to. It is pure.
func sendModal(l *language, text string, sources []string, at sendData) slack.ModalViewRequest {
	shown, more := preview(l, text)
	blocks := []slack.Block{section(l.say("send.intro")), quote(shown)}
	if more != "" {
		blocks = append(blocks, contextLine(more))
	}
	var options []*slack.OptionBlockObject
	for _, s := range sources {
		options = append(options, option(l, s))
	}
	choice := slack.NewOptionsSelectBlockElement(slack.OptTypeStatic, plain(l.say("send.source_hint")), fieldSource, options...)
	if len(options) == 1 {
		choice.InitialOption = options[0]
	}
	view := modal(l, viewSend, l.say("send.title"), viewData{}, append(blocks, slack.NewInputBlock(blockSource, plain(l.say("send.source")), nil, choice))...)
	data, _ := json.Marshal(at) // such can always be written
	view.PrivateMetadata = string(data)
	view.Submit, view.Close = plain(l.say("send.send")), plain(l.say("modal.correct.cancel"))
	return view
}

// messageToSend is a message as it becomes an item.
type messageToSend struct {
	text, author, link, team string
}

// toSend reads a message, if a person may send it at this moment. What is in the way comes in plain words.
func (b *Bot) toSend(ctx context.Context, by hitl.Reviewer, at sendData) (messageToSend, *result) {
	var no *notAllowedError
	switch err := b.rights.insider(ctx, by); {
	case len(b.cfg.ShortcutSources) == 0:
		return messageToSend{}, &result{outcome: outcomeRefused, words: saying("send.off")}
	case errors.As(err, &no):
		return messageToSend{}, &result{outcome: outcomeRefused, words: saying("send.refused")}
	case err != nil:
		b.log.ErrorContext(ctx, "message not sent on: rights not known", "by", by, "error", err)
		return messageToSend{}, &result{outcome: outcomeFailed, words: saying("send.failed")}
	}
	self, err := b.rights.self(ctx)
	if err != nil {
		return messageToSend{}, &result{outcome: outcomeFailed, words: saying("send.failed")}
	}
	m, found, err := b.api.messageAt(ctx, at.Channel, at.TS, at.Thread)
	switch code := refusal(err); {
	case code == "not_in_channel" || code == "channel_not_found":
		return messageToSend{}, &result{outcome: outcomeRefused, words: saying("send.invite")}
	case code == "thread_not_found" || err == nil && !found:
		return messageToSend{}, &result{outcome: outcomeRefused, words: saying("send.gone")}
	case err != nil:
		b.log.WarnContext(ctx, "message not sent on: it could not be read", "channel", at.Channel, "error", err)
		return messageToSend{}, &result{outcome: outcomeFailed, words: saying("send.failed")}
	case m.User == self.UserID || m.BotID != "" && m.BotID == self.BotID:
		return messageToSend{}, &result{outcome: outcomeRefused, words: saying("send.own")}
	}
	out := messageToSend{text: hitl.CleanText(written(m.Text)), author: m.User, team: self.TeamID, link: permalink(self.URL, at.Channel, at.TS)}
	if out.author == "" {
		out.author = m.BotID
	}
	if at.Thread != "" && at.Thread != at.TS {
		out.link += "?thread_ts=" + at.Thread + "&cid=" + at.Channel
	}
	if strings.TrimSpace(out.text) == "" {
		return messageToSend{}, &result{outcome: outcomeInvalid, words: saying("send.empty")}
	}
	return out, nil
}

// submitSend makes a message an item. Whatever fails leaves the form as it is, and sending it again makes no second item.
func (b *Bot) submitSend(ctx context.Context, in interaction) answer {
	l, _ := b.knownLanguage(ctx, in.User.ID)
	var at sendData
	source, ok := byKey(b.cfg.ShortcutSources, in.View.input(blockSource, fieldSource))
	if json.Unmarshal([]byte(in.View.PrivateMetadata), &at) != nil || !ok {
		b.cfg.Observer.Clicked("shortcut", outcomeInvalid)
		return fieldError(blockSource, l.say("send.no_source"))
	}
	rec, known, no := b.sendOn(ctx, in.reviewer(), source, at)
	if no != nil {
		b.cfg.Observer.Clicked("shortcut", no.outcome)
		return fieldError(blockSource, no.words(l))
	}
	outcome := outcomeSent
	if known {
		outcome = outcomeKnown
	}
	b.cfg.Observer.Clicked("shortcut", outcome)
	return replaceView(sentModal(l, b.screen(rec), known))
}

// sendOn submits one message, or returns what became of it when it was sent before: by somebody else, perhaps, or before it was edited.
func (b *Bot) sendOn(ctx context.Context, by hitl.Reviewer, source string, at sendData) (rec hitl.Record, known bool, no *result) {
	m, no := b.toSend(ctx, by, at)
	if no != nil {
		return rec, false, no
	}
	s := hitl.Submission{
		Source: source, ExternalID: sentIDPrefix + m.team + "/" + at.Channel + "/" + at.TS, Text: m.text,
		Metadata: map[string]any{"channel": at.Channel, "ts": at.TS, metadataLink: m.link, "author": m.author, "sent_by": by.User},
	}
	rec, err := b.cfg.Intake.Find(ctx, source, s.ExternalID)
	if err == nil {
		return rec, true, nil
	}
	if errors.Is(err, hitl.ErrNotFound) {
		if labelKey(m.text) != at.Shown {
			return rec, false, &result{outcome: outcomeInvalid, words: saying("send.edited")}
		}
		if rec, known, err = b.cfg.Intake.Submit(ctx, s); errors.Is(err, hitl.ErrConflict) { // somebody else was faster
			known = true
			rec, err = b.cfg.Intake.Find(ctx, source, s.ExternalID)
		}
	}
	if err == nil {
		return rec, known, nil
	}
	var invalid *hitl.InvalidError
	switch {
	case errors.As(err, &invalid):
		return rec, false, &result{outcome: outcomeInvalid, words: saying("send.invalid", "Field", invalid.Field, "Problem", invalid.Reason)}
	case errors.Is(err, hitl.ErrBusy):
		return rec, false, &result{outcome: outcomeFailed, words: saying("send.busy")}
	case errors.Is(err, hitl.ErrBacklog):
		return rec, false, &result{outcome: outcomeFailed, words: saying("send.backlog")}
	}
	b.log.ErrorContext(ctx, "message not sent on", "source", source, "by", by, "error", err)
	return rec, false, &result{outcome: outcomeFailed, words: saying("send.failed")}
}

// sentModal says what became of a message, and by which id it is found again. It is pure.
func sentModal(l *language, s screened, known bool) slack.ModalViewRequest {
	var lines []string
	if known {
		lines = append(lines, l.say("send.known"))
	}
	rec := s.Record
	switch {
	case erased(rec):
		lines = append(lines, erasedWords(l, rec))
	case rec.Decision != nil:
		lines = append(lines, decided(l, *rec.Decision, rec.Prediction.Label))
	case rec.Review == nil:
		lines = append(lines, l.say("send.accepted", "Label", code(l, rec.Prediction.Label, maxLabelUnits), "Confidence", escape(percent(l, rec.Prediction.Confidence))))
	case open(rec):
		lines = append(lines, l.say("send.review", "Queue", code(l, rec.Review.Queue, maxNameUnits)))
	default:
		lines = append(lines, ended(l, rec))
	}
	return modal(l, viewNotice, l.say("send.done.title"), viewData{},
		section(strings.Join(lines, "\n")), contextLine(l.say("send.item", "Item", code(l, rec.Item.ID, maxNameUnits))))
}

// sends says whether messages are sent to a source by the shortcut.
func (b *Bot) sends(source string) bool { return slices.Contains(b.cfg.ShortcutSources, source) }
