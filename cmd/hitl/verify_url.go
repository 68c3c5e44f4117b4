package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/tlog"
	"golang.org/x/sync/errgroup"

	"hitl"
	"hitl/audit/verify"
)

// Bounds of what a service can make us read, in bytes.
const (
	maxCheckpointAnswer = 64 << 10
	maxTileAnswer       = verify.TileWidth*tlog.HashSize + 1 // one more shows that it is too long
	maxItemAnswer       = 16 << 20
)

// fetchAtOnce is how many tiles are fetched at a time.
const fetchAtOnce = 8

// progressEvery is after how many entries of a long log it is said how far the check has come.
const progressEvery = 1 << 18

// remoteLog is the log of a running service, of which nothing is believed. It follows no redirects: what is checked is what the URL names.
type remoteLog struct {
	base    *url.URL
	client  *http.Client
	timeout time.Duration // of each request
	key     string        // of the API; only items need one
}

func newRemoteLog(text, key string, timeout time.Duration) (*remoteLog, error) {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, usageError{errors.New("--url must be where a service is, like https://hitl.example.org")} // it may hold a password
	}
	transport := &http.Transport{
		Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true, MaxIdleConnsPerHost: fetchAtOnce, IdleConnTimeout: time.Minute,
		MaxResponseHeaderBytes: 64 << 10, DisableCompression: true, // an answer is as long as what comes
	}
	return &remoteLog{base: u, timeout: timeout, key: key, client: &http.Client{
		Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

func (r *remoteLog) close() { r.client.CloseIdleConnections() }

// statusError is an answer other than 200.
type statusError struct {
	path   string
	status int
	hint   string
}

func (e *statusError) Error() string {
	return strings.TrimSpace(fmt.Sprintf("%s answered %d %s%s", e.path, e.status, http.StatusText(e.status), e.hint))
}

// get fetches one answer of at most limit bytes.
func (r *remoteLog) get(ctx context.Context, path, key string, limit int64) ([]byte, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, r.timeout, fmt.Errorf("no whole answer within %s", r.timeout))
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.base.JoinPath(path).String(), http.NoBody)
	if err != nil {
		return nil, fmt.Errorf("ask for %s: %w", path, err)
	}
	req.Header.Set("User-Agent", "hitl-verify/"+buildVersion())
	if key != "" {
		req.Header.Set("Authorization", "Bearer "+key)
	}
	res, err := r.client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("%s cannot be reached: %w", r.base.Host, late(ctx, err))
	}
	defer func() { _ = res.Body.Close() }()
	data, err := io.ReadAll(io.LimitReader(res.Body, limit+1))
	switch {
	case res.StatusCode/100 == 3:
		return nil, &statusError{path, res.StatusCode, "; redirects are not followed, give the URL that it leads to"}
	case res.StatusCode != http.StatusOK:
		return nil, &statusError{path, res.StatusCode, ""}
	case err != nil:
		return nil, fmt.Errorf("read %s: %w", path, late(ctx, err))
	case int64(len(data)) > limit:
		return nil, fmt.Errorf("%s answered more than %d bytes", path, limit)
	}
	return data, nil
}

// late says that it was our own patience that ended, if so.
func late(ctx context.Context, err error) error {
	if withURL, ok := errors.AsType[*url.Error](err); ok {
		err = withURL.Err
	}
	if cause := context.Cause(ctx); cause != nil && errors.Is(err, context.DeadlineExceeded) {
		return cause
	}
	return err
}

// errNoCheckpoint says that a service has signed nothing.
var errNoCheckpoint = errors.New("it has no signed checkpoint: nothing is signed there, or it is no service of hitl")

// checkpoint fetches the latest note.
func (r *remoteLog) checkpoint(ctx context.Context) (string, error) {
	data, err := r.get(ctx, "/v1/log/checkpoint", "", maxCheckpointAnswer)
	if status, ok := errors.AsType[*statusError](err); ok && status.status == http.StatusNotFound {
		return "", errNoCheckpoint
	}
	if err != nil {
		return "", err
	}
	if _, err := verify.OpenCheckpoint(string(data), nil); err != nil {
		return "", fmt.Errorf("%s serves no log of hitl: /v1/log/checkpoint is no checkpoint: %w", r.base.Host, err)
	}
	return string(data), nil
}

