package bot

import (
	"errors"
	"strings"
	"testing"
	"time"

	"hitl"
	"hitl/bot/slacksim"
)

func sampleStats() hitl.Stats {
	s := hitl.Stats{
		Since: testTime.Add(-24 * time.Hour), Until: testTime,
		Items: 12345, AIAccepted: 11000, Reviewed: 1345, ReviewRate: 0.109,
		Decisions: 1200, Accepted: 900, Corrected: 280, Expired: 20, AcceptanceRate: 0.763, CorrectionRate: 0.237,
		MedianToDecide: 95 * time.Second, P95ToDecide: 26*time.Minute + 3*time.Second, Open: 42, OldestAge: 3 * time.Hour,
		Triggers: []hitl.TriggerCount{{Trigger: hitl.TriggerLowConfidence, Items: 1200}, {Trigger: hitl.RuleTrigger("refunds"), Items: 145}},
		ByReviewer: []hitl.ReviewerStats{
			{Reviewer: hitl.Reviewer{Team: "T1", User: "U0ANA"}, Accepted: 500, Corrected: 80, MedianToDecide: time.Minute},
			{Reviewer: hitl.Reviewer{User: "import & <co>"}, Accepted: 1},
		},
		ByLabel: []hitl.LabelStats{{AILabel: "NEGATIVE", Accepted: 800, Corrected: 80}, {Corrected: 3}},
	}
	for i := range 20 {
		s.Buckets = append(s.Buckets, hitl.StatsBucket{
			Start: s.Since.Add(time.Duration(i) * 72 * time.Minute), AIAccepted: 500 + i, Accepted: 40, Corrected: i, Expired: i % 3, Reviewed: 60,
		})
	}
	return s
}

func TestParseStats(t *testing.T) {
	t.Parallel()
	queues := []string{"abuse", "support"}
	type parsed struct {
		queue string
		name  string
		by    statsBy
		why   string
	}
	for text, want := range map[string]parsed{
		"":                     {name: "24h"},
		"support":              {queue: "support", name: "24h"},
		"7d":                   {name: "7d"},
		"30D abuse":            {queue: "abuse", name: "30d"},
		"abuse 30d":            {queue: "abuse", name: "30d"},
		"by label":             {name: "24h", by: byLabel},
		"abuse BY Reviewer 7d": {queue: "abuse", name: "7d", by: byReviewer},
		"Today support":        {queue: "support", name: "today"},
		"week by label":        {name: "week", by: byLabel},
		"today week":           {why: "`week` is neither a queue (`abuse, support`), nor a period (`24h`, `7d`, `30d`, `today`, `week`), nor `by label` or `by reviewer`."},
		"by":                   {why: "`by` is neither a queue (`abuse, support`), nor a period (`24h`, `7d`, `30d`, `today`, `week`), nor `by label` or `by reviewer`."},
		"<!channel>":           {why: "`&lt;!channel&gt;` is neither a queue (`abuse, support`), nor a period (`24h`, `7d`, `30d`, `today`, `week`), nor `by label` or `by reviewer`."},
		"7d 24h":               {why: "`24h` is neither a queue (`abuse, support`), nor a period (`24h`, `7d`, `30d`, `today`, `week`), nor `by label` or `by reviewer`."},
	} {
		var got parsed
		ask, err := parseStats(strings.Fields(text), queues)
		got.queue, got.name, got.by = ask.queue, ask.period.name, ask.by
		if usage, ok := errors.AsType[*usageError](err); ok {
			got.why = usage.why(inEnglish)
		}
		if got != want {
			t.Errorf("%q: %+v, want %+v", text, got, want)
		}
	}
}

func TestNearest(t *testing.T) {
	t.Parallel()
	for word, want := range map[string]string{
		"stat": "stats", "sttas": "stats", "STATUS": "stats", "queues": "queue", "quue": "queue", "hlep": "help", "h": "", "dance": "", "": "", "<!channel>": "",
	} {
		if got := nearest(word); got != want {
			t.Errorf("%q: %q, want %q", word, got, want)
		}
	}
}

// Every command is complete, and help has it.
func TestCommandsAreComplete(t *testing.T) {
	t.Parallel()
	all := helpMessage(inEnglish, "/hitl", "").Text
	for _, c := range commands() {
		if c.summary == nil || (c.name != "help" && (c.run == nil || c.may == nil)) {
			t.Errorf("%s lacks something", c.name)
		}
		if !strings.Contains(all, "`/hitl "+strings.TrimSpace(c.name+" "+c.args)+"`") {
			t.Errorf("help lacks %s", c.name)
		}
	}
}

func (w *world) command(user, text string) slacksim.Outcome {
	w.t.Helper()
	out, err := w.sim.Command(w.t.Context(), user, channel, "/hitl", text)
	if err != nil {
		w.t.Fatal(err)
	}
	w.bot.Wait()
	return out
}

