package classifier

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hitl"
)

func classifyOne(t *testing.T, c *Classifier, text string) hitl.Prediction {
	t.Helper()
	p, err := c.Classify(t.Context(), text)
	if err != nil {
		t.Fatal(err)
	}
	p.Latency = 0
	return p
}

func TestCacheAnswersAsTheNetworkDid(t *testing.T) {
	t.Parallel()
	var o observed
	e := &fakeEngine{}
	c := startFake(t, e, Options{CacheSize: 2, MaxTokens: 5, Observer: &o})
	first := classifyOne(t, c, "a long text")
	if !first.Truncated || first.Tokens != 5 {
		t.Fatalf("not what the test needs: %+v", first)
	}
	first.Scores[0].Label = "changed by a caller"
	first = classifyOne(t, c, "a long text")
	classifyOne(t, c, "b")
	if diff := cmp.Diff(first, classifyOne(t, c, "a long text")); diff != "" {
		t.Errorf("the second time (-first +second):\n%s", diff)
	}
	if first.Scores[0].Label != "YES" {
		t.Errorf("a caller changed what is remembered: %+v", first)
	}
	if got := len(e.ran()); got != 2 {
		t.Errorf("%d runs for two texts", got)
	}
	classifyOne(t, c, "c") // pushes out b, which was asked for longest ago
	classifyOne(t, c, "a long text")
	classifyOne(t, c, "b")
	if diff := cmp.Diff([]bool{false, true, false, true, false, true, false}, o.asked); diff != "" {
		t.Errorf("hits (-want +got):\n%s", diff)
	}
	mustClose(t, c)
	if _, err := c.Classify(t.Context(), "b"); !errors.Is(err, hitl.ErrUnavailable) {
		t.Errorf("closed, a remembered text: %v", err)
	}
}

// What is cached is what the same model says without a cache.
func TestCacheOfTheStarter(t *testing.T) {
	t.Parallel()
	plain, caching := mustOpen(t, Options{ONNXRuntime: "off"}), mustOpen(t, Options{ONNXRuntime: "off", CacheSize: 10})
	for _, text := range []string{"", "I love it.", "Never again!", "I love it", "i love it."} {
		want := classifyOne(t, plain, text)
		for range 2 {
			if diff := cmp.Diff(want, classifyOne(t, caching, text)); diff != "" {
				t.Errorf("%q (-without +with a cache):\n%s", text, diff)
			}
		}
	}
}

func TestCacheKeepsNoFailures(t *testing.T) {
	t.Parallel()
	runs := 0
	e := &fakeEngine{run: func(rows [][]uint32) ([][]float32, error) {
		runs++
		switch runs {
		case 1:
			return nil, errors.New("out of memory")
		case 2:
			return [][]float32{{0, float32(nan())}}, nil
		case 3:
			return [][]float32{{0, 1, 2}}, nil
		}
		return answers(rows), nil
	}}
	c := startFake(t, e, Options{CacheSize: 10})
	for range 3 {
		if p, err := c.Classify(t.Context(), "a"); !errors.Is(err, hitl.ErrModel) {
			t.Errorf("%+v, %v; want ErrModel", p, err)
		}
	}
	classifyOne(t, c, "a")
	classifyOne(t, c, "a")
	mustClose(t, c)
	if runs != 4 {
		t.Errorf("%d runs, want three that fail and one that is remembered", runs)
	}
}

func nan() float64 { zero := 0.0; return zero / zero }

// A text that is remembered has been survived: it is not counted again.
func TestCacheCountsNoAttempts(t *testing.T) {
	t.Parallel()
	f := newFakeAttempts("a")
	c := startFake(t, &fakeEngine{}, Options{CacheSize: 10, Attempts: f, MaxAttempts: 1})
	for range 3 {
		classifyOne(t, c, "a")
	}
	mustClose(t, c)
	if diff := cmp.Diff([]string{"begin a again=false", "end a survived=true"}, f.diary); diff != "" {
		t.Errorf("attempts (-want +got):\n%s", diff)
	}
}

// A model that takes another's place says what it thinks itself.
func TestCacheGoesWithItsModel(t *testing.T) {
	t.Parallel()
	negative := &fakeEngine{run: func(rows [][]uint32) ([][]float32, error) {
		out := answers(rows)
		for _, logits := range out {
			logits[0], logits[1] = logits[1], logits[0]
		}
		return out, nil
	}}
	before, after := startFake(t, &fakeEngine{}, Options{CacheSize: 10}), startFake(t, negative, Options{CacheSize: 10})
	live := NewLive(before)
	say := func() string {
		p, err := live.Classify(t.Context(), "a")
		if err != nil {
			t.Fatal(err)
		}
		return p.Label
	}
	first, again := say(), say()
	live.SetModel(after)
	mustClose(t, before)
	if got := []string{first, again, say(), say()}; !cmp.Equal(got, []string{"YES", "YES", "NO", "NO"}) {
		t.Errorf("the first model, remembered, the second, remembered: %q", got)
	}
	mustClose(t, after)
}

func TestCacheAtOnce(t *testing.T) {
	t.Parallel()
	c := startFake(t, &fakeEngine{}, Options{CacheSize: 3})
	var group sync.WaitGroup
	for g := range 8 {
		group.Go(func() {
			for i := range 200 {
				text := fmt.Sprintf("%c%d", 'a'+(g+i)%7, i%2)
				p, err := c.Classify(t.Context(), text)
				if err != nil || p.Label != "YES" || p.Tokens != 2 {
					t.Errorf("%s: %+v, %v", text, p, err)
					return
				}
			}
		})
	}
	group.Wait()
	mustClose(t, c)
}

// Compare: a text that is remembered, and one that is not.
func BenchmarkCache(b *testing.B) {
	const text = "The parcel never arrived and nobody answers."
	for name, size := range map[string]int{"miss": 0, "hit": 1} {
		c := mustOpen(b, Options{CacheSize: size})
		b.Run(name+"/"+c.Engine(), func(b *testing.B) {
			for b.Loop() {
				if _, err := c.Classify(b.Context(), text); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
