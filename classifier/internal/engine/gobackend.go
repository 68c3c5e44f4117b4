package engine

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	gomlx "github.com/gomlx/gomlx/backends"
	"github.com/gomlx/gomlx/backends/simplego"
	"github.com/knights-analytics/hugot/backends"
	"github.com/knights-analytics/hugot/options"
)

// warmFor bounds how long loading spends on compiling shapes ahead; the rest is compiled when first met.
const warmFor = 300 * time.Millisecond

// hugot asks for the backend "go" and leaves it no choice how to run a graph's operations. One after the other they take half the time of a small
// network, whose operations are shorter than a goroutine's start, and a panic in most of them can be contained; the large products of a transformer use all cores
// either way.
func init() {
	gomlx.Register("go", func(string) (gomlx.Backend, error) { return simplego.New("ops_sequential") })
}

// goEngine is hugot's pure-Go backend, handed batches that were tokenised here: its own tokenizer is quadratic.
//
// The backend keeps a compiled graph for every shape for good, so shapes are few: batches of a power of two by the lengths of
// [lengths]. A panic inside the backend's own worker goroutines cannot be contained and ends the process; known is one, an
// empty batch, which cannot occur here.
type goEngine struct {
	pipeline *backends.BasePipeline
	logits   int
	batches  []int // rows in a batch, ascending
	lengths  []int // tokens in a row, ascending
	pad      uint32
}

// OpenGo loads a network into hugot's pure-Go backend and compiles its smallest shapes.
//
// The context must not end while the engine is used, since hugot would free what a run still computes on: OpenGo keeps ctx's
// values and not its end.
func OpenGo(ctx context.Context, n Network) (Engine, error) {
	e := &goEngine{batches: batchBuckets(n.MaxBatch), lengths: lengthBuckets(n.MaxTokens), pad: n.Pad}
	model := &backends.Model{Path: filepath.Dir(n.Path), OnnxFilename: filepath.Base(n.Path)}
	opts := options.Defaults()
	opts.Backend = "GO"
	// Both or neither: with one alone the cache is bounded by its length, and the next new shape fails.
	opts.GoMLXOptions.BatchBuckets, opts.GoMLXOptions.SequenceBuckets = e.batches, e.lengths
	ctx = context.WithoutCancel(ctx)
	if err := contained(func() error { return backends.CreateModelBackend(ctx, model, opts) }); err != nil {
		return nil, fmt.Errorf("load network: %w", err)
	}
	e.pipeline = &backends.BasePipeline{Model: model, Runtime: opts.Backend, SessionContext: ctx}
	if err := e.prepare(); err != nil {
		return nil, errors.Join(err, e.Close())
	}
	return e, nil
}

func (e *goEngine) prepare() (err error) {
	if e.logits, err = checkPorts(ports(e.pipeline.Model.InputsMeta), ports(e.pipeline.Model.OutputsMeta)); err != nil {
		return err
	}
	start := time.Now()
	for _, batch := range e.batches {
		for _, length := range e.lengths {
			if time.Since(start) > warmFor {
				return nil
			}
			row := slices.Repeat([]uint32{e.pad}, length)
			if _, err := e.runBatch(slices.Repeat([][]uint32{row}, batch)); err != nil {
				return fmt.Errorf("try network: %w", err)
			}
			if length > 64 && time.Since(start) > warmFor/4 {
				break // long rows of a slow network: larger batches of short ones matter more
			}
		}
	}
	return nil
}

func (e *goEngine) Name() string { return "hugot, pure Go" }

func (e *goEngine) Run(rows [][]uint32) ([][]float32, error) {
	out := make([][]float32, 0, len(rows))
	for len(rows) > 0 {
		n := min(e.take(len(rows)), len(rows))
		logits, err := e.runBatch(rows[:n])
		if err != nil {
			return nil, err
		}
		out, rows = append(out, logits...), rows[n:]
	}
	return out, nil
}

// take returns the size of the next batch for n rows: the bucket below, unless the one above wastes at most a quarter.
func (e *goEngine) take(n int) int {
	below := e.batches[0]
	for _, b := range e.batches {
		if b >= n {
			if 4*(b-n) <= b {
				return b
			}
			return below
		}
		below = b
	}
	return below
}

// runBatch runs rows as one batch, filled up to the bucket with rows of one token that nobody reads.
func (e *goEngine) runBatch(rows [][]uint32) ([][]float32, error) {
	longest := 0
	for _, row := range rows {
		longest = max(longest, len(row))
	}
	length, ok := ceil(e.lengths, longest)
	size, fits := ceil(e.batches, len(rows))
	if !ok || !fits || longest == 0 {
		return nil, fmt.Errorf("%d rows of up to %d tokens do not fit", len(rows), longest)
	}
	batch := backends.NewBatch(size)
	batch.MaxSequenceLength = length
	batch.Input = make([]backends.TokenizedInput, size)
	types := make([]uint32, length)
	for i := range batch.Input {
		row := []uint32{e.pad}
		if i < len(rows) {
			row = rows[i]
		}
		// Padded here and not by hugot, which pads with id 0 and would trim the rows that fill the batch up.
		ids, mask := slices.Repeat([]uint32{e.pad}, length), make([]uint32, length)
		copy(ids, row)
		for j := range row {
			mask[j] = 1
		}
		batch.Input[i] = backends.TokenizedInput{TokenIDs: ids, AttentionMask: mask, TypeIDs: types}
	}
	err := contained(func() error {
		if err := backends.CreateInputTensors(batch, e.pipeline.Model, e.pipeline.Runtime); err != nil {
			return err
		}
		return backends.RunSessionOnBatch(e.pipeline.SessionContext, batch, e.pipeline)
	})
	if err := errors.Join(err, batch.Destroy()); err != nil {
		return nil, fmt.Errorf("run network: %w", err)
	}
	if e.logits >= len(batch.OutputValues) {
		return nil, errors.New("run network: no output")
	}
	logits, ok := batch.OutputValues[e.logits].([][]float32)
	if !ok || len(logits) < len(rows) {
		return nil, fmt.Errorf("network's output is a %T", batch.OutputValues[e.logits])
	}
	return logits[:len(rows)], nil
}

func (e *goEngine) Close() error {
	return contained(func() error {
		if m := e.pipeline.Model.GoMLXModel; m != nil {
			m.Destroy()
			e.pipeline.Model.GoMLXModel = nil
		}
		return nil
	})
}

func ports(infos []backends.InputOutputInfo) []port {
	out := make([]port, len(infos))
	for i, info := range infos {
		out[i] = port{info.Name, info.Dimensions}
	}
	return out
}

// contained makes an error of a panic: the backend reports many mistakes of a network that way.
func contained(f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v", r)
		}
	}()
	return f()
}

// batchBuckets returns the powers of two up to limit, and limit.
func batchBuckets(limit int) []int {
	var out []int
	for b := 1; b < limit; b *= 2 {
		out = append(out, b)
	}
	return append(out, limit)
}

// lengthBuckets returns lengths that no row has to be stretched by more than half to reach, up to limit.
func lengthBuckets(limit int) []int {
	var out []int
	for b := 8; b < limit; b *= 2 {
		if out = append(out, b); b >= 16 && b/2*3 < limit {
			out = append(out, b/2*3)
		}
	}
	return append(out, limit)
}

// ceil returns the first of ascending sizes that is n or more.
func ceil(sizes []int, n int) (int, bool) {
	i, _ := slices.BinarySearch(sizes, n)
	if i == len(sizes) {
		return 0, false
	}
	return sizes[i], true
}
