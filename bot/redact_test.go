package bot

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"hitl"
)

func mustRedactor(t testing.TB, patterns map[string]string, kinds ...string) *redactor {
	t.Helper()
	r, err := newRedactor(kinds, patterns)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func everything(t testing.TB) *redactor {
	return mustRedactor(t, nil, "email", "phone", "card", "iban")
}

// In the wanted texts ▇ stands for the mask.
func TestRedact(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ kind, text, want string }{
		{"email", "write to ana@example.com.", "write to ▇."},
		{"email", "<ana.ruiz+tag@mail.example.co.uk>", "<▇>"},
		{"email", "o'neil_x-y%z@a-b.example, bob@x.io", "▇, ▇"},
		{"email", `"ana ruiz"@example.com`, "▇"},
		{"email", "josé@exámple.es, josé@exámple.es, почта@пример.рф, 用户@例子.公司", "▇, ▇, ▇, ▇"},
		{"email", "用户＠例子。公司", "▇"},
		{"email", "a@xn--e1afmkfd.xn--p1ai", "▇"},
		{"email", "https://x.example/u?mail=ana%40example.com&x=1", "https://x.example/u?▇&x=1"},
		{"email", "a\u200bna\u2060@exa\u00admple\ufeff.com", "▇"},
		{"email", "ａｎａ＠ｅｘａｍｐｌｅ．ｃｏｍ", "▇"},
		{"email", "𝐚𝐧𝐚@𝓮𝔁𝓪𝓶𝓹𝓵𝓮.𝕔𝕠𝕞", "▇"},
		{"email", "a̶n̶a̶@̶e̶x̶a̶m̶p̶l̶e̶.̶c̶o̶m̶", "▇"},
		{"email", "ana@\u202eexample.com", "▇"},
		{"email", "ana@\nexample.com ana\n@example.com ana@exam\r\nple.com ana@example.\ncom", "▇ ▇ ▇ ▇"},
		{"email", "ana@example.com\nthanks", "▇\nthanks"},
		{"email", "ana@ \r\n  example.com", "▇"},
		{"email", "ana@@example.com", "ana@@example.com"},
		{"email", "@channel me @here x@1.2.3 a@b lib@next @example.com 5 @ 3.50", "@channel me @here x@1.2.3 a@b lib@next @example.com 5 @ 3.50"},

		{"card", "4111 1111 1111 1111", "▇"},
		{"card", "card:4111-1111-1111-1111, exp 12/27", "card:▇, exp 12/27"},
		{"card", "4111111111111111 378282246310005 3782 822463 10005 30569309025904 6304000000000000", "▇ ▇ ▇ ▇ ▇"},
		{"card", "4222222222222", "▇"},
		{"card", "4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1", "▇"},
		{"card", "4111\u200b1111\u200b1111\u200b1111", "▇"},
		{"card", "４１１１ １１１１　１１１１ １１１１", "▇"},
		{"card", "٤١١١ ١١١١ ١١١١ ١١١١", "▇"},
		{"card", "4111–1111—1111\u22121111", "▇"},
		{"card", "4111 1111 1111\n1111, 4111/1111.1111_1111", "▇, ▇"},
		{"card", "4111      1111\n\n\n\n  1111 \u200b \u200b 1111  ", "▇  "},
		{"card", "4111\u00a01111\u20091111\t1111", "▇"},
		{"card", "4️⃣1️⃣1️⃣1️⃣1️⃣1️⃣1️⃣1️⃣1️⃣1️⃣1️⃣1️⃣1️⃣1️⃣1️⃣1️⃣", "▇"},
		{"card", "no. 7 4111 1111 1111 1111 0428", "no. 7 ▇ 0428"},
		{"card", "4111 1111 1111 1112, 411111111111, 2026-11-25 09:30", "4111 1111 1111 1112, 411111111111, 2026-11-25 09:30"},
		{"card", "94111111111111111111", "94111111111111111111"},

		{"iban", "DE89 3704 0044 0532 0130 00", "▇"},
		{"iban", "IBAN DE 89 3704 0044 0532 0130 00", "IBAN ▇"},
		{"iban", "IBAN:DE89370400440532013000.", "IBAN:▇."},
		{"iban", "gb82 west 1234 5698 7654 32, NL91ABNA0417164300 MT84MALT011000012345MTLCAST001S", "▇, ▇ ▇"},
		{"iban", "FR14 2004 1010 0505 0001 3M02 606; NO93-8601-1117-947", "▇; ▇"},
		{"iban", "DE89\u200b 3704\u200b 0044 0532\n0130 00", "▇"},
		{"iban", "ＤＥ８９３７０４００４４０５３２０１３０００", "▇"},
		{"iban", "DE88 3704 0044 0532 0130 00, XX89 3704 0044 0532 0130 00, DE89 3704", "DE88 3704 0044 0532 0130 00, XX89 3704 0044 0532 0130 00, DE89 3704"},

		{"phone", "+49 30 901820, +49 (0)30/901820, (+49) 30 901820, +1 (415) 555-2671, +4930901820", "▇, ▇, ▇, ▇, ▇"},
		{"phone", "0049 30 901820 or 004930901820", "▇ or ▇"},
		{"phone", "030 901820, (030) 901820, 030/90 18 20, 0171-1234567, 01711234567", "▇, ▇, ▇, ▇, ▇"},
		{"phone", "06.12.34.56.78, 06-12-34-56-78, 01 42 68 53 00, 020 7946 0958, (02) 9876 5432, 07911 123456", "▇, ▇, ▇, ▇, ▇, ▇"},
		{"phone", "415-555-2671, (415) 555-2671, 415.555.2671, 1-415-555-2671, 415 555 2671", "▇, ▇, ▇, ▇, ▇"},
		{"phone", "Tel.: 5552671, call me at 4155552671, WhatsApp 98765 43210", "Tel.: ▇, call me at ▇, WhatsApp ▇"},
		{"phone", "+4\u200b9 3\u200b0 9018２０", "▇"},
		{"phone", "+49 30\n901820, +49   (0) 30 \t 901820", "▇, ▇"},
		{"phone", "order 4711, order 12345678, #0301234567, A0171123456, ORD-030-1234567", "order 4711, order 12345678, #0301234567, A0171123456, ORD-030-1234567"},
		{"phone", "01.05.2024 2024-05-01 01/05/2024 12:30:45 09.30 call 2024-05-01", "01.05.2024 2024-05-01 01/05/2024 12:30:45 09.30 call 2024-05-01"},
		{"phone", "EUR 1 234 567.89, 10.0.0.1, v1.22.333, 3.14159265, 1,234,567, 978-3-16-148410-0", "EUR 1 234 567.89, 10.0.0.1, v1.22.333, 3.14159265, 1,234,567, 978-3-16-148410-0"},
		{"phone", "sha 0123456789abcdef, 123e4567-e89b-12d3-a456-426614174000", "sha 0123456789abcdef, 123e4567-e89b-12d3-a456-426614174000"},
		{"phone", "00123456, 04103 Leipzig, 2+2, +1", "00123456, 04103 Leipzig, 2+2, +1"},
	} {
		want := strings.ReplaceAll(tc.want, "▇", mask)
		r := mustRedactor(t, nil, tc.kind)
		got, n := r.redact(tc.text)
		if got != want || n != strings.Count(tc.want, "▇") {
			t.Errorf("%s: %q becomes %q with %d hidden, want %q", tc.kind, tc.text, got, n, want)
		}
		if again, n := r.redact(got); again != got || n != 0 {
			t.Errorf("%s: %q becomes %q when hidden again", tc.kind, got, again)
		}
	}
}

