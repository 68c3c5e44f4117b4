package bot

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/slack-go/slack"

	"hitl/bot/slacksim"
)

// impatient is for worlds in which something is not acknowledged.
func impatient(s *setup) {
	s.sim.AnswerWithin, s.bot.AnswerWithin = 400*time.Millisecond, 200*time.Millisecond
}

func roomy(s *setup) {
	q := s.bot.Queues["support"]
	q.OpenLimit = 1000
	s.bot.Queues["support"] = q
}

// fail makes Socket Mode go wrong.
func (w *world) fail(f slacksim.SocketFault) slacksim.Outcome {
	w.t.Helper()
	out, err := w.sim.FailSocket(w.t.Context(), f)
	if err != nil {
		w.t.Fatal(err)
	}
	return out
}

func (w *world) connected(n int) {
	w.t.Helper()
	w.eventually(fmt.Sprintf("%d connections", n), func() bool { return w.sim.Connections() == n })
}

// trouble waits until Ready says so, and fine until it says nothing of Socket Mode.
func (w *world) trouble(words string) {
	w.t.Helper()
	w.eventually("ready: "+words, func() bool { err := w.bot.Ready(); return err != nil && strings.Contains(err.Error(), words) })
}

func (w *world) fine() {
	w.t.Helper()
	w.eventually("ready", func() bool { err := w.bot.Ready(); return err == nil || !strings.Contains(err.Error(), socketMode) })
}

// acceptAll posts cards and has several people at once accept them. Each click is to be answered with success.
func (w *world) acceptAll(n int) {
	w.t.Helper()
	cards := make(chan slacksim.Message, n)
	var ids []string
	for range n {
		rec, m := w.posted()
		ids = append(ids, rec.Review.ID)
		cards <- m
	}
	close(cards)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for m := range cards {
				out, err := w.sim.Click(w.t.Context(), slacksim.Click{User: ana, Channel: m.Channel, TS: m.TS, ActionID: actionAccept})
				if err != nil || out.Status != 200 || out.Error != "" {
					w.t.Errorf("click: %+v %v", out, err)
				}
			}
		})
	}
	wg.Wait()
	w.bot.Wait()
	for _, id := range ids {
		if _, ok := w.store.decision(id); !ok {
			w.t.Errorf("%s is not decided", id)
		}
	}
}

// Connections come and go under load, and each click is answered once.
func TestSocketRefreshLosesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, overSocket, roomy, func(s *setup) { s.sim.SocketGrace = 200 * time.Millisecond })
	w.store.failing("Decide", func(ctx context.Context) error { return sleep(ctx, 20*time.Millisecond) })
	ctx, done := context.WithCancel(t.Context())
	var refreshing sync.WaitGroup
	refreshes := 0
	refreshing.Go(func() {
		for refreshes < 6 && ctx.Err() == nil { // those that were told to leave count, too: Slack takes no eleventh
			f := []slacksim.SocketFault{slacksim.SocketWarning, slacksim.SocketRefresh}[refreshes%2]
			if _, err := w.sim.FailSocket(ctx, f); err != nil {
				t.Error(err)
			}
			refreshes++
			if err := w.sim.Wait(ctx, func() bool { return w.sim.Connections() == 2 }); err != nil && ctx.Err() == nil {
				t.Error(err)
			}
		}
	})
	const n = 100
	w.acceptAll(n)
	done()
	refreshing.Wait()
	if refreshes < 3 {
		t.Errorf("%d refreshes; the test tests nothing", refreshes)
	}
	if got := w.seen.count(&w.seen.clicked, "button accepted"); got != n {
		t.Errorf("%d clicks were carried out, want %d", got, n)
	}
	if got := w.seen.count(&w.seen.clicked, "request unacknowledged"); got != 0 {
		t.Errorf("%d were not acknowledged", got)
	}
	w.clean()
}

