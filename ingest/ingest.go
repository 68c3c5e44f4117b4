package ingest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"time"

	"hitl"
)

// Records is what the API reads from the system of record.
type Records interface {
	// Item returns the record of an item as it is now, or hitl.ErrNotFound.
	Item(ctx context.Context, id string) (hitl.Record, error)
	// Wait returns the record of an item once it has its answer; when ctx ends first, the record as it is then, without an error.
	Wait(ctx context.Context, id string) (hitl.Record, error)
	// Log returns what the log holds of an item, oldest first.
	Log(ctx context.Context, itemID string) ([]hitl.Entry, error)
	// Prove returns the proofs that those entries are in the log of the latest checkpoint.
	Prove(ctx context.Context, itemID string) (hitl.LogProof, error)
	// LatestCheckpoint returns the last signed checkpoint of the log, or hitl.ErrNotFound.
	LatestCheckpoint(ctx context.Context) (string, error)
	// Tile returns the data of a tile of the log's tree, by its path, or hitl.ErrNotFound.
	Tile(ctx context.Context, path string) ([]byte, error)
	// Stats returns the figures of a period.
	Stats(ctx context.Context, query hitl.StatsQuery) (hitl.Stats, error)
}

// Source is how an upstream proves who it is, and what its webhooks mean. Any of its proofs is enough; one at least is needed, unless Config has
// Keys, which may hold keys of the source.
type Source struct {
	// Keys are the hashes of its bearer keys, which may submit and read its items.
	Keys []hitl.KeyHash
	// WebhookSecrets are its Standard Webhooks secrets ("whsec_…"), for its hook. All are live.
	WebhookSecrets []Secret
	// HMAC verifies signatures in GitHub's form, for its hook. Nil: none.
	HMAC *HMAC
	// Hook maps the payloads sent to /v1/hooks/NAME. Nil: the source has no hook.
	Hook *Hook
	// Stats lets these Keys read GET /v1/stats, which tells about all sources and reviewers. Default: no.
	Stats bool
	// Rate bounds what it may send. Default: no bound.
	Rate Rate
}

// Config is what New needs.
type Config struct {
	Intake  *hitl.Intake      // required; must know every source
	Records Records           // required
	Sources map[string]Source // by name
	Keys    Keys              // keys beside those of the sources; may be nil

	// Checks are asked by /readyz, at the same time, two seconds each. They must return when their context ends.
	Checks map[string]func(context.Context) error
	// Observe is called at the end of each request, with its context, for metrics. It must not block. May be nil.
	Observe func(context.Context, Request)
	// RateLimited is called for each item that its source's Rate refused, for metrics. It must not block. May be nil.
	RateLimited func(source string)
	Logger      *slog.Logger // required
	Version     string       // of the service, for the OpenAPI document

	MaxBody      int64 // most bytes of one item's or hook's body; default 4 MiB, room for a text of 1 MiB however it is escaped
	MaxBatchBody int64 // most bytes of a batch's body; default 32 MiB
	BatchWorkers int   // how many items of a batch are submitted at a time; default 64, so that the model and Postgres get full batches
	MaxWaits     int   // how many requests may wait for an answer at a time; more are answered at once; default 1000

	Now func() time.Time // default time.Now
}

func (c Config) withDefaults() Config {
	if c.MaxBody == 0 {
		c.MaxBody = 4 << 20
	}
	if c.MaxBatchBody == 0 {
		c.MaxBatchBody = 32 << 20
	}
	if c.BatchWorkers == 0 {
		c.BatchWorkers = 64
	}
	if c.MaxWaits == 0 {
		c.MaxWaits = 1000
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c
}

func (c Config) validate() error {
	var errs []error
	if c.Intake == nil || c.Records == nil || c.Logger == nil {
		errs = append(errs, errors.New("intake, records and logger are required"))
	}
	if c.MaxBody < 0 || c.MaxBatchBody < 0 || c.BatchWorkers < 0 || c.MaxWaits < 0 {
		errs = append(errs, errors.New("limits must be positive"))
	}
	for _, name := range sortedKeys(c.Sources) {
		s := c.Sources[name]
		if c.Intake != nil {
			if _, known := c.Intake.Sources[name]; !known {
				errs = append(errs, fmt.Errorf("source %q: intake does not know it", name))
			}
		}
		if len(s.Keys) == 0 && len(s.WebhookSecrets) == 0 && s.HMAC == nil && c.Keys == nil {
			errs = append(errs, fmt.Errorf("source %q: has neither keys, webhook secrets nor an hmac; nobody could use it", name))
		}
		if len(s.Keys) == 0 && s.Hook == nil && (len(s.WebhookSecrets) > 0 || s.HMAC != nil) {
			errs = append(errs, fmt.Errorf("source %q: has signatures but no hook to check them at", name))
		}
	}
	return errors.Join(errs...)
}

// api is the handler behind New.
type api struct {
	Config
	keys    keyring
	hooks   map[string]hook
	buckets map[string]*bucket // by source
	decoy   verifier
	waiters chan struct{} // holds a token per waiting request
}

// New returns the handler of the whole HTTP side. It is safe for concurrent use and has no goroutines of its own. The errors of a
// wrong configuration name source and field; those of expressions point into them.
//
// Serve it with NewServer's limits.
func New(c Config) (http.Handler, error) {
	c = c.withDefaults()
	if err := c.validate(); err != nil {
		return nil, fmt.Errorf("configure ingest: %w", err)
	}
	keys, err := newKeyring(c.Sources, c.Keys)
	if err != nil {
		return nil, fmt.Errorf("configure ingest: %w", err)
	}
	hooks, err := newHooks(c.Sources)
	if err != nil {
		return nil, fmt.Errorf("configure ingest: %w", err)
	}
	a := &api{
		Config: c, keys: keys, hooks: hooks, buckets: map[string]*bucket{}, decoy: decoy(), waiters: make(chan struct{}, c.MaxWaits),
	}
	for name, s := range c.Sources {
		a.buckets[name] = newBucket(s.Rate)
	}
	mux := http.NewServeMux()
	if err := a.routes(mux); err != nil {
		return nil, err
	}
	return a.surround(mux), nil
}

// CheckHook says what is wrong with a hook's expressions, as New would.
func CheckHook(h Hook) error {
	env, err := newEnv()
	if err != nil {
		return fmt.Errorf("make cel environment: %w", err)
	}
	_, err = compile(env, h)
	return err
}

func newHooks(sources map[string]Source) (map[string]hook, error) {
	env, err := newEnv()
	if err != nil {
		return nil, fmt.Errorf("make cel environment: %w", err)
	}
	hooks := make(map[string]hook, len(sources))
	var errs []error
	for _, name := range sortedKeys(sources) {
		var h hook
		if h.verifier, err = newVerifier(sources[name]); err != nil {
			errs = append(errs, fmt.Errorf("source %q: %w", name, err))
		}
		if sources[name].Hook != nil {
			if h.mapping, err = compile(env, *sources[name].Hook); err != nil {
				errs = append(errs, fmt.Errorf("source %q: hook: %w", name, err))
			}
		}
		hooks[name] = h
	}
	return hooks, errors.Join(errs...)
}

// sortedKeys returns a map's keys in order, so that what is said about them is always the same.
func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
