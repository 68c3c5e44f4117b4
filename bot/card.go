package bot

import (
	"fmt"
	"slices"
	"strings"

	"github.com/slack-go/slack"

	"hitl"
)

// What a card shows of an item's text. The channel stays readable; "Details" has the rest.
const (
	cardTextUnits = 700
	// previewBytes is how much of a text is looked at for that; the rest of a megabyte does not matter.
	previewBytes  = 16 << 10
	cardTextLines = 12

	// summaryUnits bounds the text in the top-level text, which chat.update refuses beyond 4,000 characters in all.
	summaryUnits      = 600
	maxCommentSummary = 300
	// labelButtons is how many labels besides the model's get a button of their own.
	labelButtons = 4
)

// Actions. An action_id says what a button does and its value what it is about.
const (
	actionAccept = "hitl_accept"
	actionLabel  = "hitl_label_" // plus the button's place: action_ids are unique in their block
	actionOther  = "hitl_other"
	actionText   = "hitl_text"
	actionReveal = "hitl_reveal"
)

// message is what one message shows: the blocks, and the whole of it in words for screen readers and notifications.
type message struct {
	Text   string        `json:"text"`
	Blocks []slack.Block `json:"blocks"`
}

// card shows a record in its present state. It is pure.
func card(l *language, s screened) message {
	rec := s.Record
	if erased(rec) {
		return erasedCard(l, rec)
	}
	blocks := append([]slack.Block{contextLine(origin(l, rec))}, excerpt(l, s)...)
	blocks = append(blocks, section(opinion(l, rec)+"\n"+l.say("card.needs_person", "Why", why(l, rec))))
	if line := sentLine(l, s); line != "" {
		blocks = append(blocks, contextLine(line))
	}
	if line := panelLine(l, rec); line != "" {
		blocks = append(blocks, contextLine(line))
	}
	if rec.Twins > 0 {
		blocks = append(blocks, contextLine(twinWords(l, rec)))
	}
	for _, line := range []string{claimLine(l, s), noteLine(l, rec)} {
		if line != "" {
			blocks = append(blocks, contextLine(line))
		}
	}
	if open(rec) {
		return message{Text: summary(l, s), Blocks: append(blocks, buttons(l, s), tools(l, s))}
	}
	blocks = append(append(blocks, outcome(l, rec)...), undoRow(l, rec)...)
	if s.hidden > 0 && !s.veil.on() {
		blocks = append(blocks, slack.NewActionBlock("hitl_reveal", revealButton(l, s)))
	}
	return message{Text: summary(l, s), Blocks: blocks}
}

// excerpt is as much of an item's text as a card shows.
func excerpt(l *language, s screened) []slack.Block {
	if s.veil.on() {
		return []slack.Block{section(veilWords(l, s))}
	}
	shown, more := preview(l, s.Item.Text)
	blocks := []slack.Block{quote(shown)}
	if more != "" {
		blocks = append(blocks, contextLine(more))
	}
	if s.hidden > 0 {
		blocks = append(blocks, contextLine(hiddenWords(l, s)))
	}
	return blocks
}

// open says whether a record waits for a verdict.
func open(rec hitl.Record) bool {
	return rec.Decision == nil && rec.Review != nil && rec.Review.State == hitl.ReviewOpen && !erased(rec)
}

// erased says whether a record has lost its text: then nobody's words may be shown any more, the source's own id included.
func erased(rec hitl.Record) bool { return !rec.Item.ErasedAt.IsZero() }

// erasedWords stand where the text stood, as mrkdwn.
func erasedWords(l *language, rec hitl.Record) string {
	return l.say("card.erased", "When", when(l, rec.Item.ErasedAt))
}

// erasedCard keeps of a card what the model said and who decided what, and when.
func erasedCard(l *language, rec hitl.Record) message {
	words := ended(l, rec)
	if rec.Decision != nil {
		words = decided(l, *rec.Decision, rec.Prediction.Label)
	}
	return message{
		Text:   fmt.Sprintf("%s. %s. %s.", strings.TrimSuffix(words, "."), erasedWords(l, rec), opinion(l, rec)),
		Blocks: []slack.Block{contextLine(origin(l, rec)), section(erasedWords(l, rec)), section(opinion(l, rec)), section(words)},
	}
}

