package ingest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"hitl"
)

const description = `Texts come in, the sure ones are answered at once, the others by a person.

Post an item and look at its status: AI_ACCEPTED is an answer, HUMAN_REVIEW means that a reviewer is asked. Learn the answer
from the callback, or from GET /v1/items/{id}?wait=30s.

A 2xx means that the item is stored. After 429 or 503 send the same again, with the same id, not before Retry-After has passed.
Errors are problem documents (RFC 9457); their code never changes its meaning.`

// routes registers every route and builds the OpenAPI document and the page from them.
func (a *api) routes(mux *http.ServeMux) error {
	h := humago.New(mux, huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info:    &huma.Info{Title: "hitl", Version: a.Version, Description: description},
			Components: &huma.Components{
				Schemas: huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer),
				SecuritySchemes: map[string]*huma.SecurityScheme{
					"key":       {Type: "http", Scheme: "bearer", Description: "A bearer key. It has rights: submit and read its source's items, or admin, to read everything."},
					"webhook":   {Type: "apiKey", In: "header", Name: headerSignature, Description: "Standard Webhooks: Webhook-Id, Webhook-Timestamp (within five minutes) and Webhook-Signature."},
					"signature": {Type: "apiKey", In: "header", Name: "X-Hub-Signature-256", Description: "Hex HMAC-SHA256 of the body, in GitHub's form; header and prefix are the source's configuration."},
				},
			},
		},
		Formats:       map[string]huma.Format{"application/json": huma.DefaultJSONFormat, "json": huma.DefaultJSONFormat},
		DefaultFormat: "application/json",
		Transformers:  []huma.Transformer{ownProblems},
	})
	a.itemRoutes(h)
	a.otherRoutes(h)
	a.treeRoutes(h)
	doc := h.OpenAPI()
	documentBodies(doc)
	spec, err := json.MarshalIndent(doc, "", "  ")
	if err != nil {
		return fmt.Errorf("write openapi document: %w", err)
	}
	page, policy, err := docsPage(doc)
	if err != nil {
		return fmt.Errorf("write docs page: %w", err)
	}
	mux.Handle("GET /openapi.json", static("application/openapi+json", "", spec))
	mux.Handle("GET /docs", static("text/html; charset=utf-8", policy, page))
	mux.Handle("/", elsewhere(mux))
	return nil
}

func (a *api) itemRoutes(h huma.API) {
	submitting, reading := a.authenticate(hitl.RightSubmit), a.authenticate(hitl.RightRead)
	key := []map[string][]string{{"key": {}}}
	huma.Register(h, huma.Operation{
		OperationID: "submit-item", Method: http.MethodPost, Path: "/v1/items", Tags: []string{"items"}, Security: key,
		Summary:     "Submit an item",
		Description: "200: the model was sure, status is AI_ACCEPTED. 202: a person is asked, status is HUMAN_REVIEW. An id that was used before with the same body returns the stored item with Idempotent-Replayed: true and the same status code.",
		Middlewares: huma.Middlewares{submitting, a.limitRate, readBody(a.MaxBody)},
		Responses: responses[item](h, []int{http.StatusOK, http.StatusAccepted}, codeMalformed, codeUnauthorized, codeForbidden, codeReadTimeout, codeConflict,
			codeTooLarge, codeUnsupported, codeInvalid, codeBusy, codeRateLimited, codeInternal, codeBacklog, codeUnavailable, codeOutcomeUnknown),
	}, a.postItem)
	huma.Register(h, huma.Operation{
		OperationID: "submit-batch", Method: http.MethodPost, Path: "/v1/items/batch", Tags: []string{"items"}, Security: key,
		Summary:     "Submit up to 1,000 items",
		Description: "Each item is answered on its own, in order, with what POST /v1/items would have answered; each counts against the source's rate. The batch itself answers 200 as soon as it could be read, even when no item of it was taken: look at each result's status.",
		Middlewares: huma.Middlewares{submitting, readBody(a.MaxBatchBody)},
		Responses: responses[batchAnswer](h, []int{http.StatusOK}, codeMalformed, codeUnauthorized, codeForbidden, codeReadTimeout, codeTooLarge,
			codeUnsupported, codeInvalid, codeInternal),
	}, a.postBatch)
	huma.Register(h, huma.Operation{
		OperationID: "get-item", Method: http.MethodGet, Path: "/v1/items/{id}", Tags: []string{"items"}, Security: key,
		Summary:     "Look at an item, or wait for its answer",
		Description: "Always answers the item as it is; with wait, no later than its answer or the end of the time.",
		Middlewares: huma.Middlewares{reading},
		Responses:   responses[item](h, []int{http.StatusOK}, codeUnauthorized, codeForbidden, codeNotFound, codeInvalid, codeInternal, codeUnavailable),
	}, a.getItem)
	huma.Register(h, huma.Operation{
		OperationID: "get-item-log", Method: http.MethodGet, Path: "/v1/items/{id}/log", Tags: []string{"items"}, Security: key,
		Summary:     "What the append-only log holds of an item",
		Middlewares: huma.Middlewares{reading},
		Responses:   responses[itemLog](h, []int{http.StatusOK}, codeUnauthorized, codeForbidden, codeNotFound, codeInternal, codeUnavailable),
	}, a.getLog)
}

