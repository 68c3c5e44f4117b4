package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"hitl"
	"hitl/audit"
	"hitl/bot"
	"hitl/bot/slacksim"
	"hitl/config"
	"hitl/deploy/local"
	"hitl/deploy/local/localtest"
)

// storyTime bounds every wait of a story. It is reached only when something is broken.
const storyTime = 30 * time.Second

// world is one service with everything around it: a database and a key prefix of its own, a Slack workspace, an upstream.
type world struct {
	t        *testing.T
	settings storySettings
	dir      string
	owner    string // DSN of the owner
	prefix   string // of the keys in Redis
	sim      *slacksim.Sim
	upstream *upstream
	logs     *syncBuffer

	slackURL string
	url      string
	metrics  string // address of the metrics' listener
	stop     func() // stops the service; idempotent
}

// storySettings are what stories vary.
type storySettings struct {
	Model     string
	Labels    []string // that people may answer beyond the model's
	Timeout   time.Duration
	OpenLimit int
	Rate      float64
	Expire    time.Duration
	Backlog   int
	Merge     bool // merge_duplicates; most stories post the same text again and mean another item
	Undo      time.Duration
	Amend     bool // shop is told of decisions before they cannot be undone any more
	PProf     bool
	Socket    bool   // Socket Mode, with nothing that HTTP needs
	Rotation  bool   // tokens expire
	Queue     string // more keys of the queue, as lines of YAML
	Sources   string // more YAML below sources
	Shortcut  string // sources of the message shortcut, separated by commas
	Redis     string // where and how Redis runs, as keys of YAML; empty: the server of all tests
	Pooler    *local.PgBouncer
	Telemetry string // what stands in the section of that name, in YAML's flow style, without its braces
	LogFormat string
}

func newWorld(t *testing.T, change func(*storySettings)) *world {
	t.Helper()
	w := &world{
		t: t, dir: t.TempDir(), prefix: localtest.Prefix(t), logs: &syncBuffer{}, stop: func() {},
		settings: storySettings{Model: "starter", Timeout: 30 * time.Second, OpenLimit: 10, Backlog: 1000, LogFormat: "text"},
	}
	if change != nil {
		change(&w.settings)
	}
	if w.settings.Redis == "" {
		w.settings.Redis = fmt.Sprintf("addrs: [%q]", localtest.Redis(t))
	}
	w.owner = localtest.DatabaseFrom(t, "hitl", func(ctx context.Context, dsn string) error {
		return audit.Migrate(ctx, dsn, audit.MigrateOptions{ServiceRole: "hitl_service", ServicePassword: "service"})
	})
	w.upstream = newUpstream(t)
	ws := slacksim.DemoWorkspace()
	ws.Rates, ws.Commands, ws.SocketMode, ws.Scopes = slacksim.RatesOff, []string{"/hitl"}, w.settings.Socket, bot.Scopes(bot.Needs{})
	ws.Shortcuts = []slacksim.Shortcut{{Name: "Send to hitl", CallbackID: "hitl_send", Type: slacksim.MessageShortcut}}
	if w.settings.Rotation {
		ws.TokenLifetime = 12 * time.Hour
	}
	sim, err := slacksim.New(ws)
	if err != nil {
		t.Fatal(err)
	}
	w.sim = sim
	server := httptest.NewServer(sim)
	w.slackURL = server.URL
	sim.SetBaseURL(server.URL)
	t.Cleanup(func() { sim.Close(); server.Close() })
	w.writeConfig()
	if w.settings.Pooler != nil {
		w.mustHitl("migrate") // the role's settings are each database's own, so that the copy lacks them
	}
	w.start()
	t.Cleanup(func() {
		w.stop()
		if r := sim.Refused(); len(r) > 0 {
			t.Errorf("Slack would have refused: %+v", r)
		}
		if t.Failed() {
			t.Logf("the service's log:\n%s", w.logs)
		}
	})
	return w
}

