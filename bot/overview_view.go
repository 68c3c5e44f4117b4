package bot

import (
	"strings"
	"time"

	"github.com/slack-go/slack"

	"hitl"
)

// maxPeopleUnits is how much of who reviews and owns a queue is written.
const maxPeopleUnits = 1200

// overviewMessage shows one queue. Everything the chart shows is in the words. It is pure.
func overviewMessage(l *language, o overview, chart bool) message {
	title := l.say("overview.title", "Queue", plainName(l, o.name, maxNameUnits))
	blocks := []slack.Block{
		slack.NewHeaderBlock(plain(title)), contextLine(l.say("terms.channel", "Channel", "<#"+o.queue.Channel+">")),
	}
	var text []string
	for _, part := range o.parts(l) {
		if len(part.facts) == 0 {
			continue
		}
		words := "*" + part.title + "*\n• " + strings.Join(part.facts, "\n• ")
		blocks = append(blocks, section(words))
		text = append(text, words)
		if c := flowChart(l, o); part.charted && chart && c != nil {
			blocks = append(blocks, c)
		}
	}
	return message{Text: wholeLines(escape(title)+"\n"+strings.Join(text, "\n"), maxPolicyText), Blocks: blocks}
}

// overviewPart is a paragraph of facts.
type overviewPart struct {
	title   string
	facts   []string
	charted bool // the chart belongs to it
}

func (o overview) parts(l *language) []overviewPart {
	return []overviewPart{
		{title: l.say("overview.paused"), facts: o.pauseFacts(l)},
		{title: l.say("overview.waits"), facts: o.waitFacts(l)},
		{title: l.say("overview.deadlines"), facts: o.deadlineFacts(l)},
		{title: l.say("overview.today"), facts: o.todayFacts(l)},
		{title: l.say("overview.pace"), facts: o.paceFacts(l), charted: true},
		{title: l.say("overview.people"), facts: o.peopleFacts(l)},
		{title: l.say("overview.how"), facts: o.howFacts(l)},
	}
}

func (o overview) pauseFacts(l *language) []string {
	if o.pause == nil {
		return nil
	}
	facts := []string{l.say("overview.paused.by", "Who", byWhom(l, o.pause.By), "When", when(l, o.pause.At))}
	if reason := o.pause.Reason; reason != "" {
		facts = append(facts, l.say("notice.paused.why", "Reason", escape(plainName(l, reason, maxReasonUnits))))
	}
	return append(facts, l.say("overview.paused.until"))
}

func (o overview) waitFacts(l *language) []string {
	if o.state.Total().Open == 0 {
		return []string{l.say("stats.open.none")}
	}
	var facts []string
	for _, p := range []struct {
		priority hitl.Priority
		name     string
	}{
		{hitl.PriorityUrgent, l.say("overview.urgent")},
		{hitl.PriorityNormal, l.say("overview.normal")},
		{hitl.PrioritySample, l.say("overview.sample")},
	} {
		if w := o.state.Open[p.priority]; w.Open > 0 {
			facts = append(facts, l.say("overview.open", "Priority", p.name, "Open", w.Open, "Oldest", duration(l, w.OldestAge)))
		}
	}
	facts = append(facts, l.say("overview.claimed", "N", o.state.Claimed))
	if o.waiting >= 0 {
		facts = append(facts, l.say("overview.cards", "N", int(o.waiting)))
	}
	return facts
}

// deadlineFacts are the queue's deadlines, each with how much has passed it.
func (o overview) deadlineFacts(l *language) []string {
	var facts []string
	add := func(after time.Duration, words string, passed int) {
		if after > 0 {
			facts = append(facts, words+" "+l.say("overview.passed", "N", passed))
		}
	}
	add(o.rules.RemindAfter, l.say("terms.remind", "Long", duration(l, o.rules.RemindAfter)), o.state.Reminded)
	add(o.rules.EscalateAfter, escalationTerms(l, o.rules), o.state.Escalated)
	add(o.rules.ExpireAfter, expiryTerms(l, o.rules), o.state.Expired)
	if at := o.state.NextExpiry; !at.IsZero() {
		facts = append(facts, l.say("overview.next_expiry", "When", when(l, at)))
	}
	if len(facts) == 0 {
		return []string{l.say("overview.no_deadlines")}
	}
	return facts
}

func (o overview) todayFacts(l *language) []string {
	s := o.today
	facts := []string{l.say("overview.today.came", "N", s.Reviewed, "Rate", rate(l, s.ReviewRate), "Zone", code(l, o.zone.String(), maxNameUnits))}
	if s.Accepted+s.Corrected == 0 {
		return append(facts, l.say("overview.today.none", "Expired", s.Expired))
	}
	return append(facts, l.say("overview.today.decided", "N", s.Accepted+s.Corrected, "Corrected", rate(l, s.CorrectionRate), "Expired", s.Expired,
		"Median", duration(l, s.MedianToDecide)))
}

