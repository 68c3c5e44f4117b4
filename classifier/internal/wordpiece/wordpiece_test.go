package wordpiece

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestInvalidUTF8CountsAsReplacementCharacters(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"uncased", "raw", "bare", "added"} {
		tk := loadTokenizer(t, name)
		for _, text := range []string{"\xff", "great\xc3 \x80\x80", "\xf0\x9f\x91 great \xed\xa0\x80", "[MA\xffSK] [MASK]\xff"} {
			got, _ := tk.Encode(text, 0)
			want, _ := tk.Encode(string([]rune(text)), 0)
			if !slices.Equal(got, want) {
				t.Errorf("%s: %+q: %v, as valid text %v", name, text, got, want)
			}
		}
	}
}

func TestEncodeLimits(t *testing.T) {
	t.Parallel()
	tk := loadTokenizer(t, "uncased")
	whole, _ := tk.Encode("the service was great", 0)
	if len(whole) != 6 {
		t.Fatalf("%v, want 4 words and 2 special tokens", whole)
	}
	for limit, want := range map[int]int{-1: 6, 0: 6, 1: 2, 2: 2, 3: 3, 5: 5, 6: 6, 7: 6} {
		got, truncated := tk.Encode("the service was great", limit)
		if len(got) != want || truncated != (want < 6) {
			t.Errorf("limit %d: %v, truncated %v; want %d tokens", limit, got, truncated, want)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	good, err := os.ReadFile("testdata/tokenizer-uncased.json")
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct{ name, old, new, want string }{
		{"no JSON", "{", "", "read tokenizer"},
		{"no model type", `"type":"WordPiece",`, ``, `model.type is ""`},
		{"other model", `"type":"WordPiece",`, `"type":"BPE",`, `model.type is "BPE"`},
		{"other normaliser", `"type":"BertNormalizer"`, `"type":"NFKC"`, "normalizer.type"},
		{"other pre-tokeniser", `"type":"BertPreTokenizer"`, `"type":"Whitespace"`, "pre_tokenizer.type"},
		{"unknown token missing", `"unk_token":"[UNK]"`, `"unk_token":"<unk>"`, "unk_token"},
		{"no vocabulary", `"vocab":{`, `"vocab":{},"was":{`, "vocab is empty"},
		{"negative id", `"the":`, `"the":-`, "read tokenizer"},
		{"negative word length", `"max_input_chars_per_word":100`, `"max_input_chars_per_word":-1`, "max_input_chars_per_word"},
		{"added id differs", `"id":4,"content":"[MASK]"`, `"id":5,"content":"[MASK]"`, `added token "[MASK]"`},
		{"other processor", `"type":"TemplateProcessing"`, `"type":"ByteLevel"`, "post_processor"},
		{"undeclared special", `"special_tokens":{"[CLS]"`, `"special_tokens":{"<s>"`, "not in special_tokens"},
		{"text twice", `{"SpecialToken":{"id":"[CLS]","type_id":0}},`, `{"Sequence":{"id":"A","type_id":0}},`, "2 times"},
		{"token types", `{"id":"A","type_id":0}`, `{"id":"A","type_id":1}`, "template"},
		{"cut on the left", `"truncation":null`, `"truncation":{"direction":"Left"}`, "Left"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			bad := strings.Replace(string(good), tt.old, tt.new, 1)
			if bad == string(good) {
				t.Fatalf("%q is not in the file", tt.old)
			}
			if _, err := Parse([]byte(bad)); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one with %q", err, tt.want)
			}
		})
	}
}

// The time for hostile texts grows as the text does: sixteenfold here, where a quadratic step makes it 256. What is between
// leaves room for a busy machine.
func TestEncodeIsLinear(t *testing.T) { // not parallel: it measures time
	for name, part := range map[string]string{
		"one word": "a", "unknown": "\u0378", "marks": "\u0301", "classes": "\u302f\u302e", "blanks": " ", "brackets": "[", "nearly special": "[MAS",
		"special": "[SEP]", "stripped": " <one>", "ideographs": "中", "words": "great ", "normalised": "left two word ",
	} {
		t.Run(name, func(t *testing.T) {
			tk := loadTokenizer(t, "added")
			small, large := strings.Repeat(part, 1<<13/len(part)), strings.Repeat(part, 1<<17/len(part))
			best := func(text string) time.Duration {
				least := time.Hour
				for range 3 {
					start := time.Now()
					tk.Encode(text, 0)
					least = min(least, time.Since(start))
				}
				return least
			}
			if a, b := best(small), best(large); b > 80*a+50*time.Millisecond {
				t.Errorf("8 kB take %v, 128 kB %v", a, b)
			}
		})
	}
}

