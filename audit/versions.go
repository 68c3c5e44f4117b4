package audit

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

// ModelVersion is a model the service has run.
type ModelVersion struct {
	Version    string    `json:"version"`    // content hash of its files
	Classifier string    `json:"classifier"` // its configured name
	Labels     []string  `json:"labels"`     // in the model's order
	Engine     string    `json:"engine"`     // what ran it last, "go" or "onnxruntime 1.x"; may be empty
	FirstSeen  time.Time `json:"first_seen"`
}

// PolicyVersion is a policy the service has run.
type PolicyVersion struct {
	Name      string    `json:"name"`
	Version   string    `json:"version"` // content hash of Text
	Text      string    `json:"text"`
	FirstSeen time.Time `json:"first_seen"`
}

// modelKey tells models apart.
type modelKey struct {
	version, classifier string
	labels              string // labels with their lengths: no two lists share a form
}

func newModelKey(version, classifier string, labels []string) modelKey {
	var b []byte
	for _, l := range labels {
		b = strconv.AppendInt(b, int64(len(l)), 10)
		b = append(append(b, ':'), l...)
	}
	return modelKey{version, classifier, string(b)}
}

// list undoes newModelKey.
func (k modelKey) list() []string {
	list := []string{}
	for rest := k.labels; rest != ""; {
		i := 0
		for rest[i] != ':' {
			i++
		}
		n, _ := strconv.Atoi(rest[:i]) // we wrote it
		list = append(list, rest[i+1:i+1+n])
		rest = rest[i+1+n:]
	}
	return list
}

// modelIDs remembers the ids of the few models this process has met.
type modelIDs struct {
	mu  sync.Mutex
	ids map[modelKey]int64
}

func newModelIDs() modelIDs { return modelIDs{ids: map[modelKey]int64{}} }

// modelID returns the id of a model, storing the model when it is new.
func (s *Store) modelID(ctx context.Context, k modelKey) (int64, error) {
	s.models.mu.Lock()
	id, ok := s.models.ids[k]
	s.models.mu.Unlock()
	if ok {
		return id, nil
	}
	id, err := s.saveModel(ctx, k)
	if err != nil {
		return 0, err
	}
	s.models.mu.Lock()
	s.models.ids[k] = id
	s.models.mu.Unlock()
	return id, nil
}

func (s *Store) saveModel(ctx context.Context, k modelKey) (int64, error) {
	hash := sha256.Sum256([]byte(k.labels))
	// Two rounds: what another process inserts meanwhile is there in the second.
	for range 2 {
		var id int64
		err := s.pool.QueryRow(ctx, `
			WITH made AS (
			    INSERT INTO hitl.model_versions (version, classifier, labels_hash, labels)
			    SELECT $1, $2, $3, $4 WHERE NOT EXISTS (
			        SELECT FROM hitl.model_versions WHERE version = $1 AND classifier = $2 AND labels_hash = $3)
			    ON CONFLICT DO NOTHING RETURNING id)
			SELECT id FROM made
			UNION ALL SELECT id FROM hitl.model_versions WHERE version = $1 AND classifier = $2 AND labels_hash = $3
			LIMIT 1`, k.version, k.classifier, hash[:], k.list()).Scan(&id)
		if !errors.Is(err, pgx.ErrNoRows) {
			if err != nil {
				return 0, fmt.Errorf("store model version: %w", err)
			}
			return id, nil
		}
	}
	return 0, errors.New("store model version: it is neither new nor stored")
}

// SaveModel stores a model and what runs it. Models that were not saved are stored with their first item, without an engine.
func (s *Store) SaveModel(ctx context.Context, m ModelVersion) error {
	id, err := s.modelID(ctx, newModelKey(m.Version, m.Classifier, m.Labels))
	if err != nil {
		return err
	}
	if _, err := s.pool.Exec(ctx, `UPDATE hitl.model_versions SET engine = $2 WHERE id = $1 AND engine <> $2`, id, m.Engine); err != nil {
		return fmt.Errorf("store model's engine: %w", err)
	}
	return nil
}

// Models returns the models the service has run, in the order they were first seen.
func (s *Store) Models(ctx context.Context) ([]ModelVersion, error) {
	rows, err := s.pool.Query(ctx, `SELECT version, classifier, labels, engine, first_seen FROM hitl.model_versions ORDER BY id`)
	if err != nil {
		return nil, fmt.Errorf("list models: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[ModelVersion])
	if err != nil {
		return nil, fmt.Errorf("list models: %w", err)
	}
	return list, nil
}

// SavePolicy keeps the text of a policy's version. Saving it again changes nothing.
func (s *Store) SavePolicy(ctx context.Context, name, version, text string) error {
	_, err := s.pool.Exec(ctx, `INSERT INTO hitl.policy_versions (name, version, text) VALUES ($1, $2, $3)
		ON CONFLICT (name, version) DO NOTHING`, name, version, text)
	if err != nil {
		return fmt.Errorf("store policy version: %w", err)
	}
	return nil
}

// Policies returns the versions of all policies, in the order they were first seen.
func (s *Store) Policies(ctx context.Context) ([]PolicyVersion, error) {
	rows, err := s.pool.Query(ctx, `SELECT name, version, text, first_seen FROM hitl.policy_versions ORDER BY first_seen, name, version`)
	if err != nil {
		return nil, fmt.Errorf("list policies: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[PolicyVersion])
	if err != nil {
		return nil, fmt.Errorf("list policies: %w", err)
	}
	return list, nil
}
