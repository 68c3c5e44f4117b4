package config

import (
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"
)

// checkTags checks a section and what lies in it against the tags required, oneof, min and max.
func checkTags(ps *problems, path string, section reflect.Value) {
	for _, f := range fieldsOf(section.Type()) {
		v, at := section.Field(f.index), join(path, f.key)
		if f.required && empty(v) {
			ps.add(at, "is required")
			continue
		}
		checkValue(ps, at, f, v)
	}
}

func empty(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Map, reflect.Slice:
		return v.Len() == 0
	default:
		return v.IsZero()
	}
}

// checkValue checks a field's value, or each element of a list or map.
func checkValue(ps *problems, path string, f field, v reflect.Value) {
	switch {
	case scalar(v.Type()):
		checkLimits(ps, path, f, v)
	case v.Kind() == reflect.Pointer:
		if !v.IsNil() {
			checkTags(ps, path, v.Elem())
		}
	case v.Kind() == reflect.Struct:
		checkTags(ps, path, v)
	case v.Kind() == reflect.Slice:
		for i := range v.Len() {
			checkValue(ps, index(path, i), f, v.Index(i))
		}
	case v.Kind() == reflect.Map:
		keys := v.MapKeys()
		slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
		for _, k := range keys {
			checkValue(ps, join(path, k.String()), f, v.MapIndex(k))
		}
	}
}

func checkLimits(ps *problems, path string, f field, v reflect.Value) {
	if f.oneof != nil && !slices.Contains(f.oneof, v.String()) {
		shown := ""
		if ps.doc == nil || !ps.doc.places[path].replaced {
			shown = ", not " + quote(v.String())
		}
		ps.add(path, "must be %s%s", orList(f.oneof), shown)
		return
	}
	size, have, of := 0.0, "be", ""
	switch {
	case f.min == "" && f.max == "":
		return
	case v.Kind() == reflect.String:
		size, have, of = float64(utf8.RuneCountInString(v.String())), "have", " characters"
	case v.CanInt():
		size = float64(v.Int())
	case v.CanFloat():
		size = v.Float()
	default:
		return
	}
	low, high := limit(f.min, v), limit(f.max, v)
	switch {
	case f.min != "" && f.max != "" && !(size >= low && size <= high):
		ps.add(path, "must %s from %s to %s%s", have, f.min, f.max, of)
	case f.min != "" && !(size >= low):
		ps.add(path, "must %s at least %s%s", have, f.min, of)
	case f.max != "" && !(size <= high):
		ps.add(path, "must %s at most %s%s", have, f.max, of)
	}
}

// limit reads a limit as values of v's type are written, or as a number of characters.
func limit(text string, v reflect.Value) float64 {
	if text == "" {
		return 0
	}
	t := v.Type()
	if v.Kind() == reflect.String {
		t = reflect.TypeFor[int]()
	}
	l := reflect.New(t).Elem()
	mustSet(l, text)
	if l.CanInt() {
		return float64(l.Int())
	}
	return l.Float()
}

func quote(s string) string { return `"` + cut(s) + `"` }

// orList returns "a, b or c".
func orList(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " or " + words[len(words)-1]
}
