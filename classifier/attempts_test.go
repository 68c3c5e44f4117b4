package classifier

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"hitl"
)

// holder is the text of hold.
const holder = "held"

// fakeAttempts counts in memory and keeps a diary in which a text is its name.
type fakeAttempts struct {
	mu          sync.Mutex
	names       map[[32]byte]string
	dead, alive map[string]int
	begin       func(ctx context.Context) error // may be nil
	diary       []string
}

func newFakeAttempts(texts ...string) *fakeAttempts {
	f := &fakeAttempts{names: map[[32]byte]string{}, dead: map[string]int{}, alive: map[string]int{}}
	for _, text := range texts {
		f.names[attemptKey("sha256:fake", text)] = text
	}
	return f
}

func (f *fakeAttempts) Begin(ctx context.Context, keys [][32]byte, again bool) (dead, alive []int, err error) {
	if f.begin != nil {
		if err := f.begin(ctx); err != nil {
			return nil, nil, err
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.diary = append(f.diary, fmt.Sprintf("begin %s again=%v", f.join(keys), again))
	for _, key := range keys {
		dead, alive = append(dead, f.dead[f.names[key]]), append(alive, f.alive[f.names[key]])
	}
	return dead, alive, nil
}

func (f *fakeAttempts) End(keys [][32]byte, survived bool) {
	f.note(fmt.Sprintf("end %s survived=%v", f.join(keys), survived))
}

func (f *fakeAttempts) note(what string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.diary = append(f.diary, what)
}

// join sorts, since callers come in any order.
func (f *fakeAttempts) join(keys [][32]byte) string {
	var names []string
	for _, key := range keys {
		if f.names[key] == "" {
			panic("a key of no text")
		}
		names = append(names, f.names[key])
	}
	slices.Sort(names)
	return strings.Join(names, ",")
}

// classifyTogether runs texts as one batch of a classifier whose engine writes into the attempts' diary, and returns the errors by text.
func classifyTogether(t *testing.T, f *fakeAttempts, o Options, texts ...string) map[string]error {
	t.Helper()
	e := &fakeEngine{}
	o.Attempts = f
	c, release := hold(t, e, o)
	defer mustClose(t, c)
	e.run = func(rows [][]uint32) ([][]float32, error) {
		var names []string
		for _, row := range rows {
			var b strings.Builder
			for _, id := range row {
				b.WriteByte(byte(id))
			}
			names = append(names, b.String())
		}
		slices.Sort(names)
		f.note("run " + strings.Join(names, ","))
		return answers(rows), nil
	}
	f.mu.Lock()
	f.diary = nil // of the text that holds
	f.mu.Unlock()
	var mu sync.Mutex
	errs := map[string]error{}
	var group sync.WaitGroup
	for _, text := range texts {
		group.Go(func() {
			p, err := c.Classify(t.Context(), text)
			if err == nil && p.Label != "YES" {
				t.Errorf("%s: %+v", text, p)
			}
			mu.Lock()
			defer mu.Unlock()
			errs[text] = err
		})
		synctest.Wait() // so that they queue in this order
	}
	release()
	group.Wait()
	synctest.Wait()
	return errs
}

func (f *fakeAttempts) wrote(t *testing.T, want ...string) {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	got := slices.DeleteFunc(slices.Clone(f.diary), func(s string) bool { return strings.HasPrefix(s, "end "+holder) })
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("diary (-want +got):\n%s", diff)
	}
}

func TestAttemptsAreCountedOncePerBatch(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFakeAttempts(holder, "a", "b", "long long long long long text")
		errs := classifyTogether(t, f, Options{}, "b", "a", "long long long long long text", "a")
		for text, err := range errs {
			if err != nil {
				t.Errorf("%s: %v", text, err)
			}
		}
		f.wrote(t, "begin a,b,long long long long long text again=false", "run a,a,b", "end a,b survived=true",
			"run long long long long long text", "end long long long long long text survived=true")
	})
}

// A text that is in two batches is safe only after the second.
func TestAttemptEndsWithTheLastBatch(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFakeAttempts(holder, "a", "b")
		for text, err := range classifyTogether(t, f, Options{MaxBatch: 1}, "b", "a", "a") {
			if err != nil {
				t.Errorf("%s: %v", text, err)
			}
		}
		f.wrote(t, "begin a,b again=false", "run b", "end b survived=true", "run a", "run a", "end a survived=true")
	})
}

// Who leaves while an earlier batch runs is not run, and no attempt was made at the text.
func TestAttemptIsNotMadeForThoseWhoLeave(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFakeAttempts(holder, "a", "bb")
		e := &fakeEngine{}
		c, release := hold(t, e, Options{MaxBatch: 1, Attempts: f})
		defer mustClose(t, c)
		leaves, leave := context.WithCancel(t.Context())
		e.run = func(rows [][]uint32) ([][]float32, error) {
			leave()
			return answers(rows), nil
		}
		var group sync.WaitGroup
		for text, ctx := range map[string]context.Context{"a": t.Context(), "bb": leaves} {
			group.Go(func() {
				if _, err := c.Classify(ctx, text); !errors.Is(err, ctx.Err()) {
					t.Errorf("%s: %v, want %v", text, err, ctx.Err())
				}
			})
		}
		synctest.Wait()
		f.mu.Lock()
		f.diary = nil // of the text that holds
		f.mu.Unlock()
		release()
		group.Wait()
		synctest.Wait()
		f.wrote(t, "begin a,bb again=false", "end a survived=true", "end bb survived=false")
	})
}

