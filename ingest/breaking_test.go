package ingest

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// testdata/openapi-v1.json is the document as it was released. It is replaced when there is a new release, never to make this test pass.
func TestNothingBreaksClientsOfTheReleasedDocument(t *testing.T) {
	t.Parallel()
	for _, b := range breaks(document(t, "testdata/openapi-v1.json"), document(t, "openapi.json")) {
		t.Errorf("clients of the released API break: %s", b)
	}
}

func document(t *testing.T, file string) node {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var doc node
	if err := json.Unmarshal(data, &doc); err != nil {
		t.Fatal(err)
	}
	return doc
}

// node is an object of a document; what is not there is empty.
type node map[string]any

func (n node) at(path ...string) node {
	for _, name := range path {
		n, _ = n[name].(map[string]any)
	}
	return n
}

// list returns a list's texts, or the one text that stands in its place.
func (n node) list(name string) []string {
	switch v := n[name].(type) {
	case string:
		return []string{v}
	case []any:
		var out []string
		for _, e := range v {
			out = append(out, fmt.Sprint(e))
		}
		return out
	}
	return nil
}

// comparison finds what breaks clients of old that talk to the service of now.
type comparison struct {
	old, now node
	seen     map[string]bool
	found    []string
}

func breaks(old, now node) []string {
	c := &comparison{old: old, now: now, seen: map[string]bool{}}
	for _, path := range sortedKeys(old.at("paths")) {
		for _, method := range sortedKeys(old.at("paths", path)) {
			at := strings.ToUpper(method) + " " + path
			if now.at("paths", path, method) == nil {
				c.say("%s is gone", at)
				continue
			}
			c.operation(at, old.at("paths", path, method), now.at("paths", path, method))
		}
	}
	slices.Sort(c.found)
	return c.found
}

func (c *comparison) say(format string, args ...any) {
	c.found = append(c.found, fmt.Sprintf(format, args...))
}

func (c *comparison) operation(at string, old, now node) {
	was, is := parameters(old), parameters(now)
	for _, name := range sortedKeys(was) {
		if is[name] == nil {
			c.say("%s: parameter %s is gone", at, name)
			continue
		}
		c.schema(at+" "+name, was[name].at("schema"), is[name].at("schema"), true)
	}
	for _, name := range sortedKeys(is) {
		if is[name]["required"] == true && (was[name] == nil || was[name]["required"] != true) {
			c.say("%s: parameter %s is required now", at, name)
		}
	}
	if now.at("requestBody")["required"] == true && old.at("requestBody")["required"] != true {
		c.say("%s: a body is required now", at)
	}
	c.content(at+" request", old.at("requestBody", "content"), now.at("requestBody", "content"), true)
	for _, status := range sortedKeys(old.at("responses")) {
		if now.at("responses", status) == nil {
			c.say("%s: response %s is gone", at, status)
			continue
		}
		for _, name := range sortedKeys(old.at("responses", status, "headers")) {
			if now.at("responses", status, "headers", name) == nil {
				c.say("%s %s: header %s is gone", at, status, name)
			}
		}
		c.content(at+" "+status, old.at("responses", status, "content"), now.at("responses", status, "content"), false)
	}
	if len(old.security()) > 0 || len(now.security()) > 0 {
		for _, scheme := range old.security() {
			if !slices.Contains(now.security(), scheme) {
				c.say("%s: security scheme %s is gone", at, scheme)
			}
		}
		if len(old.security()) == 0 {
			c.say("%s: a key is required now", at)
		}
	}
}

// security returns the names of the ways to authenticate, any of which is enough.
func (n node) security() []string {
	var out []string
	ways, _ := n["security"].([]any)
	for _, way := range ways {
		names, _ := way.(map[string]any)
		out = append(out, strings.Join(sortedKeys(names), "+"))
	}
	return out
}

func parameters(op node) map[string]node {
	out := map[string]node{}
	list, _ := op["parameters"].([]any)
	for _, p := range list {
		n, _ := p.(map[string]any)
		out[fmt.Sprint(n["in"], " ", n["name"])] = n
	}
	return out
}

func (c *comparison) content(at string, old, now node, request bool) {
	for _, media := range sortedKeys(old) {
		if now.at(media) == nil {
			c.say("%s: media type %s is gone", at, media)
			continue
		}
		c.schema(at, old.at(media, "schema"), now.at(media, "schema"), request)
	}
}

