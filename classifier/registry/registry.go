package registry

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"hitl"
	"hitl/classifier/internal/model"
)

// Registry keeps models. It is safe for concurrent use, by any number of processes.
type Registry struct{ blobs blobs }

// blobs are named sequences of bytes, "tickets/0a1b…/model.onnx" for instance.
type blobs interface {
	// put writes a blob: whole, or not at all. What has the name is replaced. The body is opened for each try.
	put(ctx context.Context, name string, open opener, size int64) error
	// get opens a blob, or returns an fs.ErrNotExist.
	get(ctx context.Context, name string) (io.ReadCloser, error)
	// list calls each with the name of every blob below a folder, in any order.
	list(ctx context.Context, folder string, each func(name string)) error
}

// opener opens what a blob is to hold, from its beginning.
type opener func() (io.ReadCloser, error)

func bytesOf(data []byte) opener {
	return func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil }
}

// Model is what the registry knows of a model.
type Model struct {
	Classifier string          `json:"classifier"`
	Version    string          `json:"version"` // "sha256:" and the hash of its contents, as predictions carry it
	Labels     []string        `json:"labels"`  // in the model's order
	Network    string          `json:"network"` // path of its .onnx file
	AddedAt    time.Time       `json:"added_at"`
	AddedBy    string          `json:"added_by"`
	Files      []File          `json:"files"`
	Card       json.RawMessage `json:"card,omitempty"` // card.json, if it had one
}

// File is one of a model's files.
type File struct {
	Name   string `json:"name"` // path in the model's folder
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"` // in hex
}

const (
	manifestFile = "manifest.json"
	cardFile     = "card.json"
	readmeFile   = "README.md"
	// maxManifest bounds manifests and cards, which are read whole.
	maxManifest = 4 << 20
	// networkName is what a model's network is called in its folder, unless somebody says otherwise.
	networkName = "model.onnx"
)

