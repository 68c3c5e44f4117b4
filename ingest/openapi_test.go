package ingest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestOpenAPI compares the document with the golden file, which clients may be generated from, and checks that it is consistent.
func TestOpenAPI(t *testing.T) {
	t.Parallel()
	rec := newWorld(t).do(t, call{method: "GET", path: "/openapi.json"})
	if rec.Code != http.StatusOK || rec.Header().Get("Content-Type") != "application/openapi+json" {
		t.Fatalf("GET /openapi.json = %d %v", rec.Code, rec.Header())
	}
	got := append(bytes.TrimSpace(rec.Body.Bytes()), '\n')
	if *update {
		if err := os.WriteFile("openapi.json", got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("openapi.json (-want +got); write it with -update:\n%s", diff)
	}
	var doc struct {
		OpenAPI string
		Info    struct{ Title, Version string }
		Paths   map[string]map[string]struct {
			OperationID string
			Summary     string
			Parameters  []struct {
				Name, In string
				Required bool
			}
			Responses map[string]struct{ Description string }
			Security  []map[string][]string
		}
		Components struct{ SecuritySchemes map[string]any }
	}
	if err := json.Unmarshal(got, &doc); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(doc.OpenAPI, "3.1.") || doc.Info.Title == "" || doc.Info.Version != "test" {
		t.Errorf("openapi %q, info %+v", doc.OpenAPI, doc.Info)
	}
	ids := map[string]bool{}
	param := regexp.MustCompile(`\{(\w+)\}`)
	for path, methods := range doc.Paths {
		for method, op := range methods {
			at := method + " " + path
			if op.OperationID == "" || ids[op.OperationID] || op.Summary == "" || len(op.Responses) < 2 {
				t.Errorf("%s: operation %q, summary %q, %d responses", at, op.OperationID, op.Summary, len(op.Responses))
			}
			ids[op.OperationID] = true
			for _, m := range param.FindAllStringSubmatch(path, -1) {
				declared := false
				for _, p := range op.Parameters {
					declared = declared || p.Name == m[1] && p.In == "path" && p.Required
				}
				if !declared {
					t.Errorf("%s: parameter %s is not declared", at, m[1])
				}
			}
			for status, r := range op.Responses {
				if r.Description == "" {
					t.Errorf("%s: %s has no description", at, status)
				}
			}
			for _, s := range op.Security {
				for name := range s {
					if doc.Components.SecuritySchemes[name] == nil {
						t.Errorf("%s: security scheme %s is not declared", at, name)
					}
				}
			}
		}
	}
	var tree any
	if err := json.Unmarshal(got, &tree); err != nil {
		t.Fatal(err)
	}
	checkRefs(t, tree, tree)
	if bytes.Contains(got, []byte("ErrorModel")) {
		t.Error("huma's own error document is in it; all errors are ours")
	}
}

// checkRefs follows every $ref.
func checkRefs(t *testing.T, root, v any) {
	t.Helper()
	switch v := v.(type) {
	case map[string]any:
		if ref, ok := v["$ref"].(string); ok {
			at := root
			for name := range strings.SplitSeq(strings.TrimPrefix(ref, "#/"), "/") {
				m, _ := at.(map[string]any)
				at = m[name]
			}
			if at == nil {
				t.Errorf("%s leads nowhere", ref)
			}
		}
		for _, e := range v {
			checkRefs(t, root, e)
		}
	case []any:
		for _, e := range v {
			checkRefs(t, root, e)
		}
	}
}

// TestDocs wants a page that names every operation, problem and schema and loads nothing.
func TestDocs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	rec := w.do(t, call{method: "GET", path: "/docs"})
	page := rec.Body.String()
	policy := rec.Header().Get("Content-Security-Policy")
	if rec.Code != http.StatusOK || !strings.HasPrefix(rec.Header().Get("Content-Type"), "text/html") || !strings.Contains(policy, "default-src 'none'; style-src 'sha256-") {
		t.Fatalf("GET /docs = %d %v", rec.Code, rec.Header())
	}
	for _, want := range []string{"/v1/items/batch", "/v1/hooks/{source}", "AI_ACCEPTED", "outcome_unknown", `id="schema-Item"`, `href="#schema-Problem"`} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not say %s", want)
		}
	}
	for _, k := range kinds() {
		if !strings.Contains(page, fmt.Sprintf("<code>%s</code>", k.code)) {
			t.Errorf("the page does not name %s", k.code)
		}
	}
	if bad := regexp.MustCompile(`<script|<link|src=|https?://`).FindString(page); bad != "" {
		t.Errorf("the page loads something: %s", bad)
	}
	for _, link := range regexp.MustCompile(`href="#([^"]+)"`).FindAllStringSubmatch(page, -1) {
		if !strings.Contains(page, `id="`+link[1]+`"`) {
			t.Errorf("link to %s leads nowhere", link[1])
		}
	}
}
