package ingest

import (
	"context"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"hitl"
)

func testLogger() *slog.Logger { return slog.New(slog.DiscardHandler) }

func newTestSender(t testing.TB, c SenderConfig) *Sender {
	t.Helper()
	if c.Logger == nil {
		c.Logger = testLogger()
	}
	s, err := NewSender(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func to(url string, secrets ...Secret) map[string]Target {
	if secrets == nil {
		secrets = []Secret{webhookSecret}
	}
	return map[string]Target{"help": {URL: url, Secrets: secrets}}
}

var testCallback = hitl.Callback{ID: "msg_1", Source: "help", ItemID: "itm_1", Body: []byte(`{"type":"item.decided","data":{"id":"itm_1"}}`)}

// TestSend verifies what arrives with Standard Webhooks' own library, over TLS, on one connection.
func TestSend(t *testing.T) {
	t.Parallel()
	const newSecret = "whsec_" + "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
	var connections atomic.Int64
	stamps := make(chan string, 2)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		for _, secret := range []string{webhookSecret, newSecret} {
			wh, err := standardwebhooks.NewWebhook(secret)
			if err != nil {
				t.Error(err)
			}
			if err := wh.VerifyIgnoringTimestamp(body, r.Header); err != nil {
				t.Errorf("verify: %v", err)
			}
		}
		if string(body) != string(testCallback.Body) || r.Header.Get("webhook-id") != "msg_1" || r.Header.Get("Content-Type") != "application/json" || r.UserAgent() != "hitl/1.2" {
			t.Errorf("got %q %v", body, r.Header)
		}
		stamps <- r.Header.Get("webhook-timestamp")
		_, _ = io.WriteString(w, strings.Repeat("thanks ", 1000))
	}))
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			connections.Add(1)
		}
	}
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError) // it complains of the strict sender below
	server.StartTLS()
	defer server.Close()
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	now := testNow
	var attempts []Attempt
	s := newTestSender(t, SenderConfig{
		Targets: to(server.URL+"/hook?token=planted", webhookSecret, newSecret), AllowPrivate: true, RootCAs: roots, Version: "1.2",
		Now: func() time.Time { return now }, Observe: func(a Attempt) { attempts = append(attempts, a) },
	})
	for range 2 {
		if err := s.Send(t.Context(), testCallback); err != nil {
			t.Fatal(err)
		}
		if got := <-stamps; got != strconv.FormatInt(now.Unix(), 10) {
			t.Errorf("timestamp = %s", got)
		}
		now = now.Add(time.Hour) // each attempt has its own time
	}
	if n := connections.Load(); n != 1 {
		t.Errorf("%d connections", n)
	}
	if len(attempts) != 2 || attempts[0].Outcome != "delivered" || attempts[0].Status != 200 || attempts[0].Source != "help" {
		t.Errorf("observed %+v", attempts)
	}
	// Without the certificate's root nothing is delivered.
	strict := newTestSender(t, SenderConfig{Targets: to(server.URL), AllowPrivate: true})
	if err := strict.Send(t.Context(), testCallback); err == nil || errors.Is(err, hitl.ErrPermanent) {
		t.Errorf("unknown certificate: %v", err)
	}
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	var status int
	var header http.Header
	var hits atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		hits.Add(1)
		maps.Copy(w.Header(), header)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, "planted answer")
	}))
	defer server.Close()
	var outcome string
	var log strings.Builder
	s := newTestSender(t, SenderConfig{
		Targets: to(server.URL + "/hook?token=planted"), AllowHTTP: true, AllowPrivate: true, Now: func() time.Time { return testNow },
		Observe: func(a Attempt) { outcome = a.Outcome }, Logger: slog.New(slog.NewTextHandler(&log, nil)),
	})
	after := func(v string) http.Header { return http.Header{"Retry-After": {v}} }
	for _, c := range []struct {
		status    int
		header    http.Header
		outcome   string
		delivered bool
		permanent bool
		after     time.Duration
	}{
		{200, nil, "delivered", true, false, 0},
		{202, nil, "delivered", true, false, 0},
		{204, nil, "delivered", true, false, 0},
		{301, http.Header{"Location": {server.URL}}, "refused", false, false, 0},
		{307, http.Header{"Location": {server.URL}}, "refused", false, false, 0},
		{400, nil, "refused", false, false, 0},
		{401, nil, "refused", false, false, 0},
		{404, nil, "refused", false, false, 0},
		{410, nil, "gone", false, true, 0},
		{429, nil, "refused", false, false, 0},
		{429, after("7"), "refused", false, false, 7 * time.Second},
		{429, after("0"), "refused", false, false, 0},
		{429, after("-5"), "refused", false, false, 0},
		{429, after("soon"), "refused", false, false, 0},
		{429, after("9999999999999"), "refused", false, false, 24 * time.Hour},
		{503, after(testNow.Add(time.Minute).Format(http.TimeFormat)), "refused", false, false, time.Minute},
		{503, after(testNow.Add(-time.Minute).Format(http.TimeFormat)), "refused", false, false, 0},
		{503, after(testNow.AddDate(1, 0, 0).Format(http.TimeFormat)), "refused", false, false, 24 * time.Hour},
		{500, after("7"), "refused", false, false, 0},
		{500, nil, "refused", false, false, 0},
	} {
		status, header, outcome = c.status, c.header, ""
		before := hits.Load()
		err := s.Send(t.Context(), testCallback)
		var got time.Duration
		if retry, ok := errors.AsType[*hitl.RetryError](err); ok {
			got = retry.After
		}
		if (err == nil) != c.delivered || errors.Is(err, hitl.ErrPermanent) != c.permanent || got != c.after || outcome != c.outcome {
			t.Errorf("%d %v: %v, outcome %q", c.status, c.header, err, outcome)
		}
		if hits.Load() != before+1 {
			t.Errorf("%d: %d requests", c.status, hits.Load()-before)
		}
		if err != nil && strings.Contains(err.Error(), "planted") {
			t.Errorf("the error tells too much: %v", err)
		}
	}
	if strings.Contains(log.String(), "planted") {
		t.Errorf("the log tells too much: %s", log.String())
	}
	err := s.Send(t.Context(), hitl.Callback{ID: "msg_2", Source: "gone", Body: []byte("{}")})
	if !errors.Is(err, hitl.ErrPermanent) || !strings.Contains(err.Error(), `source "gone" has no callback url`) {
		t.Errorf("removed source: %v", err)
	}
}

