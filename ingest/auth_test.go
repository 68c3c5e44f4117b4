package ingest

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hitl"
)

// keptKeys are keys that are kept elsewhere, by what is presented.
type keptKeys map[string]hitl.Key

func (k keptKeys) Key(hash hitl.KeyHash) (hitl.Key, bool) {
	for text, key := range k {
		if hitl.HashKey(text) == hash {
			return key, true
		}
	}
	return hitl.Key{}, false
}

// testKeys has a key of each kind.
func testKeys() keptKeys {
	submit, read := hitl.RightSubmit, hitl.RightRead
	return keptKeys{
		"submits":    {ID: "key_1", Source: "shop", Rights: []hitl.Right{submit}},
		"reads":      {ID: "key_2", Source: "shop", Rights: []hitl.Right{read}},
		"does both":  {ID: "key_3", Source: "shop", Rights: []hitl.Right{submit, read}},
		"other's":    {ID: "key_4", Source: "help", Rights: []hitl.Right{submit, read}},
		"admin's":    {ID: "key_5", Rights: []hitl.Right{hitl.RightAdmin}},
		"expired":    {ID: "key_6", Source: "shop", Rights: []hitl.Right{submit, read}, ExpiresAt: testNow},
		"nobody's":   {ID: "key_7", Source: "gone", Rights: []hitl.Right{submit, read}},
		"sourceless": {ID: "key_8", Rights: []hitl.Right{submit, read}},
	}
}

// TestRights has a key of each kind against each route.
func TestRights(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *Config) { c.Keys = testKeys() })
	rec := w.do(t, call{method: "POST", path: "/v1/items", key: shopKey, body: `{"id":"shop-1","text":"sure"}`})
	it := decode[item](t, rec)
	routes := []call{
		{method: "POST", path: "/v1/items", body: `{"text":"sure"}`},
		{method: "POST", path: "/v1/items/batch", body: `{"items":[{"text":"sure"}]}`},
		{method: "POST", path: "/v1/hooks/shop", body: `{"text":"sure"}`},
		{method: "GET", path: "/v1/items/" + it.ID},
		{method: "GET", path: "/v1/items/" + it.ID + "/log"},
		{method: "GET", path: "/v1/stats"},
	}
	submit, read, admin := "403 submit", "403 read", "403 admin"
	const ok, no, none = "200", "401", "404"
	want := map[string][]string{ // what each is answered, by route: items, batch, hook, item, log, statistics
		"":           {no, no, no, no, no, no},
		"a guess":    {no, no, no, no, no, no},
		helpKey:      {ok, ok, no, none, none, ok}, // of the configuration, with statistics; of another source
		shopKey:      {ok, ok, ok, ok, ok, admin},
		"submits":    {ok, ok, ok, read, read, admin},
		"reads":      {submit, submit, submit, ok, ok, admin},
		"does both":  {ok, ok, ok, ok, ok, admin},
		"other's":    {ok, ok, no, none, none, admin}, // though its source has statistics: those keys are the configuration's
		"admin's":    {submit, submit, submit, ok, ok, ok},
		"expired":    {no, no, no, no, no, no},
		"nobody's":   {no, no, no, no, no, no},
		"sourceless": {no, no, no, no, no, no},
	}
	got := map[string][]string{}
	for key := range want {
		for _, c := range routes {
			c.key = key
			rec := w.do(t, c)
			answer := fmt.Sprint(rec.Code)
			if rec.Code == http.StatusForbidden {
				p := decode[problem](t, rec)
				answer += " " + strings.TrimPrefix(p.Detail, "the key lacks the right ")
			}
			got[key] = append(got[key], answer)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("answers (-want +got):\n%s", diff)
	}
	if log := w.log.String(); !strings.Contains(log, `"key":"key_3"`) || strings.Contains(log, "does both") {
		t.Error("the log names no key, or shows one")
	}
}

