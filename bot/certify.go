package bot

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/slack-go/slack"

	"hitl"
)

// samplingLine says for what the share of sure items that people see is chosen.
func samplingLine(l *language, c hitl.SampleChange) string {
	if c.Complete {
		return l.say("policy.sampling.complete", "Risk", decimalPercent(l, c.Risk), "Confidence", decimalPercent(l, c.Confidence))
	}
	return l.say("policy.sampling", "Risk", decimalPercent(l, c.Risk), "Confidence", decimalPercent(l, c.Confidence), "When", date(c.Until, "{date_short}"))
}

// certifyLateMessage tells the owners of a queue that the highest share that may be sampled does not suffice for a promise by its day, and what would be possible.
func certifyLateMessage(l *language, n hitl.Notice) (message, error) {
	until, err := time.Parse(time.RFC3339, n.Data["until"])
	share, err2 := strconv.ParseFloat(n.Data["rate"], 64)
	if err := errors.Join(err, err2); err != nil {
		return message{}, fmt.Errorf("read notice: %w: %w", err, hitl.ErrPermanent)
	}
	day := func(t time.Time) string { return date(t, "{date_short}") }
	title := l.say("certify.late.title", "Policy", plainName(l, n.Data["policy"], maxNameUnits))
	words := l.say("certify.late", "Rate", percentShare(l, share), "Risk", decimalPercent(l, n.Data["risk"]), "Confidence", decimalPercent(l, n.Data["confidence"]), "When", day(until))
	if label := n.Data["label"]; label != "" {
		words += " " + l.say("certify.late.label", "Label", code(l, label, maxLabelUnits))
	}
	if at, err := time.Parse(time.RFC3339, n.Data["at"]); err == nil {
		words += " " + l.say("certify.late.at", "When", day(at))
	}
	if risk := n.Data["by_then"]; risk != "" {
		words += " " + l.say("certify.late.by_then", "Risk", decimalPercent(l, risk))
	}
	what := l.say("certify.late.then")
	return message{Text: escape(title) + "\n" + words + "\n" + what, Blocks: []slack.Block{slack.NewHeaderBlock(plain(title)), section(words), section(what)}}, nil
}
