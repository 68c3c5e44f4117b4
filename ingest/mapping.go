package ingest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/ext"
	"google.golang.org/protobuf/types/known/structpb"

	"hitl"
)

// Bounds of what a payload can make an expression do. A plain comparison costs 1; looking through a text costs a tenth a byte.
const (
	maxExpression = 4096 // characters of source
	maxCost       = 1_000_000
	checkEvery    = 1000 // loop iterations between looks at the context
	mapTimeout    = 2 * time.Second
)

// Hook maps any JSON payload to an item by CEL expressions (https://cel.dev), over:
//
//   - body, the payload. Integers of up to 64 bits are integers; longer ones are strings of their digits.
//   - headers, a map from lower-case names to first values, without authorization and cookies.
//
// Optional syntax (body.?issue.?title.orValue("")) and CEL's string extensions are there. Expressions are checked when the service
// starts; what they do at run time is bounded.
type Hook struct {
	// When says whether the payload is an item at all; false answers 204 and records nothing. Default: always.
	When string
	// ID gives the item's idempotency key: a string or an integer. Default: the webhook-id of a Standard Webhooks message; else every
	// call is a new item.
	ID string
	// Text gives the text: a string. Required.
	Text string
	// Metadata gives an object. Default: none.
	Metadata string
	// Subject gives the key of the person the text is about: a string, an integer or null. Default: none.
	Subject string
}

// mapping is a compiled Hook. It is safe for concurrent use.
type mapping struct {
	when, id, text, metadata, subject *expression // nil when not configured, but for text
}

// expression is one compiled expression of a hook.
type expression struct {
	field   string // "id"
	source  string
	program cel.Program
}

func newEnv() (*cel.Env, error) {
	return cel.NewEnv(
		cel.Variable("body", cel.DynType),
		cel.Variable("headers", cel.MapType(cel.StringType, cel.StringType)),
		cel.OptionalTypes(),
		ext.Strings(),
		cel.ParserExpressionSizeLimit(maxExpression),
		cel.ASTValidators(cel.ValidateRegexLiterals(), cel.ValidateDurationLiterals(), cel.ValidateTimestampLiterals()),
	)
}

// compile checks all expressions of a hook. Errors name the field and point into the expression.
func compile(env *cel.Env, h Hook) (*mapping, error) {
	m := &mapping{}
	if strings.TrimSpace(h.Text) == "" {
		return nil, errors.New("text: is missing; give the expression that yields the text, like body.message.text")
	}
	key := []*cel.Type{cel.StringType, cel.IntType, cel.UintType, cel.DoubleType}
	var errs []error
	for _, f := range []struct {
		into   **expression
		field  string
		source string
		types  []*cel.Type
	}{
		{&m.when, "when", h.When, []*cel.Type{cel.BoolType}},
		{&m.id, "id", h.ID, key},
		{&m.text, "text", h.Text, []*cel.Type{cel.StringType}},
		{&m.metadata, "metadata", h.Metadata, []*cel.Type{cel.MapType(cel.StringType, cel.DynType)}},
		{&m.subject, "subject", h.Subject, append(key, cel.NullType)},
	} {
		if strings.TrimSpace(f.source) == "" {
			continue
		}
		e, err := compileExpression(env, f.field, f.source, f.types)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		*f.into = e
	}
	return m, errors.Join(errs...)
}

func compileExpression(env *cel.Env, field, source string, allowed []*cel.Type) (*expression, error) {
	ast, issues := env.Compile(source)
	if issues.Err() != nil {
		return nil, fmt.Errorf("%s: %w", field, issues.Err())
	}
	out := ast.OutputType()
	if out.Kind() == types.OpaqueKind && out.TypeName() == "optional_type" {
		out = out.Parameters()[0]
	}
	fits := out.Kind() == types.DynKind
	names := make([]string, len(allowed))
	for i, t := range allowed {
		fits = fits || t.IsAssignableType(out) || out.IsAssignableType(t) // the latter for {}, a map of dyn to dyn
		names[i] = t.String()
	}
	if !fits {
		return nil, fmt.Errorf("%s: `%s` yields %s, it must yield %s", field, source, out, strings.Join(names, ", "))
	}
	program, err := env.Program(ast, cel.EvalOptions(cel.OptOptimize), cel.CostLimit(maxCost), cel.InterruptCheckFrequency(checkEvery))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", field, err)
	}
	return &expression{field, source, program}, nil
}