// origin is the card's first line: queue, urgency, where the item comes from, how old it is.
func origin(l *language, rec hitl.Record) string {
	parts := []string{}
	if r := rec.Review; r != nil {
		parts = append(parts, l.say("card.origin.queue", "Queue", code(l, r.Queue, maxNameUnits)))
		switch r.Priority {
		case hitl.PriorityUrgent:
			parts = append(parts, l.say("card.origin.urgent"))
		case hitl.PrioritySample:
			parts = append(parts, l.say("card.origin.sample"))
		case hitl.PriorityNormal:
		}
		if r.Round > 1 {
			parts = append(parts, l.say("card.origin.round", "Round", r.Round))
		}
	}
	from := code(l, rec.Item.Source, maxNameUnits)
	if id := rec.Item.ExternalID; id != "" && id != rec.Item.ID && !erased(rec) {
		from += " " + code(l, id, maxNameUnits)
	}
	return strings.Join(append(parts, l.say("card.origin.from", "Source", from), l.say("card.origin.received", "Ago", ago(rec.Item.ReceivedAt))), " · ")
}

// preview returns the beginning of a text that a card shows and, when it is not all, a line that says so.
func preview(l *language, text string) (shown, hidden string) {
	start := head(text, previewBytes)
	seen := squeeze(visible(l, start))
	shown = cutLines(cut(seen, cardTextUnits, units), cardTextLines)
	if shown == seen && start == text {
		return shown, ""
	}
	return shown, l.say("card.goes_on", "N", len([]rune(text)))
}

// opinion is what the model said, or that it is not shown yet.
func opinion(l *language, rec hitl.Record) string {
	p := rec.Prediction
	if rec.Sealed() {
		return l.say("card.opinion.sealed")
	}
	if p.Label == "" {
		return l.say("card.opinion.none")
	}
	confidence := percent(l, p.Confidence)
	if slices.Contains(rec.Route.Triggers, hitl.TriggerLowConfidence) {
		confidence, _ = percents(l, p.Confidence, rec.Route.Threshold) // as in the reason beside it
	}
	return l.say("card.opinion", "Label", code(l, p.Label, maxLabelUnits), "Confidence", escape(confidence))
}

// outcome says how a review ended.
func outcome(l *language, rec hitl.Record) []slack.Block {
	d := rec.Decision
	if d == nil {
		return []slack.Block{section(ended(l, rec))}
	}
	blocks := []slack.Block{section(decided(l, *d, rec.Prediction.Label))}
	if d.Reason != "" {
		blocks = append(blocks, contextLine(l.say("card.reason", "Reason", escape(plainName(l, d.Reason, maxReasonUnits)))))
	}
	if d.Comment != "" {
		blocks = append(blocks, contextLine(l.say("card.comment_by", "Who", who(l, d.Reviewer))), quote(cut(visible(l, d.Comment), maxCommentUnits, units)))
	}
	return blocks
}

// ended names the end of a review that has no decision.
func ended(l *language, rec hitl.Record) string {
	if rec.Review == nil {
		return l.say("card.ended.no_review")
	}
	switch rec.Review.State {
	case hitl.ReviewExpired:
		return l.say("verdict.expired")
	case hitl.ReviewCancelled:
		return l.say("verdict.cancelled")
	case hitl.ReviewOpen, hitl.ReviewDecided:
	}
	return l.say("card.ended.closed")
}

