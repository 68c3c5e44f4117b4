package bot

import (
	"fmt"
	"math"
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
func percent(p float64) string {
	switch {
	case p > 0 && p < 0.01:
		return "<1%"
	case p < 1 && p >= 0.995:
		return ">99%"
	}
	return fmt.Sprintf("%.0f%%", p*100)
}

// percents writes two different probabilities with as many decimals as it takes to tell them apart.
func percents(a, b float64) (string, string) {
	for digits := range 4 {
		x, y := fmt.Sprintf("%.*f", digits, a*100), fmt.Sprintf("%.*f", digits, b*100)
		if x != y || a == b {
			return trimZeros(x) + "%", trimZeros(y) + "%"
		}
	}
	return fmt.Sprintf("%v", a), fmt.Sprintf("%v", b)
}

func trimZeros(s string) string {
	if !strings.Contains(s, ".") {
		return s
	}
	return strings.TrimSuffix(strings.TrimRight(s, "0"), ".")
}

// why says in words why a record needs a person, as mrkdwn. Of very many reasons it names the first and counts the others.
func why(rec hitl.Record) string {
	var words []string
	used := 0
	for i, t := range rec.Route.Triggers {
		word := trigger(t, rec)
		if used += units(word); used > maxWhyUnits && i > 0 {
			words = append(words, fmt.Sprintf("and %d more", len(rec.Route.Triggers)-i))
			break
		}
		words = append(words, word)
	}
	if len(words) == 0 {
		return "its policy says so"
	}
	return strings.Join(words, "; ")
}

func trigger(t hitl.Trigger, rec hitl.Record) string {
	if name, ok := t.Rule(); ok {
		return "rule " + code(name, maxNameUnits)
	}
	switch t {
	case hitl.TriggerLowConfidence:
		confidence, threshold := percents(rec.Prediction.Confidence, rec.Route.Threshold)
		return fmt.Sprintf("confidence %s is below %s", confidence, threshold)
	case hitl.TriggerSample:
		return "quality sample"
	case hitl.TriggerAlwaysReview:
		return code(rec.Prediction.Label, maxLabelUnits) + " is always reviewed"
	case hitl.TriggerModelError:
		if rec.Failure == "" {
			return "the model failed"
		}
		return "the model failed: " + escape(plainName(rec.Failure, maxReasonUnits))
	case hitl.TriggerTruncated:
		return "the text was cut to the model's limit"
	}
	return code(string(t), maxNameUnits)
}

// when writes a time in the reader's own time zone, as mrkdwn.
func when(t time.Time) string { return date(t, "{date_short_pretty} at {time}") }

// ago writes how long a time is past, as mrkdwn; Slack keeps it up to date.
func ago(t time.Time) string { return date(t, "{ago}") }

func date(t time.Time, format string) string {
	return fmt.Sprintf("<!date^%d^%s|%s>", t.Unix(), format, t.UTC().Format("2006-01-02 15:04 UTC"))
}

// who names a reviewer, as mrkdwn: a mention where it is a person of Slack's.
func who(r hitl.Reviewer) string {
	if slackUser(r.User) {
		return "<@" + r.User + ">"
	}
	if r.User == "system" {
		return "the clock"
	}
	return code(r.String(), maxNameUnits)
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
func verdict(d hitl.Decision, aiLabel string) string {
	switch d.Status {
	case hitl.HumanAccepted:
		return "✓ *Accepted* " + code(d.Label, maxLabelUnits)
	case hitl.HumanCorrected:
		if aiLabel == "" {
			return "✎ *Labelled* " + code(d.Label, maxLabelUnits)
		}
		return "✎ *Corrected* " + code(aiLabel, maxLabelUnits) + " → " + code(d.Label, maxLabelUnits)
	case hitl.Expired:
		return "⌛ *Expired*: nobody decided in time"
	case hitl.Cancelled:
		return "⊘ *Cancelled*"
	case hitl.AIAccepted, hitl.HumanReview, hitl.Revealed, hitl.Erased, hitl.Voted, hitl.SkippedByOne, hitl.Reopened, hitl.Noted:
	}
	return code(string(d.Status), maxNameUnits)
}

// decided says what was decided, by whom and when, as mrkdwn.
func decided(d hitl.Decision, aiLabel string) string {
	if d.Status == hitl.Expired || byNobody(d) {
		return verdict(d, aiLabel) + " (" + when(d.At) + ")"
	}
	return verdict(d, aiLabel) + " by " + who(d.Reviewer) + ", " + when(d.At)
}

// byNobody says whether a review was cancelled by the service itself: its item was erased.
func byNobody(d hitl.Decision) bool { return d.Status == hitl.Cancelled && d.Reviewer.User == "system" }

// duration writes a time span in its two largest units.
func duration(d time.Duration) string {
	switch {
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(math.Round(d.Seconds())))
	case d < time.Hour:
		return fmt.Sprintf("%d min %d s", int(d.Minutes()), int(d.Seconds())%60)
	case d < 24*time.Hour:
		return fmt.Sprintf("%d h %d min", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%d d %d h", int(d.Hours())/24, int(d.Hours())%24)
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
