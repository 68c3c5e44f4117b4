package bot

import (
	"fmt"
	"slices"
	"strings"

	"github.com/slack-go/slack"

	"hitl"
)

// What a card shows of an item's text. The channel stays readable; "Show all" has the rest.
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
func card(s screened) message {
	rec := s.Record
	if erased(rec) {
		return erasedCard(rec)
	}
	shown, more := preview(rec.Item.Text)
	blocks := []slack.Block{contextLine(origin(rec)), quote(shown)}
	if more != "" {
		blocks = append(blocks, contextLine(more))
	}
	if s.hidden > 0 {
		blocks = append(blocks, contextLine(hiddenWords(s)))
	}
	blocks = append(blocks, section(opinion(rec)+"\n*Needs a person:* "+why(rec)))
	if open(rec) {
		return message{Text: summary(s), Blocks: append(blocks, buttons(s))}
	}
	blocks = append(blocks, outcome(rec)...)
	if s.hidden > 0 {
		blocks = append(blocks, slack.NewActionBlock("hitl_reveal", revealButton(s)))
	}
	return message{Text: summary(s), Blocks: blocks}
}

// open says whether a record waits for a verdict.
func open(rec hitl.Record) bool {
	return rec.Decision == nil && rec.Review != nil && rec.Review.State == hitl.ReviewOpen && !erased(rec)
}

// erased says whether a record has lost its text: then nobody's words may be shown any more, the source's own id included.
func erased(rec hitl.Record) bool { return !rec.Item.ErasedAt.IsZero() }

// erasedWords stand where the text stood, as mrkdwn.
func erasedWords(rec hitl.Record) string { return "🗑 Text erased " + when(rec.Item.ErasedAt) }

// erasedCard keeps of a card what the model said and who decided what, and when.
func erasedCard(rec hitl.Record) message {
	words := ended(rec)
	if rec.Decision != nil {
		words = decided(*rec.Decision, rec.Prediction.Label)
	}
	return message{
		Text:   fmt.Sprintf("%s. %s. %s.", strings.TrimSuffix(words, "."), erasedWords(rec), opinion(rec)),
		Blocks: []slack.Block{contextLine(origin(rec)), section(erasedWords(rec)), section(opinion(rec)), section(words)},
	}
}

// origin is the card's first line: queue, urgency, where the item comes from, how old it is.
func origin(rec hitl.Record) string {
	parts := []string{}
	if r := rec.Review; r != nil {
		parts = append(parts, "*Review* in "+code(r.Queue, maxNameUnits))
		switch r.Priority {
		case hitl.PriorityUrgent:
			parts = append(parts, "*urgent*")
		case hitl.PrioritySample:
			parts = append(parts, "sample")
		case hitl.PriorityNormal:
		}
		if r.Round > 1 {
			parts = append(parts, fmt.Sprintf("round %d", r.Round))
		}
	}
	from := "from " + code(rec.Item.Source, maxNameUnits)
	if id := rec.Item.ExternalID; id != "" && id != rec.Item.ID && !erased(rec) {
		from += " " + code(id, maxNameUnits)
	}
	return strings.Join(append(parts, from, "received "+ago(rec.Item.ReceivedAt)), " · ")
}

// preview returns the beginning of a text that a card shows and, when it is not all, a line that says so.
func preview(text string) (shown, hidden string) {
	start := head(text, previewBytes)
	seen := squeeze(visible(start))
	shown = cutLines(cut(seen, cardTextUnits, units), cardTextLines)
	if shown == seen && start == text {
		return shown, ""
	}
	return shown, fmt.Sprintf("The text goes on: this is the beginning of %s.", count(len([]rune(text)), "character"))
}

// opinion is what the model said.
func opinion(rec hitl.Record) string {
	p := rec.Prediction
	if p.Label == "" {
		return "*AI:* no answer"
	}
	confidence := percent(p.Confidence)
	if slices.Contains(rec.Route.Triggers, hitl.TriggerLowConfidence) {
		confidence, _ = percents(p.Confidence, rec.Route.Threshold) // as in the reason beside it
	}
	return fmt.Sprintf("*AI:* %s · confidence %s", code(p.Label, maxLabelUnits), escape(confidence))
}

