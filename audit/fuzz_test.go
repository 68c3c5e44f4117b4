package audit

import (
	"slices"
	"strings"
	"testing"
	"unicode"
)

func FuzzDefuse(f *testing.F) {
	for _, seed := range []string{"", "=1+1", " \t-2", "'=1", "plain", "\ufeff@x", "\r", "\xff=", "\uff1d1", "\u200b+"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := defuse(s)
		if got != s && got != "'"+s {
			t.Fatalf("%q became %q", s, got)
		}
		seen := strings.TrimLeftFunc(got, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) || unicode.Is(unicode.Cf, r) })
		if seen != "" && strings.ContainsAny(seen[:1], "=+-@") || got != "" && strings.ContainsAny(got[:1], "\t\r") {
			t.Fatalf("%q would be run", got)
		}
		if defuse(got) != got {
			t.Fatalf("%q is defused twice", got)
		}
	})
}

func FuzzModelKey(f *testing.F) {
	f.Add("NEGATIVE", "POSITIVE", "")
	f.Add("1:a", "0:", "\x00")
	f.Fuzz(func(t *testing.T, a, b, c string) {
		for _, labels := range [][]string{{}, {a}, {a, b}, {a, b, c}} {
			if got := newModelKey("v", "c", labels).list(); !slices.Equal(got, labels) {
				t.Fatalf("%q became %q", labels, got)
			}
		}
		if newModelKey("", "", []string{a, b}) == newModelKey("", "", []string{a + b}) {
			t.Fatal("two lists share a key")
		}
	})
}
