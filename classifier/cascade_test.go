package classifier

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"hitl"
)

// cascadeOf starts a cascade of two fake models. The small one is sure of texts that begin with a letter, and knows nothing of others.
func cascadeOf(t *testing.T, small, large *fakeEngine, o Options) (c *Cascade, counts func() map[Stage]int) {
	t.Helper()
	if small.run == nil {
		small.run = func(rows [][]uint32) ([][]float32, error) {
			out := answers(rows)
			for i, row := range rows {
				if row[0] < 'A' {
					out[i][1] = 0
				}
			}
			return out, nil
		}
	}
	s, l := startFakeModel(t, small, o, "sha256:small", "YES", "NO"), startFakeModel(t, large, o, "sha256:large", "NO", "YES")
	t.Cleanup(func() { mustClose(t, s); mustClose(t, l) })
	var mu sync.Mutex
	seen := map[Stage]int{}
	c, err := NewCascade(s, l, 0.9, func(st Stage) {
		mu.Lock()
		defer mu.Unlock()
		seen[st]++
	})
	if err != nil {
		t.Fatal(err)
	}
	return c, func() map[Stage]int {
		mu.Lock()
		defer mu.Unlock()
		return seen
	}
}

// What the small model is sure of is its answer; the rest is the large one's. Each answer names its model and its place, and the names differ with the threshold.
func TestCascade(t *testing.T) {
	t.Parallel()
	small, large := &fakeEngine{}, &fakeEngine{}
	c, counts := cascadeOf(t, small, large, Options{})
	for _, one := range []struct{ text, label, model, stage string }{
		{"sure", "NO", "sha256:small", "before sha256:large at 0.9"}, // whose labels stand in another order
		{"1 unsure", "YES", "sha256:large", "after sha256:small at 0.9"},
	} {
		p, err := c.Classify(t.Context(), one.text)
		if err != nil || p.Label != one.label || p.Model != one.model || p.Stage != one.stage || len(p.Scores) != 2 || p.Tokens != len(one.text) || p.Small() != (one.model == "sha256:small") {
			t.Errorf("%s: %+v, %v", one.text, p, err)
		}
	}
	if n := counts(); n[StageSmall] != 1 || n[StageLarge] != 1 || n[StageFallback] != 0 || len(small.ran()) != 2 || len(large.ran()) != 1 {
		t.Errorf("counted %v, the large one ran %v", n, large.ran())
	}
	if c.Version() != "sha256:large" || c.Judge() != "sha256:small at 0.9, then sha256:large" || c.Labels()[0] != "NO" {
		t.Errorf("%s, %s, %q", c.Version(), c.Judge(), c.Labels())
	}
}

// Texts that come together are one batch of the small model, and what it leaves of them one or, should a caller be late, two of the large one.
func TestCascadeBatches(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		release, large := make(chan struct{}), &fakeEngine{}
		small := &fakeEngine{}
		c, counts := cascadeOf(t, small, large, Options{MaxWait: time.Second})
		run := small.run
		small.run = func(rows [][]uint32) ([][]float32, error) {
			if rows[0][0] == 'h' {
				<-release
			}
			return run(rows)
		}
		var group sync.WaitGroup
		ask := func(text string) {
			group.Go(func() {
				if _, err := c.Classify(t.Context(), text); err != nil {
					t.Errorf("%s: %v", text, err)
				}
			})
		}
		ask("held")
		synctest.Wait()
		for i := range 10 {
			ask(fmt.Sprint("sure", i))
			ask(fmt.Sprint("0000", i))
		}
		synctest.Wait()
		close(release)
		group.Wait()
		texts := 0
		for _, batch := range large.ran() {
			texts += len(batch)
		}
		if n := counts(); texts != 10 || len(large.ran()) > 2 || len(small.ran()) != 2 || n[StageSmall] != 11 || n[StageLarge] != 10 {
			t.Errorf("the small model ran %v, the large one %v; counted %v", small.ran(), large.ran(), n)
		}
	})
}

