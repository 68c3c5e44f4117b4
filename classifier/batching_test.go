package classifier

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"hitl"
)

func TestPredictionHasEveryLabel(t *testing.T) {
	t.Parallel()
	c := startFake(t, &fakeEngine{}, Options{})
	defer mustClose(t, c)
	p, err := c.Classify(t.Context(), "\x01abc")
	if err != nil {
		t.Fatal(err)
	}
	p.Latency = 0
	const yes = 0.7310585786300049 // 1 / (1 + 1/e)
	want := hitl.Prediction{
		Label: "YES", Confidence: yes, Model: "sha256:fake", Tokens: 4,
		Scores: []hitl.Score{{Label: "YES", Probability: yes}, {Label: "NO", Probability: 1 - yes}},
	}
	if diff := cmp.Diff(want, p); diff != "" {
		t.Error(diff)
	}
	if p, err := c.Classify(t.Context(), strings.Repeat("x", 1001)); err != nil || !p.Truncated || p.Tokens != 1000 {
		t.Errorf("long text: %d tokens, truncated %v, %v", p.Tokens, p.Truncated, err)
	}
	if p, err := c.Classify(t.Context(), ""); err != nil || p.Tokens != 1 {
		t.Errorf("empty text: %d tokens, %v", p.Tokens, err)
	}
}

// A lone text is not kept waiting for company that does not come.
func TestIdleClassifierAnswersAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := startFake(t, &fakeEngine{}, Options{MaxWait: time.Hour})
		defer mustClose(t, c)
		p, err := c.Classify(t.Context(), "a")
		if err != nil || p.Latency != 0 {
			t.Errorf("%v after %v", err, p.Latency)
		}
	})
}

func TestBatchWaitsForThoseOnTheirWay(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]struct {
		batches [][]int
		latency time.Duration
	}{
		"slow b":   {[][]int{{1, 6}}, 2 * time.Millisecond},
		"slower b": {[][]int{{1}, {8}}, 3 * time.Millisecond}, // for MaxWait and no longer
	} {
		synctest.Test(t, func(t *testing.T) {
			e := &fakeEngine{}
			c := startFake(t, e, Options{})
			defer mustClose(t, c)
			var group sync.WaitGroup
			group.Go(func() {
				if _, err := c.Classify(t.Context(), text); err != nil {
					t.Error(err)
				}
			})
			synctest.Wait() // it is tokenising now
			p, err := c.Classify(t.Context(), "a")
			group.Wait()
			if diff := cmp.Diff(want.batches, e.ran()); diff != "" || err != nil || p.Latency != want.latency {
				t.Errorf("%s: %v after %v\n%s", text, err, p.Latency, diff)
			}
		})
	}
}

// hold starts a classifier whose first run lasts until release is called, and one call that is in it.
func hold(t *testing.T, e *fakeEngine, o Options) (c *Classifier, release func()) {
	t.Helper()
	block, inner := make(chan struct{}), e.run
	e.run = func(rows [][]uint32) ([][]float32, error) {
		<-block
		if inner != nil {
			return inner(rows)
		}
		return answers(rows), nil
	}
	c = startFake(t, e, o)
	var group sync.WaitGroup
	group.Go(func() { _, _ = c.Classify(t.Context(), holder) })
	synctest.Wait()
	return c, sync.OnceFunc(func() { close(block); group.Wait() })
}

func TestWaitingTextsBecomeBatchesOfSimilarLength(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e := &fakeEngine{}
		c, release := hold(t, e, Options{MaxBatch: 6})
		defer mustClose(t, c)
		var group sync.WaitGroup
		for _, n := range []int{500, 3, 40, 2, 33, 16, 20} {
			group.Go(func() {
				if _, err := c.Classify(t.Context(), strings.Repeat("x", n)); err != nil {
					t.Error(err)
				}
			})
			synctest.Wait() // so that they queue in this order
		}
		if got := c.Queued(); got != 7 {
			t.Errorf("%d queued, want 7", got)
		}
		release()
		group.Wait()
		want := [][]int{{4}, {2, 3}, {16, 20}, {33, 40}, {500}}
		if diff := cmp.Diff(want, e.ran()); diff != "" {
			t.Errorf("batches (-want +got):\n%s", diff)
		}
	})
}

