package bot

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/slack-go/slack"

	"hitl"
)

// stampingMessage tells a queue's owners of a reviewer whose decisions of a week look as if they had not been read: the figures, and that there may be
// good reasons for them.
func stampingMessage(l *language, n hitl.Notice) (message, error) {
	var bad error
	number := func(key string) int {
		v, err := strconv.Atoi(n.Data[key])
		if err != nil && bad == nil {
			bad = fmt.Errorf("notice without %s: %w: %w", key, err, hitl.ErrPermanent)
		}
		return v
	}
	share := func(part, whole string) string {
		k, n := number(part), number(whole)
		p := 0.0
		if n > 0 {
			p = float64(k) / float64(n)
		}
		return l.say("stamping.share", "Part", k, "Whole", n, "Rate", rate(l, p))
	}
	name := who(l, hitl.Reviewer{Team: n.Data["team"], User: n.Data["user"]})
	intro := l.say("stamping.intro", "Who", name, "Queue", code(l, n.Queue, maxNameUnits), "Week", code(l, n.Data["week"], maxNameUnits))
	facts := []string{
		l.say("stamping.pace", "Seconds", l.decimals(float64(number("median_gap_ms"))/1000, 1), "Gaps", number("gaps")),
		l.say("stamping.corrected", "Own", share("corrected", "judged"), "Others", share("others_corrected", "others_judged")),
	}
	if number("known") > 0 {
		facts = append(facts, l.say("stamping.known", "Own", share("missed", "known"), "Others", share("others_missed", "others_known")))
	}
	if bad != nil {
		return message{}, bad
	}
	words := "• " + strings.Join(facts, "\n• ")
	fair := l.say("stamping.fair")
	return message{
		Text:   intro + "\n" + words + "\n" + fair,
		Blocks: []slack.Block{section(intro), section(words), contextLine(fair)},
	}, nil
}
