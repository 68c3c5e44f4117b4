package bot

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/slack-go/slack"

	"hitl"
)

// Callback, block and action ids of the modals. Input survives an update of the view only where they stay the same.
const (
	viewCorrect = "hitl_correct"
	viewText    = "hitl_text"
	viewNotice  = "hitl_notice"

	blockLabel   = "hitl_label"
	blockReason  = "hitl_reason"
	blockComment = "hitl_comment"
	fieldLabel   = "label"
	fieldReason  = "reason"
	fieldComment = "comment"
)

const (
	maxOptions      = 100 // of a static select, and of one answer to a type-ahead
	maxOptionUnits  = 75
	maxCommentInput = 1000 // characters; the store takes 3,000 bytes
	modalQuoteUnits = 300  // of the item's text, above the form
)

// viewData is what a modal carries for us: which review it is about, where it was opened from, and what of it is shown.
type viewData struct {
	Ref     string `json:"ref"`
	Channel string `json:"channel,omitempty"`
	TS      string `json:"ts,omitempty"`
	Page    int    `json:"page,omitempty"`  // of the text, from 0
	Shown   bool   `json:"shown,omitempty"` // a veiled text is shown; that stands in the log
	Raw     bool   `json:"raw,omitempty"`   // so is what its queue hides
	// Of an ephemeral card: the response_url of the click, and what the next review is taken from.
	Reply string `json:"reply,omitempty"`
	Scope string `json:"scope,omitempty"`
}

func (d viewData) String() string {
	b, _ := json.Marshal(d) // such can always be written
	return string(b)
}

func parseViewData(s string) (viewData, ref, bool) {
	var d viewData
	if json.Unmarshal([]byte(s), &d) != nil {
		return viewData{}, ref{}, false
	}
	r, ok := parseRef(d.Ref)
	return d, r, ok
}

func modal(l *language, callback, title string, data viewData, blocks ...slack.Block) slack.ModalViewRequest {
	return slack.ModalViewRequest{
		Type: slack.VTModal, CallbackID: callback, Title: plain(title), Close: plain(l.say("modal.close")),
		PrivateMetadata: data.String(), Blocks: slack.Blocks{BlockSet: blocks},
	}
}

// notice is a modal that only says something: text is mrkdwn.
func notice(l *language, title, text string, data viewData) slack.ModalViewRequest {
	return modal(l, viewNotice, title, data, section(text))
}

// loading is what opens at once, before anything is looked up: a trigger lives for three seconds.
func loading(l *language, title string, data viewData) slack.ModalViewRequest {
	return notice(l, title, l.say("modal.loading"), data)
}

// correctModal is the form with every label, a reason and a comment.
func correctModal(l *language, s screened, reasons []string, data viewData) slack.ModalViewRequest {
	rec := s.Record
	if len(rec.Labels) == 0 {
		return notice(l, l.say("modal.correct.title"), l.say("modal.correct.no_labels"), data)
	}
	text := quote(cutLines(cut(squeeze(visible(l, head(rec.Item.Text, previewBytes))), modalQuoteUnits, units), 4))
	if s.veil.on() {
		text = contextLine(veilWords(l, s))
	}
	blocks := []slack.Block{
		text,
		contextLine(opinion(l, rec)),
		slack.NewInputBlock(blockLabel, plain(l.say("modal.correct.label")), nil, labelSelect(l, rec)),
	}
	blocks = append(blocks, reasonAndComment(l, reasons)...)
	view := modal(l, viewCorrect, l.say("modal.correct.title"), data, blocks...)
	view.Submit, view.Close = plain(l.say("modal.correct.save")), plain(l.say("modal.correct.cancel"))
	return view
}

// reasonAndComment are the fields that say more about a verdict.
func reasonAndComment(l *language, reasons []string) []slack.Block {
	var blocks []slack.Block
	if options := reasonOptions(l, reasons); len(options) > 0 {
		blocks = append(blocks, slack.NewInputBlock(blockReason, plain(l.say("modal.correct.reason")), nil,
			slack.NewOptionsSelectBlockElement(slack.OptTypeStatic, plain(l.say("modal.correct.reason_hint")), fieldReason, options...)).WithOptional(true))
	}
	comment := slack.NewPlainTextInputBlockElement(plain(l.say("modal.correct.comment_hint")), fieldComment).
		WithMultiline(true).WithMaxLength(maxCommentInput)
	return append(blocks, slack.NewInputBlock(blockComment, plain(l.say("modal.correct.comment")), nil, comment).WithOptional(true))
}

// labelSelect lists the labels as far as Slack can show them, and asks us for them while the reviewer types beyond that.
func labelSelect(l *language, rec hitl.Record) *slack.SelectBlockElement {
	if len(rec.Labels) <= maxOptions {
		return slack.NewOptionsSelectBlockElement(slack.OptTypeStatic, plain(l.say("modal.correct.label_hint")), fieldLabel, labelOptions(l, rec.Labels, "")...)
	}
	s := slack.NewOptionsSelectBlockElement(slack.OptTypeExternal, plain(l.say("modal.correct.label_search")), fieldLabel)
	least := 0
	s.MinQueryLength = &least
	return s
}

// labelOptions are the labels that contain what was typed, those that begin with it first, as many as Slack takes.
func labelOptions(l *language, labels []string, typed string) []*slack.OptionBlockObject {
	typed = strings.ToLower(strings.TrimSpace(typed))
	var first, later []string
	for _, label := range labels {
		switch i := strings.Index(strings.ToLower(label), typed); {
		case i == 0:
			first = append(first, label)
		case i > 0:
			later = append(later, label)
		}
	}
	options := []*slack.OptionBlockObject{}
	for _, label := range slices.Concat(first, later) {
		if len(options) == maxOptions {
			break
		}
		options = append(options, option(l, label))
	}
	return options
}

func reasonOptions(l *language, reasons []string) []*slack.OptionBlockObject {
	var options []*slack.OptionBlockObject
	for _, r := range reasons {
		options = append(options, option(l, r))
	}
	return options
}

func option(l *language, word string) *slack.OptionBlockObject {
	return slack.NewOptionBlockObject(labelKey(word), plain(plainName(l, word, maxOptionUnits)), nil)
}
