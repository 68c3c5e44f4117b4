package ingest

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"hitl"
)

// FuzzWebhookSignature: whatever we take, the standard's own library takes too, and what it signs we take.
func FuzzWebhookSignature(f *testing.F) {
	f.Add(vectorID, "1614265330", vectorSignature, []byte(vectorBody))
	f.Add("", "-1", "v1,", []byte{})
	f.Add("a.b", "+5", "v1,AAAA v1a,BBBB", []byte("{}"))
	v, err := newVerifier(Source{WebhookSecrets: []Secret{webhookSecret}})
	if err != nil {
		f.Fatal(err)
	}
	theirs, err := standardwebhooks.NewWebhook(webhookSecret)
	if err != nil {
		f.Fatal(err)
	}
	now := time.Unix(vectorStamp, 0)
	f.Fuzz(func(t *testing.T, id, stamp, signature string, body []byte) {
		h := http.Header{headerID: {id}, headerTimestamp: {stamp}, headerSignature: {signature}}
		if _, ok := v.verify(h, body, now); ok && theirs.VerifyIgnoringTimestamp(body, h) != nil && stamp[0] != '+' && stamp[0] != '0' {
			t.Fatalf("we take what the library refuses: %v", h)
		}
		if id == "" {
			return
		}
		signed := webhookHeader(t, webhookSecret, id, now, string(body))
		if got, ok := v.verify(signed, body, now); !ok || got != id {
			t.Fatalf("we refuse what the library signed: %v", signed)
		}
		if _, ok := v.verify(signed, append(body, 0), now); ok {
			t.Fatal("another body has the same signature")
		}
	})
}

// FuzzHMAC: no header but the right one is taken.
func FuzzHMAC(f *testing.F) {
	f.Add("sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17", []byte("Hello, World!"))
	f.Add("sha256=", []byte{})
	v, err := newVerifier(Source{HMAC: &HMAC{Secrets: []Secret{hubSecret}}})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, header string, body []byte) {
		right := hubHeader(hubSecret, string(body))["X-Hub-Signature-256"]
		_, ok := v.verify(http.Header{"X-Hub-Signature-256": {header}}, body, testNow)
		if ok && !bytes.EqualFold([]byte(header), []byte(right)) {
			t.Fatalf("%q is taken for %q", header, right)
		}
		if _, ok := v.verify(http.Header{"X-Hub-Signature-256": {right}}, body, testNow); !ok {
			t.Fatalf("%q is refused", right)
		}
	})
}

// FuzzHook: any body is answered with an item, nothing, or a problem that the client is to blame for.
func FuzzHook(f *testing.F) {
	f.Add([]byte(`{"issue":{"id":1,"number":7,"title":"sure","body":"thing","user":{"login":"mona"}},"repository":{"full_name":"a/b"}}`))
	f.Add([]byte(`{"issue":{"id":1e400,"number":null,"title":"` + "\xff" + `","body":[]}}`))
	f.Add([]byte(`[[[[[[1.5]]]]]]`))
	f.Add([]byte(`nul`))
	w := newWorld(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		if len(body) == 0 {
			return
		}
		rec := w.do(t, call{method: "POST", path: "/v1/hooks/hub", body: string(body), header: hubHeader(hubSecret, string(body))})
		switch rec.Code {
		case 200, 202, 400, 409, 413, 422, 429, 503:
		case 500:
			if !bytes.Contains(body, []byte("panic")) { // the fake model panics on such texts
				t.Fatalf("%q = %d %s", body, rec.Code, rec.Body)
			}
		default:
			t.Fatalf("%q = %d %s", body, rec.Code, rec.Body)
		}
		if !json.Valid(rec.Body.Bytes()) || !utf8.Valid(rec.Body.Bytes()) {
			t.Fatalf("%q is answered with %q", body, rec.Body)
		}
	})
}

// FuzzIdempotency: the same request twice gives the same answer, the second time from the store; another text under the id conflicts.
func FuzzIdempotency(f *testing.F) {
	f.Add("id-1", "", "sure", "a", "1")
	f.Add("", `"quoted"`, "unsure", "", "")
	f.Add("a", "a", "x\x00y", "k", "\xff")
	f.Fuzz(func(t *testing.T, id, header, text, key, value string) {
		if bytes.ContainsAny([]byte(header), "\r\n\x00") {
			return // net/http never hands these on
		}
		w := newWorld(t)
		send := func(text string) *httptest.ResponseRecorder {
			body, err := json.Marshal(map[string]any{"id": id, "text": text, "metadata": map[string]any{key: value}})
			if err != nil {
				t.Fatal(err)
			}
			return w.do(t, call{method: "POST", path: "/v1/items", key: helpKey, body: string(body), header: map[string]string{"Idempotency-Key": header}})
		}
		first, second := send(text), send(text)
		if first.Code/100 != 2 {
			if second.Code != first.Code {
				t.Fatalf("refused with %d, then with %d", first.Code, second.Code)
			}
			return
		}
		if second.Code != first.Code {
			t.Fatalf("%d, then %d %s", first.Code, second.Code, second.Body)
		}
		keyed := id != "" || unquote(header) != ""
		same := first.Body.String() == second.Body.String()
		if replayed := second.Header().Get("Idempotent-Replayed") == "true"; replayed != keyed || same != keyed {
			t.Fatalf("id %q, header %q: replayed %v, same %v", id, header, replayed, same)
		}
		if keyed {
			if third := send("sure " + text); third.Code != http.StatusConflict {
				t.Fatalf("another text = %d %s", third.Code, third.Body)
			}
		}
	})
}

