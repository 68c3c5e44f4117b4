package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"hitl/classifier"
)

// speed is how fast a model classifies on this machine.
type speed struct {
	Version string      `json:"version"`
	Engine  string      `json:"engine"`
	Tokens  int         `json:"tokens"`  // of the sample texts, on average
	Batches []batchTime `json:"batches"` // by their size, 1 first
	Best    int         `json:"best"`    // size with the most texts in a second
}

// batchTime is what batches of a size took.
type batchTime struct {
	Size    int           `json:"size"`
	PerSec  float64       `json:"texts_per_second"`
	P50     time.Duration `json:"p50_ns"` // of a whole batch
	P95     time.Duration `json:"p95_ns"`
	Batches int           `json:"measured"`
}

// Samples are what customers write: short, usual, long.
var samples = []string{
	"Great, thank you!",
	"The parcel never arrived and nobody answers the phone. I want my money back.",
	"I am not sure whether I like it: the sound is good, but the battery hardly lasts a day.",
	"Ordered two weeks ago, and it came in two days. The box was open and one of the cups was broken, so I wrote to support, who sent a new one at " +
		"once and asked for nothing in return. That is how it should be. I would have liked a word from the carrier, though: it took me an hour to find " +
		"out that a neighbour had taken the parcel in.",
}

// measureFor is how long one size of batches is tried; the first batches of a size warm it up and do not count.
const measureFor = 400 * time.Millisecond

// tooLong is what one batch may take to be tried; a slow model is told about by smaller ones.
const tooLong = 3 * time.Second

// measure has c classify samples one at a time, and as more at once as it batches, up to most.
func measure(ctx context.Context, c *classifier.Classifier, most int) (speed, error) {
	s := speed{Version: c.Version(), Engine: c.Engine()}
	best := 0.0
	for size := 1; ; size = min(4*size, most) {
		b, tokens, err := measureBatch(ctx, c, size)
		if err != nil {
			return s, err
		}
		s.Batches = append(s.Batches, b)
		if size == 1 {
			s.Tokens = tokens
		}
		if b.PerSec > best {
			best, s.Best = b.PerSec, size
		}
		if size == most || 4*b.P50 > tooLong {
			return s, nil
		}
	}
}

// measureBatch returns what batches of a size take, and the tokens of a text on average.
func measureBatch(ctx context.Context, c *classifier.Classifier, size int) (batchTime, int, error) {
	texts := make([]string, size)
	var took []time.Duration
	var sum time.Duration
	var tokens, seen int
	for n := 0; len(took) == 0 || sum < measureFor; n++ {
		for i := range texts {
			texts[i] = samples[(n+i)%len(samples)]
		}
		begin := time.Now()
		results := c.ClassifyAll(ctx, texts)
		d := time.Since(begin)
		for _, r := range results {
			if r.Err != nil {
				return batchTime{}, 0, r.Err
			}
			tokens, seen = tokens+r.Tokens, seen+1
		}
		if n == 0 { // it compiles shapes
			continue
		}
		took, sum = append(took, d), sum+d
	}
	slices.Sort(took)
	return batchTime{
		Size: size, PerSec: float64(size*len(took)) / sum.Seconds(), P50: took[len(took)/2], P95: took[len(took)*95/100], Batches: len(took),
	}, tokens / seen, nil
}

func (s speed) String() string {
	one := s.Batches[0]
	words := []string{fmt.Sprintf("%s: alone %s texts/s, p50 %s, p95 %s", s.Engine, perSecond(one.PerSec), brief(one.P50), brief(one.P95))}
	for _, b := range s.Batches[1:] {
		if b.Size == s.Best {
			words = append(words, fmt.Sprintf("%d at once %s texts/s, p50 %s, p95 %s", b.Size, perSecond(b.PerSec), brief(b.P50), brief(b.P95)))
		}
	}
	return strings.Join(words, "; ") + fmt.Sprintf(" (texts of %d tokens on average)", s.Tokens)
}

func perSecond(texts float64) string {
	if texts < 10 {
		return fmt.Sprintf("%.1f", texts)
	}
	return fmt.Sprintf("%.0f", texts)
}

// brief is a duration with three digits.
func brief(d time.Duration) string {
	if d < time.Millisecond {
		return d.Round(time.Microsecond).String()
	}
	return d.Round(max(d/200, time.Microsecond).Truncate(time.Microsecond)).Round(10 * time.Microsecond).String()
}