const (
	deskKey        = "desk-key-0123456789"
	storyKey       = "story-key-0123456789"
	storySecret    = "whsec_c3RvcnktY2FsbGJhY2stc2VjcmV0LTAxMjM="
	hookSecret     = "a-github-webhook-secret"
	storySampleKey = "a-sample-key-of-stories"
)

// writeConfig writes the file that the service and the commands of a story read.
func (w *world) writeConfig() {
	w.t.Helper()
	service, err := withUser(w.owner, "hitl_service", "service")
	if err != nil {
		w.t.Fatal(err)
	}
	s, owner := w.settings, w.owner
	if s.Pooler != nil {
		for _, dsn := range []*string{&service, &owner} {
			if *dsn, err = s.Pooler.DSN(*dsn); err != nil {
				w.t.Fatal(err)
			}
		}
	}
	proof := fmt.Sprintf("signing_secret: %q, old_signing_secret: the secret before", w.sim.SigningSecret())
	if s.Socket {
		proof = fmt.Sprintf("app_token: %q", w.sim.AppToken())
	}
	if s.Rotation {
		proof += fmt.Sprintf(", refresh_token: %q, client_id: %q, client_secret: %q", w.sim.RefreshToken(), w.sim.ClientID(), w.sim.ClientSecret())
	}
	undo := "wait"
	if s.Amend {
		undo = "amend"
	}
	telemetry := "{}"
	if s.Telemetry != "" {
		telemetry = "{" + s.Telemetry + "}"
	}
	text := fmt.Sprintf(`
telemetry: %s
server: {listen: "127.0.0.1:0", metrics_listen: "127.0.0.1:0", pprof: %t, shutdown_timeout: 10s, read_header_timeout: 2s}
postgres: {url: %q, migrate_url: %q, accept_data_loss: true} # the servers of tests run without fsync
redis: {%s, key_prefix: %q}
slack: {bot_token: %q, %s, team: T0SLACKSIM, api_url: %q, shortcut_sources: [%s]}
callbacks: {allow_http: true, allow_private: true, schedule: [100ms, 100ms, 100ms]}
classifiers:
  sentiment: {model: %q, labels: [%s], timeout: %s, cache_dir: %q}
models: {location: %q}
policies:
  sentiment:
    queue: support
    rules:
      - {name: refund, when: 'item.text.contains("refund")', priority: urgent}
    sample: {rate: %g, key: %s}
queues:
  support:
    channel: C0REVIEW
    reviewers: {users: [U0CHLOE], groups: [S0REVIEWERS]}
    open_limit: %d
    expire_after: %s
    backlog: %d
    merge_duplicates: %t
    undo_for: %s
    reasons: [Irony, Mixed feelings]
%s
sources:
  desk: {classifier: sentiment, policy: sentiment, auth: {bearer: [%q]}}
  shop:
    classifier: sentiment
    policy: sentiment
    stats: true
    auth: {bearer: [%q]}
    callback: {url: %q, secret: %q, undo: %s}
  github:
    classifier: sentiment
    policy: sentiment
    auth: {hmac: {secrets: [%q]}}
    mapping: {id: 'string(body.issue.id)', text: 'body.issue.title + ": " + body.issue.body', metadata: '{"repository": body.repository.name}'}
%s`, telemetry, s.PProf, service, owner, s.Redis, w.prefix, w.sim.Token(), proof, w.slackURL+"/api/", s.Shortcut,
		s.Model, strings.Join(s.Labels, ", "), s.Timeout, filepath.Join(w.dir, "cache"), filepath.Join(w.dir, "models"), s.Rate, storySampleKey, s.OpenLimit, s.Expire, s.Backlog, s.Merge, s.Undo, s.Queue, demoSecrets{Key: deskKey}.KeyHash(),
		demoSecrets{Key: storyKey}.KeyHash(), w.upstream.url, storySecret, undo, hookSecret, s.Sources)
	if err := os.WriteFile(w.configFile(), []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) configFile() string { return filepath.Join(w.dir, "hitl.yaml") }

// start runs the service, as `hitl serve` does, until stop.
func (w *world) start() {
	w.t.Helper()
	cfg, err := config.Load(w.configFile(), os.LookupEnv)
	if err != nil {
		w.t.Fatal(err)
	}
	logger, err := newLogger(w.logs, config.Log{Level: slog.LevelDebug, Format: w.settings.LogFormat})
	if err != nil {
		w.t.Fatal(err)
	}
	svc, err := openService(context.Background(), cfg, logger, io.Discard)
	if err != nil {
		w.t.Fatal(err)
	}
	l, err := listen(w.t.Context(), "127.0.0.1:0")
	if err != nil {
		w.t.Fatal(err)
	}
	w.url, w.metrics = "http://"+l.Addr().String(), "http://"+svc.metricsAddr()
	w.sim.SetEndpoints(slacksim.Endpoints{
		Interactivity: w.url + "/slack/interactivity", Options: w.url + "/slack/options",
		Commands: w.url + "/slack/commands", Events: w.url + "/slack/events",
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- svc.Run(ctx, l) }()
	w.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			w.t.Errorf("service ended with %v", err)
		}
		http.DefaultClient.CloseIdleConnections()
	})
	wait, cancelWait := context.WithTimeout(w.t.Context(), storyTime)
	defer cancelWait()
	if err := waitReady(wait, w.url+"/readyz", svc.bot.Ready); err != nil || wait.Err() != nil {
		w.t.Fatalf("service is not ready: %v", err)
	}
}

