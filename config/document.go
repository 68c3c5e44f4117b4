package config

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// maxFileBytes bounds a configuration file: no honest one is near it.
const maxFileBytes = 1 << 20

// document is the text of a file with what is known of its places.
type document struct {
	name   string
	lines  []string
	places map[string]place // by path, of what the file holds
	hidden []span           // parts that must not be shown
}

// place is where a field stands: its key, or itself in a list.
type place struct {
	line, column int
	replaced     bool // the value came from a reference: it must not be quoted
}

// span is a part of a line, from a column (from 1) on; length 0 means to the end of the line.
type span struct{ line, column, length int }

// parse reads the text as one YAML document. The error is an *Error.
func parse(name string, data []byte) (*document, ast.Node, error) {
	doc := &document{name: name, places: map[string]place{}}
	if len(data) > maxFileBytes {
		return nil, nil, &Error{[]Problem{{File: name, Message: fmt.Sprintf("is larger than %d bytes", maxFileBytes)}}}
	}
	if !utf8.Valid(data) {
		return nil, nil, &Error{[]Problem{{File: name, Message: "is not valid UTF-8"}}}
	}
	text := strings.ReplaceAll(string(data), "\r\n", "\n")
	doc.lines = strings.Split(text, "\n")
	file, err := parseYAML([]byte(text))
	if err != nil {
		return nil, nil, &Error{[]Problem{doc.syntax(err)}}
	}
	var body ast.Node
	for _, d := range file.Docs {
		switch {
		case d.Body == nil:
		case body != nil:
			p := Problem{File: name, Message: "holds more than one document; write one"}
			if t := d.Body.GetToken(); t != nil {
				p.Line, p.Column = t.Position.Line, t.Position.Column
			}
			return nil, nil, &Error{[]Problem{p}}
		default:
			body = d.Body
		}
	}
	return doc, body, nil
}

// parseYAML keeps a panic of the parser, which has had some on strange input, from ending the process.
func parseYAML(data []byte) (f *ast.File, err error) {
	defer func() {
		if r := recover(); r != nil {
			f, err = nil, fmt.Errorf("parse YAML: %v", r)
		}
	}()
	return parser.ParseBytes(data, 0, parser.AllowDuplicateMapKey())
}

// syntax makes the parser's error a problem. Where a value begins is not known then, so only what surely is no secret is shown.
func (d *document) syntax(err error) Problem {
	p := Problem{File: d.name, Message: "is no valid YAML"}
	var ye yaml.Error
	if !errors.As(err, &ye) {
		return p
	}
	p.Message = ye.GetMessage()
	if t := ye.GetToken(); t != nil && t.Position != nil && t.Position.Line >= 1 && t.Position.Line <= len(d.lines) {
		p.Line, p.Column = t.Position.Line, max(t.Position.Column, 1)
		p.Source = keyOnly(d.lines[p.Line-1])
	}
	return p
}

var keyLine = regexp.MustCompile(`^(\s*(?:- )?\s*)([A-Za-z0-9_]+)(\s*:)(.*)$`)

// keyOnly returns a line with its value, unless the key is one that holds no secret, as dots.
func keyOnly(line string) string {
	m := keyLine.FindStringSubmatch(line)
	switch {
	case m == nil:
		return "…"
	case strings.TrimSpace(m[4]) == "", plainKeys()[m[2]] && !strings.ContainsAny(m[4], "{["):
		return line
	default:
		return m[1] + m[2] + m[3] + " …"
	}
}

// note remembers where a field stands. The first place wins.
func (d *document) note(path string, t *token.Token) {
	if _, ok := d.places[path]; ok || t == nil || t.Position == nil {
		return
	}
	d.places[path] = place{line: t.Position.Line, column: t.Position.Column}
}

// replaced remembers that a field's value came from a reference.
func (d *document) replaced(path string) {
	pl := d.places[path]
	pl.replaced = true
	d.places[path] = pl
}

// nearest returns the place of a field or of the nearest one above it.
func (d *document) nearest(path string) place {
	for at := path; at != ""; at = above(at) {
		if pl, ok := d.places[at]; ok && pl.line > 0 {
			return pl
		}
	}
	return place{}
}

// hide keeps every value below a node from being shown.
func (d *document) hide(n ast.Node) {
	if n == nil {
		return
	}
	ast.Walk(hider{d}, n)
}

type hider struct{ doc *document }

// Visit hides the node when it holds text.
func (h hider) Visit(n ast.Node) ast.Visitor {
	switch n := n.(type) {
	case *ast.MappingNode, *ast.MappingValueNode, *ast.SequenceNode, *ast.SequenceEntryNode, *ast.MappingKeyNode:
	case *ast.LiteralNode:
		h.doc.hideToken(n.GetToken())
		if n.Value != nil {
			h.doc.hideToken(n.Value.GetToken())
		}
	default:
		h.doc.hideToken(n.GetToken())
	}
	return h
}

func (d *document) hideToken(t *token.Token) {
	if t == nil || t.Position == nil {
		return
	}
	s := span{line: t.Position.Line, column: t.Position.Column, length: utf8.RuneCountInString(t.Value)}
	more := strings.Count(strings.TrimSpace(t.Origin), "\n")
	if t.Type != token.StringType || more > 0 {
		s.length = 0 // quoted, or over several lines: where it ends is not certain
	}
	d.hidden = append(d.hidden, s)
	for i := range more {
		d.hidden = append(d.hidden, span{line: s.line + 1 + i, column: 1})
	}
}

// show returns a line without its hidden parts and without its comment, and where in it a column now is.
func (d *document) show(line, column int) (text string, caret int) {
	if line < 1 || line > len(d.lines) {
		return "", 0
	}
	text, _, _ = strings.Cut(d.lines[line-1], " #") // comments may hold anything
	runes := []rune(strings.TrimRight(text, " \t\r"))
	var out []rune
	caret = column
	for i := 0; i < len(runes); {
		end := d.hiddenEnd(line, i+1, len(runes))
		if end == 0 {
			out = append(out, runes[i])
			i++
			continue
		}
		switch {
		case column > end:
			caret += len(redacted) - (end - i)
		case column > i:
			caret = len(out) + 1
		}
		out = append(out, []rune(redacted)...)
		i = end
	}
	return strings.ReplaceAll(string(out), "\t", " "), caret
}

// hiddenEnd returns the last column of the hidden parts that begin at a column or touch those that do, or 0.
func (d *document) hiddenEnd(line, column, width int) int {
	end := 0
	for grown := true; grown; {
		grown = false
		for _, s := range d.hidden {
			if s.line != line || s.column != column && (end == 0 || s.column <= column || s.column > end) {
				continue
			}
			last := s.column + s.length - 1
			if s.length == 0 || last > width {
				last = width
			}
			if last > end {
				end, grown = last, true
			}
		}
	}
	return end
}
