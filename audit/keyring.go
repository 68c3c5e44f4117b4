package audit

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"

	"hitl"
)

// keysTimeout bounds one look at the keys.
const keysTimeout = 3 * time.Second

// Keyring holds the API keys that are live, as last read. A request costs a look into a map and no query. It is safe for concurrent use.
type Keyring struct {
	store *Store
	live  atomic.Pointer[map[hitl.KeyHash]hitl.Key]
}

// Keyring reads the keys for the first time. Run keeps them new.
func (s *Store) Keyring(ctx context.Context) (*Keyring, error) {
	k := &Keyring{store: s}
	return k, k.read(ctx)
}

// Key returns the key with a hash. Whether its time is over is for the caller to see; what is revoked is not found, once Run has read that.
func (k *Keyring) Key(hash hitl.KeyHash) (hitl.Key, bool) {
	key, ok := (*k.live.Load())[hash]
	return key, ok
}

// Run reads the keys again every Config.KeysInterval until ctx ends, and returns ctx's error. While Postgres is away the keys stay as they were:
// nothing can be submitted or read then.
func (k *Keyring) Run(ctx context.Context) error {
	tick := time.NewTicker(k.store.cfg.KeysInterval)
	defer tick.Stop()
	failing := false
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
		err := k.read(ctx)
		switch {
		case err != nil && ctx.Err() == nil && !failing:
			k.store.cfg.Logger.WarnContext(ctx, "API keys may be old: could not read them, trying on", "error", err)
		case err == nil && failing:
			k.store.cfg.Logger.InfoContext(ctx, "API keys are read again")
		}
		failing = err != nil
	}
}

func (k *Keyring) read(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, keysTimeout)
	defer cancel()
	rows, err := k.store.pool.Query(ctx, `SELECT id, hash, source, rights, coalesce(expires_at, 'epoch') FROM hitl.api_keys WHERE revoked_at IS NULL`)
	if err != nil {
		return readError("read API keys", err)
	}
	live := map[hitl.KeyHash]hitl.Key{}
	var key hitl.Key
	var hash []byte
	_, err = pgx.ForEachRow(rows, []any{&key.ID, &hash, &key.Source, &key.Rights, &key.ExpiresAt}, func() error {
		if len(hash) != len(hitl.KeyHash{}) {
			return fmt.Errorf("hash of %s has %d bytes", key.ID, len(hash))
		}
		if key.ExpiresAt.Unix() == 0 {
			key.ExpiresAt = time.Time{}
		}
		live[hitl.KeyHash(hash)] = key
		key = hitl.Key{} // its rights are the map's now
		return nil
	})
	if err != nil {
		return readError("read API keys", err)
	}
	k.live.Store(&live)
	return nil
}
