package ingest

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"hitl"
)

// BenchmarkPost compares POST /v1/items with the least a handler can do on the bare mux: decode, submit, encode.
func BenchmarkPost(b *testing.B) {
	const body = `{"text":"sure: the parcel came broken and nobody answers the phone","metadata":{"channel":"mail","order":4711}}`
	b.Run("ingest", func(b *testing.B) {
		w := newWorld(b, func(c *Config) { c.Logger = testLogger(); c.Observe = nil })
		run(b, w.handler, body)
	})
	b.Run("bare", func(b *testing.B) {
		w := newWorld(b)
		source := hitl.Source{Model: model{}, Policy: policy{}}
		in := &hitl.Intake{Sources: map[string]hitl.Source{"help": source}, Ledger: w.store, Waiting: w.store, Logger: testLogger(), Now: func() time.Time { return testNow }}
		mux := http.NewServeMux()
		mux.HandleFunc("POST /v1/items", func(rw http.ResponseWriter, r *http.Request) {
			var s submission
			if err := json.NewDecoder(r.Body).Decode(&s); err != nil {
				b.Error(err)
			}
			rec, _, err := in.Submit(r.Context(), hitl.Submission{Source: "help", ExternalID: s.ID, Text: s.Text, Metadata: s.Metadata})
			if err != nil {
				b.Error(err)
			}
			if err := json.NewEncoder(rw).Encode(view(rec)); err != nil {
				b.Error(err)
			}
		})
		run(b, mux, body)
	})
}

func run(b *testing.B, h http.Handler, body string) {
	b.Helper()
	req := call{method: "POST", path: "/v1/items", key: helpKey, body: body}.request(b)
	b.ReportAllocs()
	for b.Loop() {
		req.Body = io.NopCloser(strings.NewReader(body))
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, req)
		if rec.Code != http.StatusOK {
			b.Fatalf("%d %s", rec.Code, rec.Body)
		}
	}
}