func FuzzEncode(f *testing.F) {
	for _, c := range loadRecorded(f) {
		if text := c.text(f); len(text) < 1000 {
			f.Add(text, uint8(7))
		}
	}
	f.Add("\xff[SEP]\xc3", uint8(0))
	var tokenizers []*Tokenizer
	for _, name := range []string{"uncased", "raw", "bare", "added"} {
		tokenizers = append(tokenizers, loadTokenizer(f, name))
	}
	f.Fuzz(func(t *testing.T, text string, limit uint8) {
		for _, tk := range tokenizers {
			whole, truncated := tk.Encode(text, 0)
			if truncated {
				t.Fatal("truncated without a limit")
			}
			if largest := slices.Max(append(whole, 0)); largest > tk.MaxID() {
				t.Fatalf("id %d, the largest is said to be %d", largest, tk.MaxID())
			}
			room := int(limit) + tk.Specials()
			cut, truncated := tk.Encode(text, room)
			if room == 0 {
				return
			}
			if truncated != (len(whole) > room) {
				t.Fatalf("truncated %v for %d tokens in %d", truncated, len(whole), room)
			}
			want := whole
			if truncated {
				want = slices.Concat(whole[:room-len(tk.suffix)], tk.suffix)
			}
			if !slices.Equal(cut, want) {
				t.Fatalf("at %d: %v, want %v", room, cut, want)
			}
			if valid, _ := tk.Encode(string([]rune(text)), 0); !slices.Equal(valid, whole) {
				t.Fatalf("as valid text %v, want %v", valid, whole)
			}
		}
	})
}

func FuzzParse(f *testing.F) {
	// Small, since the fuzzer shortens what it finds: a recorded file would keep it busy.
	const rest = `"pre_tokenizer":{"type":"BertPreTokenizer"},"model":{"type":"WordPiece","unk_token":"u","vocab":{"u":0,"##":1,"##a":2,"the":3}}}`
	f.Add([]byte(`{"normalizer":{"type":"BertNormalizer","lowercase":true},"post_processor":{"type":"BertProcessing","sep":["b",1],"cls":["c",2]},` + rest))
	f.Add([]byte(`{"post_processor":{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"c","type_id":0}},{"Sequence":{"id":"A","type_id":0}}],` +
		`"special_tokens":{"c":{"ids":[2]}}},` + rest))
	f.Add([]byte(`{"added_tokens":[{"id":9,"content":" ","lstrip":true,"rstrip":true,"normalized":true}],"post_processor":{"type":"Sequence","processors":[null]},` + rest))
	f.Fuzz(func(t *testing.T, data []byte) {
		tk, err := Parse(data)
		if err != nil {
			return
		}
		if ids, _ := tk.Encode("The great [SEP] u\u0301  u ##a \xff 中", 8); len(ids) > max(8, tk.Specials()) {
			t.Fatalf("%d ids at limit 8", len(ids))
		}
	})
}

func BenchmarkEncode(b *testing.B) {
	tk := loadTokenizer(b, "uncased")
	for name, text := range map[string]string{
		"short":     "The service was great, thank you!",
		"english":   strings.Repeat("The quick brown fox was great. ", 30),
		"accents":   strings.Repeat("Crème brûlée à la façon de Zoë. ", 30),
		"100kB":     strings.Repeat("The quick brown fox was great. ", 3300),
		"100kB-cut": strings.Repeat("The quick brown fox was great. ", 3300),
	} {
		b.Run(name, func(b *testing.B) {
			limit := 0
			if strings.HasSuffix(name, "-cut") {
				limit = 512
			}
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				tk.Encode(text, limit)
			}
		})
	}
}
