package audit

import (
	"context"
	"time"
)

// Outcome is how an attempt at an effect ended.
type Outcome string

// The outcomes.
const (
	OutcomeDone    Outcome = "done"    // carried out
	OutcomeRetried Outcome = "retried" // failed, will be tried again
	OutcomeDead    Outcome = "dead"    // failed, will not be tried again by itself
)

// Observer is told what the store does, for metrics. Its methods are called from several goroutines and must not block.
type Observer interface {
	// Flushed is called after each shared transaction of Append: how many new items it was to write, how long it took.
	Flushed(items int, took time.Duration, err error)
	// CallbackTried is called after each attempt at a callback, with its context; attempt counts from 1.
	CallbackTried(ctx context.Context, source string, attempt int, outcome Outcome, took time.Duration)
	// CardRefreshed is called after each attempt at a card refresh.
	CardRefreshed(outcome Outcome, took time.Duration)
	// PeriodicRan is called after each run of a periodic task on this replica.
	PeriodicRan(name string, took time.Duration, err error)
}

// unobserved is the observer of a store that was given none.
type unobserved struct{}

func (unobserved) Flushed(int, time.Duration, error)                                  {}
func (unobserved) CallbackTried(context.Context, string, int, Outcome, time.Duration) {}
func (unobserved) CardRefreshed(Outcome, time.Duration)                               {}
func (unobserved) PeriodicRan(string, time.Duration, error)                           {}
