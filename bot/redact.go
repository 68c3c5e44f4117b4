package bot

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// mask stands for whatever was hidden; it says nothing of its length.
const mask = "▇▇▇"

const maskRune = '▇'

// A finder reports what it finds in a text: byte ranges of its normal form, in any order. They may overlap.
type finder func(n normal, found func(from, to int))

// builtin are the kinds of personal data that a queue can name.
var builtin = map[string]finder{"email": findMails, "phone": findPhones, "card": findCards, "iban": findIBANs}

// redactor hides personal data. It is pure, takes time linear in a text, and finds nothing in what it has written. A nil one hides
// nothing.
type redactor struct {
	finders []finder
}

// newRedactor compiles the kinds and the patterns (RE2) of a queue; none of either makes a nil redactor.
func newRedactor(kinds []string, patterns map[string]string) (*redactor, error) {
	if len(kinds)+len(patterns) == 0 {
		return nil, nil //nolint:nilnil // which is a redactor, too
	}
	r := &redactor{}
	var errs []error
	for _, kind := range kinds {
		f, ok := builtin[kind]
		if !ok {
			errs = append(errs, fmt.Errorf("redact %q is not known", kind))
		}
		r.finders = append(r.finders, f)
	}
	for _, name := range slices.Sorted(maps.Keys(patterns)) {
		re, err := regexp.Compile(patterns[name])
		switch {
		case err != nil:
			errs = append(errs, fmt.Errorf("redact pattern %q: %w", name, err))
		case re.MatchString(""):
			errs = append(errs, fmt.Errorf("redact pattern %q matches the empty text", name))
		}
		r.finders = append(r.finders, findPattern(re))
	}
	return r, errors.Join(errs...)
}

func findPattern(re *regexp.Regexp) finder {
	return func(n normal, found func(from, to int)) {
		for _, at := range re.FindAllStringIndex(n.text, -1) {
			found(at[0], at[1])
		}
	}
}

// redact returns a text with every finding replaced by a mask, and how many there are. Findings that overlap or touch are one.
func (r *redactor) redact(text string) (out string, hidden int) {
	if r == nil {
		return text, 0
	}
	spans := r.find(text)
	if len(spans) == 0 {
		return text, 0
	}
	var b strings.Builder
	b.Grow(len(text) + len(mask)*len(spans))
	at := 0
	for _, s := range spans {
		b.WriteString(text[at:s.from])
		b.WriteString(mask)
		at = s.to
	}
	b.WriteString(text[at:])
	return b.String(), len(spans)
}

// maxPasses is how often a text is looked at. What is hidden can bring its neighbours together to something new, so that a text is done
// only when a look finds nothing more. Honest texts need two.
const maxPasses = 8

// find returns what must be hidden in a text, in order and apart. A text that never comes to rest was made to be like that, and is hidden as
// a whole.
func (r *redactor) find(text string) []span {
	var spans []span
	for range maxPasses {
		n := normalise(text, spans)
		next := slices.Clone(spans)
		for _, f := range r.finders {
			f(n, func(from, to int) {
				if strings.Trim(n.text[from:to], string(maskRune)) != "" {
					next = append(next, n.span(from, to))
				}
			})
		}
		if next = merge(next); slices.Equal(next, spans) {
			return spans
		}
		spans = next
	}
	return []span{{0, len(text)}}
}

// span is a range of bytes of a text.
type span struct{ from, to int }

// merge sorts spans and makes those one that overlap or touch.
func merge(spans []span) []span {
	slices.SortFunc(spans, func(a, b span) int { return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(a.to, b.to)) })
	var out []span
	for _, s := range spans {
		if last := len(out) - 1; last >= 0 && s.from <= out[last].to {
			out[last].to = max(out[last].to, s.to)
			continue
		}
		out = append(out, s)
	}
	return out
}
