package bot

import (
	"fmt"

	"github.com/slack-go/slack"

	"hitl"
)

// maxRanked is how many rows a broken-down chart shows; the others stand in the words.
const maxRanked = 12

// rankedRow is one label or reviewer among the figures.
type rankedRow struct {
	line                string // in words, mrkdwn
	accepted, corrected int
}

// rankedMessage shows the decisions of a period by label or by reviewer. Names are too long for a chart, and people have none in it: its
// categories are the places in the list below, which says everything that it shows.
func rankedMessage(l *language, s hitl.Stats, p period, by statsBy, chart bool) message {
	title, rows := l.say("stats.part.labels"), labelRows(l, s.ByLabel)
	if by == byReviewer {
		title, rows = l.say("stats.part.reviewers"), reviewerRows(l, s.ByReviewer)
	}
	where := l.say("stats.all_queues")
	if s.Queue != "" {
		where = l.say("stats.queue", "Queue", code(l, s.Queue, maxNameUnits))
	}
	blocks := []slack.Block{
		slack.NewHeaderBlock(plain(l.say("stats.title", "Period", p.words(l)))),
		contextLine(where + " · " + l.say("stats.span", "Since", when(l, s.Since), "Until", when(l, s.Until))),
	}
	if len(rows) == 0 {
		words := l.say("stats.ranked.none")
		return message{Text: where + ": " + words, Blocks: append(blocks, section(words))}
	}
	if chart {
		blocks = append(blocks, rankedChart(l, rows[:min(maxRanked, len(rows))]))
	}
	ranks := make([]int, len(rows))
	for i := range rows {
		ranks[i] = i + 1
	}
	words := lines(l, ranks, maxLabelLines, func(rank int) string { return l.say("stats.ranked", "Rank", rank, "Line", rows[rank-1].line) })
	blocks = append(blocks, section("*"+title+"*\n"+words))
	return message{Text: where + ", " + title + ":\n" + words, Blocks: blocks}
}

func labelRows(l *language, all []hitl.LabelStats) []rankedRow {
	var rows []rankedRow
	for _, r := range all {
		rows = append(rows, rankedRow{labelLine(l, r), r.Accepted, r.Corrected})
	}
	return rows
}

func reviewerRows(l *language, all []hitl.ReviewerStats) []rankedRow {
	var rows []rankedRow
	for _, r := range all {
		rows = append(rows, rankedRow{reviewerLine(l, r), r.Accepted, r.Corrected})
	}
	return rows
}

func rankedChart(l *language, rows []rankedRow) slack.Block {
	names := make([]string, len(rows))
	accepted, corrected := make([]slack.DataVisualizationDataPoint, len(rows)), make([]slack.DataVisualizationDataPoint, len(rows))
	for i, r := range rows {
		names[i] = fmt.Sprintf("#%d", i+1)
		accepted[i] = slack.NewDataVisualizationDataPoint(names[i], float64(r.accepted))
		corrected[i] = slack.NewDataVisualizationDataPoint(names[i], float64(r.corrected))
	}
	axis := slack.NewDataVisualizationAxisConfig(names...).WithXLabel(l.say("stats.chart.rank")).WithYLabel(l.say("stats.decisions"))
	return slack.NewDataVisualizationBlock(l.say("stats.chart.ranked"), slack.NewDataVisualizationBarChart(axis,
		slack.NewDataVisualizationDataSeries(l.say("stats.chart.accepted"), accepted...),
		slack.NewDataVisualizationDataSeries(l.say("stats.chart.corrected"), corrected...),
	))
}
