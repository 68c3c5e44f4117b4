package bot

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/slack-go/slack"
	"pgregory.net/rapid"

	"hitl"
)

func TestPercent(t *testing.T) {
	t.Parallel()
	for p, want := range map[float64]string{0: "0%", 0.001: "<1%", 0.01: "1%", 0.615: "62%", 0.994: "99%", 0.9951: ">99%", 1: "100%"} {
		if got := percent(inEnglish, p); got != want {
			t.Errorf("%v: %s, want %s", p, got, want)
		}
	}
	for _, tc := range []struct {
		a, b float64
		want string
	}{
		{0.62, 0.85, "62% 85%"},
		{0.849, 0.85, "84.9% 85%"},
		{0.84999, 0.85, "84.999% 85%"},
		{0.85, 0.85, "85% 85%"},
		{0.8499999999, 0.85, "0.8499999999 0.85"},
		{0, 1, "0% 100%"},
	} {
		a, b := percents(inEnglish, tc.a, tc.b)
		if got := a + " " + b; got != tc.want {
			t.Errorf("%v, %v: %s, want %s", tc.a, tc.b, got, tc.want)
		}
	}
}

func TestDuration(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		0: "0 ms", 20 * time.Millisecond: "20 ms", 1500 * time.Millisecond: "2 s", 59 * time.Second: "59 s", 95 * time.Second: "1 min 35 s",
		3*time.Hour + 5*time.Minute: "3 h 5 min", 50 * time.Hour: "2 d 2 h",
	} {
		if got := duration(inEnglish, d); got != want {
			t.Errorf("%v: %s, want %s", int64(d), got, want)
		}
	}
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567", -1234: "-1,234", -123: "-123"} {
		if got := inEnglish.number(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
}

func TestTriggersInWords(t *testing.T) {
	t.Parallel()
	rec := newRecord("rev_1", func(r *hitl.Record) { r.Failure = "model error: <nil>" })
	for trig, want := range map[hitl.Trigger][2]string{
		hitl.TriggerLowConfidence:   {"confidence 62% is below 85%", "low confidence"},
		hitl.RuleTrigger("refunds"): {"rule `refunds`", "rule `refunds`"},
		hitl.TriggerSample:          {"quality sample", "quality sample"},
		hitl.TriggerAlwaysReview:    {"`NEGATIVE` is always reviewed", "label always reviewed"},
		hitl.TriggerModelError:      {"the model failed: model error: &lt;nil&gt;", "model failed"},
		hitl.TriggerTruncated:       {"the text was cut to the model's limit", "text cut to the model's limit"},
		"new":                       {"`new`", "`new`"},
	} {
		if got := [2]string{trigger(inEnglish, trig, rec), triggerName(inEnglish, trig)}; got != want {
			t.Errorf("%s: %q, want %q", trig, got, want)
		}
	}
	var many []hitl.Trigger
	for i := range 100 {
		many = append(many, hitl.RuleTrigger(fmt.Sprint("rule number ", i)))
	}
	if got := why(inEnglish, newRecord("rev_1", func(r *hitl.Record) { r.Route.Triggers = many })); units(got) > 1000 || !strings.HasSuffix(got, "more") {
		t.Errorf("%d characters: …%s", units(got), got[len(got)-20:])
	}
	if got := why(inEnglish, newRecord("rev_1", func(r *hitl.Record) { r.Route.Triggers = nil })); got == "" {
		t.Error("no reason")
	}
}

