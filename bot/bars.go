package bot

import (
	"math"
	"slices"
	"strings"

	"hitl"
)

const (
	maxBars      = 15
	barCells     = 10
	barNameUnits = 28
)

// bars draws probabilities, the most likely first, one line each: the label, a bar, the figure. Of very many it sums up the least likely.
func bars(l *language, scores []hitl.Score) string {
	scores = slices.Clone(scores)
	slices.SortStableFunc(scores, func(a, b hitl.Score) int {
		switch {
		case a.Probability > b.Probability:
			return -1
		case a.Probability < b.Probability:
			return 1
		}
		return 0
	})
	var names []string
	var values []float64
	rest := 0.0
	for i, s := range scores {
		if i >= maxBars {
			rest += s.Probability
			continue
		}
		names, values = append(names, plainName(l, s.Label, barNameUnits)), append(values, s.Probability)
	}
	if n := len(scores) - maxBars; n > 0 {
		names, values = append(names, l.say("details.other_labels", "N", n)), append(values, rest)
	}
	width := 0
	for _, name := range names {
		width = max(width, units(name))
	}
	var lines []string
	for i, name := range names {
		lines = append(lines, name+strings.Repeat(" ", width-units(name))+" "+bar(values[i])+" "+percent(l, values[i]))
	}
	return strings.Join(lines, "\n")
}

// bar draws a probability; what is none is drawn as the nearest that is.
func bar(p float64) string {
	full := 0
	if p > 0 {
		full = int(math.Round(min(p, 1) * barCells))
	}
	return strings.Repeat("█", full) + strings.Repeat("░", barCells-full)
}
