package bot

import (
	"strings"
	"time"

	"github.com/slack-go/slack"

	"hitl"
)

// How much of the figures a message holds; the rest is counted.
const (
	maxReviewerLines = 15
	maxLabelLines    = 15
	maxTriggerLines  = 8
	maxLinesUnits    = 2800 // a section holds 3,000
	maxCategories    = 20   // of a chart
	maxAxisUnits     = 50
)

// statsMessage shows the figures of a period, with the times of a zone, in words and, with chart, as a chart too. Everything the chart shows is in
// the words.
func statsMessage(l *language, s hitl.Stats, p period, zone *time.Location, chart bool) message {
	where, period := l.say("stats.all_queues"), p.words(l)
	if s.Queue != "" {
		where = l.say("stats.queue", "Queue", code(l, s.Queue, maxNameUnits))
	}
	blocks := []slack.Block{
		slack.NewHeaderBlock(plain(l.say("stats.title", "Period", period))),
		contextLine(where + " · " + l.say("stats.span", "Since", when(l, s.Since), "Until", when(l, s.Until))),
	}
	if s.Items == 0 && s.Decisions == 0 {
		blocks = append(blocks, section(l.say("stats.nothing")+" "+openNow(l, s)))
		return message{Text: l.say("stats.summary.nothing", "Where", where, "Period", period) + " " + openNow(l, s), Blocks: blocks}
	}
	blocks = append(blocks, slack.NewSectionBlock(nil, figures(l, s), nil))
	if c := statsChart(l, s, zone); chart && c != nil {
		blocks = append(blocks, c)
	}
	for _, part := range []struct{ title, lines string }{
		{l.say("stats.part.triggers"), triggerLines(l, s.Triggers)},
		{l.say("stats.part.reviewers"), reviewerLines(l, s.ByReviewer)},
		{l.say("stats.part.labels"), labelLines(l, s.ByLabel)},
		{l.say("stats.part.agreement"), agreementLines(l, s.Panels)},
		{l.say("stats.part.time"), bucketLines(l, s, zone)},
	} {
		if part.lines != "" {
			blocks = append(blocks, section("*"+part.title+"*\n"+part.lines))
		}
	}
	return message{Text: statsSummary(l, s, where, period), Blocks: blocks}
}

// statsSummary is the answer for screen readers and notifications.
func statsSummary(l *language, s hitl.Stats, where, period string) string {
	return strings.Join([]string{
		l.say("stats.summary.items", "Period", period, "Where", where, "N", s.Items, "AIAccepted", s.AIAccepted, "ReviewRate", rate(l, s.ReviewRate)),
		l.say("stats.summary.decisions", "N", s.Decisions, "AcceptanceRate", rate(l, s.AcceptanceRate), "CorrectionRate", rate(l, s.CorrectionRate),
			"Expired", s.Expired, "Median", duration(l, s.MedianToDecide), "P95", duration(l, s.P95ToDecide)),
		openNow(l, s),
	}, " ")
}

// spanWords names a span of whole hours or days: "24 hours", "7 days".
func spanWords(l *language, span time.Duration) string {
	const day = 24 * time.Hour
	if span > day && span%day == 0 {
		return l.say("stats.period.days", "N", int(span/day))
	}
	return l.say("stats.period.hours", "N", int(span/time.Hour))
}

func openNow(l *language, s hitl.Stats) string {
	if s.Open == 0 {
		return l.say("stats.open.none")
	}
	return l.say("stats.open", "N", s.Open, "Oldest", duration(l, s.OldestAge))
}

// rate writes a share with one decimal.
func rate(l *language, p float64) string {
	return l.say("number.percent", "Value", l.decimals(p*100, 1))
}

