package bot

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/slack-go/slack"
	"go.opentelemetry.io/otel/trace"

	"hitl"
)

const (
	actionVote = "hitl_vote"
	viewVote   = "hitl_vote"
	// outcomeVoted says that a verdict is recorded as one voice of a panel, whatever the panel decides.
	outcomeVoted = "voted"
)

// sealedVoices takes from a panel's voices what Slack is not shown: all but their number before the panel is complete, and who said what, and when, for
// ever. It is done before anything is made for Slack, as redaction is.
func sealedVoices(rec hitl.Record) []hitl.Voice {
	if rec.Decision == nil && !rec.Adjudicated() {
		return make([]hitl.Voice, len(rec.Voices))
	}
	var veiled []hitl.Voice
	for _, c := range hitl.Tally(rec.Voices) {
		veiled = append(veiled, slices.Repeat([]hitl.Voice{{Label: c.Label}}, c.Voices)...)
	}
	return veiled
}

// spoken returns who has given a verdict in a panel: for their own eyes only.
func spoken(rec hitl.Record) []hitl.Voice {
	if rec.Decision != nil {
		return nil
	}
	return rec.Voices
}

// panelLine says how a panel stands, or stood when the review was decided; empty without a panel.
func panelLine(l *language, rec hitl.Record) string {
	if rec.Review == nil || rec.Review.Panel <= 1 {
		return ""
	}
	switch d := rec.Decision; {
	case rec.Gathering():
		return l.say("panel.gathering", "N", rec.Review.Panel, "In", len(rec.Voices))
	case rec.Adjudicated():
		return l.say("panel.tie", "Tally", tally(l, rec.Voices))
	case d != nil && d.ByPanel():
		agree, of, _ := strings.Cut(d.Context["panel"], "/")
		n, err := strconv.Atoi(of)
		k, errAgree := strconv.Atoi(agree)
		if err != nil || errAgree != nil {
			return ""
		}
		return l.say("panel.majority", "N", n, "Agree", k)
	case d != nil && d.Context["adjudicated"] != "":
		return l.say("panel.adjudicated", "Tally", tally(l, rec.Voices))
	}
	return ""
}

// tally writes how many voices gave each label, as mrkdwn. Of very many labels it names the first and counts the others.
func tally(l *language, voices []hitl.Voice) string {
	var words []string
	used, counts := 0, hitl.Tally(voices)
	for i, c := range counts {
		word := l.say("panel.count", "Label", code(l, c.Label, maxLabelUnits), "Voices", c.Voices)
		if used += units(word); used > maxWhyUnits && i > 0 {
			words = append(words, l.say("more", "More", len(counts)-i))
			break
		}
		words = append(words, word)
	}
	return strings.Join(words, ", ")
}

// voteButton opens the form of a panel's verdict, for the person who clicks.
func voteButton(l *language, r ref) slack.BlockElement {
	return slack.NewButtonBlockElement(actionVote, r.String(), plain(l.say("card.button.vote"))).WithStyle(slack.StylePrimary)
}

// voteView is the form for a person who has a verdict to give, or says why there is none to give.
func (b *Bot) voteView(_ context.Context, l *language, who hitl.Reviewer, rec screened, data viewData) slack.ModalViewRequest {
	no := func(words string) slack.ModalViewRequest { return notice(l, l.say("modal.vote.title"), words, data) }
	i := slices.IndexFunc(rec.spoken, func(v hitl.Voice) bool { return v.Reviewer == who })
	switch {
	case !open(rec.Record):
		return no(closedWords(l, rec, hitl.Reviewer{}))
	case i >= 0:
		return no(votedWords(rec.spoken[i])(l))
	case rec.Adjudicated():
		return no(l.say("told.panel_complete"))
	case !rec.Gathering():
		return no(l.say("told.no_panel"))
	}
	return voteModal(l, rec, b.formOf(rec.Record), data)
}

// voteModal is the form of a correction with nothing chosen, whatever the model says: it takes one verdict for a panel.
func voteModal(l *language, s screened, f form, data viewData) slack.ModalViewRequest {
	view := correctModal(l, s, f, data)
	if view.CallbackID != viewCorrect {
		return view // there is nothing to choose from
	}
	view.CallbackID, view.Title = viewVote, plain(l.say("modal.vote.title"))
	view.Blocks.BlockSet = append([]slack.Block{contextLine(l.say("modal.vote.intro", "N", s.Review.Panel))}, view.Blocks.BlockSet...)
	return view
}

// votedWords tell somebody what they have said already.
func votedWords(v hitl.Voice) words {
	return func(l *language) string {
		if v.Label == "" {
			return l.say("told.voted.skipped", "When", when(l, v.At))
		}
		return l.say("told.voted", "Label", code(l, v.Label, maxLabelUnits), "When", when(l, v.At))
	}
}

