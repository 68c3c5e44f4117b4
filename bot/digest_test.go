package bot

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"hitl"
	"hitl/bot/slacksim"
)

// halved is a slower week.
func halved(s hitl.Stats) hitl.Stats {
	s.Items, s.Accepted, s.Corrected, s.ReviewRate, s.AcceptanceRate = s.Items/2, s.Accepted/2, s.Corrected/2, s.ReviewRate/2, s.AcceptanceRate/2
	s.MedianToDecide *= 2
	return s
}

// charted says whether a message has a chart.
func charted(m slacksim.Message) bool {
	return slices.ContainsFunc(m.Blocks, func(b slacksim.Block) bool { return b["type"] == "data_visualization" })
}

// The week's figures come with a chart, or in words alone where Slack takes none.
func TestDigest(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.stats.reply = sampleStats()
	n := hitl.Notice{ID: "ntc_digest", Kind: hitl.NoticeDigest, Queue: "support", InQueue: true, Attempt: 1, CreatedAt: time.Now(), Data: map[string]string{"until": "2026-11-23T09:00:00Z"}}
	where, ts, err := w.bot.PostNotice(t.Context(), n)
	if err != nil || where != channel {
		t.Fatalf("%q, %v", where, err)
	}
	m := w.message(ts)
	wants(t, "digest", m.AllText(), "The week in support", "the week before", "Corrected most often")
	if !charted(m) {
		t.Error("no chart")
	}
	if err := w.sim.Fail("chat.postMessage", slacksim.Fault{Error: "invalid_blocks", Times: 1}); err != nil {
		t.Fatal(err)
	}
	n.ID = "ntc_digest_2"
	if _, ts, err = w.bot.PostNotice(t.Context(), n); err != nil {
		t.Fatal(err)
	}
	m = w.message(ts)
	wants(t, "words", m.AllText(), "The week in support")
	if charted(m) {
		t.Error("the chart was sent again")
	}
	n.Data = nil
	if _, _, err := w.bot.PostNotice(context.WithoutCancel(t.Context()), n); !errors.Is(err, hitl.ErrPermanent) {
		t.Errorf("without a time: %v", err)
	}
	w.clean()
}
