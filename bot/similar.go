package bot

import (
	"slices"
	"strings"
	"unicode"

	"github.com/slack-go/slack"

	"hitl"
)

const (
	maxSimilar       = 5   // earlier decisions in the details
	latePrecedents   = 200 // decisions that are looked at for that
	leastAlike       = 0.3 // of the words of two texts that both have
	similarTextUnits = 150
)

// precedent is an earlier decision as the details show it: its text is screened, and empty where it is veiled.
type precedent struct {
	hitl.Precedent
	alike float64
}

// similar returns the precedents that are worth showing beside a text: those of the same text first, then those with the most words in common,
// each the newest first. precedents are in that order.
func similar(text string, precedents []hitl.Precedent) []precedent {
	mine := wordSet(text)
	var out []precedent
	for _, p := range precedents {
		if p.Twin {
			out = append(out, precedent{p, 1})
		} else if a := jaccard(mine, wordSet(p.Text)); a >= leastAlike {
			out = append(out, precedent{p, a})
		}
	}
	slices.SortStableFunc(out, func(a, b precedent) int {
		switch {
		case a.Twin != b.Twin && a.Twin, a.Twin == b.Twin && a.alike > b.alike:
			return -1
		case a.Twin != b.Twin, a.alike < b.alike:
			return 1
		}
		return 0
	})
	return out[:min(len(out), maxSimilar)]
}

// wordSet returns the words of the beginning of a text, which is all that is kept of precedents: in plain small letters, without punctuation.
func wordSet(text string) map[string]bool {
	if len(text) > hitl.MaxPrecedentChars { // bytes; as many characters or fewer
		if rs := []rune(head(text, 4*hitl.MaxPrecedentChars)); len(rs) > hitl.MaxPrecedentChars {
			text = string(rs[:hitl.MaxPrecedentChars])
		}
	}
	set := map[string]bool{}
	for _, w := range strings.FieldsFunc(strings.ToLower(normalise(text, nil).text), func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsMark(r)
	}) {
		set[w] = true
	}
	return set
}

// jaccard is the share of the words of both that both have: 0 to 1, and 0 of nothing.
func jaccard(a, b map[string]bool) float64 {
	both := 0
	for w := range a {
		if b[w] {
			both++
		}
	}
	if both == 0 {
		return 0
	}
	return float64(both) / float64(len(a)+len(b)-both)
}

// precedentBlocks show earlier decisions. Of a blind review they do not say what the model thought.
func precedentBlocks(l *language, precedents []precedent, blind bool) []slack.Block {
	if len(precedents) == 0 {
		return nil
	}
	blocks := []slack.Block{section(l.say("details.similar"))}
	for _, p := range precedents {
		ai := p.AILabel
		if blind {
			ai = ""
		}
		line := decided(l, p.Decision, ai)
		if blind {
			line = l.say("details.similar.blind", "Label", code(l, p.Decision.Label, maxLabelUnits), "When", when(l, p.Decision.At))
		}
		if p.Twin {
			line = l.say("details.similar.same", "Decision", line)
		} else {
			line = l.say("details.similar.alike", "Decision", line, "Percent", percent(l, p.alike))
		}
		blocks = append(blocks, contextLine(line))
		if p.Text != "" {
			blocks = append(blocks, quote(beginning(l, p.Precedent)))
		}
	}
	return blocks
}

// beginning is the first line of a precedent, cut where it goes on.
func beginning(l *language, p hitl.Precedent) string {
	text := oneLine(visible(l, p.Text))
	if p.Length > hitl.MaxPrecedentChars {
		text += ellipsis
	}
	return cut(isolate(text), similarTextUnits, units)
}
