package main

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"hitl"
	"hitl/classifier/policy"
	"hitl/config"
)

// reconfigure replaces a part of the service's configuration and starts it anew.
func (w *world) reconfigure(old, now string) {
	w.t.Helper()
	w.stop()
	raw, err := os.ReadFile(w.configFile())
	if err == nil && !strings.Contains(string(raw), old) {
		w.t.Fatalf("no %q in the configuration", old)
	}
	if err == nil {
		err = os.WriteFile(w.configFile(), []byte(strings.Replace(string(raw), old, now, 1)), 0o600)
	}
	if err != nil {
		w.t.Fatal(err)
	}
	w.start()
}

// certify has the service choose the rate of sampling.
func (w *world) certify(keys string) {
	w.t.Helper()
	w.reconfigure("    queue: support\n    rules:", "    queue: support\n    guarantee: {risk: 0.05, confidence: 0.9}\n    rules:")
	w.reconfigure("    sample: {", "    sample: {certify: {"+keys+"}, ")
	// From here on for an hour only the test looks.
	w.eventually("the service has looked", func() bool {
		return query[bool](w, `SELECT count(*) = 1 FROM hitl.timers WHERE name = 'advise' AND next_at > now() + interval '30 minutes'`)
	})
}

// came writes n items that a policy was sure of, spread over a time until now; the first of them people see. Nobody has answered.
func (w *world) came(t *trust, n, sampled int, over time.Duration) {
	w.t.Helper()
	models, err := t.store.Models(w.t.Context())
	if err != nil || len(models) != 1 {
		w.t.Fatalf("models: %+v, %v", models, err)
	}
	p := t.policies["sentiment"].Now()
	now := time.Now().UTC().Truncate(time.Microsecond)
	for i := range n {
		at := now.Add(-over * time.Duration(n-i) / time.Duration(n))
		id := hitl.NewID("itm", at)
		rec := hitl.Record{
			Item:       hitl.Item{ID: id, Source: "shop", ExternalID: id, Text: "came", ReceivedAt: at},
			Classifier: "sentiment", Labels: models[0].Labels,
			Prediction: hitl.Prediction{Label: "POSITIVE", Confidence: 0.95, Model: models[0].Version, Scores: []hitl.Score{{Label: "POSITIVE", Probability: 0.95}, {Label: "NEGATIVE", Probability: 0.05}}},
			Route:      hitl.Route{Status: hitl.AIAccepted, Policy: p.Version(), Threshold: 0.85, Inclusion: p.Sampled()},
		}
		if i < sampled {
			rec.Route.Status, rec.Route.Queue, rec.Route.Priority, rec.Route.Triggers = hitl.HumanReview, "support", hitl.PrioritySample, []hitl.Trigger{hitl.TriggerSample}
			rec.Review = &hitl.Review{ID: hitl.NewID("rev", at), ItemID: id, Round: 1, State: hitl.ReviewOpen, Queue: "support", Priority: hitl.PrioritySample, OpenedAt: at, Panel: 1}
		}
		if _, _, err := t.store.Append(w.t.Context(), rec, nil); err != nil {
			w.t.Fatal(err)
		}
	}
}

// rates are the accepted changes of the rate of sampling, the earliest first.
func (w *world) rates() (out []hitl.SampleChange) {
	w.t.Helper()
	var list []hitl.Proposal
	if err := json.Unmarshal([]byte(w.mustHitl("proposals", "list", "--json", "sentiment")), &list); err != nil {
		w.t.Fatal(err)
	}
	for _, p := range list {
		if p.Kind != hitl.ProposeSample {
			continue
		}
		c, err := sampleChangeOf(p)
		if err != nil || p.State != hitl.ProposalAccepted || p.Queue != "" {
			w.t.Errorf("%+v, %v", p, err)
		}
		if !c.Off && (p.MadeBy != "policy/certify" || p.DecidedBy != "policy/certify") {
			w.t.Errorf("%+v", p)
		}
		out = append([]hitl.SampleChange{c}, out...)
	}
	return out
}

