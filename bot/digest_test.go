package bot

import (
	"context"
	"errors"
	"slices"
	"strings"
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

// sampleFindings has each kind.
func sampleFindings() []hitl.Finding {
	share, rest := hitl.Share{Value: 0.41, Low: 0.33, High: 0.5}, hitl.Share{Value: 0.07, Low: 0.05, High: 0.09}
	return []hitl.Finding{
		{Kind: hitl.FindDrift, Subject: hitl.DriftLabels, Other: "default"},
		{Kind: hitl.FindConfusion, Subject: "POSITIVE", Other: "NEG`<!here>", Items: 120, Rate: share},
		{Kind: hitl.FindIdleRule, Subject: "vip", Items: 1300, Rate: hitl.Share{High: 0.003}, Reviews: 1200},
		{Kind: hitl.FindSource, Subject: "shop", Rate: share, Rest: rest},
		{Kind: hitl.FindQueue, Subject: "seniors", Rate: share, Rest: rest},
		{Kind: hitl.FindRule, Subject: "money", Rate: share, Rest: rest},
		{Kind: hitl.FindUnknown, Subject: "REFUND", Rate: rest},
		{Kind: hitl.FindDrift, Subject: hitl.DriftConfidence, Other: "default"},
		{Kind: hitl.FindDrift, Subject: hitl.DriftLength, Other: "default"},
	}
}

// teacher answers with findings prepared before.
type teacher struct {
	found []hitl.Finding
	err   error
	asked []hitl.StatsQuery
}

func (f *teacher) Findings(_ context.Context, q hitl.StatsQuery) ([]hitl.Finding, error) {
	f.asked = append(f.asked, q)
	return f.found, f.err
}

// Three things that the week taught are told; the figures are, even if those cannot be had.
func TestDigestTaught(t *testing.T) {
	t.Parallel()
	f := &teacher{found: sampleFindings()}
	w := newWorld(t, func(s *setup) { s.bot.Findings = f })
	w.stats.reply = sampleStats()
	n := hitl.Notice{ID: "ntc_digest", Kind: hitl.NoticeDigest, Queue: "support", InQueue: true, Attempt: 1, CreatedAt: time.Now(), Data: map[string]string{"until": "2026-11-23T09:00:00Z"}}
	_, ts, err := w.bot.PostNotice(t.Context(), n)
	if err != nil {
		t.Fatal(err)
	}
	said := w.message(ts).AllText()
	wants(t, "digest", said, "What the week teaches", "in clearly other shares", "Where the AI says `POSITIVE`, people say", "The rule `vip` found nothing: none of its 1,300")
	if strings.Contains(said, "`shop` are corrected") {
		t.Errorf("more than three: %s", said)
	}
	until := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	if q := f.asked[0]; q.Queue != "support" || !q.Until.Equal(until) || !q.Since.Equal(until.Add(-week)) {
		t.Errorf("asked for %+v", q)
	}
	f.err, n.ID = errors.New("connection refused"), "ntc_digest_2"
	if _, ts, err = w.bot.PostNotice(t.Context(), n); err != nil {
		t.Fatal(err)
	}
	said = w.message(ts).AllText()
	wants(t, "digest without", said, "The week in support")
	if strings.Contains(said, "What the week teaches") {
		t.Errorf("%s", said)
	}
	w.clean()
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