func (a *api) otherRoutes(h huma.API) {
	huma.Register(h, huma.Operation{
		OperationID: "call-hook", Method: http.MethodPost, Path: "/v1/hooks/{source}", Tags: []string{"hooks"},
		Security:    []map[string][]string{{"key": {}}, {"webhook": {}}, {"signature": {}}},
		Summary:     "Send any JSON as a webhook",
		Description: "The source's configuration maps the payload to an item by CEL expressions; the answer is that of POST /v1/items. 204: the payload is none that the source wants. A payload that cannot be mapped is a 422 (unmappable) that names the expression and says why.",
		Middlewares: huma.Middlewares{a.authenticateHook},
		Responses: withNoContent(responses[item](h, []int{http.StatusOK, http.StatusAccepted}, codeMalformed, codeUnauthorized, codeForbidden, codeNotFound, codeReadTimeout,
			codeConflict, codeTooLarge, codeUnsupported, codeInvalid, codeUnmappable, codeBusy, codeRateLimited, codeInternal, codeBacklog, codeUnavailable,
			codeOutcomeUnknown)),
	}, a.postHook)
	huma.Register(h, huma.Operation{
		OperationID: "get-stats", Method: http.MethodGet, Path: "/v1/stats", Tags: []string{"statistics"},
		Security:    []map[string][]string{{"key": {}}},
		Summary:     "Figures of a period",
		Description: "Of all sources; needs the right admin, or a key of a source that is configured to see them. Durations are in nanoseconds.",
		Middlewares: huma.Middlewares{a.authenticate(hitl.RightAdmin, rightStats)},
		Responses:   responses[hitl.Stats](h, []int{http.StatusOK}, codeUnauthorized, codeForbidden, codeInvalid, codeInternal, codeUnavailable),
	}, a.getStats)
	huma.Register(h, huma.Operation{
		OperationID: "healthz", Method: http.MethodGet, Path: "/healthz", Tags: []string{"health"}, Summary: "The process is alive",
		Responses: responses[health](h, []int{http.StatusOK}, codeInternal),
	}, a.getHealth)
	huma.Register(h, huma.Operation{
		OperationID: "readyz", Method: http.MethodGet, Path: "/readyz", Tags: []string{"health"}, Summary: "All parts work",
		Description: "503 names each failing check.",
		Responses:   responses[health](h, []int{http.StatusOK}, codeInternal, codeNotReady),
	}, a.getReady)
}

// responses documents what a route may answer: T with each of ok, or a problem with one of the codes.
func responses[T any](h huma.API, ok []int, codes ...code) map[string]*huma.Response {
	schema := func(t reflect.Type) *huma.Schema { return h.OpenAPI().Components.Schemas.Schema(t, true, "") }
	out := map[string]*huma.Response{}
	for _, status := range ok {
		out[strconv.Itoa(status)] = &huma.Response{
			Description: http.StatusText(status),
			Content:     map[string]*huma.MediaType{"application/json": {Schema: schema(reflect.TypeFor[T]())}},
		}
	}
	for _, c := range codes {
		p := newProblem(c, "")
		status := strconv.Itoa(p.Status)
		if known := out[status]; known != nil {
			known.Description += "; " + string(c)
			continue
		}
		out[status] = &huma.Response{
			Description: string(c),
			Content:     map[string]*huma.MediaType{p.ContentType(""): {Schema: schema(reflect.TypeFor[problem]())}},
		}
	}
	return out
}

func withNoContent(out map[string]*huma.Response) map[string]*huma.Response {
	out[strconv.Itoa(http.StatusNoContent)] = &huma.Response{Description: "Not an item; nothing was recorded"}
	return out
}

// documentBodies takes huma's own error document out, which ownProblems replaces, and adds the request bodies, which huma does not read: signatures need their bytes, and batches are checked item by item.
func documentBodies(doc *huma.OpenAPI) {
	body := func(s *huma.Schema) *huma.RequestBody {
		return &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{"application/json": {Schema: s}}}
	}
	schemas := doc.Components.Schemas
	delete(schemas.Map(), "ErrorModel")
	delete(schemas.Map(), "ErrorDetail")
	doc.Paths["/v1/items"].Post.RequestBody = body(schemas.Schema(reflect.TypeFor[submission](), true, ""))
	doc.Paths["/v1/items/batch"].Post.RequestBody = body(schemas.Schema(reflect.TypeFor[batch](), true, ""))
	doc.Paths["/v1/hooks/{source}"].Post.RequestBody = body(&huma.Schema{Description: "Any JSON."})
}

// static answers with what was built at the start.
func static(contentType, policy string, body []byte) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		if policy != "" {
			w.Header().Set("Content-Security-Policy", policy)
		}
		_, _ = w.Write(body) // the client may be gone
	})
}

// elsewhere answers what no route takes: 405 when the path has another method, else 404.
func elsewhere(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var allowed []string
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			probe := r.Clone(r.Context())
			probe.Method = method
			if _, pattern := mux.Handler(probe); pattern != "/" && pattern != "" {
				allowed = append(allowed, method)
			}
		}
		if len(allowed) == 0 {
			newProblem(codeNotFound, "").write(w)
			return
		}
		p := newProblem(codeMethodNotAllowed, "")
		p.header = http.Header{"Allow": {strings.Join(allowed, ", ")}}
		p.write(w)
	})
}
