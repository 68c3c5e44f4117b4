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

	mu       sync.Mutex
	open     *classifier.Classifier // nil: none
	promoted string                 // its version, if it is of the registry
}

func newLiveModel(c *classifier.Classifier, promoted string, labels []string) *liveModel {
	return &liveModel{Live: classifier.NewLive(orUntrained(c, labels), labels...), open: c, promoted: promoted}
}

func orUntrained(c *classifier.Classifier, labels []string) hitl.Classifier {
	if c == nil {
		return classifier.NewUntrained(labels)
	}
	return c
}

// replace has c judge from now on, nil for nothing, and closes what did. Items that were under way are judged by either.
func (m *liveModel) replace(c *classifier.Classifier, promoted string, labels []string) error {
	m.SetModel(orUntrained(c, labels))
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
	if c, _ := m.now(); c != nil {
		return c.Close()
	}
	return nil
}

// describe says which model runs, and on what.
func (m *liveModel) describe(configured string) string {
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
	return o.open(ctx, classifierOptions(o.cfg, name, o.logger, progress), name)
}

// promoted opens a model of the registry for a classifier.
func (o *modelOpener) promoted(ctx context.Context, name, version string) (*classifier.Classifier, error) {
	opts := classifierOptions(o.cfg, name, o.logger, io.Discard)
	dir, err := registryFolder(ctx, o.cfg, o.registry, name, version)
	if err != nil {
		return nil, err
	}
	opts.Model = dir
	c, err := o.open(ctx, opts, name)
	if err == nil && c.Version() != version {
		return nil, errors.Join(fmt.Errorf("%s holds the model %s, not %s: remove that folder", dir, c.Version(), version), c.Close())
	}
	return c, err
}

func (o *modelOpener) open(ctx context.Context, opts classifier.Options, name string) (*classifier.Classifier, error) {
	opts.Observer, opts.Attempts = o.metrics.classifier(name), o.store.Attempts()
	return classifier.Open(ctx, opts)
}

// registryFolder returns a folder on this machine with the files of a model of the registry.
func registryFolder(ctx context.Context, cfg *config.Config, r *registry.Registry, name, version string) (string, error) {
	if r == nil {
		return "", fmt.Errorf("model %s was promoted, and no registry is configured to take it from; set models.location", version)
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
