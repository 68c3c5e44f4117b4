package bot

import (
	"fmt"
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
)

// statsMessage shows the figures of a period in words and, with chart, as a chart too. Everything the chart shows is in the words.
func statsMessage(s hitl.Stats, period string, chart bool) message {
	where := "all queues"
	if s.Queue != "" {
		where = "queue " + code(s.Queue, maxNameUnits)
	}
	blocks := []slack.Block{
		slack.NewHeaderBlock(plain("Reviews in the last " + period)),
		contextLine(fmt.Sprintf("%s · %s to %s", where, when(s.Since), when(s.Until))),
	}
	if s.Items == 0 && s.Decisions == 0 {
		blocks = append(blocks, section("Nothing happened in this period. "+openNow(s)))
		return message{Text: fmt.Sprintf("No items and no decisions in %s in the last %s. %s", where, period, openNow(s)), Blocks: blocks}
	}
	blocks = append(blocks, slack.NewSectionBlock(nil, figures(s), nil))
	if c := statsChart(s); chart && c != nil {
		blocks = append(blocks, c)
	}
	for _, part := range []struct{ title, lines string }{
		{"Why items went to a person", triggerLines(s.Triggers)},
		{"By reviewer", reviewerLines(s.ByReviewer)},
		{"By the AI's label", labelLines(s.ByLabel)},
		{"Over time", bucketLines(s)},
	} {
		if part.lines != "" {
			blocks = append(blocks, section("*"+part.title+"*\n"+part.lines))
		}
	}
	return message{Text: statsSummary(s, where, period), Blocks: blocks}
}

// statsSummary is the answer for screen readers and notifications.
func statsSummary(s hitl.Stats, where, period string) string {
	return fmt.Sprintf("Last %s, %s: %s, %s accepted by the AI, review rate %s. %s: acceptance rate %s, correction rate %s, %d expired; "+
		"median time to decision %s, 95th percentile %s. %s",
		period, where, count(s.Items, "item"), thousands(s.AIAccepted), rate(s.ReviewRate), count(s.Decisions, "decision"),
		rate(s.AcceptanceRate), rate(s.CorrectionRate), s.Expired, duration(s.MedianToDecide), duration(s.P95ToDecide), openNow(s))
}

func openNow(s hitl.Stats) string {
	if s.Open == 0 {
		return "No review is open now."
	}
	return fmt.Sprintf("%s open now, the oldest for %s.", count(s.Open, "review"), duration(s.OldestAge))
}

// rate writes a share with one decimal.
func rate(p float64) string { return fmt.Sprintf("%.1f%%", p*100) }

// figures are the ten fields that a section can hold.
func figures(s hitl.Stats) []*slack.TextBlockObject {
	field := func(name, value string) *slack.TextBlockObject { return mrkdwn("*" + name + "*\n" + value) }
	span := s.Until.Sub(s.Since)
	perHour := 0.0
	if span > 0 {
		perHour = float64(s.Items) / span.Hours()
	}
	return []*slack.TextBlockObject{
		field("Items", fmt.Sprintf("%s (%.1f an hour)", thousands(s.Items), perHour)),
		field("Accepted by the AI", thousands(s.AIAccepted)),
		field("Review rate", fmt.Sprintf("%s (%s)", rate(s.ReviewRate), thousands(s.Reviewed))),
		field("Decisions", fmt.Sprintf("%s (%s expired)", thousands(s.Decisions), thousands(s.Expired))),
		field("Acceptance rate", fmt.Sprintf("%s (%s)", rate(s.AcceptanceRate), thousands(s.Accepted))),
		field("Correction rate", fmt.Sprintf("%s (%s)", rate(s.CorrectionRate), thousands(s.Corrected))),
		field("Median time to decision", duration(s.MedianToDecide)),
		field("95th percentile", duration(s.P95ToDecide)),
		field("Open now", thousands(s.Open)),
		field("Oldest open", oldest(s)),
	}
}

func oldest(s hitl.Stats) string {
	if s.Open == 0 {
		return "none"
	}
	return duration(s.OldestAge)
}