// schema compares what clients send (request) or read. What they read may gain fields and lose nothing; what they send may be
// allowed more and be asked for nothing more. A response's enum
// may grow: package client, for one, takes a status that it does not know for a final one.
func (c *comparison) schema(at string, old, now node, request bool) {
	oldRef, nowRef := strings.TrimPrefix(fmt.Sprint(old["$ref"]), "#/components/schemas/"), strings.TrimPrefix(fmt.Sprint(now["$ref"]), "#/components/schemas/")
	if old["$ref"] != nil {
		pair := fmt.Sprint(oldRef, nowRef, request)
		if c.seen[pair] {
			return // each schema is told of once, and none for ever
		}
		c.seen[pair] = true
		at, old = oldRef, c.old.at("components", "schemas", oldRef)
	}
	if now["$ref"] != nil {
		now = c.now.at("components", "schemas", nowRef)
	}
	was, is := old.list("type"), now.list("type")
	narrow, wide := was, is // every type that is in narrow must be in wide
	if !request {
		narrow, wide = is, was
	}
	if len(wide) > 0 && (len(narrow) == 0 || slices.ContainsFunc(narrow, func(t string) bool { return !slices.Contains(wide, t) })) {
		c.say("%s: type was %v and is %v", at, was, is)
	}
	for _, name := range []string{"format", "contentEncoding"} {
		if old[name] != now[name] {
			c.say("%s: %s was %v and is %v", at, name, old[name], now[name])
		}
	}
	if request {
		c.limits(at, old, now)
	}
	for _, name := range sortedKeys(old.at("properties")) {
		if now.at("properties", name) == nil {
			c.say("%s: field %s is gone", at, name)
			continue
		}
		c.schema(at+"."+name, old.at("properties", name), now.at("properties", name), request)
	}
	from, to, what := old, now, "is required now"
	if !request {
		from, to, what = now, old, "may be missing now"
	}
	for _, name := range to.list("required") {
		if !slices.Contains(from.list("required"), name) && (request || now.at("properties", name) != nil) {
			c.say("%s: field %s %s", at, name, what)
		}
	}
	for _, name := range []string{"items", "additionalProperties"} {
		if old.at(name) != nil {
			c.schema(at+" "+name, old.at(name), now.at(name), request)
		}
	}
}

// limits compares what a request may hold.
func (c *comparison) limits(at string, old, now node) {
	if is := now.list("enum"); is != nil {
		if old["enum"] == nil {
			c.say("%s: only %v are allowed now", at, is)
		}
		for _, v := range old.list("enum") {
			if !slices.Contains(is, v) {
				c.say("%s: %s is not allowed any more", at, v)
			}
		}
	}
	for _, name := range []string{"maxLength", "maxItems", "maximum", "minLength", "minItems", "minimum"} {
		was, had := old[name].(float64)
		is, has := now[name].(float64)
		if has && (!had || strings.HasPrefix(name, "max") && is < was || strings.HasPrefix(name, "min") && is > was) {
			c.say("%s: %s was %v and is %v", at, name, old[name], is)
		}
	}
	if now["pattern"] != nil && now["pattern"] != old["pattern"] {
		c.say("%s: pattern was %v and is %v", at, old["pattern"], now["pattern"])
	}
}

