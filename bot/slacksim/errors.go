package slacksim

import (
	"fmt"
	"maps"
	"strings"
	"time"
)

// problem is one finding about an argument, a block or a view, with the JSON pointer of the culprit.
type problem struct {
	pointer string
	text    string
}

func (p problem) String() string { return fmt.Sprintf("%s [json-pointer:%s]", p.text, p.pointer) }

// apiError is an answer with "ok": false.
type apiError struct {
	code     string
	problems []problem
	// refused marks a call that correct code never makes; it goes onto the list of Sim.Refused.
	refused bool
	// fields are what the answer says besides.
	fields map[string]any
	// retryAfter makes it a 429.
	retryAfter time.Duration
}

func (e *apiError) Error() string {
	if len(e.problems) == 0 {
		return e.code
	}
	lines := make([]string, len(e.problems))
	for i, p := range e.problems {
		lines[i] = p.String()
	}
	return e.code + ": " + strings.Join(lines, "; ")
}

// slackError is an error that correct code may meet, such as channel_not_found.
func slackError(code string) error { return &apiError{code: code} }

// refuse is an error that correct code never meets.
func refuse(code string, problems ...problem) error {
	return &apiError{code: code, problems: problems, refused: true}
}

// body is the JSON that Slack answers with.
func (e *apiError) body() map[string]any {
	out := map[string]any{"ok": false, "error": e.code}
	maps.Copy(out, e.fields)
	if len(e.problems) > 0 {
		short, long := make([]string, len(e.problems)), make([]string, len(e.problems))
		for i, p := range e.problems {
			short[i], long[i] = p.String(), "[ERROR] "+p.String()
		}
		if e.code == "invalid_blocks" {
			out["errors"] = short
		}
		out["response_metadata"] = map[string]any{"messages": long}
	}
	return out
}
