package bot

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/slack-go/slack"

	"hitl"
)

// Lengths of what stands beside the item's text, in Slack's characters.
const (
	maxNameUnits    = 60  // queue, source, rule
	maxLabelUnits   = 100 // a label in a line of text
	maxWhyUnits     = 800 // escaped
	maxReasonUnits  = 150
	maxCommentUnits = 600
)

// percent writes a probability so that neither certainty nor impossibility is claimed without being there.
func percent(l *language, p float64) string {
	switch {
	case p > 0 && p < 0.01:
		return "<" + l.say("number.percent", "Value", "1")
	case p < 1 && p >= 0.995:
		return ">" + l.say("number.percent", "Value", "99")
	}
	return l.say("number.percent", "Value", l.decimals(p*100, 0))
}

// percents writes two different probabilities with as many decimals as it takes to tell them apart.
func percents(l *language, a, b float64) (string, string) {
	for digits := range 4 {
		x, y := fmt.Sprintf("%.*f", digits, a*100), fmt.Sprintf("%.*f", digits, b*100)
		if x != y || a == b {
			return l.say("number.percent", "Value", l.digits(trimZeros(x))), l.say("number.percent", "Value", l.digits(trimZeros(y)))
		}
	}
	return l.decimals(a, -1), l.decimals(b, -1)
}

func trimZeros(s string) string {
	if !strings.Contains(s, ".") {
		return s
	}
	return strings.TrimSuffix(strings.TrimRight(s, "0"), ".")
}

// why says in words why a record needs a person, as mrkdwn. Of very many reasons it names the first and counts the others.
func why(l *language, rec hitl.Record) string {
	var words []string
	used := 0
	for i, t := range rec.Route.Triggers {
		word := trigger(l, t, rec)
		if slices.Contains(words, word) {
			continue
		}
		if used += units(word); used > maxWhyUnits && i > 0 {
			words = append(words, l.say("more", "More", len(rec.Route.Triggers)-i))
			break
		}
		words = append(words, word)
	}
	if len(words) == 0 {
		return l.say("why.policy")
	}
	return strings.Join(words, "; ")
}

// trigger says why in words. Where the model's answer is not shown, a rule is not named, nor a label: either may tell it.
func trigger(l *language, t hitl.Trigger, rec hitl.Record) string {
	if _, ok := t.Rule(); rec.Sealed() && (ok || t == hitl.TriggerAlwaysReview) {
		return l.say("why.policy")
	}
	if name, ok := t.Rule(); ok {
		return l.say("why.rule", "Rule", code(l, name, maxNameUnits))
	}
	switch t {
	case hitl.TriggerLowConfidence:
		if rec.Sealed() {
			return l.say("why.low_confidence.sealed")
		}
		confidence, threshold := percents(l, rec.Prediction.Confidence, rec.Route.Threshold)
		return l.say("why.low_confidence", "Confidence", confidence, "Threshold", threshold)
	case hitl.TriggerSample:
		return l.say("why.sample")
	case hitl.TriggerAlwaysReview:
		return l.say("why.always_review", "Label", code(l, rec.Prediction.Label, maxLabelUnits))
	case hitl.TriggerNoModel:
		return l.say("why.no_model")
	case hitl.TriggerModelError:
		if rec.Failure == "" {
			return l.say("why.model_error")
		}
		return l.say("why.model_error_is", "Failure", escape(plainName(l, rec.Failure, maxReasonUnits)))
	case hitl.TriggerTruncated:
		return l.say("why.truncated")
	}
	return code(l, string(t), maxNameUnits)
}

// when writes a time in the reader's own time zone, as mrkdwn.
func when(l *language, t time.Time) string { return date(t, l.say("date.when")) }

// ago writes how long a time is past, as mrkdwn; Slack keeps it up to date.
func ago(t time.Time) string { return date(t, "{ago}") }

func date(t time.Time, format string) string {
	return fmt.Sprintf("<!date^%d^%s|%s>", t.Unix(), format, t.UTC().Format("2006-01-02 15:04 UTC"))
}

