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
	maxCommentInput = 1000   // characters; the store takes 3,000 bytes
	modalQuoteUnits = 300    // of the item's text, above the form
	pageUnits       = 2500   // of text in one block of the full text
	maxTextBytes    = 180000 // of JSON for the full text: a view may have 250,000 in all
)

// viewData is what a modal carries for us: which review it is about and where it was opened from.
type viewData struct {
	Ref     string `json:"ref"`
	Channel string `json:"channel,omitempty"`
	TS      string `json:"ts,omitempty"`
}

func (d viewData) String() string {
	b, _ := json.Marshal(d) // three strings can always be written
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
	blocks := []slack.Block{
		quote(cutLines(cut(squeeze(visible(l, head(rec.Item.Text, previewBytes))), modalQuoteUnits, units), 4)),
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

// textModal shows an item's text as far as a modal can hold it, and says so when that is not all.
func textModal(l *language, s screened, data viewData) slack.ModalViewRequest {
	if erased(s.Record) {
		return modal(l, viewText, l.say("modal.text.title"), data, contextLine(origin(l, s.Record)),
			section(l.say("modal.text.erased", "Erased", erasedWords(l, s.Record))))
	}
	blocks := fullText(l, s.Record)
	if s.hidden > 0 {
		blocks = slices.Insert(blocks, 1, contextLine(hiddenWords(l, s)), slack.Block(slack.NewActionBlock("hitl_reveal", revealButton(l, s))))
	}
	return modal(l, viewText, l.say("modal.text.title"), data, blocks...)
}

// fullText shows where a text comes from and as much of it as a modal can hold.
func fullText(l *language, rec hitl.Record) []slack.Block {
	pages, rest := paginate(visible(l, rec.Item.Text), pageUnits, maxTextBytes)
	head := origin(l, rec) + " · " + l.say("modal.text.length", "N", len([]rune(rec.Item.Text)))
	if rest {
		head += "\n" + l.say("modal.text.too_long", "KB", kilobytes(pages))
	}
	blocks := []slack.Block{contextLine(head)}
	for _, p := range pages {
		blocks = append(blocks, quote(p))
	}
	return blocks
}

func kilobytes(pages []string) int {
	n := 0
	for _, p := range pages {
		n += len(p)
	}
	return (n + 999) / 1000
}

// paginate cuts a text into pages of at most a number of characters, at a line's end or a space where one is near, until their JSON
// takes maxBytes; rest says that something was left over.
func paginate(s string, pageUnits, maxBytes int) (pages []string, rest bool) {
	const blockBytes, maxPages = 150, 90 // the JSON around a page, and Slack's hundred blocks
	for s != "" {
		page := prefix(s, pageUnits, units)
		if len(page) < len(s) {
			page = breakable(page)
		}
		if room := maxBytes - blockBytes; jsonBytes(page) > room || len(pages) == maxPages {
			return pages, true
		}
		maxBytes -= blockBytes + jsonBytes(page)
		pages = append(pages, page)
		s = s[len(page):]
	}
	return pages, false
}

// breakable ends a page after a line or a word if there is one in its last quarter.
func breakable(page string) string {
	for _, sep := range []string{"\n", " "} {
		if i := strings.LastIndex(page, sep); i > len(page)*3/4 {
			return page[:i+1]
		}
	}
	return page
}
