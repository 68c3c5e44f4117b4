package model

import (
	"encoding/json"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// folder returns the files of a model under testdata, to be changed at will.
func folder(t testing.TB, name string) fstest.MapFS {
	t.Helper()
	out := fstest.MapFS{}
	for _, file := range []string{"config.json", "tokenizer.json", "model.onnx"} {
		data, err := os.ReadFile(filepath.Join("..", "..", "testdata", name, file))
		if err != nil {
			t.Fatal(err)
		}
		out[file] = &fstest.MapFile{Data: data}
	}
	return out
}

func open(t testing.TB, files fs.FS) *Model {
	t.Helper()
	m, err := Open(files, "model.onnx")
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestOpen(t *testing.T) {
	t.Parallel()
	m := open(t, folder(t, "bert"))
	if diff := cmp.Diff([]string{"NEGATIVE", "NEUTRAL", "POSITIVE"}, m.Labels); diff != "" {
		t.Error(diff)
	}
	if m.MaxTokens != 64 || m.Network != "model.onnx" || !strings.HasPrefix(m.Version, "sha256:") || len(m.Version) != 71 {
		t.Errorf("%+v", m)
	}
	if roberta := open(t, folder(t, "roberta")); roberta.MaxTokens != 64 {
		t.Errorf("RoBERTa's 66 positions hold %d tokens, want 64", roberta.MaxTokens)
	}
}

func TestVersion(t *testing.T) {
	t.Parallel()
	files := folder(t, "bert")
	version := open(t, files).Version
	same := map[string]func(fstest.MapFS){
		"README":           func(f fstest.MapFS) { f["README.md"] = &fstest.MapFile{Data: []byte("x")} },
		"time":             func(f fstest.MapFS) { f["config.json"].ModTime = time.Unix(1, 0) },
		"network in onnx/": func(f fstest.MapFS) { f["onnx/model.onnx"] = f["model.onnx"]; delete(f, "model.onnx") },
	}
	for name, change := range same {
		changed := folder(t, "bert")
		change(changed)
		if got := open(t, changed).Version; got != version {
			t.Errorf("%s changes the version", name)
		}
	}
	seen := map[string]string{version: "nothing"}
	other := map[string]func(fstest.MapFS){
		"network":          func(f fstest.MapFS) { f["model.onnx"].Data = append(f["model.onnx"].Data, 0) },
		"config":           func(f fstest.MapFS) { f["config.json"].Data = append(f["config.json"].Data, ' ') },
		"tokenizer":        func(f fstest.MapFS) { f["tokenizer.json"].Data = append(f["tokenizer.json"].Data, ' ') },
		"tokenizer config": func(f fstest.MapFS) { f["tokenizer_config.json"] = &fstest.MapFile{Data: []byte(`{}`)} },
		"external data":    func(f fstest.MapFS) { f["model.onnx_data"] = &fstest.MapFile{Data: []byte(`{}`)} },
	}
	for name, change := range other {
		changed := folder(t, "bert")
		change(changed)
		got := open(t, changed).Version
		if was, ok := seen[got]; ok {
			t.Errorf("%s has the version of %s", name, was)
		}
		seen[got] = name
	}
}

func TestOpenExplains(t *testing.T) {
	t.Parallel()
	replace := func(file, old, with string) func(fstest.MapFS) {
		return func(f fstest.MapFS) {
			if !strings.Contains(string(f[file].Data), old) {
				panic(old + " is not in " + file)
			}
			f[file].Data = []byte(strings.Replace(string(f[file].Data), old, with, 1))
		}
	}
	remove := func(file string) func(fstest.MapFS) { return func(f fstest.MapFS) { delete(f, file) } }
	tests := []struct {
		name, model string
		change      func(fstest.MapFS)
		want        string
	}{
		{"no network", "bert", remove("model.onnx"), "no model.onnx and no onnx/model.onnx"},
		{"no config", "bert", remove("config.json"), "no config.json"},
		{"no tokenizer", "bert", remove("tokenizer.json"), "no tokenizer.json"},
		{"config is no JSON", "bert", replace("config.json", "{", "["), "read config.json"},
		{"no labels", "bert", replace("config.json", "id2label", "labels"), "id2label names 0 labels"},
		{"label missing", "bert", replace("config.json", `"1": "NEUTRAL"`, `"7": "NEUTRAL"`), "none for 1"},
		{"label twice", "bert", replace("config.json", `"NEUTRAL"`, `"POSITIVE"`), "twice"},
		{"several labels at once", "bert", replace("config.json", `"id2label"`, `"problem_type": "multi_label_classification", "id2label"`), "problem_type"},
		{"no length", "bert", replace("config.json", "max_position_embeddings", "n_positions"), "how long an input may be"},
		{"too short", "bert", replace("config.json", "64", "2"), "too short"},
		{"ids beyond the network", "bert", replace("config.json", `"id2label"`, `"vocab_size": 100, "id2label"`), "vocab_size of 100"},
		{"no model.type", "bert", replace("tokenizer.json", `"type":"WordPiece",`, ``), "model.type is missing"},
		{"Unigram", "unigram", func(fstest.MapFS) {}, `model.type "Unigram" is not supported`},
		{"BPE of another kind", "roberta", replace("tokenizer.json", `"pre_tokenizer":{"type":"ByteLevel"`, `"pre_tokenizer":{"type":"Metaspace"`), "RoBERTa's form"},
		{"BPE with a normaliser", "roberta", replace("tokenizer.json", `"normalizer":null`, `"normalizer":{"type":"NFC"}`), "RoBERTa's form"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			files := folder(t, tt.model)
			tt.change(files)
			if _, err := Open(files, "model.onnx"); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one with %q", err, tt.want)
			}
		})
	}
}

