package ingest

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hitl"
)

// TestProblems has at least one request for every problem and compares whole answers with testdata/problems.json.
func TestProblems(t *testing.T) {
	t.Parallel()
	type want struct {
		Status int               `json:"status"`
		Header map[string]string `json:"header,omitempty"`
		Body   json.RawMessage   `json:"body"`
	}
	ok := `{"text":"sure thing"}`
	deep := `{"text":"x","metadata":` + strings.Repeat(`{"a":`, 100) + `1` + strings.Repeat(`}`, 101)
	post := func(body string) call { return call{method: "POST", path: "/v1/items", key: helpKey, body: body} }
	get := func(path string) call { return call{method: "GET", path: path, key: helpKey} }
	with := func(c call, name, value string) call {
		c.header = map[string]string{name: value}
		return c
	}
	cases := map[string]struct {
		call  call
		setup func(*world)
	}{
		"no key":                  {call: call{method: "POST", path: "/v1/items", body: ok}},
		"wrong key":               {call: call{method: "POST", path: "/v1/items", key: "guess", body: ok}},
		"empty body":              {call: post("")},
		"malformed":               {call: post(`{"text":`)},
		"malformed in the middle": {call: post(`{"text" "x"}`)},
		"trailing data":           {call: post(ok + `{}`)},
		"too deep":                {call: post(deep)},
		"metadata too deep":       {call: post(`{"text":"x","metadata":` + strings.Repeat(`{"a":`, 20) + `1` + strings.Repeat(`}`, 21))},
		"not an object":           {call: post(`["text"]`)},
		"no text":                 {call: post(`{"id":"1"}`)},
		"blank text":              {call: post(`{"text":" \n"}`)},
		"text null":               {call: post(`{"text":null}`)},
		"several errors":          {call: post(`{"text":1,"id":2,"metadata":[],"subject":{},"txet":""}`)},
		"long id":                 {call: post(`{"text":"x","id":"` + strings.Repeat("i", 257) + `"}`)},
		"control character in id": {call: post(`{"text":"x","id":"a\u0000b"}`)},
		"large metadata":          {call: post(`{"text":"x","metadata":{"a":"` + strings.Repeat("m", 70<<10) + `"}}`)},
		"other source":            {call: post(`{"text":"x","source":"shop"}`)},
		"two ids":                 {call: with(post(`{"text":"x","id":"1"}`), "Idempotency-Key", "2")},
		"long header id":          {call: with(post(`{"text":"x"}`), "Idempotency-Key", strings.Repeat("k", 300))},
		"conflict":                {call: post(`{"text":"sure other","id":"twice"}`), setup: func(w *world) { w.post(t, `{"text":"sure","id":"twice"}`) }},
		"text too long":           {call: post(`{"text":"` + strings.Repeat("x", 1<<20+1) + `"}`)},
		"body too large":          {call: post(`{"text":"` + strings.Repeat("x", 2<<20) + `"}`)},
		"gzip":                    {call: with(post(ok), "Content-Encoding", "gzip")},
		"form":                    {call: with(post(ok), "Content-Type", "application/x-www-form-urlencoded")},
		"latin-1":                 {call: with(post(ok), "Content-Type", "application/json; charset=iso-8859-1")},
		"content type broken":     {call: with(post(ok), "Content-Type", "application/json; charset")},
		"busy":                    {call: post(`{"text":"busy"}`)},
		"rate limited": {call: call{method: "POST", path: "/v1/items", key: slowKey, body: ok}, setup: func(w *world) {
			w.do(t, call{method: "POST", path: "/v1/items", key: slowKey, body: ok})
		}},
		"backlog":                   {call: post(`{"text":"unsure"}`), setup: func(w *world) { w.store.backlog = 100 }},
		"unavailable":               {call: post(`{"text":"closed"}`)},
		"unavailable for a while":   {call: post(`{"text":"later"}`)},
		"outcome unknown":           {call: post(ok), setup: func(w *world) { w.store.fail = errSecret }},
		"panic":                     {call: post(`{"text":"panic"}`)},
		"not found":                 {call: get("/v1/items/itm_0123")},
		"not an id":                 {call: get("/v1/items/itm_%00")},
		"other id":                  {call: get("/v1/items/batch")},
		"internal":                  {call: get("/v1/items/itm_0123"), setup: func(w *world) { w.store.fail = errSecret }},
		"wait too long":             {call: get("/v1/items/itm_0123?wait=61s")},
		"wait negative":             {call: get("/v1/items/itm_0123?wait=-1s")},
		"wait nonsense":             {call: get("/v1/items/itm_0123?wait=soon")},
		"log not found":             {call: get("/v1/items/itm_0123/log")},
		"stats since":               {call: get("/v1/stats?since=tomorrow")},
		"stats too far":             {call: get("/v1/stats?since=400d")},
		"stats until":               {call: get("/v1/stats?since=1h&until=2h")},
		"stats queue":               {call: get("/v1/stats?queue=" + strings.Repeat("q", 101))},
		"stats queue not utf-8":     {call: get("/v1/stats?queue=%ff")},
		"stats forbidden":           {call: call{method: "GET", path: "/v1/stats", key: shopKey}},
		"stats internal":            {call: get("/v1/stats"), setup: func(w *world) { w.store.fail = errSecret }},
		"no route":                  {call: get("/v2/items")},
		"no method":                 {call: call{method: "DELETE", path: "/v1/items/itm_0123", key: helpKey}},
		"no method, other one":      {call: get("/v1/items")},
		"batch not an object":       {call: call{method: "POST", path: "/v1/items/batch", key: helpKey, body: `[]`}},
		"batch empty":               {call: call{method: "POST", path: "/v1/items/batch", key: helpKey, body: `{"items":[]}`}},
		"batch unknown field":       {call: call{method: "POST", path: "/v1/items/batch", key: helpKey, body: `{"itmes":[]}`}},
		"batch malformed":           {call: call{method: "POST", path: "/v1/items/batch", key: helpKey, body: `{`}},
		"batch too many":            {call: call{method: "POST", path: "/v1/items/batch", key: helpKey, body: `{"items":[1` + strings.Repeat(",1", 1000) + `]}`}},
		"batch with idempotent key": {call: with(call{method: "POST", path: "/v1/items/batch", key: helpKey, body: `{"items":[{}]}`}, "Idempotency-Key", "1")},
		"hook of nobody":            {call: call{method: "POST", path: "/v1/hooks/nobody", key: shopKey, body: ok}},
		"hook of another":           {call: call{method: "POST", path: "/v1/hooks/hub", key: shopKey, body: ok}},
		"no hook":                   {call: call{method: "POST", path: "/v1/hooks/help", key: helpKey, body: ok}},
		"hook malformed":            {call: call{method: "POST", path: "/v1/hooks/shop", key: shopKey, body: `{`}},
		"hook unmappable":           {call: call{method: "POST", path: "/v1/hooks/shop", key: shopKey, body: `{"message":"x"}`}},
		"hook with null":            {call: call{method: "POST", path: "/v1/hooks/shop", key: shopKey, body: `{"text":null}`}},
		"hook with blank text":      {call: call{method: "POST", path: "/v1/hooks/shop", key: shopKey, body: `{"text":""}`}},
	}
	const golden = "testdata/problems.json"
	wants := map[string]want{}
	if b, err := os.ReadFile(golden); err == nil {
		if err := json.Unmarshal(b, &wants); err != nil {
			t.Fatal(err)
		}
	}
	codes := map[code]bool{}
	for _, name := range slices.Sorted(maps.Keys(cases)) {
		c := cases[name]
		w := newWorld(t)
		if c.setup != nil {
			c.setup(w)
		}
		rec := w.do(t, c.call)
		if ct := rec.Header().Get("Content-Type"); ct != "application/problem+json" {
			t.Errorf("%s: Content-Type = %q", name, ct)
		}
		p := decode[problem](t, rec)
		codes[p.Code] = true
		if p.Status != rec.Code {
			t.Errorf("%s: status %d in the body, %d in the answer", name, p.Status, rec.Code)
		}
		if strings.Contains(rec.Body.String(), "secret") {
			t.Errorf("%s: the answer tells internals: %s", name, rec.Body)
		}
		got := want{Status: rec.Code, Header: map[string]string{}, Body: bytes.TrimSpace(rec.Body.Bytes())}
		for _, h := range []string{"Retry-After", "Www-Authenticate", "Allow", "Accept", "Accept-Encoding"} {
			if v := rec.Header().Get(h); v != "" {
				got.Header[h] = v
			}
		}
		if *update {
			wants[name] = got
			continue
		}
		if diff := cmp.Diff(normal(t, wants[name]), normal(t, got)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	for _, k := range kinds() {
		if !codes[k.code] && k.code != codeReadTimeout && k.code != codeNotReady { // these two have their own tests
			t.Errorf("no request is answered with %s", k.code)
		}
	}
	for name := range wants {
		if _, ok := cases[name]; !ok && !*update {
			t.Errorf("%s: the golden file has a case that is gone", name)
		}
	}
	if *update {
		writeGolden(t, golden, wants)
	}
}

// normal makes values comparable however their JSON was written.
func normal(t *testing.T, v any) any {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var out any
	if err := json.Unmarshal(b, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func writeGolden(t *testing.T, path string, v any) {
	t.Helper()
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, buf.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestSubmit(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	post := func(body string) call { return call{method: "POST", path: "/v1/items", key: helpKey, body: body} }

	rec := w.do(t, post(`{"id":"t-1","text":"sure","metadata":{"a":1,"a":2},"subject":"c-1","source":"help"}`))
	got := decode[item](t, rec)
	want := item{
		ID: got.ID, ExternalID: "t-1", Source: "help", Status: hitl.AIAccepted, Label: "NEGATIVE", AILabel: "NEGATIVE", Confidence: 1,
		Scores:   []hitl.Score{{Label: "NEGATIVE", Probability: 0.75}, {Label: "POSITIVE", Probability: 0.25}},
		Triggers: []hitl.Trigger{}, Model: "m1", Policy: "p1", Threshold: 0.85, ReceivedAt: testNow, DecidedAt: &testNow,
	}
	if diff := cmp.Diff(want, got); diff != "" || rec.Code != http.StatusOK {
		t.Errorf("sure item: %d (-want +got):\n%s", rec.Code, diff)
	}
	if h := rec.Header().Get("Idempotent-Replayed"); h != "" {
		t.Errorf("the first answer says Idempotent-Replayed: %s", h)
	}

	rec = w.do(t, post(`{"id":"t-2","text":"unsure"}`))
	first := rec.Body.String()
	got = decode[item](t, rec)
	expires := testNow.Add(3600e9)
	want = item{
		ID: got.ID, ExternalID: "t-2", Source: "help", Status: hitl.HumanReview, AILabel: "NEGATIVE", Confidence: 0.75,
		Scores: want.Scores, Triggers: []hitl.Trigger{"low_confidence"}, Model: "m1", Policy: "p1", Threshold: 0.85, ReceivedAt: testNow,
	}
	if got.Review == nil {
		t.Fatalf("unsure item without review: %s", first)
	}
	want.Review = &review{ID: got.Review.ID, Round: 1, Queue: "default", Priority: "normal", State: "open", OpenedAt: testNow, ExpiresAt: &expires}
	if diff := cmp.Diff(want, got); diff != "" || rec.Code != http.StatusAccepted {
		t.Errorf("unsure item: %d (-want +got):\n%s", rec.Code, diff)
	}

	// The same again: by body id, by header, quoted as the draft wants; before and after the decision.
	for _, c := range []call{
		post(`{"id":"t-2","text":"unsure"}`),
		{method: "POST", path: "/v1/items", key: helpKey, body: `{"text":"unsure"}`, header: map[string]string{"Idempotency-Key": "t-2"}},
		{method: "POST", path: "/v1/items", key: helpKey, body: `{"text":"unsure","id":"t-2"}`, header: map[string]string{"Idempotency-Key": `"t-2"`}},
	} {
		rec = w.do(t, c)
		if rec.Code != http.StatusAccepted || rec.Body.String() != first || rec.Header().Get("Idempotent-Replayed") != "true" {
			t.Errorf("replay %+v = %d %v %s", c, rec.Code, rec.Header(), rec.Body)
		}
	}
	w.store.decide(got.ID, "POSITIVE")
	rec = w.do(t, post(`{"id":"t-2","text":"unsure"}`))
	after := decode[item](t, rec)
	if rec.Code != http.StatusAccepted || after.Status != hitl.HumanCorrected || after.Label != "POSITIVE" || after.Decision == nil || after.Decision.Reviewer != "T1/U1" {
		t.Errorf("replay after the decision = %d %s", rec.Code, rec.Body)
	}

	// The stored answer is given whatever the state of the model.
	if rec = w.do(t, post(`{"id":"t-3","text":"busy"}`)); rec.Code != http.StatusTooManyRequests {
		t.Errorf("busy = %d", rec.Code)
	}
	// Without an id every submission is new.
	if a, b := w.post(t, `{"text":"sure"}`), w.post(t, `{"text":"sure"}`); a.ID == b.ID || a.ExternalID != a.ID {
		t.Errorf("without ids: %+v, %+v", a, b)
	}
	// Of repeated keys the last counts, and digits are kept.
	c := w.post(t, `{"text":"sure","metadata":{"a":1,"a":2,"n":9007199254740993,"f":1.5,"big":1e999}}`)
	wantMeta := map[string]any{"a": 2.0, "n": "9007199254740993", "f": 1.5, "big": "1e999"}
	if diff := cmp.Diff(wantMeta, w.store.byID[c.ID].Item.Metadata); diff != "" {
		t.Errorf("metadata (-want +got):\n%s", diff)
	}
	// Null is as good as nothing, and a missing content type is JSON.
	r := post(`{"text":"sure","id":null,"metadata":null,"subject":null,"source":null}`)
	r.header = map[string]string{"Content-Type": ""}
	if rec = w.do(t, r); rec.Code != http.StatusOK {
		t.Errorf("nulls = %d %s", rec.Code, rec.Body)
	}
	r.header = map[string]string{"Content-Type": "application/vnd.desk+json; charset=UTF-8", "Content-Encoding": "identity"}
	if rec = w.do(t, r); rec.Code != http.StatusOK {
		t.Errorf("other json type = %d %s", rec.Code, rec.Body)
	}
}

func TestReadOthersItems(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	mine := w.post(t, `{"text":"unsure"}`)
	for _, path := range []string{"/v1/items/" + mine.ID, "/v1/items/" + mine.ID + "?wait=60s", "/v1/items/" + mine.ID + "/log"} {
		if rec := w.do(t, call{method: "GET", path: path, key: shopKey}); rec.Code != http.StatusNotFound {
			t.Errorf("GET %s by another source = %d", path, rec.Code)
		}
		if path == "/v1/items/"+mine.ID+"?wait=60s" {
			continue
		}
		if rec := w.do(t, call{method: "GET", path: path, key: helpKey}); rec.Code != http.StatusOK {
			t.Errorf("GET %s = %d %s", path, rec.Code, rec.Body)
		}
	}
	rec := w.do(t, call{method: "GET", path: "/v1/items/" + mine.ID + "/log", key: helpKey})
	if got := decode[itemLog](t, rec); len(got.Entries) != 1 || got.Entries[0].ItemID != mine.ID {
		t.Errorf("log = %s", rec.Body)
	}
}

func TestStats(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for query, want := range map[string]hitl.StatsQuery{
		"":                                   {Since: testNow.AddDate(0, 0, -1), Until: testNow},
		"?since=7d&queue=q":                  {Since: testNow.AddDate(0, 0, -7), Until: testNow, Queue: "q"},
		"?since=90m&until=30m":               {Since: testNow.Add(-90 * 60e9), Until: testNow.Add(-30 * 60e9)},
		"?since=2026-11-01T00:00:00%2B01:00": {Since: time.Date(2026, 10, 31, 23, 0, 0, 0, time.UTC), Until: testNow},
	} {
		rec := w.do(t, call{method: "GET", path: "/v1/stats" + query, key: helpKey})
		got := decode[hitl.Stats](t, rec)
		if rec.Code != http.StatusOK || !got.Since.Equal(want.Since) || !got.Until.Equal(want.Until) || got.Queue != want.Queue || got.Items != 7 {
			t.Errorf("GET /v1/stats%s = %d %s", query, rec.Code, rec.Body)
		}
	}
}

// What the single reviewers of a panel say is in the answer once there is a decision, and not before.
func TestPanelInAnswers(t *testing.T) {
	t.Parallel()
	rec := hitl.Record{
		Review: &hitl.Review{ID: "rev_1", Round: 1, State: hitl.ReviewOpen, Panel: 3},
		Voices: []hitl.Voice{{Reviewer: hitl.Reviewer{Team: "T1", User: "U1"}, Label: "POSITIVE", Reason: "irony", Comment: "a thought", At: testNow}},
	}
	if got := view(rec).Review; got.Panel != 3 || got.Verdicts != nil {
		t.Errorf("open: %+v", got)
	}
	rec.Decision = &hitl.Decision{Status: hitl.HumanCorrected, Label: "POSITIVE", Reviewer: hitl.Reviewer{User: "panel"}, At: testNow}
	want := []verdict{{Reviewer: "T1/U1", Label: "POSITIVE", Reason: "irony", Comment: "a thought", At: testNow}}
	if got := view(rec); got.Decision.Reviewer != "panel" || len(got.Review.Verdicts) != 1 || got.Review.Verdicts[0] != want[0] {
		t.Errorf("decided: %+v", got.Review)
	}
	rec.Review.Panel, rec.Voices = 1, nil
	if got := view(rec).Review; got.Panel != 0 || got.Verdicts != nil {
		t.Errorf("no panel: %+v", got)
	}
}
