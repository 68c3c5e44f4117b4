package classifier

import (
	"context"
	"fmt"
	"log/slog"
	"math"
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
		w.runAll(batches(jobs, w.maxBatch))
		w.retry(suspects)
	}
}

// runAll runs batches one after the other, without those who have left meanwhile. The attempt at a text ends with the last batch that has it.
func (w *worker) runAll(batches [][]*job) {
	last, ran := map[[32]byte]int{}, map[[32]byte]bool{}
	for i, batch := range batches {
		for _, j := range batch {
			last[j.key] = i
		}
	}
	for i, batch := range batches {
		jobs := wanted(slices.Clone(batch))
		if len(jobs) > 0 {
			w.answer(jobs)
		}
		for _, j := range jobs {
			ran[j.key] = true
		}
		var made, left []*job
		for _, j := range batch {
			switch {
			case last[j.key] > i:
			case ran[j.key]:
				made = append(made, j)
			default:
				left = append(left, j)
			}
		}
		w.end(made, true)
		w.end(left, false)
	}
}

// collect returns first and what else waits: several batches of it, so that each can be of one length. Up to a batch it waits for more, though only
// while a caller is on its way: what comes during a run gathers by itself, and a lone text should not be kept.
func (w *worker) collect(first *job) []*job {
	jobs := []*job{first}
	var deadline <-chan time.Time
	for len(jobs) < waitingBatches*w.maxBatch {
		select {
		case j, ok := <-w.queue:
			if !ok {
				return jobs
			}
			jobs = append(jobs, j)
			continue
		default:
		}
		if len(jobs) >= w.maxBatch || w.arriving.Load() == 0 {
			return jobs
		}
		if deadline == nil {
			timer := time.NewTimer(w.maxWait)
			defer timer.Stop()
			deadline = timer.C
		}
		select {
		case j, ok := <-w.queue:
			if !ok {
				return jobs
			}
			jobs = append(jobs, j)
		case <-deadline:
			return jobs
		}
	}
	return jobs
}

// wanted leaves out the jobs that nobody waits for.
func wanted(jobs []*job) []*job {
	return slices.DeleteFunc(jobs, func(j *job) bool { return j.abandoned.Load() || j.ctx.Err() != nil })
}

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
