package ingest

import (
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"hitl"
)

// Secret is a shared secret in clear. It does not print.
type Secret string

// String hides the secret.
func (Secret) String() string { return "[secret]" }

// GoString hides the secret.
func (Secret) GoString() string { return "[secret]" }

// LogValue hides the secret.
func (Secret) LogValue() slog.Value { return slog.StringValue("[secret]") }

// Keys are the API keys that are kept elsewhere than in the configuration. They are asked at every request and must not block.
type Keys interface {
	// Key returns the key with a hash. It does not find what was revoked; whether the key's time is over is looked at here.
	Key(hash hitl.KeyHash) (hitl.Key, bool)
}

// rightStats lets the keys of a source whose configuration says so read statistics, as an admin's key may.
const rightStats hitl.Right = "stats"

// keyring knows every key, by its hash: those of the configuration, and those that are kept elsewhere. That a map's time to answer depends on what
// it is asked for tells nothing: nobody can steer the hash of a guess towards that of a key.
type keyring struct {
	configured map[hitl.KeyHash]hitl.Key
	kept       Keys // may be nil
	sources    map[string]Source
}

// newKeyring refuses keys that belong to two sources.
func newKeyring(sources map[string]Source, kept Keys) (keyring, error) {
	ring := keyring{configured: map[hitl.KeyHash]hitl.Key{}, kept: kept, sources: sources}
	for _, name := range sortedKeys(sources) {
		key := hitl.Key{Source: name, Rights: []hitl.Right{hitl.RightSubmit, hitl.RightRead}}
		if sources[name].Stats {
			key.Rights = append(key.Rights, rightStats)
		}
		for _, hash := range sources[name].Keys {
			if other, taken := ring.configured[hash]; taken {
				return keyring{}, fmt.Errorf("source %q: its key %s is also a key of %q", name, hash.Hint(), other.Source)
			}
			ring.configured[hash] = key
		}
	}
	return ring, nil
}

// find returns a key that is live: known, its time not over, and its source still configured.
func (k keyring) find(key string, now time.Time) (hitl.Key, bool) {
	hash := hitl.HashKey(key)
	if found, ok := k.configured[hash]; ok {
		return found, true
	}
	if k.kept == nil {
		return hitl.Key{}, false
	}
	found, ok := k.kept.Key(hash)
	_, configured := k.sources[found.Source]
	if !ok || found.Expired(now) || !configured && !found.May(hitl.RightAdmin) {
		return hitl.Key{}, false
	}
	return found, true
}

// bearer returns the key of an Authorization header, which must stand there once.
func bearer(r *http.Request) (key string, ok bool) {
	value, _ := one(r.Header, "Authorization")
	scheme, key, _ := strings.Cut(value, " ")
	key = strings.TrimSpace(key)
	return key, strings.EqualFold(scheme, "Bearer") && key != ""
}

// authenticate returns the middleware of all routes but the hooks: it wants a bearer key with one of the rights.
func (a *api) authenticate(rights ...hitl.Right) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		sc := scopeOf(ctx.Context())
		key, ok := bearer(sc.r)
		if !ok {
			unauthorized("send a bearer key: Authorization: Bearer KEY").write(sc.w)
			return
		}
		if sc.key, ok = a.keys.find(key, a.Now()); !ok {
			unauthorized("the key is not known, was revoked, or has expired").write(sc.w)
			return
		}
		sc.source = sc.key.Source
		if !slices.ContainsFunc(rights, sc.key.May) {
			lacking(rights[0]).write(sc.w)
			return
		}
		next(ctx)
	}
}

func lacking(right hitl.Right) *problem {
	return newProblem(codeForbidden, "the key lacks the right "+string(right))
}
