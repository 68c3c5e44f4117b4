package ingest

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"hitl"
)

// Bounds of what a receiver can make us do.
const (
	maxRetryAfter = 24 * time.Hour
	maxAnswer     = 64 << 10 // bytes read of an answer, so that its connection can be used again
	maxIdle       = 64       // connections kept to a receiver: no fewer than callbacks that are sent at once to one, or most would be dialled anew
)

// Target is where a source wants its callbacks.
type Target struct {
	URL string // https, unless AllowHTTP
	// Secrets are Standard Webhooks secrets ("whsec_" and base64 of 24 bytes or more). Each signs, so that they can be changed
	// without a gap. At least one.
	Secrets []Secret
}

// SenderConfig is what NewSender needs.
type SenderConfig struct {
	Targets      map[string]Target // by source; a source without one is not called
	AllowHTTP    bool              // also call http URLs
	AllowPrivate bool              // also call loopback, private and other addresses that are not public
	RootCAs      *x509.CertPool    // who may sign receivers' certificates; default the system's
	Timeout      time.Duration     // of one attempt, from the dial to the end of the answer; default 15 s, as Standard Webhooks recommends
	Version      string            // for the User-Agent
	Logger       *slog.Logger      // required
	Now          func() time.Time  // default time.Now
	Observe      func(Attempt)     // called after each attempt, for metrics. It must not block. May be nil.
}

// Attempt is what became of one attempt to send a callback, for metrics.
type Attempt struct {
	Source  string
	Outcome string // "delivered", "refused" (an answer other than 2xx), "gone" (410), "failed" (no answer)
	Status  int    // of the answer; 0 when there was none
	Took    time.Duration
}

// Sender sends callbacks as Standard Webhooks. It is safe for concurrent use and reuses connections. It follows no redirects and
// takes no proxy from the environment.
type Sender struct {
	config  SenderConfig
	targets map[string]target
	client  *http.Client
}

type target struct {
	url     *url.URL
	signers []*standardwebhooks.Webhook
}

// NewSender checks the targets and returns their sender. Close it.
func NewSender(c SenderConfig) (*Sender, error) { return newSender(c, nil) }

func newSender(c SenderConfig, resolver *net.Resolver) (*Sender, error) {
	if c.Logger == nil {
		return nil, errors.New("configure callbacks: a logger is required")
	}
	if c.Timeout == 0 {
		c.Timeout = 15 * time.Second
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	g := guard{reserved()}
	s := &Sender{config: c, targets: map[string]target{}}
	var errs []error
	for _, name := range sortedKeys(c.Targets) {
		t, err := newTarget(c, g, c.Targets[name])
		if err != nil {
			errs = append(errs, fmt.Errorf("callback of source %q: %w", name, err))
		}
		s.targets[name] = t
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("configure callbacks: %w", err)
	}
	dialer := &net.Dialer{Timeout: c.Timeout, Resolver: resolver}
	if !c.AllowPrivate {
		dialer.Control = g.control
	}
	s.client = &http.Client{
		Timeout:       c.Timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			Proxy:                  nil, // a proxy would dial what we may not
			DialContext:            dialer.DialContext,
			TLSClientConfig:        &tls.Config{RootCAs: c.RootCAs, MinVersion: tls.VersionTLS12},
			ForceAttemptHTTP2:      true,
			DisableCompression:     true,
			MaxIdleConnsPerHost:    maxIdle,
			IdleConnTimeout:        90 * time.Second,
			MaxResponseHeaderBytes: maxAnswer,
		},
	}
	return s, nil
}

func newTarget(c SenderConfig, g guard, t Target) (target, error) {
	u, err := url.Parse(t.URL)
	switch {
	case err != nil:
		return target{}, errors.New("url: cannot be read") // its text may hold a password
	case u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
		return target{}, errors.New("url: must be https://…")
	case u.Scheme == "http" && !c.AllowHTTP:
		return target{}, errors.New("url: must be https; set allow_http to send callbacks in clear")
	}
	if addr, err := netip.ParseAddr(u.Hostname()); err == nil && !c.AllowPrivate {
		if err := g.check(addr); err != nil {
			return target{}, fmt.Errorf("url: %w", err)
		}
	}
	if len(t.Secrets) == 0 {
		return target{}, errors.New("there is no secret to sign with")
	}
	out := target{url: u}
	for i, secret := range t.Secrets {
		key, err := webhookKey(secret)
		if err != nil {
			return target{}, fmt.Errorf("secret %d: %w", i+1, err)
		}
		signer, err := standardwebhooks.NewWebhook(base64.StdEncoding.EncodeToString(key))
		if err != nil {
			return target{}, fmt.Errorf("secret %d: %w", i+1, err)
		}
		out.signers = append(out.signers, signer)
	}
	return out, nil
}

