package wordpiece

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// added is a token that is looked for in the text itself, as "[MASK]".
type added struct {
	id             uint32
	singleWord     bool // only where no word character touches it
	lstrip, rstrip bool // takes the whitespace before, after
}

// matcher finds added tokens: at each place the longest, and never two that overlap.
type matcher struct {
	root   trie
	starts [256]bool // first bytes
}

type trie struct {
	next map[byte]*trie
	leaf *added
}

func (m *matcher) empty() bool { return len(m.root.next) == 0 }

// add makes content, which is not empty, a token.
func (m *matcher) add(content string, a added) {
	m.starts[content[0]] = true
	n := &m.root
	for i := range len(content) {
		if n.next == nil {
			n.next = map[byte]*trie{}
		}
		if n.next[content[i]] == nil {
			n.next[content[i]] = &trie{}
		}
		n = n.next[content[i]]
	}
	n.leaf = &a
}

// find returns the first match at or after from; nil when there is none.
func (m *matcher) find(text string, from int) (start, stop int, found *added) {
	for i := from; i < len(text); i++ {
		if !m.starts[text[i]] {
			continue
		}
		n := m.root.next[text[i]]
		for j := i + 1; n != nil; j++ {
			if n.leaf != nil {
				stop, found = j, n.leaf
			}
			if j == len(text) {
				break
			}
			n = n.next[text[j]]
		}
		if found != nil {
			return i, stop, found
		}
	}
	return 0, 0, nil
}

// split yields text in order as added tokens and what is between them, until yield returns false.
func (m *matcher) split(text string, yield func(part string, id uint32, added bool) bool) {
	if m.empty() {
		yield(text, 0, false)
		return
	}
	done := 0
	for from := 0; ; {
		start, stop, a := m.find(text, from)
		if a == nil {
			break
		}
		from = stop
		if a.singleWord && (endsInWord(text[:start]) || startsWithWord(text[stop:])) {
			continue
		}
		if a.lstrip {
			start = max(len(strings.TrimRightFunc(text[:start], isSpace)), done)
		}
		if a.rstrip {
			stop = len(text) - len(strings.TrimLeftFunc(text[stop:], isSpace))
		}
		if done < start && !yield(text[done:start], 0, false) {
			return
		}
		if !yield("", a.id, true) {
			return
		}
		done = stop
	}
	if done < len(text) {
		yield(text[done:], 0, false)
	}
}

func endsInWord(s string) bool {
	r, size := utf8.DecodeLastRuneInString(s)
	return size > 0 && isWord(r)
}

func startsWithWord(s string) bool {
	r, size := utf8.DecodeRuneInString(s)
	return size > 0 && isWord(r)
}

// isWord is \w of Unicode Technical Standard 18, annex C: alphabetic, mark, decimal number, connector, join control.
func isWord(r rune) bool {
	return unicode.In(r, unicode.L, unicode.Nl, unicode.Other_Alphabetic, unicode.M, unicode.Nd, unicode.Pc, unicode.Join_Control)
}
