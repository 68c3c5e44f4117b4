package bot

import (
	"strconv"
	"strings"

	"github.com/slack-go/slack"

	"hitl"
)

// details is what the details of a review are made of. It is screened, but for what one person has asked to see.
type details struct {
	screened
	at         viewData // whose Page is shown; veiled and hidden parts are there as Shown and Raw say
	entries    []hitl.Entry
	twins      []string // external ids of the items that are decided with this one, the first of them
	precedents []precedent
	rules      map[string]string // descriptions of the policy's rules
	missing    bool              // some of it could not be loaded
}

const maxDescriptionUnits = 300

// detailsModal shows everything that there is to know of a review before one decides. It is pure. Long texts come in pages; the first has
// everything else, too.
func detailsModal(l *language, d details) slack.ModalViewRequest {
	title := l.say("modal.text.title")
	if erased(d.Record) {
		blocks := []slack.Block{contextLine(origin(l, d.Record)), section(l.say("modal.text.erased", "Erased", erasedWords(l, d.Record)))}
		return modal(l, viewText, title, d.at, append(blocks, pastBlocks(l, d.entries, nil, false)...)...)
	}
	var blocks []slack.Block
	if d.at.Raw {
		title = l.say("modal.revealed.title")
		blocks = append(blocks, section(l.say("modal.revealed.intro")))
	}
	if d.veil.on() && !d.at.Shown {
		blocks = append(blocks, contextLine(origin(l, d.Record)), section(veilWords(l, d.screened)),
			slack.NewActionBlock("hitl_show", showButton(l, d.screened)))
		return modal(l, viewText, title, d.at, append(blocks, d.about(l)...)...)
	}
	text, page, count := d.text(l)
	d.at.Page = page
	blocks = append(append(blocks, text...), pager(l, page, count)...)
	if page > 0 {
		return modal(l, viewText, title, d.at, blocks...)
	}
	if d.hidden+d.hiddenData > 0 {
		s := d.screened
		s.hidden += s.hiddenData
		blocks = append(blocks, contextLine(hiddenWords(l, s)), slack.NewActionBlock("hitl_reveal", revealButton(l, s)))
	}
	return modal(l, viewText, title, d.at, append(blocks, d.about(l)...)...)
}

// text shows one page of the item's text, and where it comes from.
func (d details) text(l *language) (blocks []slack.Block, page, count int) {
	ps := paginate(visible(l, d.Item.Text))
	shown, page := ps.at(d.at.Page)
	blocks = []slack.Block{contextLine(origin(l, d.Record) + " · " + l.say("modal.text.length", "N", len([]rune(d.Item.Text))))}
	for _, b := range shown {
		blocks = append(blocks, quote(b))
	}
	return blocks, page, len(ps)
}

// pager leads from page to page; a text of one needs none.
func pager(l *language, page, count int) []slack.Block {
	if count < 2 {
		return nil
	}
	var row []slack.BlockElement
	turn := func(action string, to int, word string) {
		row = append(row, slack.NewButtonBlockElement(action, strconv.Itoa(to), plain(word)))
	}
	if page > 0 {
		turn(actionPage+"previous", page-1, l.say("modal.text.previous"))
	}
	if page+1 < count {
		turn(actionPage+"next", page+1, l.say("modal.text.next"))
	}
	return []slack.Block{contextLine(l.say("modal.text.page", "Page", page+1, "Pages", count)), slack.NewActionBlock("hitl_pages", row...)}
}

// about is everything but the text.
func (d details) about(l *language) []slack.Block {
	blind := d.Sealed()
	var blocks []slack.Block
	if !blind {
		blocks = append(blocks, section(opinion(l, d.Record)))
		if len(d.Prediction.Scores) > 0 {
			blocks = append(blocks, preformatted(bars(l, d.Prediction.Scores)))
		}
		blocks = append(blocks, section(reasons(l, d.Record, d.rules)))
	}
	if d.Twins > 0 {
		blocks = append(blocks, contextLine(twinWords(l, d.Record)))
		if len(d.twins) > 0 {
			blocks = append(blocks, contextLine(d.twinNames(l)))
		}
	}
	if c := d.Decision; c != nil && c.Comment != "" {
		blocks = append(blocks, contextLine(l.say("card.comment_by", "Who", who(l, c.Reviewer))), quote(cut(visible(l, c.Comment), blockUnits, units)))
	}
	blocks = append(blocks, precedentBlocks(l, d.precedents, blind)...)
	blocks = append(blocks, pastBlocks(l, d.entries, d.Notes, blind)...)
	if len(d.metadata) > 0 {
		lines, notice := dataLines(l, d.metadata)
		blocks = append(blocks, section(l.say("details.metadata")))
		for _, b := range lines {
			blocks = append(blocks, preformatted(b))
		}
		if notice != "" {
			blocks = append(blocks, contextLine(notice))
		}
	}
	if d.missing {
		blocks = append(blocks, contextLine(l.say("details.missing")))
	}
	return blocks
}

// reasons say why a person is needed, one a line, with what the policy says of its rules. Of very many it names the first and counts the others.
func reasons(l *language, rec hitl.Record, rules map[string]string) string {
	lines := []string{l.say("details.why", "Threshold", percent(l, rec.Route.Threshold))}
	used := 0
	for i, t := range rec.Route.Triggers {
		line := "• " + trigger(l, t, rec)
		if name, ok := t.Rule(); ok && rules[name] != "" {
			line += ": " + escape(plainName(l, rules[name], maxDescriptionUnits))
		}
		if used += units(line); used > 2*maxWhyUnits && i > 0 {
			lines = append(lines, "• "+l.say("more", "More", len(rec.Route.Triggers)-i))
			break
		}
		lines = append(lines, line)
	}
	if len(rec.Route.Triggers) == 0 {
		lines = append(lines, "• "+l.say("why.policy"))
	}
	return strings.Join(lines, "\n")
}

// twinWords say how many items are decided with one.
func twinWords(l *language, rec hitl.Record) string {
	if rec.Twins >= hitl.MaxTwins {
		return l.say("card.twins.many", "Count", hitl.MaxTwins)
	}
	return l.say("card.twins", "N", rec.Twins)
}

// twinNames are the first items that are decided with this one, by the names their sources gave them.
func (d details) twinNames(l *language) string {
	var names []string
	for _, id := range d.twins {
		names = append(names, code(l, id, maxNameUnits))
	}
	if more := d.Twins - len(names); more > 0 {
		names = append(names, l.say("more", "More", more))
	}
	return strings.Join(names, ", ")
}

// preformatted shows lines literally, in letters of one width.
func preformatted(s string) slack.Block {
	return slack.NewRichTextBlock("", &slack.RichTextPreformatted{
		Type: slack.RTEPreformatted, Elements: []slack.RichTextSectionElement{slack.NewRichTextSectionTextElement(s, nil)},
	})
}
