package config

import (
	"strings"
	"testing"
	"time"
)

// An order by uncertainty lets what the model is surest of wait. Where reviews expire, somebody must be told before.
func TestWarnings(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		order          string
		expire, remind time.Duration
		warned         bool
	}{
		"oldest first":             {"oldest", time.Hour, 0, false},
		"nothing expires":          {"margin", 0, 0, false},
		"nobody is told":           {"margin", time.Hour, 0, true},
		"told in time":             {"entropy", time.Hour, time.Minute, false},
		"told when it is too late": {"entropy", time.Hour, time.Hour, true},
	} {
		q := New[Queue]()
		q.Order, q.ExpireAfter, q.SLA.RemindAfter = c.order, c.expire, c.remind
		got := (&Config{Queues: map[string]Queue{"support": q}}).Warnings()
		if (len(got) == 1) != c.warned || c.warned && !strings.HasPrefix(got[0], "queues.support.order: with "+c.order) {
			t.Errorf("%s: %q", name, got)
		}
	}
}
