package bot

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"hitl"
	"hitl/bot/slacksim"
)

// Days and weeks go by the clocks of the queue's hours, then by those of whoever asks, then by UTC.
func TestStatsSinceMidnight(t *testing.T) {
	t.Parallel()
	hours, err := hitl.NewHours(mustLocation(t, "Asia/Tokyo"), map[string]string{"mon-fri": "09:00-17:00"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	w := newWorld(t, func(s *setup) {
		s.bot.Queues["billing"] = s.bot.Queues["support"]
		s.bot.Desk.Queues["billing"] = hitl.QueueRules{Hours: hours}
		s.bot.Now = func() time.Time { return now }
		demo := slacksim.DemoWorkspace()
		s.sim.Users, s.sim.Groups, s.sim.Channels = demo.Users, demo.Groups, demo.Channels
		for i := range s.sim.Users {
			if s.sim.Users[i].ID == ana {
				s.sim.Users[i].TimeZone = "America/New_York"
			}
		}
	})
	w.stats.reply = sampleStats()
	for i, tc := range []struct{ user, text, zone string }{
		{ana, "stats billing today", "Asia/Tokyo"},
		{ana, "stats support today", "America/New_York"},
		{ana, "stats today", "America/New_York"},
		{ben, "stats week", "Etc/UTC"},
		{ben, "stats week billing", "Asia/Tokyo"},
	} {
		w.command(tc.user, tc.text)
		q := w.stats.asked[i]
		at := q.Since.In(mustLocation(t, tc.zone))
		if at.Format("15:04:05") != "00:00:00" || !q.Until.Equal(now) || now.Sub(q.Since) > 7*24*time.Hour+time.Hour {
			t.Errorf("%s: since %v until %v", tc.text, at, q.Until)
		}
		if strings.Contains(tc.text, "week") && at.Weekday() != time.Monday || strings.Contains(tc.text, "today") && now.Sub(q.Since) > 25*time.Hour {
			t.Errorf("%s: since %v", tc.text, at)
		}
		all := w.sim.Ephemerals(tc.user)
		if blocks := fmt.Sprint(all[len(all)-1].Blocks); !strings.Contains(blocks, "Time ("+tc.zone+")") {
			t.Errorf("%s: not by the clocks of %s: %s", tc.text, tc.zone, blocks)
		}
	}
	w.clean()
}

func TestPeriodIsNeverEmpty(t *testing.T) {
	t.Parallel()
	monday := time.Date(2026, 10, 26, 0, 0, 0, 0, time.UTC)
	for _, p := range periods {
		if begin := p.begin(monday, time.UTC); !begin.Before(monday) {
			t.Errorf("%s: %v to %v", p.name, begin, monday)
		}
	}
}

func mustLocation(t *testing.T, name string) *time.Location {
	t.Helper()
	zone, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return zone
}
