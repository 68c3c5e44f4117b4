package main

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestNormalText(t *testing.T) {
	t.Parallel()
	for _, same := range [][]string{
		{"Great stuff!", "great  STUFF!!!", " \u200bＧreat\n\tstuff！ ", "great stuff!"},
		{"“Don’t” – he said…", `"don't" - he said...`, `"don't" — HE said.`},
		{"Straße", "STRASSE", "strasse"},
		{"cafe\u0301", "CAFÉ", "café"},
		{"", " \n ", "\u200b"},
	} {
		for _, text := range same {
			if got, want := normalText(text), normalText(same[0]); got != want {
				t.Errorf("%q is %q, want %q", text, got, want)
			}
		}
	}
	for _, other := range [][2]string{
		{"1.50 EUR", "150 EUR"},
		{"-5", "5"},
		{"good", "good?"},
		{"good!", "good?"},
		{"a b", "ab"},
		{"order 11", "order 1"},
		{"100", "1000"},
		{"I can", "I can't"},
		{"😀", "😡"},
	} {
		if normalText(other[0]) == normalText(other[1]) {
			t.Errorf("%q and %q are the same: %q", other[0], other[1], normalText(other[0]))
		}
	}
}

func FuzzNormalText(f *testing.F) {
	for _, s := range []string{
		"Great  STUFF!!!", "ﬁne\u00a0print", "\u1E9E\u0345\u0300", "a\u200d\u0301b", "\xff\xfe", "ᾈ", "İ", "\u0300!\u0300!", "가", "\u0344", strings.Repeat("\u0301", 40),
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		once := normalText(text)
		if twice := normalText(once); twice != once {
			t.Errorf("%q becomes %q becomes %q", text, once, twice)
		}
		if !utf8.ValidString(once) || strings.Contains(once, "  ") || strings.TrimSpace(once) != once {
			t.Errorf("%q becomes %q", text, once)
		}
	})
}
