package ingest

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

//go:embed docs.html.tmpl
var docsTemplate string

//go:embed docs.css
var docsStyle string

// docsPage draws the OpenAPI document as one page without scripts, so that it works where nothing may be loaded from elsewhere. It
// returns the page and its content security policy.
func docsPage(doc *huma.OpenAPI) (page []byte, policy string, err error) {
	t, err := template.New("docs").Parse(docsTemplate)
	if err != nil {
		return nil, "", fmt.Errorf("parse page: %w", err)
	}
	var buf bytes.Buffer
	err = t.Execute(&buf, map[string]any{
		"Style":      template.CSS(docsStyle), //nolint:gosec // ours, embedded
		"Info":       doc.Info,
		"Operations": docOperations(doc),
		"Schemas":    docSchemas(doc),
		"Problems":   docProblems(),
	})
	if err != nil {
		return nil, "", fmt.Errorf("draw page: %w", err)
	}
	sum := sha256.Sum256([]byte(docsStyle))
	policy = "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; frame-ancestors 'none'; base-uri 'none'"
	return buf.Bytes(), policy, nil
}

type docOperation struct {
	ID, Method, Path, Summary, Description, Body string
	Params                                       []docField
	Security                                     []string
	Responses                                    []docField
}

// docField is a line of a table: a parameter, a field or a response.
type docField struct {
	Name, Where, Type, Ref, Doc string
	Required                    bool
}

type docProblem struct {
	Code, Title string
	Status      int
}

type docSchema struct {
	Name   string
	Fields []docField
}

func docProblems() []docProblem {
	var out []docProblem
	for _, k := range kinds() {
		out = append(out, docProblem{string(k.code), k.title, k.status})
	}
	return out
}

func docOperations(doc *huma.OpenAPI) []docOperation {
	var out []docOperation
	for _, path := range sortedKeys(doc.Paths) {
		item := doc.Paths[path]
		for _, op := range []*huma.Operation{item.Get, item.Post} {
			if op != nil {
				out = append(out, docOperationOf(op))
			}
		}
	}
	return out
}

func docOperationOf(op *huma.Operation) docOperation {
	o := docOperation{ID: op.OperationID, Method: op.Method, Path: op.Path, Summary: op.Summary, Description: op.Description}
	for _, p := range op.Parameters {
		o.Params = append(o.Params, docField{Name: p.Name, Where: p.In, Doc: p.Description, Required: p.Required})
	}
	if op.RequestBody != nil {
		if s := op.RequestBody.Content["application/json"].Schema; s.Ref != "" {
			o.Body = refName(s.Ref)
		}
	}
	for _, alternative := range op.Security {
		o.Security = append(o.Security, sortedKeys(alternative)...)
	}
	for _, status := range sortedKeys(op.Responses) {
		r := op.Responses[status]
		f := docField{Name: status, Doc: r.Description}
		for _, media := range r.Content {
			f.Ref = refName(media.Schema.Ref)
		}
		o.Responses = append(o.Responses, f)
	}
	return o
}

func docSchemas(doc *huma.OpenAPI) []docSchema {
	var out []docSchema
	schemas := doc.Components.Schemas.Map()
	for _, name := range sortedKeys(schemas) {
		s := docSchema{Name: name}
		for _, field := range sortedKeys(schemas[name].Properties) {
			p := schemas[name].Properties[field]
			kind, ref := docType(p)
			s.Fields = append(s.Fields, docField{
				Name: field, Type: kind, Ref: ref, Doc: p.Description, Required: slices.Contains(schemas[name].Required, field),
			})
		}
		out = append(out, s)
	}
	return out
}

// docType says what a schema holds, and which named schema it refers to.
func docType(s *huma.Schema) (kind, ref string) {
	switch {
	case s.Ref != "":
		return refName(s.Ref), refName(s.Ref)
	case s.Type == huma.TypeArray && s.Items != nil:
		kind, ref = docType(s.Items)
		return "list of " + kind, ref
	case len(s.Enum) > 0:
		values := make([]string, len(s.Enum))
		for i, v := range s.Enum {
			values[i] = fmt.Sprint(v)
		}
		return strings.Join(values, " | "), ""
	case s.Format != "":
		return s.Type + " (" + s.Format + ")", ""
	}
	return s.Type, ""
}

func refName(ref string) string { return ref[strings.LastIndex(ref, "/")+1:] }
