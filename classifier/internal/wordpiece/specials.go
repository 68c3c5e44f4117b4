package wordpiece

import (
	"encoding/json"
	"errors"
	"fmt"
)

// processor is a post_processor of tokenizer.json: the special tokens around a text.
type processor struct {
	Type       string       `json:"type"`
	Processors []*processor `json:"processors"` // Sequence
	CLS        pair         `json:"cls"`        // BertProcessing, RobertaProcessing
	SEP        pair         `json:"sep"`
	Single     []struct {   // TemplateProcessing
		Special  *templateItem `json:"SpecialToken"`
		Sequence *templateItem `json:"Sequence"`
	} `json:"single"`
	SpecialTokens map[string]struct {
		IDs []uint32 `json:"ids"`
	} `json:"special_tokens"`
}

type templateItem struct {
	ID     string `json:"id"`
	TypeID int    `json:"type_id"`
}

// pair is a token with its id, written as a two-element array.
type pair struct{ id uint32 }

func (p *pair) UnmarshalJSON(data []byte) error {
	var token string
	both := []any{&token, &p.id}
	if err := json.Unmarshal(data, &both); err != nil {
		return err
	}
	if len(both) != 2 {
		return fmt.Errorf("%d elements where token and id belong", len(both))
	}
	return nil
}

func (t *Tokenizer) parseSpecials(f *file) error {
	if f.PostProcessor == nil {
		return nil
	}
	if err := t.parseProcessor(f.PostProcessor, 0); err != nil {
		return fmt.Errorf("post_processor: %w", err)
	}
	return nil
}

func (t *Tokenizer) parseProcessor(p *processor, depth int) error {
	if p == nil || depth > 1 {
		return errors.New("sequence is nested or empty")
	}
	switch p.Type {
	case "BertProcessing", "RobertaProcessing":
		return t.surround([]uint32{p.CLS.id}, []uint32{p.SEP.id})
	case "TemplateProcessing":
		return t.parseTemplate(p)
	case "Sequence":
		for _, inner := range p.Processors {
			if err := t.parseProcessor(inner, depth+1); err != nil {
				return err
			}
		}
		return nil
	default:
		return fmt.Errorf("type %q is not supported", p.Type)
	}
}

func (t *Tokenizer) parseTemplate(p *processor) error {
	var prefix, suffix []uint32
	texts := 0
	for _, item := range p.Single {
		switch {
		case item.Special != nil:
			special, ok := p.SpecialTokens[item.Special.ID]
			if !ok {
				return fmt.Errorf("special token %q is not in special_tokens", item.Special.ID)
			}
			if item.Special.TypeID != 0 {
				return errors.New("a single text has token types other than 0")
			}
			if texts == 0 {
				prefix = append(prefix, special.IDs...)
			} else {
				suffix = append(suffix, special.IDs...)
			}
		case item.Sequence != nil && item.Sequence.ID == "A" && item.Sequence.TypeID == 0:
			texts++
		default:
			return errors.New("the template for a single text is not special tokens around $A of type 0")
		}
	}
	if texts != 1 {
		return fmt.Errorf("the template for a single text holds it %d times", texts)
	}
	return t.surround(prefix, suffix)
}

// surround sets the special tokens, once.
func (t *Tokenizer) surround(prefix, suffix []uint32) error {
	if t.Specials() > 0 {
		return errors.New("two processors add special tokens")
	}
	t.prefix, t.suffix = prefix, suffix
	return nil
}