// vote makes a verdict one voice of a panel, with the rights of the moment, as decide does with a decision. Only the outcome voted means that it
// is recorded.
func (b *Bot) vote(ctx context.Context, v hitl.Verdict, what func(screened) (label, reason string, err error)) (res result) {
	start := time.Now()
	rec, no := b.loadFor(ctx, v, b.rights.voter)
	if no != nil {
		return *no
	}
	ctx, span := b.follow(ctx, rec.Record, "click", trace.SpanKindServer, start)
	defer func() { endSpan(span, res.outcome == outcomeFailed) }()
	var err error
	if v.Label, v.Reason, err = what(rec); err != nil {
		return b.result(ctx, v, rec, err)
	}
	if v.Label == rec.Prediction.Label {
		v.Kind, v.Label = hitl.Accept, ""
	}
	after, err := b.cfg.Desk.Vote(ctx, v)
	var voted *hitl.VotedError
	var invalid *hitl.InvalidError
	switch {
	case err == nil:
		if after.Decision != nil {
			b.wake(after.Review.Queue)
		}
		return result{outcome: outcomeVoted, rec: b.screen(after)}
	case errors.As(err, &voted):
		return result{outcome: outcomeLost, rec: rec, words: votedWords(voted.Standing)}
	case errors.Is(err, hitl.ErrPanelComplete):
		return result{outcome: outcomeLost, rec: rec, words: saying("told.panel_complete")}
	case errors.As(err, &invalid) && (invalid.Field == "review" || invalid.Field == "round"):
		return result{outcome: outcomeLost, rec: rec, words: saying("told.no_panel")}
	}
	if lost, ok := errors.AsType[*hitl.AlreadyDecidedError](err); ok {
		after.Decision = &lost.Decision
		rec = b.screen(after)
	}
	return b.result(ctx, v, rec, err)
}

// voter makes sure that somebody may judge a review before its panel. Errors as member's.
func (r *rights) voter(ctx context.Context, who hitl.Reviewer, rec hitl.Record) error {
	return r.reviewer(ctx, who, rec.Review.Queue)
}

// decider makes sure that somebody may decide a review as it stands: without a majority of its panel one of the adjudicators, before it is
// complete nobody, and otherwise a reviewer. Errors as member's.
func (r *rights) decider(ctx context.Context, who hitl.Reviewer, rec hitl.Record) error {
	switch {
	case rec.Adjudicated():
		return r.adjudicator(ctx, who, rec.Review.Queue)
	case rec.Gathering():
		return &notAllowedError{saying("told.panel")}
	}
	return r.reviewer(ctx, who, rec.Review.Queue)
}

// reader makes sure that somebody may look into a review: its reviewers, and the adjudicators when it is theirs to decide. Errors as member's.
func (r *rights) reader(ctx context.Context, who hitl.Reviewer, rec hitl.Record) error {
	err := r.reviewer(ctx, who, rec.Review.Queue)
	if _, no := errors.AsType[*notAllowedError](err); no && rec.Adjudicated() {
		return r.adjudicator(ctx, who, rec.Review.Queue)
	}
	return err
}

// adjudicator makes sure, at this moment, that somebody may decide where a panel of a queue has no majority: the owners may, where nobody else is
// named. Errors as member's.
func (r *rights) adjudicator(ctx context.Context, who hitl.Reviewer, queue string) error {
	q := r.queues[queue]
	if len(q.Adjudicators.Users)+len(q.Adjudicators.Groups) == 0 {
		return r.owner(ctx, who, queue)
	}
	if err := r.member(ctx, who); err != nil {
		return err
	}
	listed, err := r.listed(ctx, who.User, q.Adjudicators)
	if err != nil {
		return err
	}
	if !listed {
		return &notAllowedError{func(l *language) string { return l.say("told.no_adjudicator", "Queue", code(l, queue, maxNameUnits)) }}
	}
	_, err = r.active(ctx, who.User)
	return err
}

// adjudicators are who decides where a panel has no majority: the owners, when nobody else is named.
func (q Queue) adjudicators() Reviewers {
	if len(q.Adjudicators.Users)+len(q.Adjudicators.Groups) > 0 {
		return q.Adjudicators
	}
	return Reviewers{Users: q.Owners.Users, Groups: q.Owners.Groups}
}

// adjudicateMessage asks the adjudicators of a queue for a decision. A review that is decided by now needs none. link leads to the card; empty:
// there is none.
func adjudicateMessage(l *language, rec screened, who Reviewers, link string) message {
	queue := code(l, rec.Review.Queue, maxNameUnits)
	var words string
	switch {
	case !rec.Adjudicated():
		words = l.say("notice.adjudicate.over", "Queue", queue)
	case link == "":
		words = l.say("notice.adjudicate", "Queue", queue, "Tally", tally(l, rec.Voices), "Who", mentions(who))
	default:
		words = l.say("notice.adjudicate.link", "Queue", queue, "Tally", tally(l, rec.Voices), "Who", mentions(who), "Link", link)
	}
	return message{Text: words, Blocks: []slack.Block{section(words)}}
}

// mentions calls people and groups.
func mentions(who Reviewers) string {
	var words []string
	for _, u := range who.Users {
		words = append(words, "<@"+u+">")
	}
	for _, g := range who.Groups {
		words = append(words, "<!subteam^"+g+">")
	}
	return strings.Join(words, " ")
}