// who names a reviewer, as mrkdwn: a mention where it is a person of Slack's.
func who(l *language, r hitl.Reviewer) string {
	if slackUser(r.User) {
		return "<@" + r.User + ">"
	}
	switch r.User {
	case "system":
		return l.say("who.clock")
	case "panel":
		return l.say("who.panel")
	}
	return code(l, r.String(), maxNameUnits)
}

func slackUser(id string) bool {
	if len(id) < 2 || len(id) > 32 || (id[0] != 'U' && id[0] != 'W') {
		return false
	}
	for _, c := range []byte(id) {
		if (c < 'A' || c > 'Z') && (c < '0' || c > '9') {
			return false
		}
	}
	return true
}

// verdict says what a decision was, as mrkdwn: `*Accepted* NEGATIVE`.
func verdict(l *language, d hitl.Decision, aiLabel string) string {
	switch d.Status {
	case hitl.HumanAccepted:
		return l.say("verdict.accepted", "Label", code(l, d.Label, maxLabelUnits))
	case hitl.HumanCorrected:
		if aiLabel == "" {
			return l.say("verdict.labelled", "Label", code(l, d.Label, maxLabelUnits))
		}
		return l.say("verdict.corrected", "From", code(l, aiLabel, maxLabelUnits), "To", code(l, d.Label, maxLabelUnits))
	case hitl.Expired:
		if d.Label != "" {
			return l.say("verdict.expired_as", "Label", code(l, d.Label, maxLabelUnits))
		}
		return l.say("verdict.expired")
	case hitl.Cancelled:
		return l.say("verdict.cancelled")
	case hitl.AIAccepted, hitl.HumanReview, hitl.Revealed, hitl.Erased, hitl.Voted, hitl.SkippedByOne, hitl.Reopened, hitl.Escalated, hitl.Noted, hitl.ChangeAccepted, hitl.ChangeDeclined, hitl.Detached:
	}
	return code(l, string(d.Status), maxNameUnits)
}

// decided says what was decided, by whom and when, as mrkdwn.
func decided(l *language, d hitl.Decision, aiLabel string) string {
	if d.Status == hitl.Expired || byNobody(d) {
		return l.say("verdict.by_nobody", "Verdict", verdict(l, d, aiLabel), "When", when(l, d.At))
	}
	return l.say("verdict.by", "Verdict", verdict(l, d, aiLabel), "Who", who(l, d.Reviewer), "When", when(l, d.At))
}

// byNobody says whether a review was cancelled by the service itself: its item was erased.
func byNobody(d hitl.Decision) bool { return d.Status == hitl.Cancelled && d.Reviewer.User == "system" }

// duration writes a time span in its two largest units.
func duration(l *language, d time.Duration) string {
	switch {
	case d < time.Second:
		return l.say("duration.ms", "MS", int(d.Milliseconds()))
	case d < time.Minute:
		return l.say("duration.s", "S", int(math.Round(d.Seconds())))
	case d < time.Hour:
		return l.say("duration.min", "Min", int(d.Minutes()), "S", int(d.Seconds())%60)
	case d < 24*time.Hour:
		return l.say("duration.h", "H", int(d.Hours()), "Min", int(d.Minutes())%60)
	}
	return l.say("duration.d", "N", int(d.Hours())/24, "H", int(d.Hours())%24)
}

// plain makes a text object in which nothing is interpreted.
func plain(s string) *slack.TextBlockObject {
	return slack.NewTextBlockObject(slack.PlainTextType, s, false, false)
}

// mrkdwn makes a text object of words written by us. verbatim keeps Slack from linking what merely looks like a name or an address.
func mrkdwn(s string) *slack.TextBlockObject {
	return slack.NewTextBlockObject(slack.MarkdownType, s, false, true)
}

func section(s string) slack.Block { return slack.NewSectionBlock(mrkdwn(s), nil, nil) }

func contextLine(s string) slack.Block { return slack.NewContextBlock("", mrkdwn(s)) }

// quote shows somebody else's words: literally, and set apart from ours by a bar, so that they cannot pass for a part of the card.
func quote(s string) slack.Block {
	return slack.NewRichTextBlock("", &slack.RichTextQuote{
		Type: slack.RTEQuote, Elements: []slack.RichTextSectionElement{slack.NewRichTextSectionTextElement(s, nil)},
	})
}
