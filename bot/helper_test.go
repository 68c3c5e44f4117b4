package bot

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"hitl"
	"hitl/bot/slacksim"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is a bot with everything around it: Slack, the system of record, the queue.
type world struct {
	t     *testing.T
	sim   *slacksim.Sim
	bot   *Bot
	store *store
	queue *waiting
	stats *stats
	seen  *observed

	hangUp func() // ends Socket Mode, if it is on
}

const (
	channel = "C0REVIEW"
	ana     = "U0ANA"
	ben     = "U0BEN"
	chloe   = "U0CHLOE"
)

type setup struct {
	sim slacksim.Config
	bot Config
}

// newWorld starts a workspace and a bot whose queue "support" is reviewed by @reviewers (Ana and Ben) in #review.
func newWorld(t *testing.T, change ...func(*setup)) *world {
	t.Helper()
	w := &world{t: t, store: newStore(), queue: newWaiting(), stats: &stats{}, seen: &observed{}}
	s := setup{
		sim: slacksim.Config{Rates: slacksim.RatesOff},
		bot: Config{
			Queues: map[string]Queue{"support": {
				Channel: channel, Reviewers: Reviewers{Groups: []string{"S0REVIEWERS"}}, Reasons: []string{"Sarcasm", "Two topics"},
			}},
			Desk: &hitl.Desk{
				Decisions: w.store, Reveals: w.store, Panels: w.store, Claims: w.store, Skips: w.store, Notes: w.store,
				Queues: map[string]hitl.QueueRules{"support": {ClaimFor: 15 * time.Minute}}, Logger: slog.New(slog.DiscardHandler), Now: time.Now,
			},
			Cards: w.store, Waiting: w.queue, Stats: w.stats, Lists: w.store, Details: w.store, Observer: w.seen, Consumer: "test",
			Poll: 20 * time.Millisecond, RetryFirst: 5 * time.Millisecond, RetryMost: 20 * time.Millisecond,
			SweepEvery: 10 * time.Millisecond, StaleAfter: time.Hour, LookAgain: time.Millisecond, AnswerWithin: 2500 * time.Millisecond, SettleAfter: 300 * time.Millisecond,
			PostRate: Rate{Every: -1}, UpdateRate: Rate{Every: -1}, HistoryRate: Rate{Every: -1},
		},
	}
	for _, f := range change {
		f(&s)
	}
	if s.sim.Scopes == nil {
		s.sim.Scopes = Scopes(s.bot.Needs()) // every test is one of whether they suffice
	}
	sim, err := slacksim.New(s.sim)
	if err != nil {
		t.Fatal(err)
	}
	w.sim = sim
	slack := httptest.NewServer(sim)
	client := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{}}
	s.bot.Token, s.bot.APIURL, s.bot.HTTPClient = sim.Token(), slack.URL+"/api/", client
	s.bot.SigningSecrets = []string{"old secret", sim.SigningSecret()}
	if s.sim.SocketMode {
		s.bot.AppToken = sim.AppToken()
	}
	if w.bot, err = New(s.bot); err != nil {
		t.Fatal(err)
	}
	app := httptest.NewServer(w.bot.Handler())
	sim.SetBaseURL(slack.URL)
	sim.SetEndpoints(slacksim.Endpoints{
		Interactivity: app.URL + "/slack/interactivity", Options: app.URL + "/slack/options",
		Commands: app.URL + "/slack/commands", Events: app.URL + "/slack/events",
	})
	w.hangUp = w.listen()
	t.Cleanup(func() {
		w.hangUp()
		sim.Close()
		app.Close()
		w.bot.Wait()
		client.CloseIdleConnections()
		slack.Close()
	})
	return w
}

// overSocket is for a world whose Slack uses Socket Mode.
func overSocket(s *setup) { s.sim.SocketMode, s.sim.SocketGrace = true, 50*time.Millisecond }

// overBoth runs a test over HTTP and over Socket Mode.
func overBoth(t *testing.T, test func(t *testing.T, w *world), change ...func(*setup)) {
	t.Helper()
	for name, over := range map[string]func(*setup){"HTTP": func(*setup) {}, "Socket Mode": overSocket} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, newWorld(t, append([]func(*setup){over}, change...)...))
		})
	}
}

// listen keeps Socket Mode's connections, if it is on, until hangUp is called.
func (w *world) listen() (hangUp func()) {
	if w.bot.cfg.AppToken == "" {
		return func() {}
	}
	ctx, cancel := context.WithCancel(context.Background())
	var listening sync.WaitGroup
	listening.Go(func() { w.bot.listen(ctx) })
	w.eventually("connections", func() bool { return w.sim.Connections() == w.bot.cfg.SocketConnections })
	return sync.OnceFunc(func() { cancel(); listening.Wait() })
}

// clean makes sure that Slack had nothing to complain about.
func (w *world) clean() {
	w.t.Helper()
	w.bot.Wait()
	for _, r := range w.sim.Refused() {
		w.t.Errorf("slack refused %s: %s", r.Where, r.Problem)
	}
}