// Slack goes without a word, and stays away for a while.
func TestSocketCut(t *testing.T) {
	t.Parallel()
	w := newWorld(t, overSocket, roomy)
	w.fail(slacksim.SocketCut)
	w.connected(1)
	w.acceptAll(1)
	w.connected(2)
	if err := w.sim.Fail("apps.connections.open", slacksim.Fault{Times: -1, Status: 503}); err != nil {
		t.Fatal(err)
	}
	w.fail(slacksim.SocketCut)
	w.connected(1)
	w.fail(slacksim.SocketCut)
	w.connected(0)
	w.trouble(socketMode)
	w.sim.Heal()
	w.connected(2)
	w.fine()
	w.acceptAll(2)
	w.clean()
}

// A connection that falls silent without ending is given up.
func TestSocketFrozen(t *testing.T) {
	t.Parallel()
	w := newWorld(t, overSocket, roomy, func(s *setup) { s.bot.PingEvery = 500 * time.Millisecond })
	w.fail(slacksim.SocketFreeze)
	w.eventually("another connection", func() bool { return len(w.sim.Calls("apps.connections.open")) > 2 })
	w.connected(2)
	w.acceptAll(4)
	w.clean()
}

// An envelope whose connection is cut while it is worked on is acknowledged on another.
func TestSocketCutWhileWorking(t *testing.T) {
	t.Parallel()
	w := newWorld(t, overSocket, roomy)
	w.fail(slacksim.SocketCutEnvelope)
	w.store.failing("Decide", func(context.Context) error {
		w.eventually("the cut", func() bool { return len(w.sim.Calls("apps.connections.open")) > 2 })
		return nil
	})
	w.acceptAll(1)
	w.clean()
}

// Slack loses the acknowledgement: the reviewer sees a warning, and the card the truth.
func TestSocketLostAcknowledgement(t *testing.T) {
	t.Parallel()
	w := newWorld(t, overSocket, impatient)
	rec, m := w.posted()
	w.fail(slacksim.SocketDropAck)
	if out := w.click(ana, m, actionAccept); out.Error != slacksim.TimedOut {
		t.Errorf("Ana saw %+v", out)
	}
	if _, ok := w.store.decision(rec.Review.ID); !ok || len(w.message(m.TS).Elements()) != 0 {
		t.Error("the card does not show the decision")
	}
	w.clean()
}

// What could not be recorded is not acknowledged, so that Slack warns, and the reviewer is told in words.
func TestSocketNotRecorded(t *testing.T) {
	t.Parallel()
	w := newWorld(t, overSocket, impatient)
	rec, m := w.posted()
	w.store.failing("Decide", func(context.Context) error { return errors.New("connection refused") })
	if out := w.click(ana, m, actionAccept); out.Error != slacksim.TimedOut || out.Status != 0 {
		t.Errorf("Ana saw %+v", out)
	}
	if words := w.whispered(ana); !strings.Contains(words, "Not recorded") {
		t.Errorf("Ana was told %q", words)
	}
	if w.seen.count(&w.seen.clicked, "request unacknowledged") != 1 {
		t.Errorf("counted %v", w.seen.clicked)
	}
	w.store.failing("Decide", nil)
	if out := w.click(ana, m, actionAccept); out.Status != 200 {
		t.Errorf("second try: %+v", out)
	}
	if _, ok := w.store.decision(rec.Review.ID); !ok {
		t.Error("second try not recorded")
	}
	w.clean()
}

// What cannot be read, or is not known, is acknowledged where it can be, and reported; the connection lives on.
func TestSocketStrangeFrames(t *testing.T) {
	t.Parallel()
	w := newWorld(t, overSocket)
	w.fail(slacksim.SocketGarbage)
	w.eventually("report of garbage", func() bool { return w.seen.count(&w.seen.clicked, "request unreadable") == 1 })
	if out := w.fail(slacksim.SocketBadPayload); out.Status != 200 {
		t.Errorf("bad payload: %+v", out)
	}
	if out := w.fail(slacksim.SocketUnknownType); out.Status != 200 {
		t.Errorf("unknown type: %+v", out)
	}
	if out := w.sim.Event(t.Context(), "", map[string]any{"type": "app_mention"}, slacksim.Retry{Num: 1, Reason: "timeout"}); out.Status != 200 {
		t.Errorf("event: %+v", out)
	}
	if w.seen.count(&w.seen.clicked, "request unreadable") != 2 || w.seen.count(&w.seen.clicked, "request unknown") != 1 {
		t.Errorf("counted %v", w.seen.clicked)
	}
	if n := len(w.sim.Calls("apps.connections.open")); n != 2 || w.sim.Connections() != 2 {
		t.Errorf("%d connections opened, %d open", n, w.sim.Connections())
	}
	w.acceptAll(1)
	w.clean()
}

