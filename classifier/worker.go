package classifier

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"math/bits"
	"runtime/debug"
	"slices"
	"sync/atomic"
	"time"

	"hitl"
	"hitl/classifier/internal/engine"
)

// job is one tokenised text and its caller.
type job struct {
	ctx       context.Context // tells the worker whether anyone still waits
	ids       []uint32
	key       [32]byte    // of the text, for attempts
	answer    chan answer // has room for the answer, so the worker never waits for a caller
	started   atomic.Bool // its batch has begun
	abandoned atomic.Bool // its caller has left
}

type answer struct {
	logits []float32
	err    error
}

// worker is the one goroutine that runs the network: engines are for one, and one keeps all cores busy.
type worker struct {
	engine   engine.Engine
	queue    chan *job
	done     chan struct{} // closed when the loop has ended
	arriving *atomic.Int64
	maxBatch int
	maxWait  time.Duration
	observer Observer
	log      *slog.Logger
	version  string // of the model

	attempts    Attempts // may be nil
	maxAttempts int
	uncounted   bool            // attempts cannot be counted, and it was said
	life        context.Context // of the waits for attempts
	leave       context.CancelFunc

	runningSince atomic.Pointer[time.Time] // nil between runs
}

// loop runs until the queue is closed and empty.
func (w *worker) loop() {
	defer close(w.done)
	for first := range w.queue {
		jobs, suspects := w.begin(wanted(w.collect(first)))
		for _, group := range byLength(jobs) {
			w.answer(group)
			w.end(group, true)
		}
		w.retry(suspects)
	}
}

// collect returns first and what else waits. It waits for more only while a caller is on its way: what comes during a run
// gathers by itself, and a lone text should not be kept.
func (w *worker) collect(first *job) []*job {
	batch := []*job{first}
	var deadline <-chan time.Time
	for len(batch) < w.maxBatch {
		select {
		case j, ok := <-w.queue:
			if !ok {
				return batch
			}
			batch = append(batch, j)
			continue
		default:
		}
		if w.arriving.Load() == 0 {
			return batch
		}
		if deadline == nil {
			timer := time.NewTimer(w.maxWait)
			defer timer.Stop()
			deadline = timer.C
		}
		select {
		case j, ok := <-w.queue:
			if !ok {
				return batch
			}
			batch = append(batch, j)
		case <-deadline:
			return batch
		}
	}
	return batch
}

// wanted leaves out the jobs that nobody waits for.
func wanted(jobs []*job) []*job {
	return slices.DeleteFunc(jobs, func(j *job) bool { return j.abandoned.Load() || j.ctx.Err() != nil })
}

// byLength sorts jobs by length and splits them where it doubles, so that no row is padded to more than twice itself.
func byLength(jobs []*job) [][]*job {
	slices.SortStableFunc(jobs, func(a, b *job) int { return len(a.ids) - len(b.ids) })
	var groups [][]*job
	for len(jobs) > 0 {
		n := 1
		for n < len(jobs) && lengthClass(jobs[n]) == lengthClass(jobs[0]) {
			n++
		}
		groups, jobs = append(groups, jobs[:n]), jobs[n:]
	}
	return groups
}

// lengthClass is 4 for up to 16 tokens, 5 for up to 32, and so on.
func lengthClass(j *job) int { return max(bits.Len(uint(len(j.ids)-1)), 4) }

// answer runs the jobs as one batch; when that fails, one by one, so that one text cannot fail the others.
func (w *worker) answer(jobs []*job) {
	for _, j := range jobs {
		j.started.Store(true)
	}
	logits, err := w.run(jobs)
	if err != nil && len(jobs) > 1 {
		w.log.Warn("batch failed, its texts are tried one by one", "texts", len(jobs), "error", err)
		for _, j := range jobs {
			w.answer([]*job{j})
		}
		return
	}
	for i, j := range jobs {
		if err != nil {
			j.answer <- answer{err: err}
		} else {
			j.answer <- answer{logits: logits[i]}
		}
	}
}

// run calls the engine, and makes an error of a panic.
func (w *worker) run(jobs []*job) (logits [][]float32, err error) {
	span := batchSpan(jobs, w.version)
	rows := make([][]uint32, len(jobs))
	for i, j := range jobs {
		rows[i] = j.ids
	}
	begin := time.Now()
	w.runningSince.Store(&begin)
	defer func() {
		if r := recover(); r != nil {
			w.log.Error("model panicked", "panic", r, "stack", string(debug.Stack()))
			logits, err = nil, fmt.Errorf("%w: panic: %v", hitl.ErrModel, r)
		}
		w.runningSince.Store(nil)
		endBatchSpan(span, err)
		w.observer.BatchDone(len(rows), len(rows[len(rows)-1]), time.Since(begin), err)
	}()
	if logits, err = w.engine.Run(rows); err != nil {
		return nil, fmt.Errorf("%w: %w", hitl.ErrModel, err)
	}
	if len(logits) != len(rows) {
		return nil, fmt.Errorf("%w: %d rows of logits for %d texts", hitl.ErrModel, len(logits), len(rows))
	}
	return logits, nil
}

// runningFor is how long the current run has lasted; 0 between runs.
func (w *worker) runningFor() time.Duration {
	since := w.runningSince.Load()
	if since == nil {
		return 0
	}
	return time.Since(*since)
}

// softmax returns the probabilities that logits stand for, in double precision and without overflow; false when one is no
// finite number.
func softmax(logits []float32) ([]float64, bool) {
	out := make([]float64, len(logits))
	largest := math.Inf(-1)
	for i, l := range logits {
		v := float64(l)
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil, false
		}
		out[i], largest = v, max(largest, v)
	}
	sum := 0.0
	for i, v := range out {
		out[i] = math.Exp(v - largest)
		sum += out[i]
	}
	for i := range out {
		out[i] /= sum
	}
	return out, true
}
