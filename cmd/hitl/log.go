package main

import (
	"fmt"
	"io"
	"log/slog"
	"os"

	"golang.org/x/term"

	"hitl/config"
)

// newLogger writes text where a person looks and JSON where a program does. What is logged on behalf of a span names its trace.
func newLogger(w io.Writer, cfg config.Log) (*slog.Logger, error) {
	opts := &slog.HandlerOptions{Level: cfg.Level}
	switch {
	case cfg.Format == "json", cfg.Format == "auto" && !isTerminal(w):
		opts.ReplaceAttr = durationsInWords
		return slog.New(traceHandler{slog.NewJSONHandler(w, opts)}), nil
	case cfg.Format == "text", cfg.Format == "auto":
		return slog.New(traceHandler{slog.NewTextHandler(w, opts)}), nil
	}
	return nil, usageError{fmt.Errorf("log format %q: use auto, text or json", cfg.Format)}
}

// durationsInWords writes durations with their units, "12ms", where JSON would have bare nanoseconds.
func durationsInWords(_ []string, a slog.Attr) slog.Attr {
	if a.Value.Kind() == slog.KindDuration {
		a.Value = slog.StringValue(a.Value.Duration().String())
	}
	return a
}

func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
