// Package wordpiece turns texts into the token ids of BERT-family models, in time linear in the text.
//
// It reads a Hugging Face tokenizer.json whose model is WordPiece, normaliser BertNormalizer and pre-tokeniser
// BertPreTokenizer (BERT, DistilBERT, MiniLM, MPNet, ELECTRA and their kin) and answers exactly the ids that Hugging Face's
// tokenizers library answers, truncation included. testdata/ holds answers recorded from that library; tables.go holds its
// idea of Unicode, observed, because a model knows its training data only through it.
//
// The work for one text is bounded: reading stops at the first token beyond the limit, and no step looks at a character more
// often than the longest entry of the vocabulary is long.
package wordpiece

// Tokenizer holds a vocabulary and its rules. It is immutable and safe for concurrent use.
type Tokenizer struct {
	norm normalizer

	first, rest          map[string]uint32 // pieces that begin a word, and pieces that go on, without their prefix
	firstBytes, restByte int               // length of the longest key of each
	unknown              uint32
	maxWordChars         int

	raw, normalized matcher // added tokens, found before and after normalisation

	prefix, suffix []uint32 // special tokens around every text
	pad            uint32
	maxID          uint32
}

// Specials is how many tokens of every encoding are not from the text.
func (t *Tokenizer) Specials() int { return len(t.prefix) + len(t.suffix) }

// Pad is the id that fills a row up to its batch's length; 0 when the tokenizer names none.
func (t *Tokenizer) Pad() uint32 { return t.pad }

// MaxID is the largest id that Encode may return.
func (t *Tokenizer) MaxID() uint32 { return t.maxID }

// Encode returns the ids of text with the special tokens around them, at most limit in all; limit 0 or less means no limit.
// Beyond the limit the text's last tokens are dropped and the special tokens kept, and truncated is true. A limit that has no
// room for the special tokens counts as room for just them.
//
// A byte that is not UTF-8 counts as U+FFFD, as in a conversion to []rune.
func (t *Tokenizer) Encode(text string, limit int) (ids []uint32, truncated bool) {
	e := encoder{t: t, room: -1}
	if limit > 0 {
		e.room = max(limit-t.Specials(), 0) + len(t.prefix)
	}
	e.ids = append(make([]uint32, 0, 64), t.prefix...)
	t.raw.split(text, func(part string, id uint32, added bool) bool {
		switch {
		case added:
			e.ids = append(e.ids, id)
		case t.normalized.empty():
			e.stream(part)
		default:
			e.whole(part)
		}
		return !e.full()
	})
	if truncated = e.full(); truncated {
		e.ids = e.ids[:e.room]
	}
	return append(e.ids, t.suffix...), truncated
}

// encoder is the state of one Encode call.
type encoder struct {
	t    *Tokenizer
	ids  []uint32
	room int // ids that fit, prefix included; -1 for any number
	buf  composer
}

// full says that there are more ids than fit, so that what follows cannot matter.
func (e *encoder) full() bool { return e.room >= 0 && len(e.ids) > e.room }

// stream normalises and splits word by word, so that reading stops soon after the limit.
func (e *encoder) stream(text string) {
	for len(text) > 0 && !e.full() {
		e.buf.reset()
		n := e.t.norm.word(&e.buf, text)
		e.words(e.buf.out)
		text = text[n:]
	}
}

// whole normalises all of text first, because added tokens may match anywhere in the normalised form.
func (e *encoder) whole(text string) {
	e.buf.reset()
	e.t.norm.all(&e.buf, text)
	e.t.normalized.split(string(e.buf.out), func(part string, id uint32, added bool) bool {
		if added {
			e.ids = append(e.ids, id)
		} else {
			e.words([]byte(part))
		}
		return !e.full()
	})
}
