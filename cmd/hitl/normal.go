package main

import (
	"strings"
	"unicode"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// normalText is a text as near-identical ones have it in common: characters in their plain form, small letters, one space for all white space
// that stands together, one mark for a run of the same punctuation, straight quotes and dashes, and nothing that cannot be seen. Numbers and
// signs stay as they are: "1.50" is not "150", and "-5" not "5". It is idempotent.
func normalText(text string) string {
	for range maxNormalPasses {
		next := normalOnce(text)
		if next == text {
			break
		}
		text = next
	}
	return text
}

// maxNormalPasses bounds how often the result is put in order again: folding can compose what was apart, and leaving out can bring together.
// Honest texts need two passes.
const maxNormalPasses = 8

func normalOnce(text string) string {
	var out strings.Builder
	out.Grow(len(text))
	last, space := rune(0), false
	for _, r := range cases.Fold().String(norm.NFKC.String(text)) {
		switch {
		case unicode.IsSpace(r):
			space = true
			continue
		case unicode.Is(unicode.Cf, r), unicode.IsControl(r), unicode.Is(unicode.Variation_Selector, r), r == '\u034F':
			continue
		}
		r = plainMark(r)
		if !space && r == last && unicode.IsPunct(r) {
			continue
		}
		if space && out.Len() > 0 {
			out.WriteByte(' ')
		}
		last, space = r, false
		out.WriteRune(r)
	}
	return norm.NFKC.String(out.String())
}

// plainMark replaces typographic quotes and dashes.
func plainMark(r rune) rune {
	switch {
	case r == '\u2018', r == '\u2019', r == '\u201A', r == '\u201B':
		return '\''
	case r == '\u201C', r == '\u201D', r == '\u201E', r == '\u201F', r == '\u00AB', r == '\u00BB':
		return '"'
	case unicode.Is(unicode.Pd, r), r == '\u2212':
		return '-'
	}
	return r
}