// summary is the whole card in one line of mrkdwn.
func summary(l *language, s screened) string {
	rec := s.Record
	text := l.say("card.summary.quote", "Text",
		escape(cut(isolate(oneLine(visible(l, head(rec.Item.Text, previewBytes)))), summaryUnits, escapedUnits)))
	if s.veil.on() {
		text = veilWords(l, s)
	}
	var parts []string
	switch d := rec.Decision; {
	case open(rec):
		parts = []string{l.say("card.summary.open", "Queue", code(l, rec.Review.Queue, maxNameUnits), "Text", text, "AI", opinion(l, rec), "Why", why(l, rec))}
	case d == nil:
		parts = []string{ended(l, rec) + ".", l.say("card.summary.text", "Text", text, "AI", opinion(l, rec))}
	default:
		parts = []string{decided(l, *d, rec.Prediction.Label) + "."}
		if d.Reason != "" {
			parts = append(parts, l.say("card.reason", "Reason", escape(plainName(l, d.Reason, maxReasonUnits)))+".")
		}
		if d.Comment != "" {
			comment := escape(cut(oneLine(visible(l, d.Comment)), maxCommentSummary, escapedUnits))
			parts = append(parts, l.say("card.summary.comment", "Comment", comment))
		}
		parts = append(parts, l.say("card.summary.text", "Text", text, "AI", opinion(l, rec)))
	}
	if line := sentLine(l, s); line != "" {
		parts = append(parts, line+".")
	}
	if line := panelLine(l, rec); line != "" {
		parts = append(parts, line+".")
	}
	if rec.Twins > 0 {
		parts = append(parts, twinWords(l, rec)+".")
	}
	for _, line := range []string{claimLine(l, s), undoLine(l, rec), noteLine(l, rec)} {
		if line != "" {
			parts = append(parts, line+".")
		}
	}
	if s.hidden > 0 && !s.veil.on() {
		parts = append(parts, hiddenWords(l, s))
	}
	return strings.Join(parts, " ")
}

// buttons are the ways to answer an open review.
func buttons(l *language, s screened) slack.Block {
	rec := s.Record
	r := ref{Review: rec.Review.ID, Round: rec.Review.Round}
	var row []slack.BlockElement
	if rec.Gathering() {
		row = append(row, voteButton(l, r))
	} else {
		row = verdictButtons(l, rec, r)
	}
	return slack.NewActionBlock("hitl_verdict", row...)
}

// verdictButtons are the answers that one person may give.
func verdictButtons(l *language, rec hitl.Record, r ref) []slack.BlockElement {
	var row []slack.BlockElement
	if rec.Prediction.Label != "" && !rec.Sealed() {
		row = append(row, button(l, actionAccept, rec.Prediction.Label, r).WithStyle(slack.StylePrimary))
	}
	for i, label := range suggestions(rec) {
		b := button(l, fmt.Sprint(actionLabel, i), label, r)
		if rec.Sealed() {
			b.AccessibilityLabel = "" // its text says all: what would be a correction is not to be told
		}
		row = append(row, b)
	}
	return append(row, slack.NewButtonBlockElement(actionOther, r.String(), plain(l.say("card.button.other"))))
}

// button is one label to click on. Its text is cut, its spoken name says what it does.
func button(l *language, action, label string, r ref) *slack.ButtonBlockElement {
	r.Label = labelKey(label)
	fit := func(say func(label string) string) string {
		return say(plainName(l, label, maxButtonUnits-units(say(""))))
	}
	text := func(label string) string { return label }
	spoken := func(label string) string { return l.say("card.button.correct.spoken", "Label", label) }
	if action == actionAccept {
		text = func(label string) string { return l.say("card.button.accept", "Label", label) }
		spoken = func(label string) string { return l.say("card.button.accept.spoken", "Label", label) }
	}
	b := slack.NewButtonBlockElement(action, r.String(), plain(fit(text)))
	b.AccessibilityLabel = fit(spoken)
	return b
}

const maxButtonUnits = 75

// suggestions are the labels that get a button besides the model's own: the next most likely ones, or, without a prediction, the first.
// Where the model's answer is not shown, they are the first in the model's order, its own among them or not.
func suggestions(rec hitl.Record) []string {
	if rec.Sealed() {
		return rec.Labels[:min(len(rec.Labels), labelButtons+1)]
	}
	var labels []string
	for _, s := range rec.Prediction.Scores {
		labels = append(labels, s.Label)
	}
	if rec.Prediction.Label == "" || len(labels) == 0 {
		labels = rec.Labels
	}
	var out []string
	for _, l := range labels {
		if l == rec.Prediction.Label || slices.Contains(out, l) || !slices.Contains(rec.Labels, l) {
			continue
		}
		if out = append(out, l); len(out) == labelButtons {
			break
		}
	}
	return out
}