// item is an item as the API answers it.
type item struct {
	ID         string         `json:"id"`
	ExternalID string         `json:"external_id"`
	Status     hitl.Status    `json:"status"`
	Label      string         `json:"label"`
	AILabel    string         `json:"ai_label"`
	Confidence float64        `json:"confidence"`
	Policy     string         `json:"policy"`
	Triggers   []hitl.Trigger `json:"triggers"`
	Review     *struct {
		ID string `json:"id"`
	} `json:"review"`
}

// request makes a request with the shop's key and decodes the answer into out, if the status is below 300.
func (w *world) request(method, path string, body, out any) answer {
	w.t.Helper()
	return w.requestWith(method, path, body, out, map[string]string{"Authorization": "Bearer " + storyKey, "Content-Type": "application/json"})
}

func (w *world) requestWith(method, path string, body, out any, header map[string]string) answer {
	w.t.Helper()
	var r io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		r = strings.NewReader(b)
	default:
		data, err := json.Marshal(b)
		if err != nil {
			w.t.Fatal(err)
		}
		r = bytes.NewReader(data)
	}
	url := w.url + path
	if strings.Contains(path, "://") {
		url = path
	}
	req, err := http.NewRequestWithContext(w.t.Context(), method, url, r)
	if err != nil {
		w.t.Fatal(err)
	}
	for name, value := range header {
		req.Header.Set(name, value)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	a := answer{status: resp.StatusCode, header: resp.Header}
	if a.body, err = io.ReadAll(resp.Body); err != nil {
		w.t.Fatal(err)
	}
	if out != nil && a.status < 300 {
		if err := json.Unmarshal(a.body, out); err != nil {
			w.t.Fatalf("%s %s answered %s: %v", method, path, a.body, err)
		}
	}
	return a
}

// answer is what the API answered.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// post submits a text and wants a status.
func (w *world) post(id, text string, want int) item {
	w.t.Helper()
	var it item
	resp := w.request(http.MethodPost, "/v1/items", map[string]any{"id": id, "text": text, "metadata": map[string]any{"order": id}}, &it)
	if resp.status != want {
		w.t.Fatalf("POST %q: status %d, want %d: %s", id, resp.status, want, resp.body)
	}
	return it
}

func (w *world) get(id string) item {
	w.t.Helper()
	var it item
	if resp := w.request(http.MethodGet, "/v1/items/"+id, nil, &it); resp.status != http.StatusOK {
		w.t.Fatalf("GET %s: status %d", id, resp.status)
	}
	return it
}

