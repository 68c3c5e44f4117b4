package bot

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/slack-go/slack"

	"hitl"
)

// How much of a policy one message says; the rest is counted.
const (
	maxPolicyRules  = 20
	maxPolicyLabels = 20
	maxRuleUnits    = 200
	maxPolicyText   = 3500
)

// policy answers `policy [source|queue]`.
func (b *Bot) policy(_ context.Context, q asked) (message, error) {
	now := b.cfg.Policies()
	sources, queues := slices.Sorted(maps.Keys(now)), slices.Sorted(maps.Keys(b.cfg.Queues))
	switch {
	case len(q.words) == 0:
		return policies(q.l, sources, queues), nil
	case len(q.words) > 1: // one at a time
	case slices.Contains(sources, q.words[0]):
		return policyMessage(q.l, q.words[0], now[q.words[0]]), nil
	case slices.Contains(queues, q.words[0]):
		name := q.words[0]
		return termsMessage(q.l, name, b.cfg.Queues[name].Channel, b.cfg.Desk.Queues[name]), nil
	}
	return message{}, &usageError{func(l *language) string {
		return l.say("policy.which", "Sources", names(l, sources), "Queues", names(l, queues))
	}}
}

// names enumerates names.
func names(l *language, all []string) string {
	if len(all) == 0 {
		return l.say("policy.none")
	}
	var out []string
	for _, n := range all {
		out = append(out, code(l, n, maxNameUnits))
	}
	return cut(strings.Join(out, ", "), 500, units)
}

// policies says what can be asked for.
func policies(l *language, sources, queues []string) message {
	return saidAlone(l.say("policy.list", "Sources", names(l, sources), "Queues", names(l, queues)))
}

// policyMessage says which items of a source a person sees.
func policyMessage(l *language, source string, p Policy) message {
	facts := []string{l.say("policy.threshold", "Percent", percentShare(l, p.Threshold))}
	labels := lines(l, slices.Sorted(maps.Keys(p.LabelThresholds)), maxPolicyLabels, func(label string) string {
		if p.LabelThresholds[label] == hitl.NoConfidence {
			return l.say("policy.label_threshold.never", "Label", code(l, label, maxLabelUnits))
		}
		return l.say("policy.label_threshold", "Label", code(l, label, maxLabelUnits), "Percent", percentShare(l, p.LabelThresholds[label]))
	})
	if p.Threshold == hitl.NoConfidence {
		facts[0] = l.say("policy.threshold.never")
	}
	if p.Change != nil {
		facts = append(facts, changeLine(l, *p.Change))
	}
	if len(p.AlwaysReview) > 0 {
		facts = append(facts, l.say("policy.always", "Labels", names(l, p.AlwaysReview)))
	}
	if p.SampleRate > 0 {
		facts = append(facts, l.say("policy.sample", "Percent", percentShare(l, p.SampleRate)))
		if p.Sampling != nil {
			facts = append(facts, samplingLine(l, *p.Sampling))
		}
	}
	facts = append(facts, l.say("policy.queue", "Queue", code(l, p.Queue, maxNameUnits)))
	blocks := []slack.Block{
		slack.NewHeaderBlock(plain(l.say("policy.title", "Source", plainName(l, source, maxNameUnits)))),
		section(strings.Join(facts, "\n")),
	}
	if labels != "" {
		labels = l.say("policy.labels") + "\n" + labels
		blocks = append(blocks, section(labels))
	}
	rules := lines(l, p.Rules, maxPolicyRules, func(r PolicyRule) string { return ruleLine(l, r, p.Queue) })
	if rules != "" {
		rules = l.say("policy.rules") + "\n" + rules
		blocks = append(blocks, section(rules))
	}
	version := l.say("policy.version", "Policy", code(l, p.Name, maxNameUnits), "Version", code(l, p.Version, 80), "Classifier", code(l, p.Classifier, maxNameUnits))
	blocks = append(blocks, contextLine(version))
	text := strings.Join(slices.DeleteFunc([]string{strings.Join(facts, "\n"), labels, rules, version}, func(s string) bool { return s == "" }), "\n")
	return message{Text: wholeLines(text, maxPolicyText), Blocks: blocks}
}