// outcome says how a review ended.
func outcome(rec hitl.Record) []slack.Block {
	d := rec.Decision
	if d == nil {
		return []slack.Block{section(ended(rec))}
	}
	blocks := []slack.Block{section(decided(*d, rec.Prediction.Label))}
	if d.Reason != "" {
		blocks = append(blocks, contextLine("Reason: "+escape(plainName(d.Reason, maxReasonUnits))))
	}
	if d.Comment != "" {
		blocks = append(blocks, contextLine("Comment by "+who(d.Reviewer)+":"), quote(cut(visible(d.Comment), maxCommentUnits, units)))
	}
	return blocks
}

// ended names the end of a review that has no decision.
func ended(rec hitl.Record) string {
	if rec.Review == nil {
		return "This item needs no review."
	}
	switch rec.Review.State {
	case hitl.ReviewExpired:
		return "⌛ *Expired*: nobody decided in time"
	case hitl.ReviewCancelled:
		return "⊘ *Cancelled*"
	case hitl.ReviewOpen, hitl.ReviewDecided:
	}
	return "This review is closed."
}

// summary is the whole card in one line of mrkdwn.
func summary(s screened) string {
	rec, notice := s.Record, ""
	if s.hidden > 0 {
		notice = " " + hiddenWords(s)
	}
	text := escape(cut(isolate(oneLine(visible(head(rec.Item.Text, previewBytes)))), summaryUnits, escapedUnits))
	ai := opinion(rec)
	switch {
	case open(rec):
		return fmt.Sprintf("Review in %s: “%s” %s. Needs a person: %s.%s", code(rec.Review.Queue, maxNameUnits), text, ai, why(rec), notice)
	case rec.Decision == nil:
		return fmt.Sprintf("%s. “%s” %s.%s", ended(rec), text, ai, notice)
	}
	words := decided(*rec.Decision, rec.Prediction.Label) + "."
	if rec.Decision.Reason != "" {
		words += " Reason: " + escape(plainName(rec.Decision.Reason, maxReasonUnits)) + "."
	}
	if rec.Decision.Comment != "" {
		words += " Comment: “" + escape(cut(oneLine(visible(rec.Decision.Comment)), maxCommentSummary, escapedUnits)) + "”."
	}
	return fmt.Sprintf("%s “%s” %s.%s", words, text, ai, notice)
}

// buttons are the ways to answer an open review.
func buttons(s screened) slack.Block {
	rec := s.Record
	r := ref{Review: rec.Review.ID, Round: rec.Review.Round}
	var row []slack.BlockElement
	if rec.Prediction.Label != "" {
		row = append(row, button(actionAccept, "✓ Accept ", rec.Prediction.Label, r).WithStyle(slack.StylePrimary))
	}
	for i, label := range suggestions(rec) {
		row = append(row, button(fmt.Sprint(actionLabel, i), "", label, r))
	}
	row = append(row,
		slack.NewButtonBlockElement(actionOther, r.String(), plain("Other…")),
		slack.NewButtonBlockElement(actionText, r.String(), plain("Show all")))
	if s.hidden > 0 {
		row = append(row, revealButton(s))
	}
	return slack.NewActionBlock("hitl_verdict", row...)
}

// button is one label to click on. Its text is cut, its spoken name says what it does.
func button(action, verb, label string, r ref) *slack.ButtonBlockElement {
	r.Label = labelKey(label)
	b := slack.NewButtonBlockElement(action, r.String(), plain(verb+plainName(label, maxButtonUnits-units(verb))))
	spoken := "Correct to "
	if action == actionAccept {
		spoken = "Accept "
	}
	b.AccessibilityLabel = spoken + plainName(label, maxButtonUnits-units(spoken))
	return b
}

const maxButtonUnits = 75

// suggestions are the labels that get a button besides the model's own: the next most likely ones, or, without a prediction, the first.
func suggestions(rec hitl.Record) []string {
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
