package slacksim

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// LostReply is how the answer of a call gets lost after its effect took place.
type LostReply string

const (
	// LoseByCut cuts the connection: the client sees EOF.
	LoseByCut LostReply = "cut"
	// LoseByStatus answers 500 without a body.
	LoseByStatus LostReply = "500"
)

// AnyMethod stands for every method, in [Sim.Fail].
const AnyMethod = "*"

// ResponseURL stands for posts to a response_url, in [Sim.Fail] and in recorded calls.
const ResponseURL = "response_url"

// Fault is what goes wrong with a call. Delay may be combined with any of the others; of Error, Status, RetryAfter and
// LoseReply at most one is set. A Fault that is only a Delay is answered normally, but late.
type Fault struct {
	// Times is how many calls are struck. Default: 1. Negative: all until Heal.
	Times int `json:"times,omitempty"`
	// Error is a Slack error code, answered with status 200.
	Error string `json:"error,omitempty"`
	// Status is an HTTP status with an empty body, for instance 503.
	Status int `json:"status,omitempty"`
	// RetryAfter answers 429 with that many seconds, rounded up.
	RetryAfter time.Duration `json:"-"`
	// Delay is waited, in real time, before anything else happens.
	Delay time.Duration `json:"-"`
	// LoseReply does what was asked and then loses the answer.
	LoseReply LostReply `json:"lose_reply,omitempty"`
}

// String describes the fault for the record.
func (f Fault) String() string {
	what := "answered"
	switch {
	case f.Error != "":
		what = f.Error
	case f.Status != 0:
		what = fmt.Sprintf("status %d", f.Status)
	case f.RetryAfter > 0:
		what = fmt.Sprintf("429 with Retry-After %d", wholeSeconds(f.RetryAfter))
	case f.LoseReply != "":
		what = "done, reply lost by " + string(f.LoseReply)
	}
	if f.Delay > 0 {
		what += " after " + f.Delay.String()
	}
	return what
}

func (f Fault) validate() error {
	set := 0
	for _, b := range []bool{f.Error != "", f.Status != 0, f.RetryAfter > 0, f.LoseReply != ""} {
		if b {
			set++
		}
	}
	switch {
	case set > 1:
		return errors.New("fault: more than one of error, status, retry_after and lose_reply")
	case set == 0 && f.Delay <= 0:
		return errors.New("fault: nothing goes wrong")
	case f.Status != 0 && (f.Status < 400 || f.Status > 599):
		return fmt.Errorf("fault: status %d is not an error", f.Status)
	case f.LoseReply != "" && f.LoseReply != LoseByCut && f.LoseReply != LoseByStatus:
		return fmt.Errorf("fault: lose_reply %q is neither %q nor %q", f.LoseReply, LoseByCut, LoseByStatus)
	}
	return nil
}

// Fail makes the next calls of a method go wrong; method may be [AnyMethod] or [ResponseURL]. Faults of a method queue
// up and come before those of AnyMethod. An impossible fault is an error.
func (s *Sim) Fail(method string, f Fault) error {
	if err := f.validate(); err != nil {
		return err
	}
	if _, known := s.methods[method]; !known && method != AnyMethod && method != ResponseURL {
		return fmt.Errorf("fault: method %q is not simulated", method)
	}
	if f.Times == 0 {
		f.Times = 1
	}
	s.mu.Lock()
	s.faults[method] = append(s.faults[method], f)
	s.mu.Unlock()
	s.hub.changed()
	return nil
}

// Heal removes all faults.
func (s *Sim) Heal() {
	s.mu.Lock()
	s.faults = map[string][]Fault{}
	s.mu.Unlock()
	s.hub.changed()
}

// takeFault returns the fault that strikes this call.
func (s *Sim) takeFault(method string) (Fault, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, key := range []string{method, AnyMethod} {
		queue := s.faults[key]
		if len(queue) == 0 {
			continue
		}
		f := queue[0]
		if f.Times > 0 {
			queue[0].Times--
			if queue[0].Times == 0 {
				s.faults[key] = queue[1:]
			}
		}
		return f, true
	}
	return Fault{}, false
}

// answer is the fault's own answer; stop is false when the call goes on.
func (f Fault) answer() (a answer, stop bool) {
	switch {
	case f.Error != "":
		return answer{status: http.StatusOK, body: map[string]any{"ok": false, "error": f.Error}}, true
	case f.Status != 0:
		return answer{status: f.Status}, true
	case f.RetryAfter > 0:
		return answer{
			status: http.StatusTooManyRequests, retryAfter: f.RetryAfter,
			body: map[string]any{"ok": false, "error": "ratelimited"},
		}, true
	}
	return answer{}, false
}

// pause waits in real time; false means that the client went away first.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