// FuzzJSON: what we read, encoding/json reads too, and writing it again loses nothing.
func FuzzJSON(f *testing.F) {
	for _, s := range []string{`{"a":[1,2.5,1e400,9007199254740993,-0]}`, `{"a":1,"a":2}`, `[1e17,-1e20,1e21,100000000000000000]`, "\"\xff\"", `{} {}`, `[[]]`, `"\u0000\ud800"`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, number := range []numbers{storedNumber, celNumber} {
			v, err := decodeJSON(data, number)
			if (err == nil) != (json.Valid(data) && checkShape(data) == nil) {
				t.Fatalf("decode %q: %v", data, err)
			}
			if err != nil {
				continue
			}
			b, err := json.Marshal(v)
			if err != nil {
				t.Fatalf("encode %q again: %v", data, err)
			}
			again, err := decodeJSON(b, number)
			if err != nil {
				t.Fatalf("decode %q again: %v", b, err)
			}
			if c, err := json.Marshal(again); err != nil || !bytes.Equal(b, c) {
				t.Fatalf("%q becomes %q, then %q (%v)", data, b, c, err)
			}
		}
	})
}

// FuzzRetryAfter: never negative, never above a day.
func FuzzRetryAfter(f *testing.F) {
	for _, s := range []string{"1", "-1", "Sun, 22 Nov 2026 10:00:30 GMT", "9223372036854775807", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, value string) {
		if d := retryAfter(value, testNow); d < 0 || d > maxRetryAfter {
			t.Fatalf("%q = %s", value, d)
		}
	})
}

// FuzzAuthorization: no header but a known key's opens anything.
func FuzzAuthorization(f *testing.F) {
	for _, s := range []string{"Bearer " + helpKey, "bearer  " + helpKey + " ", "Bearer", "Bearer \x00", "Basic a", "Bearer kept", "\tBearer kept", helpKey} {
		f.Add(s)
	}
	kept := keptKeys{"kept": {Source: "help", Rights: []hitl.Right{hitl.RightRead}}}
	w := newWorld(f, func(c *Config) { c.Keys = kept })
	known := []string{helpKey, "an older key", shopKey, slowKey, "kept"}
	f.Fuzz(func(t *testing.T, header string) {
		rec := w.do(t, call{method: "GET", path: "/v1/items/itm_0", header: map[string]string{"Authorization": header}})
		scheme, key, _ := strings.Cut(header, " ")
		opens := strings.EqualFold(scheme, "Bearer") && slices.Contains(known, strings.TrimSpace(key))
		if want := map[bool]int{true: http.StatusNotFound, false: http.StatusUnauthorized}[opens]; rec.Code != want {
			t.Fatalf("%q = %d, want %d", header, rec.Code, want)
		}
	})
}

// FuzzHookAuthentication: without the secret no headers make a body an item, whichever source they are sent to; with it, only the body that was signed.
func FuzzHookAuthentication(f *testing.F) {
	stamp := strconv.FormatInt(testNow.Unix(), 10)
	f.Add(uint8(0), "", "", "", "", "", []byte(`{"text":"sure"}`), []byte(`{"text":"sure"}`))
	f.Add(uint8(1), "Bearer "+helpKey, "msg_1", stamp, "v1,AAAA v1a,BBBB", "sha256=00", []byte(`{}`), []byte(`{} `))
	f.Add(uint8(2), "Bearer x", "msg_1", "+"+stamp, "v1,", "sha256=", []byte{}, []byte(`{"data":{"message":"sure"}}`))
	f.Add(uint8(3), "Basic eDp5", "", stamp, "v1", "sha1=00", []byte("x"), []byte("x"))
	w := newWorld(f)
	f.Fuzz(func(t *testing.T, source uint8, auth, id, stamp, webhook, hub string, signed, body []byte) {
		names := []string{"shop", "hub", "desk", "nobody"}
		name := names[int(source)%len(names)]
		if key, ok := bearer(&http.Request{Header: http.Header{"Authorization": {auth}}}); ok && key == shopKey {
			return // which is the right one
		}
		send := func(body []byte, header map[string]string) int {
			return w.do(t, call{method: "POST", path: "/v1/hooks/" + name, body: string(body), header: header}).Code
		}
		refused := func(what string, code int) {
			t.Helper()
			switch code {
			case http.StatusUnauthorized, http.StatusBadRequest, http.StatusRequestEntityTooLarge: // wrong, or nothing to verify
			default:
				t.Fatalf("%s at %s = %d", what, name, code)
			}
			if len(w.store.byID) != 0 {
				t.Fatalf("%s at %s recorded something", what, name)
			}
		}
		guess := map[string]string{"Authorization": auth, headerID: id, headerTimestamp: stamp, headerSignature: webhook}
		if right := hubHeader(hubSecret, string(body))["X-Hub-Signature-256"]; !strings.EqualFold(hub, right) {
			guess["X-Hub-Signature-256"] = hub
		}
		refused("a guess", send(body, guess))
		if bytes.Equal(signed, body) {
			return
		}
		other := hubHeader(hubSecret, string(signed))
		if id != "" {
			for k, v := range webhookHeader(t, webhookSecret, id, testNow, string(signed)) {
				other[k] = v[0]
			}
		}
		refused("another body's signature", send(body, other))
	})
}
