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
	// maxDigestFindings is how many things that corrections teach are told, and findWithin how long they are looked for: the week's figures do not wait.
	maxDigestFindings = 3
	findWithin        = 10 * time.Second
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
	return digestMessage(b.language(), n.Queue, now, before, b.findings(ctx, n.Queue, until), chart), nil
}

// findings are what the week taught. The figures are told without them if they cannot be had.
func (b *Bot) findings(ctx context.Context, queue string, until time.Time) []hitl.Finding {
	if b.cfg.Findings == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, findWithin)
	defer cancel()
	list, err := b.cfg.Findings.Findings(ctx, hitl.StatsQuery{Since: until.Add(-week), Until: until, Queue: queue})
	if err != nil {
		b.cfg.Logger.WarnContext(ctx, "what corrections teach is left out of the digest", "queue", queue, "error", err)
		return nil
	}
	return list
}

// digestMessage shows a week beside the one before, and what it taught. Everything that the chart shows is in `/hitl stats` in words.
func digestMessage(l *language, queue string, now, before hitl.Stats, taught []hitl.Finding, chart bool) message {
	title := l.say("digest.title", "Queue", plainName(l, queue, maxNameUnits))
	span := l.say("digest.span", "Since", when(l, now.Since), "Until", when(l, now.Until))
	facts := digestFacts(l, now, before)
	blocks := []slack.Block{slack.NewHeaderBlock(plain(title)), contextLine(span), section("• " + strings.Join(facts, "\n• "))}
	if lessons := lessons(l, taught); len(lessons) > 0 {
		blocks = append(blocks, section("*"+l.say("digest.taught")+"*\n• "+strings.Join(lessons, "\n• ")))
		facts = append(facts, lessons...)
	}
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

// lessons are findings as sentences.
func lessons(l *language, taught []hitl.Finding) []string {
	var out []string
	for _, f := range taught[:min(len(taught), maxDigestFindings)] {
		subject, other := code(l, f.Subject, maxNameUnits), code(l, f.Other, maxNameUnits)
		value, rest := rate(l, f.Rate.Value), rate(l, f.Rest.Value)
		switch f.Kind {
		case hitl.FindConfusion:
			out = append(out, l.say("digest.find.confusion", "AI", subject, "People", other, "Rate", value, "Low", rate(l, f.Rate.Low), "High", rate(l, f.Rate.High)))
		case hitl.FindSource:
			out = append(out, l.say("digest.find.source", "Name", subject, "Rate", value, "Rest", rest))
		case hitl.FindQueue:
			out = append(out, l.say("digest.find.queue", "Name", subject, "Rate", value, "Rest", rest))
		case hitl.FindRule:
			out = append(out, l.say("digest.find.rule", "Name", subject, "Rate", value, "Rest", rest))
		case hitl.FindIdleRule:
			out = append(out, l.say("digest.find.idle_rule", "Name", subject, "N", f.Items, "High", rate(l, f.Rate.High)))
		case hitl.FindUnknown:
			out = append(out, l.say("digest.find.unknown_label", "Label", subject, "Rate", value))
		case hitl.FindDrift:
			switch f.Subject {
			case hitl.DriftLabels:
				out = append(out, l.say("digest.find.drift_labels", "Classifier", other))
			case hitl.DriftConfidence:
				out = append(out, l.say("digest.find.drift_confidence", "Classifier", other))
			case hitl.DriftLength:
				out = append(out, l.say("digest.find.drift_length", "Classifier", other))
			}
		}
	}
	return out
}