func TestClassify(t *testing.T) {
	t.Parallel()
	_, number := strconv.ParseInt("1.5", 10, 64)
	for name, tc := range map[string]struct {
		err  error
		want failure
	}{
		"429":                    {&slack.RateLimitedError{RetryAfter: 7 * time.Second}, failure{kind: limited, after: 7 * time.Second}},
		"429 at once":            {&slack.RateLimitedError{}, failure{kind: limited, after: time.Second}},
		"429 without time":       {slack.StatusCodeError{Code: 429}, failure{kind: limited, after: retryAfterUnknown}},
		"429 with half a second": {number, failure{kind: limited, after: retryAfterUnknown}},
		"ratelimited":            {slack.SlackErrorResponse{Err: "ratelimited"}, failure{kind: limited, code: "ratelimited", after: retryAfterUnknown}},
		"invalid_auth":           {slack.SlackErrorResponse{Err: "invalid_auth"}, failure{kind: refused, code: "invalid_auth"}},
		"internal_error":         {slack.SlackErrorResponse{Err: "internal_error"}, failure{kind: unclear, code: "internal_error"}},
		"503":                    {slack.StatusCodeError{Code: 503}, failure{kind: unclear}},
		"404":                    {slack.StatusCodeError{Code: 404}, failure{kind: refused, code: "http_404"}},
		"cut connection":         {errors.New("EOF"), failure{kind: unclear}},
		"deadline":               {context.DeadlineExceeded, failure{kind: unclear}},
	} {
		var f *failure
		if !errors.As(classify("m", fmt.Errorf("call: %w", tc.err)), &f) || f.kind != tc.want.kind || f.code != tc.want.code || f.after != tc.want.after {
			t.Errorf("%s: %+v, want %+v", name, f, tc.want)
		}
		if !strings.Contains(f.Error(), tc.err.Error()) {
			t.Errorf("%s: the cause is lost: %v", name, f)
		}
	}
	if classify("m", nil) != nil {
		t.Error("success is no failure")
	}
	for _, code := range []string{
		"invalid_auth", "missing_scope", "channel_not_found", "not_in_channel", "is_archived", "restricted_action", "no_such_subteam",
	} {
		if advice(code) == advice("else") {
			t.Errorf("no advice for %s", code)
		}
	}
}

func TestResponseError(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		"ok": "", "ok\n": "", `{"ok":true}`: "", `{"ok":false,"error":"invalid_blocks"}`: "invalid_blocks", "no_text": "no_text",
		"<html>": "the answer makes no sense",
	} {
		err := responseError(&http.Response{StatusCode: http.StatusOK}, []byte(body))
		if (err == nil) != (want == "") || (err != nil && err.Error() != want) {
			t.Errorf("%q: %v, want %q", body, err, want)
		}
	}
	var status slack.StatusCodeError
	for _, code := range []int{http.StatusTooManyRequests, http.StatusInternalServerError} {
		if err := responseError(&http.Response{StatusCode: code}, []byte("<html>")); !errors.As(err, &status) || status.Code != code {
			t.Errorf("%d: %v", code, err)
		}
	}
	if err := responseError(&http.Response{StatusCode: http.StatusNotFound}, []byte("used_url")); err == nil || err.Error() != "used_url" {
		t.Errorf("404: %v", err)
	}
}

// No second ever sees more calls than the rate allows, whatever is asked when, and a closed lane stays closed as long as it should.
func TestPacer(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		now := testTime
		p := newPacer(func() time.Time { return now })
		rate := Rate{Every: time.Duration(rapid.IntRange(1, 2000).Draw(t, "every ms")) * time.Millisecond, Burst: rapid.IntRange(1, 5).Draw(t, "burst")}
		var closed time.Time
		granted := []time.Time{}
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			switch rapid.IntRange(0, 9).Draw(t, "step") {
			case 0:
				d := time.Duration(rapid.IntRange(1, 5).Draw(t, "closed for s")) * time.Second
				p.close("k", d)
				if until := now.Add(d); until.After(closed) {
					closed = until
				}
			case 1, 2:
				now = now.Add(time.Duration(rapid.IntRange(0, 3000).Draw(t, "pass ms")) * time.Millisecond)
			default:
				wait := p.take("k", rate)
				if wait > 0 {
					if now = now.Add(wait); p.take("k", rate) > 0 {
						t.Fatalf("after the wait of %s there is another", wait)
					}
				}
				if now.Before(closed) {
					t.Fatal("granted while closed")
				}
				granted = append(granted, now)
			}
		}
		for i := range granted {
			for j := i + rate.Burst; j < len(granted); j++ {
				least := time.Duration(j-i+1-rate.Burst) * rate.Every
				if got := granted[j].Sub(granted[i]); got < least-time.Millisecond {
					t.Fatalf("%d calls in %s", j-i+1, got)
				}
			}
		}
		if p.take("other", rate) > 0 {
			t.Fatal("lanes share tokens")
		}
	})
}

