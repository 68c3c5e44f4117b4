package hub

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/gofrs/flock"
)

// Client downloads from one hub. Its zero value needs a URL. Fetch may be called concurrently, also by several processes.
type Client struct {
	URL      string       // "https://huggingface.co"
	Token    string       // sent to URL's host only
	HTTP     *http.Client // default: one without a limit for the whole answer
	Progress io.Writer    // default: none
	Logger   *slog.Logger // default: none
	// Attempts is how often a file is tried, each time from where the last one broke off. Default: 5.
	Attempts int
	// Pause is how long the second attempt waits; each further one waits twice as long. Default: 1 s.
	Pause time.Duration
}

// listing is the hub's answer about a revision.
type listing struct {
	SHA      string `json:"sha"`
	Siblings []file `json:"siblings"`
}

// file is one file of a repository and what the hub tells about its content.
type file struct {
	Name   string `json:"rfilename"`
	Size   *int64 `json:"size"`
	BlobID string `json:"blobId"` // SHA-1 of git's blob; of a pointer, where LFS is set
	LFS    *struct {
		SHA256 string `json:"sha256"`
		Size   int64  `json:"size"`
	} `json:"lfs"`
}

// Fetch returns a folder that holds those files of the repository that choose picks from all names. What names the choice:
// folders are shared by those who make the same one. A complete folder in the cache is used without asking the hub.
func (c Client) Fetch(ctx context.Context, repo Repo, cache, what string, choose func(names []string) ([]string, error)) (string, error) {
	c = c.withDefaults()
	home := repo.folder(cache)
	if err := os.MkdirAll(filepath.Join(home, "refs"), 0o755); err != nil {
		return "", fmt.Errorf("make cache folder: %w", err)
	}
	// One download at a time, also between processes: partial files have fixed names so that they can be resumed.
	lock := flock.New(filepath.Join(home, "lock"))
	if _, err := lock.TryLockContext(ctx, 100*time.Millisecond); err != nil {
		return "", fmt.Errorf("lock cache folder: %w", err)
	}
	defer func() { _ = lock.Close() }() // unlocks; the operating system does so anyway

	ref := filepath.Join(home, "refs", url.PathEscape(repo.Revision+" "+what))
	if dir, ok := cached(home, ref); ok {
		return dir, nil
	}
	list, err := c.list(ctx, repo)
	if err != nil {
		return "", err
	}
	files, err := pick(list, choose)
	if err != nil {
		return "", fmt.Errorf("%s: %w", repo, err)
	}
	dir := filepath.Join(home, "snapshots", list.SHA, url.PathEscape(what))
	if err := c.download(ctx, repo, list.SHA, files, dir); err != nil {
		return "", fmt.Errorf("download %s: %w", repo, err)
	}
	rel, err := filepath.Rel(home, dir)
	if err != nil {
		return "", err
	}
	if err := replace(ref, []byte(rel+"\n")); err != nil {
		return "", fmt.Errorf("remember %s: %w", repo, err)
	}
	return dir, nil
}

func (c Client) withDefaults() Client {
	if c.HTTP == nil {
		c.HTTP = &http.Client{}
	}
	client := *c.HTTP
	client.CheckRedirect = checkRedirect
	c.HTTP = &client
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Attempts == 0 {
		c.Attempts = 5
	}
	if c.Pause == 0 {
		c.Pause = time.Second
	}
	return c
}

// checkRedirect follows the hub to its content network, but not from https to http, and leaves the token behind: the standard
// client would take it along to subdomains and other ports.
func checkRedirect(req *http.Request, via []*http.Request) error {
	if len(via) >= 10 {
		return errors.New("ten redirects")
	}
	if via[0].URL.Scheme == "https" && req.URL.Scheme != "https" {
		return fmt.Errorf("redirected from https to %s", req.URL.Scheme)
	}
	if req.URL.Host != via[0].URL.Host {
		req.Header.Del("Authorization")
	}
	return nil
}

// cached returns the folder that a ref names, if it is there.
func cached(home, ref string) (string, bool) {
	rel, err := os.ReadFile(ref)
	if err != nil {
		return "", false
	}
	dir := strings.TrimSpace(string(rel))
	if !filepath.IsLocal(dir) {
		return "", false
	}
	dir = filepath.Join(home, dir)
	info, err := os.Stat(dir)
	return dir, err == nil && info.IsDir()
}

// list asks the hub what the revision is.
func (c Client) list(ctx context.Context, repo Repo) (listing, error) {
	at, err := address(c.URL, "api", "models", repo.ID, "revision", url.PathEscape(repo.Revision))
	if err != nil {
		return listing{}, err
	}
	var list listing
	err = c.retry(ctx, "list of "+repo.String(), func() error {
		resp, err := c.get(ctx, at+"?blobs=true", 0)
		if err != nil {
			return err
		}
		defer func() { _ = resp.Body.Close() }() // read only
		if resp.StatusCode != http.StatusOK {
			return refusal(resp, repo.String())
		}
		const most = 16 << 20
		list = listing{}
		if err := json.NewDecoder(io.LimitReader(resp.Body, most)).Decode(&list); err != nil {
			return again(fmt.Errorf("read list of %s: %w", repo, err))
		}
		return nil
	})
	if err == nil && !commitPattern.MatchString(list.SHA) {
		err = fmt.Errorf("hub names commit %q for %s", list.SHA, repo)
	}
	return list, err
}

func pick(list listing, choose func([]string) ([]string, error)) ([]file, error) {
	names := make([]string, len(list.Siblings))
	for i, f := range list.Siblings {
		names[i] = f.Name
	}
	chosen, err := choose(names)
	if err != nil {
		return nil, err
	}
	var out []file
	for _, f := range list.Siblings {
		if !slices.Contains(chosen, f.Name) {
			continue
		}
		if err := checkPath(f.Name); err != nil {
			return nil, err
		}
		out = append(out, f)
	}
	return out, nil
}

// download fills a folder beside dir and renames it to dir when everything in it is verified.
func (c Client) download(ctx context.Context, repo Repo, commit string, files []file, dir string) error {
	if _, err := os.Stat(dir); err == nil { // another revision meant the same commit
		return nil
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	partial := dir + ".partial"
	progress := newProgress(c.Progress)
	for _, f := range files {
		path := filepath.Join(partial, filepath.FromSlash(f.Name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := c.file(ctx, repo, commit, f, path, progress); err != nil {
			return fmt.Errorf("%s: %w", f.Name, err)
		}
	}
	return os.Rename(partial, dir)
}

// replace writes a file by renaming a complete one to it.
func replace(path string, data []byte) error {
	temporary := path + ".new"
	if err := os.WriteFile(temporary, data, 0o644); err != nil {
		return err
	}
	return os.Rename(temporary, path)
}
