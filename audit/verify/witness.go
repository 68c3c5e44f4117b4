package verify

import (
	"errors"
	"fmt"
	"strings"

	"golang.org/x/mod/sumdb/note"
)

// ReadWitness reads signed checkpoints that were kept elsewhere: notes one after the other, each beginning behind an empty line that
// ends the signatures before it, as they are when their files are put together. Any of the keys may have signed each. where names the file in messages.
func ReadWitness(text, where string, keys ...note.Verifier) ([]Seen, error) {
	var seen []Seen
	for i, signed := range splitNotes(text) {
		c, err := openAny(signed, keys)
		if err != nil {
			return nil, fmt.Errorf("checkpoint %d of %s: %w", i+1, where, err)
		}
		seen = append(seen, Seen{c, "in " + where})
	}
	if len(seen) == 0 {
		return nil, errors.New(where + " holds no checkpoint")
	}
	return seen, nil
}

// openAny reads a note that one of some keys signed; the error is the first key's.
func openAny(signed string, keys []note.Verifier) (Checkpoint, error) {
	first := errors.New("there is no key to check it with")
	for i, key := range keys {
		c, err := OpenCheckpoint(signed, key)
		if err == nil {
			return c, nil
		}
		if i == 0 {
			first = err
		}
	}
	return Checkpoint{}, first
}

// splitNotes cuts a file into notes. A signature's line begins with an em dash, and what follows the last one begins the next note.
func splitNotes(text string) []string {
	var notes []string
	var b strings.Builder
	signed := false
	for line := range strings.SplitAfterSeq(text, "\n") {
		signature := strings.HasPrefix(line, "— ")
		if signed && !signature {
			notes = append(notes, b.String())
			b.Reset()
			signed = false
		}
		if b.Len() == 0 && strings.TrimSpace(line) == "" {
			continue
		}
		signed = signed || signature
		b.WriteString(line)
	}
	if b.Len() > 0 {
		notes = append(notes, b.String())
	}
	return notes
}
