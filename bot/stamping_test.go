package bot

import (
	"errors"
	"maps"
	"strings"
	"testing"
	"time"

	"hitl"
)

// stampingOf is a notice about Ana's week.
func stampingOf(change map[string]string) hitl.Notice {
	n := hitl.Notice{ID: "ntc_stamping_1", Kind: hitl.NoticeStamping, Queue: "support", Attempt: 1, CreatedAt: time.Now(), Data: map[string]string{
		"team": "T0SLACKSIM", "user": ana, "week": "2026-W47", "judged": "120", "corrected": "0", "others_judged": "300", "others_corrected": "45",
		"known": "0", "missed": "0", "others_known": "40", "others_missed": "2", "gaps": "119", "median_gap_ms": "1400",
	}}
	maps.Copy(n.Data, change)
	return n
}

func stamped(l *language, change map[string]string) message {
	m, err := stampingMessage(l, stampingOf(change))
	if err != nil {
		panic(err)
	}
	return m
}

// An owner is told in their own language and their own conversation, once, and the queue's channel is not.
func TestStampingNotice(t *testing.T) {
	t.Parallel()
	w := newWorld(t, speaking(chloe, "de-DE"))
	n := stampingOf(nil)
	n.To = chloe
	first, ts, err := w.bot.PostNotice(t.Context(), n)
	if err != nil || first == channel || !strings.HasPrefix(first, "D") {
		t.Fatalf("posted to %q: %v", first, err)
	}
	n.Attempt = 2
	if again, ts2, err := w.bot.PostNotice(t.Context(), n); err != nil || again != first || ts2 != ts {
		t.Errorf("posted again: %s %s, %v", again, ts2, err)
	}
	all := w.sim.Messages(first)
	if len(all) != 1 || !strings.Contains(all[0].AllText(), "ein Gespräch wert") || !strings.Contains(all[0].AllText(), "0 von 120 (0,0") {
		t.Errorf("told: %+v", all)
	}
	if n := len(w.sim.Messages(channel)); n != 0 {
		t.Errorf("%d messages in the queue's channel", n)
	}
	delete(n.Data, "gaps")
	if _, _, err := w.bot.PostNotice(t.Context(), n); !errors.Is(err, hitl.ErrPermanent) {
		t.Errorf("a notice without its figures: %v", err)
	}
	w.clean()
}
