package verify

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// ReadWitness reads signed checkpoints that were kept elsewhere. Any of the keys may have signed each. where names the text in messages.
//
// It finds them in anything: files put one behind the other, messages that were copied out of a chat, JSON in whose strings they stand. But
// each that it finds must be good, and whatever looks like a part of one must belong to one: a witness that was damaged is an error, and
// not a witness less.
func ReadWitness(text, where string, keys ...note.Verifier) ([]Seen, error) {
	notes, err := findNotes(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", where, err)
	}
	var seen []Seen
	for i, signed := range notes {
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

// maxExtensions bounds the lines between a note's root and its signatures.
const maxExtensions = 16

// findNotes finds notes in a text. A note is known by its size and root, a line each, and by its signatures; the line above is its origin.
func findNotes(text string) ([]string, error) {
	lines := plainLines(text, 0)
	var notes []string
	for i := 0; i < len(lines); i++ {
		switch {
		case signatureLine(lines[i]):
			return nil, fmt.Errorf("the signature %q belongs to no checkpoint", lines[i])
		case i+2 >= len(lines) || lines[i] == "" || !sizeLine(lines[i+1]) || !rootLine(lines[i+2]):
			continue
		}
		end := i + 3
		body := slices.Clone(lines[i:end])
		for ; end < len(lines) && end < i+3+maxExtensions && !signatureLine(lines[end]); end++ {
			if lines[end] != "" { // the empty line is put back below, wherever it was lost
				body = append(body, lines[end])
			}
		}
		first := end
		for end < len(lines) && signatureLine(lines[end]) {
			end++
		}
		if first == end {
			return nil, fmt.Errorf("the checkpoint of %q of size %s has lost its signature", lines[i], lines[i+1])
		}
		notes = append(notes, strings.Join(body, "\n")+"\n\n"+strings.Join(lines[first:end], "\n")+"\n")
		i = end - 1
	}
	return notes, nil
}

// signatureLine says whether a line has the form of a signature, "— NAME BASE64"; people write dashes, too.
func signatureLine(s string) bool {
	rest, ok := strings.CutPrefix(s, "— ")
	name, signature, ok2 := strings.Cut(rest, " ")
	data, err := base64.StdEncoding.DecodeString(signature)
	return ok && ok2 && name != "" && err == nil && len(data) > 4 // the key's hash comes first
}

func sizeLine(s string) bool {
	n, err := strconv.ParseInt(s, 10, 64)
	return err == nil && n >= 0
}

func rootLine(s string) bool {
	hash, err := base64.StdEncoding.DecodeString(s)
	return err == nil && len(hash) == tlog.HashSize
}

var (
	quotedLines = regexp.MustCompile(`"(?:[^"\\]|\\.)*\\+n(?:[^"\\]|\\.)*"`) // a JSON string of several lines, or one that holds such a string
	chatLink    = regexp.MustCompile(`<[a-z]+://[^|<>]*\|([^<>]*)>`)         // how Slack writes a name that looks like a host
)

// plainLines returns the lines of a text, and those inside its JSON strings, without what chats put around them.
func plainLines(text string, depth int) []string {
	const nested = 3 // a message in a record in a log
	var lines []string
	for line := range strings.SplitSeq(text, "\n") {
		if inner := quotedLines.FindAllString(line, -1); len(inner) > 0 && depth < nested {
			for _, quoted := range inner {
				var s string
				if json.Unmarshal([]byte(quoted), &s) == nil {
					lines = append(append(lines, ""), plainLines(s, depth+1)...)
				}
			}
			lines = append(lines, "")
			continue
		}
		line = chatLink.ReplaceAllString(line, "$1")
		line = strings.TrimSpace(strings.TrimLeft(strings.TrimSpace(line), "> "))
		lines = append(lines, strings.Trim(line, "`"))
	}
	return lines
}
