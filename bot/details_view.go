package bot

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/slack-go/slack"

	"hitl"
)

// Actions in the details.
const (
	actionShow = "hitl_show"
	actionPage = "hitl_page_" // plus where to; the value is the page, from 0
)

const (
	maxTwinNames = 10
	maxHalf      = 300 // characters; mail addresses have 254 at most
)

// detailsView shows the details of a review. What is sensitive is shown at once, to the one who asked, after an entry in the log; of what is
// distressing they are warned first.
func (b *Bot) detailsView(ctx context.Context, l *language, who hitl.Reviewer, s screened, data viewData) slack.ModalViewRequest {
	if s.veil.on() && len(s.veil.warnings) == 0 && !erased(s.Record) {
		return b.showView(ctx, l, who, s, data)
	}
	return b.details(ctx, l, who, s, data)
}

// showView shows a veiled text; what the queue hides in it stays hidden.
func (b *Bot) showView(ctx context.Context, l *language, who hitl.Reviewer, s screened, data viewData) slack.ModalViewRequest {
	if !s.veil.on() || erased(s.Record) {
		return b.details(ctx, l, who, s, data)
	}
	rec, ok := b.look(ctx, who, s, data)
	if !ok {
		return notice(l, l.say("modal.text.title"), l.say("modal.reveal.failed"), data)
	}
	data.Shown = true
	return b.details(ctx, l, who, b.mask(rec), data)
}

// revealView shows a record without a mask. That is recorded before, and when it cannot be, nothing is shown. The caller has made sure that
// the person may decide the review.
func (b *Bot) revealView(ctx context.Context, l *language, who hitl.Reviewer, s screened, data viewData) slack.ModalViewRequest {
	if s.hidden+s.hiddenData == 0 {
		return b.detailsView(ctx, l, who, s, data) // the queue hides nothing any more, or the text was erased
	}
	rec, ok := b.look(ctx, who, s, data)
	if !ok {
		return notice(l, l.say("modal.reveal.title"), l.say("modal.reveal.failed"), data)
	}
	data.Shown, data.Raw = true, true
	return b.details(ctx, l, who, b.bare(rec), data)
}

// look records that somebody looks at what is kept from Slack, and returns it; false: that could not be recorded.
func (b *Bot) look(ctx context.Context, who hitl.Reviewer, s screened, data viewData) (hitl.Record, bool) {
	where := map[string]string{"surface": "button", "channel": data.Channel, "message": data.TS}
	rec, err := b.cfg.Desk.Reveal(ctx, s.Review.ID, who, where)
	if err != nil {
		b.log.ErrorContext(ctx, "hidden parts not shown: entry not committed", "review", s.Review.ID, "reviewer", who, "error", err)
		b.cfg.Observer.Clicked("reveal", outcomeFailed)
		return hitl.Record{}, false
	}
	b.cfg.Observer.Clicked("reveal", "revealed")
	return rec, true
}

// pageView shows another page of details that somebody has open, with what they were shown before: only this bot writes into a view what that
// is, and only after its entry in the log.
func (b *Bot) pageView(ctx context.Context, l *language, who hitl.Reviewer, s screened, data viewData) slack.ModalViewRequest {
	if data.Shown {
		rec, err := b.cfg.Desk.Review(ctx, s.Review.ID)
		if err != nil {
			b.log.ErrorContext(ctx, "review not loaded for a modal", "review", s.Review.ID, "error", err)
			return notice(l, l.say("modal.text.title"), l.say("modal.not_loaded"), data)
		}
		if s = b.mask(rec); data.Raw {
			s = b.bare(rec)
		}
	}
	return b.details(ctx, l, who, s, data)
}

// details loads what a record does not hold and shows it all. What cannot be loaded is left out, and said to be missing.
func (b *Bot) details(ctx context.Context, l *language, who hitl.Reviewer, s screened, data viewData) slack.ModalViewRequest {
	d := details{screened: s, at: data, rules: b.cfg.Rules(s.Route.Policy)}
	if b.cfg.Details == nil || data.Page > 0 {
		return detailsModal(l, d)
	}
	note := func(what string, err error) {
		if err != nil {
			d.missing = true
			b.log.WarnContext(ctx, "details are not complete", "review", s.Review.ID, "missing", what, "error", err)
		}
	}
	var err error
	d.entries, err = b.cfg.Details.Log(ctx, s.Item.ID)
	note("log", err)
	if erased(s.Record) {
		return detailsModal(l, d)
	}
	if s.Twins > 0 {
		twins, err := b.cfg.Details.Twins(ctx, s.Review.ID, who, time.Time{}, maxTwinNames)
		note("twins", err)
		for _, t := range twins {
			d.twins = append(d.twins, b.screen(t).Item.ExternalID)
		}
	}
	precedents, err := b.cfg.Details.Precedents(ctx, s.Review.ID, maxSimilar, latePrecedents)
	note("precedents", err)
	for _, p := range similar(s.Item.Text, precedents) {
		p.Text = b.screenPrecedent(s.Record, p.Precedent)
		d.precedents = append(d.precedents, p)
	}
	return detailsModal(l, d)
}

// screenPrecedent returns what may be shown of a precedent's text beside a record of the same queue. At its end may stand half of what must be
// hidden, and cannot be told without the other half.
func (b *Bot) screenPrecedent(rec hitl.Record, p hitl.Precedent) string {
	if b.veilOf(rec.Review.Queue, p.AILabel, p.Scores).on() {
		return ""
	}
	text, _ := b.redactorOf(rec).redact(p.Text)
	if rs := []rune(text); p.Length > hitl.MaxPrecedentChars {
		text = string(rs[:max(0, len(rs)-maxHalf)])
	}
	return text
}

// inModal fills the modal that a person has open. No trigger is needed for that, so there is nothing to hurry for.
func (b *Bot) inModal(ctx context.Context, in interaction, title words, outcome string, build viewBuilder) answer {
	data, r, ok := parseViewData(in.View.PrivateMetadata)
	if !ok {
		outcome, data = outcomeUnknown, viewData{}
	}
	b.cfg.Observer.Clicked("modal", outcome)
	b.spawn(ctx, func(ctx context.Context) { b.fillView(ctx, in, in.View.ID, r, title, data, build) })
	return answer{}
}

// clickInModal carries out a click in a modal; selects there count when it is submitted.
func (b *Bot) clickInModal(ctx context.Context, in interaction, a action) answer {
	switch {
	case a.ActionID == actionReveal:
		return b.inModal(ctx, in, saying("modal.reveal.title"), "opened", b.revealView)
	case a.ActionID == actionShow:
		return b.inModal(ctx, in, saying("modal.text.title"), "opened", b.showView)
	case strings.HasPrefix(a.ActionID, actionPage):
		page, err := strconv.Atoi(a.Value)
		if err != nil {
			return answer{}
		}
		return b.inModal(ctx, in, saying("modal.text.title"), "turned",
			func(ctx context.Context, l *language, who hitl.Reviewer, s screened, data viewData) slack.ModalViewRequest {
				data.Page = max(page, 0)
				return b.pageView(ctx, l, who, s, data)
			})
	}
	return answer{}
}
