package config

import (
	"fmt"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

var documented = regexp.MustCompile(`Default: (\S+)$`)

// Every field stands in the example with a comment, and what the comment calls the default is the default.
func TestExampleIsComplete(t *testing.T) {
	t.Parallel()
	file, err := parser.ParseBytes(Example(), parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]string{} // by type and key: the comment
	var walk func(n ast.Node, typ reflect.Type, above string)
	walk = func(n ast.Node, typ reflect.Type, above string) {
		if typ.Kind() == reflect.Pointer {
			typ = typ.Elem()
		}
		switch {
		case scalar(typ):
		case typ.Kind() == reflect.Slice:
			if seq, ok := n.(*ast.SequenceNode); ok {
				for i, v := range seq.Values {
					above := ""
					if i == 0 {
						above = textOf(seq.GetComment()) // the parser takes it for the list's
					}
					if i < len(seq.ValueHeadComments) {
						above += textOf(seq.ValueHeadComments[i])
					}
					walk(v, typ.Elem(), above)
				}
			}
		default:
			m, ok := n.(ast.MapNode)
			if !ok {
				t.Fatalf("%s is no mapping at %v", typ, n.GetToken().Position)
			}
			for it := m.MapRange(); it.Next(); {
				key := it.Key().GetToken().Value
				if typ.Kind() == reflect.Map {
					walk(it.Value(), typ.Elem(), "")
					continue
				}
				for _, f := range fieldsOf(typ) {
					if f.key == key {
						at := fmt.Sprintf("%s.%s", typ.Name(), key)
						seen[at] += above + commentOf(m, it.KeyValue())
						walk(it.Value(), f.typ, "")
					}
				}
				above = "" // it stands above the first key
			}
		}
	}
	walk(file.Docs[0].Body, reflect.TypeFor[Config](), "")

	var check func(typ reflect.Type)
	check = func(typ reflect.Type) {
		for typ.Kind() == reflect.Pointer || typ.Kind() == reflect.Slice || typ.Kind() == reflect.Map {
			typ = typ.Elem()
		}
		if typ.Kind() != reflect.Struct || scalar(typ) {
			return
		}
		for _, f := range fieldsOf(typ) {
			at := fmt.Sprintf("%s.%s", typ.Name(), f.key)
			comment, ok := seen[at]
			switch said := documented.FindStringSubmatch(strings.TrimSpace(comment)); {
			case !ok:
				t.Errorf("%s is not in the example", at)
			case scalar(f.typ) && strings.TrimSpace(comment) == "":
				t.Errorf("%s has no comment", at)
			case said == nil && f.def != "", said != nil && said[1] != f.def:
				t.Errorf("%s: the default is %q, the comment says %q", at, f.def, comment)
			}
			check(f.typ)
		}
	}
	check(reflect.TypeFor[Config]())
}

// commentOf returns the comment above a key. The parser gives the one above a mapping's first key to the mapping.
func commentOf(m ast.MapNode, kv *ast.MappingValueNode) string {
	group := kv.GetComment()
	if mapping, ok := m.(*ast.MappingNode); ok && group == nil && mapping.Values[0] == kv {
		group = mapping.GetComment()
	}
	return textOf(group)
}

func textOf(group *ast.CommentGroupNode) string {
	if group == nil {
		return ""
	}
	var words []string
	for _, c := range group.Comments {
		words = append(words, strings.TrimSpace(c.Token.Value))
	}
	return strings.Join(words, " ")
}

func ExampleParse() {
	_, err := Parse([]byte("server:\n  listn: \":80\"\n"), nil)
	fmt.Println(Problems(err)[len(Problems(err))-1])
	// Output: config:2:3: server.listn: unknown key; did you mean "listen"?
}
