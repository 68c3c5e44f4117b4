package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"text/template"
	"time"

	"hitl/bot/slacksim"
	"hitl/deploy/local"
)

// The one source's keys, and who reviews.
const (
	sourceKey      = "bench-key-0123456789"
	callbackSecret = "whsec_YmVuY2gtY2FsbGJhY2stc2VjcmV0LTAxMjM="
	reviewer       = "U0ANA"
)

// queueName and channelOf are the queue of a number and its channel.
func queueName(i int) string { return fmt.Sprintf("q%02d", i) }
func channelOf(i int) string { return fmt.Sprintf("C0BENCH%02d", i) }

// settings are what rows vary of a service.
type settings struct {
	Database  string // URL of the owner; empty: a new one
	Model     string // default starter
	ONNX      string // onnxruntime; default off: the starter's network is small, and figures should not depend on a library
	LogKey    string // signs checkpoints, every second
	Review    bool   // every item goes to people
	Queues    int    // default 1; an item's metadata names its queue
	OpenLimit int    // of each queue; default 10
	ClaimFor  string // default 0
	Replicas  int    // processes that serve; default 1
	Metrics   bool   // each process shows its metrics, and profiles with them
	Callbacks string // where what becomes of an item is sent; empty: nowhere

	Redis *local.Redis // default: the one that rows share

	// What a soak wants to be as in production.
	UndoFor     string  // default 0
	Merge       bool    // twins are decided together
	SampleRate  float64 // of sure items that go to people too, in the last queue
	StrictSlack bool    // Slack's rate limits hold
}

// service is a `hitl serve` that runs, with a database, a key prefix and a workspace of its own.
type service struct {
	url      string   // of the first process
	urls     []string // of each
	metrics  []string // where each shows its metrics; empty: nowhere
	pids     []int
	config   string // the first's file
	database string // URL of the owner
	slack    *workspace
	pid      int
	prefix   string
}

var configFile = template.Must(template.New("hitl.yaml").Parse(`# written by hitl-bench
server: {listen: {{.Listen | printf "%q"}}, metrics_listen: {{.MetricsListen | printf "%q"}}, pprof: {{.Metrics}}}
log: {level: warn}
postgres: {url: {{.PostgresURL | printf "%q"}}, migrate_url: {{.Database | printf "%q"}}}
redis: {addrs: [{{.RedisAddr | printf "%q"}}], password: {{.RedisPassword | printf "%q"}}, key_prefix: {{.Prefix}}}
{{- if .LogKey}}
audit: {key: {{.LogKey | printf "%q"}}, checkpoint_every: 1s}
{{- end}}
slack: {bot_token: {{.Token | printf "%q"}}, signing_secret: {{.Signing | printf "%q"}}, api_url: {{.SlackAPI | printf "%q"}}}
classifiers:
  bench: {model: {{.Model | printf "%q"}}, onnxruntime: {{.ONNX | printf "%q"}}}
policies:
  bench:
    threshold: {{if .Review}}1{{else}}0.85{{end}}
    queue: {{(index .All 0).Queue}}
    {{- if .SampleRate}}
    sample: {rate: {{.SampleRate}}, key: bench-sample-key-0123456789, queue: {{.SampleQueue}}}
    {{- end}}
    rules:
    {{- range .All}}
      - {name: to-{{.Queue}}, when: 'has(item.metadata.queue) && item.metadata.queue == "{{.Queue}}"', queue: {{.Queue}}}
    {{- end}}
queues:
{{- range .All}}
  {{.Queue}}:
    channel: {{.Channel}}
    reviewers: {users: [{{$.Reviewer}}]}
    open_limit: {{$.OpenLimit}}
    backlog: 0
    merge_duplicates: {{$.Merge}}
    undo_for: {{$.UndoFor}}
    claim_for: {{$.ClaimFor}}
{{- end}}
sources:
  bench:
    classifier: bench
    policy: bench
    auth: {bearer: [{{.KeyHash | printf "%q"}}]}
    {{- if .Callbacks}}
    callback: {url: {{.Callbacks | printf "%q"}}, secret: {{.CallbackSecret | printf "%q"}}}
    {{- end}}
{{- if .Callbacks}}
callbacks: {allow_http: true, allow_private: true}
{{- end}}
`))

// configuration is what the template sees.
type configuration struct {
	settings
	Listen, MetricsListen, PostgresURL, CallbackSecret, RedisAddr, RedisPassword, Prefix, Token, Signing, SlackAPI, KeyHash string
	Reviewer, SampleQueue                                                                                                   string
	All                                                                                                                     []place
}

// place is a queue and where its cards are shown.
type place struct{ Queue, Channel string }

