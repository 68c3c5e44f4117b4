package ingest

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// The vector that the Standard Webhooks reference libraries test themselves with.
const (
	vectorID        = "msg_p5jXN8AQM9LWM0D4loKWxJek"
	vectorStamp     = 1614265330
	vectorBody      = `{"test": 2432232314}`
	vectorSignature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
)

// webhookHeader signs a body as Standard Webhooks' own library does.
func webhookHeader(t testing.TB, secret Secret, id string, at time.Time, body string) http.Header {
	t.Helper()
	signer, err := standardwebhooks.NewWebhook(string(secret))
	if err != nil {
		t.Fatal(err)
	}
	signature, err := signer.Sign(id, at, []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	return http.Header{headerID: {id}, headerTimestamp: {strconv.FormatInt(at.Unix(), 10)}, headerSignature: {signature}}
}

func TestStandardWebhooks(t *testing.T) {
	t.Parallel()
	v, err := newVerifier(Source{WebhookSecrets: []Secret{"whsec_" + "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", webhookSecret}})
	if err != nil {
		t.Fatal(err)
	}
	stamp := strconv.Itoa(vectorStamp)
	other := webhookHeader(t, "whsec_BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBA=", vectorID, time.Unix(vectorStamp, 0), vectorBody).Get(headerSignature)
	cases := map[string]struct {
		id, stamp, signature, body string
		late                       time.Duration
		want                       bool
	}{
		"published vector":     {vectorID, stamp, vectorSignature, vectorBody, 0, true},
		"four minutes late":    {vectorID, stamp, vectorSignature, vectorBody, 4 * time.Minute, true},
		"four minutes early":   {vectorID, stamp, vectorSignature, vectorBody, -4 * time.Minute, true},
		"five minutes late":    {vectorID, stamp, vectorSignature, vectorBody, 5 * time.Minute, true},
		"older":                {vectorID, stamp, vectorSignature, vectorBody, 5*time.Minute + time.Second, false},
		"from the future":      {vectorID, stamp, vectorSignature, vectorBody, -5*time.Minute - time.Second, false},
		"among others":         {vectorID, stamp, other + " v1a,AAAA " + vectorSignature + " v1,", vectorBody, 0, true},
		"other secret":         {vectorID, stamp, other, vectorBody, 0, false},
		"other version":        {vectorID, stamp, "v2" + vectorSignature[2:], vectorBody, 0, false},
		"no version":           {vectorID, stamp, vectorSignature[3:], vectorBody, 0, false},
		"cut":                  {vectorID, stamp, vectorSignature[:20], vectorBody, 0, false},
		"other body":           {vectorID, stamp, vectorSignature, vectorBody + " ", 0, false},
		"other id":             {"msg_x", stamp, vectorSignature, vectorBody, 0, false},
		"other time":           {vectorID, strconv.Itoa(vectorStamp + 1), vectorSignature, vectorBody, 0, false},
		"time with a plus":     {vectorID, "+" + stamp, vectorSignature, vectorBody, 0, false},
		"no time":              {vectorID, "", vectorSignature, vectorBody, 0, false},
		"time out of range":    {vectorID, "99999999999999999999", vectorSignature, vectorBody, 0, false},
		"time far out":         {vectorID, "9223372036854775807", vectorSignature, vectorBody, 0, false},
		"no id":                {"", stamp, vectorSignature, vectorBody, 0, false},
		"no signature":         {vectorID, stamp, "", vectorBody, 0, false},
		"signature of nothing": {vectorID, stamp, "v1,", vectorBody, 0, false},
	}
	for name, c := range cases {
		h := http.Header{headerID: {c.id}, headerTimestamp: {c.stamp}, headerSignature: {c.signature}}
		now := time.Unix(vectorStamp, 0).Add(c.late)
		id, ok := v.verify(h, []byte(c.body), now)
		if ok != c.want || ok && id != vectorID {
			t.Errorf("%s: verify = %q, %v", name, id, ok)
		}
		if c.want && !v.signed(h, now) {
			t.Errorf("%s: signed = false", name)
		}
	}
	h := webhookHeader(t, webhookSecret, vectorID, time.Unix(vectorStamp, 0), vectorBody)
	h.Add(headerSignature, vectorSignature)
	if _, ok := v.verify(h, []byte(vectorBody), time.Unix(vectorStamp, 0)); ok {
		t.Error("a header that stands there twice was taken")
	}
}

func TestHMAC(t *testing.T) {
	t.Parallel()
	// The example in GitHub's documentation of webhook validation.
	const body, digits = "Hello, World!", "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
	hub, err := newVerifier(Source{HMAC: &HMAC{Secrets: []Secret{"the secret of last month", hubSecret}}})
	if err != nil {
		t.Fatal(err)
	}
	bare, err := newVerifier(Source{HMAC: &HMAC{Header: "X-Desk-Signature", Secrets: []Secret{hubSecret}}})
	if err != nil {
		t.Fatal(err)
	}
	cases := map[string]struct {
		v             verifier
		header, value string
		body          string
		want          bool
	}{
		"published vector":   {hub, "X-Hub-Signature-256", "sha256=" + digits, body, true},
		"upper case":         {hub, "X-Hub-Signature-256", "sha256=" + strings.ToUpper(digits), body, true},
		"other header":       {bare, "X-Desk-Signature", digits, body, true},
		"prefix not wanted":  {bare, "X-Desk-Signature", "sha256=" + digits, body, false},
		"prefix missing":     {hub, "X-Hub-Signature-256", digits, body, false},
		"sha-1":              {hub, "X-Hub-Signature-256", "sha1=" + digits[:40], body, false},
		"other body":         {hub, "X-Hub-Signature-256", "sha256=" + digits, body + "!", false},
		"cut":                {hub, "X-Hub-Signature-256", "sha256=" + digits[:62], body, false},
		"longer":             {hub, "X-Hub-Signature-256", "sha256=" + digits + "00", body, false},
		"no digits":          {hub, "X-Hub-Signature-256", "sha256=", body, false},
		"not hex":            {hub, "X-Hub-Signature-256", "sha256=" + strings.Repeat("z", 64), body, false},
		"in another header":  {hub, "X-Hub-Signature", "sha256=" + digits, body, false},
		"nothing configured": {verifier{}, "X-Hub-Signature-256", "sha256=" + digits, body, false},
		"nobody's":           {decoy(), "X-Hub-Signature-256", "sha256=" + digits, body, false},
	}
	for name, c := range cases {
		h := http.Header{}
		h.Set(c.header, c.value)
		if _, ok := c.v.verify(h, []byte(c.body), testNow); ok != c.want {
			t.Errorf("%s: verify = %v", name, ok)
		}
	}
	twice := http.Header{"X-Hub-Signature-256": {"sha256=" + digits, "sha256=" + digits}}
	if _, ok := hub.verify(twice, []byte(body), testNow); ok {
		t.Error("a header that stands there twice was taken")
	}
}

func TestWeakSecrets(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]Source{
		"not base64":    {WebhookSecrets: []Secret{"whsec_!!"}},
		"short webhook": {WebhookSecrets: []Secret{"whsec_AAAA"}},
		"empty webhook": {WebhookSecrets: []Secret{""}},
		"short hmac":    {HMAC: &HMAC{Secrets: []Secret{"fifteen letters"}}},
		"no hmac":       {HMAC: &HMAC{}},
	} {
		if _, err := newVerifier(s); err == nil {
			t.Errorf("%s: no error", name)
		} else if strings.Contains(err.Error(), "fifteen") {
			t.Errorf("%s: the error tells the secret: %v", name, err)
		}
	}
	var out strings.Builder
	slog.New(slog.NewTextHandler(&out, nil)).Info("x", "secret", Secret("planted"), "in", HMAC{Secrets: []Secret{"planted"}})
	if strings.Contains(out.String(), "planted") {
		t.Errorf("a secret prints: %s", out.String())
	}
}

