package wordpiece

import (
	"unicode"
	"unicode/utf8"
)

// eachWord is BertPreTokenizer: words end at whitespace, and every punctuation mark is a word of its own.
func eachWord(text []byte, yield func(word []byte) bool) {
	start := 0
	for i := 0; i < len(text); {
		r, size := rune(text[i]), 1
		if r >= utf8.RuneSelf {
			r, size = utf8.DecodeRune(text[i:])
		}
		space, mark := isSpace(r), isPunct(r)
		if !space && !mark {
			i += size
			continue
		}
		if start < i && !yield(text[start:i]) {
			return
		}
		if mark && !yield(text[i:i+size]) {
			return
		}
		i += size
		start = i
	}
	if start < len(text) {
		yield(text[start:])
	}
}

func isSpace(r rune) bool {
	if r < utf8.RuneSelf {
		return r == ' ' || '\t' <= r && r <= '\r'
	}
	return unicode.IsSpace(r)
}

func isPunct(r rune) bool {
	if r < utf8.RuneSelf {
		return '!' <= r && r <= '/' || ':' <= r && r <= '@' || '[' <= r && r <= '`' || '{' <= r && r <= '~'
	}
	return unicode.Is(punct, r)
}

// words appends the pieces of every word of text.
func (e *encoder) words(text []byte) {
	eachWord(text, func(word []byte) bool {
		e.pieces(word)
		return !e.full()
	})
}

// pieces splits one word greedily into the longest entries of the vocabulary, left to right; a word that cannot be split so,
// or is too long, is one unknown token.
func (e *encoder) pieces(word []byte) {
	t := e.t
	if len(word) > t.maxWordChars && utf8.RuneCount(word) > t.maxWordChars {
		e.ids = append(e.ids, t.unknown)
		return
	}
	before := len(e.ids)
	vocab, longest := t.first, t.firstBytes
	for len(word) > 0 {
		n, id := longestPrefix(vocab, word, longest)
		if n == 0 {
			e.ids = append(e.ids[:before], t.unknown)
			return
		}
		e.ids = append(e.ids, id)
		word = word[n:]
		vocab, longest = t.rest, t.restByte
	}
}

// longestPrefix returns the length of the longest prefix of word that vocab holds, and its id; 0 when there is none.
func longestPrefix(vocab map[string]uint32, word []byte, longest int) (int, uint32) {
	for end := min(len(word), longest); end > 0; end-- {
		if end < len(word) && !utf8.RuneStart(word[end]) {
			continue
		}
		if id, ok := vocab[string(word[:end])]; ok {
			return end, id
		}
	}
	return 0, 0
}