// paceFacts say how fast the queue moves, and how long what waits lasts at that pace.
func (o overview) paceFacts(l *language) []string {
	open := o.state.Total().Open
	f := flowOf(o.day, open)
	facts := []string{l.say("overview.pace.now", "Arrived", l.decimals(f.arrived, 1), "Done", l.decimals(f.done, 1))}
	switch {
	case open == 0:
	case f.done <= 0:
		facts = append(facts, l.say("overview.pace.still"))
	case f.lasts > 0:
		facts = append(facts, l.say("overview.pace.lasts", "Long", duration(l, f.lasts), "Alone", duration(l, f.alone)))
	default:
		facts = append(facts, l.say("overview.pace.grows", "Faster", l.decimals(f.arrived-f.done, 1), "Alone", duration(l, f.alone)))
	}
	names := bucketNames(l, o.day.Buckets, o.zone)
	var parts []string
	for i, b := range o.day.Buckets {
		if done := b.Accepted + b.Corrected + b.Expired; i < len(names) && b.Reviewed+done > 0 {
			parts = append(parts, l.say("overview.pace.slice", "Time", names[i], "Arrived", b.Reviewed, "Done", done))
		}
	}
	if len(parts) > 0 {
		facts = append(facts, strings.Join(parts, "; "))
	}
	return facts
}

// flowChart draws what came and what was done over the last day, or nothing when nothing was.
func flowChart(l *language, o overview) slack.Block {
	names := bucketNames(l, o.day.Buckets, o.zone)
	if len(names) == 0 || len(names) > maxCategories || o.day.Reviewed+o.day.Decisions == 0 {
		return nil
	}
	series := func(name string, value func(hitl.StatsBucket) int) slack.DataVisualizationDataSeries {
		points := make([]slack.DataVisualizationDataPoint, len(names))
		for i, b := range o.day.Buckets {
			points[i] = slack.NewDataVisualizationDataPoint(names[i], float64(value(b)))
		}
		return slack.NewDataVisualizationDataSeries(name, points...)
	}
	axis := slack.NewDataVisualizationAxisConfig(names...).WithXLabel(cut(l.say("stats.chart.time", "Zone", o.zone.String()), maxAxisUnits, units)).
		WithYLabel(l.say("overview.chart.reviews"))
	return slack.NewDataVisualizationBlock(l.say("overview.chart.title"), slack.NewDataVisualizationBarChart(axis,
		series(l.say("overview.chart.arrived"), func(b hitl.StatsBucket) int { return b.Reviewed }),
		series(l.say("overview.chart.done"), func(b hitl.StatsBucket) int { return b.Accepted + b.Corrected + b.Expired }),
	))
}

func (o overview) peopleFacts(l *language) []string {
	people := func(who Reviewers) string { return cutWords(mentions(who), maxPeopleUnits) }
	reviewers := people(o.queue.Reviewers)
	if of := o.queue.Reviewers.MembersOf; of != "" {
		reviewers = strings.TrimSpace(reviewers + " " + l.say("overview.members", "Channel", "<#"+of+">"))
	}
	facts := []string{l.say("overview.reviewers", "Who", reviewers)}
	if owners := people(Reviewers{Users: o.queue.Owners.Users, Groups: o.queue.Owners.Groups}); owners != "" {
		facts = append(facts, l.say("overview.owners", "Who", owners))
	} else {
		facts = append(facts, l.say("overview.no_owners"))
	}
	return facts
}

// cutWords keeps as many of the first words, none of which can be cut, as fit.
func cutWords(s string, limit int) string {
	var out []string
	for word := range strings.FieldsSeq(s) {
		if limit -= units(word) + 1; limit < 0 {
			out = append(out, ellipsis)
			break
		}
		out = append(out, word)
	}
	return strings.Join(out, " ")
}

// howFacts say how the queue's reviews are judged, and when.
func (o overview) howFacts(l *language) []string {
	var facts []string
	if p := o.rules.Panel; p.Reviewers > 1 && p.Share > 0 {
		facts = append(facts, l.say("overview.panel", "Reviewers", p.Reviewers, "Share", percentShare(l, p.Share)))
	} else {
		facts = append(facts, l.say("overview.no_panel"))
	}
	if s := o.rules.BlindShare; s > 0 {
		facts = append(facts, l.say("overview.blind", "Share", percentShare(l, s)))
	} else {
		facts = append(facts, l.say("overview.not_blind"))
	}
	h := o.rules.Hours
	switch {
	case h.Always():
		facts = append(facts, l.say("overview.always"))
	case h.Open(o.now):
		facts = append(facts, l.say("overview.open_now", "Zone", code(l, h.Zone(), maxNameUnits)))
	default:
		facts = append(facts, l.say("overview.closed_now", "Zone", code(l, h.Zone(), maxNameUnits), "When", when(l, h.Next(o.now))))
	}
	return facts
}
