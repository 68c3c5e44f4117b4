package slacksim

import (
	"fmt"
	"slices"
	"strings"
)

// surface is where blocks are shown; some blocks are allowed on some surfaces only.
type surface int

const (
	onMessage surface = iota
	onModal
	onHome
)

// checker walks blocks and collects problems in the words of Slack's own answers.
type checker struct {
	where    surface
	problems []problem
	blockIDs map[string]bool
	markdown int // characters of all markdown blocks
	tables   int
	inputs   int
	focused  int
}

// checkBlocks validates a list of blocks against Slack's documented limits and returns it decoded. at is the JSON
// pointer of the list.
func checkBlocks(v any, where surface, at string) ([]any, []problem) {
	c := &checker{where: where, blockIDs: map[string]bool{}}
	list := c.blocks(v, at)
	return list, c.problems
}

func (c *checker) blocks(v any, at string) []any {
	list, ok := v.([]any)
	if !ok {
		c.fail(at, "must provide an array")
		return nil
	}
	most := 100
	if c.where == onMessage {
		most = 50
	}
	if len(list) > most {
		c.fail(at, "no more than %d items allowed", most)
	}
	for i, b := range list {
		c.block(b, fmt.Sprintf("%s/%d", at, i))
	}
	if c.focused > 1 {
		c.fail(at, "no more than one element may have focus_on_load")
	}
	return list
}

func (c *checker) fail(at, format string, v ...any) {
	c.problems = append(c.problems, problem{pointer: at, text: fmt.Sprintf(format, v...)})
}

// node is one object under check, with the names of its fields that were looked at.
type node struct {
	*checker
	at     string
	fields map[string]any
	seen   map[string]bool
}

// object makes sure of an object and returns nil after complaining when it is none.
func (c *checker) object(v any, at string) *node {
	fields, ok := v.(map[string]any)
	if !ok {
		c.fail(at, "must provide an object")
		return nil
	}
	return &node{checker: c, at: at, fields: fields, seen: map[string]bool{"type": true}}
}

// done complains of fields that nobody looked at.
func (n *node) done() {
	var extra []string
	for name := range n.fields {
		if !n.seen[name] {
			extra = append(extra, name)
		}
	}
	slices.Sort(extra)
	for _, name := range extra {
		n.fail(n.at, "invalid additional property: %s", name)
	}
}

func (n *node) sub(name string) string {
	return n.at + "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
}

// get returns a field; null counts as absent.
func (n *node) get(name string, required bool) (any, bool) {
	n.seen[name] = true
	v := n.fields[name]
	if v == nil {
		if required {
			n.fail(n.at, "missing required field: %s", name)
		}
		return nil, false
	}
	return v, true
}

// str checks a string of 1 to most characters and returns it; ok is false when it is absent or no string.
func (n *node) str(name string, required bool, most int) (string, bool) {
	v, ok := n.get(name, required)
	if !ok {
		return "", false
	}
	s, ok := v.(string)
	if !ok {
		n.fail(n.sub(name), "must provide a string")
		return "", false
	}
	n.length(n.sub(name), s, 1, most)
	return s, true
}

func (c *checker) length(at, s string, least, most int) {
	switch n := runes(s); {
	case n > most:
		c.fail(at, "must be less than %d characters", most+1)
	case n < least:
		c.fail(at, "must be more than %d characters", least-1)
	}
}

func runes(s string) int { return len([]rune(s)) }

func (n *node) enum(name string, required bool, allowed ...string) string {
	v, ok := n.get(name, required)
	if !ok {
		return ""
	}
	s, ok := v.(string)
	if !ok || !slices.Contains(allowed, s) {
		n.fail(n.sub(name), "must be one of: %s", strings.Join(allowed, ", "))
		return ""
	}
	return s
}

func (n *node) boolean(name string) bool {
	v, ok := n.get(name, false)
	if !ok {
		return false
	}
	b, ok := v.(bool)
	if !ok {
		n.fail(n.sub(name), "must provide a boolean")
	}
	return b
}

// list checks an array of least to most elements.
func (n *node) list(name string, required bool, least, most int) []any {
	v, ok := n.get(name, required)
	if !ok {
		return nil
	}
	l, ok := v.([]any)
	switch {
	case !ok:
		n.fail(n.sub(name), "must provide an array")
	case len(l) > most:
		n.fail(n.sub(name), "no more than %d items allowed", most)
	case len(l) < least:
		n.fail(n.sub(name), "no fewer than %d items allowed", least)
	}
	return l
}

// text checks a text object; kinds are the types it may have.
func (n *node) text(name string, required bool, most int, kinds ...string) {
	if v, ok := n.get(name, required); ok {
		n.textObject(v, n.sub(name), most, kinds...)
	}
}

