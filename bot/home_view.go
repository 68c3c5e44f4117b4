package bot

import (
	"slices"
	"time"

	"github.com/slack-go/slack"

	"hitl"
)

// Lengths in the home tab.
const (
	rowTextUnits   = 240
	rowTextLines   = 2
	maxHomeQueues  = 30
	maxHomeBatches = 5
)

// rowBlock is the block of a review's row. Slack keeps what is chosen in it as long as the id stays.
func rowBlock(reviewID string) string { return "hitl_row_" + reviewID }

// homeView shows a home tab. It is pure.
func homeView(l *language, h homePage) slack.HomeTabViewRequest {
	blocks := []slack.Block{slack.NewHeaderBlock(plain(l.say("home.title")))}
	refresh := slack.NewButtonBlockElement(actionRefresh, "refresh", plain(l.say("home.refresh")))
	if h.refused != nil {
		blocks = append(append(blocks, section(h.refused(l))), ownedBlocks(l, h.owned)...)
		blocks = append(blocks, slack.NewActionBlock("hitl_home_tools", refresh))
		return homeTab(h, blocks)
	}
	if h.state.said != nil {
		blocks = append(blocks, section(h.state.said(l)))
	}
	blocks = append(blocks, section(lines(l, h.queues, maxHomeQueues, func(q hitl.QueueWait) string { return waitLine(l, q) })))
	if len(h.claims) > 0 {
		claims := lines(l, h.claims, homeClaims, func(s screened) string { return homeClaim(l, s) })
		blocks = append(blocks, section("*"+l.say("home.claims")+"*\n"+claims))
	}
	for _, batch := range h.batches[:min(len(h.batches), maxHomeBatches)] {
		blocks = append(blocks, batchLine(l, batch))
	}
	blocks = append(blocks, ownedBlocks(l, h.owned)...)
	blocks = append(blocks, slack.NewDividerBlock(), slack.NewActionBlock("hitl_home_filters", append(filters(l, h), refresh)...))
	if h.total == 0 && len(h.rows) == 0 {
		return homeTab(h, append(blocks, section(l.say("home.nothing"))))
	}
	pages := max(h.total+homeRows-1, homeRows) / homeRows
	blocks = append(blocks, contextLine(l.say("home.page", "N", h.total, "Page", h.state.Page+1, "Pages", pages)))
	for _, s := range h.rows {
		blocks = append(blocks, row(l, h, s)...)
	}
	if h.limit > 0 {
		blocks = append(blocks, batchButtons(l, h)...)
	}
	var turn []slack.BlockElement
	if h.state.Page > 0 {
		turn = append(turn, slack.NewButtonBlockElement(actionHomeBack, "back", plain(l.say("home.back"))))
	}
	if h.state.Page+1 < pages {
		turn = append(turn, slack.NewButtonBlockElement(actionHomeOn, "on", plain(l.say("home.on"))))
	}
	if len(turn) > 0 {
		blocks = append(blocks, slack.NewActionBlock("hitl_home_pages", turn...))
	}
	return homeTab(h, blocks)
}

func homeTab(h homePage, blocks []slack.Block) slack.HomeTabViewRequest {
	return slack.HomeTabViewRequest{Type: slack.VTHomeTab, PrivateMetadata: h.state.String(), Blocks: slack.Blocks{BlockSet: blocks}}
}

func waitLine(l *language, q hitl.QueueWait) string {
	s := l.say("home.queue", "Queue", code(l, q.Queue, maxNameUnits), "N", q.Open)
	if q.Open > 0 {
		s += l.say("queues.oldest", "Oldest", duration(l, q.OldestAge))
	}
	return s
}

func homeClaim(l *language, s screened) string {
	return l.say("home.claim", "Queue", code(l, s.Review.Queue, maxNameUnits), "Text", escape(startOf(l, s, 80)), "Until", when(l, s.Review.ClaimedUntil))
}

// startOf is what a list shows of a text, in one line; a text that may not be shown there is named as such.
func startOf(l *language, s screened, limit int) string {
	if s.Item.Text == "" {
		return l.say("home.withheld")
	}
	return cut(isolate(oneLine(visible(l, head(s.Item.Text, previewBytes)))), limit, escapedUnits)
}

