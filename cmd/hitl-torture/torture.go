package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"sync"
	"time"
)

// torture makes one run: start, use while things go wrong, heal, settle, compare, report. Its error is errFound when the report is bad.
func torture(ctx context.Context, o options, stdout, stderr io.Writer) (err error) {
	if o.Replicas < 1 || o.Rate <= 0 {
		return errors.New("--replicas and --rate must be more than 0")
	}
	began := time.Now()
	var mu sync.Mutex
	say := func(format string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Fprintf(stderr, "%6.1fs  %s\n", time.Since(began).Seconds(), fmt.Sprintf(format, args...))
	}
	dir, err := dataDir(o.Keep)
	if err != nil {
		return fmt.Errorf("make data folder: %w", err)
	}
	w := &world{dir: dir, hist: newHistory(), feeds: feeds()}
	r := &Report{Seed: o.Seed, Seconds: o.duration().Seconds(), Replicas: o.Replicas, Socket: o.Socket}
	err = w.run(ctx, o, r, say)
	if stopErr := w.stop(context.WithoutCancel(ctx)); stopErr != nil && ctx.Err() == nil {
		r.problem("stop: %v", stopErr)
	}
	if err == nil {
		if err = r.write(stdout); err == nil && r.bad() {
			err = errFound
		}
	}
	if o.Keep == "" && err == nil {
		return os.RemoveAll(dir)
	}
	say("data and logs are in %s", dir)
	return err
}

// run is a run between start and stop.
func (w *world) run(ctx context.Context, o options, r *Report, say func(string, ...any)) error {
	storm, err := newStorm(w, o, say)
	if err != nil {
		return err
	}
	if err := w.start(ctx, o, say); err != nil {
		return err
	}
	// Who uses the service goes on after the storm: those who wait for an answer until they have it.
	using, stopUsing := context.WithCancel(ctx)
	defer stopUsing()
	weather, clear := context.WithTimeout(ctx, o.duration())
	defer clear()
	var users, posters sync.WaitGroup
	chance := uint64(0)
	source := func() *rand.Rand { // each its own, so that none disturbs another's
		chance++
		return rand.New(rand.NewPCG(o.Seed, chance)) //nolint:gosec // not for secrets: the same in every run
	}
	weatherSource := source()
	for _, f := range w.feeds {
		u := w.upstreams[f.Name]
		post, watch := source(), source()
		rate := o.Rate
		if f.Panel > 0 {
			rate /= 2 // each takes several people's time
		}
		if f.Name != probeFeed {
			posters.Go(func() { u.run(using, weather, rate, post) })
		}
		users.Go(func() { u.watch(using, watch) })
		work := source()
		users.Go(func() { w.team.run(using, f, work) })
	}
	users.Go(func() { w.witness.watch(using) })
	for _, r := range w.replicas {
		users.Go(func() { w.health.watch(using, r, say) })
	}

	say("things go wrong for %v, seed %d", o.duration(), o.Seed)
	if err := storm.run(ctx, weather, weatherSource); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	say("all is mended; waiting for things to settle")
	mended := time.Now()
	w.team.settling.Store(true)
	settling, cancel := context.WithTimeout(ctx, o.settle())
	defer cancel()
	if err := w.ready(settling); err != nil {
		r.problem("not ready after all was mended: %v", err)
	}
	posted := make(chan struct{})
	go func() { defer close(posted); posters.Wait() }()
	select {
	case <-posted:
	case <-settling.Done():
		r.problem("items are not acknowledged although all was mended")
	}
	w.settle(settling, say)
	r.SettledIn = time.Since(mended).Round(time.Millisecond).Seconds()
	stopUsing()
	users.Wait()
	<-posted
	if err := ctx.Err(); err != nil {
		return err
	}
	say("checking")
	w.check(ctx, r)
	w.fill(storm, r)
	return nil
}

// fill takes over into the report what was counted on the way.
func (w *world) fill(s *storm, r *Report) {
	r.Faults, r.Recovery = s.counts, map[string]quantiles{}
	for kind, took := range s.recovery {
		r.Recovery[kind] = quantilesOf(took)
	}
	r.ClickToCommit = quantilesOf(w.hist.took)
	r.ClickTimeouts = w.hist.slow
	for _, replica := range w.replicas {
		r.Restarts += replica.exits
		r.Panics += replica.panics
		r.StopsWrong += replica.badStops
	}
	h := w.health
	r.HealthyAnswers, r.LivenessFailures, r.ReadinessTurned, r.ReadinessWrong = h.lively, h.livenessLost, h.turned, h.missed
	for _, what := range append(w.hist.wrong, w.sink.problems...) {
		r.problem("%s", what)
	}
	refused := w.slack.sim.Refused()
	r.SlackRefused = len(refused)
	for _, no := range refused {
		s.say("slack refused: %s: %s", no.Where, no.Problem)
	}
	r.DuplicateCards, r.DuplicateBound = w.slack.copies()
	// A replica that was killed or paused, or a cut, leaves at most one post of each replica and channel in doubt.
	broken := s.counts["replica_kill"] + s.counts["replicas_kill_all"] + s.counts["replica_pause"] + s.counts["cut_slack"] + s.counts["cut_off_slack"]
	r.DuplicateBound += broken * len(w.replicas) * len(w.feeds)
}
