package main

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"hitl"
	"hitl/audit"
)

const (
	shadowRoom  = 256         // items that wait for a proposed model, with their texts; more are left out
	shadowBatch = 128         // predictions that are written together at most
	shadowFlush = time.Second // how often they are written
)

// shadows leave live items to the proposed models of their classifiers once they are committed, and everything to another observer first. What the small model of a
// cascade answered is not for them: it would answer that before any large model.
type shadows struct {
	hitl.Observer
	of map[string]*shadow // by classifier; none where nothing is shadowed
}

// Submitted implements hitl.Observer. Known answers never come here: intake makes them without a submission.
func (s shadows) Submitted(ctx context.Context, rec hitl.Record, replayed bool, took time.Duration, err error) {
	s.Observer.Submitted(ctx, rec, replayed, took, err)
	if shadow := s.of[rec.Classifier]; shadow != nil && err == nil && !replayed && !rec.Prediction.Small() {
		shadow.offer(rec)
	}
}

// shadow runs the proposed model of one classifier beside the one that judges, without effect: on items that were committed, one after the other, as long
// as nobody has answered the proposal. What it does not keep up with is left out.
type shadow struct {
	name    string // of the classifier
	share   float64
	wanted  func(ctx context.Context) (version string, err error) // the proposed model; empty: none
	load    func(ctx context.Context, version string) (shadowModel, error)
	save    func(ctx context.Context, list []audit.ShadowPrediction) error
	metrics *metrics
	logger  *slog.Logger

	items chan shadowItem
	runs  atomic.Bool // there is a model

	// Of Run alone:
	model   shadowModel // nil: none
	version string
	failed  string    // version that does not load,
	retry   time.Time // and when it is tried again
	said    []audit.ShadowPrediction
}

// shadowModel is what a shadow needs of a *classifier.Classifier.
type shadowModel interface {
	Classify(ctx context.Context, text string) (hitl.Prediction, error)
	Close() error
}

type shadowItem struct {
	id, text string
	label    string // what the model that judges said; empty: nothing
}

// openShadows makes the shadows of all classifiers; they have no model before they run.
func (s *service) openShadows() shadows {
	out := shadows{Observer: s.metrics, of: map[string]*shadow{}}
	for name, c := range s.cfg.Classifiers {
		if s.opener.registry == nil || c.ShadowShare <= 0 {
			continue
		}
		var attempts *audit.Attempts // of all its models, of which one runs at a time
		out.of[name] = &shadow{
			name: name, share: c.ShadowShare, save: s.store.SaveShadow, metrics: s.metrics, logger: s.logger, items: make(chan shadowItem, shadowRoom),
			wanted: func(ctx context.Context) (string, error) { return proposedVersion(ctx, s.store, name, c.Model) },
			load: func(ctx context.Context, version string) (shadowModel, error) {
				if attempts == nil {
					attempts = s.store.Attempts()
				}
				return s.opener.proposed(ctx, name, version, attempts)
			},
		}
	}
	return out
}

// proposedVersion returns the model of the registry that an open proposal has run for a classifier with that configured model; empty: none.
func proposedVersion(ctx context.Context, store *audit.Store, name, configured string) (string, error) {
	open, err := store.OpenProposals(ctx, hitl.ProposeModel)
	for _, p := range open {
		if p.Name == name {
			change, err := modelChangeOf(p)
			return change.Resolve(configured), err
		}
	}
	return "", err
}

// offer leaves an item to the proposed model, if there is one and the item is of the share. It does not wait.
func (s *shadow) offer(rec hitl.Record) {
	if !s.runs.Load() || !shadowed(s.share, rec.Item.ID) {
		return
	}
	select {
	case s.items <- shadowItem{rec.Item.ID, rec.Item.Text, rec.Prediction.Label}:
	default:
		s.count("left_out", 1)
	}
}

// shadowed says whether an item is of the share that proposed models classify. It depends on the id alone, so that all models get the same items.
func shadowed(share float64, itemID string) bool {
	sum := sha256.Sum256([]byte("hitl shadow\x00" + itemID))
	return float64(binary.BigEndian.Uint64(sum[:8])>>11)/(1<<53) < share
}

