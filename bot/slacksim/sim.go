package slacksim

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Sim is one simulated workspace. It is an [http.Handler] that serves Slack's Web API under /api/, response_urls under
// /hooks/, Socket Mode under /link/, the control API under /_sim/ and the page at /. All methods are safe for concurrent use.
type Sim struct {
	cfg     Config
	mux     http.Handler
	methods map[string]method
	app     *httpTransport
	sockets *sockets
	events  *events
	hub     *hub

	closing   chan struct{}
	closeOnce sync.Once

	mu      sync.Mutex // guards everything below; never held while the app is called
	baseURL string
	seq     int
	lastTS  int64 // microseconds of the newest timestamp given out
	tokens  tokens
	scopes  []string // of the token
	// subscriptions are the bot events that the app gets.
	subscriptions []string
	users         map[string]*User
	userOrder     []string
	groups        []Group
	channels      map[string]*conversation
	chanOrder     []string
	ephemeral     []*message
	views         map[string][]*view // each user's stack of modals, bottom first
	homes         map[string]*view
	triggers      map[string]*trigger
	hooks         map[string]*hook
	hooksSwept    time.Time // when those that are over were taken out
	faults        map[string][]Fault
	rates         rates
	log           record
}

// conversation is a channel or a direct message with its messages, oldest first.
type conversation struct {
	Channel
	with     string // the other user, in a direct message
	messages []*message
}

// New builds a workspace. It opens no socket and starts no goroutine before there is an event to send; serve the result with any HTTP server and call
// [Sim.Close] before shutting that server down, so that live pages let go.
func New(cfg Config) (*Sim, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("slack simulator: %w", err)
	}
	s := &Sim{
		cfg:     cfg,
		hub:     newHub(),
		closing: make(chan struct{}),
		baseURL: cfg.BaseURL,
		tokens:  newTokens(cfg),
		scopes:  slices.Clone(cfg.Scopes),

		subscriptions: slices.Clone(cfg.Events),
		users:         map[string]*User{},
		channels:      map[string]*conversation{},
	}
	s.methods = methods()
	s.app = &httpTransport{
		client: cfg.Client, secret: cfg.SigningSecret, within: cfg.AnswerWithin, now: cfg.Now, endpoints: cfg.Endpoints,
	}
	s.sockets, s.events = newSockets(cfg), newEvents(s.hub.changed)
	bot := User{ID: cfg.App.BotUserID, Name: cfg.App.Name, RealName: cfg.App.Name, Bot: true}
	for _, u := range append([]User{bot}, cfg.Users...) {
		or(&u.TimeZone, "Etc/UTC")
		or(&u.Locale, "en-US")
		or(&u.TeamID, cfg.Team.ID)
		s.users[u.ID] = &u
		s.userOrder = append(s.userOrder, u.ID)
	}
	for _, g := range cfg.Groups {
		g.Members = append([]string(nil), g.Members...)
		s.groups = append(s.groups, g)
	}
	for _, c := range cfg.Channels {
		c.Members = append([]string(nil), c.Members...)
		s.channels[c.ID] = &conversation{Channel: c}
		s.chanOrder = append(s.chanOrder, c.ID)
	}
	s.clear()
	mux := http.NewServeMux()
	mux.HandleFunc("/api/{method}", s.serveAPI)
	mux.HandleFunc("GET /link/{$}", s.serveSocket)
	mux.HandleFunc("POST /hooks/{kind}/{team}/{id}", s.serveHook)
	s.mountControl(mux)
	s.mountPage(mux)
	s.mux = mux
	return s, nil
}

// clear empties everything that happens in a workspace and keeps its people and places.
func (s *Sim) clear() {
	for id, c := range s.channels {
		c.messages = nil
		if c.with != "" {
			delete(s.channels, id)
		}
	}
	s.chanOrder = s.chanOrder[:len(s.cfg.Channels)]
	s.ephemeral = nil
	s.views, s.homes = map[string][]*view{}, map[string]*view{}
	s.triggers, s.hooks = map[string]*trigger{}, map[string]*hook{}
	s.faults = map[string][]Fault{}
	s.rates = newRates()
	s.events.forget()
	s.log = record{}
}

// Reset empties the workspace: messages, direct messages, views, faults, rates and everything recorded. People,
// groups, channels and endpoints stay.
func (s *Sim) Reset() {
	s.mu.Lock()
	s.clear()
	s.mu.Unlock()
	s.hub.changed()
}

// Close ends the live updates of every open page, every [Sim.Wait], every Socket Mode connection and every event on its way. The Sim goes
// on answering other requests.
func (s *Sim) Close() {
	s.closeOnce.Do(func() { close(s.closing) })
	s.events.close()
	s.sockets.close()
	s.cfg.Client.CloseIdleConnections()
}

// ServeHTTP implements [http.Handler].
func (s *Sim) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

// SetBaseURL says where the simulator is reached; response_urls made from now on begin with it.
func (s *Sim) SetBaseURL(url string) {
	s.mu.Lock()
	s.baseURL = strings.TrimSuffix(url, "/")
	s.mu.Unlock()
}

// SetEndpoints says where the app is reached. An empty Options means Interactivity.
func (s *Sim) SetEndpoints(e Endpoints) {
	or(&e.Options, e.Interactivity)
	s.app.setEndpoints(e)
}

// AppToken returns the app-level token that Socket Mode takes.
func (s *Sim) AppToken() string { return s.cfg.AppToken }

// SigningSecret returns the secret that signs requests to the app.
func (s *Sim) SigningSecret() string { return s.cfg.SigningSecret }

// Team returns the workspace.
func (s *Sim) Team() Team { return s.cfg.Team }

// App returns the app and its bot user.
func (s *Sim) App() App { return s.cfg.App }

// learnBase remembers the address a client used, when none was configured.
func (s *Sim) learnBase(r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.baseURL == "" && r.Host != "" {
		scheme := "http://"
		if r.TLS != nil {
			scheme = "https://"
		}
		s.baseURL = scheme + r.Host
	}
}

// id makes the next identifier: opaque to its readers, the same in every run.
func (s *Sim) id(prefix string) string {
	s.seq++
	sum := sha256.Sum256([]byte(s.cfg.Team.ID + prefix + strconv.Itoa(s.seq)))
	return prefix + base32.HexEncoding.EncodeToString(sum[:])[:10]
}

// token makes a longer lower-case identifier for hashes, triggers and URLs.
func (s *Sim) token() string {
	s.seq++
	sum := sha256.Sum256([]byte(s.cfg.Team.ID + "token" + strconv.Itoa(s.seq)))
	return hex.EncodeToString(sum[:12])
}

// timestamp gives out the next message timestamp: the clock's, but always later than the one before.
func (s *Sim) timestamp() string {
	micros := s.cfg.Now().UnixMicro()
	if micros <= s.lastTS {
		micros = s.lastTS + 1
	}
	s.lastTS = micros
	return fmt.Sprintf("%d.%06d", micros/1e6, micros%1e6)
}

// tsTime reads a timestamp back; ok is false when it is not one.
func tsTime(ts string) (t time.Time, ok bool) {
	sec, frac, found := strings.Cut(ts, ".")
	if !found || len(frac) != 6 || sec == "" {
		return time.Time{}, false
	}
	a, errA := strconv.ParseUint(sec, 10, 40)
	b, errB := strconv.ParseUint(frac, 10, 40)
	if errA != nil || errB != nil {
		return time.Time{}, false
	}
	return time.Unix(int64(a), int64(b)*1000), true
}
