package audit

import (
	"slices"
	"strings"
	"testing"
	"unicode"

	"hitl/audit/verify"
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

// What a client may ask for is a tile that can be, and each has one name, or one without its height.
func FuzzTilePath(f *testing.F) {
	for _, seed := range []string{"8/0/000", "0/x001/234.p/56", "8/7/000.p/1", "8/data/000", "63/0/000", "8/0/-01", "8/8/0/000", "0/../000"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, path string) {
		tile, ok := parseTile(path)
		if !ok {
			return
		}
		if tile.H != verify.TileHeight || tile.L < 0 || tile.N < 0 || tile.W < 1 || tile.W > verify.TileWidth {
			t.Fatalf("%q is %+v", path, tile)
		}
		if name := tile.Path(); name != "tile/"+path && name != "tile/8/"+path {
			t.Fatalf("%q is another name of %s", path, name)
		}
	})
}
