package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hitl"
	"hitl/config"
)

// keysDelay is how long, at most, a running service goes on with the keys it knows: hitl keys create and revoke say so.
const keysDelay = 10 * time.Second

// as makes a request with a key.
func (w *world) as(key, method, path string, body, out any) answer {
	w.t.Helper()
	return w.requestWith(method, path, body, out, map[string]string{"Authorization": "Bearer " + key, "Content-Type": "application/json"})
}

// makeKey runs hitl keys create and returns what a script would capture.
func (w *world) makeKey(args ...string) string {
	w.t.Helper()
	out := w.mustHitl(append([]string{"keys", "create"}, args...)...)
	key := strings.TrimSuffix(out, "\n")
	if !strings.HasPrefix(key, "hitl_") || strings.ContainsAny(key, " \n") {
		w.t.Fatalf("keys create printed more than the key")
	}
	return key
}

// within waits until a request with the key is answered with a status, for as long as the help says that it may take.
func (w *world) within(limit time.Duration, key, path string, status int) {
	w.t.Helper()
	begun := time.Now()
	w.eventually("a request to be answered differently", func() bool { return w.as(key, http.MethodGet, path, nil, nil).status == status })
	if took := time.Since(begun); took > limit {
		w.t.Errorf("status %d came after %s, documented are %s", status, took, limit)
	}
}

// TestKeyStory makes keys of each kind while the service runs, uses them, and revokes one.
func TestKeyStory(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *storySettings) { s.Sources = "  crm: {classifier: sentiment, policy: sentiment}\n" })
	both := w.makeKey("--source", "crm", "--rights", "submit,read", "--expires", "90d", "--note", "the CRM's")
	reader := w.makeKey("--source", "shop", "--rights", "read")
	admin := w.makeKey("--rights", "admin")

	w.within(keysDelay, admin, "/v1/stats", http.StatusOK)
	mine := w.post("shop-1", unsureText, http.StatusAccepted)
	var theirs item
	if resp := w.as(both, http.MethodPost, "/v1/items", map[string]any{"id": "crm-1", "text": sureText}, &theirs); resp.status != http.StatusOK {
		t.Fatalf("submit: %d %s", resp.status, resp.body)
	}
	w.card(mine) // Slack is not asked for keys
	type row struct {
		key, method, path string
		status            int
	}
	post := map[string]any{"text": sureText}
	for _, r := range []row{
		{both, "GET", "/v1/items/" + theirs.ID, 200},
		{both, "GET", "/v1/items/" + theirs.ID + "/log", 200},
		{both, "GET", "/v1/items/" + mine.ID, 404},
		{both, "GET", "/v1/stats", 403},
		{both, "POST", "/v1/items/batch", 200},
		{both, "POST", "/v1/hooks/shop", 401},
		{reader, "GET", "/v1/items/" + mine.ID, 200},
		{reader, "GET", "/v1/items/" + theirs.ID, 404},
		{reader, "POST", "/v1/items", 403},
		{reader, "POST", "/v1/items/batch", 403},
		{reader, "POST", "/v1/hooks/shop", 403},
		{admin, "GET", "/v1/items/" + mine.ID, 200},
		{admin, "GET", "/v1/items/" + theirs.ID + "/log", 200},
		{admin, "POST", "/v1/items", 403},
		{admin, "POST", "/v1/hooks/github", 403},
		{storyKey, "GET", "/v1/stats", 200},
		{storyKey, "GET", "/v1/items/" + theirs.ID, 404},
		{both + "x", "GET", "/v1/items/" + theirs.ID, 401},
	} {
		var body any
		if r.method == "POST" {
			body = map[string]any{"items": []any{post}}
			if !strings.HasSuffix(r.path, "/batch") {
				body = post
			}
		}
		if resp := w.as(r.key, r.method, r.path, body, nil); resp.status != r.status {
			t.Errorf("%s %s: %d, want %d: %s", r.method, r.path, resp.status, r.status, resp.body)
		}
	}

	var list []keyView
	if err := json.Unmarshal([]byte(w.mustHitl("keys", "list", "--json")), &list); err != nil {
		t.Fatal(err)
	}
	var kinds []string
	id := ""
	for _, k := range list {
		kinds = append(kinds, strings.TrimSpace(k.Source+" "+rightsOfView(k)+" "+k.Note))
		if k.Source == "crm" {
			id = k.ID
			if k.Hint != hitl.HashKey(both).Hint() || k.ExpiresAt.Sub(k.CreatedAt) != 90*24*time.Hour {
				t.Errorf("listed as %+v", k)
			}
		}
	}
	if diff := cmp.Diff([]string{"admin", "shop read", "crm submit,read the CRM's"}, kinds); diff != "" {
		t.Errorf("keys list (-want +got):\n%s", diff)
	}
	if out := w.mustHitl("keys", "revoke", id); !strings.Contains(out, "crm") {
		t.Errorf("revoke printed %q", out)
	}
	w.within(keysDelay, both, "/v1/items/"+theirs.ID, http.StatusUnauthorized)
	if resp := w.as(reader, "GET", "/v1/items/"+mine.ID, nil, nil); resp.status != http.StatusOK {
		t.Errorf("another key: %d", resp.status)
	}
	for _, text := range []string{w.logs.String(), w.mustHitl("keys", "list"), w.mustHitl("keys", "list", "--json")} {
		for _, key := range []string{both, reader, admin} {
			if strings.Contains(text, key[len("hitl_"):]) {
				t.Error("a key was shown")
			}
		}
	}
}

