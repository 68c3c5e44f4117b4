package bot

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/slack-go/slack"

	"hitl"
)

const (
	week            = 7 * 24 * time.Hour
	maxDigestLabels = 3
)

// digest is the message with a queue's figures of the week that ends with the notice's moment.
func (b *Bot) digest(ctx context.Context, n hitl.Notice, chart bool) (message, error) {
	until, err := time.Parse(time.RFC3339, n.Data["until"])
	if err != nil {
		return message{}, fmt.Errorf("digest without its time: %w: %w", err, hitl.ErrPermanent)
	}
	now, err := b.cfg.Stats.Stats(ctx, hitl.StatsQuery{Since: until.Add(-week), Until: until, Queue: n.Queue})
	if err != nil {
		return message{}, fmt.Errorf("read statistics: %w", err)
	}
	before, err := b.cfg.Stats.Stats(ctx, hitl.StatsQuery{Since: until.Add(-2 * week), Until: until.Add(-week), Queue: n.Queue})
	if err != nil {
		return message{}, fmt.Errorf("read statistics: %w", err)
	}
	return digestMessage(b.language(), n.Queue, now, before, chart), nil
}

// digestMessage shows a week beside the one before. Everything that the chart shows is in `/hitl stats` in words.
func digestMessage(l *language, queue string, now, before hitl.Stats, chart bool) message {
	title := l.say("digest.title", "Queue", plainName(l, queue, maxNameUnits))
	span := l.say("digest.span", "Since", when(l, now.Since), "Until", when(l, now.Until))
	facts := digestFacts(l, now, before)
	blocks := []slack.Block{slack.NewHeaderBlock(plain(title)), contextLine(span), section("• " + strings.Join(facts, "\n• "))}
	if c := statsChart(l, now, time.UTC); chart && c != nil {
		blocks = append(blocks, c)
	}
	return message{Text: escape(title) + "\n" + strings.Join(facts, "\n"), Blocks: blocks}
}

// digestFacts are a week's figures, each with that of the week before where there is one.
func digestFacts(l *language, now, before hitl.Stats) []string {
	past := func(words, value string, known bool) string {
		if !known {
			return words
		}
		return words + " " + l.say("digest.before", "Value", value)
	}
	var facts []string
	if now.Items > 0 {
		facts = append(facts, past(l.say("digest.items", "N", now.Items, "Rate", rate(l, now.ReviewRate)),
			l.number(before.Items)+", "+rate(l, before.ReviewRate), before.Items > 0))
	}
	if people := now.Accepted + now.Corrected; people > 0 {
		known := before.Accepted+before.Corrected > 0
		facts = append(facts,
			past(l.say("digest.decisions", "N", people, "Rate", rate(l, now.AcceptanceRate)),
				l.number(before.Accepted+before.Corrected)+", "+rate(l, before.AcceptanceRate), known),
			past(l.say("digest.median", "Median", duration(l, now.MedianToDecide)), duration(l, before.MedianToDecide), known))
	}
	if labels := mostCorrected(l, now.ByLabel); labels != "" {
		facts = append(facts, l.say("digest.corrected", "Labels", labels))
	}
	if len(facts) == 0 {
		facts = append(facts, l.say("digest.nothing"))
	}
	return append(facts, openNow(l, now))
}

// mostCorrected names the AI's labels that people corrected most often.
func mostCorrected(l *language, labels []hitl.LabelStats) string {
	labels = slices.DeleteFunc(slices.Clone(labels), func(s hitl.LabelStats) bool { return s.Corrected == 0 || s.AILabel == "" })
	slices.SortStableFunc(labels, func(a, b hitl.LabelStats) int { return cmp.Compare(b.Corrected, a.Corrected) })
	var out []string
	for _, s := range labels[:min(maxDigestLabels, len(labels))] {
		out = append(out, l.say("digest.label", "Label", code(l, s.AILabel, maxNameUnits), "Corrected", s.Corrected, "Of", s.Accepted+s.Corrected))
	}
	return strings.Join(out, ", ")
}