// Trouble that lasts shows in Ready with Slack's word for it, and ends by itself when somebody has mended it.
func TestSocketFatal(t *testing.T) {
	t.Parallel()
	for _, code := range []string{"invalid_auth", "missing_scope", "token_expired", "account_inactive", "token_revoked", "not_authed", "link_disabled"} {
		t.Run(code, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, overSocket, roomy)
			if code == "link_disabled" {
				w.sim.SetSocketMode(false)
			} else {
				if err := w.sim.Fail("apps.connections.open", slacksim.Fault{Times: -1, Error: code}); err != nil {
					t.Fatal(err)
				}
				w.fail(slacksim.SocketRefresh) // the other connection still works
			}
			w.trouble(code)
			w.sim.Heal()
			w.sim.SetSocketMode(true)
			w.connected(2)
			w.fine()
			w.acceptAll(1)
			if fatal(&failure{kind: refused, code: code}) == "" && code != "link_disabled" || !strings.Contains(socketAdvice(code), " ") {
				t.Error("no advice")
			}
			w.clean()
		})
	}
	for _, err := range []error{nil, &failure{kind: limited}, &failure{kind: unclear, code: "fatal_error"}, &reasonError{"too_many_websockets"}, errors.New("EOF")} {
		if fatal(err) != "" {
			t.Errorf("%v is fatal", err)
		}
	}
}

// Two replicas share the connections of one app; each click reaches one of them.
func TestSocketSharedByTwoBots(t *testing.T) {
	t.Parallel()
	w := newWorld(t, overSocket, roomy)
	cfg := w.bot.cfg
	other := &observed{}
	cfg.Consumer, cfg.Observer = "other", other
	two, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var listening sync.WaitGroup
	listening.Go(func() { two.listen(ctx) })
	defer listening.Wait()
	defer cancel()
	w.connected(4)
	const n = 20
	w.acceptAll(n)
	two.Wait()
	a, b := w.seen.count(&w.seen.clicked, "button accepted"), other.count(&other.clicked, "button accepted")
	if a+b != n || a == 0 || b == 0 {
		t.Errorf("one carried out %d, the other %d, of %d", a, b, n)
	}
	w.clean()
}

// A bot that is told to stop answers what it has.
func TestSocketStops(t *testing.T) {
	t.Parallel()
	w := newWorld(t, overSocket, roomy)
	var stopping sync.WaitGroup
	w.store.failing("Decide", func(ctx context.Context) error {
		stopping.Go(w.hangUp)
		return sleep(ctx, 50*time.Millisecond)
	})
	w.acceptAll(1)
	stopping.Wait()
	w.connected(0)
	w.clean()
}

// A repeated envelope is not carried out again, and not acknowledged: the first has the answer.
func TestSocketRepeatedEnvelope(t *testing.T) {
	t.Parallel()
	w := newWorld(t, overSocket)
	s := &socket{b: w.bot}
	e := envelope{Type: "slash_commands", ID: "e1", Accepts: true, Payload: []byte(`{"command":"/hitl","user_id":"U0ANA","text":"help","is_enterprise_install":"false"}`)}
	for range 2 {
		s.work(t.Context(), nil, e)
	}
	w.bot.Wait()
	if w.seen.count(&w.seen.clicked, "command answered") != 1 || w.seen.count(&w.seen.clicked, "request replayed") != 1 ||
		w.seen.count(&w.seen.clicked, "request unacknowledged") != 1 { // of the first, since there is no connection
		t.Errorf("counted %v", w.seen.clicked)
	}
}

