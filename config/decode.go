package config

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

const (
	maxNodes = 100_000 // aliases of aliases can make a short text a long one
	maxDepth = 64
)

// decoder fills a Config from a document's nodes. It notes each mistake and goes on.
type decoder struct {
	*problems
	lookup  lookup
	anchors map[string]ast.Node
	nodes   int
}

// node sets v, which holds its defaults, to what a node says.
func (d *decoder) node(n ast.Node, v reflect.Value, path string, depth int) {
	if d.nodes++; d.nodes > maxNodes || depth > maxDepth {
		d.unreadable(path, "is too large or too deep")
		return
	}
	n = d.resolve(n, path)
	switch n := n.(type) {
	case nil, *ast.NullNode: // "key:" with nothing after it is the same as no key
		return
	case *ast.TagNode:
		d.doc.hide(n)
		d.unreadable(path, "has a YAML tag, which has no meaning here")
		return
	}
	if v.Kind() == reflect.Pointer {
		v.Set(reflect.New(v.Type().Elem()))
		v = v.Elem()
		setDefaults(v)
	}
	switch {
	case scalar(v.Type()):
		d.scalar(n, v, path)
	case v.Kind() == reflect.Struct:
		d.structure(n, v, path, depth)
	case v.Kind() == reflect.Map:
		d.dictionary(n, v, path, depth)
	case v.Kind() == reflect.Slice:
		d.list(n, v, path, depth)
	default:
		panic("config: cannot read a " + v.Type().String())
	}
}

// resolve follows anchors and aliases.
func (d *decoder) resolve(n ast.Node, path string) ast.Node {
	for range maxDepth {
		switch a := n.(type) {
		case *ast.AnchorNode:
			d.anchors[nodeText(a.Name)] = a.Value
			n = a.Value
		case *ast.AliasNode:
			target, ok := d.anchors[nodeText(a.Value)]
			if !ok {
				d.unreadable(path, "there is no anchor &%s before this", nodeText(a.Value))
				return nil
			}
			n = target
		case *ast.MappingKeyNode:
			n = a.Value
		default:
			return n
		}
	}
	d.unreadable(path, "is an alias of itself")
	return nil
}

// entries calls each with the keys and values of a mapping, but with no key twice.
func (d *decoder) entries(n ast.Node, path string, each func(key, path string, value ast.Node, at ast.Node)) {
	m, ok := n.(ast.MapNode)
	if !ok {
		d.doc.hide(n)
		d.unreadable(path, "write keys and values below it, not %s", kind(n))
		return
	}
	first := map[string]int{}
	for it := m.MapRange(); it.Next(); {
		key, value := it.Key(), it.Value()
		if key.IsMergeKey() {
			d.doc.hide(value)
			d.misplaced(join(path, "<<"), key, "merge keys are not supported; use an alias for a whole value")
			continue
		}
		if k, ok := key.(*ast.MappingKeyNode); ok {
			d.doc.hide(value)
			d.misplaced(path, k, "a key must be a plain text")
			continue
		}
		name := nodeText(d.resolve(key, path))
		sub := join(path, name)
		line := key.GetToken().Position.Line
		if before, twice := first[name]; twice {
			d.doc.hide(value)
			d.misplaced(sub, key, "is given twice, first in line %d", before)
			continue
		}
		first[name] = line
		d.doc.note(sub, key.GetToken())
		each(name, sub, value, key)
	}
}

// misplaced notes a mistake at a node rather than at a field.
func (d *decoder) misplaced(path string, at ast.Node, format string, args ...any) {
	p := Problem{Path: path, Message: fmt.Sprintf(format, args...)}
	if t := at.GetToken(); t != nil && t.Position != nil {
		p.Line, p.Column = t.Position.Line, t.Position.Column
	}
	d.found = append(d.found, p)
}

func (d *decoder) structure(n ast.Node, v reflect.Value, path string, depth int) {
	fields := fieldsOf(v.Type())
	d.entries(n, path, func(key, sub string, value, _ ast.Node) {
		i := slices.IndexFunc(fields, func(f field) bool { return f.key == key })
		if i < 0 {
			d.doc.hide(value)
			d.unreadable(sub, "unknown key%s", suggest(key, fields))
			return
		}
		d.node(value, v.Field(fields[i].index), sub, depth+1)
	})
}

