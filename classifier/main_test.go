package classifier

import (
	"errors"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"hitl/classifier/internal/model"
)

func TestMain(m *testing.M) {
	if file := os.Getenv(crashVariable); file != "" {
		os.Exit(crash(file, os.Args[1:]))
	}
	goleak.VerifyTestMain(m)
}

// fakeEngine answers with run, and notices what must not happen: runs at the same time, or after Close.
type fakeEngine struct {
	run func(rows [][]uint32) ([][]float32, error)

	mu      sync.Mutex
	running bool
	closed  bool
	batches [][]int // lengths of the rows of each run
}

func (e *fakeEngine) Run(rows [][]uint32) ([][]float32, error) {
	e.mu.Lock()
	if e.running || e.closed || len(rows) == 0 {
		e.mu.Unlock()
		panic("runs overlap, follow Close, or are empty")
	}
	e.running = true
	lengths := make([]int, len(rows))
	for i, row := range rows {
		lengths[i] = len(row)
	}
	e.batches = append(e.batches, lengths)
	e.mu.Unlock()
	defer func() {
		e.mu.Lock()
		e.running = false
		e.mu.Unlock()
	}()
	if e.run != nil {
		return e.run(rows)
	}
	return answers(rows), nil
}

func (e *fakeEngine) Name() string { return "fake" }

func (e *fakeEngine) Close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.running || e.closed {
		return errors.New("closed while running, or twice")
	}
	e.closed = true
	return nil
}

// ran returns the lengths of the rows of each run so far.
func (e *fakeEngine) ran() [][]int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.batches)
}

// answers gives each row logits that say its first token: 0 or the second label with that log odds.
func answers(rows [][]uint32) [][]float32 {
	out := make([][]float32, len(rows))
	for i, row := range rows {
		out[i] = []float32{0, float32(row[0])}
	}
	return out
}

// fakeTokenizer has one token per byte. A text that begins with "slow " takes two milliseconds, "slower " two hundred.
type fakeTokenizer struct{}

func (fakeTokenizer) Encode(text string, limit int) ([]uint32, bool) {
	switch {
	case strings.HasPrefix(text, "slow "):
		time.Sleep(2 * time.Millisecond) // in a bubble of synctest
	case strings.HasPrefix(text, "slower "):
		time.Sleep(200 * time.Millisecond)
	case text == "panic":
		panic("tokenizer")
	}
	ids := make([]uint32, 0, len(text))
	for _, b := range []byte(text) {
		ids = append(ids, uint32(b))
	}
	if len(ids) > limit {
		return ids[:limit], true
	}
	return ids, false
}

func (fakeTokenizer) Specials() int { return 0 }
func (fakeTokenizer) Pad() uint32   { return 0 }
func (fakeTokenizer) MaxID() uint32 { return 255 }

// startFake starts a classifier on a fake engine. The test closes it.
func startFake(t *testing.T, e *fakeEngine, o Options) *Classifier {
	t.Helper()
	return startFakeModel(t, e, o, "sha256:fake", "NO", "YES")
}

// startFakeModel starts one of another version, or with other labels.
func startFakeModel(t *testing.T, e *fakeEngine, o Options, version string, labels ...string) *Classifier {
	t.Helper()
	o, err := o.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	m := &model.Model{Labels: labels, MaxTokens: 1000, Tokenizer: fakeTokenizer{}, Version: version}
	return start(m, e, o)
}

func mustClose(t *testing.T, c *Classifier) {
	t.Helper()
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}
