package bot

import "strings"

// digits is a run of ASCII digits in a text.
type digits struct{ from, to int }

func (d digits) len() int { return d.to - d.from }

// digitRuns returns all runs of digits of a text.
func digitRuns(s string) []digits {
	var runs []digits
	for i := 0; i < len(s); i++ {
		if !isDigit(s[i]) {
			continue
		}
		from := i
		for i < len(s) && isDigit(s[i]) {
			i++
		}
		runs = append(runs, digits{from, i})
	}
	return runs
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// maxGap is how much may stand between two parts of a number.
const maxGap = 3

// joined says whether there is something between two places of a text, and only characters that may stand inside a number.
func joined(s string, from, to int, inside string) bool {
	if to <= from || to-from > maxGap {
		return false
	}
	for ; from < to; from++ {
		if strings.IndexByte(inside, s[from]) < 0 {
			return false
		}
	}
	return true
}

// Lengths of payment card numbers, ISO/IEC 7812.
const (
	minCardDigits = 13
	maxCardDigits = 19
)

// findCards finds payment card numbers: 13 to 19 digits, in groups of any length, with a good check digit. One in ten numbers of that length
// has one by chance. A number that has more digits before or behind, without anything between, is another number.
func findCards(n normal, found func(from, to int)) {
	runs := digitRuns(n.text)
	for i := range runs {
		var sum luhn
		for j := i; j < len(runs); j++ {
			if j > i && !joined(n.text, runs[j-1].to, runs[j].from, " \n-._/") || sum.n+runs[j].len() > maxCardDigits {
				break
			}
			for _, c := range []byte(n.text[runs[j].from:runs[j].to]) {
				sum.add(c)
			}
			if sum.n >= minCardDigits && sum.good() {
				found(runs[i].from, runs[j].to)
			}
		}
	}
}

// luhn computes the check of ISO/IEC 7812-1, annex B, digit by digit from the left. Which digits count double depends on how many there are
// in the end, so it keeps both sums.
type luhn struct {
	n    int
	sums [2]int // sums[p]: with the digits at positions of parity p doubled
}

func (l *luhn) add(c byte) {
	d := int(c - '0')
	double := 2 * d
	if double > 9 {
		double -= 9
	}
	l.sums[l.n%2] += double
	l.sums[1-l.n%2] += d
	l.n++
}

func (l *luhn) good() bool { return l.sums[l.n%2]%10 == 0 }