func TestTokenizerConfig(t *testing.T) {
	t.Parallel()
	for config, want := range map[string]int{
		`{"model_max_length": 20}`: 20, `{"model_max_length": 1000000000000000019884624838656}`: 64, `{"model_max_length": 512}`: 64, `{}`: 64,
	} {
		files := folder(t, "bert")
		files["tokenizer_config.json"] = &fstest.MapFile{Data: []byte(config)}
		if got := open(t, files).MaxTokens; got != want {
			t.Errorf("%s: %d tokens, want %d", config, got, want)
		}
	}
	for config, want := range map[string]string{`{"truncation_side": "left"}`: "truncation_side", `[]`: "tokenizer_config.json"} {
		files := folder(t, "bert")
		files["tokenizer_config.json"] = &fstest.MapFile{Data: []byte(config)}
		if _, err := Open(files, "model.onnx"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", config, err)
		}
	}
}

func TestFiles(t *testing.T) {
	t.Parallel()
	names := []string{".gitattributes", "README.md", "config.json", "onnx/model.onnx", "onnx/model.onnx_data", "onnx/model_quantized.onnx", "pytorch_model.bin", "tokenizer.json", "tokenizer_config.json"}
	got, err := Files(names, "model.onnx")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"config.json", "onnx/model.onnx", "onnx/model.onnx_data", "tokenizer.json", "tokenizer_config.json"}, got); diff != "" {
		t.Error(diff)
	}
	if got, err = Files(names, "model_quantized.onnx"); err != nil || slices.Contains(got, "onnx/model.onnx") || !slices.Contains(got, "onnx/model_quantized.onnx") {
		t.Errorf("%q, %v", got, err)
	}
	for missing, want := range map[string]string{"onnx/model.onnx": "no model.onnx", "config.json": "no config.json", "tokenizer.json": "no tokenizer.json"} {
		less := slices.DeleteFunc(slices.Clone(names), func(n string) bool { return n == missing })
		if got, err := Files(less, "model.onnx"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("without %s: %q, %v", missing, got, err)
		}
	}
}

