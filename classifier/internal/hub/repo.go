// Package hub downloads model repositories from Hugging Face's hub, or from a server that answers as it does, into a cache
// folder: once, resumably, verified, and visible only when complete.
//
// A repository is asked for its commit and files (/api/models/{id}/revision/{revision}?blobs=true); each file comes from
// /{id}/resolve/{commit}/{path}, mostly by a redirect to a content network, and is checked against the size and hash that the
// hub told: SHA-256 for large files, git's blob hash for small ones.
//
// The cache is laid out as CACHE/org--name/snapshots/COMMIT/ with a file in refs/ for each revision, which names the commit it
// meant when it was first fetched. A revision found there is never asked for again: remove its file to follow a branch, or
// name a commit to be sure.
package hub

import (
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
)

// Repo names a model repository at a revision.
type Repo struct {
	ID       string // "org/name"
	Revision string // branch, tag or commit; "main" when none is named
}

var (
	idPattern       = regexp.MustCompile(`^[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*$`)
	revisionPattern = regexp.MustCompile(`^\w[\w./+-]*$`)
	commitPattern   = regexp.MustCompile(`^[0-9a-f]{40,64}$`)
)

// ParseRepo reads "org/name" or "org/name@revision".
func ParseRepo(s string) (Repo, error) {
	id, revision, pinned := strings.Cut(s, "@")
	if !idPattern.MatchString(id) || strings.Contains(id, "..") {
		return Repo{}, fmt.Errorf("%q is not of the form org/name", id)
	}
	if !pinned {
		revision = "main"
	}
	if !revisionPattern.MatchString(revision) || strings.Contains(revision, "..") {
		return Repo{}, fmt.Errorf("%q is no revision", revision)
	}
	return Repo{ID: id, Revision: revision}, nil
}

func (r Repo) String() string { return r.ID + "@" + r.Revision }

// folder is the repository's folder in the cache.
func (r Repo) folder(cache string) string {
	return filepath.Join(cache, strings.Replace(r.ID, "/", "--", 1))
}

// checkPath refuses file names that would leave the folder they belong to.
func checkPath(name string) error {
	if name == "" || !filepath.IsLocal(filepath.FromSlash(name)) || strings.ContainsAny(name, "\\\x00") {
		return fmt.Errorf("%q is no file name", name)
	}
	return nil
}

// address joins the hub's URL and escaped path elements.
func address(base string, elements ...string) (string, error) {
	u, err := url.Parse(base)
	if err != nil {
		return "", fmt.Errorf("hub URL: %w", err)
	}
	if u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") {
		return "", errors.New("hub URL: want https://host")
	}
	return u.JoinPath(elements...).String(), nil
}