func (d *decoder) dictionary(n ast.Node, v reflect.Value, path string, depth int) {
	m := reflect.MakeMap(v.Type())
	d.entries(n, path, func(key, sub string, value, _ ast.Node) {
		e := reflect.New(v.Type().Elem()).Elem()
		setDefaults(e)
		d.node(value, e, sub, depth+1)
		m.SetMapIndex(reflect.ValueOf(key), e)
	})
	v.Set(m)
}

func (d *decoder) list(n ast.Node, v reflect.Value, path string, depth int) {
	seq, ok := n.(*ast.SequenceNode)
	if !ok {
		d.listFromText(n, v, path)
		return
	}
	out := reflect.MakeSlice(v.Type(), len(seq.Values), len(seq.Values))
	for i, value := range seq.Values {
		sub := index(path, i)
		if value != nil {
			d.doc.note(sub, firstToken(value))
		}
		setDefaults(out.Index(i))
		d.node(value, out.Index(i), sub, depth+1)
	}
	v.Set(out)
}

// listFromText reads "${NAME}" as a list of texts separated by commas: an environment variable can hold no other list.
func (d *decoder) listFromText(n ast.Node, v reflect.Value, path string) {
	text, ok := scalarText(n)
	if !ok || v.Type().Elem().Kind() != reflect.String || !strings.Contains(text, "${") {
		d.doc.hide(n)
		d.unreadable(path, "write a list, one \"- …\" a line or [ …, … ], not %s", kind(n))
		return
	}
	text, replaced, err := d.lookup.expand(text)
	if err != nil {
		d.unreadable(path, "%v", err)
		return
	}
	if replaced {
		d.doc.replaced(path)
	}
	v.Set(reflect.ValueOf(splitList(text)).Convert(v.Type()))
}

func (d *decoder) scalar(n ast.Node, v reflect.Value, path string) {
	secret := hidden(v.Type())
	if secret {
		d.doc.hide(n)
	}
	text, ok := scalarText(n)
	if !ok {
		d.doc.hide(n)
		d.unreadable(path, "write one value, not %s", kind(n))
		return
	}
	expanded, replaced, err := d.lookup.expand(text)
	if err != nil {
		d.unreadable(path, "%v", err)
		return
	}
	if replaced {
		d.doc.replaced(path)
	}
	if err := setScalar(v, expanded); err != nil {
		if secret {
			d.unreadable(path, "%v", err)
			return
		}
		d.unreadable(path, "%v, not %q", err, cut(text))
	}
}

// scalarText returns a scalar as it is written.
func scalarText(n ast.Node) (string, bool) {
	switch n := n.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.LiteralNode:
		if n.Value == nil {
			return "", true
		}
		return n.Value.Value, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return n.GetToken().Value, true
	}
	return "", false
}

// nodeText returns a key or a name as it is written.
func nodeText(n ast.Node) string {
	if n == nil {
		return ""
	}
	if s, ok := scalarText(n); ok {
		return s
	}
	if t := n.GetToken(); t != nil {
		return t.Value
	}
	return ""
}

// firstToken returns where a value begins: a mapping's own token is a colon.
func firstToken(n ast.Node) *token.Token {
	switch n := n.(type) {
	case *ast.MappingNode:
		if !n.IsFlowStyle && len(n.Values) > 0 {
			return n.Values[0].Key.GetToken()
		}
	case *ast.MappingValueNode:
		return n.Key.GetToken()
	}
	return n.GetToken()
}

func kind(n ast.Node) string {
	switch n.(type) {
	case ast.MapNode:
		return "keys and values"
	case *ast.SequenceNode:
		return "a list"
	default:
		return "a single value"
	}
}

// cut shortens a text for a message.
func cut(s string) string {
	const limit = 60
	if r := []rune(s); len(r) > limit {
		return string(r[:limit]) + "…"
	}
	return s
}
