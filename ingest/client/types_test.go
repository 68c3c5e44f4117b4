package client

import (
	"encoding/json"
	"os"
	"reflect"
	"strings"
	"testing"
)

// TestTypesAreThoseOfTheDocument holds each type against its schema: a field that the API gains must be gained here.
func TestTypesAreThoseOfTheDocument(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("../openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Components struct {
			Schemas map[string]struct {
				Properties map[string]schema
			}
		}
	}
	if err := json.Unmarshal(data, &doc); err != nil {
		t.Fatal(err)
	}
	for name, typ := range map[string]reflect.Type{
		"Submission": reflect.TypeFor[Submission](), "Item": reflect.TypeFor[Item](), "Score": reflect.TypeFor[Score](),
		"Review": reflect.TypeFor[Review](), "Verdict": reflect.TypeFor[Verdict](), "Decision": reflect.TypeFor[Decision](),
		"Note": reflect.TypeFor[Note](), "ItemLog": reflect.TypeFor[ItemLog](), "Entry": reflect.TypeFor[Entry](),
		"LogProof": reflect.TypeFor[LogProof](), "EntryProof": reflect.TypeFor[EntryProof](),
		"Problem": reflect.TypeFor[problem](), "FieldError": reflect.TypeFor[FieldError](),
	} {
		want := doc.Components.Schemas[name].Properties
		if len(want) == 0 {
			t.Errorf("the document has no schema %s", name)
		}
		have := map[string]bool{}
		for f := range typ.Fields() {
			key, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			if key == "-" {
				continue
			}
			have[key] = true
			s, known := want[key]
			if !known {
				t.Errorf("%s.%s: the document does not know %q", name, f.Name, key)
			} else if got := kindOf(f.Type); got != s.kind() {
				t.Errorf("%s.%s is %s, the document says %s", name, f.Name, got, s.kind())
			}
		}
		for key := range want {
			if !have[key] {
				t.Errorf("%s lacks the document's %q", name, key)
			}
		}
	}
}

type schema struct {
	Type            any
	Ref             string `json:"$ref"`
	Format          string
	ContentEncoding string
	Items           *schema
}

// kind is what the document says of a field, in the words of kindOf.
func (s schema) kind() string {
	typ, _ := s.Type.(string)
	if several, ok := s.Type.([]any); ok { // a type, and null
		typ, _ = several[0].(string)
	}
	switch {
	case s.Ref != "":
		return s.Ref[strings.LastIndex(s.Ref, "/")+1:]
	case typ == "array":
		return "list of " + s.Items.kind()
	case s.ContentEncoding != "":
		return s.ContentEncoding
	case s.Format == "date-time":
		return s.Format
	}
	return typ
}

func kindOf(t reflect.Type) string {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case t.String() == "time.Time":
		return "date-time"
	case t.String() == "[]uint8":
		return "base64"
	}
	switch t.Kind() {
	case reflect.Slice:
		return "list of " + kindOf(t.Elem())
	case reflect.String:
		return "string"
	case reflect.Int, reflect.Int64:
		return "integer"
	case reflect.Float64:
		return "number"
	case reflect.Bool:
		return "boolean"
	case reflect.Map:
		return "object"
	default:
		return t.Name()
	}
}
