package main

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// askedReady runs hitl ready against a service that answers so.
func askedReady(t *testing.T, answer http.HandlerFunc, args ...string) (string, error) {
	t.Helper()
	server := httptest.NewServer(answer)
	defer server.Close()
	var out, errs strings.Builder
	p := program{stdout: &out, stderr: &errs, env: func(string) (string, bool) { return "", false }}
	err := p.run(t.Context(), append([]string{"ready", server.URL}, args...))
	return out.String(), err
}

func TestReadySaysWhatTheServiceSays(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		status int
		body   string
		want   string // in the error; empty: ready
	}{
		"ready":      {http.StatusOK, `{"status":"ok"}`, ""},
		"not ready":  {http.StatusServiceUnavailable, `{"status":503,"code":"not_ready","detail":"postgres"}`, "not ready: postgres"},
		"escapes":    {http.StatusServiceUnavailable, "{\"detail\":\"a\\u001b[2Jb\"}", `not ready: a`},
		"a stranger": {http.StatusNotFound, "<html>", "404 Not Found"},
		"elsewhere":  {http.StatusFound, "", "302 Found"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, err := askedReady(t, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/readyz" {
					t.Errorf("asked for %s", r.URL.Path)
				}
				w.WriteHeader(c.status)
				_, _ = w.Write([]byte(c.body))
			})
			if c.want == "" {
				if err != nil || out != "ready\n" {
					t.Fatalf("got %q, %v", out, err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\x1b") {
				t.Fatalf("got %v, want %q", err, c.want)
			}
			if code := (program{stderr: &strings.Builder{}}).exitCode(t.Context(), err); code != exitFailure {
				t.Errorf("exit code %d", code)
			}
		})
	}
}

func TestReadyWaits(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	out, err := askedReady(t, func(w http.ResponseWriter, _ *http.Request) {
		if asked.Add(1) < 3 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}, "--wait", "30s")
	if err != nil || out != "ready\n" || asked.Load() != 3 {
		t.Fatalf("got %q, %v after %d questions", out, err, asked.Load())
	}
}

func TestReadyEnds(t *testing.T) {
	t.Parallel()
	var errs strings.Builder
	p := program{stdout: &errs, stderr: &errs}
	began := time.Now()
	if err := p.run(t.Context(), []string{"ready", "http://127.0.0.1:1"}); err == nil || time.Since(began) > 5*time.Second {
		t.Fatalf("nobody listens, and it said %v after %v", err, time.Since(began))
	}
	for _, bad := range []string{"127.0.0.1:8080", "ftp://host", "http://", "http://user:hidden@host?x=1"} {
		err := p.run(t.Context(), []string{"ready", bad})
		var usage usageError
		if !errors.As(err, &usage) || strings.Contains(err.Error(), "hidden") {
			t.Errorf("%s: %v", bad, err)
		}
	}
	stopped, stop := context.WithCancel(t.Context())
	stop()
	if err := p.run(stopped, []string{"ready", "http://127.0.0.1:1", "--wait", "10m"}); !errors.Is(err, context.Canceled) {
		t.Errorf("stopped, it said %v", err)
	}
}