// figures are the ten fields that a section can hold.
func figures(l *language, s hitl.Stats) []*slack.TextBlockObject {
	field := func(name, value string) *slack.TextBlockObject { return mrkdwn("*" + name + "*\n" + value) }
	share := func(p float64, n int) string { return rate(l, p) + " (" + l.number(n) + ")" }
	span := s.Until.Sub(s.Since)
	perHour := 0.0
	if span > 0 {
		perHour = float64(s.Items) / span.Hours()
	}
	return []*slack.TextBlockObject{
		field(l.say("stats.items"), l.say("stats.items.value", "Items", s.Items, "PerHour", l.decimals(perHour, 1))),
		field(l.say("stats.ai_accepted"), l.number(s.AIAccepted)),
		field(l.say("stats.review_rate"), share(s.ReviewRate, s.Reviewed)),
		field(l.say("stats.decisions"), l.say("stats.decisions.value", "Decisions", s.Decisions, "Expired", s.Expired)),
		field(l.say("stats.acceptance_rate"), share(s.AcceptanceRate, s.Accepted)),
		field(l.say("stats.correction_rate"), share(s.CorrectionRate, s.Corrected)),
		field(l.say("stats.median"), duration(l, s.MedianToDecide)),
		field(l.say("stats.p95"), duration(l, s.P95ToDecide)),
		field(l.say("stats.open_now"), l.number(s.Open)),
		field(l.say("stats.oldest"), oldest(l, s)),
	}
}

func oldest(l *language, s hitl.Stats) string {
	if s.Open == 0 {
		return l.say("stats.oldest.none")
	}
	return duration(l, s.OldestAge)
}

// lines writes at most a number of lines, and no more than a section holds, and counts the others.
func lines[T any](l *language, rows []T, limit int, line func(T) string) string {
	var out []string
	used := 0
	for i, r := range rows {
		text := "• " + line(r)
		if used += units(text) + 1; i == limit || used > maxLinesUnits {
			out = append(out, l.say("more", "More", len(rows)-i))
			break
		}
		out = append(out, text)
	}
	return strings.Join(out, "\n")
}

func triggerLines(l *language, rows []hitl.TriggerCount) string {
	return lines(l, rows, maxTriggerLines, func(t hitl.TriggerCount) string {
		return triggerName(l, t.Trigger) + ": " + l.number(t.Items)
	})
}

// triggerName names a trigger apart from any item.
func triggerName(l *language, t hitl.Trigger) string {
	if name, ok := t.Rule(); ok {
		return l.say("why.rule", "Rule", code(l, name, maxNameUnits))
	}
	switch t {
	case hitl.TriggerLowConfidence:
		return l.say("stats.trigger.low_confidence")
	case hitl.TriggerSample:
		return l.say("why.sample")
	case hitl.TriggerAlwaysReview:
		return l.say("stats.trigger.always_review")
	case hitl.TriggerNoModel:
		return l.say("stats.trigger.no_model")
	case hitl.TriggerModelError:
		return l.say("stats.trigger.model_error")
	case hitl.TriggerTruncated:
		return l.say("stats.trigger.truncated")
	}
	return code(l, string(t), maxNameUnits)
}

func reviewerLines(l *language, rows []hitl.ReviewerStats) string {
	return lines(l, rows, maxReviewerLines, func(r hitl.ReviewerStats) string { return reviewerLine(l, r) })
}

func reviewerLine(l *language, r hitl.ReviewerStats) string {
	return l.say("stats.reviewer", "Who", who(l, r.Reviewer), "Accepted", r.Accepted, "Corrected", r.Corrected, "Median", duration(l, r.MedianToDecide))
}

func labelLines(l *language, rows []hitl.LabelStats) string {
	return lines(l, rows, maxLabelLines, func(r hitl.LabelStats) string { return labelLine(l, r) })
}

func labelLine(l *language, r hitl.LabelStats) string {
	name := l.say("stats.label.none")
	if r.AILabel != "" {
		name = code(l, r.AILabel, maxNameUnits)
	}
	return l.say("stats.label", "Label", name, "Accepted", r.Accepted, "Corrected", r.Corrected)
}

