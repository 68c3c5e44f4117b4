package bot

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/rivo/uniseg"
)

// How much of what cannot be seen is let through as it is. Joiners, variation selectors and accents are part of honest text; long
// runs of them hide something or smear over the neighbouring lines.
const (
	maxInvisibleRun = 3
	maxMarkRun      = 8
	maxFlagTags     = 7 // the flags of England, Scotland and Wales are a black flag and six or seven tags
	blackFlag       = '\U0001F3F4'
)

// bidiNames are the characters that reorder what follows them; they are shown by name instead.
var bidiNames = map[rune]string{
	'\u202A': "[LRE]", '\u202B': "[RLE]", '\u202C': "[PDF]", '\u202D': "[LRO]", '\u202E': "[RLO]",
	'\u2066': "[LRI]", '\u2067': "[RLI]", '\u2068': "[FSI]", '\u2069': "[PDI]",
}

// visible returns a text in the form in which it may be shown to a reviewer: what would act on the display or hide from the eye
// is replaced by something that can be seen. Ordinary text in any script comes back unchanged, apart from line ends.
func visible(l *language, s string) string {
	v := viewer{l: l}
	v.out.Grow(len(s))
	s = strings.ReplaceAll(s, "\r\n", "\n")
	for _, r := range s { // invalid bytes arrive as U+FFFD
		if r >= ' ' && r < 0x7f && v.runN == 0 { // nearly all of most texts
			v.last, v.marks, v.seen = r, 0, v.seen || r != ' '
			v.out.WriteByte(byte(r))
			continue
		}
		v.rune(r)
	}
	v.flush()
	if !v.seen {
		return l.say("text.nothing_visible", "N", utf8.RuneCountInString(s))
	}
	return v.out.String()
}

// viewer is the state of visible: a run of invisible characters is held back until its length is known.
type viewer struct {
	l     *language
	out   strings.Builder
	run   []rune
	runN  int
	last  rune // last visible character
	marks int
	seen  bool
}

func (v *viewer) rune(r rune) {
	if invisible(r) {
		v.runN++
		if len(v.run) < maxFlagTags {
			v.run = append(v.run, r)
		}
		return
	}
	v.flush()
	if unicode.In(r, unicode.Mn, unicode.Me) {
		if v.marks++; v.marks > maxMarkRun {
			return
		}
	} else {
		v.marks = 0
	}
	v.last = r
	switch name, bidi := bidiNames[r]; {
	case bidi:
		v.out.WriteString(name)
		v.seen = true
	case r == '\n', r == '\u2028', r == '\u2029', r == '\u0085', r == '\v', r == '\f', r == '\r':
		v.out.WriteByte('\n')
	case r == '\t':
		v.out.WriteByte('\t')
	case r < ' ':
		v.out.WriteRune('\u2400' + r) // Unicode's control pictures
		v.seen = true
	case r == 0x7f:
		v.out.WriteRune('\u2421')
		v.seen = true
	case unicode.IsControl(r), r&0xFFFE == 0xFFFE, r >= 0xFDD0 && r <= 0xFDEF:
		v.out.WriteRune(utf8.RuneError) // C1 controls and noncharacters have no picture
		v.seen = true
	default:
		v.out.WriteRune(r)
		v.seen = v.seen || !unicode.IsSpace(r)
	}
}

// flush writes a finished run of invisible characters: as it is when short, else its length.
func (v *viewer) flush() {
	if v.runN == 0 {
		return
	}
	if v.runN <= maxInvisibleRun || (v.last == blackFlag && v.runN <= maxFlagTags && allTags(v.run)) {
		v.out.WriteString(string(v.run[:v.runN]))
	} else {
		v.out.WriteString(v.l.say("text.invisible", "N", v.runN))
		v.seen = true
	}
	v.run, v.runN = v.run[:0], 0
}

// invisible says whether a character takes no place on the screen, or an empty one that is no space.
func invisible(r rune) bool {
	switch {
	case r < 0xAD:
		return false
	case bidiNames[r] != "":
		return false // shown by name
	case r == '\u034F', r == '\u115F', r == '\u1160', r == '\u17B4', r == '\u17B5', r == '\u2800', r == '\u3164', r == '\uFFA0':
		return true // joiner, fillers, blanks
	case r >= '\uFE00' && r <= '\uFE0F', r >= 0xE0100 && r <= 0xE01EF, r >= '\u180B' && r <= '\u180F':
		return true // variation selectors
	case r >= 0xE0000 && r <= 0xE0FFF:
		return true // tags and unassigned ignorables
	}
	return unicode.Is(unicode.Cf, r)
}

