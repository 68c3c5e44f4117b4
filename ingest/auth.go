package ingest

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// Secret is a shared secret in clear. It does not print.
type Secret string

// String hides the secret.
func (Secret) String() string { return "[secret]" }

// GoString hides the secret.
func (Secret) GoString() string { return "[secret]" }

// LogValue hides the secret.
func (Secret) LogValue() slog.Value { return slog.StringValue("[secret]") }

// KeyHash is the SHA-256 of a bearer key: all that is kept of it. Keys are long and random, so a plain hash is enough.
type KeyHash [sha256.Size]byte

const keyHashPrefix = "sha256:"

// HashKey returns the hash of a bearer key.
func HashKey(key string) KeyHash { return sha256.Sum256([]byte(key)) }

// String returns "sha256:" and hex.
func (h KeyHash) String() string { return keyHashPrefix + hex.EncodeToString(h[:]) }

// keyring knows which key is whose.
type keyring []keyOwner

type keyOwner struct {
	hash   KeyHash
	source string
}

// newKeyring refuses keys that belong to two sources.
func newKeyring(sources map[string]Source) (keyring, error) {
	var ring keyring
	owner := map[KeyHash]string{}
	for _, name := range sortedKeys(sources) {
		for _, hash := range sources[name].Keys {
			if other, taken := owner[hash]; taken {
				return nil, fmt.Errorf("source %q: its key %s… is also a key of %q", name, hash.String()[:len(keyHashPrefix)+8], other)
			}
			owner[hash] = name
			ring = append(ring, keyOwner{hash, name})
		}
	}
	return ring, nil
}

// find returns the source whose key it is. It looks at every key, whichever fits.
func (k keyring) find(key string) (source string, ok bool) {
	hash := HashKey(key)
	found := -1
	for i := range k {
		found = subtle.ConstantTimeSelect(subtle.ConstantTimeCompare(hash[:], k[i].hash[:]), i, found)
	}
	if found < 0 {
		return "", false
	}
	return k[found].source, true
}

// bearer returns the key of an Authorization header.
func bearer(r *http.Request) (key string, ok bool) {
	scheme, key, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	key = strings.TrimSpace(key)
	return key, strings.EqualFold(scheme, "Bearer") && key != ""
}

// authenticate is the middleware of all routes but the hooks: it wants a source's bearer key.
func (a *api) authenticate(ctx huma.Context, next func(huma.Context)) {
	sc := scopeOf(ctx.Context())
	key, ok := bearer(sc.r)
	if !ok {
		unauthorized("send a bearer key: Authorization: Bearer KEY").write(sc.w)
		return
	}
	source, ok := a.keys.find(key)
	if !ok {
		unauthorized("the key is not known").write(sc.w)
		return
	}
	sc.source = source
	next(ctx)
}
