package client

import (
	"errors"
	"net/http"
	"strconv"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

const (
	newSecret   = "whsec_bmV3LXNlY3JldC1vZi10aGUtdGVzdHMtMDEyMw=="
	oldSecret   = "whsec_b2xkLXNlY3JldC1vZi10aGUtdGVzdHMtMDEyMw=="
	otherSecret = "whsec_b3RoZXItc2VjcmV0LW9mLXRoZS10ZXN0cy0wMQ=="
	event       = `{"type": "item.decided", "timestamp": "2026-07-01T10:00:00Z", "data": {"id": "itm_1", "external_id": "a", "status": "HUMAN_CORRECTED", "label": "NEGATIVE", "round": 1, "added_later": 7}}`
)

// signedBy signs with the implementation of Standard Webhooks' authors.
func signedBy(t *testing.T, secret string, at time.Time, body string) http.Header {
	t.Helper()
	w, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	signature, err := w.Sign("msg_1", at, []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	return http.Header{"Webhook-Id": {"msg_1"}, "Webhook-Timestamp": {strconv.FormatInt(at.Unix(), 10)}, "Webhook-Signature": {signature}}
}

func TestVerifyCallback(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_780_000_000, 0)
	v, err := NewVerifier(newSecret, oldSecret, "")
	if err != nil {
		t.Fatal(err)
	}
	v.now = func() time.Time { return now }
	both := signedBy(t, otherSecret, now, event)
	both["Webhook-Signature"][0] += " " + signedBy(t, newSecret, now, event).Get("Webhook-Signature")
	twice := signedBy(t, newSecret, now, event)
	twice.Add("Webhook-Id", "msg_2")
	renamed := signedBy(t, newSecret, now, event)
	renamed.Set("Webhook-Id", "msg_2")
	for name, c := range map[string]struct {
		header http.Header
		body   string
		ok     bool
	}{
		"new secret":            {signedBy(t, newSecret, now, event), event, true},
		"old secret":            {signedBy(t, oldSecret, now, event), event, true},
		"one of two signatures": {both, event, true},
		"five minutes old":      {signedBy(t, newSecret, now.Add(-5*time.Minute), event), event, true},
		"older":                 {signedBy(t, newSecret, now.Add(-5*time.Minute-time.Second), event), event, false},
		"of the future":         {signedBy(t, newSecret, now.Add(5*time.Minute+time.Second), event), event, false},
		"another secret":        {signedBy(t, otherSecret, now, event), event, false},
		"another body":          {signedBy(t, newSecret, now, event), event + " ", false},
		"another id":            {renamed, event, false},
		"two ids":               {twice, event, false},
		"no header":             {http.Header{}, event, false},
	} {
		got, err := v.VerifyCallback(c.header, []byte(c.body))
		if c.ok != (err == nil) || !c.ok && !errors.Is(err, ErrSignature) {
			t.Errorf("%s: got %v", name, err)
		}
		if c.ok && (got.ID != "msg_1" || got.Type != ItemDecided || got.Data.Status != HumanCorrected || got.Data.Label != "NEGATIVE" || got.Data.Round != 1) {
			t.Errorf("%s: got %+v", name, got)
		}
	}
	if _, err := v.VerifyCallback(signedBy(t, newSecret, now, "no JSON"), []byte("no JSON")); err == nil || errors.Is(err, ErrSignature) {
		t.Errorf("a signed body that is no JSON gives %v", err)
	}
}

func TestNewVerifierRefuses(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"", "whsec_short", "not base64!"} {
		if _, err := NewVerifier(bad); err == nil {
			t.Errorf("secret %q is taken", bad)
		}
	}
}

// FuzzVerifyCallback feeds it what a stranger may send: nothing unsigned gets through, nothing panics.
func FuzzVerifyCallback(f *testing.F) {
	f.Add("msg_1", "1780000000", "v1,AAAA", []byte(event))
	f.Add("", "-1", "v1", []byte("{"))
	v, err := NewVerifier(newSecret)
	if err != nil {
		f.Fatal(err)
	}
	v.now = func() time.Time { return time.Unix(1_780_000_000, 0) }
	f.Fuzz(func(t *testing.T, id, stamp, signature string, body []byte) {
		h := http.Header{"Webhook-Id": {id}, "Webhook-Timestamp": {stamp}, "Webhook-Signature": {signature}}
		if _, err := v.VerifyCallback(h, body); !errors.Is(err, ErrSignature) {
			t.Fatalf("got through: %v", err)
		}
	})
}