func TestNoAnswer(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-release
	}))
	defer server.Close()
	defer close(release)
	var outcome string
	s := newTestSender(t, SenderConfig{
		Targets: to(server.URL + "/?token=planted"), AllowHTTP: true, AllowPrivate: true, Timeout: 50 * time.Millisecond,
		Observe: func(a Attempt) { outcome = a.Outcome },
	})
	if err := s.Send(t.Context(), testCallback); err == nil || errors.Is(err, hitl.ErrPermanent) || outcome != "failed" || strings.Contains(err.Error(), "planted") {
		t.Errorf("hanging receiver: %v, %q", err, outcome)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Send(ctx, testCallback); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestProxyFromTheEnvironment(t *testing.T) {
	var proxied atomic.Int64
	proxy := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { proxied.Add(1) }))
	defer proxy.Close()
	t.Setenv("HTTP_PROXY", proxy.URL)
	t.Setenv("HTTPS_PROXY", proxy.URL)
	s := newTestSender(t, SenderConfig{Targets: to("http://callbacks.invalid/"), AllowHTTP: true, AllowPrivate: true, Timeout: time.Second})
	if err := s.Send(t.Context(), testCallback); err == nil || proxied.Load() != 0 {
		t.Errorf("err %v, %d requests through the proxy", err, proxied.Load())
	}
}

func TestTargets(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		config SenderConfig
		want   string
	}{
		"http":           {SenderConfig{Targets: to("http://example.com/")}, "allow_http"},
		"other scheme":   {SenderConfig{Targets: to("ftp://example.com/")}, "https"},
		"no host":        {SenderConfig{Targets: to("https:///x")}, "https"},
		"no url":         {SenderConfig{Targets: to("")}, "https"},
		"broken":         {SenderConfig{Targets: to("https://planted:pass@ex ample/")}, "cannot be read"},
		"loopback":       {SenderConfig{Targets: to("https://127.0.0.1/")}, "allow_private"},
		"v6 loopback":    {SenderConfig{Targets: to("https://[::1]/")}, "allow_private"},
		"good":           {SenderConfig{Targets: to("https://example.com/")}, ""},
		"weak secret":    {SenderConfig{Targets: to("https://example.com/", "whsec_AAAA")}, "secret 1"},
		"one of several": {SenderConfig{Targets: map[string]Target{"a": {URL: "https://example.com", Secrets: []Secret{webhookSecret}}, "b": {URL: "https://example.com"}}}, `source "b": there is no secret`},
	} {
		c.config.Logger = testLogger()
		_, err := NewSender(c.config)
		if c.want == "" {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "planted") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := NewSender(SenderConfig{}); err == nil {
		t.Error("no logger: no error")
	}
}

