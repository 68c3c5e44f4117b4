package hitl

import (
	"context"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"
)

type notebook []Note

func (b *notebook) AddNote(_ context.Context, n Note) (bool, error) {
	*b = append(*b, n)
	return true, nil
}

func (*notebook) CardAt(context.Context, string, string) (string, error) { return "rev_1", nil }

func TestNote(t *testing.T) {
	t.Parallel()
	book := &notebook{}
	desk := &Desk{Notes: book}
	good := Note{Channel: "C1", Thread: "1.000001", TS: "1.000002", Author: ann, At: testTime, Text: "so\x00 it is"}
	if added, err := desk.Note(t.Context(), good); !added || err != nil {
		t.Fatalf("added %v, %v", added, err)
	}
	if got := (*book)[0]; got.Text != "so\uFFFD it is" || got.At.Nanosecond()%1000 != 0 {
		t.Errorf("kept %+v", got)
	}
	for field, change := range map[string]func(*Note){
		"author": func(n *Note) { n.Author.User = "" }, "channel": func(n *Note) { n.Channel = "" }, "thread": func(n *Note) { n.Thread = "" },
		"ts": func(n *Note) { n.TS = "" }, "text": func(n *Note) { n.Text = " \u200b\n" },
	} {
		n := good
		change(&n)
		_, err := desk.Note(t.Context(), n)
		if invalid, ok := errors.AsType[*InvalidError](err); !ok || invalid.Field != field {
			t.Errorf("without %s: %v", field, err)
		}
	}
	long := good
	long.Text = "a" + strings.Repeat("é", MaxNoteBytes)
	if _, err := desk.Note(t.Context(), long); err != nil {
		t.Fatal(err)
	}
	if got := (*book)[1].Text; len(got) > MaxNoteBytes || !utf8.ValidString(got) || !strings.HasSuffix(got, "é…") {
		t.Errorf("kept %d bytes, ending %q", len(got), got[len(got)-6:])
	}
	desk.Notes = nil
	if _, err := desk.Note(t.Context(), good); !errors.Is(err, ErrUnavailable) {
		t.Errorf("nothing keeps notes: %v", err)
	}
}
