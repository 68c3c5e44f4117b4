package wordpiece

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// recorded is one text of testdata/cases.json and what Hugging Face's tokenizers made of it.
type recorded struct {
	Text    [][2]json.RawMessage `json:"text"` // part, times
	Answers map[string]struct {
		IDs    []uint32          `json:"ids"`    // short answers whole
		Count  int               `json:"count"`  // long ones by length
		Digest string            `json:"digest"` // and digest
		Cut    map[string]string `json:"cut"`    // limit to digest
	} `json:"answers"`
}

func (r recorded) text(t testing.TB) string {
	t.Helper()
	var b strings.Builder
	for _, p := range r.Text {
		var part string
		var times int
		if err := json.Unmarshal(p[0], &part); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(p[1], &times); err != nil {
			t.Fatal(err)
		}
		b.WriteString(strings.Repeat(part, times))
	}
	return b.String()
}

func loadRecorded(t testing.TB) []recorded {
	t.Helper()
	data, err := os.ReadFile("testdata/cases.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []recorded
	if err := json.Unmarshal(data, &cases); err != nil {
		t.Fatal(err)
	}
	return cases
}

func loadTokenizer(t testing.TB, name string) *Tokenizer {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "tokenizer-"+name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	tk, err := Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	return tk
}

func digestIDs(ids []uint32) string {
	parts := make([]string, len(ids))
	for i, id := range ids {
		parts[i] = strconv.FormatUint(uint64(id), 10)
	}
	sum := sha256.Sum256([]byte(strings.Join(parts, ",")))
	return hex.EncodeToString(sum[:8])
}

func TestEncodeEqualsRecordedAnswers(t *testing.T) {
	t.Parallel()
	cases := loadRecorded(t)
	for name := range cases[0].Answers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tk := loadTokenizer(t, name)
			for i, c := range cases {
				text, want := c.text(t), c.Answers[name]
				got, truncated := tk.Encode(text, 0)
				if truncated {
					t.Errorf("text %d: truncated without a limit", i)
				}
				if want.Digest == "" {
					if diff := cmp.Diff(want.IDs, got); diff != "" {
						t.Errorf("text %d %+q (-recorded +got):\n%s", i, text, diff)
					}
				} else if len(got) != want.Count || digestIDs(got) != want.Digest {
					t.Errorf("text %d %.20q…: %d ids with digest %s, recorded %d with %s", i, text, len(got), digestIDs(got), want.Count, want.Digest)
				}
				for limit, digest := range want.Cut {
					n, err := strconv.Atoi(limit)
					if err != nil {
						t.Fatal(err)
					}
					cut, truncated := tk.Encode(text, n)
					if digestIDs(cut) != digest || truncated != (len(got) > n) {
						t.Errorf("text %d %.20q… at limit %d: %v, truncated %v", i, text, n, cut, truncated)
					}
				}
			}
		})
	}
}

// Every character of the planes in use, next to letters and between combining characters.
func TestEveryCharacterEqualsRecordedBlocks(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("testdata/blocks.json")
	if err != nil {
		t.Fatal(err)
	}
	var blocks map[string][]string
	if err := json.Unmarshal(data, &blocks); err != nil {
		t.Fatal(err)
	}
	for name, n := range map[string]normalizer{
		"uncased": {clean: true, ideographs: true, strip: true, lower: true},
		"cased":   {clean: true, ideographs: true},
		"accents": {clean: true, ideographs: true, lower: true},
		"strip":   {strip: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, recorded := range blocks[name] {
				start, want, _ := strings.Cut(recorded, ":")
				first, err := strconv.ParseInt(start, 16, 32)
				if err != nil {
					t.Fatal(err)
				}
				if got := digestBlock(n, rune(first)); got != want {
					t.Errorf("characters from %U: digest %s, recorded %s", first, got, want)
				}
			}
			if len(blocks[name]) < 800 {
				t.Errorf("only %d blocks recorded", len(blocks[name]))
			}
		})
	}
}

func digestBlock(n normalizer, first rune) string {
	h := sha256.New()
	var c composer
	for r := first; r < first+256; r++ {
		if 0xd800 <= r && r <= 0xdfff {
			continue
		}
		c.reset()
		n.all(&c, "a"+string(r)+"b o\u302f"+string(r)+"\u302e\u0345")
		between := ""
		eachWord(c.out, func(word []byte) bool {
			h.Write([]byte(between))
			h.Write(word)
			between = "\x1f"
			return true
		})
		h.Write([]byte{0x1e})
	}
	return hex.EncodeToString(h.Sum(nil)[:4])
}