func TestByteBPEEqualsRecordedAnswers(t *testing.T) {
	t.Parallel()
	tk := open(t, folder(t, "roberta")).Tokenizer
	data, err := os.ReadFile("../../testdata/roberta-ids.json")
	if err != nil {
		t.Fatal(err)
	}
	var recorded []struct {
		Text string   `json:"text"`
		IDs  []uint32 `json:"ids"`
	}
	if err := json.Unmarshal(data, &recorded); err != nil {
		t.Fatal(err)
	}
	for _, r := range recorded {
		got, truncated := tk.Encode(r.Text, 512)
		if diff := cmp.Diff(r.IDs, got); diff != "" || truncated {
			t.Errorf("%q, truncated %v (-recorded +got):\n%s", r.Text, truncated, diff)
		}
		if len(r.IDs) < 6 {
			continue
		}
		want := slices.Concat(r.IDs[:5], r.IDs[len(r.IDs)-1:])
		if got, truncated = tk.Encode(r.Text, 6); len(r.IDs) > 6 && (!slices.Equal(got, want) || !truncated) {
			t.Errorf("%q at 6 tokens: %v, truncated %v; want %v", r.Text, got, truncated, want)
		}
	}
	if tk.Specials() != 2 || tk.Pad() != 1 {
		t.Errorf("%d special tokens, pad %d", tk.Specials(), tk.Pad())
	}
}

// The tokenizer is quadratic in a word; what reaches it is bounded.
func TestByteBPEIsBounded(t *testing.T) {
	t.Parallel()
	tk := open(t, folder(t, "roberta")).Tokenizer
	for _, part := range []string{"a", "great ", "\xff", "日", "👍"} {
		start := time.Now()
		ids, truncated := tk.Encode(strings.Repeat(part, 1<<20/len(part))+" end", 512)
		if took := time.Since(start); len(ids) > 512 || !truncated || took > 5*time.Second {
			t.Errorf("%q: %d ids, truncated %v, in %v", part, len(ids), truncated, took)
		}
	}
	valid, _ := tk.Encode("great \ufffd\ufffd", 512)
	if got, _ := tk.Encode("great \xff\xfe", 512); !slices.Equal(got, valid) {
		t.Errorf("invalid bytes: %v, want %v", got, valid)
	}
}

func FuzzOpen(f *testing.F) {
	// Small, since the fuzzer shortens what it finds: a whole file would keep it busy.
	config := []byte(`{"model_type":"roberta","pad_token_id":1,"max_position_embeddings":66,"vocab_size":300,"id2label":{"0":"A","1":"B"}}`)
	f.Add(config, []byte(`{"pre_tokenizer":{"type":"BertPreTokenizer"},"model":{"type":"WordPiece","unk_token":"u","vocab":{"u":0,"##a":1}}}`))
	f.Add(config, []byte(`{"added_tokens":[{"id":1,"content":"<pad>","special":true}],"pre_tokenizer":{"type":"ByteLevel","add_prefix_space":false},`+
		`"post_processor":{"type":"RobertaProcessing","sep":["</s>",2],"cls":["<s>",0]},"model":{"type":"BPE","vocab":{"<s>":0,"<pad>":1,"</s>":2,"a":3,"b":4,"ab":5},"merges":["a b"]}}`))
	f.Fuzz(func(t *testing.T, config, tokenizer []byte) {
		files := fstest.MapFS{"config.json": {Data: config}, "tokenizer.json": {Data: tokenizer}, "model.onnx": {}}
		before := slices.Sorted(maps.Keys(files))
		m, err := Open(files, "model.onnx")
		if err != nil {
			return
		}
		if ids, _ := m.Tokenizer.Encode("The service was great [SEP] \xff日本", m.MaxTokens); len(ids) > m.MaxTokens {
			t.Errorf("%d ids of %d", len(ids), m.MaxTokens)
		}
		if !slices.Equal(before, slices.Sorted(maps.Keys(files))) {
			t.Error("files have changed")
		}
	})
}
