package starter_test

import (
	"encoding/hex"
	"encoding/json"
	"io/fs"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hitl/classifier/starter"
)

// maxBytes bounds what the model adds to every binary and every clone.
const maxBytes = 4 << 20

func TestFolder(t *testing.T) {
	t.Parallel()
	entries, err := fs.ReadDir(starter.FS(), ".")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	var size int64
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, entry.Name())
		size += info.Size()
	}
	want := []string{"config.json", "model.onnx", "special_tokens_map.json", "tokenizer.json", "tokenizer_config.json"}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	if size > maxBytes {
		t.Errorf("the folder has %d bytes, at most %d are allowed", size, maxBytes)
	}
}

func TestConfig(t *testing.T) {
	t.Parallel()
	var config struct {
		ID2Label     map[string]string `json:"id2label"`
		Label2ID     map[string]int    `json:"label2id"`
		MaxPositions int               `json:"max_position_embeddings"`
		VocabSize    int               `json:"vocab_size"`
	}
	readJSON(t, "config.json", &config)
	if diff := cmp.Diff(map[string]string{"0": "NEGATIVE", "1": "POSITIVE"}, config.ID2Label); diff != "" {
		t.Errorf("id2label (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]int{"NEGATIVE": 0, "POSITIVE": 1}, config.Label2ID); diff != "" {
		t.Errorf("label2id (-want +got):\n%s", diff)
	}
	if config.MaxPositions != 128 {
		t.Errorf("max_position_embeddings is %d, want 128", config.MaxPositions)
	}
	if vocabulary := readTokenizer(t).Model.Vocab; len(vocabulary) != config.VocabSize {
		t.Errorf("the vocabulary has %d pieces, vocab_size says %d", len(vocabulary), config.VocabSize)
	}
}

func TestTokenizerFile(t *testing.T) {
	t.Parallel()
	tokenizer := readTokenizer(t)
	// Without model.type, the Go tokenizer turns every word of several pieces into [UNK], and says nothing.
	if tokenizer.Model.Type != "WordPiece" || tokenizer.Normalizer.Type != "BertNormalizer" || tokenizer.PreTokenizer.Type != "BertPreTokenizer" {
		t.Errorf("kinds are %q, %q, %q", tokenizer.Model.Type, tokenizer.Normalizer.Type, tokenizer.PreTokenizer.Type)
	}
	// The graph takes id 0 for padding.
	for id, piece := range []string{"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"} {
		if got, ok := tokenizer.Model.Vocab[piece]; !ok || got != id {
			t.Errorf("%s has id %d (there: %t), want %d", piece, got, ok, id)
		}
	}
	seen := make(map[int]bool)
	for piece, id := range tokenizer.Model.Vocab {
		if id < 0 || id >= len(tokenizer.Model.Vocab) || seen[id] {
			t.Errorf("%q has id %d, which is out of range or taken", piece, id)
		}
		seen[id] = true
	}
}

func TestHeldOutHashes(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("held_out.txt")
	if err != nil {
		t.Fatal(err)
	}
	seen := make(map[string]bool)
	for line := range strings.Lines(string(data)) {
		hash := strings.TrimSuffix(line, "\n")
		if raw, err := hex.DecodeString(hash); err != nil || len(raw) != 32 {
			t.Errorf("%q is no SHA-256", hash)
		}
		seen[hash] = true
	}
	if len(seen) != 600 {
		t.Errorf("%d held-out sentences, want 600", len(seen))
	}
}

func TestSamples(t *testing.T) {
	t.Parallel()
	samples := starter.Samples()
	if len(samples) < 60 {
		t.Errorf("%d samples, want 60 or more", len(samples))
	}
	kinds := make(map[string]int)
	texts := make(map[string]bool)
	for _, sample := range samples {
		kinds[sample.Kind]++
		if sample.Text == "" || texts[sample.Text] {
			t.Errorf("text %q is empty or there twice", sample.Text)
		}
		texts[sample.Text] = true
	}
	for _, kind := range []string{"positive", "negative", "mixed", "odd", "long"} {
		if kinds[kind] == 0 {
			t.Errorf("no sample is %s", kind)
		}
		delete(kinds, kind)
	}
	if len(kinds) > 0 {
		t.Errorf("unknown kinds: %v", kinds)
	}
}

type tokenizerFile struct {
	Model struct {
		Type  string         `json:"type"`
		Vocab map[string]int `json:"vocab"`
	} `json:"model"`
	Normalizer struct {
		Type string `json:"type"`
	} `json:"normalizer"`
	PreTokenizer struct {
		Type string `json:"type"`
	} `json:"pre_tokenizer"`
}

func readTokenizer(t *testing.T) tokenizerFile {
	t.Helper()
	var tokenizer tokenizerFile
	readJSON(t, "tokenizer.json", &tokenizer)
	return tokenizer
}

func readJSON(t *testing.T, name string, into any) {
	t.Helper()
	data, err := fs.ReadFile(starter.FS(), name)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, into); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}
