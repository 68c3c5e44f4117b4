package hitl

import (
	"math/rand/v2"
	"testing"
	"time"
)

func mustZone(t testing.TB, name string) *time.Location {
	t.Helper()
	zone, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

func mustHours(t testing.TB, zone string, week map[string]string, holidays ...string) Hours {
	t.Helper()
	h, err := NewHours(mustZone(t, zone), week, holidays)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestHours(t *testing.T) {
	t.Parallel()
	office := mustHours(t, "Europe/Berlin", map[string]string{"mon-thu": "09:00-17:00", "fri": "09:00-12:30,13:30-16:00"}, "2026-12-24", "2026-12-25")
	night := mustHours(t, "Europe/Berlin", map[string]string{"sat,sun": "22:00-06:00"})
	whole := mustHours(t, "Europe/Berlin", map[string]string{"mon-sun": "00:00-24:00"})
	const form = "2006-01-02 15:04"
	for name, tc := range map[string]struct {
		h    Hours
		from string
		add  time.Duration
		want string
	}{
		"within a day":              {office, "2026-11-23 10:00", 2 * time.Hour, "2026-11-23 12:00"},
		"to the end of the day":     {office, "2026-11-23 10:00", 7 * time.Hour, "2026-11-23 17:00"},
		"into the next day":         {office, "2026-11-23 16:00", 2 * time.Hour, "2026-11-24 10:00"},
		"over lunch":                {office, "2026-11-27 12:00", time.Hour, "2026-11-27 14:00"},
		"over the weekend":          {office, "2026-11-27 15:30", time.Hour, "2026-11-30 09:30"},
		"from before work":          {office, "2026-11-23 03:00", time.Hour, "2026-11-23 10:00"},
		"over holidays":             {office, "2026-12-23 16:00", 2 * time.Hour, "2026-12-28 10:00"},
		"a night":                   {night, "2026-11-28 23:00", 8 * time.Hour, "2026-11-29 23:00"},
		"a night that has begun":    {night, "2026-11-30 05:00", 2 * time.Hour, "2026-12-05 23:00"},
		"no time":                   {office, "2026-11-28 10:00", 0, "2026-11-28 10:00"},
		"a day of 23 hours":         {whole, "2026-03-29 00:00", 23 * time.Hour, "2026-03-30 00:00"},
		"a day of 25 hours":         {whole, "2026-10-25 00:00", 25 * time.Hour, "2026-10-26 00:00"},
		"the night of summer time":  {night, "2026-03-28 22:00", 7 * time.Hour, "2026-03-29 06:00"},
		"the night of winter time":  {night, "2026-10-24 22:00", 9 * time.Hour, "2026-10-25 06:00"},
		"the first of two":          {mustHours(t, "Europe/Berlin", map[string]string{"sun": "02:30-06:00"}), "2026-10-25 00:00", time.Minute, "2026-10-25 02:31"},
		"the length of that":        {mustHours(t, "Europe/Berlin", map[string]string{"sun": "02:30-06:00"}), "2026-10-25 00:00", 270 * time.Minute, "2026-10-25 06:00"},
		"always":                    {Hours{}, "2026-11-28 10:00", 48 * time.Hour, "2026-11-30 10:00"},
		"three weeks of work hours": {office, "2026-11-02 09:00", 3 * 38 * time.Hour, "2026-11-20 16:00"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			zone := mustZone(t, "Europe/Berlin")
			from, err := time.ParseInLocation(form, tc.from, zone)
			if err != nil {
				t.Fatal(err)
			}
			if got := tc.h.Add(from, tc.add).In(zone).Format(form); got != tc.want {
				t.Errorf("%s, want %s", got, tc.want)
			}
		})
	}
	if monday := time.Date(2026, 11, 23, 9, 0, 0, 0, mustZone(t, "Europe/Berlin")); !office.Open(monday) || office.Open(monday.Add(-time.Second)) || office.Open(monday.Add(8*time.Hour)) {
		t.Error("Monday is not open from nine to five")
	}
}

func TestHoursRefused(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		week     map[string]string
		holidays []string
		want     string
	}{
		"nothing":      {nil, nil, "nothing is ever open"},
		"no day":       {map[string]string{"someday": "09:00-17:00"}, nil, `"someday" is no day, want mon, mon-fri or sat,sun`},
		"no span":      {map[string]string{"mon": "9-17"}, nil, `mon: "9-17" is no span of a day, want 09:00-17:00`},
		"no clock":     {map[string]string{"mon": "09:00-24:01"}, nil, `mon: "09:00-24:01" is no span of a day, want 09:00-17:00`},
		"twice":        {map[string]string{"mon-fri": "09:00-17:00", "fri": "09:00-12:00"}, nil, ""},
		"overlap":      {map[string]string{"mon": "09:00-12:00,11:00-13:00"}, nil, `mon: "09:00-12:00,11:00-13:00" overlaps itself`},
		"no such date": {map[string]string{"mon": "09:00-12:00"}, []string{"2026-02-30"}, `"2026-02-30" is no date like 2026-12-24`},
	} {
		if _, err := NewHours(time.UTC, tc.week, tc.holidays); err == nil || (tc.want != "" && err.Error() != tc.want) {
			t.Errorf("%s: %v, want %q", name, err, tc.want)
		}
	}
}

