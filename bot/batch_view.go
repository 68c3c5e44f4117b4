package bot

import (
	"time"

	"github.com/slack-go/slack"

	"hitl"
)

// batchButtons stand below the list: what can be done with the rows that are chosen.
func batchButtons(l *language, h homePage) []slack.Block {
	var picked []screened
	for _, s := range h.rows {
		if h.state.Picks[s.Review.ID] && batchable(s) == nil {
			picked = append(picked, s)
		}
	}
	text, hint := l.say("batch.button.accept"), l.say("batch.hint", "N", h.limit)
	if n := len(picked); n > 0 {
		if label, same := sameLabel(picked); same {
			fit := func(label string) string { return l.say("batch.button.accept_as", "Count", n, "Label", label) }
			text, hint = fit(plainName(l, label, maxButtonUnits-units(fit("")))), l.say("batch.chosen", "N", n)
		} else {
			hint = l.say("batch.mixed")
		}
	}
	accept := slack.NewButtonBlockElement(actionBatchAccept, "accept", plain(text)).WithStyle(slack.StylePrimary)
	other := slack.NewButtonBlockElement(actionBatchOther, "other", plain(l.say("batch.button.other")))
	return []slack.Block{contextLine(hint), slack.NewActionBlock("hitl_batch", accept, other)}
}

// batchLine tells of a batch that can be taken back.
func batchLine(l *language, batch hitl.Batch) slack.Block {
	undo := slack.NewButtonBlockElement(actionBatchUndo, batch.ID, plain(l.say("batch.button.undo")))
	return slack.NewSectionBlock(mrkdwn(batchWords(l, batch)), nil, slack.NewAccessory(undo), slack.SectionBlockOptionBlockID("hitl_undo_"+batch.ID))
}

func batchWords(l *language, batch hitl.Batch) string {
	return l.say("batch.recorded_until", "N", len(batch.Reviews), "Label", code(l, batch.Label, maxLabelUnits),
		"Queue", code(l, batch.Queue, maxNameUnits), "Until", when(l, batch.Until))
}

// batchModal asks to confirm a batch. Without a label it is chosen there.
func batchModal(l *language, d batch, label string, sample []screened, reasons []string, now time.Time) slack.ModalViewRequest {
	n := len(d.Refs)
	intro := l.say("batch.confirm_other", "N", n, "Queue", code(l, d.Queue, maxNameUnits))
	if label != "" {
		intro = l.say("batch.confirm", "N", n, "Label", code(l, label, maxLabelUnits), "Queue", code(l, d.Queue, maxNameUnits))
	}
	blocks := []slack.Block{section(intro)}
	if n > len(sample) {
		blocks = append(blocks, contextLine(l.say("batch.sample", "N", len(sample), "Of", n)))
	}
	for _, s := range sample {
		text := l.say("home.withheld")
		if s.Item.Text != "" {
			text = cutLines(cut(squeeze(visible(l, head(s.Item.Text, previewBytes))), modalQuoteUnits, units), 4)
		}
		blocks = append(blocks, quote(text), contextLine(rowFacts(l, s, now)))
	}
	if label == "" {
		blocks = append(blocks, slack.NewInputBlock(blockLabel, plain(l.say("modal.correct.label")), nil, labelSelect(l, sample[0].Record)))
	}
	view := modal(l, viewBatch, l.say("batch.title"), viewData{}, append(blocks, reasonAndComment(l, reasons)...)...)
	view.PrivateMetadata = d.String()
	view.Submit, view.Close = plain(l.say("batch.submit", "N", n)), plain(l.say("modal.correct.cancel"))
	return view
}

// batchDone says what became of a batch.
func batchDone(l *language, out batchResult) slack.ModalViewRequest {
	words := l.say("batch.done.none")
	if out.recorded > 0 {
		words = l.say("batch.done", "N", out.recorded, "Label", code(l, out.label, maxLabelUnits))
	}
	blocks := []slack.Block{section(words)}
	if len(out.others) > 0 {
		blocks = append(blocks, section(l.say("batch.done.others", "N", len(out.others))+"\n"+
			lines(l, out.others, homeRows, func(o batchOther) string { return otherLine(l, o) })))
	}
	if out.failed > 0 {
		blocks = append(blocks, section(l.say("batch.done.failed", "N", out.failed)))
	}
	if out.undo != nil {
		blocks = append(blocks, batchLine(l, *out.undo))
	}
	return modal(l, viewNotice, l.say("batch.done.title"), viewData{}, blocks...)
}

func otherLine(l *language, o batchOther) string {
	why := ""
	if o.why != nil {
		why = o.why(l)
	}
	if o.rec.Item.ID == "" {
		return why
	}
	return l.say("batch.done.other", "Text", escape(startOf(l, o.rec, 50)), "Why", why)
}