// An acknowledgement that Slack would drop is cut, said elsewhere, or not given.
func TestAcknowledgementsFit(t *testing.T) {
	t.Parallel()
	w := newWorld(t, overSocket)
	var labels []string
	for i := range 100 {
		labels = append(labels, fmt.Sprint(i)+strings.Repeat("\U0001F600", 75))
	}
	e := envelope{ID: "e1", Accepts: true}
	all := typeahead{labelOptions(inEnglish, labels, "")}
	if whole, err := marshalAck(e.ID, all); err != nil || len(whole) <= maxAck {
		t.Fatalf("%d bytes, %v; the test tests nothing", len(whole), err)
	}
	frame, err := w.bot.encodeAck(t.Context(), e, all)
	if err != nil || len(frame) > maxAck || strings.Count(string(frame), `"value"`) < 10 {
		t.Errorf("labels: %d bytes, %v", len(frame), err)
	}
	longest := notice(inEnglish, strings.Repeat("é", 24), strings.Repeat("\U0001F600", 3000), viewData{Ref: strings.Repeat("x", 100), Channel: channel, TS: "1.2"})
	if frame, err := w.bot.encodeAck(t.Context(), e, replaceView(longest).body); err != nil || len(frame) > maxAck {
		t.Errorf("the longest notice: %d bytes, %v", len(frame), err)
	}
	if _, err := w.bot.encodeAck(t.Context(), e, replaceView(modal(inEnglish, viewNotice, "x", viewData{}, section(strings.Repeat("x", maxAck)))).body); err == nil {
		t.Error("a modal that does not fit is acknowledged")
	}
	if _, err := w.bot.encodeAck(t.Context(), envelope{ID: "e1"}, replaceView(longest).body); err == nil {
		t.Error("a modal that Slack does not take is acknowledged")
	}
	e.Payload = fmt.Appendf(nil, `{"command":"/hitl","user_id":%q,"channel_id":%q}`, ana, channel)
	long := response{Text: "long words", Blocks: []slack.Block{section("long words")}}
	for range 6 {
		long.Blocks = append(long.Blocks, section(strings.Repeat("語", 2000)))
	}
	frame, err = w.bot.encodeAck(t.Context(), e, long)
	w.bot.Wait()
	if err != nil || string(frame) != `{"envelope_id":"e1"}` || w.whispered(ana) != "long words" {
		t.Errorf("%s, %v; Ana was told %q", frame, err, w.whispered(ana))
	}
	if frame, err := w.bot.encodeAck(t.Context(), e, nil); err != nil || string(frame) != `{"envelope_id":"e1"}` {
		t.Errorf("%s, %v", frame, err)
	}
	w.clean()
}

// A frame can be anything; it never crashes the bot, and decides nothing while Slack does not say who may.
func FuzzEnvelope(f *testing.F) {
	for _, s := range []string{
		`{"type":"hello"}`, `{"type":"disconnect","reason":"warning"}`, `{"type":"disconnect","reason":"link_disabled"}`, `[]`, `null`, `{"envelope_id":"`,
		`{"type":"interactive","envelope_id":"1","payload":{"type":"block_actions","user":{"id":"U0ANA"},"actions":[{"action_id":"hitl_accept","value":"rev_1.1.0123456789abcdef0123"}]}}`,
		`{"type":"slash_commands","envelope_id":"2","accepts_response_payload":true,"payload":{"command":"/hitl","user_id":"U0ANA","text":"stats"}}`,
		`{"type":"events_api","envelope_id":"3","payload":{"type":"url_verification","challenge":"x"}}`, `{"type":1,"envelope_id":"4","payload":7}`,
	} {
		f.Add([]byte(s))
	}
	b, store := unreached(f)
	f.Fuzz(func(t *testing.T, raw []byte) {
		s := &socket{b: b}
		s.frame(t.Context(), &conn{leave: make(chan struct{})}, raw)
		s.working.wait()
		b.Wait()
		if _, ok := store.decision("rev_1"); ok || len(store.revealed()) > 0 {
			t.Error("something was done although Slack does not say who may")
		}
	})
}