// TestBreaksAreFound changes the released document in every way that breaks clients, and in ways that do not.
func TestBreaksAreFound(t *testing.T) {
	t.Parallel()
	schema := func(d node, name string) node { return d.at("components", "schemas", name) }
	remove := func(n node, list, value string) {
		n[list] = slices.DeleteFunc(n[list].([]any), func(v any) bool { return v == value })
	}
	add := func(n node, list string, value any) { l, _ := n[list].([]any); n[list] = append(l, value) }
	submit := func(d node) node { return d.at("paths", "/v1/items", "post") }
	for name, c := range map[string]struct {
		change func(d node)
		want   []string
	}{
		"path":              {func(d node) { delete(d.at("paths"), "/v1/items/batch") }, []string{"POST /v1/items/batch is gone"}},
		"operation":         {func(d node) { delete(d.at("paths", "/v1/items/{id}"), "get") }, []string{"GET /v1/items/{id} is gone"}},
		"parameter":         {func(d node) { delete(submit(d), "parameters") }, []string{"POST /v1/items: parameter header Idempotency-Key is gone"}},
		"response":          {func(d node) { delete(submit(d).at("responses"), "202") }, []string{"POST /v1/items: response 202 is gone"}},
		"media type":        {func(d node) { delete(submit(d).at("responses", "200", "content"), "application/json") }, []string{"POST /v1/items 200: media type application/json is gone"}},
		"field":             {func(d node) { delete(schema(d, "Item").at("properties"), "label") }, []string{"Item: field label is gone"}},
		"field of a list":   {func(d node) { delete(schema(d, "Verdict").at("properties"), "comment") }, []string{"Verdict: field comment is gone"}},
		"optional answer":   {func(d node) { remove(schema(d, "Item"), "required", "source") }, []string{"Item: field source may be missing now"}},
		"null in an answer": {func(d node) { schema(d, "Item").at("properties", "source")["type"] = []any{"string", "null"} }, []string{"Item.source: type was [string] and is [string null]"}},
		"type":              {func(d node) { schema(d, "Item").at("properties", "confidence")["type"] = "string" }, []string{"Item.confidence: type was [number] and is [string]"}},
		"format":            {func(d node) { delete(schema(d, "Item").at("properties", "received_at"), "format") }, []string{"Item.received_at: format was date-time and is <nil>"}},
		"element type":      {func(d node) { schema(d, "Item").at("properties", "triggers", "items")["type"] = "integer" }, []string{"Item.triggers items: type was [string] and is [integer]"}},
		"required field":    {func(d node) { add(schema(d, "Submission"), "required", "id") }, []string{"Submission: field id is required now"}},
		"new required field": {func(d node) {
			schema(d, "Submission").at("properties")["lang"] = map[string]any{"type": "string"}
			add(schema(d, "Submission"), "required", "lang")
		}, []string{"Submission: field lang is required now"}},
		"request field": {func(d node) { delete(schema(d, "Submission").at("properties"), "subject") }, []string{"Submission: field subject is gone"}},
		"new enum":      {func(d node) { schema(d, "Submission").at("properties", "source")["enum"] = []any{"a"} }, []string{"Submission.source: only [a] are allowed now"}},
		"shorter":       {func(d node) { schema(d, "Submission").at("properties", "id")["maxLength"] = 100.0 }, []string{"Submission.id: maxLength was 256 and is 100"}},
		"longer":        {func(d node) { schema(d, "Submission").at("properties", "text")["minLength"] = 2.0 }, []string{"Submission.text: minLength was 1 and is 2"}},
		"pattern":       {func(d node) { schema(d, "Submission").at("properties", "id")["pattern"] = "^a" }, []string{"Submission.id: pattern was <nil> and is ^a"}},
		"new key":       {func(d node) { d.at("paths", "/healthz", "get")["security"] = []any{map[string]any{"key": []any{}}} }, []string{"GET /healthz: a key is required now"}},
		"other key":     {func(d node) { submit(d)["security"] = []any{map[string]any{"oauth": []any{}}} }, []string{"POST /v1/items: security scheme key is gone"}},
		"required parameter": {func(d node) {
			add(submit(d), "parameters", map[string]any{"in": "query", "name": "lang", "required": true})
		}, []string{"POST /v1/items: parameter query lang is required now"}},

		"new path":               {func(d node) { d.at("paths")["/v2/items"] = map[string]any{} }, nil},
		"new response":           {func(d node) { submit(d).at("responses")["418"] = map[string]any{} }, nil},
		"new answer field":       {func(d node) { schema(d, "Item").at("properties")["lang"] = map[string]any{"type": "string"} }, nil},
		"answer always there":    {func(d node) { add(schema(d, "Item"), "required", "label") }, nil},
		"new optional field":     {func(d node) { schema(d, "Submission").at("properties")["lang"] = map[string]any{"type": "string"} }, nil},
		"null in a request":      {func(d node) { schema(d, "Submission").at("properties", "id")["type"] = []any{"string", "null"} }, nil},
		"request allows more":    {func(d node) { schema(d, "Submission").at("properties", "id")["maxLength"] = 300.0 }, nil},
		"field not required now": {func(d node) { remove(schema(d, "Submission"), "required", "text") }, nil},
		"new way to sign":        {func(d node) { add(submit(d), "security", map[string]any{"webhook": []any{}}) }, nil},
		"words":                  {func(d node) { submit(d)["summary"] = "Hand an item in" }, nil},
	} {
		now := document(t, "testdata/openapi-v1.json")
		c.change(now)
		if diff := cmp.Diff(c.want, breaks(document(t, "testdata/openapi-v1.json"), now)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	old, now := document(t, "testdata/openapi-v1.json"), document(t, "testdata/openapi-v1.json")
	wait := func(d node) node {
		return parameters(d.at("paths", "/v1/items/{id}", "get"))["query wait"].at("schema")
	}
	wait(old)["enum"], wait(now)["enum"] = []any{"30s", "60s"}, []any{"30s"}
	if diff := cmp.Diff([]string{"GET /v1/items/{id} query wait: 60s is not allowed any more"}, breaks(old, now)); diff != "" {
		t.Errorf("narrowed enum (-want +got):\n%s", diff)
	}
}