func TestGuard(t *testing.T) {
	t.Parallel()
	g := guard{reserved()}
	for _, bad := range []string{
		"127.0.0.1", "127.255.255.254", "0.0.0.0", "0.1.2.3", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1",
		"169.254.169.254", "169.254.0.1", "100.64.0.1", "100.127.255.255", "192.0.0.170", "192.0.2.1", "198.18.0.1", "198.19.255.255",
		"198.51.100.1", "203.0.113.9", "192.88.99.1", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255",
		"::", "::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1", "fe80::1", "fe80::1%eth0", "fec0::1",
		"fc00::1", "fd00:ec2::254", "ff02::1", "ff0e::1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "2002:7f00:1::",
		"2002:a00:1::1", "2001::1", "2001:db8::1", "100::1", "3fff::1", "5f00::1",
	} {
		if err := g.check(netip.MustParseAddr(bad)); !errors.Is(err, errAddress) {
			t.Errorf("%s: %v", bad, err)
		}
	}
	for _, good := range []string{"1.1.1.1", "8.8.8.8", "172.15.255.255", "172.32.0.1", "100.63.255.255", "100.128.0.1", "192.167.0.1", "::ffff:8.8.8.8", "2606:4700:4700::1111", "2a00:1450::1"} {
		if err := g.check(netip.MustParseAddr(good)); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	if err := g.check(netip.Addr{}); err == nil {
		t.Error("no address: no error")
	}
	for _, bad := range []string{"", "x", "localhost:80", "/run/socket"} {
		if err := g.control("tcp", bad, nil); !errors.Is(err, errAddress) {
			t.Errorf("control(%q): %v", bad, err)
		}
	}
}

// TestDialTime resolves a public-looking name to addresses that are not: the check is of what is dialled.
func TestDialTime(t *testing.T) {
	t.Parallel()
	var hits atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { hits.Add(1) }))
	defer server.Close()
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	for _, addr := range []string{"127.0.0.1", "10.1.2.3", "169.254.169.254", "0.0.0.0"} {
		dns := fakeDNS(t, netip.MustParseAddr(addr))
		s, err := newSender(SenderConfig{Targets: to("http://callbacks.example.com:" + port + "/"), AllowHTTP: true, Logger: testLogger()}, dns)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Send(t.Context(), testCallback); !errors.Is(err, errAddress) || errors.Is(err, hitl.ErrPermanent) {
			t.Errorf("name of %s: %v", addr, err)
		}
		s.Close()
	}
	if hits.Load() != 0 {
		t.Errorf("%d requests came through", hits.Load())
	}
	s, err := newSender(SenderConfig{Targets: to("http://callbacks.example.com:" + port + "/"), AllowHTTP: true, AllowPrivate: true, Logger: testLogger()},
		fakeDNS(t, netip.MustParseAddr("127.0.0.1")))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Send(t.Context(), testCallback); err != nil || hits.Load() != 1 {
		t.Errorf("allowed: %v, %d requests", err, hits.Load())
	}
}

// fakeDNS is a resolver to which every name has the one address.
func fakeDNS(t testing.TB, addr netip.Addr) *net.Resolver {
	t.Helper()
	return &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		client, server := net.Pipe()
		go answerDNS(server, addr)
		return client, nil
	}}
}

// answerDNS answers one query over a stream, as DNS over TCP does.
func answerDNS(conn net.Conn, addr netip.Addr) {
	defer func() { _ = conn.Close() }()
	var length [2]byte
	if _, err := io.ReadFull(conn, length[:]); err != nil {
		return
	}
	query := make([]byte, binary.BigEndian.Uint16(length[:]))
	if _, err := io.ReadFull(conn, query); err != nil || len(query) < 17 {
		return
	}
	end := 12
	for query[end] != 0 {
		end += int(query[end]) + 1
	}
	question := query[12 : end+5]
	isA := binary.BigEndian.Uint16(question[len(question)-4:]) == 1
	answer := append([]byte{query[0], query[1], 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0}, question...)
	if isA {
		answer[7] = 1
		v4 := addr.As4()
		answer = append(answer, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4)
		answer = append(answer, v4[:]...)
	}
	_, _ = conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(answer))), answer...))
}
