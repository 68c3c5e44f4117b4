package hitl

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Hours are the times in which people are at work. Waiting times run in them alone. The zero value is always open. It does not change, and is
// safe for concurrent use.
type Hours struct {
	zone     *time.Location
	week     [7][]span       // by weekday, in order, none of them empty or overlapping
	holidays map[string]bool // dates, as 2026-12-24
}

// span is a part of a day, in minutes of the clock on the wall. Beyond midnight it goes on with the next day's.
type span struct{ from, to int }

const dayMinutes = 24 * 60

var dayNames = map[string]time.Weekday{
	"sun": time.Sunday, "mon": time.Monday, "tue": time.Tuesday, "wed": time.Wednesday, "thu": time.Thursday, "fri": time.Friday, "sat": time.Saturday,
}

// NewHours makes hours of a time zone, a week and holidays. Keys of week are days and ranges of days, "mon" or "mon-fri" or "sat,sun", and its values
// spans of a day, "09:00-17:00" or "09:00-12:30, 13:30-18:00"; one may end at 24:00, or, at an earlier time than it begins, on the next day. Days that
// are not named are closed. On holidays, dates like "2026-12-24", no span begins. Errors name the value that is wrong.
func NewHours(zone *time.Location, week map[string]string, holidays []string) (Hours, error) {
	h := Hours{zone: zone, holidays: map[string]bool{}}
	open := false
	for days, spans := range week {
		on, err := parseDays(days)
		if err != nil {
			return Hours{}, err
		}
		list, err := parseSpans(spans)
		if err != nil {
			return Hours{}, fmt.Errorf("%s: %w", days, err)
		}
		for _, d := range on {
			if len(h.week[d]) > 0 {
				return Hours{}, fmt.Errorf("%s: %s is named twice", days, d)
			}
			h.week[d] = list
			open = open || len(list) > 0
		}
	}
	if !open {
		return Hours{}, errors.New("nothing is ever open")
	}
	for _, date := range holidays {
		if _, err := time.Parse(time.DateOnly, date); err != nil {
			return Hours{}, fmt.Errorf("%q is no date like 2026-12-24", date)
		}
		h.holidays[date] = true
	}
	return h, nil
}

func parseDays(s string) ([]time.Weekday, error) {
	var days []time.Weekday
	for part := range strings.SplitSeq(strings.ToLower(strings.ReplaceAll(s, " ", "")), ",") {
		first, last, isRange := strings.Cut(part, "-")
		from, ok := dayNames[first]
		to, okTo := from, true
		if isRange {
			to, okTo = dayNames[last]
		}
		if !ok || !okTo {
			return nil, fmt.Errorf("%q is no day, want mon, mon-fri or sat,sun", s)
		}
		for d := from; ; d = (d + 1) % 7 {
			days = append(days, d)
			if d == to {
				break
			}
		}
	}
	return days, nil
}

func parseSpans(s string) ([]span, error) {
	var spans []span
	for part := range strings.SplitSeq(strings.ReplaceAll(s, " ", ""), ",") {
		first, last, ok := strings.Cut(part, "-")
		from, okFrom := parseClock(first)
		to, okTo := parseClock(last)
		if !ok || !okFrom || !okTo || from == dayMinutes {
			return nil, fmt.Errorf("%q is no span of a day, want 09:00-17:00", part)
		}
		if to <= from {
			to += dayMinutes // over midnight
		}
		spans = append(spans, span{from, to})
	}
	slices.SortFunc(spans, func(a, b span) int { return a.from - b.from })
	for i := 1; i < len(spans); i++ {
		if spans[i].from < spans[i-1].to {
			return nil, fmt.Errorf("%q overlaps itself", s)
		}
	}
	return spans, nil
}

func parseClock(s string) (minutes int, ok bool) {
	hour, minute, ok := strings.Cut(s, ":")
	h, errH := strconv.Atoi(hour)
	m, errM := strconv.Atoi(minute)
	if !ok || errH != nil || errM != nil || len(minute) != 2 || h < 0 || m < 0 || m > 59 || h*60+m > dayMinutes {
		return 0, false
	}
	return h*60 + m, true
}