// A small model that fails, hangs, or has no room leaves its texts to the large one; a large one that fails has nobody behind it.
func TestCascadeFallsThrough(t *testing.T) {
	t.Parallel()
	broken := func(rows [][]uint32) ([][]float32, error) {
		if rows[0][0] == 'p' {
			panic("no such kernel")
		}
		return nil, errors.New("out of memory")
	}
	c, counts := cascadeOf(t, &fakeEngine{run: broken}, &fakeEngine{}, Options{})
	for _, text := range []string{"panics", "errs"} {
		if p, err := c.Classify(t.Context(), text); err != nil || p.Label != "YES" || p.Model != "sha256:large" || p.Small() {
			t.Errorf("%s: %+v, %v", text, p, err)
		}
	}
	if n := counts(); n[StageFallback] != 2 || n[StageSmall]+n[StageLarge] != 0 {
		t.Errorf("counted %v", n)
	}

	c, counts = cascadeOf(t, &fakeEngine{}, &fakeEngine{run: broken}, Options{})
	p, err := c.Classify(t.Context(), "1 errs in the large one")
	if !errors.Is(err, hitl.ErrModel) || p.Label != "" || p.Model != "sha256:large" || p.Stage == "" {
		t.Errorf("the large one fails: %+v, %v", p, err)
	}
	if p, err := c.Classify(t.Context(), "sure"); err != nil || p.Model != "sha256:small" {
		t.Errorf("the large one would fail: %+v, %v", p, err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Classify(gone, "1 nobody waits"); !errors.Is(err, context.Canceled) || counts()[StageLarge] != 1 {
		t.Errorf("nobody waits: %v, %v", err, counts())
	}

	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		hung := &fakeEngine{run: func(rows [][]uint32) ([][]float32, error) { <-release; return answers(rows), nil }}
		c, counts := cascadeOf(t, hung, &fakeEngine{}, Options{Timeout: time.Second})
		for i, waited := range []time.Duration{time.Second, 0} {
			p, err := c.Classify(t.Context(), "sure")
			if err != nil || p.Model != "sha256:large" || p.Latency < waited || p.Latency > waited+10*time.Millisecond { // which a batch may wait for others
				t.Errorf("text %d behind a small model that hangs: %+v, %v", i, p, err)
			}
			time.Sleep(time.Second) // in a bubble of synctest
		}
		close(release)
		if n := counts(); n[StageFallback] != 2 {
			t.Errorf("counted %v", n)
		}
	})
}

func TestCascadeRefuses(t *testing.T) {
	t.Parallel()
	start := func(version string, labels ...string) *Classifier {
		c := startFakeModel(t, &fakeEngine{}, Options{}, version, labels...)
		t.Cleanup(func() { mustClose(t, c) })
		return c
	}
	large := start("sha256:large", "NO", "YES", "MAYBE")
	if _, err := NewCascade(start("sha256:small", "YES", "NO", "other"), large, 0.9, nil); err == nil || !strings.Contains(err.Error(), `the small one alone has ["other"], the large one alone ["MAYBE"]`) {
		t.Errorf("other labels: %v", err)
	}
	if _, err := NewCascade(start("sha256:large", "NO", "YES", "MAYBE"), large, 0.9, nil); err == nil || !strings.Contains(err.Error(), "are the same") {
		t.Errorf("the same model: %v", err)
	}
}

type halved struct{}

func (halved) Apply(scores []hitl.Score) float64 { return scores[0].Probability / 2 }
func (halved) Version() string                   { return "sha256:half" }

// A calibration is the large model's. The small one's scores it leaves alone, and a cascade that takes another's place answers what the closed one cannot.
func TestCascadeCalibration(t *testing.T) {
	t.Parallel()
	c, _ := cascadeOf(t, &fakeEngine{}, &fakeEngine{}, Options{})
	l := NewLive(c, "OTHER")
	l.SetCalibration(halved{})
	small, err := l.Classify(t.Context(), "sure")
	if err != nil || small.Calibration != "" || small.Confidence != small.Scores[0].Probability || len(small.Labels) != 3 {
		t.Errorf("the small one: %+v, %v", small, err)
	}
	large, err := l.Classify(t.Context(), "1 unsure")
	if err != nil || large.Calibration != "sha256:half" || large.Confidence != large.Scores[0].Probability/2 {
		t.Errorf("the large one: %+v, %v", large, err)
	}
	if l.Judge() != c.Judge() || l.Version() != "sha256:large" {
		t.Errorf("judged by %s, %s", l.Judge(), l.Version())
	}
	other := startFakeModel(t, &fakeEngine{}, Options{}, "sha256:other", "NO", "YES")
	t.Cleanup(func() { mustClose(t, other) })
	next, err := NewCascade(c.small, other, 0.9, func(Stage) {})
	if err != nil {
		t.Fatal(err)
	}
	l.SetModel(next)
	mustClose(t, c.large)
	if p, err := l.Classify(t.Context(), "1 unsure"); err != nil || p.Model != "sha256:other" || p.Calibration != "" || l.Judge() != next.Judge() {
		t.Errorf("after a promotion: %+v, %v", p, err)
	}
	l.SetModel(other)
	if l.Judge() != "sha256:other" {
		t.Errorf("without a cascade judged by %s", l.Judge())
	}
}
