package verify_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"hitl/audit/verify"
)

// Checkpoints are found wherever people keep them.
func TestReadWitnessFindsNotes(t *testing.T) {
	t.Parallel()
	k := newKey(t)
	l := newLog(t, k, 9, 3)
	a, b := l.checkpoints[3], l.checkpoints[9]
	quoted := func(s string) string {
		data, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	webhook := func(s string) string {
		return fmt.Sprintf(`{"type":"log.checkpoint","timestamp":"2026-01-02T03:04:05Z","data":{"checkpoint":%s,"size":3,"origin":"log.example.org"}}`, quoted(s))
	}
	for name, text := range map[string]string{
		"files":        a + b,
		"empty lines":  "\n\n" + a + "\n\n\n" + b + "\n",
		"CRLF":         strings.ReplaceAll(a+"\n"+b, "\n", "\r\n"),
		"chat":         "hitl  APP  9:00 AM\nThe log has 3 entries. Keep this message.\n" + a + "9:05\n— said Ana\nhitl  APP  9:00 AM\n" + b + "3 replies\n",
		"code blocks":  "text\n```" + strings.TrimSpace(a) + "```\nmore\n```\n" + b + "```\n",
		"quoted":       "> " + strings.ReplaceAll(a, "\n", "\n> ") + "\n  " + strings.ReplaceAll(b, "\n", "\n  "),
		"no gap":       strings.ReplaceAll(a+b, "\n\n", "\n"),
		"chat's links": strings.ReplaceAll(a+b, "log.example.org\n", "<http://log.example.org|log.example.org>\n"),
		"webhooks":     webhook(a) + "\n" + webhook(b) + "\n",
		"in a log":     `level=INFO body=` + quoted(webhook(a)) + "\n" + `{"body":` + quoted(webhook(b)) + `}`,
		"escaped":      strings.ReplaceAll(webhook(a)+"\n"+webhook(b), "—", `\u2014`),
		"both":         a + webhook(b),
		"a bundle":     string(newLog(t, k, 9, 3).bundle(t)),
	} {
		seen, err := verify.ReadWitness(text, "notes", k)
		if err != nil || len(seen) < 2 || seen[0].Size != 3 || seen[len(seen)-1].Size != 9 {
			t.Errorf("%s: %+v, %v in\n%s", name, seen, err, text)
		}
	}
	// One that was damaged is an error, whatever was damaged.
	for i, line := range strings.Split(strings.TrimSuffix(b, "\n"), "\n") {
		if line == "" {
			continue
		}
		lines := strings.Split(b, "\n")
		lines[i] = line[:len(line)/2] + "?"
		if seen, err := verify.ReadWitness(a+strings.Join(lines, "\n"), "notes", k); err == nil {
			t.Errorf("line %d is damaged: %+v", i, seen)
		}
		lines = append(lines[:i], lines[i+1:]...)
		if seen, err := verify.ReadWitness(a+strings.Join(lines, "\n"), "notes", k); err == nil {
			t.Errorf("line %d is lost: %+v", i, seen)
		}
	}
}