// serve starts a service and returns when it is ready. It is stopped when the row ends.
func (b *bench) serve(ctx context.Context, s settings) (_ *service, err error) {
	bin, err := b.binary(ctx)
	if err != nil {
		return nil, err
	}
	rd := s.Redis
	if rd == nil {
		if rd, err = b.redis(ctx); err != nil {
			return nil, err
		}
	}
	if s.Database == "" {
		if s.Database, err = b.database(ctx, "hitl"); err != nil {
			return nil, err
		}
	}
	s.Queues = max(s.Queues, 1)
	slack, err := b.startSlack(ctx, s.Queues, s.StrictSlack)
	if err != nil {
		return nil, err
	}
	s.Model, s.ONNX = cmp.Or(s.Model, "starter"), cmp.Or(s.ONNX, "off")
	s.OpenLimit, s.ClaimFor = cmp.Or(s.OpenLimit, 10), cmp.Or(s.ClaimFor, "0")
	s.UndoFor = cmp.Or(s.UndoFor, "0")
	c := configuration{
		settings: s, RedisAddr: rd.Addr(), RedisPassword: rd.Password(), Prefix: b.name("redis"), Token: slack.sim.Token(), Signing: slack.sim.SigningSecret(),
		SlackAPI: slack.url + "/api/", Reviewer: reviewer, SampleQueue: queueName(s.Queues - 1), MetricsListen: "off",
	}
	for i := range s.Queues {
		c.All = append(c.All, place{queueName(i), channelOf(i)})
	}
	sum := sha256.Sum256([]byte(sourceKey))
	c.KeyHash, c.CallbackSecret = "sha256:"+hex.EncodeToString(sum[:]), callbackSecret
	if c.PostgresURL, err = asService(s.Database); err != nil {
		return nil, err
	}
	svc := &service{database: s.Database, slack: slack, prefix: c.Prefix}
	for range max(s.Replicas, 1) {
		if err := b.start(ctx, svc, bin, c); err != nil {
			return nil, err
		}
	}
	svc.url, svc.pid = svc.urls[0], svc.pids[0]
	slack.sim.SetEndpoints(slacksim.Endpoints{Interactivity: svc.url + "/slack/interactivity", Commands: svc.url + "/slack/commands"})
	return svc, nil
}

// start starts a process of a service; the first makes its schema before.
func (b *bench) start(ctx context.Context, svc *service, bin string, c configuration) (err error) {
	if c.Listen, err = freePort(ctx); err != nil {
		return err
	}
	c.MetricsListen = "off"
	if c.Metrics {
		if c.MetricsListen, err = freePort(ctx); err != nil {
			return err
		}
		svc.metrics = append(svc.metrics, "http://"+c.MetricsListen+"/metrics")
	}
	conf := filepath.Join(b.dir, fmt.Sprintf("%s-%d.yaml", c.Prefix, len(svc.urls)))
	var text bytes.Buffer
	if err := configFile.Execute(&text, c); err != nil {
		return fmt.Errorf("write configuration: %w", err)
	}
	if err := os.WriteFile(conf, text.Bytes(), 0o600); err != nil {
		return err
	}
	if len(svc.urls) == 0 {
		svc.config = conf
		if out, err := exec.CommandContext(ctx, bin, "--config", conf, "migrate").CombinedOutput(); err != nil {
			return fmt.Errorf("migrate: %w\n%s", err, out)
		}
	}
	url := "http://" + c.Listen
	pid, err := b.spawn(ctx, nil, url+"/readyz", bin, "--config", conf, "serve")
	svc.urls, svc.pids = append(svc.urls, url), append(svc.pids, pid)
	return err
}

// spawn starts a program, with our environment unless another is given, that answers 200 at ready once it is, and returns its process id. It is told to stop when the row ends.
func (b *bench) spawn(ctx context.Context, env []string, ready, program string, args ...string) (int, error) {
	logFile := filepath.Join(b.dir, b.name(filepath.Base(program))+".log")
	out, err := os.OpenFile(logFile, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return 0, fmt.Errorf("open log: %w", err)
	}
	defer func() { _ = out.Close() }() // the program has its own
	b.logs[origin(ready)] = logFile
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	cmd := exec.CommandContext(running, program, args...)
	cmd.Env, cmd.Stdout, cmd.Stderr, cmd.WaitDelay = env, out, out, 40*time.Second
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	if err := cmd.Start(); err != nil {
		stop()
		return 0, fmt.Errorf("start %s: %w", program, err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	b.onRowEnd(func(context.Context) error {
		stop()
		if err := <-ended; err != nil && !errors.Is(err, context.Canceled) {
			b.say("  %s ended with: %v", filepath.Base(program), err) // as it likes, once it is told to
		}
		return nil
	})
	limit, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	for {
		if err = get(limit, ready); err == nil {
			return cmd.Process.Pid, nil
		}
		select {
		case died := <-ended:
			ended <- died
			return 0, fmt.Errorf("%s ended by itself: %w\n%s", program, died, logTail(logFile))
		case <-limit.Done():
			return 0, fmt.Errorf("wait for %s: %w\n%s", program, err, logTail(logFile))
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func get(ctx context.Context, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	_, _ = io.Copy(io.Discard, res.Body)
	_ = res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return errors.New(res.Status)
	}
	return nil
}

// origin is a URL without its path.
func origin(address string) string {
	scheme, rest, _ := strings.Cut(address, "://")
	host, _, _ := strings.Cut(rest, "/")
	return scheme + "://" + host
}

func logTail(file string) []byte {
	const most = 3000
	text, err := os.ReadFile(file)
	if err != nil {
		return nil
	}
	return text[max(0, len(text)-most):]
}

// freePort returns a loopback address that is free now. It lies below the ports that systems give to connections: of those, one may be taken by
// a client before the program that is to have it has begun to listen.
func freePort(ctx context.Context) (string, error) {
	const lowest, tries = 20_000, 100
	var lc net.ListenConfig
	var err error
	for range tries {
		var l net.Listener
		if l, err = lc.Listen(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", lowest+rand.IntN(10_000))); err == nil { //nolint:gosec // no secret
			return l.Addr().String(), l.Close()
		}
	}
	return "", fmt.Errorf("find free port: %w", err)
}

// asService is a database's URL as the service's role connects.
func asService(dsn string) (string, error) {
	u, err := url.Parse(dsn)
	if err != nil {
		return "", fmt.Errorf("postgres address: %w", err)
	}
	u.User = url.UserPassword("hitl_bench", "bench") // behind a random password of the owner's, on loopback, for minutes
	return u.String(), nil
}
