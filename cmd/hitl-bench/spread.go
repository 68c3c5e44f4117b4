package main

import (
	"slices"
	"strconv"
)

// Spread sums up figures: few and skewed, so no mean and no deviation.
type Spread struct {
	Median float64 `json:"median"`
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
}

// spreadOf returns the spread of figures, nil of none. The median of an even number is the mean of the two in the middle.
func spreadOf(figures []float64) *Spread {
	if len(figures) == 0 {
		return nil
	}
	s := slices.Sorted(slices.Values(figures))
	n := len(s)
	return &Spread{Median: (s[(n-1)/2] + s[n/2]) / 2, Min: s[0], Max: s[n-1]}
}

// digits prints a figure with as many digits as mean something.
func digits(v float64) string {
	switch {
	case v >= 100:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case v >= 10:
		return strconv.FormatFloat(v, 'f', 1, 64)
	}
	return strconv.FormatFloat(v, 'f', 2, 64)
}
