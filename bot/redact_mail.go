package bot

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// How much of an address is looked at on either side of its @. RFC 5321 allows 64 and 255.
const (
	maxLocalBytes  = 256
	maxDomainBytes = 512
)

// findMails finds e-mail addresses: a local part, an @ (or %40, as it stands in links), and a domain with a dot and a top-level domain. A
// line may end beside the @ or once in the domain.
func findMails(n normal, found func(from, to int)) {
	s := n.text
	for at := range len(s) {
		width := 0
		switch {
		case s[at] == '@':
			width = 1
		case s[at] == '%' && strings.HasPrefix(s[at:], "%40"):
			width = 3
		default:
			continue
		}
		to, ok := domainEnd(s, at+width)
		if !ok {
			continue
		}
		if from, ok := localStart(s, at); ok {
			found(from, to)
		}
	}
}

// localStart returns where the local part before at begins.
func localStart(s string, at int) (from int, ok bool) {
	if at > 0 && s[at-1] == '\n' {
		at--
	}
	if at > 0 && s[at-1] == '"' {
		low := max(0, at-maxLocalBytes)
		if i := strings.LastIndexByte(s[low:at-1], '"'); i >= 0 {
			return low + i, true
		}
	}
	from = at
	for from > 0 && at-from < maxLocalBytes {
		r, size := utf8.DecodeLastRuneInString(s[:from])
		if !wordRune(r) && !strings.ContainsRune("._%+-'=~", r) {
			break
		}
		ok = ok || wordRune(r)
		from -= size
	}
	return from, ok
}

// domainEnd returns where the domain that begins at from ends.
func domainEnd(s string, from int) (to int, ok bool) {
	for _, breaks := range []int{0, 1} { // a line end is taken for a part of the domain only when it is none without
		to, left := from, breaks
		for to < len(s) && to-from < maxDomainBytes {
			r, size := utf8.DecodeRuneInString(s[to:])
			if r == '\n' && left > 0 {
				left--
			} else if !wordRune(r) && r != '-' && r != '.' {
				break
			}
			to += size
		}
		to = from + len(strings.TrimRight(s[from:to], ".-\n"))
		if isDomain(strings.ReplaceAll(s[from:to], "\n", "")) {
			return to, true
		}
	}
	return 0, false
}

// isDomain says whether one of the labels after the first could be a top-level domain.
func isDomain(s string) bool {
	_, rest, dot := strings.Cut(s, ".")
	if !dot {
		return false
	}
	for label := range strings.SplitSeq(rest, ".") {
		if strings.HasPrefix(strings.ToLower(label), "xn--") {
			return true
		}
		if utf8.RuneCountInString(label) >= 2 && !strings.ContainsFunc(label, func(r rune) bool { return !unicode.In(r, unicode.L, unicode.M) }) {
			return true
		}
	}
	return false
}

func wordRune(r rune) bool {
	return r != utf8.RuneError && unicode.In(r, unicode.L, unicode.M, unicode.N)
}