// spans calls each for the open times that end after t, in order, until it returns false. No two of them overlap.
func (h Hours) spans(t time.Time, each func(from, to time.Time) bool) {
	t = t.In(h.zone)
	year, month, day := t.Date()
	over := t            // what is before has been dealt with
	for n := -1; ; n++ { // yesterday's last span may reach into today
		noon := h.at(year, month, day+n, dayMinutes/2)
		if h.holidays[noon.Format(time.DateOnly)] {
			continue
		}
		for _, s := range h.week[noon.Weekday()] {
			from, to := h.at(year, month, day+n, s.from), h.at(year, month, day+n, s.to)
			if from.Before(over) {
				from = over
			}
			if !from.Before(to) {
				continue // past, or an hour that the change to summer time leaves out
			}
			if !each(from, to) {
				return
			}
			over = to
		}
	}
}

// at is the moment when the clocks of a day show some minutes after midnight: the first one where they show it twice.
func (h Hours) at(year int, month time.Month, day, minutes int) time.Time {
	t := time.Date(year, month, day, minutes/60, minutes%60, 0, 0, h.zone)
	_, offset := t.Zone()
	_, earlier := t.Add(-3 * time.Hour).Zone() // no clock is put back by more
	first := t.Add(time.Duration(offset-earlier) * time.Second)
	if first.Before(t) && first.Format(time.DateTime) == t.Format(time.DateTime) {
		return first
	}
	return t
}

// Always says whether nothing is ever closed.
func (h Hours) Always() bool { return h.zone == nil }

// Zone is the name of the time zone; empty when nothing is ever closed.
func (h Hours) Zone() string {
	if h.Always() {
		return ""
	}
	return h.zone.String()
}

// Location is the time zone; nil when nothing is ever closed.
func (h Hours) Location() *time.Location { return h.zone }

// Midnight is when the day of a moment began by the clocks of a zone: at their first moment of it where they leave out midnight.
func Midnight(t time.Time, zone *time.Location) time.Time {
	year, month, day := t.In(zone).Date()
	return firstOf(year, month, day, zone)
}

// Monday is when the week of a moment began, the Monday's midnight: weeks are those of ISO 8601.
func Monday(t time.Time, zone *time.Location) time.Time {
	year, month, day := t.In(zone).Date()
	return firstOf(year, month, day-(int(t.In(zone).Weekday())+6)%7, zone)
}

func firstOf(year int, month time.Month, day int, zone *time.Location) time.Time {
	date := time.Date(year, month, day, 12, 0, 0, 0, time.UTC).Format(time.DateOnly)
	t := Hours{zone: zone}.at(year, month, day, 0)
	for t.Format(time.DateOnly) < date {
		t = t.Add(time.Hour) // midnight is left out, and t is before it
	}
	return t.UTC()
}

// Add returns the moment when d of open time will have passed since t: t itself for no time at all, and never a moment after which more closed time
// would have to pass.
func (h Hours) Add(t time.Time, d time.Duration) time.Time {
	if h.Always() || d <= 0 {
		return t.Add(max(d, 0))
	}
	h.spans(t, func(from, to time.Time) bool {
		if length := to.Sub(from); length < d {
			d -= length
			return true
		}
		t = from.Add(d)
		return false
	})
	return t.UTC()
}

// Between returns how much open time lies between two moments; none when b is not after a.
func (h Hours) Between(a, b time.Time) time.Duration {
	if !b.After(a) {
		return 0
	}
	if h.Always() {
		return b.Sub(a)
	}
	var sum time.Duration
	h.spans(a, func(from, to time.Time) bool {
		if to.After(b) {
			to = b
		}
		if from.Before(to) {
			sum += to.Sub(from)
		}
		return to.Before(b)
	})
	return sum
}

// Open says whether people are at work at a time.
func (h Hours) Open(t time.Time) bool { return h.Next(t).Equal(t) }

// Next returns the first open moment from t on.
func (h Hours) Next(t time.Time) time.Time {
	if h.Always() {
		return t
	}
	h.spans(t, func(from, _ time.Time) bool {
		t = from
		return false
	})
	return t.UTC()
}