// hubHeader signs a body in GitHub's form.
func hubHeader(secret, body string) map[string]string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(body))
	return map[string]string{"X-Hub-Signature-256": "sha256=" + hex.EncodeToString(mac.Sum(nil)), "X-GitHub-Event": "issues"}
}

// TestHookAuthentication has every proof against every source.
func TestHookAuthentication(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	body := `{"data":{"message":"sure"},"text":"sure","issue":{"id":1,"number":1,"title":"sure","body":"","user":{"login":"a"}},"repository":{"full_name":"a/b"}}`
	signed := map[string]string{}
	for k, v := range webhookHeader(t, webhookSecret, "msg_1", testNow.Add(-time.Minute), body) {
		signed[k] = v[0]
	}
	stale := map[string]string{}
	for k, v := range webhookHeader(t, webhookSecret, "msg_1", testNow.Add(-time.Hour), body) {
		stale[k] = v[0]
	}
	proofs := map[string]struct {
		key    string
		header map[string]string
		opens  string // the one source that it opens
	}{
		"nothing":         {"", nil, ""},
		"shop's key":      {shopKey, nil, "shop"},
		"no hook's key":   {helpKey, nil, ""},
		"wrong key":       {"guess", nil, ""},
		"webhook":         {"", signed, "desk"},
		"stale webhook":   {"", stale, ""},
		"github":          {"", hubHeader(hubSecret, body), "hub"},
		"github, old":     {"", hubHeader("the secret of last month", body), "hub"},
		"github, wrong":   {"", hubHeader("another long secret", body), ""},
		"key and webhook": {"guess", signed, "desk"},
	}
	for name, p := range proofs {
		for _, source := range []string{"shop", "hub", "desk", "nobody"} {
			rec := w.do(t, call{method: "POST", path: "/v1/hooks/" + source, key: p.key, header: p.header, body: body})
			if want := source == p.opens; (rec.Code == http.StatusOK) != want || !want && rec.Code != http.StatusUnauthorized {
				t.Errorf("%s at %s = %d %s", name, source, rec.Code, rec.Body)
			}
		}
	}
}
