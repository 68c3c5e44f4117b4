package hitl

import (
	"context"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// MaxNoteBytes bounds what is kept of a note; the rest is cut off, and "…" says so.
const MaxNoteBytes = 16 << 10

// Note is what a person wrote in the thread of a review's card.
type Note struct {
	Channel string    `json:"-"` // Slack's, with TS the note's key
	Thread  string    `json:"-"` // timestamp of the card
	TS      string    `json:"-"` // timestamp of the note
	Author  Reviewer  `json:"author"`
	At      time.Time `json:"at"`
	Text    string    `json:"text"`
}

// NoteKeeper is the part of the system of record that keeps notes.
type NoteKeeper interface {
	// AddNote commits a note on the review whose card stands at its thread, with its log entry and the card's refresh, in one transaction, and
	// says whether it is new: one that is there already changes nothing. ErrNotFound says that there is no such card, or that its item was
	// erased; after any other error the outcome is unknown.
	AddNote(ctx context.Context, note Note) (added bool, err error)
	// CardAt returns the review whose card stands at a place, or ErrNotFound.
	CardAt(ctx context.Context, channel, ts string) (reviewID string, err error)
}

// Note keeps what a person wrote in a thread, if the thread is a card's, and says whether it was new. Who the person is is the caller's to
// check. Errors: ErrNotFound; *InvalidError for a note without author, place or words; after any other the same may be said again.
func (d *Desk) Note(ctx context.Context, n Note) (bool, error) {
	if d.Notes == nil {
		return false, fmt.Errorf("keep note: %w", ErrUnavailable)
	}
	n.Text = cutNote(CleanText(n.Text))
	for _, f := range []struct{ name, value string }{
		{"author", n.Author.User}, {"channel", n.Channel}, {"thread", n.Thread}, {"ts", n.TS}, {"text", n.Text},
	} {
		if blank(f.value) {
			return false, &InvalidError{f.name, "is missing"}
		}
	}
	n.At = n.At.UTC().Truncate(time.Microsecond)
	added, err := d.Notes.AddNote(ctx, n)
	if err != nil {
		return false, fmt.Errorf("keep note: %w", err)
	}
	return added, nil
}

func cutNote(text string) string {
	if len(text) <= MaxNoteBytes {
		return text
	}
	const mark = "…"
	end := MaxNoteBytes - len(mark)
	for !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + mark
}

// blank says whether a text has nothing that can be seen.
func blank(s string) bool {
	return strings.TrimFunc(s, func(r rune) bool { return unicode.IsSpace(r) || unicode.Is(unicode.Cf, r) }) == ""
}
