package slacksim

import (
	"encoding/json"
	"fmt"
)

// Element is an interactive element as tests see it: a button, a select, an input.
type Element struct {
	BlockID  string `json:"block_id"`
	ActionID string `json:"action_id"`
	Type     string `json:"type"`
	// Text is a button's label, or the label of an input's block.
	Text  string `json:"text,omitempty"`
	Value string `json:"value,omitempty"`
	Style string `json:"style,omitempty"`
	URL   string `json:"url,omitempty"`
	// Options of selects, radio buttons, checkboxes and overflow menus, groups flattened.
	Options []Option `json:"options,omitempty"`
	// Optional is true for inputs that may stay empty.
	Optional bool `json:"optional,omitempty"`

	fields map[string]any
	block  map[string]any
}

// Option is one choice of a select.
type Option struct {
	Text  string `json:"text"`
	Value string `json:"value"`
	// Group is the label of the option group it stands in.
	Group string `json:"group,omitempty"`

	raw any
}

// fillIDs gives every block and every element an id where it has none, as Slack does, and encodes the result.
func (s *Sim) fillIDs(list []any) json.RawMessage {
	for _, v := range list {
		block, _ := v.(map[string]any)
		if id, _ := block["block_id"].(string); id == "" {
			block["block_id"] = s.token()[:5]
		}
		for _, e := range blockElements(block) {
			if id, _ := e["action_id"].(string); id == "" && e["type"] != "image" {
				e["action_id"] = s.token()[:5]
			}
		}
	}
	raw, err := json.Marshal(list)
	if err != nil {
		panic("slacksim: decoded blocks do not encode: " + err.Error())
	}
	return raw
}

// blockElements lists the elements that stand directly in a block.
func blockElements(block map[string]any) []map[string]any {
	var out []map[string]any
	add := func(v any) {
		if e, ok := v.(map[string]any); ok {
			out = append(out, e)
		}
	}
	switch block["type"] {
	case "actions":
		list, _ := block["elements"].([]any)
		for _, e := range list {
			add(e)
		}
	case "section":
		add(block["accessory"])
	case "input":
		add(block["element"])
	}
	return out
}

// elements lists the interactive elements of blocks that passed the check.
func elements(list []any) []Element {
	var out []Element
	for _, v := range list {
		block, _ := v.(map[string]any)
		for _, f := range blockElements(block) {
			if f["type"] == "image" {
				continue
			}
			e := Element{fields: f, block: block}
			e.BlockID, _ = block["block_id"].(string)
			e.ActionID, _ = f["action_id"].(string)
			e.Type, _ = f["type"].(string)
			e.Value, _ = f["value"].(string)
			e.Style, _ = f["style"].(string)
			e.URL, _ = f["url"].(string)
			e.Optional, _ = block["optional"].(bool)
			e.Text = textOf(f["text"])
			if block["type"] == "input" {
				e.Text = textOf(block["label"])
			}
			e.Options = options(f, "")
			groups, _ := f["option_groups"].([]any)
			for _, g := range groups {
				group, _ := g.(map[string]any)
				e.Options = append(e.Options, options(group, textOf(group["label"]))...)
			}
			out = append(out, e)
		}
	}
	return out
}

func options(fields map[string]any, group string) []Option {
	list, _ := fields["options"].([]any)
	var out []Option
	for _, v := range list {
		f, _ := v.(map[string]any)
		o := Option{Text: textOf(f["text"]), Group: group, raw: v}
		o.Value, _ = f["value"].(string)
		out = append(out, o)
	}
	return out
}

func textOf(v any) string {
	f, _ := v.(map[string]any)
	s, _ := f["text"].(string)
	return s
}

// Input is what a person enters into an element; which field counts follows from the element's type.
type Input struct {
	// Text is for plain_text_input.
	Text string `json:"text,omitempty"`
	// Option is the value of the option chosen in a select, radio buttons or an overflow menu.
	Option string `json:"option,omitempty"`
	// Options are the values of the ticked checkboxes, or those chosen in a multi-select.
	Options []string `json:"options,omitempty"`
	// User is the user id chosen in a users_select.
	User string `json:"user,omitempty"`
}

// state turns an input into the element's state as Slack sends it. suggested are the options that an external select
// has shown last.
func (e Element) state(in Input, suggested []Option, users map[string]*User) (map[string]any, error) {
	out := map[string]any{"type": e.Type}
	pick := func(value string) (any, error) {
		from := e.Options
		if e.Type == "external_select" {
			from = suggested
		}
		for _, o := range from {
			if o.Value == value {
				return o.raw, nil
			}
		}
		return nil, fmt.Errorf("%s %s shows no option with value %q", e.Type, e.ActionID, value)
	}
	switch e.Type {
	case "plain_text_input":
		out["value"] = nil
		if in.Text != "" {
			out["value"] = in.Text
		}
	case "static_select", "external_select", "radio_buttons", "overflow":
		out["selected_option"] = nil
		if in.Option != "" {
			o, err := pick(in.Option)
			if err != nil {
				return nil, err
			}
			out["selected_option"] = o
		}
	case "checkboxes", "multi_static_select":
		if most := limit(e, "max_selected_items", len(e.Options)); len(in.Options) > most {
			return nil, fmt.Errorf("%s %s takes at most %d options", e.Type, e.ActionID, most)
		}
		chosen := []any{}
		for _, value := range in.Options {
			o, err := pick(value)
			if err != nil {
				return nil, err
			}
			chosen = append(chosen, o)
		}
		out["selected_options"] = chosen
	case "users_select":
		out["selected_user"] = nil
		if in.User != "" {
			if u, ok := users[in.User]; !ok || u.Deactivated {
				return nil, fmt.Errorf("users_select %s offers no user %q", e.ActionID, in.User)
			}
			out["selected_user"] = in.User
		}
	}
	return out, nil
}

// initialState is the element's state before anybody touched it.
func (e Element) initialState() map[string]any {
	out := map[string]any{"type": e.Type}
	switch e.Type {
	case "plain_text_input":
		out["value"] = e.fields["initial_value"]
	case "static_select", "external_select", "radio_buttons":
		out["selected_option"] = e.fields["initial_option"]
	case "checkboxes", "multi_static_select":
		out["selected_options"] = []any{}
		if v := e.fields["initial_options"]; v != nil {
			out["selected_options"] = v
		}
	case "users_select":
		out["selected_user"] = e.fields["initial_user"]
	}
	return out
}

// stateful says whether the element's state is part of view.state.values.
func (e Element) stateful() bool { return e.Type != "button" && e.Type != "overflow" }

// empty says whether a state holds no answer.
func empty(state map[string]any) bool {
	for _, name := range []string{"value", "selected_option", "selected_user"} {
		if v, ok := state[name]; ok {
			return v == nil || v == ""
		}
	}
	chosen, _ := state["selected_options"].([]any)
	return len(chosen) == 0
}
