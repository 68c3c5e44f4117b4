package bot

import (
	"context"
	"errors"
	"strings"

	"github.com/slack-go/slack"

	"hitl"
)

// click carries out a click on a card's button. Deciding is done before the answer, everything else beside it.
func (b *Bot) click(ctx context.Context, in interaction) answer {
	if len(in.Actions) == 0 {
		return answer{}
	}
	a := in.Actions[0] // Slack sends one
	switch {
	case in.View.Type == "home":
		return b.homeClick(ctx, in, a)
	case in.View.ID != "" && a.ActionID == actionBatchUndo:
		return b.undoBatchClick(ctx, in, a.Value)
	case in.View.ID != "":
		return b.clickInModal(ctx, in, a)
	}
	if a.ActionID == actionNext {
		return b.nextClick(ctx, in, a.Value)
	}
	if a.ActionID == actionAdopt || a.ActionID == actionDecline {
		return b.proposalClick(ctx, in, a)
	}
	r, ok := parseRef(a.Value)
	if !ok {
		b.cfg.Observer.Clicked("button", "unknown")
		b.tell(ctx, in, saying("told.unknown"))
		return answer{}
	}
	switch {
	case a.ActionID == actionOther:
		return b.open(ctx, in, r, saying("modal.correct.title"), b.correctView(""))
	case a.ActionID == actionVote:
		return b.open(ctx, in, r, saying("modal.vote.title"), b.voteView)
	case a.ActionID == actionText:
		return b.open(ctx, in, r, saying("modal.text.title"), b.detailsView)
	case a.ActionID == actionClaim:
		return b.claimClick(ctx, in, r, scopeOf(a.BlockID))
	case a.ActionID == actionRelease:
		return b.releaseClick(ctx, in, r, scopeOf(a.BlockID))
	case a.ActionID == actionSkip:
		return b.open(ctx, in, r, saying("modal.skip.title"), b.skipView)
	case a.ActionID == actionOpen:
		return b.openClick(ctx, in, r)
	case a.ActionID == actionGiveBack:
		return b.giveBackClick(ctx, in, r)
	case a.ActionID == actionUndo:
		return b.undoClick(ctx, in, r, scopeOf(a.BlockID))
	case a.ActionID == actionReveal:
		return b.open(ctx, in, r, saying("modal.reveal.title"), b.revealView)
	case (a.ActionID == actionAccept || strings.HasPrefix(a.ActionID, actionLabel)) && r.Label != "":
		return b.decideClick(ctx, in, r)
	}
	b.cfg.Observer.Clicked("button", "unknown")
	b.tell(ctx, in, saying("told.unknown"))
	return answer{}
}

// decideClick turns a click on a label into a decision, or opens the form where its queue wants more than a label. The answer is 200 only when the reviewer was told something definite.
func (b *Bot) decideClick(ctx context.Context, in interaction, r ref) answer {
	channel, ts := in.place()
	v := hitl.Verdict{
		ReviewID: r.Review, Round: r.Round, Kind: hitl.Correct, Reviewer: in.reviewer(),
		Context: map[string]string{"surface": "button", "channel": channel, "message": ts},
	}
	res := b.decide(ctx, v, func(rec screened) (label, reason string, err error) {
		label, ok := byKey(rec.Labels, r.Label)
		if !ok && labelKey(rec.Prediction.Label) == r.Label {
			label, ok = rec.Prediction.Label, true
		}
		if !ok {
			return "", "", &notOfferedError{"label", saying("told.no_label")}
		}
		return label, "", nil
	})
	if res.outcome == outcomeInvalid && (res.field == "reason" || res.field == "comment") { // which a button cannot say
		return b.open(ctx, in, r, saying("modal.correct.title"), b.correctView(r.Label))
	}
	b.cfg.Observer.Clicked("button", res.outcome)
	if in.Container.IsEphemeral && in.ResponseURL != "" && res.outcome != outcomeFailed {
		b.decidedAlone(ctx, in, r, res)
		return answer{}
	}
	if res.words != nil {
		b.tell(ctx, in, res.words)
	}
	switch {
	case res.outcome == outcomeLost && res.rec.Decision == nil: // a card of a round that is over
		b.refreshSoon(ctx, r.Review)
	case res.rec.Decision != nil && in.ResponseURL != "":
		b.spawn(ctx, func(ctx context.Context) { b.redrawClicked(ctx, in, res.rec) })
	}
	if res.outcome == outcomeFailed {
		return notDone()
	}
	return answer{}
}

// redrawClicked shows a decision on the card that was clicked, at once and without a call that Slack counts; the refresh that follows
// every decision makes up for failures.
func (b *Bot) redrawClicked(ctx context.Context, in interaction, rec screened) {
	m := card(b.language(), rec)
	err := b.api.respond(ctx, in.ResponseURL, response{ReplaceOriginal: true, Text: m.Text, Blocks: m.Blocks})
	if err != nil {
		b.log.WarnContext(ctx, "card not redrawn at once, its refresh will", "review", rec.Review.ID, "error", err)
		return
	}
	channel, ts := in.place()
	b.drawn.put(channel, ts, m)
	b.adopt(ctx, rec.Review.ID, channel, ts)
}