func TestStatsCommand(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, w *world) {
		w.stats.reply = sampleStats()
		if out := w.command(ana, "stats support 7d"); out.Status != 200 || out.Error != "" {
			t.Errorf("answer: %+v", out)
		}
		if q := w.stats.asked[0]; q.Queue != "support" || q.Until.Sub(q.Since) != 7*24*time.Hour {
			t.Errorf("asked: %+v", q)
		}
		all := w.sim.Ephemerals(ana)
		if len(all) != 1 {
			t.Fatalf("%d answers", len(all))
		}
		text := all[0].AllText()
		for _, want := range []string{
			"12,345 items", "review rate 10.9%", "acceptance rate 76.3%", "correction rate 23.7%", "1 min 35 s", "26 min 3 s",
			"<@U0ANA>: 500 accepted, 80 corrected", "`NEGATIVE`: 800 accepted", "rule `refunds`: 145", "42 reviews open now",
		} {
			if !strings.Contains(text, want) {
				t.Errorf("%q is missing in %s", want, text)
			}
		}
		if !hasChart(all[0]) {
			t.Error("no chart")
		}
		w.clean()
	})
}

func hasChart(m slacksim.Message) bool {
	for _, b := range m.Blocks {
		if b["type"] == "data_visualization" {
			return true
		}
	}
	return false
}

func TestStatsWithoutChartWhenSlackRefusesIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.stats.reply = sampleStats()
	if err := w.sim.Fail(slacksim.ResponseURL, slacksim.Fault{Error: "invalid_blocks"}); err != nil {
		t.Fatal(err)
	}
	w.command(ana, "stats")
	all := w.sim.Ephemerals(ana)
	if len(all) != 1 || hasChart(all[0]) || !strings.Contains(all[0].AllText(), "review rate 10.9%") {
		t.Errorf("answers: %+v", all)
	}
	w.clean()
}

func TestCommandsInTrouble(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.stats.err = errors.New("connection refused")
	for _, text := range []string{"stats", "queue"} {
		w.command(ana, text)
		if words := w.whispered(ana); !strings.Contains(words, "could not be done") {
			t.Errorf("%s: told %q", text, words)
		}
	}
	w.command("U0EVE", "stats")
	if words := w.whispered("U0EVE"); !strings.Contains(words, "members of this workspace") {
		t.Errorf("told %q", words)
	}
	w.clean()
}

func TestQueueAndHelpCommands(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, w *world) {
		w.add()
		w.stats.reply = hitl.Stats{Open: 5, OldestAge: 90 * time.Minute}
		w.command(chloe, "queue")
		if words := w.whispered(chloe); !strings.Contains(words, "`support` in <#C0REVIEW>: 5 reviews open, the oldest for 1 h 30 min; 1 waiting") {
			t.Errorf("told %q", words)
		}
		w.queue.mu.Lock()
		w.queue.away = errors.New("redis is away")
		w.queue.mu.Unlock()
		w.command(chloe, "queue")
		if words := w.whispered(chloe); !strings.Contains(words, "5 reviews open, the oldest for 1 h 30 min; how many wait for a card is not known") {
			t.Errorf("told %q", words)
		}
		w.command(chloe, "help")
		if words := w.whispered(chloe); !strings.Contains(words, "/hitl stats [queue]") {
			t.Errorf("told %q", words)
		}
		w.command(chloe, "stat")
		if words := w.whispered(chloe); !strings.Contains(words, "I do not know `stat`. Did you mean `/hitl stats`?") || !strings.Contains(words, "/hitl queue") {
			t.Errorf("told %q", words)
		}
		w.command(chloe, "help STATS")
		if words := w.whispered(chloe); !strings.Contains(words, "last 24 hours") || strings.Contains(words, "/hitl queue") {
			t.Errorf("told %q", words)
		}
		w.command(chloe, "QUEUE support 7d")
		if words := w.whispered(chloe); !strings.Contains(words, "`queue` takes one queue at most.") {
			t.Errorf("told %q", words)
		}
		w.clean()
	})
}

func TestBucketNamesAreUniqueAndShort(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		width time.Duration
		n     int
		want  string // the second name
	}{
		{72 * time.Minute, 20, "10:42"},
		{8*time.Hour + 24*time.Minute, 20, "Nov 2 17:54"},
		{36 * time.Hour, 20, "Nov 3"},
		{time.Second, 20, "26-11-02 09:30:01"},
		{time.Hour, 1, ""},
	} {
		var buckets []hitl.StatsBucket
		for i := range tc.n {
			buckets = append(buckets, hitl.StatsBucket{Start: testTime.Add(time.Duration(i) * tc.width)})
		}
		names := bucketNames(inEnglish, buckets, time.UTC)
		seen := map[string]bool{}
		for _, n := range names {
			if seen[n] || len(n) > 20 {
				t.Errorf("%s: %q", tc.width, names)
			}
			seen[n] = true
		}
		if len(names) != tc.n || (tc.n > 1 && names[1] != tc.want) {
			t.Errorf("%s: %q, want %q second", tc.width, names, tc.want)
		}
	}
	if got := bucketNames(inEnglish, nil, time.UTC); len(got) != 0 {
		t.Errorf("nothing: %q", got)
	}
}
