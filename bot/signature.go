package bot

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"strconv"
	"strings"
	"time"
)

// signatureWindow is how far a request's timestamp may be from our clock.
// Source: https://docs.slack.dev/authentication/verifying-requests-from-slack
const signatureWindow = 5 * time.Minute

var (
	errUnsigned = errors.New("signature or timestamp is missing or malformed")
	errStale    = errors.New("timestamp is more than five minutes off; check this machine's clock")
	errForged   = errors.New("signature does not match the body")
)

// verify checks that a request body was signed with one of the secrets about now, and returns the signature in the one form that it has. The
// comparison takes the same time wherever signatures differ. A request and its repetition have the same signature, see replays.
func verify(secrets []string, timestamp, signature string, body []byte, now time.Time) (sum string, err error) {
	sent, err := strconv.ParseInt(timestamp, 10, 64)
	if err != nil {
		return "", errUnsigned
	}
	given, ok := strings.CutPrefix(signature, "v0=")
	if !ok || len(given) != hex.EncodedLen(sha256.Size) {
		return "", errUnsigned
	}
	mac, err := hex.DecodeString(given)
	if err != nil {
		return "", errUnsigned
	}
	if now.Sub(time.Unix(sent, 0)).Abs() > signatureWindow {
		return "", errStale
	}
	match := false
	for _, s := range secrets {
		match = hmac.Equal(sign(s, timestamp, body), mac) || match
	}
	if !match {
		return "", errForged
	}
	return hex.EncodeToString(mac), nil
}

// sign returns what stands in hex behind "v0=" in the signature of a body.
func sign(secret, timestamp string, body []byte) []byte {
	h := hmac.New(sha256.New, []byte(secret))
	_, _ = io.WriteString(h, "v0:"+timestamp+":") // a hash's Write never fails
	_, _ = h.Write(body)
	return h.Sum(nil)
}
