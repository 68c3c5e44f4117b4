package main

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"

	"hitl/classifier"
)

// alone is ONNX Runtime with nothing around: rows of token ids that are ready, padded to the longest of their batch, and no answer is read.
type alone struct {
	rows [][]uint32
	run  func(rows [][]uint32) error // one batch
}

// onRuntime opens a classifier of the transformer on ONNX Runtime, and the same network alone with the texts as its rows.
func (b *bench) onRuntime(ctx context.Context, texts []string) (*classifier.Classifier, *alone, error) {
	head, err := b.quickHead(ctx)
	if err != nil {
		return nil, nil, err
	}
	dir, err := b.transformer(ctx, "fp32", head)
	if err != nil {
		return nil, nil, err
	}
	c, err := b.openModel(ctx, dir, "auto") // has loaded the library once it is open, for both
	if err != nil {
		return nil, nil, err
	}
	a := &alone{}
	var end func() error
	if a.run, end, err = openNetwork(filepath.Join(dir, "model.onnx")); err != nil {
		return nil, nil, err
	}
	b.onRowEnd(func(context.Context) error { return end() })
	for _, text := range texts {
		ids, _ := c.Tokens(text)
		a.rows = append(a.rows, ids)
	}
	return c, a, nil
}

// byLength lays the rows out, the shortest first.
func (a *alone) byLength() {
	slices.SortStableFunc(a.rows, func(x, y []uint32) int { return len(x) - len(y) })
}

// lengths returns how many tokens the row in the middle has, and the one that a twentieth are not shorter than.
func (a *alone) lengths() (middle, long int) {
	all := make([]int, len(a.rows))
	for i, row := range a.rows {
		all[i] = len(row)
	}
	slices.Sort(all)
	return all[len(all)/2], all[len(all)*19/20]
}

// fit returns the batch size that is fastest.
func (a *alone) fit(ctx context.Context, b *bench) (best int, err error) {
	sizes := []int{4, 8, 16, 32, 64}
	if b.Quick {
		sizes = []int{8, 16}
	}
	fastest := 0.0
	for _, size := range sizes {
		if _, err := a.loop(size)(ctx); err != nil {
			return 0, err
		}
		rate, err := a.loop(size)(ctx)
		if err != nil {
			return 0, err
		}
		b.say("  ONNX Runtime alone, batches of %d: %s texts/s", size, digits(rate))
		if rate > fastest {
			best, fastest = size, rate
		}
	}
	return best, nil
}

// loop is a side that runs all rows in batches of a size, in their order.
func (a *alone) loop(size int) side {
	return perSecond(len(a.rows), func(ctx context.Context) error {
		for batch := range slices.Chunk(a.rows, size) {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := a.run(batch); err != nil {
				return fmt.Errorf("run ONNX Runtime: %w", err)
			}
		}
		return nil
	})
}
