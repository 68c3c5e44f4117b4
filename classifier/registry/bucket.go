package registry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

// S3 is how a bucket is reached.
type S3 struct {
	Endpoint     string // "https://s3.amazonaws.com", or that of another server that speaks the protocol
	Region       string // empty: the server says
	AccessKey    string // empty: what the environment, the credentials file or the machine's role gives, as for other tools of AWS
	SecretKey    string
	SessionToken string
	PathStyle    bool // the bucket is in the path, not in the host's name
}

// bucket keeps blobs as objects of an S3-compatible bucket, each sent as one, which S3 takes up to 5 GiB. An object appears when it was sent whole, so a process
// that dies leaves none.
type bucket struct {
	client *minio.Client
	name   string
	prefix string
}

const (
	// answerTime is how long a server may take to begin an answer; the body takes as long as the context allows.
	answerTime = 30 * time.Second
	// s3Tries is how often a request is sent before a server's trouble is an error, with growing pauses.
	s3Tries = 4
	// firstPause is half of the time before the second try; each pause is twice the one before.
	firstPause = 100 * time.Millisecond
)

func openBucket(location string, o S3) (*bucket, error) {
	name, prefix, _ := strings.Cut(strings.TrimPrefix(location, "s3://"), "/")
	if name == "" {
		return nil, fmt.Errorf("%q names no bucket; it is s3://BUCKET or s3://BUCKET/FOLDER", location)
	}
	at, err := url.Parse(o.Endpoint)
	if err != nil || at.Host == "" || (at.Scheme != "http" && at.Scheme != "https") {
		return nil, fmt.Errorf("%q is no address of an S3 server; it begins with https:// or http://", o.Endpoint)
	}
	given := credentials.NewStaticV4(o.AccessKey, o.SecretKey, o.SessionToken)
	if o.AccessKey == "" {
		given = credentials.NewChainCredentials([]credentials.Provider{
			&credentials.EnvAWS{}, &credentials.FileAWSCredentials{}, &credentials.IAM{Client: &http.Client{Timeout: 5 * time.Second}},
		})
	}
	transport, err := minio.DefaultTransport(at.Scheme == "https")
	if err != nil {
		return nil, fmt.Errorf("prepare connections to %s: %w", o.Endpoint, err)
	}
	transport.ResponseHeaderTimeout = answerTime
	lookup := minio.BucketLookupAuto
	if o.PathStyle {
		lookup = minio.BucketLookupPath
	}
	client, err := minio.New(at.Host, &minio.Options{
		Creds: given, Secure: at.Scheme == "https", Region: o.Region, BucketLookup: lookup, Transport: transport, MaxRetries: s3Tries,
	})
	if err != nil {
		return nil, fmt.Errorf("prepare bucket %s: %w", name, err)
	}
	return &bucket{client: client, name: name, prefix: strings.Trim(prefix, "/")}, nil
}

func (b *bucket) key(name string) string { return path.Join(b.prefix, name) }

// put tries again by itself: the client would go back in a body that the try before may still be reading.
func (b *bucket) put(ctx context.Context, name string, open opener, size int64) error {
	for try := 1; ; try++ {
		err := b.putOnce(ctx, name, open, size)
		if err == nil || try == s3Tries || ctx.Err() != nil || !passing(err) {
			return b.explain("write", name, err)
		}
		select {
		case <-time.After(time.Duration(1<<try) * firstPause):
		case <-ctx.Done():
			return b.explain("write", name, ctx.Err())
		}
	}
}

func (b *bucket) putOnce(ctx context.Context, name string, open opener, size int64) error {
	body, err := open()
	if err != nil {
		return err
	}
	defer func() { _ = body.Close() }() // read only
	// A reader that cannot go back: the client sends it once.
	once := struct{ io.Reader }{body}
	_, err = b.client.PutObject(ctx, b.name, b.key(name), once, size, minio.PutObjectOptions{ContentType: "application/octet-stream", DisableMultipart: true})
	return err
}

// passing says whether a request may succeed when it is sent again: the server was busy or failed, or the connection did.
func passing(err error) bool {
	if answer, ok := errors.AsType[minio.ErrorResponse](err); ok && answer.StatusCode != 0 {
		return answer.StatusCode >= 500 || answer.StatusCode == http.StatusTooManyRequests
	}
	_, network := errors.AsType[net.Error](err)
	return network || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF)
}

// get asks by GET alone: what HEAD refuses has no body that would say why.
func (b *bucket) get(ctx context.Context, name string) (io.ReadCloser, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	body, _, _, err := (&minio.Core{Client: b.client}).GetObject(ctx, b.name, b.key(name), minio.GetObjectOptions{})
	if err != nil {
		cancel(nil)
		return nil, b.explain("read", name, err)
	}
	stalled := fmt.Errorf("s3://%s/%s: nothing came for %s", b.name, b.key(name), answerTime)
	return &steady{ctx: ctx, cancel: cancel, body: body, watch: time.AfterFunc(answerTime, func() { cancel(stalled) })}, nil
}

// steady gives a download up that stands still for answerTime.
type steady struct {
	ctx    context.Context //nolint:containedctx // of this one request
	cancel context.CancelCauseFunc
	body   io.ReadCloser
	watch  *time.Timer
}

func (s *steady) Read(p []byte) (int, error) {
	n, err := s.body.Read(p)
	if n > 0 && err == nil {
		s.watch.Reset(answerTime)
	}
	if cause := context.Cause(s.ctx); err != nil && cause != nil {
		err = cause
	}
	return n, err
}

func (s *steady) Close() error {
	s.watch.Stop()
	defer s.cancel(nil)
	return s.body.Close()
}

func (b *bucket) list(ctx context.Context, folder string, each func(name string)) error {
	ctx, cancel := context.WithCancel(ctx) // ends the listing when we leave early
	defer cancel()
	for o := range b.client.ListObjects(ctx, b.name, minio.ListObjectsOptions{Prefix: b.key(folder) + "/", Recursive: true}) {
		if o.Err != nil {
			return b.explain("list", folder, o.Err)
		}
		each(strings.TrimPrefix(strings.TrimPrefix(o.Key, b.prefix), "/"))
	}
	return b.explain("list", folder, ctx.Err())
}

// explain says what was tried, and what to do about the usual reasons.
func (b *bucket) explain(what, name string, err error) error {
	if err == nil {
		return nil
	}
	answer := minio.ToErrorResponse(err)
	hint := ""
	switch answer.Code {
	case "NoSuchKey":
		return fmt.Errorf("s3://%s/%s: %w", b.name, b.key(name), fs.ErrNotExist)
	case "NoSuchBucket":
		hint = "; make the bucket, or name another in models.location"
	case "AccessDenied":
		hint = "; the key needs s3:GetObject, s3:PutObject and s3:ListBucket"
	case "InvalidAccessKeyId", "SignatureDoesNotMatch":
		hint = "; see models.s3.access_key and secret_key"
	case "AuthorizationHeaderMalformed", "PermanentRedirect", "IllegalLocationConstraintException":
		hint = "; see models.s3.region and endpoint"
	case "RequestTimeTooSkewed":
		hint = "; the clock of this machine is wrong"
	}
	return fmt.Errorf("%s s3://%s/%s: %w%s", what, b.name, b.key(name), err, hint)
}
