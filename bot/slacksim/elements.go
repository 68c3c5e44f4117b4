package slacksim

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
)

// Which elements may stand where.
const (
	accessoryElements = "a section's accessory"
	actionElements    = "an actions block"
	inputElements     = "an input block"
)

// allowed says whether an element type may stand in a place.
func allowed(kind, place string) bool {
	switch kind {
	case "static_select", "external_select", "users_select", "radio_buttons", "checkboxes":
		return true
	case "multi_static_select":
		return place != actionElements
	case "button", "overflow":
		return place != inputElements
	case "image":
		return place == accessoryElements
	case "plain_text_input":
		return place == inputElements
	}
	return false
}

// element checks a Block Kit element and returns its action_id.
func (c *checker) element(v any, at, place string) string {
	n := c.object(v, at)
	if n == nil {
		return ""
	}
	kind, ok := n.fields["type"].(string)
	if !ok {
		n.fail(at, "missing required field: type")
		return ""
	}
	known := true
	switch kind {
	case "button", "image", "static_select", "external_select", "users_select", "radio_buttons", "checkboxes",
		"multi_static_select", "plain_text_input", "overflow":
	case "multi_external_select", "multi_users_select", "multi_conversations_select",
		"multi_channels_select", "conversations_select", "channels_select", "datepicker", "timepicker", "datetimepicker",
		"number_input", "email_text_input", "url_text_input", "rich_text_input", "file_input", "workflow_button",
		"feedback_buttons", "icon_button":
		n.fail(n.sub("type"), "element type not simulated: %s", kind)
		return ""
	default:
		known = false
	}
	if !known || !allowed(kind, place) {
		n.fail(n.sub("type"), "unsupported type: %s in %s", kind, place)
		return ""
	}
	if kind == "image" {
		n.image(false)
		n.done()
		return ""
	}
	id, _ := n.str("action_id", false, 255)
	if kind != "overflow" && kind != "button" && n.boolean("focus_on_load") {
		n.focused++
	}
	n.elementFields(kind)
	n.done()
	return id
}

func (n *node) elementFields(kind string) {
	switch kind {
	case "button":
		n.text("text", true, 75, plain)
		n.str("value", false, 2000)
		n.str("url", false, 3000)
		n.enum("style", false, "primary", "danger")
		n.str("accessibility_label", false, 75)
		n.confirm()
	case "plain_text_input":
		n.textInput()
	case "users_select":
		n.text("placeholder", false, 150, plain)
		n.str("initial_user", false, 255)
		n.confirm()
	case "external_select":
		n.text("placeholder", false, 150, plain)
		n.whole("min_query_length", 0, 1<<31-1)
		if v, ok := n.get("initial_option", false); ok {
			n.option(v, n.sub("initial_option"), plain)
		}
		n.confirm()
	case "static_select":
		n.text("placeholder", false, 150, plain)
		n.initial(n.selectOptions(), false)
		n.confirm()
	case "multi_static_select":
		n.text("placeholder", false, 150, plain)
		n.initial(n.selectOptions(), true)
		n.whole("max_selected_items", 1, 100)
		n.confirm()
	case "overflow":
		for i, o := range n.list("options", true, 1, 5) {
			n.option(o, fmt.Sprintf("%s/options/%d", n.at, i), plain)
		}
		n.confirm()
	case "radio_buttons", "checkboxes":
		options := n.list("options", true, 1, 10)
		for i, o := range options {
			n.option(o, fmt.Sprintf("%s/options/%d", n.at, i), plain, mrkdwn)
		}
		n.initial(options, kind == "checkboxes")
		n.confirm()
	}
}