// item fetches what the service says of an item.
func (r *remoteLog) item(ctx context.Context, id string) (verify.ItemLog, error) {
	var answer verify.ItemLog
	data, err := r.get(ctx, "/v1/items/"+url.PathEscape(id)+"/log", r.key, maxItemAnswer)
	if status, ok := errors.AsType[*statusError](err); ok {
		switch status.status {
		case http.StatusNotFound:
			return answer, fmt.Errorf("the service has no item %s, or not for this key", id)
		case http.StatusUnauthorized, http.StatusForbidden:
			return answer, errors.New("the service does not take the key: give that of the item's source with --bearer-key or HITL_API_KEY")
		}
	}
	if err != nil {
		return answer, err
	}
	if err := json.Unmarshal(data, &answer); err != nil {
		return answer, fmt.Errorf("read the answer about %s: %w", id, err)
	}
	if answer.Entries == nil {
		answer.Entries = []hitl.Entry{} // it has to say what it says
	}
	return answer, nil
}

// tiles returns a reader of the log's tiles that fetches until ctx ends.
func (r *remoteLog) tiles(ctx context.Context) remoteTiles { return remoteTiles{ctx, r} }

// remoteTiles is a tlog.TileReader over HTTP. It holds a context because that interface passes none.
type remoteTiles struct {
	ctx context.Context
	log *remoteLog
}

// Height implements tlog.TileReader.
func (remoteTiles) Height() int { return verify.TileHeight }

// ReadTiles implements tlog.TileReader. Its result is checked by whoever asks.
func (t remoteTiles) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	out := make([][]byte, len(tiles))
	group, ctx := errgroup.WithContext(t.ctx)
	group.SetLimit(fetchAtOnce)
	for i, tile := range tiles {
		group.Go(func() (err error) {
			out[i], err = t.log.get(ctx, "/v1/log/"+tile.Path(), "", maxTileAnswer)
			return err
		})
	}
	return out, group.Wait()
}

// SaveTiles implements tlog.TileReader.
func (remoteTiles) SaveTiles([]tlog.Tile, [][]byte) {}

// remote checks the whole log of a running service and returns its latest checkpoint.
func (c verification) remote(ctx context.Context, log *remoteLog) (string, error) {
	var report verify.Report
	signed, readErr := log.checkpoint(ctx)
	var latest verify.Checkpoint
	var keyErr error
	if readErr == nil {
		latest, keyErr = verify.OpenCheckpoint(signed, c.verifier)
	}
	switch {
	case errors.Is(readErr, errNoCheckpoint):
		for _, s := range c.seen {
			if s.Size > 0 {
				report.Problems = append(report.Problems, verify.Problem{Kind: verify.Cut, Position: 0, Text: fmt.Sprintf(
					"the log was cut: it has no checkpoint any more, the checkpoint %s has %d entries", s.Where, s.Size)})
			}
		}
	case readErr != nil:
	case keyErr != nil:
		report.Problems = []verify.Problem{{Kind: verify.Unsigned, Position: -1, Text: fmt.Sprintf("the checkpoint that is served is not the log's: %v", keyErr)}}
	default:
		said := int64(0)
		report, readErr = verify.CheckTiles(latest, log.tiles(ctx), c.seen, func(entries int64) {
			if entries-said >= progressEvery {
				said = entries
				fmt.Fprintf(c.p.stderr, "%d of %d entries\n", entries, latest.Size)
			}
		})
		report.Latest = signed
	}
	return c.conclude(report, readErr, "every tile is that of the signed tree; what the entries say, --item shows")
}

// remoteItem checks the entries of one item as a running service shows them and returns its latest checkpoint.
func (c verification) remoteItem(ctx context.Context, log *remoteLog) (string, error) {
	served, err := log.checkpoint(ctx)
	if err != nil {
		return "", err
	}
	newest, err := verify.OpenCheckpoint(served, c.verifier)
	if err != nil {
		return "", fmt.Errorf("the checkpoint that is served is not the log's: %w", err)
	}
	answer, err := log.item(ctx, c.cmd.Item)
	if err != nil {
		return "", err
	}
	proven, err := c.proofs(answer, c.cmd.Item)
	if err != nil {
		return "", err
	}
	// What proves the item and what everybody is shown are one log, whichever is newer.
	shown := verify.Seen{Checkpoint: newest, Where: "that is served"}
	if proven.Size > newest.Size {
		newest, served = proven, answer.Proof.Checkpoint
	} else {
		shown = verify.Seen{Checkpoint: proven, Where: "of the proofs"}
	}
	for _, s := range append([]verify.Seen{shown}, c.seen...) {
		if err := verify.CheckExtends(newest, s.Checkpoint, log.tiles(ctx)); err != nil {
			return "", fmt.Errorf("the checkpoint %s: %w", s.Where, err)
		}
	}
	return served, nil
}
