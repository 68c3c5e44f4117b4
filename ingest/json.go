package ingest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
)

// maxDepth bounds how deep JSON may be nested. Metadata's own limit is lower.
const maxDepth = 64

// maxValues bounds how many values JSON may hold: in memory a value takes many times the two bytes that it takes in a body.
const maxValues = 1 << 19

// maxExact is the largest integer up to which a double holds every integer.
const maxExact = 1 << 53

// digitsUpTo is where encoding/json begins to write numbers with an exponent.
const digitsUpTo = 1e21

// numbers makes a Go value of a JSON number.
type numbers func(json.Number) any

// decodeJSON reads exactly one JSON value. Of repeated keys the last counts, invalid UTF-8 becomes U+FFFD, and numbers become what
// number says. The error's text is safe to show.
func decodeJSON(data []byte, number numbers) (any, error) {
	if err := checkShape(data); err != nil {
		return nil, err
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
			return nil, fmt.Errorf("is no JSON: %w, at byte %d", err, syntax.Offset)
		}
		return nil, errors.New("ends too early")
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("has more after its end at byte %d", dec.InputOffset())
	}
	return convertNumbers(v, number), nil
}

// checkShape counts brackets and commas outside of strings, before anything is built from them.
func checkShape(data []byte) error {
	depth, values, inString := 0, 0, false
	for i := 0; i < len(data); i++ {
		switch c := data[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case inString:
		case c == '{' || c == '[':
			values++
			if depth++; depth > maxDepth {
				return fmt.Errorf("is nested deeper than %d levels", maxDepth)
			}
		case c == ',':
			values++
		case c == '}' || c == ']':
			depth--
		}
		if values > maxValues {
			return fmt.Errorf("holds more than %d values", maxValues)
		}
	}
	return nil
}

// convertNumbers replaces every number in place.
func convertNumbers(v any, number numbers) any {
	switch v := v.(type) {
	case json.Number:
		return number(v)
	case map[string]any:
		for k, e := range v {
			v[k] = convertNumbers(e, number)
		}
	case []any:
		for i, e := range v {
			v[i] = convertNumbers(e, number)
		}
	}
	return v
}

// storedNumber is a double, as JSON decodes numbers, as long as nothing is lost: integers that a double does not hold exactly and
// numbers beyond its range become strings of their digits.
func storedNumber(n json.Number) any {
	if i, err := n.Int64(); err == nil {
		if i >= -maxExact && i <= maxExact {
			return float64(i)
		}
		return n.String()
	}
	return fraction(n)
}

// celNumber keeps 64-bit integers integers, so that expressions see ids with all their digits.
func celNumber(n json.Number) any {
	if i, err := n.Int64(); err == nil {
		return i
	}
	if u, err := strconv.ParseUint(n.String(), 10, 64); err == nil {
		return u
	}
	return fraction(n)
}

func fraction(n json.Number) any {
	f, err := n.Float64()
	switch {
	case err != nil || math.Abs(f) > maxExact && isDigits(n.String()):
		return n.String()
	case math.Abs(f) > maxExact && math.Abs(f) < digitsUpTo: // 1e17 and 100000000000000000 are one number
		return strconv.FormatFloat(f, 'f', -1, 64)
	case f == 0: // -0e0 and -0 are one number too
		return 0.0
	}
	return f
}

// isDigits says whether a JSON number is written as an integer.
func isDigits(n string) bool {
	for i := range len(n) {
		if (n[i] < '0' || n[i] > '9') && (i != 0 || n[i] != '-') {
			return false
		}
	}
	return true
}
