package config

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
)

const referenceFile = "../docs/configuration.md"

const referenceHead = `# Configuration

<!-- written by go generate ./config from the structs of config/: change their comments and tags, not this page -->

Every key, in the order of the file. ` + "`hitl config example`" + ` prints the same as a commented file, ` + "`hitl config check`" + ` says what is wrong with yours, and where.

NAME is a name of yours; ` + "`[]`" + ` is each element of a list. A secret prints as ` + "`[redacted]`" + ` everywhere; let it come from the environment (` + "`${NAME}`" + `, ` + "`${NAME:-default}`" + `)
or a file (` + "`${file:PATH}`" + `). Durations are ` + "`90s`, `5m`, `36h`, `7d`, `2w`" + `; sizes ` + "`512KiB`, `4MiB`" + `. Limits of a text are numbers of characters; those of a list or a map hold for
each element.

`

// TestReferenceIsFresh holds docs/configuration.md to the structs: every key, its type, default and limits from the tags, its meaning from the comment.
func TestReferenceIsFresh(t *testing.T) {
	t.Parallel()
	r := reference{docs: commentsOf(t)}
	r.WriteString(referenceHead)
	for _, f := range fieldsOf(reflect.TypeFor[Config]()) {
		fmt.Fprintf(&r.Builder, "## %s\n\n", f.key)
		if meaning := r.meaning(reflect.TypeFor[Config](), f.index); meaning != "" {
			r.WriteString(meaning + "\n\n")
		}
		r.section(f.key, f.typ)
	}
	for _, at := range r.silent {
		t.Errorf("%s has no comment", at)
	}
	got := strings.TrimRight(r.String(), "\n") + "\n"
	if *update {
		if err := os.WriteFile(referenceFile, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(referenceFile)
	if err != nil || string(want) != got {
		t.Errorf("docs/configuration.md is not what the structs say (%v): run go generate ./config", err)
	}
}

// reference writes the page; silent are the keys that nothing is said of.
type reference struct {
	strings.Builder
	docs   map[string]string // by "Type" and "Type.Field"
	silent []string
}

// section writes a struct, or a list or a map of them, as a table, and after it those that lie in it.
func (r *reference) section(path string, typ reflect.Type) {
	path, typ = inside(path, typ)
	if doc := r.docs[typ.Name()]; doc != "" {
		r.WriteString(doc + "\n\n")
	}
	r.WriteString("| key | type | default | limits | meaning |\n|---|---|---|---|---|\n")
	var deeper []field
	for _, f := range fieldsOf(typ) {
		meaning := r.meaning(typ, f.index)
		if _, leaf := inside("", f.typ); leaf.Kind() == reflect.Struct && !scalar(leaf) {
			deeper = append(deeper, f)
			if meaning == "" {
				meaning = r.docs[leaf.Name()]
			}
		}
		if meaning == "" {
			r.silent = append(r.silent, path+"."+f.key)
		}
		fmt.Fprintf(&r.Builder, "| `%s.%s` | %s | %s | %s | %s |\n", path, f.key, typeName(f.typ), code(f.def), limits(f), cell(meaning))
	}
	r.WriteString("\n")
	for _, f := range deeper {
		fmt.Fprintf(&r.Builder, "### %s.%s\n\n", path, f.key)
		r.section(path+"."+f.key, f.typ)
	}
}

// inside follows pointers, lists and maps to what they hold.
func inside(path string, typ reflect.Type) (string, reflect.Type) {
	for {
		switch typ.Kind() {
		case reflect.Map:
			path += ".NAME"
		case reflect.Slice:
			path += "[]"
		case reflect.Pointer:
		default:
			return path, typ
		}
		typ = typ.Elem()
	}
}

var capitalised = regexp.MustCompile(`\b[A-Z][A-Za-z]+\b`)

// meaning is a field's comment with the names of Go's fields as the file's keys.
func (r *reference) meaning(typ reflect.Type, index int) string {
	return capitalised.ReplaceAllStringFunc(r.docs[typ.Name()+"."+typ.Field(index).Name], func(word string) string {
		if f, ok := typ.FieldByName(word); ok && f.Tag.Get("yaml") != "" {
			return "`" + f.Tag.Get("yaml") + "`"
		}
		return word
	})
}

func typeName(typ reflect.Type) string {
	if hidden(typ) {
		if typ == reflect.TypeFor[KeyHash]() {
			return "hash of a key"
		}
		return "**secret**"
	}
	switch typ.String() {
	case "time.Duration":
		return "duration"
	case "config.Bytes":
		return "size"
	case "slog.Level":
		return "text"
	}
	switch typ.Kind() {
	case reflect.Pointer:
		return typeName(typ.Elem())
	case reflect.Slice:
		return "list of " + typeName(typ.Elem())
	case reflect.Map:
		return "map of " + typeName(typ.Elem())
	case reflect.Struct:
		return "section"
	case reflect.Bool:
		return "true or false"
	case reflect.Float64:
		return "number"
	case reflect.String:
		return "text"
	default:
		return "whole number"
	}
}

func limits(f field) string {
	var all []string
	if f.required {
		all = append(all, "not empty")
		if f.def == "" {
			all[0] = "**required**"
		}
	}
	if f.oneof != nil {
		all = append(all, "`"+strings.Join(f.oneof, "`, `")+"`")
	}
	if f.min != "" {
		all = append(all, "≥ "+f.min)
	}
	if f.max != "" {
		all = append(all, "≤ "+f.max)
	}
	return strings.Join(all, "; ")
}

func code(s string) string {
	if s == "" {
		return ""
	}
	return "`" + s + "`"
}

func cell(s string) string { return strings.ReplaceAll(s, "|", `\|`) }

// commentsOf returns what stands above this package's types and their fields, or beside them, each in one line.
func commentsOf(t *testing.T) map[string]string {
	t.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	docs := map[string]string{}
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			decl, ok := d.(*ast.GenDecl)
			if !ok {
				continue
			}
			for _, s := range decl.Specs {
				spec, ok := s.(*ast.TypeSpec)
				if !ok {
					continue
				}
				docs[spec.Name.Name] = line(decl.Doc)
				body, ok := spec.Type.(*ast.StructType)
				if !ok {
					continue
				}
				for _, f := range body.Fields.List {
					for _, n := range f.Names {
						docs[spec.Name.Name+"."+n.Name] = line(f.Doc) + line(f.Comment)
					}
				}
			}
		}
	}
	return docs
}

func line(group *ast.CommentGroup) string { return strings.Join(strings.Fields(group.Text()), " ") }
