package slacksim

import (
	"encoding/json"
	"fmt"
	"slices"
)

// chartBlock checks a data_visualization block: the limits are those of Slack's reference of June 2026.
func (n *node) chartBlock() {
	if n.where != onMessage {
		n.fail(n.at, "data_visualization blocks are allowed in messages only")
	}
	n.str("title", true, 50)
	v, ok := n.get("chart", true)
	if !ok {
		return
	}
	c := n.object(v, n.sub("chart"))
	if c == nil {
		return
	}
	switch c.enum("type", true, "pie", "bar", "area", "line") {
	case "pie":
		for i, v := range c.list("segments", true, 1, 12) {
			s := c.object(v, fmt.Sprintf("%s/segments/%d", c.at, i))
			if s == nil {
				continue
			}
			s.str("label", true, 20)
			if f, ok := s.float("value"); ok && f <= 0 {
				s.fail(s.sub("value"), "must be greater than 0")
			}
			s.done()
		}
	case "bar", "area", "line":
		c.series(c.axis())
	default:
		return
	}
	c.done()
}

// axis checks axis_config and returns the categories.
func (n *node) axis() []string {
	v, ok := n.get("axis_config", true)
	if !ok {
		return nil
	}
	a := n.object(v, n.sub("axis_config"))
	if a == nil {
		return nil
	}
	var names []string
	for i, v := range a.list("categories", true, 1, 20) {
		at := fmt.Sprintf("%s/categories/%d", a.at, i)
		s, ok := v.(string)
		switch {
		case !ok:
			a.fail(at, "must provide a string")
		case slices.Contains(names, s):
			a.fail(at, "category already exists: %s", s)
		default:
			a.length(at, s, 1, 20)
		}
		names = append(names, s)
	}
	a.str("x_label", false, 50)
	a.str("y_label", false, 50)
	a.done()
	return names
}

// series checks that names are unique and that every series has every category once.
func (n *node) series(categories []string) {
	names := map[string]bool{}
	for i, v := range n.list("series", true, 1, 12) {
		s := n.object(v, fmt.Sprintf("%s/series/%d", n.at, i))
		if s == nil {
			continue
		}
		name, _ := s.str("name", true, 20)
		if names[name] {
			s.fail(s.sub("name"), "series name already exists: %s", name)
		}
		names[name] = true
		got := map[string]bool{}
		for j, v := range s.list("data", true, 1, 20) {
			p := s.object(v, fmt.Sprintf("%s/data/%d", s.at, j))
			if p == nil {
				continue
			}
			label, _ := p.str("label", true, 20)
			p.float("value")
			switch {
			case !slices.Contains(categories, label):
				p.fail(p.sub("label"), "must match one of the categories")
			case got[label]:
				p.fail(p.sub("label"), "label already exists in this series: %s", label)
			}
			got[label] = true
			p.done()
		}
		if len(got) < len(categories) {
			s.fail(s.sub("data"), "must contain exactly one point for every category")
		}
		s.done()
	}
}

func (n *node) float(name string) (float64, bool) {
	v, ok := n.get(name, true)
	if !ok {
		return 0, false
	}
	num, ok := v.(json.Number)
	if !ok {
		n.fail(n.sub(name), "must provide a number")
		return 0, false
	}
	f, err := num.Float64()
	if err != nil {
		n.fail(n.sub(name), "must provide a number")
	}
	return f, err == nil
}

// table checks a table block: one a message, at most 100 rows of 20 cells.
func (n *node) table() {
	if n.where != onMessage {
		n.fail(n.at, "table blocks are allowed in messages only")
	}
	if n.tables++; n.tables > 1 {
		n.fail(n.at, "only one table is allowed in a message")
	}
	for i, r := range n.list("rows", true, 1, 100) {
		at := fmt.Sprintf("%s/rows/%d", n.at, i)
		row, ok := r.([]any)
		if !ok {
			n.fail(at, "must provide an array")
			continue
		}
		if len(row) > 20 {
			n.fail(at, "no more than 20 items allowed")
		}
		for j, v := range row {
			n.cell(v, fmt.Sprintf("%s/%d", at, j))
		}
	}
	n.list("column_settings", false, 0, 20)
}

func (c *checker) cell(v any, at string) {
	n := c.object(v, at)
	if n == nil {
		return
	}
	switch n.enum("type", true, "raw_text", "raw_number", "rich_text") {
	case "raw_text":
		n.str("text", true, 3000)
	case "raw_number":
		n.float("value")
		n.get("text", false)
	case "rich_text":
		n.get("block_id", false)
		n.richText()
	default:
		return
	}
	n.done()
}

// richText checks the basics of a rich_text block: containers, and the leaves in them.
func (n *node) richText() {
	for i, v := range n.list("elements", true, 1, 1000) {
		e := n.object(v, fmt.Sprintf("%s/elements/%d", n.at, i))
		if e == nil {
			continue
		}
		kind := e.enum("type", true, "rich_text_section", "rich_text_list", "rich_text_preformatted", "rich_text_quote")
		if kind == "rich_text_list" {
			e.enum("style", true, "bullet", "ordered")
			for _, name := range []string{"indent", "offset", "border"} {
				e.whole(name, 0, 100)
			}
			for j, item := range e.list("elements", true, 1, 1000) {
				if s := e.object(item, fmt.Sprintf("%s/elements/%d", e.at, j)); s != nil {
					s.enum("type", true, "rich_text_section")
					s.leaves()
					s.done()
				}
			}
			e.done()
			continue
		}
		if kind != "rich_text_section" {
			e.whole("border", 0, 1)
		}
		e.get("language", false)
		e.leaves()
		e.done()
	}
}

func (n *node) leaves() {
	fields := map[string][]string{
		"text": {"text"}, "link": {"url"}, "emoji": {"name"}, "user": {"user_id"}, "usergroup": {"usergroup_id"},
		"channel": {"channel_id"}, "broadcast": {"range"}, "date": {"format"}, "color": {"value"},
	}
	for i, v := range n.list("elements", true, 0, 1000) {
		l := n.object(v, fmt.Sprintf("%s/elements/%d", n.at, i))
		if l == nil {
			continue
		}
		kind, _ := l.fields["type"].(string)
		need, ok := fields[kind]
		if !ok {
			l.fail(l.sub("type"), "unsupported type: %s", kind)
			continue
		}
		for _, name := range need {
			l.str(name, true, 12_000)
		}
		for _, name := range []string{"style", "text", "unicode", "skin_tone", "unsafe", "timestamp", "url", "fallback"} {
			l.get(name, false)
		}
		l.done()
	}
}