// What may have killed runs alone, only when all others have ended, and the likeliest killer last.
func TestSuspectsRunAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFakeAttempts(holder, "a", "b", "once", "twice", "busy")
		f.dead["once"], f.dead["twice"], f.alive["busy"] = 1, 2, 9
		errs := classifyTogether(t, f, Options{}, "twice", "a", "once", "busy", "b", "once")
		for text, err := range errs {
			if err != nil {
				t.Errorf("%s: %v", text, err)
			}
		}
		f.wrote(t, "begin a,b,busy,once,twice again=false", "run a,b", "end a,b survived=true",
			"begin busy again=true", "run busy", "end busy survived=true",
			"begin once again=true", "run once,once", "end once survived=true",
			"begin twice again=true", "run twice", "end twice survived=true")
	})
}

func TestTooManyDeaths(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFakeAttempts(holder, "a", "poison", "dying")
		f.dead["poison"], f.dead["dying"], f.alive["dying"] = 2, 1, 1
		var o observed
		var logs strings.Builder
		log := slog.New(slog.NewTextHandler(&logs, nil))
		errs := classifyTogether(t, f, Options{MaxAttempts: 2, Observer: &o, Logger: log}, "poison", "dying", "a", "poison")
		if errs["a"] != nil {
			t.Errorf("beside it: %v", errs["a"])
		}
		if err := errs["poison"]; !errors.Is(err, hitl.ErrModel) || !strings.Contains(err.Error(), "killed the process 2 times") {
			t.Errorf("poison: %v", err)
		}
		if err := errs["dying"]; !errors.Is(err, hitl.ErrBusy) {
			t.Errorf("may be dying elsewhere: %v, want ErrBusy", err)
		}
		f.wrote(t, "begin a,dying,poison again=false", "run a", "end a survived=true",
			"begin dying again=true", "end dying survived=false", "begin poison again=true", "end poison survived=false")
		if o.givenUp != 2 {
			t.Errorf("given up %d texts, want 2", o.givenUp)
		}
		key := attemptKey("sha256:fake", "poison")
		if got := logs.String(); !strings.Contains(got, fmt.Sprintf("key=%x", key[:6])) || strings.Contains(got, "poison") {
			t.Errorf("log: %s", got)
		}
	})
}

func TestAttemptsCannotBeCounted(t *testing.T) {
	t.Parallel()
	for _, suspects := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			f := newFakeAttempts(holder, "a", "b", "c")
			begun := 0
			f.begin = func(ctx context.Context) error {
				if begun++; begun == 1 || suspects && begun == 2 { // of the holder, of the batch
					return nil
				}
				<-ctx.Done() // Postgres does not answer
				return ctx.Err()
			}
			if suspects {
				f.dead = map[string]int{"a": 1, "b": 1, "c": 1}
			}
			begin := time.Now()
			for text, err := range classifyTogether(t, f, Options{}, "a", "b", "c") {
				if !errors.Is(err, hitl.ErrUnavailable) {
					t.Errorf("%s: %v, want ErrUnavailable", text, err)
				}
			}
			if took := time.Since(begin); took != attemptTimeout {
				t.Errorf("the worker rested for %s, want %s", took, attemptTimeout)
			}
		})
	}
}

// A caller that has left while earlier texts ran leaves no attempt behind.
func TestSuspectThatNobodyWaitsForIsNotBegun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFakeAttempts(holder, "a", "suspect", "patient")
		f.dead["suspect"], f.dead["patient"] = 1, 1
		e := &fakeEngine{}
		c, release := hold(t, e, Options{Attempts: f})
		ctx, leave := context.WithCancel(t.Context())
		e.run = func(rows [][]uint32) ([][]float32, error) {
			leave()
			return answers(rows), nil
		}
		f.diary = nil
		var group sync.WaitGroup
		for text, ctx := range map[string]context.Context{"suspect": ctx, "patient": t.Context(), "a": t.Context()} {
			group.Go(func() {
				if _, err := c.Classify(ctx, text); (err != nil) != (text == "suspect") {
					t.Errorf("%s: %v", text, err)
				}
			})
		}
		synctest.Wait()
		release()
		group.Wait()
		mustClose(t, c)
		f.wrote(t, "begin a,patient,suspect again=false", "end a survived=true", "begin patient again=true", "end patient survived=true")
	})
}

// Close does not wait for an attempt that nobody waits for.
func TestCloseWhileAttemptsAreCounted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFakeAttempts("a")
		f.begin = func(ctx context.Context) error {
			<-ctx.Done()
			return ctx.Err()
		}
		c := startFake(t, &fakeEngine{}, Options{Attempts: f, Timeout: time.Second})
		begin := time.Now()
		if _, err := c.Classify(t.Context(), "a"); !errors.Is(err, hitl.ErrBusy) {
			t.Errorf("%v, want ErrBusy", err)
		}
		mustClose(t, c)
		if took := time.Since(begin); took != time.Second {
			t.Errorf("took %s, want the caller's second only", took)
		}
	})
}

// A batch that fails without killing is survived: its texts are tried one by one under the same count.
func TestFailedBatchIsSurvived(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFakeAttempts("bad")
		c := startFake(t, &fakeEngine{run: func([][]uint32) ([][]float32, error) { panic("no such kernel") }}, Options{Attempts: f})
		if _, err := c.Classify(t.Context(), "bad"); !errors.Is(err, hitl.ErrModel) {
			t.Errorf("%v", err)
		}
		mustClose(t, c)
		f.wrote(t, "begin bad again=false", "end bad survived=true")
	})
}

func TestAttemptKey(t *testing.T) {
	t.Parallel()
	seen := map[[32]byte]bool{}
	for _, version := range []string{"sha256:a", "sha256:b"} {
		for _, text := range []string{"", "a", "b", "\x00a"} {
			seen[attemptKey(version, text)] = true
		}
	}
	if len(seen) != 8 {
		t.Errorf("%d keys of 8 pairs", len(seen))
	}
}
