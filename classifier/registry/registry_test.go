package registry

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"hitl"
	"hitl/classifier/starter"
)

// aModel returns a folder with the starter's files and a card.
func aModel(t *testing.T, card string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "model")
	if err := os.CopyFS(dir, starter.FS()); err != nil {
		t.Fatal(err)
	}
	if card != "" {
		if err := os.WriteFile(filepath.Join(dir, cardFile), []byte(card), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// another returns a model with other contents.
func another(t *testing.T) string {
	t.Helper()
	dir := aModel(t, "")
	path := filepath.Join(dir, "config.json")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, append(data, '\n'), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// everywhere runs a test on each kind of registry.
func everywhere(t *testing.T, test func(t *testing.T, r *Registry)) {
	t.Run("folder", func(t *testing.T) {
		r, err := Open(filepath.Join(t.TempDir(), "models"), S3{})
		if err != nil {
			t.Fatal(err)
		}
		test(t, r)
	})
	for name, location := range map[string]string{"bucket": "s3://acme", "folder of a bucket": "s3://acme/hitl/models/"} {
		t.Run(name, func(t *testing.T) { test(t, newS3Server(t).open(t, location)) })
	}
}

func TestModelIsKept(t *testing.T) {
	everywhere(t, func(t *testing.T, r *Registry) {
		ctx := t.Context()
		if list, err := r.List(ctx, "tickets"); err != nil || len(list) != 0 {
			t.Fatalf("an empty registry: %v, %v", list, err)
		}
		m, added, err := r.Add(ctx, "tickets", aModel(t, `{"version":"x"}`), "cli/ana")
		if err != nil || !added {
			t.Fatalf("added %v, %v", added, err)
		}
		if again, added, err := r.Add(ctx, "tickets", aModel(t, `{"version":"y"}`), "cli/bo"); err != nil || added || again.AddedBy != "cli/ana" || again.Version != m.Version {
			t.Errorf("a second time: %+v, %v, %v", again, added, err)
		}
		second, _, err := r.Add(ctx, "tickets", another(t), "cli/bo")
		if err != nil || second.Version == m.Version {
			t.Fatalf("another: %+v, %v", second, err)
		}
		list, err := r.List(ctx, "tickets")
		if err != nil || len(list) != 2 {
			t.Fatalf("%d models, %v", len(list), err)
		}
		if others, err := r.List(ctx, "tick"); err != nil || len(others) != 0 {
			t.Errorf("another classifier's: %v, %v", others, err)
		}
		got, err := r.Find(ctx, "tickets", m.Version[:20])
		if err != nil || got.Version != m.Version || compact(got.Card) != `{"version":"x"}` || len(got.Labels) != 2 {
			t.Fatalf("found %+v, %v", got, err)
		}
		cache := t.TempDir()
		dir, err := r.Folder(ctx, got, cache)
		if err != nil {
			t.Fatal(err)
		}
		same(t, dir, starter.FS(), "model.onnx", "config.json", "tokenizer.json", "tokenizer_config.json")
		if again, err := r.Folder(ctx, got, cache); err != nil || again != dir {
			t.Errorf("a second time: %s, %v", again, err)
		}
		for name, find := range map[string]string{"none": "ffff", "a version": "sha256:" + strings.Repeat("0", 64), "an empty one": "", "a way out": "../" + m.Version} {
			if m, err := r.Find(ctx, "tickets", find); !errors.Is(err, hitl.ErrNotFound) {
				t.Errorf("%s: %+v, %v", name, m, err)
			}
		}
	})
}

func compact(raw json.RawMessage) string {
	var v any
	_ = json.Unmarshal(raw, &v)
	b, _ := json.Marshal(v)
	return string(b)
}

func same(t *testing.T, dir string, want fs.FS, names ...string) {
	t.Helper()
	for _, name := range names {
		a, err := os.ReadFile(filepath.Join(dir, name))
		b, err2 := fs.ReadFile(want, name)
		if err != nil || err2 != nil || string(a) != string(b) {
			t.Errorf("%s differs (%v, %v)", name, err, err2)
		}
	}
}

// What was changed in the registry is not run.
func TestAlteredModelIsRefused(t *testing.T) {
	everywhere(t, func(t *testing.T, r *Registry) {
		m, _, err := r.Add(t.Context(), "tickets", aModel(t, ""), "cli/ana")
		if err != nil {
			t.Fatal(err)
		}
		altered := "{}"
		if err := r.blobs.put(t.Context(), m.at("config.json"), bytesOf([]byte(altered)), int64(len(altered))); err != nil {
			t.Fatal(err)
		}
		cache := t.TempDir()
		if dir, err := r.Folder(t.Context(), m, cache); err == nil || !strings.Contains(err.Error(), "not what was added") {
			t.Errorf("altered: %q, %v", dir, err)
		}
		if left, _ := filepath.Glob(filepath.Join(cache, "registry", "tickets", "*")); len(left) > 0 {
			t.Errorf("left behind: %q", left)
		}
		m.Files[0].Name = "../../escape"
		if _, err := r.Folder(t.Context(), m, cache); err == nil || !strings.Contains(err.Error(), "leads out of the folder") {
			t.Errorf("a name that leads out: %v", err)
		}
	})
}

// stopping fails once it has put some blobs, as a process does that dies.
type stopping struct {
	blobs
	left int
}

var errStopped = errors.New("stopped")

func (s *stopping) put(ctx context.Context, name string, open opener, size int64) error {
	if s.left--; s.left < 0 {
		return errStopped
	}
	return s.blobs.put(ctx, name, open, size)
}

// A model is there or not, wherever the process that adds it dies; adding it again ends what was begun.
func TestAddIsWholeOrNot(t *testing.T) {
	everywhere(t, func(t *testing.T, r *Registry) {
		dir := aModel(t, `{}`)
		for steps := 0; ; steps++ {
			_, added, err := (&Registry{&stopping{r.blobs, steps}}).Add(t.Context(), "tickets", dir, "cli/ana")
			if err == nil {
				if !added || steps < 5 {
					t.Errorf("added after %d blobs: %v", steps, added)
				}
				break
			}
			if !errors.Is(err, errStopped) {
				t.Fatal(err)
			}
			if list, err := r.List(t.Context(), "tickets"); err != nil || len(list) > 0 {
				t.Fatalf("after %d blobs there are %d models, %v", steps, len(list), err)
			}
		}
		if list, err := r.List(t.Context(), "tickets"); err != nil || len(list) != 1 {
			t.Fatalf("%v, %v", list, err)
		}
	})
}

func TestBadModelIsRefused(t *testing.T) {
	everywhere(t, func(t *testing.T, r *Registry) {
		for name, c := range map[string]struct{ dir, classifier, want string }{
			"no folder":  {filepath.Join(t.TempDir(), "none"), "tickets", "no model.onnx"},
			"a bad card": {aModel(t, "{"), "tickets", "card.json is no JSON"},
			"a bad name": {aModel(t, ""), "../tickets", "no classifier's name"},
		} {
			if _, _, err := r.Add(t.Context(), c.classifier, c.dir, "cli/ana"); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
	if _, err := Open("", S3{}); err == nil || !strings.Contains(err.Error(), "set models.location") {
		t.Errorf("no location: %v", err)
	}
}