func rightsOfView(k keyView) string {
	words := []string{}
	for _, r := range k.Rights {
		words = append(words, string(r))
	}
	return strings.Join(words, ",")
}

func TestKeysRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"unknown source": {[]string{"create", "--source", "nobody", "--rights", "read"}, "not configured"},
		"no rights":      {[]string{"create", "--source", "shop"}, "--rights"},
		"admin's source": {[]string{"create", "--source", "shop", "--rights", "admin"}, "--source"},
		"unknown right":  {[]string{"create", "--source", "shop", "--rights", "write"}, "--rights"},
		"no time":        {[]string{"create", "--source", "shop", "--rights", "read", "--expires", "0d"}, "--expires"},
		"unknown key":    {[]string{"revoke", "key_unknown"}, "hitl keys list"},
	} {
		if out, err := w.hitl(append([]string{"keys"}, c.args...)...); err == nil || !strings.Contains(err.Error(), c.want) || out != "" {
			t.Errorf("%s: %q, %v", name, out, err)
		}
	}
	if out := w.mustHitl("keys", "list"); !strings.Contains(out, "no keys") {
		t.Errorf("list printed %q", out)
	}
	// As the service, which has no rights to make any.
	w.dir = t.TempDir()
	owner := w.owner
	var err error
	if w.owner, err = withUser(owner, "hitl_service", "service"); err != nil {
		t.Fatal(err)
	}
	w.writeConfig()
	for _, args := range [][]string{{"create", "--rights", "admin"}, {"revoke", "key_unknown"}} {
		if _, err := w.hitl(append([]string{"keys"}, args...)...); err == nil || !strings.Contains(err.Error(), "postgres.migrate_url is missing") {
			t.Errorf("as the service, %v: %v", args, err)
		}
	}
	w.owner = owner
}