// changeLine says who changed the thresholds, and what is promised of them.
func changeLine(l *language, c PolicyChange) string {
	s := l.say("policy.change", "Who", byWhom(l, c.By), "When", when(l, c.At))
	switch {
	case c.Standing == hitl.StandingVoid:
		return s + " " + l.say("policy.change.void")
	case c.Standing == hitl.StandingGuarded:
		return s + " " + l.say("policy.change.guarded")
	case c.Risk != "":
		return s + " " + l.say("policy.change.promise", "Risk", decimalPercent(l, c.Risk), "Confidence", decimalPercent(l, c.Confidence))
	}
	return s
}

// decimalPercent writes a decimal share, as it stands in the record, in percent.
func decimalPercent(l *language, decimal string) string {
	v, err := strconv.ParseFloat(decimal, 64)
	if err != nil {
		return code(l, decimal, maxNameUnits)
	}
	return percentShare(l, v)
}

// wholeLines keeps as many of the first lines as fit.
func wholeLines(s string, limit int) string {
	if units(s) <= limit {
		return s
	}
	var out []string
	used := units(ellipsis)
	for line := range strings.SplitSeq(s, "\n") {
		if used += units(line) + 1; used > limit {
			break
		}
		out = append(out, line)
	}
	return strings.Join(append(out, ellipsis), "\n")
}

func ruleLine(l *language, r PolicyRule, usual string) string {
	s := l.say("policy.rule", "Name", code(l, r.Name, maxNameUnits), "When", code(l, r.When, maxRuleUnits))
	if r.Queue != "" && r.Queue != usual {
		s += " " + l.say("policy.rule.queue", "Queue", code(l, r.Queue, maxNameUnits))
	}
	if r.Priority == string(hitl.PriorityUrgent) {
		s += " " + l.say("policy.rule.urgent")
	}
	if r.Description != "" {
		s += " " + escape(plainName(l, r.Description, maxReasonUnits))
	}
	return s
}

// percentShare writes a share as exactly as it is configured.
func percentShare(l *language, p float64) string {
	return l.say("number.percent", "Value", l.digits(trimZeros(fmt.Sprintf("%.3f", p*100))))
}

// termsMessage says what happens to what waits in a queue.
func termsMessage(l *language, queue, channel string, q hitl.QueueRules) message {
	var facts []string
	if o := q.Ordering(); !o.ByAge() {
		facts = append(facts, l.say("terms.order", "Share", percentShare(l, o.Uniform)))
	}
	add := func(d time.Duration, words string) {
		if d > 0 {
			facts = append(facts, words)
		}
	}
	add(q.ClaimFor, l.say("terms.claim", "Long", duration(l, q.ClaimFor)))
	add(q.UndoFor, l.say("terms.undo", "Long", duration(l, q.UndoFor)))
	add(q.RemindAfter, l.say("terms.remind", "Long", duration(l, q.RemindAfter)))
	add(q.EscalateAfter, escalationTerms(l, q))
	add(q.ExpireAfter, expiryTerms(l, q))
	if q.ExpireAfter <= 0 {
		facts = append(facts, l.say("terms.never_expires"))
	}
	if !q.Hours.Always() && q.RemindAfter+q.EscalateAfter+q.ExpireAfter > 0 {
		facts = append(facts, l.say("terms.hours", "Zone", code(l, q.Hours.Zone(), maxNameUnits)))
	}
	words := "• " + strings.Join(facts, "\n• ")
	return message{
		Text: l.say("terms.title", "Queue", plainName(l, queue, maxNameUnits)) + "\n" + words,
		Blocks: []slack.Block{
			slack.NewHeaderBlock(plain(l.say("terms.title", "Queue", plainName(l, queue, maxNameUnits)))),
			contextLine(l.say("terms.channel", "Channel", "<#"+channel+">")), section(words),
		},
	}
}

func escalationTerms(l *language, q hitl.QueueRules) string {
	s := l.say("terms.escalate", "Long", duration(l, q.EscalateAfter))
	if to := q.EscalateTo.Queue; to != "" {
		s += " " + l.say("terms.escalate.queue", "Queue", code(l, to, maxNameUnits))
	}
	return s
}

func expiryTerms(l *language, q hitl.QueueRules) string {
	long := duration(l, q.ExpireAfter)
	if label, ok := q.ExpireAs.Default(); ok {
		return l.say("terms.expire.label", "Long", long, "Label", code(l, label, maxLabelUnits))
	}
	if q.ExpireAs == hitl.ExpireAILabel {
		return l.say("terms.expire.ai", "Long", long)
	}
	return l.say("terms.expire", "Long", long)
}
