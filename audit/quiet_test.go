package audit

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"
)

func TestQuiet(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	h := newQuiet(slog.NewTextHandler(&out, nil))
	say := func(h slog.Handler, after time.Duration, level slog.Level, message string) string {
		out.Reset()
		at := time.Unix(1_800_000_000, 0).Add(after)
		if h.Enabled(t.Context(), level) {
			if err := h.Handle(t.Context(), slog.NewRecord(at, level, message, 0)); err != nil {
				t.Fatal(err)
			}
		}
		return out.String()
	}
	if got := say(h, 0, slog.LevelInfo, "started"); got != "" {
		t.Errorf("said %q", got)
	}
	if got := say(h, 0, slog.LevelError, "cannot fetch"); !strings.Contains(got, "cannot fetch") {
		t.Errorf("said %q at first", got)
	}
	for i := range 5 { // whoever says it
		if got := say(h.WithGroup("g").WithAttrs([]slog.Attr{slog.Int("i", i)}), time.Second, slog.LevelError, "cannot fetch"); got != "" {
			t.Errorf("said again: %q", got)
		}
	}
	if got := say(h, time.Second, slog.LevelWarn, "another"); !strings.Contains(got, "another") {
		t.Errorf("said %q of another", got)
	}
	if got := say(h, sayAgain, slog.LevelError, "cannot fetch"); !strings.Contains(got, "not_logged_since=5") {
		t.Errorf("said %q later", got)
	}
	for i := range 2 * maxSaid { // memory is bounded, and what does not fit is said
		if got := say(h, 0, slog.LevelError, fmt.Sprint("message ", i)); got == "" {
			t.Errorf("message %d was lost", i)
		}
	}
	if n := len(h.said.by); n > maxSaid {
		t.Errorf("%d messages remembered", n)
	}
}