// log returns the statuses of an item's log entries.
func (w *world) log(id string) []hitl.Entry {
	w.t.Helper()
	var out struct {
		Entries []hitl.Entry `json:"entries"`
	}
	if resp := w.request(http.MethodGet, "/v1/items/"+id+"/log", nil, &out); resp.status != http.StatusOK {
		w.t.Fatalf("GET log of %s: status %d", id, resp.status)
	}
	return out.Entries
}

func statuses(entries []hitl.Entry) []hitl.Status {
	var out []hitl.Status
	for _, e := range entries {
		out = append(out, e.Status)
	}
	return out
}

// eventually waits on the Slack screen until ok.
func (w *world) eventually(what string, ok func() bool) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), storyTime)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-ctx.Done():
			w.t.Fatalf("waited %s for %s; Slack shows %s", storyTime, what, w.screen())
		case <-tick.C:
		}
	}
}

func (w *world) screen() string {
	var b strings.Builder
	for _, m := range w.sim.Messages(reviewChannel) {
		fmt.Fprintf(&b, "\n[%s] %s", m.TS, m.AllText())
	}
	return b.String()
}

const reviewChannel = "C0REVIEW"

// card waits for the card of an item.
func (w *world) card(it item) slacksim.Message {
	w.t.Helper()
	if it.Review == nil {
		w.t.Fatalf("item %s has no review: %+v", it.ID, it)
	}
	var found slacksim.Message
	w.eventually("the card of "+it.ID, func() bool {
		found = w.cardNow(it)
		return found.TS != ""
	})
	return found
}

func (w *world) cardNow(it item) slacksim.Message {
	for _, m := range w.sim.Messages(reviewChannel) {
		if m.Metadata != nil && m.Metadata.EventPayload["review"] == it.Review.ID {
			return m
		}
	}
	return slacksim.Message{}
}

// click presses the button of a card whose label contains text.
func (w *world) click(user string, card slacksim.Message, text string) slacksim.Outcome {
	w.t.Helper()
	out, err := w.tryClick(user, card, text)
	if err != nil {
		w.t.Fatal(err)
	}
	return out
}

func (w *world) tryClick(user string, card slacksim.Message, text string) (slacksim.Outcome, error) {
	for _, e := range card.Elements() {
		if e.Type == "button" && strings.Contains(e.Text, text) {
			return w.sim.Click(w.t.Context(), slacksim.Click{User: user, Channel: reviewChannel, TS: card.TS, ActionID: e.ActionID, BlockID: e.BlockID})
		}
	}
	return slacksim.Outcome{}, fmt.Errorf("no button says %q on %s", text, card.AllText())
}

// shows waits until a card's text contains all words, in its blocks and in its top-level text.
func (w *world) shows(it item, words ...string) {
	w.t.Helper()
	w.eventually(fmt.Sprintf("a card of %s that says %q", it.ID, words), func() bool {
		m := w.cardNow(it)
		for _, word := range words {
			if !strings.Contains(m.Text, word) || !strings.Contains(m.AllText(), word) {
				return false
			}
		}
		return true
	})
}

// told waits until a person was told something only they see.
func (w *world) told(user, words string) {
	w.t.Helper()
	w.eventually(fmt.Sprintf("%s to be told %q", user, words), func() bool {
		return slices.ContainsFunc(w.sim.Ephemerals(user), func(m slacksim.Message) bool { return strings.Contains(m.AllText(), words) })
	})
}

// emptyRedis deletes every key of this world.
func (w *world) emptyRedis() {
	w.t.Helper()
	client := redis.NewClient(&redis.Options{Addr: localtest.Redis(w.t)})
	defer func() { _ = client.Close() }()
	keys, err := client.Keys(w.t.Context(), w.prefix+":*").Result()
	if err != nil || len(keys) == 0 {
		w.t.Fatalf("found %d keys: %v", len(keys), err)
	}
	if err := client.Del(w.t.Context(), keys...).Err(); err != nil {
		w.t.Fatal(err)
	}
}

