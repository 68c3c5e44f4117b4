package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"hitl/bot"
)

type doctorReport struct {
	OK     bool             `json:"ok"`
	Checks []bot.Check      `json:"checks"`
	Speed  map[string]speed `json:"speed"`
}

func (r doctorReport) of(about string) bot.Check {
	for _, c := range r.Checks {
		if c.About == about {
			return c
		}
	}
	return bot.Check{}
}

// What a service that runs stands on: its Postgres is one for tests, that keeps nothing, which is accepted.
func TestDoctor(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	var r doctorReport
	out, err := w.hitl("doctor", "--json")
	if e := json.Unmarshal([]byte(out), &r); err != nil || e != nil || !r.OK {
		t.Fatalf("%v, %v\n%s", err, e, out)
	}
	for about, words := range map[string]string{
		"configuration": "source", "postgres": "Postgres 1", "postgres role": "no more", "redis": "Redis ", "ONNX Runtime": "",
	} {
		if c := r.of(about); !strings.Contains(c.Found, words) || c.State == "" {
			t.Errorf("%s: %+v, want %q", about, c, words)
		}
	}
	if len(r.Speed) == 0 {
		t.Fatalf("no model was measured:\n%s", out)
	}
	for name, s := range r.Speed {
		if s.Engine == "" || s.Best == 0 || s.Tokens < 5 || s.Batches[0].Size != 1 {
			t.Errorf("%s: %+v", name, s)
		}
		for _, b := range s.Batches {
			if b.PerSec <= 0 || b.P50 <= 0 || b.P95 < b.P50 || b.Batches == 0 {
				t.Errorf("%s: %+v", name, b)
			}
		}
		if c := r.of("classifier " + name); c.State != bot.Good || !strings.Contains(c.Found, s.Engine) {
			t.Errorf("%+v", c)
		}
	}
	if text := w.mustHitl("doctor"); !strings.Contains(text, "✓ postgres ") || strings.Contains(text, "✗") {
		t.Error(text)
	}
}

// Nothing is there, and each lack is named with what to do about it; the rest is looked at all the same.
func TestDoctorWhereNothingIs(t *testing.T) {
	t.Parallel()
	w := &world{t: t, dir: t.TempDir()}
	if err := os.WriteFile(w.configFile(), []byte(`
postgres: {url: "postgres://service:x@127.0.0.1:1/hitl"}
redis: {addrs: ["127.0.0.1:1"]}
slack: {bot_token: xoxb-1, signing_secret: abc}
classifiers: {default: {model: ./none}, fast: {model: starter, max_batch: 2, cache_size: 5}, later: {labels: [A, B]}}
queues: {default: {channel: C0REVIEW, reviewers: {users: [U0ANA]}}}
sources: {shop: {}}
`), 0o600); err != nil {
		t.Fatal(err)
	}
	var out, errOut bytes.Buffer
	p := program{stdout: &out, stderr: &errOut, env: os.LookupEnv}
	err := p.run(t.Context(), []string{"--config", w.configFile(), "doctor", "--json"})
	if code, ok := errors.AsType[exitError](err); !ok || code != exitFailure {
		t.Fatalf("%v\n%s", err, &errOut)
	}
	var r doctorReport
	if err := json.Unmarshal(out.Bytes(), &r); err != nil || r.OK {
		t.Fatalf("%v\n%s", err, &out)
	}
	for about, want := range map[string]bot.State{
		"configuration": bot.Good, "postgres": bot.Bad, "redis": bot.Bad, "classifier default": bot.Bad, "classifier fast": bot.Good,
		"classifier later": bot.Open, "audit key": bot.Open,
	} {
		if c := r.of(about); c.State != want || want == bot.Bad && c.Mend == "" {
			t.Errorf("%s: %+v, want %s", about, c, want)
		}
	}
	// The same few texts again and again would be a fifth of a microsecond each if they came out of the cache.
	if s := r.Speed["fast"]; len(s.Batches) != 2 || s.Batches[1].Size != 2 || s.Batches[0].P50 < 5*time.Microsecond {
		t.Errorf("%+v", s)
	}
}