// filters are the selects above the list.
func filters(l *language, h homePage) []slack.BlockElement {
	var queues, labels, spans []*slack.OptionBlockObject
	for _, q := range h.queues[:min(len(h.queues), maxOptions)] {
		queues = append(queues, slack.NewOptionBlockObject(q.Queue, plain(plainName(l, q.Queue, maxOptionUnits)), nil))
	}
	all := func(words string) *slack.OptionBlockObject {
		return slack.NewOptionBlockObject(optionAll, plain(words), nil)
	}
	labels = append(labels, all(l.say("home.label.all")))
	for _, label := range h.labels[:min(len(h.labels), maxOptions-1)] {
		labels = append(labels, option(l, label))
	}
	spans = append(spans, all(l.say("home.age.any")))
	for _, a := range ages {
		spans = append(spans, slack.NewOptionBlockObject(a.name, plain(l.say("home.age", "Span", spanWords(l, a.span))), nil))
	}
	orders := []*slack.OptionBlockObject{
		slack.NewOptionBlockObject(string(hitl.UrgentFirst), plain(l.say("home.order.urgent")), nil),
		slack.NewOptionBlockObject(string(hitl.NewestFirst), plain(l.say("home.order.newest")), nil),
	}
	choose := func(action, hint, value string, options []*slack.OptionBlockObject) slack.BlockElement {
		s := slack.NewOptionsSelectBlockElement(slack.OptTypeStatic, plain(hint), action, options...)
		if i := slices.IndexFunc(options, func(o *slack.OptionBlockObject) bool { return o.Value == value }); i >= 0 {
			s.InitialOption = options[i]
		}
		return s
	}
	or := func(value, fallback string) string {
		if value == "" {
			return fallback
		}
		return value
	}
	return []slack.BlockElement{
		choose(actionHomeQueue, l.say("home.queue.hint"), h.state.Queue, queues),
		choose(actionHomeLabel, l.say("home.label.all"), or(h.state.Label, optionAll), labels),
		choose(actionHomeAge, l.say("home.age.any"), or(h.state.Age, optionAll), spans),
		choose(actionHomeOrder, l.say("home.order.urgent"), or(string(h.state.Order), string(hitl.UrgentFirst)), orders),
	}
}

// row shows one review of the list.
func row(l *language, h homePage, s screened) []slack.Block {
	rec := s.Record
	text := l.say("home.withheld")
	if rec.Item.Text != "" {
		text = cutLines(cut(squeeze(visible(l, head(rec.Item.Text, previewBytes))), rowTextUnits, units), rowTextLines)
	}
	facts := rowFacts(l, s, h.now)
	line := slack.NewSectionBlock(mrkdwn(facts), nil, nil, slack.SectionBlockOptionBlockID(rowBlock(rec.Review.ID)))
	if h.limit > 0 && batchable(s) == nil {
		pick := slack.NewOptionBlockObject(ref{Review: rec.Review.ID, Round: rec.Review.Round}.String(), plain(l.say("home.pick")), nil)
		boxes := slack.NewCheckboxGroupsBlockElement(actionPick, pick)
		line.Accessory = slack.NewAccessory(boxes)
	}
	return []slack.Block{line, quote(text)}
}

// rowFacts is what stands beside a review's text: what the model said, unless that is hidden, and what is special about it.
func rowFacts(l *language, s screened, now time.Time) string {
	rec := s.Record
	if !open(rec) {
		if rec.Decision != nil {
			return decided(l, *rec.Decision, rec.Prediction.Label)
		}
		return ended(l, rec)
	}
	out := l.say("home.row.none")
	switch p := rec.Prediction; {
	case rec.Review.Blind:
		out = l.say("home.row.blind")
	case p.Label != "":
		out = l.say("home.row", "Label", code(l, p.Label, maxLabelUnits), "Confidence", escape(percent(l, p.Confidence)))
	}
	if rec.Review.Priority == hitl.PriorityUrgent {
		out += " · " + l.say("card.origin.urgent")
	}
	out += " · " + ago(rec.Review.OpenedAt)
	if rec.Review.Panel > 1 {
		out += " · " + l.say("home.row.panel", "N", rec.Review.Panel)
	}
	if s.hidden > 0 {
		out += " · " + hiddenWords(l, s)
	}
	if rec.Review.Claimed(now) {
		out += " · " + l.say("home.row.claimed", "Who", who(l, rec.Review.ClaimedBy), "Until", when(l, rec.Review.ClaimedUntil))
	}
	return out
}