func TestRedactPatterns(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		pattern, text, want string
		hidden              int
	}{
		{`\bC-\d{6}\b`, "customers C-123456 and Ｃ-12\u200b3456", "customers ▇▇▇ and ▇▇▇", 2},
		{`(?i)secret`, "s̶e̶c̶r̶e̶t SECRET", "▇▇▇ ▇▇▇", 2},
		{`café`, "café cafe\u0301 cafe", "▇▇▇ ▇▇▇ cafe", 2},
		{`नमस्ते`, "नमस्ते!", "▇▇▇!", 1},
		{`.+`, "one\ntwo", "▇▇▇\n▇▇▇", 2},
		{`a`, "aaa b a", "▇▇▇ b ▇▇▇", 2},
		{`▇`, "▇ ▇▇▇▇", "▇ ▇▇▇▇", 0},
		{`▇x`, "▇▇▇▇▇x", "▇▇▇", 1},
		{`^a|▇a`, "aaaab", "▇▇▇b", 1},
		{`^a|▇a`, strings.Repeat("a", 100) + "b", "▇▇▇", 1}, // it never comes to rest
		{`b*`, "abba", "", -1},
		{`(`, "", "", -1},
	} {
		r, err := newRedactor(nil, map[string]string{"mine": tc.pattern})
		if (err != nil) != (tc.hidden < 0) {
			t.Errorf("%q: %v", tc.pattern, err)
		}
		if err != nil {
			if !strings.Contains(err.Error(), `"mine"`) {
				t.Errorf("%q: the error does not name it: %v", tc.pattern, err)
			}
			continue
		}
		got, n := r.redact(tc.text)
		if got != tc.want || n != tc.hidden {
			t.Errorf("%q makes %q of %q with %d hidden, want %q", tc.pattern, got, tc.text, n, tc.want)
		}
		if again, n := r.redact(got); again != got || n != 0 {
			t.Errorf("%q makes %q of %q", tc.pattern, again, got)
		}
	}
}

