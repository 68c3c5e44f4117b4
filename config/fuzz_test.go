package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// No text makes read panic, every error is an *Error with readable places, what is accepted is valid, and a secret from the
// environment never shows.
func FuzzParse(f *testing.F) {
	f.Add(Example())
	f.Add([]byte(minimal))
	files, err := filepath.Glob("testdata/bad/*.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	l := lookup{
		env:  func(string) (string, bool) { return secretWord, true },
		file: func(string) (string, error) { return secretWord, nil },
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := read("f", data, l)
		if err == nil {
			if err := c.Validate(); err != nil {
				t.Errorf("accepted, but not valid: %v", err)
			}
			return
		}
		var e *Error
		if !errors.As(err, &e) || len(e.Problems) == 0 {
			t.Fatalf("error = %#v", err)
		}
		lines := strings.Count(string(data), "\n") + 1
		for _, p := range e.Problems {
			if p.Line > lines || p.Line > 0 && p.Column < 1 {
				t.Errorf("no such place: %+v in %d lines", p, lines)
			}
		}
		if strings.Contains(err.Error(), secretWord) && !strings.Contains(string(data), secretWord) {
			t.Errorf("the error shows a secret: %v", err)
		}
	})
}

func FuzzExpand(f *testing.F) {
	for _, s := range []string{"${A}", "$${A}", "${A:-b}", "${file:x}", "${", "$$$${"} {
		f.Add(s)
	}
	l := lookup{env: func(string) (string, bool) { return "v", true }, file: func(string) (string, error) { return "f", nil }}
	f.Fuzz(func(t *testing.T, s string) {
		out, _, err := l.expand(s)
		if err == nil && !strings.Contains(s, "${") && out != s {
			t.Errorf("expand(%q) = %q", s, out)
		}
		// What $${ protects comes out as it went in.
		if protected := strings.ReplaceAll(strings.ReplaceAll(s, "$", ""), "{", "$${"); protected != "" {
			if out, _, err := l.expand(protected); err != nil || out != strings.ReplaceAll(protected, "$${", "${") {
				t.Errorf("expand(%q) = %q, %v", protected, out, err)
			}
		}
	})
}

func FuzzDuration(f *testing.F) {
	for _, s := range []string{"7d", "2w1d12h", "5m", "0", "-1s", "9999w99999d9999999h", "1d1d"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if d, err := parseDuration(s); err == nil && d < 0 {
			t.Errorf("parseDuration(%q) = %v", s, d)
		}
	})
}
