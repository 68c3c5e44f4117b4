package hitl

import (
	"math/rand/v2"
	"testing"
	"time"
)

func TestWeekly(t *testing.T) {
	t.Parallel()
	berlin := mustZone(t, "Europe/Berlin")
	const form = "2006-01-02 15:04"
	for _, tc := range []struct{ weekly, at, want string }{
		{"mon 09:00", "2026-11-25 21:00", "2026-11-23 09:00"},
		{"mon 09:00", "2026-11-23 09:00", "2026-11-23 09:00"},
		{"mon 09:00", "2026-11-23 08:59", "2026-11-16 09:00"},
		{"SUN 23:30", "2026-11-23 08:59", "2026-11-22 23:30"},
		{"sat 00:00", "2026-10-26 00:00", "2026-10-24 00:00"}, // winter time begins in between
	} {
		w, err := NewWeekly(berlin, tc.weekly)
		if err != nil {
			t.Fatal(err)
		}
		at, err := time.ParseInLocation(form, tc.at, berlin)
		if err != nil {
			t.Fatal(err)
		}
		if got := w.Latest(at).In(berlin).Format(form); got != tc.want {
			t.Errorf("%s before %s: %s, want %s", tc.weekly, tc.at, got, tc.want)
		}
	}
	for _, bad := range []string{"monday 09:00", "mon", "mon 9", "mon 24:00", "09:00", "mon 25:00"} {
		if _, err := NewWeekly(time.UTC, bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
	if w, err := NewWeekly(time.UTC, ""); err != nil || !w.Never() {
		t.Errorf("nothing: %v, %v", w, err)
	}
}

// It comes once in a week, and never later than asked.
func TestWeeklyComesOnce(t *testing.T) {
	t.Parallel()
	w, err := NewWeekly(mustZone(t, "America/New_York"), "wed 16:45")
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(3, 4))
	for range 2000 {
		at := time.Unix(1_770_000_000+rng.Int64N(60_000_000), 0)
		latest := w.Latest(at)
		if latest.After(at) || at.Sub(latest) >= 7*24*time.Hour+time.Hour || !w.Latest(latest).Equal(latest) || w.Latest(latest.Add(-time.Second)).After(latest.Add(-6*24*time.Hour)) {
			t.Fatalf("before %v: %v", at, latest)
		}
	}
}