// selectOptions checks options or option_groups, exactly one of which is needed, and returns all options.
func (n *node) selectOptions() []any {
	_, hasOptions := n.get("options", false)
	_, hasGroups := n.get("option_groups", false)
	if hasOptions == hasGroups {
		n.fail(n.at, "must provide exactly one of options and option_groups")
		return nil
	}
	if hasOptions {
		options := n.list("options", true, 1, 100)
		for i, o := range options {
			n.option(o, fmt.Sprintf("%s/options/%d", n.at, i), plain)
		}
		return options
	}
	var all []any
	for i, g := range n.list("option_groups", true, 1, 100) {
		group := n.object(g, fmt.Sprintf("%s/option_groups/%d", n.at, i))
		if group == nil {
			continue
		}
		group.text("label", true, 75, plain)
		options := group.list("options", true, 1, 100)
		for j, o := range options {
			n.option(o, fmt.Sprintf("%s/options/%d", group.at, j), plain)
		}
		group.done()
		all = append(all, options...)
	}
	return all
}

func (n *node) option(v any, at string, kinds ...string) {
	o := n.object(v, at)
	if o == nil {
		return
	}
	o.text("text", true, 75, kinds...)
	o.str("value", true, 150)
	o.text("description", false, 75, plain, mrkdwn)
	if _, ok := o.get("url", false); ok {
		if n.fields["type"] != "overflow" {
			o.fail(at, "url is allowed in overflow menus only")
		}
		o.str("url", false, 3000)
	}
	o.done()
}

// initial checks that what is chosen at first is among the options, exactly as it stands there.
func (n *node) initial(options []any, several bool) {
	among := func(v any, at string) {
		if !slices.ContainsFunc(options, func(o any) bool { return reflect.DeepEqual(o, v) }) {
			n.fail(at, "initial option must match one of the options")
		}
	}
	if several {
		for i, v := range n.list("initial_options", false, 1, len(options)) {
			among(v, fmt.Sprintf("%s/initial_options/%d", n.at, i))
		}
		return
	}
	if v, ok := n.get("initial_option", false); ok {
		among(v, n.sub("initial_option"))
	}
}

func (n *node) textInput() {
	n.text("placeholder", false, 150, plain)
	least := n.whole("min_length", 0, 3000)
	most := n.whole("max_length", 1, 3000)
	if least > 0 && most > 0 && least > most {
		n.fail(n.sub("min_length"), "must not be greater than max_length")
	}
	n.boolean("multiline")
	if v, ok := n.get("initial_value", false); ok {
		s, isText := v.(string)
		if !isText {
			n.fail(n.sub("initial_value"), "must provide a string")
		}
		if most == 0 {
			most = 3000
		}
		n.length(n.sub("initial_value"), s, 0, most)
	}
	if v, ok := n.get("dispatch_action_config", false); ok {
		if d := n.object(v, n.sub("dispatch_action_config")); d != nil {
			for _, e := range d.list("trigger_actions_on", false, 1, 2) {
				if e != "on_enter_pressed" && e != "on_character_entered" {
					d.fail(d.sub("trigger_actions_on"), "must be one of: on_enter_pressed, on_character_entered")
				}
			}
			d.done()
		}
	}
}

// whole checks a whole number and returns it, 0 when absent.
func (n *node) whole(name string, least, most int) int {
	v, ok := n.get(name, false)
	if !ok {
		return 0
	}
	i, err := strconv.Atoi(fmt.Sprint(v))
	if _, isText := v.(string); isText || err != nil {
		n.fail(n.sub(name), "must provide an integer")
		return 0
	}
	if i < least || i > most {
		n.fail(n.sub(name), "must be between %d and %d", least, most)
	}
	return i
}

func (n *node) confirm() {
	v, ok := n.get("confirm", false)
	if !ok {
		return
	}
	c := n.object(v, n.sub("confirm"))
	if c == nil {
		return
	}
	c.text("title", true, 100, plain)
	c.text("text", true, 300, plain, mrkdwn)
	c.text("confirm", true, 30, plain)
	c.text("deny", true, 30, plain)
	c.enum("style", false, "primary", "danger")
	c.done()
}
