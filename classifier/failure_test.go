package classifier

import (
	"errors"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"hitl"
)

// What the model does to a text that begins with one of these befalls that text only.
func TestFailuresStayWithTheirText(t *testing.T) {
	t.Parallel()
	run := func(rows [][]uint32) ([][]float32, error) {
		out := answers(rows)
		for i, row := range rows {
			switch row[0] {
			case 'p':
				panic("no such kernel")
			case 'e':
				return nil, errors.New("out of memory")
			case 'n':
				out[i][0] = float32(math.NaN())
			case 'i':
				out[i][1] = float32(math.Inf(1))
			case 's':
				out[i] = out[i][:1]
			}
		}
		return out, nil
	}
	for _, bad := range []string{"panics", "errs", "nan", "infinite", "short"} {
		synctest.Test(t, func(t *testing.T) {
			c, release := hold(t, &fakeEngine{run: run}, Options{})
			defer mustClose(t, c)
			var group sync.WaitGroup
			for _, text := range []string{"fine", bad, "good"} {
				group.Go(func() {
					p, err := c.Classify(t.Context(), text)
					if text != bad && (err != nil || p.Label != "YES") {
						t.Errorf("%s beside %s: %+v, %v", text, bad, p, err)
					}
					if text == bad && (!errors.Is(err, hitl.ErrModel) || p.Label != "" || p.Model == "" || p.Tokens != len(bad)) {
						t.Errorf("%s: %+v, %v", text, p, err)
					}
				})
			}
			synctest.Wait()
			release()
			group.Wait()
		})
	}
}

func TestWrongNumberOfRows(t *testing.T) {
	t.Parallel()
	c := startFake(t, &fakeEngine{run: func([][]uint32) ([][]float32, error) { return nil, nil }}, Options{})
	defer mustClose(t, c)
	if p, err := c.Classify(t.Context(), "a"); !errors.Is(err, hitl.ErrModel) {
		t.Errorf("%+v, %v", p, err)
	}
}

func TestTokenizerPanics(t *testing.T) {
	t.Parallel()
	c := startFake(t, &fakeEngine{}, Options{})
	defer mustClose(t, c)
	if p, err := c.Classify(t.Context(), "panic"); !errors.Is(err, hitl.ErrModel) {
		t.Errorf("%+v, %v", p, err)
	}
	if _, err := c.Classify(t.Context(), "fine"); err != nil {
		t.Error(err)
	}
}

func TestHungModel(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, release := hold(t, &fakeEngine{}, Options{Timeout: time.Second})
		defer mustClose(t, c)
		if c.Stuck() {
			t.Error("stuck from the beginning")
		}
		// This one is in the queue behind the hung call.
		p, err := c.Classify(t.Context(), "waits")
		if !errors.Is(err, hitl.ErrModel) || p.Latency != time.Second {
			t.Errorf("behind it: %v after %v", err, p.Latency)
		}
		time.Sleep(time.Second) // in a bubble of synctest
		if p, err = c.Classify(t.Context(), "comes later"); !errors.Is(err, hitl.ErrModel) || p.Latency != 0 || !c.Stuck() {
			t.Errorf("afterwards: %v after %v, stuck %v; want a refusal at once", err, p.Latency, c.Stuck())
		}
		release()
		synctest.Wait()
		if p, err = c.Classify(t.Context(), "is fine"); err != nil || c.Stuck() {
			t.Errorf("when it has come back: %+v, %v", p, err)
		}
	})
}

// A model that works but is slower than its callers is busy, not broken.
func TestSlowModelIsBusy(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e := &fakeEngine{run: func(rows [][]uint32) ([][]float32, error) {
			time.Sleep(600 * time.Millisecond) // in a bubble of synctest
			return answers(rows), nil
		}}
		c := startFake(t, e, Options{Timeout: time.Second, MaxBatch: 1})
		var mu sync.Mutex
		var errs []error
		var group sync.WaitGroup
		for range 4 {
			group.Go(func() {
				_, err := c.Classify(t.Context(), "a")
				mu.Lock()
				defer mu.Unlock()
				errs = append(errs, err)
			})
		}
		group.Wait()
		mustClose(t, c)
		count := func(target error) int {
			return len(slices.DeleteFunc(slices.Clone(errs), func(err error) bool { return !errors.Is(err, target) }))
		}
		// One is answered, one is being run when its time is over, two were never begun.
		if count(hitl.ErrModel) != 1 || count(hitl.ErrBusy) != 2 || len(errs) != 4 {
			t.Errorf("%q", errs)
		}
		if got := len(e.ran()); got != 2 {
			t.Errorf("%d runs; those that left are not run", got)
		}
	})
}

func TestCloseAnswersThoseWhoWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e := &fakeEngine{}
		c, release := hold(t, e, Options{})
		var group sync.WaitGroup
		for range 5 {
			group.Go(func() {
				if p, err := c.Classify(t.Context(), "waits"); err != nil || p.Label != "YES" {
					t.Errorf("%+v, %v", p, err)
				}
			})
		}
		synctest.Wait()
		group.Go(func() { mustClose(t, c) })
		synctest.Wait()
		if _, err := c.Classify(t.Context(), "late"); !errors.Is(err, hitl.ErrUnavailable) {
			t.Errorf("while closing: %v, want ErrUnavailable", err)
		}
		if e.closed {
			t.Error("closed while a run goes on")
		}
		release()
		group.Wait()
		mustClose(t, c) // once more
		if !e.closed {
			t.Error("not closed")
		}
	})
}

func TestCloseLeavesAHungModelAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e := &fakeEngine{}
		c, release := hold(t, e, Options{Timeout: time.Second})
		if err := c.Close(); err == nil || !strings.Contains(err.Error(), "does not come back") {
			t.Errorf("%v", err)
		}
		if e.closed {
			t.Error("freed under a run")
		}
		release()
	})
}

func TestSoftmax(t *testing.T) {
	t.Parallel()
	tests := []struct {
		logits []float32
		want   []float64
	}{
		{[]float32{0, 0}, []float64{0.5, 0.5}},
		{[]float32{1000, 1000, 1000, 1000}, []float64{0.25, 0.25, 0.25, 0.25}},
		{[]float32{math.MaxFloat32, -math.MaxFloat32}, []float64{1, 0}},
		{[]float32{0, float32(math.Log(3))}, []float64{0.25, 0.75}},
	}
	for _, tt := range tests {
		got, ok := softmax(tt.logits)
		for i := range tt.want {
			if !ok || math.Abs(got[i]-tt.want[i]) > 1e-7 {
				t.Errorf("%v: %v, want %v", tt.logits, got, tt.want)
			}
		}
	}
}
