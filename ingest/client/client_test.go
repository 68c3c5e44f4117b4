package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// step is what becomes of one request.
type step func(context.Context) (reply, error)

type reply struct {
	status int
	header http.Header
	body   string
}

// script answers requests in memory, so that time can be the test's.
type script struct {
	steps []step   // the last one for ever
	got   []string // what was asked: method, address and body
	at    []time.Time
}

func (s *script) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	s.got, s.at = append(s.got, r.Method+" "+r.URL.RequestURI()+" "+string(body)), append(s.at, time.Now())
	a, err := s.steps[min(len(s.got), len(s.steps))-1](r.Context())
	if err != nil {
		return nil, err
	}
	return &http.Response{StatusCode: a.status, Header: a.header, Body: io.NopCloser(strings.NewReader(a.body))}, nil
}

func answer(status int, body string, header ...string) step {
	return func(context.Context) (reply, error) {
		h := http.Header{}
		for i := 0; i < len(header); i += 2 {
			h.Set(header[i], header[i+1])
		}
		return reply{status, h, body}, nil
	}
}

func broken(context.Context) (reply, error) { return reply{}, io.ErrUnexpectedEOF }

// slowly answers after a time, as a long poll does.
func slowly(d time.Duration, then step) step {
	return func(ctx context.Context) (reply, error) {
		if err := sleep(ctx, d); err != nil {
			return reply{}, err
		}
		return then(ctx)
	}
}

func newScripted(t *testing.T, s *script, options ...Option) *Client {
	t.Helper()
	c, err := New("https://hitl.test/base/", "key-of-desk", append([]Option{WithHTTPClient(&http.Client{Transport: s})}, options...)...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

const (
	openItem    = `{"id": "itm_1", "external_id": "a", "status": "HUMAN_REVIEW"}`
	decidedItem = `{"id": "itm_1", "external_id": "a", "status": "HUMAN_ACCEPTED", "label": "POSITIVE"}`
)

func problemOf(status int, code string) string {
	return fmt.Sprintf(`{"type": "urn:hitl:problem:%s", "title": "T", "status": %d, "code": %q}`, code, status, code)
}

func TestSubmitIsSentAgainAsTheSame(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &script{steps: []step{
			broken, answer(429, problemOf(429, "rate_limited"), "Retry-After", "7"), answer(502, "<html>"), answer(503, problemOf(503, "outcome_unknown")),
			answer(202, openItem, "Idempotent-Replayed", "true"),
		}}
		it, err := newScripted(t, s).Submit(t.Context(), Submission{Text: "hello"})
		if err != nil || it.ID != "itm_1" || !it.Replayed || it.Final() {
			t.Fatalf("got %+v, %v", it, err)
		}
		if len(s.got) != 5 || len(slices.Compact(slices.Clone(s.got))) != 1 || !strings.HasPrefix(s.got[0], `POST /base/v1/items {"id":"`) {
			t.Errorf("sent %q", s.got)
		}
		for i, want := range []struct{ least, most time.Duration }{
			{125 * time.Millisecond, 250 * time.Millisecond}, {7 * time.Second, 7 * time.Second}, {500 * time.Millisecond, time.Second}, {time.Second, 2 * time.Second},
		} {
			if d := s.at[i+1].Sub(s.at[i]); d < want.least || d > want.most {
				t.Errorf("pause %d was %s, want between %s and %s", i, d, want.least, want.most)
			}
		}
	})
}

