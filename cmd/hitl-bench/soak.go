package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// A soak runs one service for long, as in production, below its capacity, and looks for what grows that should not: memory, goroutines, files, rows that
// are dead, work that waits. Most such faults show in minutes when thousands of items pass, and in no test.
//
// What comes is an open loop at a share of what a short closed loop of the same machine could bring through. People decide what they are shown within
// seconds. How many reviews that is, Slack says: in a channel a card a second, in a workspace fifty edits a minute (see reviewsPerSecond), and at a
// thousand items a second that is far less than the model's doubts would be. So texts of which the model is sure come oftener here than in life, and the
// quality sample is as small as it must be.

const (
	shortestSoak    = 20 * time.Second
	longestCapacity = 4 * time.Minute
	capacityParts   = 8
	soakUndo        = 30 * time.Second
)

// reviewsPerSecond go to people: half of them since the model was not sure, half as a quality sample. Each costs a post, and an edit when it can no longer be
// undone, of which Slack grants fifty a minute to a workspace.
const reviewsPerSecond = 0.5

func (o *options) checkSoak() error {
	switch {
	case o.Quick:
		return errors.New("--quick is for rows: a short soak is --soak 20s")
	case len(o.Only) > 0 || o.Runs != 0:
		return errors.New("--only and --runs are for rows: --soak takes none")
	case o.Soak < shortestSoak:
		return fmt.Errorf("--soak %v is too short to see anything: take %v or more, 30m to find a leak", o.Soak, shortestSoak)
	case o.Share <= 0 || o.Share > 1:
		return fmt.Errorf("--share %v is not a share of the capacity: take more than 0 and at most 1", o.Share)
	}
	return nil
}

// soak makes the run that is asked for, and prints the report.
func soak(ctx context.Context, o options, stdout, stderr io.Writer) (err error) {
	if err := o.checkSoak(); err != nil {
		return err
	}
	began := time.Now()
	b, err := newBench(o, progress(stderr, began))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.stop(context.WithoutCancel(ctx))) }()
	r := SoakReport{At: began.UTC().Truncate(time.Second), Machine: thisMachine(), Share: o.Share, Length: o.Soak.Seconds()}
	texts, err := b.measureCapacity(ctx, min(longestCapacity, o.Soak/5), &r)
	if err != nil {
		return fmt.Errorf("measure the capacity: %w", err)
	}
	if err := b.soak(ctx, texts, &r); err != nil {
		return err
	}
	r.Versions = b.versions(ctx)
	if err := r.print(stdout, o.JSON); err != nil {
		return err
	}
	return r.failure()
}

// soakSettings are those of a service as in production.
func soakSettings(callback, logKey string) settings {
	return settings{
		LogKey: logKey, Queues: 2, Callbacks: callback, UndoFor: soakUndo.String(), ClaimFor: "15m", Merge: true, Metrics: true, StrictSlack: true,
	}
}

// openSoak starts a service, and what it works with, for a row's length.
func (b *bench) openSoak(ctx context.Context, sample float64) (*service, *receipts, error) {
	key, err := newLogKey()
	if err != nil {
		return nil, nil, err
	}
	got := &receipts{}
	s, err := b.startSink(ctx, got.read)
	if err != nil {
		return nil, nil, err
	}
	set := soakSettings(s.url, key)
	set.SampleRate = sample
	svc, err := b.serve(ctx, set)
	return svc, got, err
}