// agreementLines say how far panels agree, queue by queue.
func agreementLines(l *language, rows []hitl.Agreement) string {
	return lines(l, rows, maxLabelLines, func(a hitl.Agreement) string {
		return l.say("stats.agreement", "Queue", code(l, a.Queue, maxNameUnits), "Alpha", figure(l, a.Alpha), "AC1", figure(l, a.AC1),
			"Raw", figure(l, a.Raw), "N", a.Reviews, "Reviewers", a.Reviewers)
	})
}

// figure writes a statistic with its interval, or why there is none.
func figure(l *language, f hitl.Figure) string {
	switch {
	case f.Undefined == hitl.UndefinedPairs:
		return l.say("stats.figure.no_pairs")
	case f.Value == nil:
		return l.say("stats.figure.one_category")
	case f.Low == nil:
		return l.decimals(*f.Value, 2)
	}
	return l.say("stats.figure", "Value", l.decimals(*f.Value, 2), "Low", l.decimals(*f.Low, 2), "High", l.decimals(*f.High, 2))
}

// bucketLines says what the chart shows.
func bucketLines(l *language, s hitl.Stats, zone *time.Location) string {
	names := bucketNames(l, s.Buckets, zone)
	var out []string
	for i, b := range s.Buckets {
		if b.AIAccepted+b.Accepted+b.Corrected+b.Expired > 0 && i < len(names) {
			out = append(out, "• "+l.say("stats.bucket", "Time", names[i], "AIAccepted", b.AIAccepted, "Accepted", b.Accepted,
				"Corrected", b.Corrected, "Expired", b.Expired))
		}
	}
	return strings.Join(out, "\n")
}

// bucketNames names the slices of a period by the clocks of a zone, as shortly as tells them apart: a chart's categories must be unique.
func bucketNames(l *language, buckets []hitl.StatsBucket, zone *time.Location) []string {
	layouts := []string{l.say("stats.layout.day"), l.say("stats.layout.minute"), "06-01-02 15:04:05"}
	if n := len(buckets); n > 0 && buckets[n-1].Start.Sub(buckets[0].Start) < 24*time.Hour {
		layouts = append([]string{"15:04"}, layouts...)
	}
	var names []string
	for _, layout := range layouts {
		names = names[:0]
		used := map[string]bool{}
		for _, b := range buckets {
			name := b.Start.In(zone).Format(layout)
			names, used[name] = append(names, name), true
		}
		if len(used) == len(buckets) {
			break
		}
	}
	return names
}

// statsChart draws the decisions over time, or nothing when there were none. What the AI accepted stays in the words: beside it the
// decisions could not be seen.
func statsChart(l *language, s hitl.Stats, zone *time.Location) slack.Block {
	names := bucketNames(l, s.Buckets, zone)
	if len(names) == 0 || len(names) > maxCategories || s.Accepted+s.Corrected+s.Expired == 0 {
		return nil
	}
	series := func(name string, value func(hitl.StatsBucket) int) slack.DataVisualizationDataSeries {
		points := make([]slack.DataVisualizationDataPoint, len(names))
		for i, b := range s.Buckets {
			points[i] = slack.NewDataVisualizationDataPoint(names[i], float64(value(b)))
		}
		return slack.NewDataVisualizationDataSeries(name, points...)
	}
	axis := slack.NewDataVisualizationAxisConfig(names...).WithXLabel(cut(l.say("stats.chart.time", "Zone", zone.String()), maxAxisUnits, units)).WithYLabel(l.say("stats.decisions"))
	return slack.NewDataVisualizationBlock(l.say("stats.chart.title"), slack.NewDataVisualizationBarChart(axis,
		series(l.say("stats.chart.accepted"), func(b hitl.StatsBucket) int { return b.Accepted }),
		series(l.say("stats.chart.corrected"), func(b hitl.StatsBucket) int { return b.Corrected }),
		series(l.say("stats.chart.expired"), func(b hitl.StatsBucket) int { return b.Expired }),
	))
}