// eval returns an expression's value; types.NullValue when the expression is not configured or an optional is empty.
func (e *expression) eval(ctx context.Context, vars map[string]any) (ref.Val, error) {
	if e == nil {
		return types.NullValue, nil
	}
	v, _, err := e.program.ContextEval(ctx, vars)
	if err != nil {
		return nil, err
	}
	if o, ok := v.(*types.Optional); ok {
		if !o.HasValue() {
			return types.NullValue, nil
		}
		v = o.GetValue()
	}
	return v, nil
}

// fail is the problem of an expression that did not yield what it should.
func (e *expression) fail(err error) *problem {
	return newProblem(codeUnmappable, fmt.Sprintf("%s: `%s`: %s", e.field, e.source, err), fieldError{"hook." + e.field, err.Error()})
}

// apply maps a payload to a submission; ok is false when the hook's When says that it is none.
func (m *mapping) apply(ctx context.Context, body any, headers map[string]string) (s hitl.Submission, ok bool, p *problem) {
	ctx, cancel := context.WithTimeout(ctx, mapTimeout)
	defer cancel()
	vars := map[string]any{"body": body, "headers": headers}
	if m.when != nil {
		v, err := m.when.eval(ctx, vars)
		if err != nil {
			return s, false, m.when.fail(err)
		}
		b, isBool := v.(types.Bool)
		if !isBool {
			return s, false, m.when.fail(errors.New("yields " + typeName(v) + ", it must yield a bool"))
		}
		if !b {
			return s, false, nil
		}
	}
	for _, step := range []struct {
		e   *expression
		set func(ref.Val) error
	}{
		{m.id, func(v ref.Val) (err error) { s.ExternalID, err = keyOf(v); return err }},
		{m.text, func(v ref.Val) (err error) { s.Text, err = textOf(v); return err }},
		{m.metadata, func(v ref.Val) (err error) { s.Metadata, err = objectOf(v); return err }},
		{m.subject, func(v ref.Val) (err error) {
			if v != types.NullValue && v != types.String("") {
				s.Subject, err = keyOf(v)
			}
			return err
		}},
	} {
		if step.e == nil {
			continue
		}
		v, err := step.e.eval(ctx, vars)
		if err == nil {
			err = step.set(v)
		}
		if err != nil {
			return s, false, step.e.fail(err)
		}
	}
	return s, true, nil
}

func textOf(v ref.Val) (string, error) {
	s, ok := v.(types.String)
	if !ok {
		return "", errors.New("yields " + typeName(v) + ", it must yield a string")
	}
	return string(s), nil
}

// keyOf writes a key: a string, or an integer with all its digits.
func keyOf(v ref.Val) (string, error) {
	switch v := v.(type) {
	case types.String:
		if v == "" {
			return "", errors.New("yields an empty string")
		}
		return string(v), nil
	case types.Int:
		return strconv.FormatInt(int64(v), 10), nil
	case types.Uint:
		return strconv.FormatUint(uint64(v), 10), nil
	case types.Double:
		f := float64(v)
		if f != math.Trunc(f) || math.Abs(f) > maxExact {
			return "", fmt.Errorf("yields %v, which is no integer that a double holds exactly", f)
		}
		return strconv.FormatFloat(f, 'f', -1, 64), nil
	}
	return "", errors.New("yields " + typeName(v) + ", it must yield a string or an integer")
}

// objectOf makes a value what JSON would decode it to, by CEL's own rules: integers beyond 2^53 become strings, timestamps RFC 3339.
func objectOf(v ref.Val) (map[string]any, error) {
	if v == types.NullValue {
		return nil, nil
	}
	native, err := v.ConvertToNative(types.JSONStructType)
	if err != nil {
		return nil, fmt.Errorf("yields %s that is no JSON object: %w", typeName(v), err)
	}
	object, ok := native.(*structpb.Struct)
	if !ok {
		return nil, errors.New("yields " + typeName(v) + ", it must yield an object")
	}
	return object.AsMap(), nil
}

func typeName(v ref.Val) string {
	if v == types.NullValue {
		return "null"
	}
	return "a value of type " + v.Type().TypeName()
}

// hookHeaders is what expressions see of a request's headers.
func hookHeaders(h http.Header) map[string]string {
	out := make(map[string]string, len(h))
	for name, values := range h {
		switch name {
		case "Authorization", "Proxy-Authorization", "Cookie":
			continue
		}
		if len(values) > 0 {
			out[strings.ToLower(name)] = values[0]
		}
	}
	return out
}