func TestWhatIsFinalIsNotSentAgain(t *testing.T) {
	t.Parallel()
	for status, sentinel := range map[int]*Error{401: ErrUnauthorized, 403: ErrForbidden, 404: ErrNotFound, 409: ErrConflict, 413: ErrTooLarge, 422: ErrInvalid, 500: ErrInternal} {
		code := sentinel.Code
		s := &script{steps: []step{answer(status, problemOf(status, code), "X-Request-Id", "req_7")}}
		_, err := newScripted(t, s).Submit(t.Context(), Submission{ID: "a", Text: "hello"})
		got, ok := errors.AsType[*Error](err)
		if !ok || !errors.Is(err, sentinel) || errors.Is(err, ErrBusy) || got.Status != status || got.RequestID != "req_7" || len(s.got) != 1 {
			t.Errorf("%d: got %v after %d requests", status, err, len(s.got))
		}
		if _, err := newScripted(t, s).Wait(t.Context(), "itm_1"); !errors.Is(err, sentinel) || len(s.got) != 2 {
			t.Errorf("%d: Wait returned %v after %d requests", status, err, len(s.got)-1)
		}
	}
}

func TestRetriesEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &script{steps: []step{answer(503, problemOf(503, "backlog"), "Retry-After", "60")}}
		start := time.Now()
		if _, err := newScripted(t, s, WithRetryFor(59*time.Second)).Get(t.Context(), "itm_1"); !errors.Is(err, ErrBacklog) || len(s.got) != 1 || time.Since(start) != 0 {
			t.Errorf("got %v after %d requests and %s; the service asked for more time than there is", err, len(s.got), time.Since(start))
		}
		s = &script{steps: []step{broken}}
		if _, err := newScripted(t, s, WithRetryFor(0)).Log(t.Context(), "itm_1"); !errors.Is(err, io.ErrUnexpectedEOF) || len(s.got) != 1 {
			t.Errorf("got %v after %d requests, want one try", err, len(s.got))
		}
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		start = time.Now()
		if _, err := newScripted(t, s).Get(ctx, "itm_1"); !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, io.ErrUnexpectedEOF) || time.Since(start) != 3*time.Second {
			t.Errorf("got %v after %s, want what went wrong and why it ended", err, time.Since(start))
		}
	})
}

func TestWaitGoesOnForHours(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		poll := slowly(30*time.Second, answer(200, openItem))
		s := &script{}
		for range 240 {
			s.steps = append(s.steps, poll)
		}
		s.steps[100], s.steps[101] = broken, answer(503, problemOf(503, "unavailable"), "Retry-After", "5")
		s.steps = append(s.steps, slowly(10*time.Second, answer(200, decidedItem)))
		start := time.Now()
		it, err := newScripted(t, s).Wait(t.Context(), "itm_1")
		if err != nil || !it.Answered("POSITIVE") || it.Answered("NEGATIVE") || len(s.got) != 241 {
			t.Fatalf("got %+v, %v after %d requests", it, err, len(s.got))
		}
		if took := time.Since(start); took < 238*30*time.Second || took > 240*30*time.Second || s.got[0] != "GET /base/v1/items/itm_1?wait=30s " {
			t.Errorf("took %s with %s", took, s.got[0])
		}
	})
}

// A service where too many wait answers at once: it is not to be flooded.
func TestWaitDoesNotSpin(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &script{steps: []step{answer(200, openItem)}}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
		defer cancel()
		it, err := newScripted(t, s).Wait(ctx, "itm_1")
		if !errors.Is(err, context.DeadlineExceeded) || it.Status != HumanReview || len(s.got) > 100 || len(s.got) < 40 {
			t.Errorf("got %+v, %v after %d requests in ten minutes", it, err, len(s.got))
		}
	})
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	for _, bad := range []struct{ base, key string }{{"hitl.test", "k"}, {"ftp://hitl.test", "k"}, {"https://hitl.test", ""}, {"https://hitl.test", "se\ncret"}} {
		if _, err := New(bad.base, bad.key); err == nil || strings.Contains(err.Error(), "cret") {
			t.Errorf("New(%q, %q) = %v", bad.base, bad.key, err)
		}
	}
	if _, err := New("https://hitl.test", "k", WithPoll(2*time.Minute)); err == nil {
		t.Error("a poll longer than the service's is taken")
	}
}
