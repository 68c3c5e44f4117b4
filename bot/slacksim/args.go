package slacksim

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

const maxBody = 1 << 20 // bytes; far above anything Slack accepts

// args are a call's arguments: strings from a form, decoded JSON from a JSON body. Empty form values count as absent,
// as they do in Slack.
type args map[string]any

// readArgs takes the token and the arguments from a request. Forms may carry the token as a field; JSON bodies need it
// as a Bearer header. A token in the query string is not read: Slack has refused those since 2021.
func readArgs(r *http.Request) (args, string, error) {
	token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	a := args{}
	form := func(values url.Values) {
		for k, v := range values {
			if len(v) > 0 && v[0] != "" {
				a[k] = strings.ToValidUTF8(v[0], "\uFFFD")
			}
		}
	}
	if id, secret, ok := r.BasicAuth(); ok { // which oauth.v2.access takes in place of the two fields
		token, a["client_id"], a["client_secret"] = "", id, secret
	}
	query := r.URL.Query()
	query.Del("token")
	form(query)
	if r.Method == http.MethodGet {
		return a, token, nil
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	if err != nil {
		return nil, "", fmt.Errorf("read body: %w", err)
	}
	if len(body) > maxBody {
		return nil, "", slackError("request_too_large")
	}
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	switch kind {
	case "application/json":
		var fields map[string]any
		if len(body) == 0 { // which is how slack-go sends no arguments, and Slack takes it
			break
		}
		if err := decodeJSON(body, &fields); err != nil || fields == nil {
			return nil, "", slackError("invalid_json")
		}
		for k, v := range fields {
			if v != nil && v != "" && k != "token" {
				a[k] = v
			}
		}
	case "application/x-www-form-urlencoded", "":
		values, err := url.ParseQuery(string(body))
		if err != nil {
			return nil, "", slackError("invalid_form_data")
		}
		if t := values.Get("token"); t != "" {
			token = t
		}
		values.Del("token")
		form(values)
	case "multipart/form-data":
		r.Body = io.NopCloser(bytes.NewReader(body))
		if err := r.ParseMultipartForm(maxBody); err != nil {
			return nil, "", slackError("invalid_form_data")
		}
		if t := r.PostForm.Get("token"); t != "" {
			token = t
		}
		r.PostForm.Del("token")
		form(r.PostForm)
	default:
		return nil, "", slackError("invalid_post_type")
	}
	return a, token, nil
}

// decodeJSON decodes exactly one value, numbers as json.Number.
func decodeJSON(raw []byte, into any) error {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	if err := dec.Decode(into); err != nil {
		return fmt.Errorf("decode JSON: %w", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errors.New("decode JSON: more than one value")
	}
	return nil
}

func (a args) has(name string) bool { _, ok := a[name]; return ok }

// str returns a string argument; check has seen to it that it is one.
func (a args) str(name string) string { s, _ := a[name].(string); return s }

func (a args) flag(name string) bool {
	switch v := a[name].(type) {
	case bool:
		return v
	case string:
		return v == "true" || v == "1"
	}
	return false
}

func (a args) num(name string, fallback int) int {
	n, err := strconv.Atoi(fmt.Sprint(a[name]))
	if err != nil {
		return fallback
	}
	return n
}

// value returns a structured argument, which a form carries as JSON text and a JSON body may carry so too.
func (a args) value(name string) (any, error) {
	text, isText := a[name].(string)
	if !isText {
		return a[name], nil
	}
	var v any
	if err := decodeJSON([]byte(text), &v); err != nil {
		return nil, err
	}
	return v, nil
}

// recorded renders the arguments for the call record: strings as they are, the rest as JSON, secrets not at all.
func (a args) recorded() map[string]string {
	out := make(map[string]string, len(a))
	for k, v := range a {
		if k == "client_secret" || k == "refresh_token" {
			continue
		}
		if s, ok := v.(string); ok {
			out[k] = s
			continue
		}
		raw, err := json.Marshal(v)
		if err != nil {
			raw = []byte(err.Error())
		}
		out[k] = string(raw)
	}
	return out
}

// kind is what an argument must look like.
type kind int

const (
	text kind = iota
	boolean
	number
	structure   // an object or array; JSON text in a form
	unsimulated // Slack knows it, the simulator refuses it rather than ignore it
)

// argument is one argument that a method takes.
type argument struct {
	kind     kind
	required bool
}

// arguments reads the compact form of the method table: "channel! ts! text limit:number blocks:structure". A ! marks
// required ones.
func arguments(spec string) map[string]argument {
	kinds := map[string]kind{
		"": text, "boolean": boolean, "number": number, "structure": structure, "unsimulated": unsimulated,
	}
	out := map[string]argument{}
	for word := range strings.FieldsSeq(spec) {
		name, kindName, _ := strings.Cut(word, ":")
		name, required := strings.CutSuffix(name, "!")
		k, ok := kinds[kindName]
		if !ok {
			panic("slacksim: method table: unknown kind in " + word)
		}
		out[name] = argument{kind: k, required: required}
	}
	return out
}

// check holds the arguments against the method's list. Unlike Slack, which ignores unknown arguments, it refuses them:
// they are always a mistake in the caller.
func (a args) check(spec map[string]argument) error {
	var problems []problem
	names := make([]string, 0, len(a)+len(spec))
	for n := range a {
		names = append(names, n)
	}
	for n := range spec {
		if !a.has(n) {
			names = append(names, n)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		want, known := spec[name]
		v, given := a[name]
		fail := func(format string, v ...any) {
			problems = append(problems, problem{pointer: "/" + name, text: fmt.Sprintf(format, v...)})
		}
		switch {
		case !known:
			fail("unknown argument: %s", name)
		case !given && want.required:
			problems = append(problems, problem{text: "missing required field: " + name})
		case !given:
		case want.kind == unsimulated:
			fail("argument not simulated: %s", name)
		case want.kind == text:
			if _, ok := v.(string); !ok {
				fail("must provide a string")
			}
		case want.kind == boolean:
			if _, ok := v.(bool); !ok && !slices.Contains([]any{"true", "false", "1", "0"}, v) {
				fail("must provide a boolean")
			}
		case want.kind == number:
			if _, err := strconv.Atoi(fmt.Sprint(v)); err != nil {
				fail("must provide a number")
			}
		}
	}
	if len(problems) > 0 {
		return &apiError{code: "invalid_arguments", problems: problems, refused: true}
	}
	return nil
}
