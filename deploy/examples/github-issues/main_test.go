package main

import (
	"testing"

	"hitl/ingest/client"
)

func TestCommand(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		repository, label string
		number            any
		want              string
		bad               bool
	}{
		{"acme/app", "bug", 7.0, "gh api --method POST repos/acme/app/issues/7/labels -f 'labels[]=bug'", false},
		{"acme/app", "", 7.0, "", false}, // nobody answered
		{"acme/app; rm", "bug", 7.0, "", true},
		{"acme/app", "bug' -X", 7.0, "", true},
		{"acme/app", "bug", "7", "", true},
	} {
		got, err := command(client.Callback{Data: client.CallbackItem{Label: c.label, Metadata: map[string]any{"repository": c.repository, "number": c.number}}})
		if got != c.want || (err != nil) != c.bad {
			t.Errorf("%+v: got %q, %v", c, got, err)
		}
	}
}