// adopt records that the card that was clicked is there, if the answer to its post was lost and nothing has found it since: refreshes leave out what is not
// known to be there, and the sweep comes minutes later.
func (b *Bot) adopt(ctx context.Context, reviewID, channel, ts string) {
	cards, err := b.cfg.Cards.Cards(ctx, reviewID)
	for _, c := range cards {
		if c.State == hitl.CardIntent && c.Channel == channel {
			err = errors.Join(err, b.settle(ctx, c, channel, ts))
		}
	}
	if err != nil {
		b.log.WarnContext(ctx, "it was not looked whether the card that was clicked is known", "review", reviewID, "error", err)
	}
}

// tell says something to the person who clicked, where they clicked, and to nobody else.
func (b *Bot) tell(ctx context.Context, in interaction, what words) {
	channel, _ := in.place()
	b.spawn(ctx, func(ctx context.Context) {
		text := what(b.languageOf(ctx, in.User.ID))
		b.whisper(ctx, in.ResponseURL, channel, in.User.ID, message{Text: text, Blocks: []slack.Block{section(text)}})
	})
}

// whisper shows a message to one user, by the response_url if there is one that works.
func (b *Bot) whisper(ctx context.Context, responseURL, channel, user string, m message) {
	err := errors.New("no response_url")
	if responseURL != "" {
		err = b.api.respond(ctx, responseURL, response{ResponseType: "ephemeral", Text: m.Text, Blocks: m.Blocks})
	}
	if err == nil || uncertain(err) { // better said once too few than twice
		return
	}
	if channel != "" {
		err = b.api.postEphemeral(ctx, channel, user, m)
	}
	if err != nil {
		b.log.WarnContext(ctx, "a person was not told", "user", user, "channel", channel, "text", m.Text, "error", err)
	}
}

// viewBuilder makes the modal that a button opens, for a person who may decide the review.
type viewBuilder func(ctx context.Context, l *language, who hitl.Reviewer, rec screened, data viewData) slack.ModalViewRequest

// correctView makes the form of a decision, in which the label with a key is chosen.
func (b *Bot) correctView(key string) viewBuilder {
	return func(ctx context.Context, l *language, who hitl.Reviewer, rec screened, data viewData) slack.ModalViewRequest {
		if !open(rec.Record) {
			return notice(l, l.say("modal.decided.title"), closedWords(l, rec, hitl.Reviewer{}), data)
		}
		if err := b.rights.decider(ctx, who, rec.Record); err != nil {
			if no, ok := errors.AsType[*notAllowedError](err); ok {
				return notice(l, l.say("modal.correct.title"), no.why(l), data)
			}
			b.log.ErrorContext(ctx, "form not filled: rights not known", "review", rec.Review.ID, "reviewer", who, "error", err)
			return notice(l, l.say("modal.correct.title"), l.say("modal.not_loaded"), data)
		}
		f := b.formOf(rec.Record)
		f.label = key
		return correctModal(l, rec, f, data)
	}
}

// open opens a modal. The trigger lives for three seconds, so the modal opens empty before anything is looked up, and fills then.
func (b *Bot) open(ctx context.Context, in interaction, r ref, title words, build viewBuilder) answer {
	channel, ts := in.place()
	data := viewData{Ref: ref{Review: r.Review, Round: r.Round}.String(), Channel: channel, TS: ts}
	if in.Container.IsEphemeral {
		data.Reply, data.Scope = in.ResponseURL, scopeOf(in.Actions[0].BlockID)
	}
	l, _ := b.knownLanguage(ctx, in.User.ID)
	id, err := b.api.openView(ctx, in.TriggerID, loading(l, title(l), data))
	if err != nil {
		b.log.WarnContext(ctx, "modal not opened", "review", r.Review, "error", err)
		b.cfg.Observer.Clicked("button", outcomeFailed)
		b.tell(ctx, in, saying("told.not_opened"))
		return answer{}
	}
	b.cfg.Observer.Clicked("button", "opened")
	b.spawn(ctx, func(ctx context.Context) { b.fillView(ctx, in, id, r, title, data, build) })
	return answer{}
}

// fillView replaces what an open modal shows. One that has changed since a click in it stays as it is: of two clicks the first counts.
func (b *Bot) fillView(ctx context.Context, in interaction, id string, r ref, title words, data viewData, build viewBuilder) {
	view := b.view(ctx, in.reviewer(), r, title, data, build)
	err := b.api.updateView(ctx, id, in.View.Hash, view)
	if d := rateLimited(err); d > 0 && sleep(ctx, d) == nil {
		err = b.api.updateView(ctx, id, in.View.Hash, view)
	}
	if code := refusal(err); err != nil && code != "not_found" && code != "hash_conflict" { // closed, or changed, meanwhile
		b.log.WarnContext(ctx, "modal not filled", "review", r.Review, "error", err)
		b.tell(ctx, in, saying("told.not_opened"))
	}
}

// view makes the modal for a person, which may be one that says no.
func (b *Bot) view(ctx context.Context, who hitl.Reviewer, r ref, title words, data viewData, build viewBuilder) slack.ModalViewRequest {
	l := b.languageOf(ctx, who.User)
	rec, err := b.state(ctx, r.Review)
	if errors.Is(err, hitl.ErrNotFound) || (err == nil && rec.Review == nil) {
		return notice(l, title(l), l.say("told.unknown"), data)
	}
	if err == nil {
		err = b.rights.reader(ctx, who, rec.Record)
	}
	var no *notAllowedError
	switch {
	case errors.As(err, &no):
		return notice(l, title(l), no.why(l), data)
	case err != nil:
		b.log.ErrorContext(ctx, "review not loaded for a modal", "review", r.Review, "error", err)
		return notice(l, title(l), l.say("modal.not_loaded"), data)
	}
	return build(ctx, l, who, rec, data)
}
