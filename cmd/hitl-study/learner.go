package main

import (
	"cmp"
	"context"
	"fmt"
	"hash/fnv"
	"math"
	"slices"
	"strings"

	"hitl"
	"hitl/classifier/learn"
)

// text is a labelled text as the study needs it: the words are features, or scores of a model that is there already.
type text struct {
	truth    string
	features []float32
	scores   []hitl.Score
}

// item is a text that came in.
type item struct {
	*text
	id        string
	inclusion float64 // probability with which such an item was reviewed when it came
	reviewed  bool
}

// model gives the scores of a text, most likely first.
type model func(*text) []hitl.Score

// given is the model that is there from the start.
func given(t *text) []hitl.Score { return t.scores }

// taught is a model, and what a calibration may learn of it: answers that it was not fitted to.
type taught struct {
	model   model
	answers []learn.Answer
}

// Features are hashed words: few enough that fits take no time, enough that most words are alone.
const (
	buckets  = 512
	strength = 0.1 // L2, of standardised features
)

// hashed makes features of a text's words: how often each is there, damped, in the bucket of its hash, with length 1.
func hashed(words []string) []float32 {
	counts := map[string]int{}
	for _, w := range words {
		counts[w]++
	}
	sums := make([]float64, buckets)
	for _, w := range slices.Sorted(mapKeys(counts)) {
		h := fnv.New32a()
		_, _ = h.Write([]byte(w))
		sum, value := h.Sum32(), 1+math.Log(float64(counts[w]))
		if sum>>31 == 1 { // words that share a bucket cancel out rather than add up
			value = -value
		}
		sums[sum%buckets] += value
	}
	squares := 0.0
	for _, v := range sums {
		squares += v * v
	}
	out := make([]float32, buckets)
	for i, v := range sums {
		out[i] = float32(v / math.Sqrt(max(squares, 1)))
	}
	return out
}

func mapKeys(m map[string]int) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// fitModel fits a head to answered items. The answers that it gives for calibration, if they are wanted, are cross-fitted: each half's by a head of the other.
// It is nil as long as people gave one label only.
func fitModel(ctx context.Context, items []*item, answers bool) (*taught, error) {
	if !twoLabels(items) {
		return nil, nil //nolint:nilnil // no model yet is no error
	}
	whole, err := fit(ctx, items)
	if err != nil {
		return nil, err
	}
	t := &taught{model: whole}
	for part := range 2 {
		if !answers {
			break
		}
		var rest, own []*item
		for i, it := range items {
			if i%2 == part {
				own = append(own, it)
			} else {
				rest = append(rest, it)
			}
		}
		if !twoLabels(rest) {
			continue
		}
		m, err := fit(ctx, rest)
		if err != nil {
			return nil, err
		}
		for _, it := range own {
			t.answers = append(t.answers, it.answer(m))
		}
	}
	return t, nil
}

func (it *item) answer(m model) learn.Answer {
	return learn.Answer{Scores: m(it.text), Label: it.truth, Weight: 1 / it.inclusion}
}

func twoLabels(items []*item) bool {
	return slices.ContainsFunc(items, func(it *item) bool { return it.truth != items[0].truth })
}

func fit(ctx context.Context, items []*item) (model, error) {
	examples := make([]learn.Example, len(items))
	for i, it := range items {
		examples[i] = learn.Example{Features: it.features, Label: it.truth, Weight: 1 / it.inclusion}
	}
	head, err := learn.FitHead(ctx, examples, strength)
	if err != nil {
		return nil, fmt.Errorf("learn from %d answers: %w", len(items), err)
	}
	return func(t *text) []hitl.Score {
		p := head.Probabilities(t.features)
		scores := make([]hitl.Score, len(p))
		for i, label := range head.Labels {
			scores[i] = hitl.Score{Label: label, Probability: p[i]}
		}
		slices.SortStableFunc(scores, func(a, b hitl.Score) int { return cmp.Compare(b.Probability, a.Probability) })
		return scores
	}, nil
}

// wordsOf returns the words of a text: letters and digits of ASCII, lower case.
func wordsOf(s string) []string {
	return strings.FieldsFunc(strings.ToLower(s), func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') })
}
