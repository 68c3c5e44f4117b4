package bot

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

const (
	maxDataUnits  = 5000 // of metadata in a modal
	maxValueUnits = 300
	maxKeyUnits   = 100
)

// datum is one value of an item's metadata, by its path: "order.lines[0].price". It is screened.
type datum struct{ key, value string }

// flatten lists metadata in the order of its keys, with what a queue hides gone from every key and every value, numbers included; hidden counts that.
func flatten(metadata map[string]any, hide *redactor) (data []datum, hidden int) {
	screen := func(s string) string {
		out, n := hide.redact(s)
		hidden += n
		return out
	}
	var walk func(path string, v any)
	walk = func(path string, v any) {
		switch v := v.(type) {
		case map[string]any:
			if len(v) == 0 && path != "" {
				data = append(data, datum{path, "{}"})
			}
			for _, k := range slices.Sorted(maps.Keys(v)) {
				next := screen(k)
				if path != "" {
					next = path + "." + next
				}
				walk(next, v[k])
			}
		case []any:
			if len(v) == 0 {
				data = append(data, datum{path, "[]"})
			}
			for i, e := range v {
				walk(fmt.Sprintf("%s[%d]", path, i), e)
			}
		case string:
			data = append(data, datum{path, screen(v)})
		default:
			b, err := json.Marshal(v)
			if err != nil {
				b = []byte(fmt.Sprint(v))
			}
			data = append(data, datum{path, screen(string(b))})
		}
	}
	walk("", metadata)
	return data, hidden
}

// dataLines writes metadata one value a line, as far as a modal has room; cut says that something was left out: notice tells how much.
func dataLines(l *language, data []datum) (blocks []string, notice string) {
	var lines []string
	used, cutValues := 0, false
	for _, d := range data {
		value := `""`
		if d.value != "" {
			value = oneLine(visible(l, d.value))
		}
		short := cut(value, maxValueUnits, units)
		line := plainName(l, d.key, maxKeyUnits) + ": " + short
		if used += units(line) + 1; used > maxDataUnits {
			break
		}
		cutValues = cutValues || short != value
		lines = append(lines, line)
	}
	switch {
	case len(lines) < len(data):
		notice = l.say("details.metadata.more", "Shown", len(lines), "N", len(data))
	case cutValues:
		notice = l.say("details.metadata.cut")
	}
	for _, page := range paginate(strings.Join(lines, "\n")) {
		blocks = append(blocks, page...)
	}
	return blocks, notice
}
