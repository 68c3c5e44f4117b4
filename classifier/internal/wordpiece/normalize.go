package wordpiece

import (
	"slices"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// normalizer is BertNormalizer: clean, set ideographs apart, strip accents, lower-case, in this order. The zero value leaves
// texts as they are.
type normalizer struct {
	clean, ideographs, strip, lower bool
}

// word appends the normal form of text up to and with the first whitespace after something visible, and returns how many
// bytes of text that was. Whitespace starts a new canonical ordering, so the pieces add up to the normal form of the whole.
func (n normalizer) word(out *composer, text string) int {
	for i := 0; i < len(text); {
		r, size := decode(text[i:])
		i += size
		if n.clean && isRemoved(r) {
			continue
		}
		if !isSpace(r) {
			n.put(out, r)
			continue
		}
		if out.flush(n); len(out.out) > 0 {
			return i
		}
	}
	out.flush(n)
	return len(text)
}

// all appends the normal form of text.
func (n normalizer) all(out *composer, text string) {
	for i := 0; i < len(text); {
		r, size := decode(text[i:])
		i += size
		if n.clean {
			if isRemoved(r) {
				continue
			}
			if isSpace(r) {
				r = ' '
			}
		}
		n.put(out, r)
	}
	out.flush(n)
}

func decode(text string) (rune, int) {
	if c := text[0]; c < utf8.RuneSelf {
		return rune(c), 1
	}
	return utf8.DecodeRuneInString(text)
}

func isRemoved(r rune) bool {
	if ' ' <= r && r < 0x7f {
		return false
	}
	return unicode.Is(removed, r)
}

// put appends one character that is not to be cleaned away.
func (n normalizer) put(out *composer, r rune) {
	switch {
	case r < utf8.RuneSelf:
		out.flush(n)
		if n.lower && 'A' <= r && r <= 'Z' {
			r += 'a' - 'A'
		}
		out.out = append(out.out, byte(r))
	case n.ideographs && unicode.Is(ideograph, r):
		n.put(out, ' ')
		n.decompose(out, r)
		n.put(out, ' ')
	default:
		n.decompose(out, r)
	}
}

func (n normalizer) decompose(out *composer, r rune) {
	if !n.strip {
		out.emit(n, r)
		return
	}
	const hangul, last, vowels, finals = 0xac00, 0xd7a3, 21, 28
	switch {
	case hangul <= r && r <= last:
		s := r - hangul
		out.order(n, 0x1100+s/(vowels*finals))
		out.order(n, 0x1161+s%(vowels*finals)/finals)
		if final := s % finals; final > 0 {
			out.order(n, 0x11a7+final)
		}
	case unicode.Is(decomposes, r):
		var b [utf8.UTFMax]byte
		full := norm.NFD.Properties(b[:utf8.EncodeRune(b[:], r)]).Decomposition()
		for len(full) > 0 {
			d, size := utf8.DecodeRune(full)
			out.order(n, d)
			full = full[size:]
		}
	default:
		out.order(n, r)
	}
}

// composer collects normalised bytes, and holds back combining characters until their canonical order is known.
type composer struct {
	out  []byte
	held []heldRune
}

type heldRune struct {
	r     rune
	class uint8
}

func (c *composer) reset() { c.out, c.held = c.out[:0], c.held[:0] }

// order takes the next character of a decomposition. Accents are dropped here: they would not change the order of the rest.
func (c *composer) order(n normalizer, r rune) {
	class := classOf(r)
	if class == 0 {
		c.flush(n)
	}
	switch {
	case unicode.Is(mark, r):
	case class == 0:
		c.emit(n, r)
	default:
		c.held = append(c.held, heldRune{r, class})
	}
}

func (c *composer) flush(n normalizer) {
	if len(c.held) == 0 {
		return
	}
	slices.SortStableFunc(c.held, func(a, b heldRune) int { return int(a.class) - int(b.class) })
	for _, h := range c.held {
		c.emit(n, h.r)
	}
	c.held = c.held[:0]
}

func (c *composer) emit(n normalizer, r rune) {
	if !n.lower {
		c.out = utf8.AppendRune(c.out, r)
		return
	}
	if r == 'İ' { // the one character whose lower case is two
		c.out = append(c.out, "i\u0307"...)
		return
	}
	if l, ok := lowered[r]; ok {
		r = l
	} else {
		r = unicode.ToLower(r)
	}
	c.out = utf8.AppendRune(c.out, r)
}

func classOf(r rune) uint8 {
	if !unicode.Is(combining, r) {
		return 0
	}
	var b [utf8.UTFMax]byte
	return norm.NFD.Properties(b[:utf8.EncodeRune(b[:], r)]).CCC()
}
