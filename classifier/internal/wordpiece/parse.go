package wordpiece

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// file is the part of tokenizer.json that matters here.
type file struct {
	Truncation *struct {
		Direction string `json:"direction"`
	} `json:"truncation"`
	Padding *struct {
		PadID uint32 `json:"pad_id"`
	} `json:"padding"`
	AddedTokens []struct {
		ID         uint32 `json:"id"`
		Content    string `json:"content"`
		SingleWord bool   `json:"single_word"`
		Lstrip     bool   `json:"lstrip"`
		Rstrip     bool   `json:"rstrip"`
		Normalized bool   `json:"normalized"`
	} `json:"added_tokens"`
	Normalizer *struct {
		Type         string `json:"type"`
		CleanText    *bool  `json:"clean_text"`
		ChineseChars *bool  `json:"handle_chinese_chars"`
		StripAccents *bool  `json:"strip_accents"`
		Lowercase    *bool  `json:"lowercase"`
	} `json:"normalizer"`
	PreTokenizer *struct {
		Type string `json:"type"`
	} `json:"pre_tokenizer"`
	PostProcessor *processor `json:"post_processor"`
	Model         struct {
		Type         string            `json:"type"`
		UnknownToken *string           `json:"unk_token"`
		Prefix       *string           `json:"continuing_subword_prefix"`
		MaxWordChars *int              `json:"max_input_chars_per_word"`
		Vocab        map[string]uint32 `json:"vocab"`
	} `json:"model"`
}

// Parse reads a tokenizer.json. Anything in it that this package would not treat as Hugging Face does is an error.
func Parse(data []byte) (*Tokenizer, error) {
	var f file
	if err := json.Unmarshal(data, &f); err != nil {
		return nil, fmt.Errorf("read tokenizer: %w", err)
	}
	t := &Tokenizer{}
	for _, step := range []func(*file) error{t.parseModel, t.parseNormalizer, t.parseAdded, t.parseSpecials} {
		if err := step(&f); err != nil {
			return nil, err
		}
	}
	if f.Truncation != nil && f.Truncation.Direction == "Left" {
		return nil, errors.New("truncation.direction Left is not supported: long texts are cut at their end")
	}
	switch pad, ok := f.Model.Vocab["[PAD]"]; {
	case f.Padding != nil:
		t.pad = f.Padding.PadID
	case ok:
		t.pad = pad
	}
	t.maxID = slices.Max(slices.Concat([]uint32{t.pad}, t.prefix, t.suffix, slices.Collect(maps.Values(f.Model.Vocab))))
	for _, a := range f.AddedTokens {
		t.maxID = max(t.maxID, a.ID)
	}
	return t, nil
}

func (t *Tokenizer) parseModel(f *file) error {
	m := &f.Model
	if m.Type != "WordPiece" {
		return fmt.Errorf("model.type is %q, want \"WordPiece\"", m.Type)
	}
	if f.PreTokenizer == nil || f.PreTokenizer.Type != "BertPreTokenizer" {
		return errors.New("pre_tokenizer.type is not BertPreTokenizer, the only one supported with WordPiece")
	}
	if len(m.Vocab) == 0 {
		return errors.New("model.vocab is empty")
	}
	unknown, ok := m.Vocab[or(m.UnknownToken, "[UNK]")]
	if !ok {
		return fmt.Errorf("model.unk_token %q is not in model.vocab", or(m.UnknownToken, "[UNK]"))
	}
	t.unknown = unknown
	if t.maxWordChars = or(m.MaxWordChars, 100); t.maxWordChars < 0 {
		return fmt.Errorf("model.max_input_chars_per_word is %d", t.maxWordChars)
	}
	t.first, t.rest = m.Vocab, make(map[string]uint32, len(m.Vocab)/4)
	prefix := or(m.Prefix, "##")
	for piece, id := range m.Vocab {
		t.firstBytes = max(t.firstBytes, len(piece))
		if cut, ok := strings.CutPrefix(piece, prefix); ok && cut != "" {
			t.rest[cut] = id
			t.restByte = max(t.restByte, len(cut))
		}
	}
	return nil
}

func (t *Tokenizer) parseNormalizer(f *file) error {
	n := f.Normalizer
	if n == nil {
		return nil
	}
	if n.Type != "BertNormalizer" {
		return fmt.Errorf("normalizer.type is %q: with WordPiece only \"BertNormalizer\" or none is supported", n.Type)
	}
	t.norm = normalizer{clean: or(n.CleanText, true), ideographs: or(n.ChineseChars, true), lower: or(n.Lowercase, true)}
	t.norm.strip = or(n.StripAccents, t.norm.lower)
	return nil
}

func (t *Tokenizer) parseAdded(f *file) error {
	for _, a := range f.AddedTokens {
		if a.Content == "" {
			continue
		}
		if id, ok := f.Model.Vocab[a.Content]; ok && id != a.ID {
			return fmt.Errorf("added token %q has id %d, but %d in model.vocab", a.Content, a.ID, id)
		}
		token := added{id: a.ID, singleWord: a.SingleWord, lstrip: a.Lstrip, rstrip: a.Rstrip}
		if !a.Normalized {
			t.raw.add(a.Content, token)
			continue
		}
		var c composer
		if t.norm.all(&c, a.Content); len(c.out) > 0 {
			t.normalized.add(string(c.out), token)
		}
	}
	return nil
}

func or[T any](v *T, otherwise T) T {
	if v == nil {
		return otherwise
	}
	return *v
}
