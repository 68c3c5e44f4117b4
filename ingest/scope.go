package ingest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"hitl"
)

// scope is what the parts of one request tell each other. It belongs to the request's goroutine.
type scope struct {
	requestID string
	source    string   // who was authenticated; empty before that, and for keys of no source
	key       hitl.Key // by which, if it was by one
	messageID string   // of a webhook whose signature holds
	body      []byte   // read by readBody

	w http.ResponseWriter
	r *http.Request
}

type scopeKey struct{}

// scopeOf returns the scope of the request that ctx belongs to; an empty one outside of any.
func scopeOf(ctx context.Context) *scope {
	if sc, ok := ctx.Value(scopeKey{}).(*scope); ok {
		return sc
	}
	return &scope{}
}

// clearReadDeadline lifts the server's read timeout once a request is read. It would otherwise end the request's context in the
// middle of a long wait: the server keeps reading, to notice when the client goes away.
func (sc *scope) clearReadDeadline() {
	if sc.w != nil {
		_ = http.NewResponseController(sc.w).SetReadDeadline(time.Time{}) // not every ResponseWriter has one
	}
}

// Request is what became of one HTTP request, for metrics.
type Request struct {
	Method string
	Route  string // the pattern, "/v1/items/{id}"; empty when there was no route
	Source string // empty when not authenticated
	Status int
	Took   time.Duration
}

// surround gives each request its scope, an id, safe headers and an end: panics become problems, and what happened is logged and
// observed. Neither texts, keys, queries nor bodies are logged.
func (a *api) surround(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := a.Now()
		rec := &recorder{ResponseWriter: w}
		sc := &scope{requestID: requestID(r, start), w: rec}
		ctx := context.WithValue(r.Context(), scopeKey{}, sc)
		r = r.WithContext(ctx)
		sc.r = r
		h := w.Header()
		h.Set("X-Request-Id", sc.requestID)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cache-Control", "no-store")
		h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		defer a.finish(ctx, sc, rec, start)
		next.ServeHTTP(rec, r)
	})
}

// finish ends a request, however it ended.
func (a *api) finish(ctx context.Context, sc *scope, rec *recorder, start time.Time) {
	panicked := recover()
	begun := rec.status != 0
	if panicked != nil {
		a.logPanic(ctx, panicked)
		if !begun {
			newProblem(codeInternal, "").write(rec)
		}
	}
	took := a.Now().Sub(start)
	_, route, _ := strings.Cut(sc.r.Pattern, " ")
	if route == "/" {
		route = ""
	}
	if a.Observe != nil {
		a.Observe(ctx, Request{Method: sc.r.Method, Route: route, Source: sc.source, Status: rec.status, Took: took})
	}
	level := slog.LevelInfo
	switch route {
	case "/healthz", "/readyz": // asked for every few seconds
		level = slog.LevelDebug
	}
	a.Logger.LogAttrs(ctx, level, "request", slog.String("request", sc.requestID), slog.String("method", sc.r.Method),
		slog.String("route", route), slog.Int("status", rec.status), slog.Int64("bytes", rec.bytes), slog.Duration("took", took),
		slog.String("source", sc.source), slog.String("key", sc.key.ID))
	if panicked != nil && begun {
		panic(http.ErrAbortHandler) // the client must not take what it has for all of it
	}
}

// logPanic logs a panic with its stack. Of values that are no errors it logs the type only: they may hold a text.
func (a *api) logPanic(ctx context.Context, panicked any) {
	err, ok := panicked.(error)
	if !ok {
		err = fmt.Errorf("a value of type %T", panicked)
	}
	if errors.Is(err, http.ErrAbortHandler) {
		return
	}
	a.Logger.ErrorContext(ctx, "request panicked", "request", scopeOf(ctx).requestID, "error", err, "stack", string(debug.Stack()))
}

// requestID takes over the caller's id when it is harmless.
func requestID(r *http.Request, now time.Time) string {
	id := r.Header.Get("X-Request-Id")
	if id != "" && len(id) <= 64 && !strings.ContainsFunc(id, func(c rune) bool {
		return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' && c != '.'
	}) {
		return id
	}
	return hitl.NewID("req", now)
}

// recorder remembers the status and counts the bytes of an answer.
type recorder struct {
	http.ResponseWriter
	status int
	bytes  int64
}

// WriteHeader writes the first final status and ignores later ones.
func (rec *recorder) WriteHeader(status int) {
	if rec.status != 0 {
		return
	}
	if status >= http.StatusOK {
		rec.status = status
	}
	rec.ResponseWriter.WriteHeader(status)
}

// Write implements io.Writer.
func (rec *recorder) Write(b []byte) (int, error) {
	if rec.status == 0 {
		rec.status = http.StatusOK
	}
	n, err := rec.ResponseWriter.Write(b)
	rec.bytes += int64(n)
	return n, err
}

// Unwrap lets http.ResponseController reach the connection.
func (rec *recorder) Unwrap() http.ResponseWriter { return rec.ResponseWriter }