// query reads one value from the database, as its owner.
func query[T any](w *world, sql string, args ...any) T {
	w.t.Helper()
	conn, err := pgx.Connect(w.t.Context(), w.owner)
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = conn.Close(w.t.Context()) }()
	var v T
	if err := conn.QueryRow(w.t.Context(), sql, args...).Scan(&v); err != nil {
		w.t.Fatalf("%s: %v", sql, err)
	}
	return v
}

// hitl runs a command of the binary on this world and returns what it printed.
func (w *world) hitl(args ...string) (stdout string, err error) {
	var out, errOut bytes.Buffer
	p := program{stdin: strings.NewReader(""), stdout: &out, stderr: &errOut, env: os.LookupEnv}
	err = p.run(w.t.Context(), append([]string{"--config", w.configFile()}, args...))
	if err != nil {
		err = fmt.Errorf("%w\n%s", err, errOut.String())
	}
	return out.String(), err
}

func (w *world) mustHitl(args ...string) string {
	w.t.Helper()
	out, err := w.hitl(args...)
	if err != nil {
		w.t.Fatalf("hitl %v: %v\n%s", args, err, out)
	}
	return out
}

// verifies waits until `hitl verify` finds nothing and prints words. Until the first checkpoint is signed it says that anyone could have made the log.
func (w *world) verifies(words string) {
	w.t.Helper()
	var out string
	var err error
	defer func() {
		if w.t.Failed() {
			w.t.Logf("hitl verify: %v\n%s", err, out)
		}
	}()
	w.eventually("hitl verify finds "+words, func() bool {
		out, err = w.hitl("verify")
		return err == nil && strings.Contains(out, words)
	})
}

// upstream takes callbacks and refuses those that are not signed.
type upstream struct {
	url    string
	mu     sync.Mutex
	fail   int    // answer 500 so many times
	answer string // what it says then
	got    []delivered
}

type delivered struct {
	id    string
	body  string
	ok    bool   // answered with 204
	trace string // its traceparent
	item  hitl.CallbackItem
}

func newUpstream(t *testing.T) *upstream {
	u := &upstream{}
	hook, err := standardwebhooks.NewWebhook(storySecret)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err == nil {
			err = hook.Verify(body, r.Header)
		}
		var event struct{ Data hitl.CallbackItem }
		if err = errors.Join(err, json.Unmarshal(body, &event)); err != nil {
			t.Errorf("callback is wrong: %v", err)
			http.Error(rw, err.Error(), http.StatusBadRequest)
			return
		}
		u.mu.Lock()
		defer u.mu.Unlock()
		d := delivered{r.Header.Get("webhook-id"), string(body), u.fail == 0, r.Header.Get("traceparent"), event.Data}
		u.got = append(u.got, d)
		if !d.ok {
			u.fail--
			http.Error(rw, u.answer, http.StatusInternalServerError)
			return
		}
		rw.WriteHeader(http.StatusNoContent)
	}))
	t.Cleanup(server.Close)
	u.url = server.URL
	return u
}

// of returns what arrived about an item.
func (u *upstream) of(it item) []delivered {
	u.mu.Lock()
	defer u.mu.Unlock()
	var out []delivered
	for _, d := range u.got {
		if d.item.ID == it.ID {
			out = append(out, d)
		}
	}
	return out
}

// calledBack waits for the callback of an item that was taken.
func (w *world) calledBack(it item) hitl.CallbackItem {
	w.t.Helper()
	var got hitl.CallbackItem
	w.eventually("the callback of "+it.ID, func() bool {
		for _, d := range w.upstream.of(it) {
			if d.ok {
				got = d.item
				return true
			}
		}
		return false
	})
	return got
}

// syncBuffer is a log that several goroutines write and the test reads.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}
