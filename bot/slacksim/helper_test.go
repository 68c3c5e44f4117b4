package slacksim_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/slack-go/slack"
	"go.uber.org/goleak"

	"hitl/bot/slacksim"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// clock is a clock that tests move by hand.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func newClock() *clock { return &clock{t: time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	c.t = c.t.Add(d)
	c.mu.Unlock()
}

// received is one request that the app under test got.
type received struct {
	header http.Header
	body   []byte
	call   slack.InteractionCallback
	slash  slack.SlashCommand
}

// app is a Slack app under test: it checks signatures, keeps what it got and answers with respond.
type app struct {
	t       *testing.T
	secret  string
	respond func(w http.ResponseWriter, got received)

	mu  sync.Mutex
	got []received
}

func (a *app) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	got := received{header: r.Header}
	var err error
	if got.body, err = io.ReadAll(r.Body); err != nil {
		a.t.Errorf("read body: %v", err)
	}
	r.Body = io.NopCloser(bytes.NewReader(got.body))
	switch r.URL.Path {
	case "/interact", "/options":
		if got.call, err = slack.InteractionCallbackParse(r); err != nil {
			a.t.Errorf("parse interaction: %v", err)
		}
	case "/command":
		if got.slash, err = slack.SlashCommandParse(r); err != nil {
			a.t.Errorf("parse command: %v", err)
		}
	}
	a.mu.Lock()
	a.got = append(a.got, got)
	respond := a.respond
	a.mu.Unlock()
	if respond != nil {
		respond(w, got)
	}
}

func (a *app) requests() []received {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]received(nil), a.got...)
}

func (a *app) last() received {
	a.t.Helper()
	all := a.requests()
	if len(all) == 0 {
		a.t.Fatal("the app received nothing")
	}
	return all[len(all)-1]
}

func (a *app) answer(contentType, body string) {
	a.mu.Lock()
	a.respond = func(w http.ResponseWriter, _ received) {
		w.Header().Set("Content-Type", contentType)
		_, _ = io.WriteString(w, body)
	}
	a.mu.Unlock()
}

// world is a simulator on a socket, a client of it and an app behind it.
type world struct {
	sim    *slacksim.Sim
	url    string
	appURL string
	client *slack.Client
	app    *app
	clock  *clock
	http   *http.Client
}

func start(t *testing.T, change ...func(*slacksim.Config)) *world {
	t.Helper()
	w := &world{clock: newClock(), app: &app{t: t}}
	cfg := slacksim.Config{Rates: slacksim.RatesOff, Now: w.clock.now}
	appServer := httptest.NewServer(w.app)
	t.Cleanup(appServer.Close)
	w.appURL = appServer.URL
	cfg.Endpoints = slacksim.Endpoints{
		Interactivity: appServer.URL + "/interact", Options: appServer.URL + "/options",
		Commands: appServer.URL + "/command", Events: appServer.URL + "/events",
	}
	for _, f := range change {
		f(&cfg)
	}
	sim, err := slacksim.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(sim)
	w.http = server.Client()
	t.Cleanup(server.Close)
	t.Cleanup(sim.Close)
	w.sim, w.url, w.app.secret = sim, server.URL, sim.SigningSecret()
	w.client = slack.New(sim.Token(), slack.OptionAPIURL(server.URL+"/api/"), slack.OptionHTTPClient(server.Client()))
	return w
}

func (w *world) clean(t *testing.T) {
	t.Helper()
	for _, r := range w.sim.Refused() {
		t.Errorf("refused %s: %s", r.Where, r.Problem)
	}
}

func plain(s string) *slack.TextBlockObject {
	return slack.NewTextBlockObject(slack.PlainTextType, s, false, false)
}

func mrkdwn(s string) *slack.TextBlockObject {
	return slack.NewTextBlockObject(slack.MarkdownType, s, false, false)
}

// card is a message with two buttons.
func card() slack.MsgOption {
	return slack.MsgOptionBlocks(
		slack.NewSectionBlock(mrkdwn("*I want my money back* &lt;now&gt;"), nil, nil),
		slack.NewActionBlock("decide",
			slack.NewButtonBlockElement("accept", "r1", plain("Accept")).WithStyle(slack.StylePrimary),
			slack.NewButtonBlockElement("other", "r1", plain("Other…")),
		),
	)
}

func post(t *testing.T, w *world, channel string, options ...slack.MsgOption) string {
	t.Helper()
	_, ts, err := w.client.PostMessageContext(t.Context(), channel, options...)
	if err != nil {
		t.Fatalf("post: %v", err)
	}
	return ts
}

func context5(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// payload is the JSON of the last interaction as it was sent.
func (a *app) payload() string {
	a.t.Helper()
	form, err := url.ParseQuery(string(a.last().body))
	if err != nil {
		a.t.Fatal(err)
	}
	return form.Get("payload")
}
