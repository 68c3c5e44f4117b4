package ingest

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// tolerance is how far a message's timestamp may be from our clock: what Standard Webhooks recommends.
const tolerance = 5 * time.Minute

// Lengths of secrets, in bytes.
const (
	minWebhookSecret = 24 // the least that Standard Webhooks allows
	minHMACSecret    = 16
)

// Headers of Standard Webhooks.
const (
	headerID        = "Webhook-Id"
	headerTimestamp = "Webhook-Timestamp"
	headerSignature = "Webhook-Signature"
)

// HMAC describes signatures in GitHub's form: the hex HMAC-SHA256 of the body in a header.
type HMAC struct {
	Header  string   // default "X-Hub-Signature-256"
	Prefix  string   // before the hex digits, "sha256=" when Header is empty too
	Secrets []Secret // at least one; all of them are live, so that they can be changed without a gap. 16 bytes or more
}

// verifier checks one source's signatures. Every secret is tried, whichever fits, and compared in constant time.
type verifier struct {
	webhook [][]byte // keys of Standard Webhooks
	hmac    [][]byte
	header  string
	prefix  string
}

func newVerifier(s Source) (verifier, error) {
	var v verifier
	for i, secret := range s.WebhookSecrets {
		key, err := webhookKey(secret)
		if err != nil {
			return v, fmt.Errorf("webhook secret %d: %w", i+1, err)
		}
		v.webhook = append(v.webhook, key)
	}
	if s.HMAC == nil {
		return v, nil
	}
	v.header, v.prefix = s.HMAC.Header, s.HMAC.Prefix
	if v.header == "" {
		v.header = "X-Hub-Signature-256"
		if v.prefix == "" {
			v.prefix = "sha256="
		}
	}
	if len(s.HMAC.Secrets) == 0 {
		return v, errors.New("hmac: there is no secret")
	}
	for i, secret := range s.HMAC.Secrets {
		if len(secret) < minHMACSecret {
			return v, fmt.Errorf("hmac secret %d: is %d bytes long, at least %d are needed", i+1, len(secret), minHMACSecret)
		}
		v.hmac = append(v.hmac, []byte(secret))
	}
	return v, nil
}

// webhookKey reads a secret of Standard Webhooks: base64, with or without "whsec_" before it.
func webhookKey(secret Secret) ([]byte, error) {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(string(secret), "whsec_"))
	if err != nil {
		return nil, errors.New(`is not "whsec_" and base64; make one with: echo "whsec_$(openssl rand -base64 32)"`)
	}
	if len(key) < minWebhookSecret {
		return nil, fmt.Errorf("is %d bytes long, at least %d are needed", len(key), minWebhookSecret)
	}
	return key, nil
}

// decoy is the verifier of sources that do not exist: it takes as long as a real one and never says yes.
func decoy() verifier {
	key := make([]byte, sha256.Size)
	_, _ = rand.Read(key) // crypto/rand never fails
	return verifier{webhook: [][]byte{key}, hmac: [][]byte{key}, header: "X-Hub-Signature-256", prefix: "sha256="}
}

// signed says whether a request carries a signature that this verifier could check and that is not stale. It is asked before the
// body is read.
func (v verifier) signed(h http.Header, now time.Time) bool {
	_, hub := one(h, v.header)
	return len(v.hmac) > 0 && hub || len(v.webhook) > 0 && fresh(h, now)
}

// verify says whether a signature holds, and what names the message, for ever and whoever sends it again: the webhook id of Standard Webhooks, or,
// since GitHub's form signs neither an id nor a time, the hash of the body.
func (v verifier) verify(h http.Header, body []byte, now time.Time) (messageID string, ok bool) {
	if len(v.webhook) > 0 && fresh(h, now) && v.verifyWebhook(h, body) {
		return h.Get(headerID), true
	}
	if len(v.hmac) > 0 && v.verifyHMAC(h, body) {
		sum := sha256.Sum256(body)
		return "sha256:" + hex.EncodeToString(sum[:]), true
	}
	return "", false
}

// fresh says whether all headers of a Standard Webhooks message are there and its time is near.
func fresh(h http.Header, now time.Time) bool {
	id, okID := one(h, headerID)
	stamp, okStamp := one(h, headerTimestamp)
	_, okSignature := one(h, headerSignature)
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	if !okID || !okStamp || !okSignature || id == "" || err != nil || seconds < 0 || seconds > 1<<40 {
		return false
	}
	return now.Sub(time.Unix(seconds, 0)).Abs() <= tolerance
}

func (v verifier) verifyWebhook(h http.Header, body []byte) bool {
	signatures, _ := one(h, headerSignature)
	ok := false
	for _, key := range v.webhook {
		want := webhookMAC(key, h.Get(headerID), h.Get(headerTimestamp), body)
		for versioned := range strings.FieldsSeq(signatures) {
			version, encoded, _ := strings.Cut(versioned, ",")
			got, err := base64.StdEncoding.Strict().DecodeString(encoded)
			if version == "v1" && err == nil && hmac.Equal(got, want) {
				ok = true
			}
		}
	}
	return ok
}

// webhookMAC is the signature of Standard Webhooks, version 1.
func webhookMAC(key []byte, id, timestamp string, body []byte) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(id + "." + timestamp + "."))
	mac.Write(body)
	return mac.Sum(nil)
}

func (v verifier) verifyHMAC(h http.Header, body []byte) bool {
	value, ok := one(h, v.header)
	digits, prefixed := strings.CutPrefix(value, v.prefix)
	got, err := hex.DecodeString(digits)
	if !ok || !prefixed || err != nil {
		return false
	}
	found := false
	for _, key := range v.hmac {
		mac := hmac.New(sha256.New, key)
		mac.Write(body)
		if hmac.Equal(got, mac.Sum(nil)) {
			found = true
		}
	}
	return found
}

// one returns a header that must stand there once: of two, nobody knows which one was signed.
func one(h http.Header, name string) (string, bool) {
	values := h.Values(name)
	if len(values) != 1 {
		return "", false
	}
	return values[0], true
}
