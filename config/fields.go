package config

import (
	"reflect"
	"strings"
	"sync"
)

// field is what the tags of a struct's field say.
type field struct {
	key      string
	index    int
	typ      reflect.Type
	def      string
	required bool
	oneof    []string
	min, max string
}

// fieldsOf returns the fields of a section that stand in the file, in the order of the struct.
func fieldsOf(t reflect.Type) []field {
	var fields []field
	for i := range t.NumField() {
		f := t.Field(i)
		key, ok := f.Tag.Lookup("yaml")
		if !ok {
			continue
		}
		one := field{
			key: key, index: i, typ: f.Type, def: f.Tag.Get("default"), required: f.Tag.Get("required") == "true",
			min: f.Tag.Get("min"), max: f.Tag.Get("max"),
		}
		if s := f.Tag.Get("oneof"); s != "" {
			one.oneof = strings.Split(s, "|")
		}
		fields = append(fields, one)
	}
	return fields
}

// setDefaults sets the fields of a section, and of the sections in it, to their defaults. What is no section it leaves alone.
func setDefaults(v reflect.Value) {
	if v.Kind() != reflect.Struct || scalar(v.Type()) {
		return
	}
	for _, f := range fieldsOf(v.Type()) {
		at := v.Field(f.index)
		switch {
		case f.def == "":
			setDefaults(at)
		case at.Kind() == reflect.Slice:
			for _, s := range splitList(f.def) {
				e := reflect.New(f.typ.Elem()).Elem()
				mustSet(e, s)
				at.Set(reflect.Append(at, e))
			}
		default:
			mustSet(at, f.def)
		}
	}
}

func mustSet(v reflect.Value, text string) {
	if err := setScalar(v, text); err != nil {
		panic("config: default " + text + ": " + err.Error())
	}
}

func splitList(s string) []string {
	list := []string{}
	for part := range strings.SplitSeq(s, ",") {
		if part = strings.TrimSpace(part); part != "" {
			list = append(list, part)
		}
	}
	return list
}

// hidden says whether values of a type must not be shown. A hash is no secret, but what stands in its place may be the key.
func hidden(t reflect.Type) bool {
	return t == reflect.TypeFor[Secret]() || t == reflect.TypeFor[KeyHash]()
}

// plainKeys returns the keys that no section uses for a secret, a list or a section.
var plainKeys = sync.OnceValue(func() map[string]bool {
	plain := map[string]bool{}
	var walk func(t reflect.Type)
	walk = func(t reflect.Type) {
		for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice || t.Kind() == reflect.Map {
			t = t.Elem()
		}
		if t.Kind() != reflect.Struct || scalar(t) {
			return
		}
		for _, f := range fieldsOf(t) {
			before, known := plain[f.key]
			plain[f.key] = scalar(f.typ) && !hidden(f.typ) && (before || !known)
			walk(f.typ)
		}
	}
	walk(reflect.TypeFor[Config]())
	return plain
})

// suggest returns `; did you mean "KEY"?` for the field whose key is nearest to what was written, or a list of all when none is near
// and they are few.
func suggest(written string, fields []field) string {
	best, distance := "", 1+max(len(written)/4, 1)
	keys := make([]string, len(fields))
	for i, f := range fields {
		keys[i] = f.key
		if d := editDistance(strings.ToLower(written), f.key); d < distance {
			best, distance = f.key, d
		}
	}
	switch {
	case best != "":
		return `; did you mean "` + best + `"?`
	default:
		return "; known are " + strings.Join(keys, ", ")
	}
}

// editDistance counts the insertions, deletions, substitutions and swaps of neighbours that make a into b.
func editDistance(a, b string) int {
	if len(a) > 64 {
		a = a[:64]
	}
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}