func (c *checker) textObject(v any, at string, most int, kinds ...string) {
	t := c.object(v, at)
	if t == nil {
		return
	}
	kind := t.enum("type", true, kinds...)
	t.str("text", true, most)
	switch kind {
	case "plain_text":
		t.boolean("emoji")
	case "mrkdwn":
		t.boolean("verbatim")
	default:
		return // the type is wrong already; don't guess about the rest
	}
	t.done()
}

const plain, mrkdwn = "plain_text", "mrkdwn"

// block checks one block.
func (c *checker) block(v any, at string) {
	n := c.object(v, at)
	if n == nil {
		return
	}
	kind, ok := n.fields["type"].(string)
	if !ok {
		n.fail(at, "missing required field: type")
		return
	}
	if id, ok := n.str("block_id", false, 255); ok {
		if c.blockIDs[id] {
			n.fail(n.sub("block_id"), "block_id already exists: %s", id)
		}
		c.blockIDs[id] = true
	}
	switch kind {
	case "section":
		n.section()
	case "divider":
	case "header":
		n.text("text", true, 150, plain)
		n.get("level", false)
	case "context":
		for i, e := range n.list("elements", true, 1, 10) {
			n.contextElement(e, fmt.Sprintf("%s/elements/%d", at, i))
		}
	case "actions":
		n.actions()
	case "input":
		n.input()
	case "image":
		n.image(true)
	case "markdown":
		s, _ := n.str("text", true, 12_000)
		if c.markdown += runes(s); c.markdown > 12_000 && runes(s) <= 12_000 {
			n.fail(n.sub("text"), "all markdown blocks together must be less than 12001 characters")
		}
	case "rich_text":
		n.richText()
	case "table":
		n.table()
	case "data_visualization":
		n.chartBlock()
	case "alert":
		if c.where != onModal {
			n.fail(at, "alert blocks are allowed in modals only")
		}
		n.text("text", true, 200, plain, mrkdwn)
		n.enum("level", false, "default", "info", "warning", "error", "success")
	case "video", "file", "context_actions", "call", "card", "carousel", "container", "data_table", "plan", "task_card":
		n.fail(n.sub("type"), "block type not simulated: %s", kind)
		return
	default:
		n.fail(n.sub("type"), "unsupported type: %s", kind)
		return
	}
	n.done()
}

func (n *node) section() {
	_, hasText := n.fields["text"]
	n.text("text", false, 3000, plain, mrkdwn)
	fields := n.list("fields", false, 1, 10)
	for i, f := range fields {
		n.textObject(f, fmt.Sprintf("%s/fields/%d", n.at, i), 2000, plain, mrkdwn)
	}
	if !hasText && n.fields["fields"] == nil {
		n.fail(n.at, "missing required field: text or fields")
	}
	n.boolean("expand")
	if v, ok := n.get("accessory", false); ok {
		n.element(v, n.sub("accessory"), accessoryElements)
	}
}

func (n *node) contextElement(v any, at string) {
	e := n.object(v, at)
	if e == nil {
		return
	}
	if e.fields["type"] == "image" {
		e.image(false)
		e.done()
		return
	}
	n.textObject(v, at, 3000, plain, mrkdwn)
}

func (n *node) actions() {
	used := map[string]bool{}
	for i, e := range n.list("elements", true, 1, 25) {
		at := fmt.Sprintf("%s/elements/%d", n.at, i)
		id := n.element(e, at, actionElements)
		if id != "" && used[id] {
			n.fail(at+"/action_id", "action_id already exists in this block: %s", id)
		}
		used[id] = true
	}
}

func (n *node) input() {
	n.inputs++
	n.text("label", true, 2000, plain)
	n.text("hint", false, 2000, plain)
	n.boolean("optional")
	n.boolean("dispatch_action")
	if v, ok := n.get("element", true); ok {
		n.element(v, n.sub("element"), inputElements)
	}
}

// image checks an image block (with an optional title) or an image element.
func (n *node) image(block bool) {
	_, hasURL := n.str("image_url", false, 3000)
	file, hasFile := n.get("slack_file", false)
	switch {
	case hasURL && hasFile:
		n.fail(n.at, "only one of image_url and slack_file is allowed")
	case !hasURL && !hasFile:
		n.fail(n.at, "missing required field: image_url or slack_file")
	case hasFile:
		if f := n.object(file, n.sub("slack_file")); f != nil {
			f.str("id", false, 255)
			f.str("url", false, 3000)
			f.done()
		}
	}
	n.str("alt_text", true, 2000)
	if block {
		n.text("title", false, 2000, plain)
	}
}

// blockTextLength counts the characters of all texts in blocks.
func blockTextLength(list []any) int {
	total := 0
	for _, s := range texts(list) {
		total += runes(s)
	}
	return total
}