// A key that may not submit is refused at every hook, be there one or not; a signature beside it still counts.
func TestHookRights(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *Config) { c.Keys = testKeys() })
	for _, source := range []string{"shop", "help", "nobody"} {
		rec := w.do(t, call{method: "POST", path: "/v1/hooks/" + source, key: "reads", body: `{"text":"sure"}`})
		if rec.Code != http.StatusForbidden {
			t.Errorf("at %s: %d", source, rec.Code)
		}
	}
	body := `{"issue":{"id":1,"number":1,"title":"sure","body":"","user":{"login":"a"}},"repository":{"full_name":"a/b"}}`
	rec := w.do(t, call{method: "POST", path: "/v1/hooks/hub", key: "reads", header: hubHeader(hubSecret, body), body: body})
	if rec.Code != http.StatusOK {
		t.Errorf("signed: %d %s", rec.Code, rec.Body)
	}
	// A source without any proof of its own is used by keys that are kept elsewhere.
	w = newWorld(t, func(c *Config) {
		c.Keys = testKeys()
		c.Sources["shop"] = Source{Hook: c.Sources["shop"].Hook}
	})
	for key, want := range map[string]int{"submits": 200, shopKey: 401, "other's": 401} {
		if rec := w.do(t, call{method: "POST", path: "/v1/hooks/shop", key: key, body: `{"text":"sure"}`}); rec.Code != want {
			t.Errorf("%s at a source without proofs: %d", key, rec.Code)
		}
	}
}

// A key ends at its time by our clock, and at once where it is revoked.
func TestKeyEnds(t *testing.T) {
	t.Parallel()
	now := testNow
	kept := keptKeys{"k": {Source: "shop", Rights: []hitl.Right{hitl.RightSubmit}, ExpiresAt: testNow.Add(time.Minute)}}
	w := newWorld(t, func(c *Config) { c.Keys, c.Now = kept, func() time.Time { return now } })
	post := func() int {
		return w.do(t, call{method: "POST", path: "/v1/items", key: "k", body: `{"text":"sure"}`}).Code
	}
	for _, step := range []struct {
		after time.Duration
		want  int
	}{{0, 200}, {time.Minute - 1, 200}, {time.Minute, 401}, {0, 200}} {
		now = testNow.Add(step.after)
		if got := post(); got != step.want {
			t.Errorf("after %s: %d", step.after, got)
		}
	}
	delete(kept, "k")
	if got := post(); got != http.StatusUnauthorized {
		t.Errorf("revoked: %d", got)
	}
}

func TestConfiguredKeys(t *testing.T) {
	t.Parallel()
	ring, err := newKeyring(testSources(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]string{
		helpKey: "help", "an older key": "help", shopKey: "shop", "": "", "key": "", helpKey + " ": "", strings.ToUpper(helpKey): "",
		hitl.HashKey(helpKey).String(): "",
	} {
		if got, ok := ring.find(key, testNow); got.Source != want || ok != (want != "") {
			t.Errorf("find(%q) = %+v, %v", key, got, ok)
		}
	}
	twice := Source{Keys: []hitl.KeyHash{hitl.HashKey("k")}}
	_, err = newKeyring(map[string]Source{"a": twice, "b": twice}, nil)
	if err == nil || !strings.Contains(err.Error(), `"b"`) || !strings.Contains(err.Error(), `"a"`) {
		t.Errorf("one key of two sources: %v", err)
	}
}

func TestBearer(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]string{
		"Bearer abc": "abc", "bearer  abc ": "abc", "Basic abc": "", "Bearer": "", "Bearer ": "", "abc": "", "": "", "Bearer a b": "a b",
	} {
		key, ok := bearer(&http.Request{Header: http.Header{"Authorization": {header}}})
		if ok != (want != "") || ok && key != want {
			t.Errorf("bearer(%q) = %q, %v", header, key, ok)
		}
	}
	if _, ok := bearer(&http.Request{Header: http.Header{"Authorization": {"Bearer a", "Bearer b"}}}); ok {
		t.Error("a header that stands there twice was taken")
	}
}
