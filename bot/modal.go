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

// form is what a queue asks for beside a label. The zero value asks for nothing.
type form struct {
	reasons []string         // to choose from
	reason  hitl.Requirement // OnCorrections: of some verdicts, and which is known when one is sent
	comment hitl.Requirement
	label   string // labelKey of the one that is chosen when the form opens; empty: none
}

// formOf returns what the queue of a record asks for.
func (b *Bot) formOf(rec hitl.Record) form {
	rules := b.cfg.Desk.Queues[rec.Review.Queue]
	required := func(r hitl.Requirement) hitl.Requirement {
		if r.OfAll(rec) {
			return hitl.Always
		}
		return r
	}
	return form{reasons: b.cfg.Queues[rec.Review.Queue].Reasons, reason: required(rules.ReasonRequired), comment: required(rules.CommentRequired)}
}

// correctModal is the form with every label, a reason and a comment.
func correctModal(l *language, s screened, f form, data viewData) slack.ModalViewRequest {
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
		slack.NewInputBlock(blockLabel, plain(l.say("modal.correct.label")), nil, labelSelect(l, rec, f.label)),
	}
	blocks = append(blocks, reasonAndComment(l, f)...)
	view := modal(l, viewCorrect, l.say("modal.correct.title"), data, blocks...)
	view.Submit, view.Close = plain(l.say("modal.correct.save")), plain(l.say("modal.correct.cancel"))
	return view
}

// reasonAndComment are the fields that say more about a verdict.
func reasonAndComment(l *language, f form) []slack.Block {
	var blocks []slack.Block
	if options := reasonOptions(l, f.reasons); len(options) > 0 {
		blocks = append(blocks, more(l, blockReason, l.say("modal.correct.reason"), f.reason,
			slack.NewOptionsSelectBlockElement(slack.OptTypeStatic, plain(l.say("modal.correct.reason_hint")), fieldReason, options...)))
	}
	comment := slack.NewPlainTextInputBlockElement(plain(l.say("modal.correct.comment_hint")), fieldComment).
		WithMultiline(true).WithMaxLength(maxCommentInput)
	return append(blocks, more(l, blockComment, l.say("modal.correct.comment"), f.comment, comment))
}

// more is a field beside the label. Slack itself asks for it only where every verdict needs it.
func more(l *language, block, name string, required hitl.Requirement, field slack.BlockElement) *slack.InputBlock {
	var hint *slack.TextBlockObject
	if required == hitl.OnCorrections {
		hint = plain(l.say("modal.correct.if_not_model"))
	}
	return slack.NewInputBlock(block, plain(name), hint, field).WithOptional(required != hitl.Always)
}

// labelSelect lists the labels as far as Slack can show them, and asks us for them while the reviewer types beyond that. The one with a key is
// chosen.
func labelSelect(l *language, rec hitl.Record, key string) *slack.SelectBlockElement {
	var s *slack.SelectBlockElement
	if len(rec.Labels) <= maxOptions {
		s = slack.NewOptionsSelectBlockElement(slack.OptTypeStatic, plain(l.say("modal.correct.label_hint")), fieldLabel, labelOptions(l, rec.Labels, "")...)
	} else {
		s = slack.NewOptionsSelectBlockElement(slack.OptTypeExternal, plain(l.say("modal.correct.label_search")), fieldLabel)
		least := 0
		s.MinQueryLength = &least
	}
	if label, ok := byKey(rec.Labels, key); ok {
		s.InitialOption = option(l, label)
	}
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
