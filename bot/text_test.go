package bot

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/rivo/uniseg"
	"pgregory.net/rapid"

	"hitl"
)

func TestVisible(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"plain":                              "plain",
		"two\r\nlines":                       "two\nlines",
		"a\rb\vc\fd":                         "a\nb\nc\nd",
		"a\u2028b\u0085":                     "a\nb\n",
		"tab\tstays":                         "tab\tstays",
		"nul\x00bell\a":                      "nul␀bell␇",
		"del\x7fc1\u0090":                    "del␡c1\uFFFD",
		"bad\xff":                            "bad\uFFFD",
		"\u202Eevil\u202C":                   "[RLO]evil[PDF]",
		"\u2066iso\u2069":                    "[LRI]iso[PDI]",
		"zero\u200bwidth":                    "zero\u200bwidth",
		"x\u200b\u200b\u200b\u200by":         "x[4 invisible characters]y",
		"x" + strings.Repeat("\u200d", 1000): "x[1,000 invisible characters]",
		"نیم\u200cفاصله":                     "نیم\u200cفاصله",
		"\U0001F468\u200D\U0001F469\u200D\U0001F467\uFE0F":                       "\U0001F468\u200D\U0001F469\u200D\U0001F467\uFE0F",
		"\U0001F3F4\U000E0067\U000E0062\U000E0065\U000E006E\U000E0067\U000E007F": "\U0001F3F4\U000E0067\U000E0062\U000E0065\U000E006E\U000E0067\U000E007F",
		"a\U000E0067\U000E0062\U000E0065\U000E006E":                              "a[4 invisible characters]",
		"Z" + strings.Repeat("\u0301", 50):                                       "Z" + strings.Repeat("\u0301", maxMarkRun),
		"Z" + strings.Repeat("\u0301", 50) + "a\u0301":                           "Z" + strings.Repeat("\u0301", maxMarkRun) + "a\u0301",
		"":             "[no visible text: 0 characters]",
		" \n ":         "[no visible text: 3 characters]",
		"\u200b":       "[no visible text: 1 character]",
		"\u3164\u3164": "[no visible text: 2 characters]",
		"\ufffe":       "\uFFFD",
		"Привет, 世界, नमस्ते, שלום": "Привет, 世界, नमस्ते, שלום",
	} {
		if got := visible(inEnglish, in); got != want {
			t.Errorf("%+q: %+q, want %+q", in, got, want)
		}
	}
}

// acts says whether a character acts on the display instead of standing there.
func acts(r rune) bool {
	return (unicode.IsControl(r) && r != '\n' && r != '\t') || bidiNames[r] != "" || r == '\u2028' || r == '\u2029'
}

func FuzzVisible(f *testing.F) {
	f.Add(hostile)
	f.Add("\u200b\u200b\u200b\u200b")
	f.Add("\xff\xfe")
	f.Fuzz(func(t *testing.T, s string) {
		v := visible(inEnglish, s)
		if !utf8.ValidString(v) || v == "" {
			t.Fatalf("%+q is not text", v)
		}
		if i := strings.IndexFunc(v, acts); i >= 0 {
			t.Errorf("%+q acts at %d", v, i)
		}
		if !strings.ContainsFunc(v, func(r rune) bool { return !unicode.IsSpace(r) && !invisible(r) }) {
			t.Errorf("%+q shows nothing", v)
		}
		run := 0
		for _, r := range v {
			if run++; !invisible(r) {
				run = 0
			}
			if run > maxFlagTags {
				t.Fatalf("%+q hides something", v)
			}
		}
		if plain := strings.ReplaceAll(s, "\r\n", "\n"); utf8.ValidString(plain) && !strings.ContainsFunc(plain, acts) &&
			!strings.ContainsFunc(plain, func(r rune) bool { return r > 0x7f }) && strings.TrimSpace(plain) != "" && v != plain {
			t.Errorf("ordinary %+q became %+q", plain, v)
		}
	})
}

