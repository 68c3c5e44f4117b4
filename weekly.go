package hitl

import (
	"fmt"
	"strings"
	"time"
)

// Weekly is a moment of every week, by the clocks of a time zone. The zero value never comes.
type Weekly struct {
	zone    *time.Location
	day     time.Weekday
	minutes int
}

// NewWeekly reads a day and a time, "mon 09:00"; the empty text is never.
func NewWeekly(zone *time.Location, s string) (Weekly, error) {
	if s == "" {
		return Weekly{}, nil
	}
	name, clock, _ := strings.Cut(strings.ToLower(strings.TrimSpace(s)), " ")
	day, ok := dayNames[name]
	minutes, okClock := parseClock(strings.TrimSpace(clock))
	if !ok || !okClock || minutes == dayMinutes {
		return Weekly{}, fmt.Errorf("%q is no moment of a week, want mon 09:00", s)
	}
	return Weekly{zone, day, minutes}, nil
}

// Never says whether it never comes.
func (w Weekly) Never() bool { return w.zone == nil }

// Latest returns when it came last, t included. It must not be asked of one that never comes.
func (w Weekly) Latest(t time.Time) time.Time {
	local := t.In(w.zone)
	year, month, day := local.Date()
	back := (int(local.Weekday()) - int(w.day) + 7) % 7
	at := time.Date(year, month, day-back, w.minutes/60, w.minutes%60, 0, 0, w.zone)
	if at.After(t) {
		at = time.Date(year, month, day-back-7, w.minutes/60, w.minutes%60, 0, 0, w.zone)
	}
	return at.UTC()
}
