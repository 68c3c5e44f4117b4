package bot

import (
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// normal is a text as finders see it: full-width and other styled characters are plain ones, digits of every script are ASCII, dashes are
// "-", white space is one "\n" where lines end and one " " elsewhere, and what cannot be seen, or is only drawn over its neighbours, is not
// there.
type normal struct {
	text string
	from []int32 // by byte of text: where the character of the original begins that it stands for
	size int     // of the original
}

// span returns the range of the original that a range of the normal form stands for, whole characters only.
func (n normal) span(from, to int) span {
	start, last := n.from[from], n.from[to-1]
	for to < len(n.from) && n.from[to] == last {
		to++
	}
	if to == len(n.from) {
		return span{int(start), n.size}
	}
	return span{int(start), int(n.from[to])}
}

// normalise makes the normal form of a text in which some spans are hidden already. Each of these, and each run of mask characters that the
// author wrote, is one character of the original: nothing can take a part of it.
func normalise(text string, hidden []span) normal {
	w := normaliser{text: make([]byte, 0, len(text)), from: make([]int32, 0, len(text))}
	for i := 0; i < len(text); {
		if len(hidden) > 0 && hidden[0].from == i {
			w.write(i, mask)
			i, hidden = hidden[0].to, hidden[1:]
			continue
		}
		if c := text[i]; c > ' ' && c < 0x7f { // nearly all of most texts
			w.last = len(w.text)
			w.text, w.from = append(w.text, c), append(w.from, int32(i)) //nolint:gosec // texts are a MiB at most
			i++
			continue
		}
		if text[i] == ' ' {
			w.space(i, ' ')
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(text[i:])
		if r == maskRune {
			start := i
			for ; r == maskRune && (len(hidden) == 0 || i < hidden[0].from); r, size = utf8.DecodeRuneInString(text[i:]) {
				w.write(start, string(maskRune))
				i += size
			}
			continue
		}
		w.rune(i, r, text[i:i+size])
		i += size
	}
	return normal{text: string(w.text), from: w.from, size: len(text)}
}

type normaliser struct {
	text []byte
	from []int32
	last int // where the last character begins in text
	buf  []byte
}

func (w *normaliser) write(at int, s string) {
	w.last = len(w.text)
	w.text = append(w.text, s...)
	for range len(s) {
		w.from = append(w.from, int32(at)) //nolint:gosec // texts are a MiB at most
	}
}

func (w *normaliser) rune(at int, r rune, s string) {
	switch {
	case r == '\t':
		w.space(at, ' ')
	case r == '\n', r == '\r', r == '\v', r == '\f', r == '\u0085', r == '\u2028', r == '\u2029':
		w.space(at, '\n')
	case r == utf8.RuneError, unicode.IsControl(r), invisible(r), bidiNames[r] != "":
	case unicode.In(r, unicode.Mn, unicode.Me) && unicode.Is(unicode.Inherited, r):
		w.mark(s)
	case unicode.Is(unicode.Nd, r):
		w.write(at, string('0'+digitValue(r)))
	case unicode.Is(unicode.Pd, r), r == '\u2212':
		w.write(at, "-")
	case unicode.IsSpace(r):
		w.space(at, ' ')
	case r == '\u3002', r == '\uFF61':
		w.write(at, ".") // which domains take for a dot
	case norm.NFKC.PropertiesString(s).Decomposition() == nil:
		w.write(at, s)
	default:
		w.buf = norm.NFKC.AppendString(w.buf[:0], s)
		w.write(at, string(w.buf))
	}
}

// space makes one of all white space that stands together: however much there is, on the card it may be little.
func (w *normaliser) space(at int, c byte) {
	if n := len(w.text); n > 0 && (w.text[n-1] == ' ' || w.text[n-1] == '\n') {
		if c == '\n' {
			w.text[n-1] = c
		}
		return
	}
	w.write(at, string(c))
}

// mark adds an accent to the letter before it if the two make a letter; a stroke or a circle drawn over a character is left out.
func (w *normaliser) mark(s string) {
	if len(w.text) == 0 {
		return
	}
	w.buf = append(append(w.buf[:0], w.text[w.last:]...), s...)
	both := norm.NFC.Bytes(w.buf)
	if r, size := utf8.DecodeRune(both); size == len(both) && unicode.IsLetter(r) {
		at := w.from[w.last]
		w.text, w.from = w.text[:w.last], w.from[:w.last]
		w.write(int(at), string(both))
	}
}

// digitValue is the value of a decimal digit of any script: their ranges begin with a zero and hold tens.
func digitValue(r rune) rune {
	for _, t := range unicode.Nd.R16 {
		if r >= rune(t.Lo) && r <= rune(t.Hi) {
			return (r - rune(t.Lo)) % 10
		}
	}
	for _, t := range unicode.Nd.R32 {
		if r >= rune(t.Lo) && r <= rune(t.Hi) {
			return (r - rune(t.Lo)) % 10
		}
	}
	return 0
}