func allTags(rs []rune) bool {
	for _, r := range rs {
		if r < 0xE0020 || r > 0xE007F {
			return false
		}
	}
	return true
}

// isolate keeps right-to-left text from reordering what stands around it on the same line.
func isolate(s string) string {
	if strings.ContainsFunc(s, rightToLeft) {
		return "\u2068" + s + "\u2069"
	}
	return s
}

func rightToLeft(r rune) bool {
	return unicode.In(r, unicode.Hebrew, unicode.Arabic, unicode.Syriac, unicode.Thaana, unicode.Nko, unicode.Samaritan, unicode.Mandaic, unicode.Adlam)
}

// A cost measures a piece of text against a limit.
type cost func(string) int

// units counts UTF-16 code units. Slack does not say what its "characters" are; this is never less than the number of code points.
func units(s string) int {
	n := 0
	for _, r := range s {
		n++
		if r > 0xFFFF {
			n++
		}
	}
	return n
}

// escapedUnits counts what a text takes once it is escaped.
func escapedUnits(s string) int {
	return units(s) + 4*strings.Count(s, "&") + 3*strings.Count(s, "<") + 3*strings.Count(s, ">")
}

// head returns at most n bytes from the beginning of a text, whole characters only.
func head(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// prefix returns the longest beginning of s that costs at most limit and does not end inside what a reader sees as one character,
// unless that alone is longer.
func prefix(s string, limit int, c cost) string {
	rest, state, used, end := s, -1, 0, 0
	for rest != "" {
		var cluster string
		cluster, rest, _, state = uniseg.FirstGraphemeClusterInString(rest, state)
		n := c(cluster)
		if used+n > limit {
			if end == 0 {
				return runePrefix(cluster, limit, c)
			}
			return s[:end]
		}
		used += n
		end += len(cluster)
	}
	return s
}

func runePrefix(s string, limit int, c cost) string {
	used := 0
	for i, r := range s {
		if used += c(string(r)); used > limit {
			return s[:i]
		}
	}
	return s
}

const ellipsis = "…"

// cut shortens s to a limit, with an ellipsis where something was left out.
func cut(s string, limit int, c cost) string {
	if len(s) <= limit && c(s) <= limit {
		return s
	}
	p := prefix(s, limit, c)
	if p == s {
		return s
	}
	return strings.TrimRightFunc(prefix(s, limit-c(ellipsis), c), unicode.IsSpace) + ellipsis
}

// cutLines keeps the first lines of s.
func cutLines(s string, lines int) string {
	end := 0
	for range lines {
		i := strings.IndexByte(s[end:], '\n')
		if i < 0 {
			return s
		}
		end += i + 1
	}
	return strings.TrimRightFunc(s[:end], unicode.IsSpace) + ellipsis
}

// squeeze drops blank lines beyond the first of each run and at both ends: they only push text out of sight.
func squeeze(s string) string {
	var out []string
	blank := false
	for line := range strings.SplitSeq(strings.TrimSpace(s), "\n") {
		if strings.TrimSpace(line) == "" {
			blank = true
			continue
		}
		if blank {
			out = append(out, "")
		}
		out, blank = append(out, line), false
	}
	return strings.Join(out, "\n")
}

// oneLine joins the lines and spaces of a text.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// escape makes a text literal in mrkdwn as far as mentions, links, dates and code go; marks of emphasis stay.
func escape(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "`", "ˋ").Replace(s)
}

// plainName returns a label, a name or an id as one short visible line for plain text.
func plainName(l *language, s string, limit int) string {
	s = isolate(oneLine(visible(l, s)))
	if units(s) <= limit {
		return s
	}
	// Long names of one family differ at the end as often as at the beginning.
	tail := limit / 3
	rs := []rune(s)
	end := len(rs)
	for used := 0; end > 0 && used+units(string(rs[end-1])) <= tail; end-- {
		used += units(string(rs[end-1]))
	}
	suffix := string(rs[end:])
	return prefix(s, limit-1-units(suffix), units) + ellipsis + suffix
}

// code returns a name for mrkdwn, set so that nothing in it is formatted, linked or mentioned.
func code(l *language, s string, limit int) string { return "`" + escape(plainName(l, s, limit)) + "`" }