var (
	classifierForm = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,62}$`)
	versionForm    = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)
)

// Open returns the registry at a location: a folder, which is made when it is first written to, or "s3://BUCKET/FOLDER". Nothing is asked of a server yet.
func Open(location string, o S3) (*Registry, error) {
	if location == "" {
		return nil, errors.New("the registry of models has no location; set models.location")
	}
	if !strings.HasPrefix(location, "s3://") {
		return &Registry{folder(location)}, nil
	}
	b, err := openBucket(location, o)
	if err != nil {
		return nil, fmt.Errorf("registry of models: %w", err)
	}
	return &Registry{b}, nil
}

// Add takes the model in a folder in, for a classifier. It returns false, and what is there, if the classifier has it already.
func (r *Registry) Add(ctx context.Context, classifier, dir, by string) (m Model, added bool, err error) {
	if !classifierForm.MatchString(classifier) {
		return m, false, fmt.Errorf("%q is no classifier's name", classifier)
	}
	source := os.DirFS(dir)
	opened, err := model.Open(source, networkName)
	if err != nil {
		return m, false, fmt.Errorf("read model %s: %w", dir, err)
	}
	switch m, err = r.Get(ctx, classifier, opened.Version); {
	case err == nil:
		return m, false, nil
	case !errors.Is(err, hitl.ErrNotFound):
		return m, false, err
	}
	m = Model{
		Classifier: classifier, Version: opened.Version, Labels: opened.Labels, Network: opened.Network,
		AddedAt: time.Now().UTC().Truncate(time.Second), AddedBy: by,
	}
	if m.Card, err = readCard(source); err != nil {
		return m, false, fmt.Errorf("read model %s: %w", dir, err)
	}
	names, err := filesOf(source)
	if err != nil {
		return m, false, fmt.Errorf("read model %s: %w", dir, err)
	}
	for _, name := range names {
		f, err := r.putFile(ctx, m, source, name)
		if err != nil {
			return m, false, fmt.Errorf("add model: %w", err)
		}
		m.Files = append(m.Files, f)
	}
	manifest, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return m, false, fmt.Errorf("write manifest: %w", err)
	}
	if err := r.blobs.put(ctx, m.at(manifestFile), bytesOf(manifest), int64(len(manifest))); err != nil {
		return m, false, fmt.Errorf("add model: %w", err)
	}
	return m, true, nil
}

// filesOf returns the names of a model's files, and of its card and README if it has them.
func filesOf(folder fs.FS) ([]string, error) {
	var all []string
	err := fs.WalkDir(folder, ".", func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			all = append(all, name)
		}
		if err == nil && d.IsDir() && strings.Count(name, "/") > 1 {
			return fs.SkipDir
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	names, err := model.Files(all, networkName)
	for _, more := range []string{cardFile, readmeFile} {
		if slices.Contains(all, more) {
			names = append(names, more)
		}
	}
	return names, err
}

func readCard(folder fs.FS) (json.RawMessage, error) {
	f, err := folder.Open(cardFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // read only
	card, err := readAll(f, cardFile)
	if err == nil && !json.Valid(card) {
		err = fmt.Errorf("%s is no JSON", cardFile)
	}
	return card, err
}

func readAll(r io.Reader, name string) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxManifest+1))
	if err == nil && len(data) > maxManifest {
		err = fmt.Errorf("%s has more than %d bytes", name, maxManifest)
	}
	return data, err
}

// putFile copies a file, and returns its size and hash.
func (r *Registry) putFile(ctx context.Context, m Model, source fs.FS, name string) (File, error) {
	info, err := fs.Stat(source, name)
	if err != nil {
		return File{}, err
	}
	var sum *sum // of the last try
	err = r.blobs.put(ctx, m.at(name), func() (io.ReadCloser, error) {
		f, err := source.Open(name)
		if err != nil {
			return nil, err
		}
		sum = newSum(f)
		return sum, nil
	}, info.Size())
	if err != nil {
		return File{}, err
	}
	if sum.size != info.Size() {
		return File{}, fmt.Errorf("%s changed while it was read", name)
	}
	return File{Name: name, Size: sum.size, SHA256: sum.hex()}, nil
}

// at returns the name of the blob that holds a file of the model.
func (m Model) at(name string) string { return blobName(m.Classifier, m.Version, name) }

func blobName(classifier, version, name string) string {
	return path.Join(classifier, strings.TrimPrefix(version, "sha256:"), name)
}

// Get returns a model of a classifier. Errors: hitl.ErrNotFound.
func (r *Registry) Get(ctx context.Context, classifier, version string) (m Model, err error) {
	if !versionForm.MatchString(version) || !classifierForm.MatchString(classifier) {
		return m, fmt.Errorf("model %q of classifier %q: %w", version, classifier, hitl.ErrNotFound)
	}
	body, err := r.blobs.get(ctx, blobName(classifier, version, manifestFile))
	if errors.Is(err, fs.ErrNotExist) {
		return m, fmt.Errorf("model %s of classifier %q: %w", version, classifier, hitl.ErrNotFound)
	}
	if err != nil {
		return m, fmt.Errorf("read model %s: %w", version, err)
	}
	defer func() { _ = body.Close() }() // read only
	data, err := readAll(body, manifestFile)
	if err != nil {
		return m, fmt.Errorf("read model %s: %w", version, err)
	}
	if err := json.Unmarshal(data, &m); err != nil {
		return m, fmt.Errorf("read manifest of model %s: %w", version, err)
	}
	if m.Version != version || m.Classifier != classifier {
		return m, fmt.Errorf("the manifest of model %s of classifier %q is that of %s of %q", version, classifier, m.Version, m.Classifier)
	}
	return m, nil
}

// List returns the models of a classifier, the latest first.
func (r *Registry) List(ctx context.Context, classifier string) ([]Model, error) {
	if !classifierForm.MatchString(classifier) {
		return nil, fmt.Errorf("%q is no classifier's name", classifier)
	}
	var versions []string
	err := r.blobs.list(ctx, classifier, func(name string) {
		if version, file, ok := strings.Cut(strings.TrimPrefix(name, classifier+"/"), "/"); ok && file == manifestFile {
			versions = append(versions, "sha256:"+version)
		}
	})
	if err != nil {
		return nil, fmt.Errorf("list models: %w", err)
	}
	list := make([]Model, 0, len(versions))
	for _, v := range versions {
		m, err := r.Get(ctx, classifier, v)
		if err != nil {
			return nil, err
		}
		list = append(list, m)
	}
	slices.SortFunc(list, func(a, b Model) int {
		if c := b.AddedAt.Compare(a.AddedAt); c != 0 {
			return c
		}
		return strings.Compare(a.Version, b.Version)
	})
	return list, nil
}

// Find returns the one model of a classifier whose version begins so, with "sha256:" or without. Errors: hitl.ErrNotFound.
func (r *Registry) Find(ctx context.Context, classifier, version string) (Model, error) {
	list, err := r.List(ctx, classifier)
	if err != nil {
		return Model{}, err
	}
	var found []Model
	for _, m := range list {
		if version != "" && strings.HasPrefix(strings.TrimPrefix(m.Version, "sha256:"), strings.TrimPrefix(version, "sha256:")) {
			found = append(found, m)
		}
	}
	switch len(found) {
	case 0:
		return Model{}, fmt.Errorf("model %q of classifier %q: %w", version, classifier, hitl.ErrNotFound)
	case 1:
		return found[0], nil
	}
	return Model{}, fmt.Errorf("%d models of classifier %q have versions that begin with %q", len(found), classifier, version)
}

// Folder returns a folder on this machine with a model's files, under cache. It is copied there unless it is there already.
func (r *Registry) Folder(ctx context.Context, m Model, cache string) (string, error) {
	dir := filepath.Join(cache, "registry", m.Classifier, strings.TrimPrefix(m.Version, "sha256:"))
	if _, err := os.Stat(dir); err == nil {
		return dir, nil // it has its name when it is complete
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil { //nolint:gosec // a model is no secret
		return "", fmt.Errorf("copy model: %w", err)
	}
	part, err := os.MkdirTemp(filepath.Dir(dir), ".part-")
	if err != nil {
		return "", fmt.Errorf("copy model: %w", err)
	}
	defer func() { _ = os.RemoveAll(part) }() // gone under this name if all went well
	for _, f := range m.Files {
		if err := r.copyFile(ctx, m, f, part); err != nil {
			return "", fmt.Errorf("copy %s of model %s: %w", f.Name, m.Version, err)
		}
	}
	if err := os.Rename(part, dir); err != nil {
		if _, there := os.Stat(dir); there == nil {
			return dir, nil // another process was first
		}
		return "", fmt.Errorf("copy model: %w", err)
	}
	return dir, nil
}

func (r *Registry) copyFile(ctx context.Context, m Model, f File, dir string) (err error) {
	if !filepath.IsLocal(filepath.FromSlash(f.Name)) {
		return errors.New("its name leads out of the folder")
	}
	body, err := r.blobs.get(ctx, m.at(f.Name))
	if err != nil {
		return err
	}
	defer func() { _ = body.Close() }() // read only
	to := filepath.Join(dir, filepath.FromSlash(f.Name))
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil { //nolint:gosec // a model is no secret
		return err
	}
	sum := newSum(io.LimitReader(body, f.Size+1))
	if err := writeFile(to, sum); err != nil {
		return err
	}
	if sum.size != f.Size || sum.hex() != f.SHA256 {
		return fmt.Errorf("it is not what was added: %d bytes with SHA-256 %s, not %d with %s", sum.size, sum.hex(), f.Size, f.SHA256)
	}
	return nil
}