// Close closes idle connections.
func (s *Sender) Close() { s.client.CloseIdleConnections() }

// Send makes one attempt to deliver a callback and returns nil when the receiver has taken it (2xx).
//
// Errors: one that wraps hitl.ErrPermanent when the source has no target or the receiver answers 410; *hitl.RetryError when it
// answers 429 or 503 with Retry-After, no more than 24 hours ahead; all others may be tried again. Their texts hold neither
// secrets nor the URL's path.
func (s *Sender) Send(ctx context.Context, c hitl.Callback) error {
	t, ok := s.targets[c.Source]
	if !ok {
		return fmt.Errorf("source %q has no callback url in the configuration: %w", c.Source, hitl.ErrPermanent)
	}
	start := s.config.Now()
	status, err := s.attempt(ctx, t, c, start)
	took := s.config.Now().Sub(start)
	outcome := outcomeOf(status)
	if s.config.Observe != nil {
		s.config.Observe(Attempt{Source: c.Source, Outcome: outcome, Status: status, Took: took})
	}
	attrs := []slog.Attr{
		slog.String("callback", c.ID), slog.String("item", c.ItemID), slog.String("source", c.Source), slog.String("host", t.url.Host),
		slog.Int("status", status), slog.Duration("took", took),
	}
	if err != nil {
		err = fmt.Errorf("call %s: %w", t.url.Host, err)
		s.config.Logger.LogAttrs(ctx, slog.LevelWarn, "callback not delivered", append(attrs, slog.Any("error", err))...)
		return err
	}
	s.config.Logger.LogAttrs(ctx, slog.LevelDebug, "callback delivered", attrs...)
	return nil
}

func outcomeOf(status int) string {
	switch {
	case status == 0:
		return "failed"
	case status == http.StatusGone:
		return "gone"
	case status/100 == 2:
		return "delivered"
	}
	return "refused"
}

// attempt posts a callback once. The status is 0 when there was no answer.
func (s *Sender) attempt(ctx context.Context, t target, c hitl.Callback, now time.Time) (status int, err error) {
	req, err := s.request(ctx, t, c, now)
	if err != nil {
		return 0, err
	}
	span := sendSpan(ctx, req)
	defer func() { endSendSpan(span, status) }()
	res, err := s.client.Do(req)
	if err != nil {
		if withURL, ok := errors.AsType[*url.Error](err); ok {
			err = withURL.Err // the whole repeats the URL, which may hold a token
		}
		return 0, err
	}
	_, _ = io.CopyN(io.Discard, res.Body, maxAnswer) // the answer is in its status
	_ = res.Body.Close()
	return res.StatusCode, answer(res, now)
}

// request signs with the time of this attempt; id and body stay the same in each.
func (s *Sender) request(ctx context.Context, t target, c hitl.Callback, now time.Time) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, t.url.String(), bytes.NewReader(c.Body))
	if err != nil {
		return nil, errors.New("the url cannot be called")
	}
	signatures := make([]string, len(t.signers))
	for i, signer := range t.signers {
		if signatures[i], err = signer.Sign(c.ID, now, c.Body); err != nil {
			return nil, fmt.Errorf("sign: %w", err)
		}
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", strings.TrimSuffix("hitl/"+s.config.Version, "/"))
	req.Header.Set(headerID, c.ID)
	req.Header.Set(headerTimestamp, strconv.FormatInt(now.Unix(), 10))
	req.Header.Set(headerSignature, strings.Join(signatures, " "))
	return req, nil
}

// answer says what a receiver's answer means for the callback.
func answer(res *http.Response, now time.Time) error {
	code := res.StatusCode
	err := fmt.Errorf("answered %d %s", code, http.StatusText(code))
	switch {
	case code/100 == 2:
		return nil
	case code/100 == 3:
		return fmt.Errorf("%w; redirects are not followed", err)
	case code == http.StatusGone:
		return fmt.Errorf("%w: %w", err, hitl.ErrPermanent)
	case code == http.StatusTooManyRequests || code == http.StatusServiceUnavailable:
		if after := retryAfter(res.Header.Get("Retry-After"), now); after > 0 {
			return &hitl.RetryError{After: after, Err: err}
		}
	}
	return err
}

// retryAfter reads a Retry-After header, seconds or a date; 0 when there is none that makes sense.
func retryAfter(value string, now time.Time) time.Duration {
	if seconds, err := strconv.ParseInt(value, 10, 64); err == nil {
		return time.Duration(min(max(seconds, 0), int64(maxRetryAfter/time.Second))) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return min(max(at.Sub(now), 0), maxRetryAfter)
	}
	return 0
}