func TestRedactNothing(t *testing.T) {
	t.Parallel()
	r, err := newRedactor(nil, nil)
	if got, n := r.redact("ana@example.com"); err != nil || n != 0 || got != "ana@example.com" {
		t.Errorf("%q, %d, %v", got, n, err)
	}
	if _, err := newRedactor([]string{"passport"}, nil); err == nil {
		t.Error("an unknown kind is taken")
	}
}

// What kinds find beside each other and over each other.
func TestRedactTogether(t *testing.T) {
	t.Parallel()
	r := everything(t)
	text := "4111111111111111@example.com DE89 3704 0044 0532 0130 00 030 901820 4111 1111 1111 1111 tel 5552671"
	got, n := r.redact(text)
	if strings.ContainsAny(got, "0123456789@") || n == 0 {
		t.Errorf("%q with %d hidden", got, n)
	}
	if again, more := r.redact(got); again != got || more != 0 {
		t.Errorf("%q becomes %q", got, again)
	}
}

// Sixteen times the text takes about sixteen times as long, whatever is in it; what is quadratic takes 256 times as long. One good look of
// several is enough, since the machine may be busy.
func TestRedactIsLinear(t *testing.T) {
	t.Parallel()
	r := everything(t)
	for name, piece := range map[string]string{
		"single digits": "4 1 0 ", "signs": "@@@@@@@@a", "dots": "a@a.a.a.a.", "masks": "▇▇▇▇▇", "accents": "e\u0301\u0302\u0303\u0304",
		"letters": "DE89DE89de89", "plus": "+++((( 030 ", "quotes": `"@"@"`, "names": "tel tel 7 ",
	} {
		took := func(size int) time.Duration {
			text := strings.Repeat(piece, size/len(piece))
			start := time.Now()
			r.redact(text)
			return time.Since(start)
		}
		var small, large time.Duration
		ok := false
		for range 5 {
			if small, large = took(16<<10), took(256<<10); large < 100*small {
				ok = true
				break
			}
		}
		if !ok {
			t.Errorf("%s: %v for 16 KiB, %v for 256 KiB", name, small, large)
		}
	}
}

