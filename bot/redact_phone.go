package bot

import (
	"slices"
	"strings"
	"unicode"
)

// Digits of a telephone number, E.164; with a trunk zero in brackets one more.
const (
	minPhoneDigits = 7
	maxPhoneDigits = 16
	// maxNationalDigits is for numbers without their country.
	maxNationalDigits = 12
)

// findPhones finds telephone numbers. A number alone says little, so it must look like one: with + or 00 and a country; with a trunk
// zero and an area set apart, or ten and more digits; three, three and four digits, as in North America; or any of at least seven behind
// a word such as "tel". Orders, dates and amounts do not.
func findPhones(n normal, found func(from, to int)) {
	p := phones{n.text, digitRuns(n.text)}
	for i := range p.runs {
		if from, to, ok := p.at(i); ok {
			found(from, to)
		}
	}
}

// phones is a text with its runs of digits.
type phones struct {
	s    string
	runs []digits
}

const phoneGap = " \n-./()"

// at returns the number that begins with a run of digits.
func (p phones) at(i int) (from, to int, ok bool) {
	run := p.runs[i]
	from, plus := p.lead(run.from)
	switch {
	case plus:
		last, n := p.reach(i, maxPhoneDigits)
		return from, p.runs[last].to, n >= minPhoneDigits
	case p.isDate(i):
		return 0, 0, false
	case p.named(from):
		if last, n := p.reach(i, maxPhoneDigits); n >= minPhoneDigits {
			return from, p.runs[last].to, true
		}
	}
	switch {
	case p.american(i):
		if i > 0 && p.s[p.runs[i-1].from:p.runs[i-1].to] == "1" && p.joined(i) {
			from = p.runs[i-1].from
		}
		return from, p.runs[i+2].to, true
	case p.s[run.from] != '0' || p.inside(i):
		return 0, 0, false
	case strings.HasPrefix(p.s[run.from:run.to], "00"):
		last, n := p.reach(i, maxPhoneDigits)
		return from, p.runs[last].to, p.abroad(i, last, n)
	}
	last, n := p.reach(i, maxNationalDigits)
	return from, p.runs[last].to, p.national(i, last, n)
}

// lead returns where a number begins that may have brackets and a plus before its first digit.
func (p phones) lead(at int) (from int, plus bool) {
	from = at
	for i := at - 1; i >= 0 && at-i <= maxGap; i-- {
		switch p.s[i] {
		case '(':
			from = i
		case ' ':
		case '+':
			if i > 0 && p.s[i-1] == '(' {
				i--
			}
			return i, true
		default:
			return from, false
		}
	}
	return from, false
}

func (p phones) joined(i int) bool { return joined(p.s, p.runs[i-1].to, p.runs[i].from, phoneGap) }

// reach returns the last of the runs that go on with a number, as far as they have not more than a number of digits, and how many these are.
func (p phones) reach(i, most int) (last, n int) {
	if n = p.runs[i].len(); n > most {
		return i, 0
	}
	for last = i; last+1 < len(p.runs) && p.joined(last+1) && n+p.runs[last+1].len() <= most; last++ {
		n += p.runs[last+1].len()
	}
	return last, n
}

// inside says whether a run is a part of something longer: a word, an order number.
func (p phones) inside(i int) bool {
	at := p.runs[i].from
	if at == 0 {
		return false
	}
	c := p.s[at-1]
	return isLetter(c) || strings.IndexByte("#_", c) >= 0 || strings.IndexByte("-./", c) >= 0 && at > 1 && (isDigit(p.s[at-2]) || isLetter(p.s[at-2]))
}

// runsOn says whether a letter follows a run, as in a hash.
func (p phones) runsOn(i int) bool {
	end := p.runs[i].to
	return end < len(p.s) && isLetter(p.s[end])
}

// abroad: 00, a country, a number.
func (p phones) abroad(i, last, n int) bool {
	run := p.runs[i]
	if run.len() > 2 && p.s[run.from+2] == '0' {
		return false
	}
	return last > i && n >= 9 || n >= 11 && !p.runsOn(i)
}

// national: a trunk zero and an area, then the number.
func (p phones) national(i, last, n int) bool {
	first := p.runs[i]
	if first.len() < 2 || n < minPhoneDigits {
		return false
	}
	if last == i {
		return n >= 10 && n <= 11 && !p.runsOn(i)
	}
	shortest, longest := maxPhoneDigits, 0
	for _, r := range p.runs[i+1 : last+1] {
		shortest, longest = min(shortest, r.len()), max(longest, r.len())
	}
	if first.len() == 2 {
		return shortest >= 3 && n >= 8 || longest == 2 && shortest == 2 && last-i == 4 // Paris: 01 42 68 53 00
	}
	return shortest >= 2
}

// american: an area, an exchange and a line; neither of the first two begins with 0 or 1.
func (p phones) american(i int) bool {
	if i+2 >= len(p.runs) || p.runs[i].len() != 3 || p.runs[i+1].len() != 3 || p.runs[i+2].len() != 4 {
		return false
	}
	if p.s[p.runs[i].from] < '2' || p.s[p.runs[i+1].from] < '2' || !p.joined(i+1) || !p.joined(i+2) {
		return false
	}
	if i > 0 && p.inside(i) && p.s[p.runs[i-1].from:p.runs[i-1].to] != "1" {
		return false
	}
	end := p.runs[i+2].to
	return end == len(p.s) || strings.IndexByte("-/", p.s[end]) < 0 || end+1 == len(p.s) || !isDigit(p.s[end+1])
}

// isDate says whether a date begins with a run: 2024-05-01, 01.05.2024, 5/1/24.
func (p phones) isDate(i int) bool {
	if i+2 >= len(p.runs) {
		return false
	}
	a, b, c := p.runs[i], p.runs[i+1], p.runs[i+2]
	if b.from-a.to != 1 || c.from-b.to != 1 || p.s[a.to] != p.s[b.to] || strings.IndexByte("-./", p.s[a.to]) < 0 || b.len() > 2 {
		return false
	}
	if i+3 < len(p.runs) && p.runs[i+3].from-c.to == 1 && p.s[c.to] == p.s[a.to] {
		return false // it goes on: 06.12.34.56.78
	}
	return a.len() == 4 && c.len() <= 2 || a.len() <= 2 && (c.len() == 2 || c.len() == 4)
}

var (
	phoneWords = []string{
		"call", "cell", "cellphone", "cellular", "fax", "fon", "handy", "handynummer", "hotline", "mobil", "mobile", "mobilnummer", "móvil", "phone",
		"rufnummer", "sms", "tel", "tél", "telefax", "telefon", "telefonnummer", "telefone", "telefono", "teléfono", "telephone", "téléphone",
		"telefoon", "text", "whatsapp",
	}
	phoneFillers = []string{"at", "es", "est", "is", "ist", "me", "mich", "no", "nr", "number", "numero", "on", "unter", "us"}
)

// maxWordBytes is how far before a number a word is looked for that names it.
const maxWordBytes = 32

// named says whether a word before a number says that it is a telephone's.
func (p phones) named(at int) bool {
	low := max(0, at-maxWordBytes)
	before := strings.TrimRight(p.s[low:at], phoneGap+":#+=")
	if before == "" || isDigit(before[len(before)-1]) {
		return false // as nearly always in a table of numbers
	}
	words := strings.FieldsFunc(strings.ToLower(before), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	for _, w := range slices.Backward(words) {
		if slices.Contains(phoneWords, w) {
			return true
		}
		if !slices.Contains(phoneFillers, w) {
			return false
		}
	}
	return false
}
