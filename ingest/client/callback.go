package client

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// tolerance is how far a callback's timestamp may be from our clock: what Standard Webhooks recommends.
const tolerance = 5 * time.Minute

// ErrSignature is that of a callback that is not to be believed: answer 401 and look no further.
var ErrSignature = errors.New("the callback's signature does not hold")

// The types of callbacks.
const (
	ItemDecided  = "item.decided"
	ItemReopened = "item.reopened" // a decision that you may have been told of was taken back; its item is open again
)

// Callback tells of an item. Callbacks come at least once and in any order: drop an ID that was seen, and, of an item, what is older than the latest
// by Data.Round and then Timestamp.
type Callback struct {
	ID        string       `json:"-"` // the same whenever it is sent again
	Type      string       `json:"type"`
	Timestamp time.Time    `json:"timestamp"`
	Data      CallbackItem `json:"data"`
}

// CallbackItem is the item that a callback tells of.
type CallbackItem struct {
	ID         string         `json:"id"` // the service's: "itm_…"
	Source     string         `json:"source"`
	ExternalID string         `json:"external_id"` // yours: Submission.ID
	Status     Status         `json:"status"`
	Label      string         `json:"label"` // the answer; empty when there is none
	AILabel    string         `json:"ai_label"`
	Confidence float64        `json:"confidence"` // from 0 to 1
	Triggers   []string       `json:"triggers"`
	Reviewer   string         `json:"reviewer"` // "TEAM/USER" of Slack, "panel" or "system"; empty when the model decided
	Reason     string         `json:"reason"`
	Comment    string         `json:"comment"`
	Round      int            `json:"round"` // of the review; 0 when the model decided
	Model      string         `json:"model"`
	Policy     string         `json:"policy"`
	ReceivedAt time.Time      `json:"received_at"`
	DecidedAt  time.Time      `json:"decided_at"`
	Metadata   map[string]any `json:"metadata"` // what you submitted
}

// Verifier checks that callbacks come from the service. It is safe for concurrent use.
type Verifier struct {
	keys [][]byte
	now  func() time.Time
}

// NewVerifier returns the verifier of a source's callback.secret, "whsec_" and base64 of 24 bytes or more. Old secrets are good beside it, so that it
// can be changed without a gap. Empty old ones are left out. Its errors never hold a secret.
func NewVerifier(secret string, old ...string) (*Verifier, error) {
	v := &Verifier{now: time.Now}
	for i, s := range append([]string{secret}, old...) {
		if s == "" && i > 0 {
			continue
		}
		key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(s, "whsec_"))
		if err != nil || len(key) < 24 {
			return nil, fmt.Errorf(`callback secret %d is not "whsec_" and base64 of 24 bytes or more; echo "whsec_$(openssl rand -base64 32)" makes one`, i+1)
		}
		v.keys = append(v.keys, key)
	}
	return v, nil
}

// VerifyCallback returns what a callback says: body must be the bytes that were posted, unchanged. The error is ErrSignature when its signature (Standard
// Webhooks, version 1) is not by one of the secrets or its timestamp is more than five minutes from now, in either direction.
//
// Answer 2xx as soon as the callback is stored; whatever else is answered, it is sent again, for days.
func (v *Verifier) VerifyCallback(h http.Header, body []byte) (Callback, error) {
	id, stamp, signatures := h.Values("Webhook-Id"), h.Values("Webhook-Timestamp"), h.Values("Webhook-Signature")
	if len(id) != 1 || len(stamp) != 1 || len(signatures) != 1 || id[0] == "" {
		return Callback{}, fmt.Errorf("%w: it needs Webhook-Id, Webhook-Timestamp and Webhook-Signature, once each", ErrSignature)
	}
	seconds, err := strconv.ParseInt(stamp[0], 10, 64)
	if err != nil || seconds < 0 || seconds > 1<<40 || v.now().Sub(time.Unix(seconds, 0)).Abs() > tolerance {
		return Callback{}, fmt.Errorf("%w: its time is more than %s from now", ErrSignature, tolerance)
	}
	if !v.signed(id[0], stamp[0], signatures[0], body) {
		return Callback{}, fmt.Errorf("%w: it is by none of the secrets", ErrSignature)
	}
	c := Callback{ID: id[0]}
	if err := json.Unmarshal(body, &c); err != nil {
		return Callback{}, fmt.Errorf("read callback %s: %w", c.ID, err)
	}
	return c, nil
}

// signed compares in constant time, each key with each signature.
func (v *Verifier) signed(id, stamp, signatures string, body []byte) bool {
	ok := false
	for _, key := range v.keys {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(id + "." + stamp + "."))
		mac.Write(body)
		want := mac.Sum(nil)
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