// TestRateAndQuotaStory has a source that sends too much, and one whose reviews nobody decides.
func TestRateAndQuotaStory(t *testing.T) {
	t.Parallel()
	hash := hitl.HashKey("hasty").String()
	w := newWorld(t, func(s *storySettings) {
		s.Sources = "  hasty: {classifier: sentiment, policy: sentiment, rate: {per_second: 0.001, burst: 2}, backlog: 1, auth: {bearer: [\"" + hash + "\"]}}\n"
	})
	send := func(text string) answer {
		return w.as("hasty", http.MethodPost, "/v1/items", map[string]any{"text": text}, nil)
	}
	if resp := send(unsureText); resp.status != http.StatusAccepted {
		t.Fatalf("first: %d %s", resp.status, resp.body)
	}
	if resp := send(unsureText); resp.status != http.StatusServiceUnavailable || resp.header.Get("Retry-After") == "" || !strings.Contains(string(resp.body), `"backlog"`) {
		t.Errorf("beyond the quota: %d %s", resp.status, resp.body)
	}
	w.post("", unsureText, http.StatusAccepted) // another source in the same queue
	if resp := send(sureText); resp.status != http.StatusTooManyRequests || resp.header.Get("Retry-After") == "" || !strings.Contains(string(resp.body), `"rate_limited"`) {
		t.Errorf("beyond the rate: %d %s", resp.status, resp.body)
	}
	metrics := string(w.request(http.MethodGet, w.metrics+"/metrics", nil, nil).body)
	for _, want := range []string{
		`hitl_submissions_refused_total{reason="rate_limited",source="hasty"} 1`, `hitl_submissions_refused_total{reason="backlog",source="hasty"} 1`,
	} {
		if !strings.Contains(metrics, want) {
			t.Errorf("metrics lack %s", want)
		}
	}
}

// While a receiver changes its secret, callbacks are good by the old one and by the new one.
func TestCallbackSecretStory(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.stop()
	const newSecret = "whsec_bmV3LWNhbGxiYWNrLXNlY3JldC0wMTIzNDU2Nzg5"
	w.settings.Sources = fmt.Sprintf(`  moving: {classifier: sentiment, policy: sentiment, auth: {bearer: [%q]}, callback: {url: %q, secret: %q, old_secret: %q}}
`, hitl.HashKey("moving"), w.upstream.url, newSecret, storySecret) // the upstream knows the old one only
	w.writeConfig()
	w.start()
	var it item
	if resp := w.as("moving", http.MethodPost, "/v1/items", map[string]any{"text": sureText}, &it); resp.status != http.StatusOK {
		t.Fatalf("submit: %d %s", resp.status, resp.body)
	}
	if got := w.calledBack(it); got.Status != hitl.AIAccepted {
		t.Errorf("upstream was told %+v", got)
	}
}

// The public listener has neither metrics nor profiles; the private one has profiles when asked for, and its address is logged.
func TestPrivateListener(t *testing.T) {
	t.Parallel()
	for _, profiles := range []bool{false, true} {
		w := newWorld(t, func(s *storySettings) { s.PProf = profiles })
		want := http.StatusNotFound
		if profiles {
			want = http.StatusOK
		}
		for _, path := range []string{"/debug/pprof/", "/debug/pprof/goroutine?debug=1", "/debug/pprof/cmdline", "/debug/pprof/symbol"} {
			if got := w.request(http.MethodGet, w.metrics+path, nil, nil).status; got != want {
				t.Errorf("pprof %v: %s answers %d", profiles, path, got)
			}
			if got := w.request(http.MethodGet, path, nil, nil).status; got != http.StatusNotFound {
				t.Errorf("public %s answers %d", path, got)
			}
		}
		if got := w.request(http.MethodGet, "/metrics", nil, nil).status; got != http.StatusNotFound {
			t.Errorf("public metrics: %d", got)
		}
		if got := w.request(http.MethodGet, w.metrics+"/v1/stats", nil, nil).status; got != http.StatusNotFound {
			t.Errorf("API at the private listener: %d", got)
		}
		if !strings.Contains(w.logs.String(), "metrics="+strings.TrimPrefix(w.metrics, "http://")) {
			t.Error("the log does not say where the metrics are")
		}
	}
}

func TestListenPrivately(t *testing.T) {
	t.Parallel()
	l, err := listenPrivately(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	if _, err := listenPrivately(t.Context(), l.Addr().String()); err == nil || !strings.Contains(err.Error(), "server.metrics_listen") {
		t.Errorf("an address that is taken: %v", err)
	}
	off, err := listenPrivately(t.Context(), config.MetricsOff)
	if s := (&service{private: off}); err != nil || off != nil || s.metricsAddr() != "off" {
		t.Errorf("off: %v, %v", off, err)
	}
}
