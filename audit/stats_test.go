package audit_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"hitl"
	"hitl/audit"
)

// made is a random record with the decision it got, if any.
type made struct {
	rec      hitl.Record
	decision *hitl.Decision
}

// population appends and decides random records, a week of them.
func population(t *testing.T, s *audit.Store, random *rand.Rand) []made {
	t.Helper()
	all := make([]made, 150)
	for i := range all {
		rec := unsure(fmt.Sprint(i), "so so")
		if random.IntN(3) == 0 {
			rec = sure(fmt.Sprint(i), "fine")
		}
		at := start.Add(time.Duration(random.Int64N(int64(7 * 24 * time.Hour)))).Truncate(time.Microsecond)
		if random.IntN(10) == 0 {
			at = start // on the very edge
		}
		rec.Item.ReceivedAt = at
		rec.Prediction.Label = []string{"NEGATIVE", "POSITIVE", ""}[random.IntN(3)]
		if rec.Review != nil {
			rec.Route.Triggers = [][]hitl.Trigger{{"sample"}, {"low_confidence", "rule:angry"}, {"low_confidence"}}[random.IntN(3)]
			rec.Route.Queue = []string{"default", "other"}[random.IntN(2)]
			rec.Review.Queue, rec.Review.OpenedAt = rec.Route.Queue, at
		}
		all[i].rec = rec
		if rec.Review == nil || random.IntN(4) == 0 {
			continue
		}
		d := corrected(rec, []string{"U1", "U2", "U3"}[random.IntN(3)])
		d.Status = []hitl.Status{hitl.HumanAccepted, hitl.HumanAccepted, hitl.HumanCorrected, hitl.Expired, hitl.Cancelled}[random.IntN(5)]
		d.At = at.Add(time.Duration(random.Int64N(int64(5 * time.Hour)))).Truncate(time.Microsecond)
		all[i].decision = &d
	}
	var wg sync.WaitGroup
	for part := range slices.Chunk(all, 10) {
		wg.Go(func() {
			for _, m := range part {
				if _, _, err := s.Append(t.Context(), m.rec, nil); err != nil {
					t.Error(err)
				}
				if m.decision != nil {
					if _, _, err := s.Decide(t.Context(), *m.decision, nil); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	wg.Wait()
	return all
}

// percentile is SQL's percentile_cont.
func percentile(times []time.Duration, p float64) time.Duration {
	if len(times) == 0 {
		return 0
	}
	slices.Sort(times)
	at := p * float64(len(times)-1)
	low := int(at)
	high := min(low+1, len(times)-1)
	return times[low] + time.Duration((at-float64(low))*float64(times[high]-times[low]))
}

// bruteForce computes what Stats should say, one record after the other.
func bruteForce(all []made, q hitl.StatsQuery, now time.Time, starts []time.Time) hitl.Stats {
	st := hitl.Stats{Since: q.Since, Until: q.Until, Queue: q.Queue}
	for _, s := range starts {
		st.Buckets = append(st.Buckets, hitl.StatsBucket{Start: s})
	}
	in := func(at time.Time) bool { return !at.Before(q.Since) && at.Before(q.Until) }
	bucket := func(at time.Time) *hitl.StatsBucket {
		for i := len(st.Buckets) - 1; ; i-- {
			if !at.Before(st.Buckets[i].Start) {
				return &st.Buckets[i]
			}
		}
	}
	triggers, reviewers, labels := map[hitl.Trigger]int{}, map[hitl.Reviewer]*hitl.ReviewerStats{}, map[string]*hitl.LabelStats{}
	var times []time.Duration
	byReviewer := map[hitl.Reviewer][]time.Duration{}
	for _, m := range all {
		rec := m.rec
		mine := rec.Review != nil && (q.Queue == "" || rec.Review.Queue == q.Queue)
		if in(rec.Item.ReceivedAt) {
			st.Items++
			b := bucket(rec.Item.ReceivedAt)
			if rec.Review == nil {
				st.AIAccepted++
				b.AIAccepted++
			}
			if mine {
				st.Reviewed++
				b.Reviewed++
				for _, tr := range rec.Route.Triggers {
					triggers[tr]++
				}
			}
		}
		if mine && m.decision == nil {
			st.Open++
			st.OldestAge = max(st.OldestAge, now.Sub(rec.Review.OpenedAt))
		}
		if !mine || m.decision == nil || !in(m.decision.At) {
			continue
		}
		d, b, took := m.decision, bucket(m.decision.At), m.decision.At.Sub(rec.Review.OpenedAt)
		if d.Status == hitl.Expired {
			st.Expired++
			b.Expired++
		}
		if d.Status != hitl.HumanAccepted && d.Status != hitl.HumanCorrected {
			continue
		}
		r, l := reviewers[d.Reviewer], labels[rec.Prediction.Label]
		if r == nil {
			r = &hitl.ReviewerStats{Reviewer: d.Reviewer}
			reviewers[d.Reviewer] = r
		}
		if l == nil {
			l = &hitl.LabelStats{AILabel: rec.Prediction.Label}
			labels[rec.Prediction.Label] = l
		}
		times, byReviewer[d.Reviewer] = append(times, took), append(byReviewer[d.Reviewer], took)
		if d.Status == hitl.HumanAccepted {
			st.Accepted, b.Accepted, r.Accepted, l.Accepted = st.Accepted+1, b.Accepted+1, r.Accepted+1, l.Accepted+1
		} else {
			st.Corrected, b.Corrected, r.Corrected, l.Corrected = st.Corrected+1, b.Corrected+1, r.Corrected+1, l.Corrected+1
		}
	}
	st.Decisions = st.Accepted + st.Corrected + st.Expired
	if st.Items > 0 {
		st.ReviewRate = float64(st.Reviewed) / float64(st.Items)
	}
	if human := st.Accepted + st.Corrected; human > 0 {
		st.AcceptanceRate, st.CorrectionRate = float64(st.Accepted)/float64(human), float64(st.Corrected)/float64(human)
	}
	st.MedianToDecide, st.P95ToDecide = percentile(times, 0.5), percentile(times, 0.95)
	for tr, n := range triggers {
		st.Triggers = append(st.Triggers, hitl.TriggerCount{Trigger: tr, Items: n})
	}
	for who, r := range reviewers {
		r.MedianToDecide = percentile(byReviewer[who], 0.5)
		st.ByReviewer = append(st.ByReviewer, *r)
	}
	for _, l := range labels {
		st.ByLabel = append(st.ByLabel, *l)
	}
	return st
}

// near lets floating point err by a few microseconds.
var near = cmp.Comparer(func(a, b time.Duration) bool { return (a - b).Abs() <= 2*time.Microsecond })

// sorted brings what has no order, or ties, into one.
func sorted(st hitl.Stats) hitl.Stats {
	st.Triggers, st.ByReviewer, st.ByLabel = slices.Clone(st.Triggers), slices.Clone(st.ByReviewer), slices.Clone(st.ByLabel)
	slices.SortFunc(st.Triggers, func(a, b hitl.TriggerCount) int { return strings.Compare(string(a.Trigger), string(b.Trigger)) })
	slices.SortFunc(st.ByReviewer, func(a, b hitl.ReviewerStats) int { return strings.Compare(a.Reviewer.User, b.Reviewer.User) })
	slices.SortFunc(st.ByLabel, func(a, b hitl.LabelStats) int { return strings.Compare(a.AILabel, b.AILabel) })
	return st
}

func TestStatsAgainstBruteForce(t *testing.T) {
	t.Parallel()
	now := start.Add(8 * 24 * time.Hour)
	s, _ := open(t, func(c *audit.Config) { c.Now = func() time.Time { return now } })
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0)) //nolint:gosec // repeatable from the log
	all := population(t, s, random)
	queries := []hitl.StatsQuery{
		{Since: start, Until: start.Add(7 * 24 * time.Hour)},
		{Since: start, Until: start.Add(24 * time.Hour)},
		{Since: start.Add(-time.Hour), Until: start.Add(time.Nanosecond)},
		{Since: start.Add(-48 * time.Hour), Until: start},
	}
	for range 20 {
		a, b := start.Add(time.Duration(random.Int64N(int64(8*24*time.Hour)))), start.Add(time.Duration(random.Int64N(int64(8*24*time.Hour))))
		if b.Before(a) {
			a, b = b, a
		}
		queries = append(queries, hitl.StatsQuery{Since: a, Until: b.Add(time.Millisecond)})
	}
	for i, q := range queries {
		q.Queue = []string{"", "default", "other", "none"}[i%4]
		got, err := s.Stats(t.Context(), q)
		if q.Until.Sub(q.Since.Truncate(time.Microsecond)).Truncate(time.Microsecond) <= 0 {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if len(got.Buckets) > 20 || len(got.Buckets) == 0 || !got.Buckets[0].Start.Equal(got.Since) {
			t.Errorf("%v: %d buckets", q, len(got.Buckets))
		}
		starts := make([]time.Time, len(got.Buckets))
		for i, b := range got.Buckets {
			starts[i] = b.Start
			if i > 1 && b.Start.Sub(starts[i-1]) != starts[1].Sub(starts[0]) {
				t.Errorf("%v: bucket %d is not as wide as the first", q, i)
			}
		}
		q.Since, q.Until = got.Since, got.Until
		want := sorted(bruteForce(all, q, now, starts))
		if diff := cmp.Diff(want, sorted(got), near, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%+v (-want +got):\n%s", q, diff)
		}
	}
	var invalid *hitl.InvalidError
	if _, err := s.Stats(t.Context(), hitl.StatsQuery{Since: start, Until: start}); !errors.As(err, &invalid) {
		t.Errorf("empty period: %v", err)
	}
}

func TestVersions(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	for range 2 {
		if err := s.SavePolicy(t.Context(), "main", "v1", "threshold: 0.85"); err != nil {
			t.Fatal(err)
		}
		if err := s.SaveModel(t.Context(), audit.ModelVersion{Version: "m1", Classifier: "mood", Labels: []string{"NEGATIVE", "POSITIVE"}, Engine: "go"}); err != nil {
			t.Fatal(err)
		}
		if err := s.SaveModel(t.Context(), audit.ModelVersion{Version: "m1", Classifier: "mood", Labels: []string{"NEGATIVEPOSITIVE"}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.SavePolicy(t.Context(), "main", "v2", "threshold: 0.9"); err != nil {
		t.Fatal(err)
	}
	mustAppend(t, s, sure("a", "fine"), nil)
	policies, err := s.Policies(t.Context())
	if err != nil || len(policies) != 2 || policies[0].Version != "v1" || policies[1].Text != "threshold: 0.9" {
		t.Errorf("policies %+v, error %v", policies, err)
	}
	models, err := s.Models(t.Context())
	if err != nil || len(models) != 2 || models[0].Engine != "go" || len(models[0].Labels) != 2 || len(models[1].Labels) != 1 {
		t.Errorf("models %+v, error %v", models, err)
	}
}