// run starts the bot; stop, called at the end at the latest, ends it.
func (w *world) run() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.bot.Run(ctx) }()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			if err := <-done; err != nil {
				w.t.Errorf("run: %v", err)
			}
		})
	}
	w.t.Cleanup(stop)
	return stop
}

// add records an open review, and puts it into the queue.
func (w *world) add(change ...func(*hitl.Record)) hitl.Record {
	rec := newRecord(fmt.Sprintf("rev_%d", w.store.next()), change...)
	w.store.put(rec)
	w.queue.add(rec.Review.Queue, rec.Review.ID)
	return rec
}

// posted adds a review and its card, without the poster.
func (w *world) posted(change ...func(*hitl.Record)) (hitl.Record, slacksim.Message) {
	w.t.Helper()
	rec := w.add(change...)
	if what, _, err := w.bot.show(w.t.Context(), rec.Review.Queue, rec.Review.ID, 0, true); err != nil || what != posted {
		w.t.Fatalf("show: %v %v", what, err)
	}
	cards := w.store.of(rec.Review.ID)
	return rec, w.message(cards[len(cards)-1].TS)
}

func (w *world) message(ts string) slacksim.Message {
	w.t.Helper()
	m, ok := w.sim.Message(channel, ts)
	if !ok {
		w.t.Fatalf("no message %s", ts)
	}
	return m
}

// click presses a button and waits for what it sets in motion.
func (w *world) click(user string, m slacksim.Message, actionID string) slacksim.Outcome {
	w.t.Helper()
	out, err := w.sim.Click(w.t.Context(), slacksim.Click{User: user, Channel: m.Channel, TS: m.TS, ActionID: actionID})
	if err != nil {
		w.t.Fatal(err)
	}
	w.bot.Wait()
	return out
}

// whispered returns the last thing that only this user was told.
func (w *world) whispered(user string) string {
	w.t.Helper()
	all := w.sim.Ephemerals(user)
	if len(all) == 0 {
		return ""
	}
	return all[len(all)-1].Text
}

// eventually waits for a condition that other goroutines bring about.
func (w *world) eventually(what string, ok func() bool) {
	w.t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			w.t.Fatalf("never: %s", what)
		}
		time.Sleep(time.Millisecond)
	}
}

var testTime = time.Date(2026, 11, 2, 9, 30, 0, 0, time.UTC)

// newRecord is an item of the queue "support" that the model is not sure about.
func newRecord(reviewID string, change ...func(*hitl.Record)) hitl.Record {
	rec := hitl.Record{
		Item: hitl.Item{
			ID: "itm_1", Source: "zendesk", ExternalID: "ticket-4711", Text: "The parcel came late, but the driver was kind.",
			Metadata: map[string]any{}, ReceivedAt: testTime,
		},
		Classifier: "sentiment", Labels: []string{"NEGATIVE", "POSITIVE", "NEUTRAL"},
		Prediction: hitl.Prediction{
			Label: "NEGATIVE", Confidence: 0.62, Model: "sha256:1",
			Scores: []hitl.Score{{Label: "NEGATIVE", Probability: 0.62}, {Label: "NEUTRAL", Probability: 0.2}, {Label: "POSITIVE", Probability: 0.18}},
		},
		Route: hitl.Route{
			Status: hitl.HumanReview, Triggers: []hitl.Trigger{hitl.TriggerLowConfidence}, Queue: "support", Priority: hitl.PriorityNormal,
			Policy: "sha256:2", Threshold: 0.85, Inclusion: 1,
		},
		Review: &hitl.Review{
			ID: reviewID, ItemID: "itm_1", Round: 1, State: hitl.ReviewOpen, Queue: "support", Priority: hitl.PriorityNormal, OpenedAt: testTime, Panel: 1,
		},
	}
	for _, f := range change {
		f(&rec)
	}
	return rec
}

// observed is an Observer that remembers.
type observed struct {
	mu      sync.Mutex
	clicked []string
	posted  []string
	called  []string
}

func (o *observed) Called(method, outcome string, _ time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.called = append(o.called, method+" "+outcome)
}

func (o *observed) Clicked(surface, outcome string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.clicked = append(o.clicked, surface+" "+outcome)
}

func (o *observed) Posted(queue, outcome string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.posted = append(o.posted, queue+" "+outcome)
}

func (o *observed) count(list *[]string, entry string) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	n := 0
	for _, e := range *list {
		if e == entry {
			n++
		}
	}
	return n
}

// stats answers with figures prepared before.
type stats struct {
	mu    sync.Mutex
	reply hitl.Stats
	err   error
	asked []hitl.StatsQuery
}

func (s *stats) Stats(_ context.Context, q hitl.StatsQuery) (hitl.Stats, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, q)
	r := s.reply
	r.Since, r.Until, r.Queue = q.Since, q.Until, q.Queue
	return r, s.err
}