func TestFullQueueIsBusy(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, release := hold(t, &fakeEngine{}, Options{QueueSize: 2})
		defer mustClose(t, c)
		var group sync.WaitGroup
		for range 2 {
			group.Go(func() {
				if _, err := c.Classify(t.Context(), "waits"); err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		if p, err := c.Classify(t.Context(), "one too many"); !errors.Is(err, hitl.ErrBusy) || p.Latency != 0 {
			t.Errorf("%v after %v, want ErrBusy at once", err, p.Latency)
		}
		release()
		group.Wait()
	})
}

func TestClassifyAllWaitsForRoom(t *testing.T) {
	t.Parallel()
	e := &fakeEngine{}
	c := startFake(t, e, Options{QueueSize: 2, MaxBatch: 4})
	defer mustClose(t, c)
	var texts []string
	for i := range 100 {
		texts = append(texts, string(rune(i)))
	}
	for i, r := range c.ClassifyAll(t.Context(), texts) {
		if r.Err != nil {
			t.Fatalf("text %d: %v", i, r.Err)
		}
		if probabilities, _ := softmax([]float32{0, float32(i)}); r.Confidence != max(probabilities[0], probabilities[1]) {
			t.Errorf("text %d has another's result: %v", i, r.Scores)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, r := range c.ClassifyAll(ctx, texts[:3]) {
		if !errors.Is(r.Err, context.Canceled) {
			t.Errorf("cancelled: %v", r.Err)
		}
	}
	if got := c.ClassifyAll(t.Context(), nil); len(got) != 0 {
		t.Errorf("no texts: %v", got)
	}
}

func TestCallersThatGiveUpLeaveTheirBatchAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e := &fakeEngine{}
		c, release := hold(t, e, Options{})
		defer mustClose(t, c)
		ctx, cancel := context.WithCancel(t.Context())
		var group sync.WaitGroup
		group.Go(func() {
			if _, err := c.Classify(ctx, "gives up"); !errors.Is(err, context.Canceled) {
				t.Errorf("%v, want context.Canceled", err)
			}
		})
		group.Go(func() {
			if _, err := c.Classify(t.Context(), "stays"); err != nil {
				t.Error(err)
			}
		})
		synctest.Wait()
		cancel()
		synctest.Wait() // it has left while the other waits
		release()
		group.Wait()
		if diff := cmp.Diff([][]int{{4}, {5}}, e.ran()); diff != "" {
			t.Errorf("what nobody waits for is not run (-want +got):\n%s", diff)
		}
	})
}

func TestManyCallers(t *testing.T) {
	t.Parallel()
	e := &fakeEngine{}
	c := startFake(t, e, Options{MaxBatch: 8})
	var group sync.WaitGroup
	for g := range 16 {
		group.Go(func() {
			for i := range 200 {
				text := string(rune((g*200+i)%100)) + strings.Repeat("x", i)
				p, err := c.Classify(t.Context(), text)
				want, _ := softmax([]float32{0, float32(text[0])})
				if err != nil || p.Confidence != slices.Max(want) || p.Tokens != len(text) {
					t.Errorf("%d/%d: %+v, %v", g, i, p, err)
				}
			}
		})
	}
	group.Wait()
	mustClose(t, c)
	for _, lengths := range e.ran() {
		if len(lengths) > 8 || !slices.IsSorted(lengths) {
			t.Errorf("batch of lengths %v", lengths)
		}
	}
}

type observed struct {
	mu      sync.Mutex
	says    []string
	givenUp int
	asked   []bool // of the cache: was it there?
}

func (o *observed) GivenUp() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.givenUp++
}

func (o *observed) CacheAsked(hit bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.asked = append(o.asked, hit)
}

func (o *observed) BatchDone(texts, longest int, took time.Duration, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.says = append(o.says, fmt.Sprintf("%d texts of %d tokens in %v: %v", texts, longest, took, err))
}

func TestObserver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var o observed
		fail := errors.New("no luck")
		c := startFake(t, &fakeEngine{run: func(rows [][]uint32) ([][]float32, error) {
			time.Sleep(time.Second) // in a bubble of synctest
			if len(rows[0]) == 3 {
				return nil, fail
			}
			return answers(rows), nil
		}}, Options{Observer: &o})
		_, _ = c.Classify(t.Context(), "ab")
		_, _ = c.Classify(t.Context(), "abc")
		mustClose(t, c)
		want := []string{"1 texts of 2 tokens in 1s: <nil>", "1 texts of 3 tokens in 1s: model error: no luck"}
		if diff := cmp.Diff(want, o.says); diff != "" {
			t.Error(diff)
		}
	})
}
