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
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"text/template"
	"time"

	"hitl/bot/slacksim"
)

// The one source's key, and who reviews.
const (
	sourceKey = "bench-key-0123456789"
	reviewer  = "U0ANA"
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

	// What a soak wants to be as in production.
	UndoFor     string  // default 0
	Merge       bool    // twins are decided together
	Callback    string  // URL that is told of each decision
	SampleRate  float64 // of sure items that go to people too, in the last queue
	Metrics     bool    // served, and profiles with them
	StrictSlack bool    // Slack's rate limits hold
}

// service is a `hitl serve` that runs, with a database, a key prefix and a workspace of its own.
type service struct {
	url      string
	database string // URL of the owner
	slack    *workspace
	pid      int
	prefix   string
	conf     string // file
	metrics  string // URL; empty: not served
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
    merge_duplicates: {{$.Merge}}
    undo_for: {{$.UndoFor}}
    claim_for: {{$.ClaimFor}}
{{- end}}
sources:
  bench:
    classifier: bench
    policy: bench
    auth: {bearer: [{{.KeyHash | printf "%q"}}]}
    {{- if .Callback}}
    callback: {url: {{.Callback | printf "%q"}}, secret: "` + callbackSecret + `"}
callbacks: {allow_http: true, allow_private: true}
    {{- end}}
`))

// configuration is what the template sees.
type configuration struct {
	settings
	Listen, MetricsListen, PostgresURL, RedisAddr, RedisPassword, Prefix, Token, Signing, SlackAPI, KeyHash string
	Reviewer, SampleQueue                                                                                   string
	All                                                                                                     []place
}

// place is a queue and where its cards are shown.
type place struct{ Queue, Channel string }

// serve starts a service and returns when it is ready. It is stopped when the row ends.
func (b *bench) serve(ctx context.Context, s settings) (_ *service, err error) {
	bin, err := b.binary(ctx)
	if err != nil {
		return nil, err
	}
	rd, err := b.redis(ctx)
	if err != nil {
		return nil, err
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
	c.KeyHash = "sha256:" + hex.EncodeToString(sum[:])
	if c.Listen, err = freePort(ctx); err != nil {
		return nil, err
	}
	if s.Metrics {
		if c.MetricsListen, err = freePort(ctx); err != nil {
			return nil, err
		}
	}
	if c.PostgresURL, err = asService(s.Database); err != nil {
		return nil, err
	}
	conf := filepath.Join(b.dir, c.Prefix+".yaml")
	var text bytes.Buffer
	if err := configFile.Execute(&text, c); err != nil {
		return nil, fmt.Errorf("write configuration: %w", err)
	}
	if err := os.WriteFile(conf, text.Bytes(), 0o600); err != nil {
		return nil, err
	}
	if out, err := exec.CommandContext(ctx, bin, "--config", conf, "migrate").CombinedOutput(); err != nil {
		return nil, fmt.Errorf("migrate: %w\n%s", err, out)
	}
	svc := &service{url: "http://" + c.Listen, database: s.Database, slack: slack, prefix: c.Prefix, conf: conf}
	if s.Metrics {
		svc.metrics = "http://" + c.MetricsListen + "/metrics"
	}
	if svc.pid, err = b.spawn(ctx, nil, svc.url+"/readyz", bin, "--config", conf, "serve"); err != nil {
		return nil, err
	}
	slack.sim.SetEndpoints(slacksim.Endpoints{Interactivity: svc.url + "/slack/interactivity", Commands: svc.url + "/slack/commands"})
	return svc, nil
}

// spawn starts a program, with our environment unless another is given, that answers 200 at ready once it is, and returns its process id. It is told to stop when the row ends.
func (b *bench) spawn(ctx context.Context, env []string, ready, program string, args ...string) (int, error) {
	logFile := filepath.Join(b.dir, b.name(filepath.Base(program))+".log")
	out, err := os.OpenFile(logFile, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return 0, fmt.Errorf("open log: %w", err)
	}
	defer func() { _ = out.Close() }() // the program has its own
	b.logFile = logFile
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

func logTail(file string) []byte {
	const most = 3000
	text, err := os.ReadFile(file)
	if err != nil {
		return nil
	}
	return text[max(0, len(text)-most):]
}

// freePort returns a loopback address that is free now.
func freePort(ctx context.Context) (string, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("find free port: %w", err)
	}
	return l.Addr().String(), l.Close()
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
