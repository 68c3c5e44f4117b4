package main

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"hitl/classifier/learn"
)

// scenario is a set of texts and a start.
type scenario struct {
	name     string
	pool     []*text
	fromZero bool // else the stream is drawn from the pool with replacement, and judged on all of it
	length   int  // of the stream; from no model, the rest of the pool is what it is judged on
}

// Spread is a median over the seeds, and their range.
type Spread struct {
	Median float64 `json:"median"`
	Low    float64 `json:"low"`
	High   float64 `json:"high"`
	Seeds  int     `json:"seeds"` // that it is of
}

func spread(values []float64) Spread {
	if len(values) == 0 {
		return Spread{}
	}
	slices.Sort(values)
	n := len(values)
	return Spread{(values[(n-1)/2] + values[n/2]) / 2, values[0], values[n-1], n}
}

// Point is where streams stand after so many clicks. It is left out where fewer than half of the seeds got so far.
type Point struct {
	Clicks      int    `json:"clicks"`
	Automation  Spread `json:"automation"`  // share of items accepted at once
	TrueError   Spread `json:"true_error"`  // among them; of the seeds that accept any
	Calibration Spread `json:"calibration"` // expected calibration error; of the seeds with a model
}

// Method is what the streams of one method came to.
type Method struct {
	Points      []Point `json:"points"`
	Automation  Spread  `json:"automation"`   // at the end
	TrueError   Spread  `json:"true_error"`   // at the end, of the seeds that accept anything
	Calibration Spread  `json:"calibration"`  // at the end
	StreamError Spread  `json:"stream_error"` // among all that was accepted on the way
	Clicks      Spread  `json:"clicks"`       // in all
	First       Spread  `json:"first"`        // clicks before the first item could be accepted; of the seeds in which one was
	Accepting   int     `json:"accepting"`    // seeds in which anything is accepted at the end
	Above       int     `json:"above"`        // of these, with a true error above the risk at the end
	Clearly     int     `json:"clearly"`      // of these, so that chance in the judged texts does not explain it (one-sided 95%)
	Ever        int     `json:"ever"`         // seeds with a true error above the risk after any of the advices
	Often       float64 `json:"often"`        // share of all advices, over all seeds, after which it was above the risk
}

// Result is what a scenario came to.
type Result struct {
	Name     string `json:"name"`
	Items    int    `json:"items"`  // of a stream
	Judged   int    `json:"judged"` // texts that the true figures are of
	Exact    bool   `json:"exact"`  // the judged texts are all that there is, so that their figures have no error
	Promised Method `json:"promised"`
	Fixed    Method `json:"fixed"`
}

// measure runs all seeds of both methods.
func (sc scenario) measure(ctx context.Context, s settings, first uint64, seeds int, progress io.Writer) (Result, error) {
	r := Result{Name: sc.name, Items: sc.length, Judged: len(sc.pool), Exact: !sc.fromZero}
	if sc.fromZero {
		if sc.length >= len(sc.pool) {
			return r, fmt.Errorf("a stream of %d of %d texts leaves none to judge by", sc.length, len(sc.pool))
		}
		r.Judged -= sc.length
	}
	runs := [2][]*stream{make([]*stream, seeds), make([]*stream, seeds)}
	var mu sync.Mutex
	done := 0
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i := range seeds {
		for method := range runs {
			group.Go(func() error {
				st, err := sc.stream(ctx, s, first+uint64(i), method == 1) //nolint:gosec // not negative
				runs[method][i] = st
				mu.Lock()
				defer mu.Unlock()
				done++
				_, _ = fmt.Fprintf(progress, "\r%s: %d of %d streams ", sc.name, done, 2*seeds) // a courtesy
				return err
			})
		}
	}
	err := group.Wait()
	_, _ = fmt.Fprintln(progress)
	if err != nil {
		return r, err
	}
	r.Promised, r.Fixed = summarize(runs[0], s), summarize(runs[1], s)
	return r, nil
}

// stream runs one seed. Both methods see the same texts in the same order, with the same draws of the sample.
func (sc scenario) stream(ctx context.Context, s settings, seed uint64, fixed bool) (*stream, error) {
	chance := rand.New(rand.NewPCG(seed, 0)) //nolint:gosec // repeatable
	st := &stream{settings: s, key: fmt.Appendf(nil, "hitl-study seed %08d", seed), fixed: fixed, fromZero: sc.fromZero, judged: sc.pool}
	texts := make([]*text, sc.length)
	if sc.fromZero {
		order := slices.Clone(sc.pool)
		chance.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		texts, st.judged = order[:sc.length], order[sc.length:]
	} else {
		for i := range texts {
			texts[i] = sc.pool[chance.IntN(len(sc.pool))]
		}
	}
	return st, st.run(ctx, fmt.Sprintf("%s/%d", sc.name, seed), texts)
}

// gathered collects figures of several seeds.
type gathered struct{ automation, trueError, calibration []float64 }

func (g *gathered) add(f figures) {
	g.automation = append(g.automation, f.automation)
	if e, known := f.trueError(); known {
		g.trueError = append(g.trueError, e)
	}
	if f.calibration >= 0 {
		g.calibration = append(g.calibration, f.calibration)
	}
}

func summarize(runs []*stream, s settings) Method {
	var m Method
	risk := s.risk.Float()
	var end gathered
	var streamError, clicks, first []float64
	most, advices := 0, 0
	for _, r := range runs {
		last := r.history[len(r.history)-1]
		end.add(last)
		clicks = append(clicks, float64(last.clicks))
		most = max(most, len(r.history)-1)
		if last.accepted > 0 {
			streamError = append(streamError, float64(last.wrong)/float64(last.accepted))
		}
		if i := slices.IndexFunc(r.history, func(f figures) bool { return f.inForce }); i >= 0 {
			first = append(first, float64(r.history[i].clicks))
		}
		if e, known := last.trueError(); known {
			m.Accepting++
			if e > risk {
				m.Above++
				if learn.Lower(last.wrongOver, last.over, 0.05) > risk {
					m.Clearly++
				}
			}
		}
		above := 0
		for _, f := range r.history {
			if e, known := f.trueError(); known && e > risk {
				above++
			}
		}
		if above > 0 {
			m.Ever++
		}
		m.Often += float64(above)
		advices += len(r.history)
	}
	m.Often /= float64(advices)
	for i := range most {
		var g gathered
		for _, r := range runs {
			if i < len(r.history)-1 {
				g.add(r.history[i])
			}
		}
		if 2*len(g.automation) >= len(runs) {
			m.Points = append(m.Points, Point{(i + 1) * s.every, spread(g.automation), spread(g.trueError), spread(g.calibration)})
		}
	}
	m.Automation, m.TrueError, m.Calibration = spread(end.automation), spread(end.trueError), spread(end.calibration)
	m.StreamError, m.Clicks, m.First = spread(streamError), spread(clicks), spread(first)
	return m
}