// measureCapacity finds how many items a second one service brings through, from the request to the callback, while 64 clients post as fast as they are
// answered; and texts that its model is sure of, and others. That service and its database are gone afterwards.
func (b *bench) measureCapacity(ctx context.Context, length time.Duration, r *SoakReport) (_ *texts, err error) {
	defer func() { err = errors.Join(err, b.endRow(context.WithoutCancel(ctx))) }()
	svc, got, err := b.openSoak(ctx, 0)
	if err != nil {
		return nil, err
	}
	l := &load{clients: b.newClients(svc.url, 1)}
	if l.texts, err = l.sort(ctx); err != nil {
		return nil, err
	}
	b.say("measuring the capacity for %v", length)
	if err := l.closed(ctx, length/10); err != nil { // warms up
		return nil, err
	}
	// A machine is not always as fast: what it brings through in its slowest part can be asked of it for long.
	for range capacityParts {
		intake, capacity, err := l.through(ctx, length/capacityParts, got)
		if err != nil {
			return nil, err
		}
		b.say("  %s items/s answered, %s with their callbacks", digits(intake), digits(capacity))
		if r.Capacity == 0 || capacity < r.Capacity {
			r.Intake, r.Capacity = intake, capacity
		}
	}
	if err := l.leaveDoubted(); err != nil {
		return nil, err
	}
	r.CapacitySeconds = length.Seconds()
	return l.texts, nil
}

// through posts for some time, waits for the callbacks, and returns how many items a second were answered, and how many were called back by the end.
func (l *load) through(ctx context.Context, length time.Duration, got *receipts) (answered, calledBack float64, err error) {
	before, begin := l.posts.Load(), time.Now()
	if err := l.closed(ctx, length); err != nil {
		return 0, 0, err
	}
	n := float64(l.posts.Load() - before)
	answered = n / time.Since(begin).Seconds()
	want := l.posts.Load() - l.reviewed.Load() // nobody decides those
	if err := until(ctx, func() (bool, error) { return got.distinct() >= want, nil }); err != nil {
		return 0, 0, fmt.Errorf("wait for %d callbacks, %d came: %w", want, got.distinct(), err)
	}
	return answered, n / time.Since(begin).Seconds(), nil
}

// soak runs the service under its load, with people, and looks at it.
func (b *bench) soak(ctx context.Context, texts *texts, r *SoakReport) (err error) {
	defer func() { err = errors.Join(err, b.endRow(context.WithoutCancel(ctx))) }()
	r.Rate = r.Capacity * b.Share
	half := min(reviewsPerSecond/2/r.Rate, 0.2)
	r.ReviewShare, r.SampleRate, r.Undo = 2*half, half, soakUndo.Seconds()
	svc, got, err := b.openSoak(ctx, half)
	if err != nil {
		return err
	}
	l := &load{clients: b.newClients(svc.url, 1), texts: texts, unsure: half, arrivals: arrivals{rate: r.Rate}}
	looks, err := b.openSampler(ctx, svc, l)
	if err != nil {
		return err
	}
	people := startReviewers(ctx, svc.slack.sim)
	defer people.stop()
	b.say("profiles at %s", strings.TrimSuffix(svc.metrics[0], "metrics")+"debug/pprof/")
	b.say("posting %s items/s for %v, %s reviews/s", digits(r.Rate), b.Soak, digits(r.Rate*2*half))
	loading, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan int64, 1)
	go func() {
		ended <- l.arrivals.run(loading, b.Soak, func(_ int64, due time.Time) { l.arrive(ctx, due) })
	}()
	err = looks.run(ctx, b.Soak, ended, r)
	stop()
	if err != nil {
		return err
	}
	r.Late = l.arrivals.late.Load()
	b.say("waiting until everything is done")
	if err := looks.settle(ctx, r); err != nil {
		return err
	}
	people.stop()
	r.Series = judged(r.Samples)
	r.Notes = []string{
		"Redis keys rise for ten minutes, since each click's signature is remembered so long; jobs for five, which is how long finished ones are kept",
	}
	if lacking := unknown(r.Samples); len(lacking) > 0 {
		r.Notes = append(r.Notes, "not known here, and left out: "+strings.Join(lacking, ", "))
	}
	return b.check(ctx, svc, l, got, people, r)
}

// warnings are the lines that a service wrote into its log, which has the level of warnings, and the last of them.
func warnings(logFile string) (n int, last string) {
	text, err := os.ReadFile(logFile)
	if err != nil {
		return 0, ""
	}
	return countLines(text)
}
