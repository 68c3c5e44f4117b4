package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"

	"hitl"
	"hitl/audit"
	"hitl/classifier"
	"hitl/classifier/registry"
	"hitl/config"
)

// liveModel is a configured classifier, with the model that runs for it: the configured one, one of the registry that was promoted, or none yet.
type liveModel struct {
	*classifier.Live
	small *smallModel // nil: every text goes to the model itself

	mu       sync.Mutex
	open     *classifier.Classifier // nil: none
	promoted string                 // its version, if it is of the registry
}

// newLiveModel returns a classifier that c judges for, nil for nothing, behind the small model of its cascade if there is one.
func newLiveModel(small *smallModel, c *classifier.Classifier, promoted string, labels []string) (*liveModel, error) {
	judge, err := small.before(c, labels)
	if err != nil {
		return nil, err
	}
	return &liveModel{Live: classifier.NewLive(judge, labels...), small: small, open: c, promoted: promoted}, nil
}

// replace has c judge from now on, nil for nothing, and closes what did; the small model of a cascade stays. Items that were under way are judged by either. It is an
// error if c does not go with the small model, and then everything is as it was.
func (m *liveModel) replace(c *classifier.Classifier, promoted string, labels []string) error {
	judge, err := m.small.before(c, labels)
	if err != nil {
		return err
	}
	m.SetModel(judge)
	m.mu.Lock()
	before := m.open
	m.open, m.promoted = c, promoted
	m.mu.Unlock()
	if before == nil {
		return nil
	}
	return before.Close()
}

// now returns the open model, nil if there is none, and its version if it is of the registry.
func (m *liveModel) now() (*classifier.Classifier, string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.open, m.promoted
}

func (m *liveModel) stuck() bool {
	c, _ := m.now()
	return c != nil && c.Stuck()
}

func (m *liveModel) queued() int {
	if c, _ := m.now(); c != nil {
		return c.Queued()
	}
	return 0
}

// engine says what runs the model; empty: there is none.
func (m *liveModel) engine() string {
	if c, _ := m.now(); c != nil {
		return c.Engine()
	}
	return ""
}

func (m *liveModel) close() error {
	var err error
	if c, _ := m.now(); c != nil {
		err = c.Close()
	}
	if m.small != nil {
		err = errors.Join(err, m.small.Close())
	}
	return err
}

// describe says which model runs, and on what.
func (m *liveModel) describe(configured string) string {
	if m.small != nil {
		return m.small.String() + ", then " + m.describeLarge(configured)
	}
	return m.describeLarge(configured)
}

func (m *liveModel) describeLarge(configured string) string {
	switch c, promoted := m.now(); {
	case c == nil:
		return "no model yet"
	case promoted != "":
		return promoted + " on " + c.Engine()
	default:
		return configured + " on " + c.Engine()
	}
}

// modelOpener opens what classifiers run.
type modelOpener struct {
	cfg      *config.Config
	store    *audit.Store
	registry *registry.Registry // nil: there is none
	metrics  *metrics
	logger   *slog.Logger
}

// openRegistry opens the configured registry of models; nil: there is none.
func openRegistry(cfg *config.Config) (*registry.Registry, error) {
	if cfg.Models.Location == "" {
		return nil, nil //nolint:nilnil // nil is no registry
	}
	s := cfg.Models.S3
	return registry.Open(cfg.Models.Location, registry.S3{
		Endpoint: s.Endpoint, Region: s.Region, AccessKey: s.AccessKey.Reveal(), SecretKey: s.SecretKey.Reveal(), SessionToken: s.SessionToken.Reveal(), PathStyle: s.PathStyle,
	})
}

// configured opens the model that is configured for a classifier; nil: none is.
func (o *modelOpener) configured(ctx context.Context, name string, progress io.Writer) (*classifier.Classifier, error) {
	if o.cfg.Classifiers[name].Model == "" {
		return nil, nil //nolint:nilnil // nil is no model
	}
	opts := classifierOptions(o.cfg, name, o.logger, progress)
	opts.Observer, opts.Attempts = o.metrics.classifier(name), o.store.Attempts()
	return classifier.Open(ctx, opts)
}

// promoted opens a model of the registry for a classifier.
func (o *modelOpener) promoted(ctx context.Context, name, version string) (*classifier.Classifier, error) {
	opts := classifierOptions(o.cfg, name, o.logger, io.Discard)
	opts.Observer, opts.Attempts = o.metrics.classifier(name), o.store.Attempts()
	return o.kept(ctx, name, version, opts)
}

// proposed opens a model of the registry that is to run beside the one that judges, whose metrics it leaves alone. A text may kill one process for it, and is
// not tried again: nobody waits for what it would have said.
func (o *modelOpener) proposed(ctx context.Context, name, version string, attempts *audit.Attempts) (*classifier.Classifier, error) {
	opts := classifierOptions(o.cfg, name, o.logger, io.Discard)
	opts.Attempts, opts.MaxAttempts = attempts, 1
	return o.kept(ctx, name, version, opts)
}

func (o *modelOpener) kept(ctx context.Context, name, version string, opts classifier.Options) (*classifier.Classifier, error) {
	dir, err := registryFolder(ctx, o.cfg, o.registry, name, version)
	if err != nil {
		return nil, err
	}
	opts.Model, opts.Network = dir, "" // the registry keeps a model.onnx
	c, err := classifier.Open(ctx, opts)
	if err == nil && c.Version() != version {
		return nil, errors.Join(fmt.Errorf("%s holds the model %s, not %s: remove that folder", dir, c.Version(), version), c.Close())
	}
	return c, err
}

// registryFolder returns a folder on this machine with the files of a model of the registry.
func registryFolder(ctx context.Context, cfg *config.Config, r *registry.Registry, name, version string) (string, error) {
	if r == nil {
		return "", fmt.Errorf("model %s is to run, and no registry is configured to take it from; set models.location", version)
	}
	m, err := r.Get(ctx, name, version)
	if err != nil {
		return "", err
	}
	cache := cfg.Classifiers[name].CacheDir
	if cache == "" {
		user, err := os.UserCacheDir()
		if err != nil {
			return "", fmt.Errorf("no folder to keep models in: %w; set classifiers.%s.cache_dir", err, name)
		}
		cache = filepath.Join(user, "hitl")
	}
	return r.Folder(ctx, m, cache)
}

// promotedVersions returns the versions of the registry that were promoted and run, by classifier.
func promotedVersions(ctx context.Context, cfg *config.Config, store *audit.Store) (map[string]string, error) {
	list, err := store.InForce(ctx)
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	for _, p := range list {
		c, ok := cfg.Classifiers[p.Name]
		if p.Kind != hitl.ProposeModel || !ok {
			continue
		}
		change, err := modelChangeOf(p)
		if err != nil {
			return nil, err
		}
		if version := change.Resolve(c.Model); version != "" {
			out[p.Name] = version
		}
	}
	return out, nil
}

// modelChangeOf reads a change of a model.
func modelChangeOf(p hitl.Proposal) (c hitl.ModelChange, err error) {
	if err := json.Unmarshal(p.Body, &c); err != nil {
		return c, fmt.Errorf("read proposal %s: %w", p.ID, err)
	}
	return c, nil
}