// A finding that straddles the end of the preview leaks neither half.
func TestRedactedPreview(t *testing.T) {
	t.Parallel()
	r := everything(t)
	for _, secret := range []string{"ana.ruiz@example.com", "4111 1111 1111 1111", "DE89 3704 0044 0532 0130 00", "+49 30 901820"} {
		for _, limit := range []int{cardTextUnits, previewBytes} {
			for before := limit - len(secret) - 4; before <= limit+1; before++ {
				text := strings.Repeat("x", before-1) + " " + secret + " and more " + strings.Repeat("y ", 500)
				hidden, _ := r.redact(text)
				shown, _ := preview(inEnglish, hidden)
				for n := 4; n <= len(secret); n++ {
					if strings.Contains(shown, secret[:n]) {
						t.Fatalf("%q at %d: the card shows %q", secret, before, secret[:n])
					}
				}
			}
		}
	}
}

// Whatever stands around personal data, on a card there is no piece of it.
func FuzzPlanted(f *testing.F) {
	f.Add("", "", uint16(0), uint8(0))
	f.Add("1 2 030 ", " 0127 12", uint16(cardTextUnits-12), uint8(1))
	f.Add("+1 DE89 \"@", "\"@@x.com", uint16(previewBytes-9), uint8(2))
	f.Add("4111 1111 ", "-1111", uint16(20), uint8(3))
	f.Fuzz(func(t *testing.T, before, after string, pad uint16, which uint8) {
		secret := planted[int(which)%len(planted)]
		piece := secret[:max(6, len(secret)/2)]
		if strings.Contains(before+after, piece) {
			return
		}
		s := hidden(newRecord("rev_1", func(r *hitl.Record) {
			r.Item.Text = strings.ToValidUTF8(before, "") + strings.Repeat("x", int(pad)%(previewBytes+64)) + " " + secret + " " + strings.ToValidUTF8(after, "")
		}))
		all := card(inEnglish, s).Text + mustJSON(t, card(inEnglish, s).Blocks) + mustJSON(t, detailsModal(inEnglish, details{screened: s})) + mustJSON(t, correctModal(inEnglish, s, form{}, viewData{}))
		if s.hidden == 0 || strings.Contains(all, piece) {
			t.Errorf("%q after %d x, then %q: %q is shown", before, pad, after, piece)
		}
	})
}

func mustJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func FuzzRedact(f *testing.F) {
	for _, s := range []string{
		"ana@example.com", "4111 1111 1111 1111 030 901820", "DE89 3704 0044 0532 0130 00 1", "+49 (0)30/90\u200b1820", "▇▇▇@example.com", "a@b.cc@d.ee",
		"４１１１1111１１１１1111", "e\u0301@\u0301x.com", "1-415-555-2671-1", "\"@\"@a.bc", "%40%40a.bc", "call 555\n2671 at 00",
	} {
		f.Add(s, `\d+x`)
	}
	f.Fuzz(func(t *testing.T, text, pattern string) {
		text = strings.ToValidUTF8(text, "")
		r, err := newRedactor([]string{"email", "phone", "card", "iban"}, map[string]string{"mine": pattern})
		if err != nil {
			r = everything(t)
		}
		out, n := r.redact(text)
		if !utf8.ValidString(out) {
			t.Errorf("%q becomes %q, which is no UTF-8", text, out)
		}
		if len(out) > len(text)+n*len(mask) || n < 0 || (n == 0) != (out == text) && n == 0 {
			t.Errorf("%q becomes %q with %d hidden", text, out, n)
		}
		if found := r.find(out); len(found) > 0 {
			t.Errorf("%q becomes %q, in which there is still %v", text, out, found)
		}
		if shown, _ := preview(inEnglish, out); !utf8.ValidString(shown) {
			t.Errorf("preview of %q is no UTF-8", out)
		}
	})
}