// minutes is the slow way to tell what Between tells: it looks at every minute's wall clock.
func minutes(a, b time.Time, zone *time.Location, week [7][]span, holidays map[string]bool) (open int) {
	for m := a; m.Before(b); m = m.Add(time.Minute) {
		local := m.In(zone)
		of := local.Hour()*60 + local.Minute()
		yesterday := time.Date(local.Year(), local.Month(), local.Day()-1, 12, 0, 0, 0, zone)
		isOpen := false
		for _, s := range week[local.Weekday()] {
			isOpen = isOpen || (!holidays[local.Format(time.DateOnly)] && s.from <= of && of < s.to)
		}
		for _, s := range week[yesterday.Weekday()] {
			isOpen = isOpen || (!holidays[yesterday.Format(time.DateOnly)] && of+dayMinutes < s.to)
		}
		if isOpen {
			open++
		}
	}
	return open
}

// Hours agree with a look at every minute, over changes of summer time too, and Add is the inverse of Between.
func TestHoursByMinutes(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	weeks := []map[string]string{
		{"mon-fri": "09:00-17:00"},
		{"sun-sat": "00:00-24:00"},
		{"sat,sun": "20:00-04:30", "wed": "00:30-23:59"},
		{"sun": "00:45-03:45"},
		{"mon-sun": "22:00-06:00"},
		{"tue": "08:00-12:00, 13:00-18:15", "sun": "23:00-08:00"},
	}
	for _, zone := range []string{"Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "UTC"} {
		for _, week := range weeks {
			h := mustHours(t, zone, week, "2026-03-30", "2026-11-02")
			for range 12 {
				a := time.Date(2026, []time.Month{3, 4, 10, 11}[rng.IntN(4)], 1+rng.IntN(31), rng.IntN(24), rng.IntN(60), 0, 0, time.UTC)
				b := a.Add(time.Duration(rng.IntN(12*dayMinutes)) * time.Minute)
				got := h.Between(a, b)
				if want := time.Duration(minutes(a, b, h.zone, h.week, h.holidays)) * time.Minute; got != want {
					t.Errorf("%s %v: from %v to %v: %v, want %v", zone, week, a, b, got, want)
				}
				d := time.Duration(1+rng.IntN(80*60)) * time.Minute
				end := h.Add(a, d)
				if back := h.Between(a, end); back != d {
					t.Errorf("%s %v: %v and %v later is %v, which is %v later", zone, week, a, d, end, back)
				}
				if early := h.Between(a, end.Add(-time.Second)); early != d-time.Second {
					t.Errorf("%s %v: %v of %v have passed a second before", zone, week, early, d)
				}
			}
		}
	}
}

// FuzzHours looks for hours that do not end, and for times that Add and Between disagree on.
func FuzzHours(f *testing.F) {
	f.Add("mon-fri", "09:00-17:00", "2026-12-24", int64(1700000000), int64(3600))
	f.Add("sun", "23:59-00:01", "", int64(0), int64(1))
	f.Fuzz(func(t *testing.T, days, spans, holiday string, at, seconds int64) {
		var holidays []string
		if holiday != "" {
			holidays = []string{holiday}
		}
		h, err := NewHours(time.UTC, map[string]string{days: spans}, holidays)
		if err != nil || at < 0 || at > 4e9 {
			return
		}
		from, d := time.Unix(at, 0), time.Duration(seconds%1_000_000)*time.Second
		if got := h.Between(from, h.Add(from, d)); got != max(d, 0) {
			t.Errorf("%v, want %v", got, d)
		}
	})
}

func TestMidnightAndMonday(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ zone, at, midnight, monday string }{
		{"UTC", "2026-10-25T23:59:59Z", "2026-10-25T00:00:00Z", "2026-10-19T00:00:00Z"},
		{"UTC", "2026-10-26T00:00:00Z", "2026-10-26T00:00:00Z", "2026-10-26T00:00:00Z"},
		{"Europe/Berlin", "2026-10-25T22:30:00Z", "2026-10-24T22:00:00Z", "2026-10-18T22:00:00Z"},      // the day with 25 hours
		{"Europe/Berlin", "2026-10-25T23:30:00Z", "2026-10-25T23:00:00Z", "2026-10-25T23:00:00Z"},      // Monday after it
		{"America/Sao_Paulo", "2018-11-04T12:00:00Z", "2018-11-04T03:00:00Z", "2018-10-29T03:00:00Z"},  // no midnight: the clocks go from 23:59 to 01:00
		{"America/Havana", "2026-11-01T12:00:00Z", "2026-11-01T04:00:00Z", "2026-10-26T04:00:00Z"},     // midnight comes twice
		{"Pacific/Kiritimati", "2026-01-01T09:59:59Z", "2025-12-31T10:00:00Z", "2025-12-28T10:00:00Z"}, // across the year
		{"America/St_Johns", "2011-03-13T12:00:00Z", "2011-03-13T03:30:00Z", "2011-03-07T03:30:00Z"},   // the clocks went forward at 00:01
		{"Asia/Kathmandu", "2026-03-02T18:14:59.999Z", "2026-03-01T18:15:00Z", "2026-03-01T18:15:00Z"},
	} {
		at, err := time.Parse(time.RFC3339, tc.at)
		if err != nil {
			t.Fatal(err)
		}
		zone := mustZone(t, tc.zone)
		midnight, monday := Midnight(at, zone).Format(time.RFC3339), Monday(at, zone).Format(time.RFC3339)
		if midnight != tc.midnight || monday != tc.monday {
			t.Errorf("%s in %s: midnight %s, Monday %s; want %s, %s", tc.at, tc.zone, midnight, monday, tc.midnight, tc.monday)
		}
	}
}