// The service chooses the rate that brings enough reviews by the day: every replica samples by it, a new start too, beside accepted thresholds, and a promise counts
// on. When there is enough it falls to the least; what the configuration says then, and what somebody takes back, holds.
func TestCertify(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *storySettings) { s.Rate = 0.05; s.Queue = "    owners: {users: [U0ANA]}" })
	w.certify("within: 30d, max_rate: 0.5, min_rate: 0.01")
	keys := strings.Fields(w.mustHitl("log", "key", "log.example.org"))
	w.appendConfig("audit: {key: \"" + keys[0] + "\", checkpoint_every: 1s}\n")
	w.post("first", unsureText, http.StatusAccepted)
	one, two := w.watcher(), w.watcher()
	s := &service{cfg: one.cfg, store: one.store, logger: slog.New(slog.DiscardHandler)}
	look := func() {
		t.Helper()
		if err := s.adviseDue(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	sampled := func(trusts ...*trust) (rate float64) {
		t.Helper()
		version := ""
		for _, tr := range trusts {
			if err := tr.refresh(t.Context()); err != nil {
				t.Fatal(err)
			}
			now := tr.policies["sentiment"].Now()
			if version != "" && now.Version() != version {
				t.Errorf("replicas route by %s and %s", version, now.Version())
			}
			rate, version = now.Sampled(), now.Version()
		}
		return rate
	}
	serves := func(rate float64) {
		t.Helper()
		w.eventually("the running service has the rate", func() bool {
			return strings.Contains(string(w.request(http.MethodGet, w.metrics+"/metrics", nil, nil).body), fmt.Sprintf("hitl_policy_sample_rate{policy=\"sentiment\"} %v", rate))
		})
	}

	look() // items have come for no day: the time begins at the configured rate
	all := w.rates()
	if len(all) != 1 || all[0].Rate != 0.05 || all[0].Until.Sub(all[0].Since) != 30*24*time.Hour || all[0].Complete {
		t.Fatalf("at first: %+v", all)
	}
	w.came(one, 300, 15, 72*time.Hour)
	look()
	// 184 items forgive five wrong ones, and 212 are drawn to have as many; 100 come a day, for 27 days.
	all = w.rates()
	if len(all) != 2 || all[1].Rate < 0.07 || all[1].Rate > 0.076 || !all[1].Until.Equal(all[0].Until) || all[1].Complete {
		t.Fatalf("after three days: %+v", all)
	}
	if got := sampled(one, two); got != all[1].Rate {
		t.Errorf("replicas sample %v, want %v", got, all[1].Rate)
	}
	look()
	if again := w.rates(); len(again) != 2 {
		t.Errorf("the same again: %+v", again)
	}
	serves(all[1].Rate)
	w.asks("U0CHLOE", "policy shop", "That share is chosen so that at most 5% wrong answers")
	if out := w.mustHitl("policy", "show", "--now", "--format", "table"); !strings.Contains(out, "sampled, configured are 5.0%: chosen to certify a risk of 0.05 with 0.9 confidence by") {
		t.Error(out)
	}

	// Thresholds are accepted beside it, and answers of before and after the rate changes count for their promise.
	configured := one.configured["sentiment"]
	change := hitl.ThresholdChange{
		Thresholds: hitl.Thresholds{Threshold: 0.8}, From: configured.Thresholds(), Policy: configured.Version(), Classifier: "sentiment", Risk: "0.05", Confidence: "0.9",
	}
	p, err := newProposal(hitl.ProposeThresholds, "sentiment", change, hitl.ThresholdEvidence{}, "cli/ana")
	if err != nil {
		t.Fatal(err)
	}
	if err := one.store.Propose(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	w.mustHitl("proposals", "accept", p.ID)
	if got := sampled(one, two); got != all[1].Rate || one.policies["sentiment"].Now().Thresholds().Threshold != 0.8 {
		t.Errorf("with other thresholds: rate %v, %+v", got, one.policies["sentiment"].Now().Thresholds())
	}
	w.checked(one, one.policies["sentiment"].Version(), 10, 1)
	w.came(one, 300, 230, time.Hour)
	look()
	all = w.rates()
	if len(all) != 3 || all[2].Rate != 0.01 || !all[2].Complete {
		t.Fatalf("enough was drawn: %+v", all)
	}
	if got := sampled(one, two, w.watcher()); got != 0.01 { // a process that starts now, too
		t.Errorf("replicas sample %v", got)
	}
	w.checked(one, one.policies["sentiment"].Version(), 5, 1)
	if err := one.watch(t.Context()); err != nil {
		t.Fatal(err)
	}
	if k := one.promises()["sentiment"]; k.answered != 15 || k.wrong != 2 {
		t.Errorf("the promise at two rates: %+v", k)
	}
	look()
	if again := w.rates(); len(again) != 3 {
		t.Errorf("complete, and again: %+v", again)
	}
	serves(0.01)
	w.asks("U0CHLOE", "policy shop", "A person also sees 1%", "Enough was drawn")

	// The configuration wins, and its time begins anew; what was taken back stays so.
	w.reconfigure("rate: 0.05", "rate: 0.06")
	three := w.watcher()
	if got := sampled(three); got != 0.06 {
		t.Errorf("another rate is configured: %v", got)
	}
	if _, err := w.hitl("proposals", "revert", "sentiment", "--sample"); err == nil || !strings.Contains(err.Error(), "nothing to take back") {
		t.Errorf("taken back what does not hold: %v", err)
	}
	s.cfg = three.cfg
	look()
	if all = w.rates(); len(all) != 4 || !all[3].Complete || all[3].From != 0.06 || !all[3].Since.After(all[0].Since) || sampled(three) != 0.01 {
		t.Errorf("anew: %+v", all)
	}
	w.mustHitl("proposals", "revert", "sentiment", "--sample", "--by", "cli/ana")
	look()
	if all = w.rates(); len(all) != 5 || !all[4].Off || sampled(three) != 0.06 {
		t.Errorf("taken back: %+v, %v", all, sampled(three))
	}
	if out := w.mustHitl("policy", "show", "--now"); !strings.Contains(out, "what the service chose before is off") {
		t.Error(out)
	}
	if out := w.mustHitl("verify"); !strings.Contains(out, "nothing was altered") {
		t.Errorf("verify: %s", out)
	}
}

// When even the highest rate does not suffice, the owners are told once; a change without certify in the configuration is void.
func TestCertifyLate(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *storySettings) { s.Rate = 0.05; s.Queue = "    owners: {users: [U0ANA]}" })
	w.certify("within: 10d, max_rate: 0.1, min_rate: 0.01")
	w.post("first", unsureText, http.StatusAccepted)
	one := w.watcher()
	w.came(one, 60, 3, 72*time.Hour)
	s := &service{cfg: one.cfg, store: one.store, logger: slog.New(slog.DiscardHandler)}
	for range 2 {
		if err := s.adviseDue(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if all := w.rates(); len(all) != 1 || all[0].Rate != 0.1 || all[0].Complete {
		t.Fatalf("%+v", all)
	}
	w.eventually("the owners are told", func() bool { return strings.Contains(w.screen(), "Too few reviews to certify sentiment in time") })
	told := 0
	for _, m := range w.sim.Messages(reviewChannel) {
		if strings.Contains(m.Text, "People see 10% of what the model is sure of") && strings.Contains(m.Text, "As items come now, it takes until") && strings.Contains(m.Text, "could be promised") {
			told++
		}
	}
	if told != 1 {
		t.Errorf("told %d times: %s", told, w.screen())
	}
	w.reconfigure("certify: {within: 10d, max_rate: 0.1, min_rate: 0.01}, ", "")
	if now := w.watcher().policies["sentiment"].Now(); now.Sampled() != 0.05 {
		t.Errorf("without certify: %v", now.Sampled())
	}
}

// Each promise has a stock of its own, at the threshold of its label in force, or the configured one where nothing is accepted; of what always goes to people there is none.
func TestStocks(t *testing.T) {
	threshold := 0.85
	p, err := policy.New(policy.Spec{
		Name: "p", Queue: "q", Threshold: &threshold, LabelThresholds: map[string]float64{"C": hitl.NoConfidence}, Sample: policy.Sample{Rate: 0.5, Key: []byte("0123456789abcdef")},
	})
	if err != nil {
		t.Fatal(err)
	}
	until := time.Date(2026, 3, 31, 12, 0, 0, 0, time.UTC)
	a := &adviser{
		evidence: &evidence{until: until}, name: "p", configured: p,
		terms: map[string]policy.Terms{"v": {Thresholds: hitl.Thresholds{Threshold: 0.9, Labels: map[string]float64{"B": hitl.NoConfidence, "C": hitl.NoConfidence}}, Rate: 0.5}},
	}
	scores := []hitl.Score{{Label: "A"}, {Label: "B"}, {Label: "C"}, {Label: "D"}}
	add := func(label string, confidence float64, ago time.Duration, triggers ...hitl.Trigger) {
		inclusion := 0.5
		if confidence < 0.9 {
			inclusion = 1
		}
		a.routed = append(a.routed, hitl.Labelled{
			ItemID: fmt.Sprint(len(a.routed)), AILabel: label, Confidence: confidence, Scores: scores, Policy: "v", Inclusion: inclusion, Reviewed: true,
			ReceivedAt: until.Add(-ago), Triggers: triggers,
		})
	}
	const day = 24 * time.Hour
	add("A", 0.95, 20*day, hitl.TriggerSample)
	add("C", 0.95, 8*day, hitl.TriggerSample)
	add("D", 0.95, 8*day, hitl.RuleTrigger("r"))
	for range 7 {
		add("A", 0.9, 2*day, hitl.TriggerSample)
		add("A", 0.89, 2*day, hitl.TriggerLowConfidence)
		add("B", 0.95, 2*day, hitl.TriggerSample)
		add("B", 0.84, 2*day, hitl.TriggerLowConfidence)
	}
	stocks, counted := a.stocks(true)
	if fmt.Sprint(stocks) != "[{A 8 1} {B 7 1}]" || counted != 7*day {
		t.Errorf("by label: %v over %v", stocks, counted)
	}
	// As C is accepted nowhere, it counts for nothing here either.
	if stocks, _ := a.stocks(false); fmt.Sprint(stocks) != "[{ 15 2}]" {
		t.Errorf("together: %v", stocks)
	}
	a.routed = a.routed[3:]
	if stocks, counted := a.stocks(true); fmt.Sprint(stocks) != "[{A 7 3.5} {B 7 3.5}]" || counted != 2*day {
		t.Errorf("since two days: %v over %v", stocks, counted)
	}
}

func TestRounded(t *testing.T) {
	want := config.Certify{MinRate: 0.005, MaxRate: 0.2}
	for in, out := range map[float64]float64{0.0474167: 0.0475, 0.05: 0.05, 0.1: 0.1, 0.123401: 0.124, 0.0001: 0.005, 0.9: 0.2, 0.19999: 0.2} {
		if got := rounded(in, want); got != out {
			t.Errorf("%v is %v, want %v", in, got, out)
		}
	}
	for _, c := range []struct {
		present, next float64
		want          bool
	}{{0.1, 0.1, false}, {0.1, 0.12, false}, {0.1, 0.126, true}, {0.1, 0.079, true}, {0.19, 0.2, true}, {0.0051, 0.005, true}, {0.2, 0.19, false}} {
		if got := isMaterial(c.present, c.next, want); got != c.want {
			t.Errorf("%v to %v: %v", c.present, c.next, got)
		}
	}
}

// A change that cannot be read, or names a policy that is gone, changes nothing.
func TestBases(t *testing.T) {
	threshold := 0.85
	p, err := policy.New(policy.Spec{Name: "p", Queue: "q", Threshold: &threshold, Sample: policy.Sample{Rate: 0.02, Key: []byte("0123456789abcdef")}})
	if err != nil {
		t.Fatal(err)
	}
	cfg := &config.Config{Policies: map[string]config.Policy{"p": {Sample: config.Sample{Rate: 0.02, Certify: &config.Certify{MinRate: 0.005, MaxRate: 0.2}}}}}
	tr := newTrust(cfg, nil, slog.New(slog.DiscardHandler), map[string]*policy.Policy{"p": p}, nil, nil)
	for body, want := range map[string]float64{`{"rate": 0.1, "from": 0.02}`: 0.1, `{"rate": 9, "from": 0.02}`: 0.2, `[]`: 0.02, `{"rate": 0.1, "from": 0.03}`: 0.02} {
		got := tr.bases(t.Context(), []hitl.Proposal{
			{ID: "prp_1", Kind: hitl.ProposeSample, Name: "p", Body: json.RawMessage(body)},
			{ID: "prp_2", Kind: hitl.ProposeSample, Name: "gone", Body: json.RawMessage(body)},
			{ID: "prp_3", Kind: hitl.ProposeThresholds, Name: "p", Body: json.RawMessage(body)},
		})
		if len(got) != 1 || got["p"].Sampled() != want || got["p"].Name() != "p" {
			t.Errorf("%s: %v, want %v", body, got["p"].Sampled(), want)
		}
	}
}
