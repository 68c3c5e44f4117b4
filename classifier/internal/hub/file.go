package hub

import (
	"context"
	"crypto/sha1" // git's hash, for what git's hash is all the hub tells
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
)

// promise is what the server says that a file's content is. Empty fields are not known.
type promise struct {
	size   int64 // -1: unknown
	sha256 string
	git    string // SHA-1 of git's blob
}

func (f file) promise() promise {
	p := promise{size: -1}
	switch {
	case f.LFS != nil:
		p.sha256, p.size = f.LFS.SHA256, f.LFS.Size
	default:
		p.git = f.BlobID
		if f.Size != nil {
			p.size = *f.Size
		}
	}
	return p
}

// file downloads one file to path, unless a verified one is there.
func (c Client) file(ctx context.Context, repo Repo, commit string, f file, path string, show progress) error {
	if _, err := os.Stat(path); err == nil { // renamed to path only when verified
		return nil
	}
	elements := append([]string{repo.ID, "resolve", commit}, strings.Split(f.Name, "/")...)
	for i := range elements[1:] {
		elements[i+1] = url.PathEscape(elements[i+1])
	}
	at, err := address(c.URL, elements...)
	if err != nil {
		return err
	}
	part := path + ".part"
	want := f.promise()
	if err := c.retry(ctx, f.Name, func() error { return c.attempt(ctx, at, f.Name, part, &want, show) }); err != nil {
		return err
	}
	return os.Rename(part, path)
}

// attempt adds to part what is missing, and verifies the whole. What the hub's headers tell is added to want.
func (c Client) attempt(ctx context.Context, at, name, part string, want *promise, show progress) (err error) {
	have, err := sizeOf(part)
	if err != nil {
		return err
	}
	if want.size >= 0 && have > want.size {
		have = 0
	}
	if want.size < 0 || have < want.size || have == 0 {
		if err := c.transfer(ctx, at, name, part, have, want, show); err != nil {
			return err
		}
	}
	if err := verify(part, *want); err != nil {
		// The next attempt starts anew: nobody knows which bytes are wrong.
		return again(errors.Join(err, os.Remove(part)))
	}
	return nil
}

func (c Client) transfer(ctx context.Context, at, name, part string, have int64, want *promise, show progress) (err error) {
	resp, err := c.get(ctx, at, have)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }() // read only
	want.learn(resp)
	flags := os.O_CREATE | os.O_WRONLY
	switch {
	case resp.StatusCode == http.StatusPartialContent && strings.HasPrefix(resp.Header.Get("Content-Range"), fmt.Sprintf("bytes %d-", have)):
		flags |= os.O_APPEND
	case resp.StatusCode == http.StatusOK: // the server knows no ranges, or we asked for none
		have = 0
		flags |= os.O_TRUNC
	case resp.StatusCode == http.StatusRequestedRangeNotSatisfiable || resp.StatusCode == http.StatusPartialContent:
		return again(errors.Join(fmt.Errorf("%s for a file of %d bytes", resp.Status, have), os.Remove(part)))
	default:
		return refusal(resp, "the file")
	}
	total := want.size
	if total < 0 && resp.ContentLength >= 0 {
		total = have + resp.ContentLength
	}
	out, err := os.OpenFile(part, flags, 0o644)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	bar := show.begin(name, have, total)
	defer bar.end()
	body := io.Reader(resp.Body)
	if total >= 0 {
		body = io.LimitReader(resp.Body, total-have+1) // one more shows a body that is too long
	}
	if _, err := io.Copy(io.MultiWriter(out, bar), body); err != nil {
		return again(fmt.Errorf("broken off: %w", err))
	}
	return out.Sync()
}

// learn notes hashes that the listing lacked: the hub's own first answer carries them, redirect or not.
func (p *promise) learn(resp *http.Response) {
	first := resp
	for first.Request != nil && first.Request.Response != nil {
		first = first.Request.Response
	}
	if n, err := strconv.ParseInt(first.Header.Get("X-Linked-Size"), 10, 64); err == nil && p.size < 0 {
		p.size = n
	}
	if p.sha256 != "" || p.git != "" {
		return
	}
	etag := first.Header.Get("X-Linked-Etag")
	if etag == "" {
		etag = first.Header.Get("ETag")
	}
	etag = strings.Trim(strings.TrimPrefix(etag, "W/"), `"`)
	if _, err := hex.DecodeString(etag); err != nil {
		return
	}
	switch len(etag) {
	case 2 * sha256.Size:
		p.sha256 = etag
	case 2 * sha1.Size:
		p.git = etag
	}
}

// verify compares a file with what the hub promised.
func verify(path string, want promise) error {
	size, err := sizeOf(path)
	if err != nil {
		return err
	}
	if want.size >= 0 && size != want.size {
		return fmt.Errorf("has %d bytes, the server says %d", size, want.size)
	}
	var h hash.Hash
	expected := want.sha256
	switch {
	case want.sha256 != "":
		h = sha256.New()
	case want.git != "":
		expected = want.git
		h = sha1.New()
		_, _ = fmt.Fprintf(h, "blob %d\x00", size)
	default:
		return nil // the hub told nothing but, at best, the size
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // read only
	if _, err := io.Copy(h, f); err != nil {
		return err
	}
	if got := hex.EncodeToString(h.Sum(nil)); got != expected {
		return fmt.Errorf("has hash %s, the server says %s", got, expected)
	}
	return nil
}

func sizeOf(path string) (int64, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}
