package bot

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/text/feature/plural"
	tags "golang.org/x/text/language"
)

// catalogued is one text of a catalogue, by plural form; a text without a count has "other" alone.
type catalogued struct {
	id    string
	forms map[string]string
}

// theCatalogue reads a language's file in its order.
func theCatalogue(t *testing.T, name string) []catalogued {
	t.Helper()
	raw, err := catalogue.ReadFile("catalogue/" + name + ".yaml")
	if err != nil {
		t.Fatal(err)
	}
	var file yaml.MapSlice
	if err := yaml.Unmarshal(raw, &file); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	var out []catalogued
	for _, e := range file {
		c := catalogued{id: e.Key.(string), forms: map[string]string{}}
		switch v := e.Value.(type) {
		case string:
			c.forms["other"] = v
		case map[string]any:
			for form, text := range v {
				c.forms[form] = text.(string)
			}
		default:
			t.Fatalf("%s, %s: %T", name, c.id, v)
		}
		out = append(out, c)
	}
	return out
}

var fieldForm = regexp.MustCompile(`\{\{\.([A-Za-z0-9]+)\}\}`)

// fieldsOf returns the fields of a text.
func fieldsOf(t *testing.T, text string) []string {
	t.Helper()
	var names []string
	for _, m := range fieldForm.FindAllStringSubmatch(text, -1) {
		names = append(names, m[1])
	}
	if strings.Contains(fieldForm.ReplaceAllString(text, ""), "{{") {
		t.Errorf("%q holds something that is no field", text)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// pluralForms returns the forms that CLDR has for whole numbers in a language.
func pluralForms(t *testing.T, name string) []string {
	t.Helper()
	words := map[plural.Form]string{
		plural.Zero: "zero", plural.One: "one", plural.Two: "two", plural.Few: "few", plural.Many: "many", plural.Other: "other",
	}
	tag, seen := tags.MustParse(name), map[string]bool{}
	for n := range 1_000_001 {
		if n < 1000 || n%1000 == 0 {
			seen[words[plural.Cardinal.MatchPlural(tag, n, 0, 0, 0, 0)]] = true
		}
	}
	return slices.Sorted(maps.Keys(seen))
}

// Every language has the same texts in the same order, with the same fields, and counts in all the forms that it has.
func TestCataloguesAreAlike(t *testing.T) {
	t.Parallel()
	want := theCatalogue(t, english)
	for _, name := range Languages() {
		got := theCatalogue(t, name)
		ids := func(cs []catalogued) (out []string) {
			for _, c := range cs {
				out = append(out, c.id)
			}
			return out
		}
		if diff := cmp.Diff(ids(want), ids(got)); diff != "" {
			t.Errorf("ids of %s (-English +%s):\n%s", name, name, diff)
			continue
		}
		forms := pluralForms(t, name)
		for i, c := range got {
			for form, text := range c.forms {
				if fields := fieldsOf(t, text); !slices.Equal(fields, fieldsOf(t, want[i].forms["other"])) {
					t.Errorf("%s, %s, %s: fields %v", name, c.id, form, fields)
				}
				if text == "" || text != strings.TrimRight(text, " \n") {
					t.Errorf("%s, %s, %s: %q", name, c.id, form, text)
				}
			}
			counts := slices.Contains(fieldsOf(t, c.forms["other"]), "N")
			if have := slices.Sorted(maps.Keys(c.forms)); counts && !slices.Equal(have, forms) || !counts && !slices.Equal(have, []string{"other"}) {
				t.Errorf("%s, %s: forms %v; the language has %v, a text without a count just one", name, c.id, have, forms)
			}
		}
	}
}

// said are the calls of say and saying in the package: what they name, and what they give.
func said(t *testing.T) map[string][][]string {
	t.Helper()
	files, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	out, set := map[string][][]string{}, token.NewFileSet()
	for _, f := range files {
		if !strings.HasSuffix(f.Name(), ".go") || strings.HasSuffix(f.Name(), "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(set, f.Name(), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			if f, ok := n.(*ast.FuncDecl); ok && f.Name.Name == "saying" {
				return false // which passes on what it is given
			}
			call, ok := n.(*ast.CallExpr)
			if !ok || !says(call) {
				return true
			}
			var words []string
			for i, arg := range call.Args {
				if i > 0 && i%2 == 0 {
					continue // a value
				}
				lit, ok := arg.(*ast.BasicLit)
				if !ok || lit.Kind != token.STRING {
					t.Errorf("%s: id and names must be literals, so that this test can read them", set.Position(arg.Pos()))
					return true
				}
				word, err := strconv.Unquote(lit.Value)
				if err != nil {
					t.Fatal(err)
				}
				words = append(words, word)
			}
			if len(call.Args)%2 == 0 {
				t.Errorf("%s: a name without a value", set.Position(call.Pos()))
			}
			fields := slices.Sorted(slices.Values(words[1:]))
			out[words[0]] = append(out[words[0]], fields)
			return true
		})
	}
	return out
}

func says(call *ast.CallExpr) bool {
	switch f := call.Fun.(type) {
	case *ast.SelectorExpr:
		return f.Sel.Name == "say"
	case *ast.Ident:
		return f.Name == "saying"
	}
	return false
}

// What the code says is in the catalogue, with just the fields that the code gives; and what is in the catalogue is said.
func TestTextsAreThoseOfTheCode(t *testing.T) {
	t.Parallel()
	calls := said(t)
	known := map[string]bool{}
	for _, c := range theCatalogue(t, english) {
		known[c.id] = true
		if len(calls[c.id]) == 0 {
			t.Errorf("%s is said nowhere", c.id)
		}
		want := fieldsOf(t, c.forms["other"])
		for _, given := range calls[c.id] {
			if !slices.Equal(given, want) {
				t.Errorf("%s has the fields %v, and is given %v", c.id, want, given)
			}
		}
	}
	for id := range calls {
		if !known[id] {
			t.Errorf("%s is said, and not in the catalogue", id)
		}
	}
}