// texts draws honest and dishonest texts.
func texts() *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		parts := rapid.SliceOf(rapid.OneOf(
			rapid.String(),
			rapid.SampledFrom([]string{"<!channel>", "&lt;", "```", "\n\n", "\u202E", "\u200b\u200b\u200b\u200b", "\U0001F468\u200D\U0001F469", "e\u0301", "שלום", "\U0001F1E9\U0001F1EA"}),
		)).Draw(t, "parts")
		return strings.Join(parts, "")
	})
}

func TestCut(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := visible(inEnglish, texts().Draw(t, "text"))
		limit := rapid.IntRange(2, 60).Draw(t, "limit")
		for name, c := range map[string]cost{"units": units, "escaped": escapedUnits} {
			if limit < 30 && name != "units" {
				continue // one escaped character may be longer than that
			}
			got := cut(s, limit, c)
			if c(got) > limit {
				t.Fatalf("%s: %+q costs %d of %d", name, got, c(got), limit)
			}
			if got == s {
				continue
			}
			body, ok := strings.CutSuffix(got, ellipsis)
			if !ok || !strings.HasPrefix(s, body) || !utf8.ValidString(body) {
				t.Fatalf("%s: %+q is no beginning of %+q", name, got, s)
			}
		}
	})
}

// A cut falls between what a reader sees as characters.
func TestCutKeepsGraphemesWhole(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		clusters := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "é", "e\u0301", "\U0001F1E9\U0001F1EA", "\U0001F468\u200D\U0001F469\u200D\U0001F467", "नि"}), 1, 40).Draw(t, "clusters")
		s := strings.Join(clusters, "")
		limit := rapid.IntRange(12, 60).Draw(t, "limit")
		got := strings.TrimSuffix(cut(s, limit, units), ellipsis)
		whole := ""
		for g := uniseg.NewGraphemes(s); g.Next() && len(whole) < len(got); {
			whole += g.Str()
		}
		if whole != got {
			t.Fatalf("%+q of %+q ends inside a character", got, s)
		}
	})
}

// Nothing that comes from outside can act in mrkdwn or break out of its place, and a card always fits.
func FuzzCard(f *testing.F) {
	f.Add(hostile, "<!channel>", "`x`", "comment")
	f.Add("x", "", "\x00", "<@U0BEN>")
	f.Add("` `` ```", "`", "שלום", "``")
	languages := every(f).all
	f.Fuzz(func(t *testing.T, text, label, name, comment string) {
		rec := newRecord("rev_1", func(r *hitl.Record) {
			r.Item.Text, r.Item.ExternalID, r.Labels = text, name, []string{label, "POSITIVE", name}
			r.Prediction.Label, r.Prediction.Scores = label, nil
			r.Route.Triggers = append(r.Route.Triggers, hitl.RuleTrigger(name), hitl.Trigger(label))
		})
		closed := newRecord("rev_1", func(r *hitl.Record) { *r = rec }, decidedBy(hitl.HumanCorrected, label, func(d *hitl.Decision) { d.Comment, d.Reason = comment, name }))
		var all []message
		for _, l := range languages {
			all = append(all, card(l, screened{Record: rec}), card(l, screened{Record: closed}))
		}
		for _, m := range all {
			if n := units(m.Text); n > 4000 {
				t.Errorf("%d characters of text", n)
			}
			for _, s := range mrkdwnOf(t, m) {
				rest := allowedMarkup.ReplaceAllString(s, "")
				if strings.ContainsAny(rest, "<>") {
					t.Errorf("markup in %q", rest)
				}
				if strings.Count(rest, "`")%2 != 0 {
					t.Errorf("code left open in %q", rest)
				}
				// The isolates are ours: foreign ones are shown by name.
				if strings.ContainsFunc(strings.NewReplacer("\u2068", "", "\u2069", "").Replace(s), acts) {
					t.Errorf("%+q acts", s)
				}
			}
		}
	})
}
