package model

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"github.com/gomlx/go-huggingface/tokenizers/api"
	"github.com/gomlx/go-huggingface/tokenizers/hftokenizer"
)

// What of a text the byte-level BPE tokenizer is given, which takes time quadratic in a word's length and knows no limit.
const (
	runesPerToken = 12  // characters for each token that the model reads; English has four to five
	bytesPerRun   = 256 // of characters without whitespace between them, and of whitespace
)

// byteBPE is the tokenizer of RoBERTa and its kin, as hugot has it, with bounded texts and token-exact truncation.
//
// A text or a word beyond the bounds is cut there first, and counts as truncated even where its tokens are fewer than the
// model could read; the token at the cut may then differ from the whole text's.
type byteBPE struct {
	mu             sync.Mutex // the tokenizer does not promise to be safe for concurrent use
	tokenizer      *hftokenizer.Tokenizer
	prefix, suffix []uint32
	pad, maxID     uint32
}

func parseByteBPE(data []byte) (Tokenizer, error) {
	var f struct {
		Normalizer   json.RawMessage `json:"normalizer"`
		PreTokenizer struct {
			Type     string `json:"type"`
			UseRegex *bool  `json:"use_regex"`
		} `json:"pre_tokenizer"`
		PostProcessor struct {
			Type string `json:"type"`
		} `json:"post_processor"`
		Truncation *struct {
			Direction string `json:"direction"`
		} `json:"truncation"`
		Padding *struct {
			PadID uint32 `json:"pad_id"`
		} `json:"padding"`
		AddedTokens []struct {
			ID      uint32 `json:"id"`
			Content string `json:"content"`
		} `json:"added_tokens"`
		Model struct {
			ByteFallback bool              `json:"byte_fallback"`
			Vocab        map[string]uint32 `json:"vocab"`
		} `json:"model"`
	}
	if err := json.Unmarshal(data, &f); err != nil {
		return nil, fmt.Errorf("read: %w", err)
	}
	regex := f.PreTokenizer.UseRegex == nil || *f.PreTokenizer.UseRegex
	if f.PreTokenizer.Type != "ByteLevel" || !regex || f.Model.ByteFallback || (len(f.Normalizer) > 0 && string(f.Normalizer) != "null") {
		return nil, errors.New("a BPE tokenizer is supported only in RoBERTa's form: pre_tokenizer ByteLevel and no normalizer")
	}
	switch f.PostProcessor.Type {
	case "RobertaProcessing", "TemplateProcessing":
	default:
		return nil, fmt.Errorf("post_processor.type %q is not supported with BPE", f.PostProcessor.Type)
	}
	if f.Truncation != nil && f.Truncation.Direction == "Left" {
		return nil, errors.New("truncation.direction Left is not supported: long texts are cut at their end")
	}
	t := &byteBPE{}
	for _, id := range f.Model.Vocab {
		t.maxID = max(t.maxID, id)
	}
	for _, a := range f.AddedTokens {
		t.maxID = max(t.maxID, a.ID)
		if a.Content == "<pad>" || a.Content == "[PAD]" {
			t.pad = a.ID
		}
	}
	if f.Padding != nil {
		t.pad = f.Padding.PadID
	}
	var err error
	if t.tokenizer, err = hftokenizer.NewFromContent(nil, data); err != nil {
		return nil, fmt.Errorf("read: %w", err)
	}
	return t, t.learnSpecials()
}

// learnSpecials finds the special tokens around a text by encoding one letter with and without them.
func (t *byteBPE) learnSpecials() error {
	with := t.encode("a", true)
	without := t.encode("a", false)
	for at := 0; at+len(without) <= len(with); at++ {
		if len(without) > 0 && slices.Equal(with[at:at+len(without)], without) {
			t.prefix, t.suffix = with[:at:at], with[at+len(without):]
			return nil
		}
	}
	return errors.New("special tokens are not before and after the text")
}

func (t *byteBPE) encode(text string, specials bool) []uint32 {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.tokenizer.With(api.EncodeOptions{AddSpecialTokens: specials}); err != nil {
		return nil
	}
	ids := t.tokenizer.Encode(text)
	out := make([]uint32, len(ids))
	for i, id := range ids {
		out[i] = uint32(id)
	}
	return out
}

// bounded returns what of text the tokenizer is given, as valid UTF-8, and whether that is less than all.
func bounded(text string, runes int) (string, bool) {
	var out strings.Builder
	cut, run, space := false, 0, false
	for _, r := range text {
		if runes == 0 {
			return out.String(), true
		}
		if s := unicode.IsSpace(r); s != space {
			run, space = 0, s
		}
		if run += utf8.RuneLen(r); run > bytesPerRun {
			cut = true
			continue
		}
		out.WriteRune(r)
		runes--
	}
	return out.String(), cut
}

func (t *byteBPE) Encode(text string, limit int) ([]uint32, bool) {
	text, truncated := bounded(text, limit*runesPerToken)
	ids := t.encode(text, false)
	if room := max(limit-t.Specials(), 0); len(ids) > room {
		ids, truncated = ids[:room], true
	}
	out := make([]uint32, 0, len(ids)+t.Specials())
	return append(append(append(out, t.prefix...), ids...), t.suffix...), truncated
}

func (t *byteBPE) Specials() int { return len(t.prefix) + len(t.suffix) }

func (t *byteBPE) Pad() uint32 { return t.pad }

func (t *byteBPE) MaxID() uint32 { return t.maxID }