func (s *shadow) count(outcome string, n int) {
	s.metrics.shadowItems.WithLabelValues(s.name, outcome).Add(float64(n))
}

// Run classifies what was offered until ctx ends. A model that hangs or a Postgres that is away costs predictions and nothing else.
func (s *shadow) Run(ctx context.Context) error {
	look, flush := time.NewTicker(trustEvery), time.NewTicker(shadowFlush)
	defer look.Stop()
	defer flush.Stop()
	defer s.stop(ctx)
	for {
		select {
		case item := <-s.items:
			s.classify(ctx, item)
		case <-flush.C:
			s.flush(ctx)
		case <-look.C:
			if err := s.look(ctx); err != nil && ctx.Err() == nil {
				s.logger.WarnContext(ctx, "could not look for a proposed model; its shadow stays as it is", "classifier", s.name, "error", err)
			}
		case <-ctx.Done():
			return nil
		}
	}
}

// look has the model run that is proposed now, and none where none is.
func (s *shadow) look(ctx context.Context) error {
	version, err := s.wanted(ctx)
	if err != nil || version == s.version {
		return err
	}
	s.stop(ctx)
	if version == "" || version == s.failed && time.Now().Before(s.retry) {
		return nil
	}
	m, err := s.load(ctx, version)
	if err != nil {
		s.failed, s.retry = version, time.Now().Add(retryEvery)
		if ctx.Err() == nil {
			s.logger.ErrorContext(ctx, "a proposed model does not open; it is tried again", "classifier", s.name, "version", version, "after", retryEvery, "error", err)
		}
		return nil
	}
	s.model, s.version = m, version
	s.runs.Store(true)
	s.logger.InfoContext(ctx, "a proposed model runs in the shadow", "classifier", s.name, "version", version, "share", s.share)
	return nil
}

// stop writes what is there, leaves out what waits, and closes the model.
func (s *shadow) stop(ctx context.Context) {
	s.runs.Store(false)
	if s.model == nil {
		return
	}
	s.flush(ctx)
	for len(s.items) > 0 {
		<-s.items
		s.count("left_out", 1)
	}
	if err := s.model.Close(); err != nil {
		s.logger.ErrorContext(ctx, "close a proposed model", "classifier", s.name, "version", s.version, "error", err)
	}
	s.logger.InfoContext(ctx, "a proposed model has left the shadow", "classifier", s.name, "version", s.version)
	s.model, s.version = nil, ""
}

func (s *shadow) classify(ctx context.Context, item shadowItem) {
	if s.model == nil { // it was offered while the model stopped
		s.count("left_out", 1)
		return
	}
	p, err := s.model.Classify(ctx, item.text)
	switch {
	case err == nil:
		if item.label != "" && p.Label != item.label {
			s.metrics.shadowDisagreements.WithLabelValues(s.name).Inc()
		}
	case errors.Is(err, hitl.ErrModel):
		p = hitl.Prediction{} // which is what an item would have got
	default:
		s.count("left_out", 1) // it was not tried
		return
	}
	s.said = append(s.said, audit.ShadowPrediction{
		ItemID: item.id, Model: s.version, Label: p.Label, Confidence: p.Confidence, Scores: p.Scores, At: time.Now().UTC(),
	})
	if len(s.said) >= shadowBatch {
		s.flush(ctx)
	}
}

// flushTimeout bounds a write of predictions, so that the service's stop does not wait for long.
const flushTimeout = 5 * time.Second

// flush writes what the model said. What cannot be written is left out.
func (s *shadow) flush(ctx context.Context) {
	if len(s.said) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushTimeout) // also what was said just before the service stops
	defer cancel()
	err := s.save(ctx, s.said)
	failed := 0
	for _, p := range s.said {
		if p.Label == "" {
			failed++
		}
	}
	if err != nil {
		s.logger.WarnContext(ctx, "what a proposed model said could not be kept", "classifier", s.name, "items", len(s.said), "error", err)
		s.count("left_out", len(s.said))
	} else {
		s.count("classified", len(s.said)-failed)
		s.count("failed", failed)
	}
	s.said = s.said[:0]
}
