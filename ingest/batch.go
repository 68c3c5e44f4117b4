package ingest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// MaxBatch is how many items a batch may have.
	MaxBatch     = 1000
	batchTimeout = 75 * time.Second // below NewServer's write timeout, so that there is an answer
)

// batch documents the body of POST /v1/items/batch.
type batch struct {
	Items []submission `json:"items" nullable:"false" minItems:"1" maxItems:"1000"`
}

// batchAnswer answers each item of a batch, in the batch's order.
type batchAnswer struct {
	Results []batchResult `json:"results" nullable:"false"`
}

// batchResult answers one item of a batch as POST /v1/items would have: an item or a problem.
type batchResult struct {
	Status   int      `json:"status" doc:"200, 202, 409, 422, 429 or 503."`
	Replayed bool     `json:"replayed,omitempty" doc:"The id was used before: the stored answer."`
	Item     *item    `json:"item,omitempty"`
	Problem  *problem `json:"problem,omitempty"`
}

type batchInput struct {
	IdempotencyKey string `header:"Idempotency-Key" hidden:"true"`
}

type batchOutput struct {
	Body batchAnswer
}

// postBatch is POST /v1/items/batch. Each item stands for itself: some may be taken and others not.
func (a *api) postBatch(ctx context.Context, in *batchInput) (*batchOutput, error) {
	if in.IdempotencyKey != "" {
		return nil, invalid("header.Idempotency-Key", "is of no use here; give each item its own id")
	}
	items, p := readBatch(scopeOf(ctx).body)
	if p != nil {
		return nil, p
	}
	ctx, cancel := context.WithTimeout(ctx, batchTimeout)
	defer cancel()
	results := make([]batchResult, len(items))
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(a.BatchWorkers, len(items)) {
		wg.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(items)); i = next.Add(1) - 1 {
				results[i] = a.batchItem(ctx, items[i], int(i))
			}
		})
	}
	wg.Wait()
	return &batchOutput{batchAnswer{results}}, nil
}

func readBatch(body []byte) ([]any, *problem) {
	v, err := decodeJSON(body, storedNumber)
	if err != nil {
		return nil, newProblem(codeMalformed, "the body "+err.Error())
	}
	fields, ok := v.(map[string]any)
	if !ok {
		return nil, invalid("body", `must be an object: {"items": [...]}`)
	}
	for _, name := range sortedKeys(fields) {
		if name != "items" {
			return nil, invalid("body."+clip(name), "is not known; only items is")
		}
	}
	items, ok := fields["items"].([]any)
	if !ok || len(items) == 0 || len(items) > MaxBatch {
		return nil, invalid("body.items", fmt.Sprintf("must be a list of 1 to %d items", MaxBatch))
	}
	return items, nil
}

// batchItem answers one item. A panic is this item's alone.
func (a *api) batchItem(ctx context.Context, v any, i int) (result batchResult) {
	defer func() {
		if r := recover(); r != nil {
			a.logPanic(ctx, r)
			result = refused(newProblem(codeOutcomeUnknown, ""))
		}
	}()
	if ctx.Err() != nil {
		return refused(newProblem(codeUnavailable, "the batch took too long; this item was not tried"))
	}
	if p := a.spend(scopeOf(ctx).source); p != nil {
		return refused(p)
	}
	at := fmt.Sprintf("body.items[%d]", i)
	sub, p := readSubmission(v, scopeOf(ctx).source, at)
	if p != nil {
		return refused(p)
	}
	out, err := a.submit(ctx, sub, at)
	if err != nil {
		if !errors.As(err, &p) {
			p = newProblem(codeInternal, "")
		}
		return refused(p)
	}
	return batchResult{Status: out.Status, Replayed: out.Replayed != "", Item: &out.Body}
}

func refused(p *problem) batchResult { return batchResult{Status: p.Status, Problem: p} }
