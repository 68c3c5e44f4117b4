package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/knights-analytics/hugot"
	hugotoptions "github.com/knights-analytics/hugot/options"
	"github.com/knights-analytics/hugot/pipelines"
)

// openHugot holds the classifier in pure Go, on a real transformer, against a loop around hugot that does nothing else, with the batch size that
// suits it best.
func openHugot(ctx context.Context, b *bench) (*pair, error) {
	texts, err := b.texts(b.size(32, 4))
	if err != nil {
		return nil, err
	}
	head, err := b.quickHead(ctx)
	if err != nil {
		return nil, err
	}
	dir, err := b.transformer(ctx, "fp32", head)
	if err != nil {
		return nil, err
	}
	c, err := b.openModel(ctx, dir, "off")
	if err != nil {
		return nil, err
	}
	best, size, fastest := side(nil), 0, 0.0
	sizes := []int{1, 8, 32}
	if b.Quick {
		sizes = []int{1, 4}
	}
	for _, n := range sizes {
		loop, err := b.hugotLoop(ctx, dir, texts, n)
		if err != nil {
			return nil, err
		}
		if _, err := loop(ctx); err != nil { // compiles its shapes
			return nil, err
		}
		rate, err := loop(ctx)
		if err != nil {
			return nil, err
		}
		b.say("  hugot alone, batches of %d: %s texts/s", n, digits(rate))
		if rate > fastest {
			best, size, fastest = loop, n, rate
		}
	}
	return &pair{
		unit: "texts/s", ours: classifies(c, texts), peer: best,
		note: func() string {
			return fmt.Sprintf("all-MiniLM-L6-v2 in pure Go, %d sentences a run; hugot in batches of %d", len(texts), size)
		},
	}, nil
}

// hugotLoop is a loop around hugot's pipeline, as its documentation has it.
func (b *bench) hugotLoop(ctx context.Context, dir string, texts []string, batch int) (side, error) {
	session, err := hugot.NewGoSession(context.WithoutCancel(ctx), hugotoptions.WithGoMLXBatchBuckets([]int{batch}), hugotoptions.WithGoMLXSequenceBuckets([]int{16, 32, 64, 128}))
	if err != nil {
		return nil, fmt.Errorf("open hugot: %w", err)
	}
	b.onRowEnd(func(context.Context) error { return session.Destroy() })
	p, err := hugot.NewPipeline(session, hugot.TextClassificationConfig{
		ModelPath: dir, Name: b.name("hugot"), Options: []hugot.TextClassificationOption{pipelines.WithSoftmax(), pipelines.WithMultiLabel()},
	})
	if err != nil {
		return nil, fmt.Errorf("open hugot's pipeline: %w", err)
	}
	return perSecond(len(texts), func(ctx context.Context) error {
		for from := 0; from < len(texts); from += batch {
			if _, err := p.RunPipeline(ctx, texts[from:min(from+batch, len(texts))]); err != nil {
				return fmt.Errorf("run hugot: %w", err)
			}
		}
		return nil
	}), nil
}

// openRuntime holds the classifier on ONNX Runtime, from text to probabilities, against ONNX Runtime alone with as many threads, on texts that are
// tokenised already, laid out by length, in the batch size that suits it best.
func openRuntime(ctx context.Context, b *bench) (*pair, error) {
	texts, err := b.texts(b.size(1024, 32))
	if err != nil {
		return nil, err
	}
	c, alone, err := b.onRuntime(ctx, texts)
	if err != nil {
		return nil, err
	}
	alone.byLength()
	size, err := alone.fit(ctx, b)
	if err != nil {
		return nil, err
	}
	return &pair{
		unit: "texts/s", ours: classifies(c, texts), peer: alone.loop(size),
		note: func() string {
			return fmt.Sprintf("all-MiniLM-L6-v2, fp32, %d sentences a run; alone: tokenised and sorted by length before, batches of %d", len(texts), size)
		},
	}, nil
}

// openLengths holds the classifier, which lays rows of similar length together, against batches in the order in which skewed texts came.
func openLengths(ctx context.Context, b *bench) (*pair, error) {
	texts, err := b.texts(b.size(512, 32))
	if err != nil {
		return nil, err
	}
	for i := range texts {
		if i%10 == 9 { // one in ten is a letter among notes
			texts[i] = strings.Join(texts[max(0, i-9):i+1], " ") + " " + strings.Join(texts[max(0, i-5):i], " ")
		}
	}
	c, alone, err := b.onRuntime(ctx, texts)
	if err != nil {
		return nil, err
	}
	const size = 32
	short, long := alone.lengths()
	return &pair{
		unit: "texts/s", ours: classifies(c, texts), peer: alone.loop(size),
		note: func() string {
			return fmt.Sprintf("ONNX Runtime on both sides; half of the texts have %d tokens or less, one in twenty %d or more; in arrival order: batches of %d, tokenised before", short, long, size)
		},
	}, nil
}

// openInt8 holds a quantised model against the one that it was made of.
func openInt8(ctx context.Context, b *bench) (*pair, error) {
	all, err := b.sentences()
	if err != nil {
		return nil, err
	}
	train, test := b.size(1400, 60), b.size(1000, 30)
	head, err := b.head(ctx, all[:train])
	if err != nil {
		return nil, err
	}
	held := all[train : train+test]
	texts, shown := make([]string, len(held)), b.size(512, 16)
	for i, s := range held {
		texts[i] = s.text
	}
	var sides [2]side
	var right [2]float64
	for i, precision := range []string{"int8", "fp32"} {
		dir, err := b.transformer(ctx, precision, head)
		if err != nil {
			return nil, err
		}
		c, err := b.openModel(ctx, dir, "auto")
		if err != nil {
			return nil, err
		}
		for j, r := range c.ClassifyAll(ctx, texts) {
			if r.Err != nil {
				return nil, r.Err
			}
			if r.Label == held[j].label {
				right[i] += 100 / float64(len(held))
			}
		}
		sides[i] = classifies(c, texts[:shown])
	}
	return &pair{
		unit: "texts/s", ours: sides[0], peer: sides[1],
		note: func() string {
			return fmt.Sprintf("all-MiniLM-L6-v2 with one head on both; accuracy on %d held-out sentences: int8 %.1f%%, fp32 %.1f%%, a change of %+.1f points",
				len(held), right[0], right[1], right[0]-right[1])
		},
	}, nil
}