// lines writes at most a number of lines, and no more than a section holds, and counts the others.
func lines[T any](rows []T, limit int, line func(T) string) string {
	var out []string
	used := 0
	for i, r := range rows {
		text := "• " + line(r)
		if used += units(text) + 1; i == limit || used > maxLinesUnits {
			out = append(out, fmt.Sprintf("and %s more", thousands(len(rows)-i)))
			break
		}
		out = append(out, text)
	}
	return strings.Join(out, "\n")
}

func triggerLines(rows []hitl.TriggerCount) string {
	return lines(rows, maxTriggerLines, func(t hitl.TriggerCount) string {
		return triggerName(t.Trigger) + ": " + thousands(t.Items)
	})
}

// triggerName names a trigger apart from any item.
func triggerName(t hitl.Trigger) string {
	if name, ok := t.Rule(); ok {
		return "rule " + code(name, maxNameUnits)
	}
	switch t {
	case hitl.TriggerLowConfidence:
		return "low confidence"
	case hitl.TriggerSample:
		return "quality sample"
	case hitl.TriggerAlwaysReview:
		return "label always reviewed"
	case hitl.TriggerModelError:
		return "model failed"
	case hitl.TriggerTruncated:
		return "text cut to the model's limit"
	}
	return code(string(t), maxNameUnits)
}

func reviewerLines(rows []hitl.ReviewerStats) string {
	return lines(rows, maxReviewerLines, func(r hitl.ReviewerStats) string {
		return fmt.Sprintf("%s: %s accepted, %s corrected, median %s",
			who(r.Reviewer), thousands(r.Accepted), thousands(r.Corrected), duration(r.MedianToDecide))
	})
}

func labelLines(rows []hitl.LabelStats) string {
	return lines(rows, maxLabelLines, func(l hitl.LabelStats) string {
		name := "no answer"
		if l.AILabel != "" {
			name = code(l.AILabel, maxNameUnits)
		}
		return fmt.Sprintf("%s: %s accepted, %s corrected", name, thousands(l.Accepted), thousands(l.Corrected))
	})
}

// bucketLines says what the chart shows.
func bucketLines(s hitl.Stats) string {
	names := bucketNames(s.Buckets)
	var out []string
	for i, b := range s.Buckets {
		if b.AIAccepted+b.Accepted+b.Corrected+b.Expired > 0 && i < len(names) {
			out = append(out, fmt.Sprintf("• %s: %s by the AI, %s accepted, %s corrected, %s expired",
				names[i], thousands(b.AIAccepted), thousands(b.Accepted), thousands(b.Corrected), thousands(b.Expired)))
		}
	}
	return strings.Join(out, "\n")
}

// bucketNames names the slices of a period in UTC, as shortly as tells them apart: a chart's categories must be unique.
func bucketNames(buckets []hitl.StatsBucket) []string {
	layouts := []string{"Jan 2", "Jan 2 15:04", "06-01-02 15:04:05"}
	if n := len(buckets); n > 0 && buckets[n-1].Start.Sub(buckets[0].Start) < 24*time.Hour {
		layouts = append([]string{"15:04"}, layouts...)
	}
	var names []string
	for _, layout := range layouts {
		names = names[:0]
		used := map[string]bool{}
		for _, b := range buckets {
			name := b.Start.UTC().Format(layout)
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
func statsChart(s hitl.Stats) slack.Block {
	names := bucketNames(s.Buckets)
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
	axis := slack.NewDataVisualizationAxisConfig(names...).WithXLabel("Time (UTC)").WithYLabel("Decisions")
	return slack.NewDataVisualizationBlock("Decisions over time", slack.NewDataVisualizationBarChart(axis,
		series("Accepted", func(b hitl.StatsBucket) int { return b.Accepted }),
		series("Corrected", func(b hitl.StatsBucket) int { return b.Corrected }),
		series("Expired", func(b hitl.StatsBucket) int { return b.Expired }),
	))
}