func TestConfig(t *testing.T) {
	t.Parallel()
	store := newStore()
	good := func() Config {
		return Config{
			Token: "xoxb-secret", SigningSecrets: []string{"s3cret"}, Desk: &hitl.Desk{}, Cards: store, Waiting: newWaiting(), Stats: &stats{}, Lists: store,
			Queues: map[string]Queue{"support": {Channel: "C1", Reviewers: Reviewers{Users: []string{"U1"}, Groups: []string{"S1"}}}},
		}
	}
	b, err := New(good())
	if err != nil {
		t.Fatal(err)
	}
	if b.cfg.Queues["support"].OpenLimit != 10 || b.cfg.HTTPClient.Timeout == 0 || b.cfg.PostRate != (Rate{time.Second, 3}) {
		t.Errorf("defaults: %+v", b.cfg)
	}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("config", "config", good())
	if strings.Contains(log.String(), "secret\"") || strings.Contains(log.String(), "xoxb") || strings.Contains(log.String(), "s3cret") {
		t.Errorf("secrets in the log: %s", log.String())
	}
	c := good()
	c.SigningSecrets, c.AppToken = nil, "xapp-secret"
	if _, err := New(c); err != nil {
		t.Errorf("Socket Mode alone: %v", err)
	}
	if words := c.LogValue().String(); strings.Contains(words, "xapp") {
		t.Errorf("the app-level token shows: %s", words)
	}
	queue := func(q Queue) func(*Config) {
		return func(c *Config) { c.Queues = map[string]Queue{"support": q} }
	}
	reviewers := Reviewers{Users: []string{"U1"}}
	for want, change := range map[string]func(*Config){
		"token is missing":         func(c *Config) { c.Token = "" },
		"11 socket mode":           func(c *Config) { c.SocketConnections = 11 },
		"0 signing secrets":        func(c *Config) { c.SigningSecrets = nil },
		"3 signing secrets":        func(c *Config) { c.SigningSecrets = []string{"a", "b", "c"} },
		"signing secret is empty":  func(c *Config) { c.SigningSecrets = []string{""} },
		"is not in the catalogue":  func(c *Config) { c.Language = "tlh" },
		"must end with a slash":    func(c *Config) { c.APIURL = "http://localhost/api" },
		"are required":             func(c *Config) { c.Cards = nil },
		"no timeout":               func(c *Config) { c.HTTPClient = &http.Client{} },
		"is no channel id":         queue(Queue{Channel: "#support", Reviewers: reviewers}),
		"less than 1":              queue(Queue{Channel: "C1", OpenLimit: -1, Reviewers: reviewers}),
		"has no reviewers":         queue(Queue{Channel: "C1"}),
		"is no user id":            queue(Queue{Channel: "C1", Reviewers: Reviewers{Users: []string{"@ana"}}}),
		"is no user group id":      queue(Queue{Channel: "C1", Reviewers: Reviewers{Groups: []string{"@reviewers"}}}),
		"must have 1 to 300 bytes": queue(Queue{Channel: "C1", Reviewers: reviewers, Reasons: []string{""}}),
		"101 reasons":              queue(Queue{Channel: "C1", Reviewers: reviewers, Reasons: make([]string, 101)}),
	} {
		c := good()
		change(&c)
		if _, err := New(c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

func TestCacheForgetsStrangers(t *testing.T) {
	t.Parallel()
	var tasks sync.WaitGroup
	cfg := Config{Now: time.Now, MembersFor: time.Hour, MembersAtMost: time.Hour}
	c := newCache(cfg, func(ctx context.Context, f func(context.Context)) { tasks.Go(func() { f(ctx) }) },
		func(_ context.Context, k string) (string, error) { return k, nil })
	for i := range maxEntries + 10 {
		if v, err := c.get(t.Context(), strconv.Itoa(i)); err != nil || v != strconv.Itoa(i) {
			t.Fatal(v, err)
		}
	}
	tasks.Wait()
	if n := len(c.entries); n > maxEntries {
		t.Errorf("%d entries", n)
	}
}
