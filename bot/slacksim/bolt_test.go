package slacksim_test

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hitl/bot/slacksim"
	"hitl/deploy/local/localtest"
)

// boltLimit bounds the life of the Node process; it needs two seconds of it on a quiet machine.
const boltLimit = 2 * time.Minute

// tape keeps the last request that the simulator sent.
type tape struct {
	http.RoundTripper
	mu     sync.Mutex
	header http.Header
	body   []byte
}

func (tp *tape) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	tp.mu.Lock()
	tp.header, tp.body = r.Header.Clone(), body
	tp.mu.Unlock()
	return tp.RoundTripper.RoundTrip(r)
}

// boltWorld is a simulator as strict as it gets, and testdata/bolt/app.js behind it.
type boltWorld struct {
	sim  *slacksim.Sim
	url  string // the app's, empty in Socket Mode
	tape *tape
}

// startBolt starts both; the app gets everything by signed HTTP requests, or over Socket Mode. The app may not have gone wrong when the
// test ends.
func startBolt(t *testing.T, socketMode bool) *boltWorld {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), boltLimit)
	t.Cleanup(cancel)
	cmd := localtest.Bolt(ctx, t, "testdata/bolt/app.js")

	transport := http.DefaultTransport.(*http.Transport).Clone()
	t.Cleanup(transport.CloseIdleConnections)
	w := &boltWorld{tape: &tape{RoundTripper: transport}}
	// The simulator's clock runs ten times slower than ours, so that a busy machine has thirty seconds where Slack gives three.
	begin := time.Now()
	sim, err := slacksim.New(slacksim.Config{
		Client: &http.Client{Transport: w.tape}, Commands: []string{"/order"}, SocketMode: socketMode, Events: slacksim.AllEvents(),
		Shortcuts: []slacksim.Shortcut{
			{Name: "Order this", CallbackID: "order_this", Type: slacksim.MessageShortcut},
			{Name: "New order", CallbackID: "new_order", Type: slacksim.GlobalShortcut},
		},
		Now: func() time.Time { return begin.Add(time.Since(begin) / 10) }, AnswerWithin: 30 * time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(sim)
	t.Cleanup(server.Close)
	t.Cleanup(sim.Close)
	sim.SetBaseURL(server.URL)
	w.sim = sim

	cmd.Env = append(cmd.Env, "SLACK_API_URL="+server.URL+"/api/", "SLACK_BOT_TOKEN="+sim.Token(), "SLACK_APP_TOKEN=")
	if socketMode {
		cmd.Env = append(cmd.Env, "SLACK_APP_TOKEN="+sim.AppToken())
	} else {
		cmd.Env = append(cmd.Env, "SLACK_SIGNING_SECRET="+sim.SigningSecret())
	}
	cmd.Stderr, cmd.WaitDelay = t.Output(), 5*time.Second
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = stdin.Close() // it ends by itself, or is killed
		defer time.AfterFunc(10*time.Second, cancel).Stop()
		_, _ = io.Copy(t.Output(), stdout)
		if err := cmd.Wait(); err != nil {
			t.Errorf("the app: %v", err)
		}
	})
	for lines := bufio.NewScanner(stdout); lines.Scan(); {
		if url, ok := strings.CutPrefix(lines.Text(), "listening "); ok {
			w.url = url
			sim.SetEndpoints(slacksim.Endpoints{Interactivity: url, Commands: url, Events: url})
			return w
		}
		if lines.Text() == "connected" && socketMode {
			return w
		}
		t.Log(lines.Text())
	}
	t.Fatal("the app ended before it listened")
	return nil
}

// Slack's own framework takes the simulator for Slack: it does for its users all that an app does, and nothing that it sends is
// refused. The simulator's rates are on.
func TestBolt(t *testing.T) {
	t.Parallel()
	w := startBolt(t, false)
	if err := w.sim.SetEventsURL(t.Context(), w.url); err != nil {
		t.Error(err)
	}
	w.tellsStory(t)
	w.clean(t)
}

// Over Socket Mode the story is the same, and nothing comes by HTTP.
func TestBoltOverSocketMode(t *testing.T) {
	t.Parallel()
	w := startBolt(t, true)
	w.tellsStory(t)
	if w.tape.body != nil {
		t.Errorf("an HTTP request: %s", w.tape.body)
	}
	w.clean(t)
}

// clean makes sure that nobody had anything to complain about.
func (w *boltWorld) clean(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 40*time.Second)
	defer cancel()
	if err := w.sim.Settle(ctx); err != nil {
		t.Error(err)
	}
	for _, r := range w.sim.Refused() {
		t.Errorf("refused %s: %s", r.Where, r.Problem)
	}
	for _, d := range w.sim.Deliveries() {
		if d.Error != "" || d.Status != http.StatusOK {
			t.Errorf("%s: status %d, the user saw %q", d.Type, d.Status, d.Error)
		}
	}
	for _, c := range w.sim.Calls("") {
		if !c.OK {
			t.Errorf("%s: %s", c.Method, c.Error)
		}
	}
}

// tellsStory is what people do with the app, however Slack reaches it.
func (w *boltWorld) tellsStory(t *testing.T) {
	t.Helper()
	const user, channel = "U0ANA", "C0REVIEW"
	fine := func(out slacksim.Outcome, err error) slacksim.Outcome {
		t.Helper()
		if err != nil || out.Error != "" {
			t.Fatalf("outcome %+v: %v", out, err)
		}
		return out
	}
	until := func(what string, ok func() bool) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 40*time.Second)
		defer cancel()
		if err := w.sim.Wait(ctx, ok); err != nil {
			t.Fatalf("%s: %v; channel %+v, only for the user %+v, modals %+v", what, err,
				w.sim.Messages(channel), w.sim.Ephemerals(user), w.sim.Views(user))
		}
	}
	told := func(text string) {
		t.Helper()
		until("told "+text, func() bool {
			return slices.ContainsFunc(w.sim.Ephemerals(user), func(m slacksim.Message) bool { return strings.HasPrefix(m.Text, text) })
		})
	}
	modal := func() slacksim.View {
		t.Helper()
		open := w.sim.Views(user)
		if len(open) == 0 {
			t.Fatal("no modal is open")
		}
		return open[len(open)-1]
	}

	// A slash command: answered with blocks, with text, later, and by a message.
	fine(w.sim.Command(t.Context(), user, channel, "/order", ""))
	told("What would you like?")
	fine(w.sim.Command(t.Context(), user, channel, "/order", "two teas"))
	told("Ordering two teas.")
	told("Ordered: https://slacksim.slack.com/archives/" + channel + "/p")
	order := func() slacksim.Message { return w.sim.Messages(channel)[0] }
	if m := order(); !strings.Contains(m.AllText(), "*Order:* two teas") || m.BotID != "B0HITL" || len(m.Elements()) != 2 ||
		m.Metadata == nil || m.Metadata.EventType != "order_placed" || m.Metadata.EventPayload["what"] != "two teas" {
		t.Fatalf("posted %+v", m)
	}

	// A click opens a modal, a click in it changes the modal.
	click := func(action string) {
		t.Helper()
		fine(w.sim.Click(t.Context(), slacksim.Click{User: user, Channel: channel, TS: order().TS, ActionID: action}))
	}
	opened := func() bool { return len(w.sim.Views(user)) == 1 }
	click("change")
	until("modal", opened)
	hash := modal().Hash
	fine(w.sim.Click(t.Context(), slacksim.Click{User: user, ViewID: modal().ID, ActionID: "room"}))
	until("another modal", func() bool { return modal().Hash != hash })

	// Options come from the app; what is typed is refused, asked again in a modal above, and taken.
	out := fine(w.sim.Suggest(t.Context(), slacksim.Suggest{User: user, ViewID: modal().ID, BlockID: "milk", ActionID: "milk", Query: "o"}))
	if len(out.Options) != 1 || out.Options[0].Text != "Oat" {
		t.Errorf("options %+v", out.Options)
	}
	submit := func(what string, milk slacksim.Input) slacksim.Outcome {
		t.Helper()
		values := map[string]map[string]slacksim.Input{"what": {"what": {Text: what}}}
		if milk.Option != "" {
			values["milk"] = map[string]slacksim.Input{"milk": milk}
		}
		return fine(w.sim.SubmitView(t.Context(), slacksim.Submit{User: user, Values: values}))
	}
	out = submit("beer", slacksim.Input{})
	if diff := cmp.Diff(map[string]string{"what": "We have no beer."}, out.Errors); diff != "" || !opened() {
		t.Errorf("errors (-want +got):\n%s", diff)
	}
	submit("wine?", slacksim.Input{})
	if v := modal(); v.Title != "Are you sure?" || !strings.Contains(v.AllText(), "Really wine?") {
		t.Errorf("pushed %+v", v)
	}
	fine(w.sim.CloseView(t.Context(), user, false))
	submit("coffee", slacksim.Input{Option: "oat"})
	if opened() {
		t.Error("the modal is still open")
	}
	until("changed", func() bool { return strings.Contains(order().AllText(), "*Order:* coffee with Oat milk") })

	// A modal that is closed is reported.
	click("change")
	until("modal", opened)
	fine(w.sim.CloseView(t.Context(), user, false))
	told("The order stays as it is.")

	// The history holds the metadata.
	fine(w.sim.Command(t.Context(), user, channel, "/order", "list"))
	until("list", func() bool {
		all := w.sim.Messages(channel)
		return all[len(all)-1].Text == "2 x coffee with Oat milk"
	})

	// A click edits the message, and the response_url adds to it.
	click("serve")
	told("Thank you.")
	if m := order(); m.Text != "Served: coffee with Oat milk" || !strings.Contains(m.AllText(), "by Ana Ruiz") || len(m.Elements()) != 0 || m.EditedTS == "" {
		t.Errorf("updated %+v", m)
	}
	if !slices.ContainsFunc(w.sim.Messages(channel), func(m slacksim.Message) bool { return m.Text == "Enjoy." && m.ThreadTS == order().TS }) {
		t.Error("no reply in the thread")
	}

	// Events: the home tab is filled, and what is chosen in it changes it.
	home := func(words string) {
		t.Helper()
		until("home with "+words, func() bool {
			v, ok := w.sim.Home(user)
			return ok && strings.Contains(v.AllText(), "Your orders, "+words)
		})
	}
	fine(w.sim.OpenHome(t.Context(), user))
	home("newest first")
	v, _ := w.sim.Home(user)
	fine(w.sim.Click(t.Context(), slacksim.Click{User: user, ViewID: v.ID, ActionID: "sort", Input: slacksim.Input{Option: "oldest"}}))
	home("oldest first")

	// Shortcuts: one of a message, one from anywhere.
	said, err := w.sim.Post("U0BEN", channel, "cake & tea", "")
	if err != nil {
		t.Fatal(err)
	}
	fine(w.sim.Shortcut(t.Context(), slacksim.UseShortcut{User: user, CallbackID: "order_this", Channel: channel, TS: said}))
	told("Ordered for <@U0BEN>.")
	in := func(channel, thread, text string) {
		t.Helper()
		until(text, func() bool {
			return slices.ContainsFunc(w.sim.Messages(channel), func(m slacksim.Message) bool { return m.Text == text && m.ThreadTS == thread })
		})
	}
	in(channel, said, "Order: cake &amp; tea")
	fine(w.sim.Shortcut(t.Context(), slacksim.UseShortcut{User: user, CallbackID: "new_order"}))
	until("modal", opened)
	fine(w.sim.CloseView(t.Context(), user, false))

	// What people say in a thread and in private.
	if _, err := w.sim.Post("U0BEN", channel, "with sugar", said); err != nil {
		t.Fatal(err)
	}
	in(channel, said, "Sugar for <@U0BEN>.")
	dm, out, err := w.sim.OpenMessages(t.Context(), user)
	fine(out, err)
	private, err := w.sim.Post(user, dm, "sugar?", "")
	if err != nil {
		t.Fatal(err)
	}
	in(dm, private, "Sugar for <@U0ANA>.")
}

// Slack's own framework verifies the simulator's signatures: it takes a request as it was sent, and none that was changed since.
func TestBoltVerifiesSignatures(t *testing.T) {
	t.Parallel()
	w := startBolt(t, false)
	if out, err := w.sim.Command(t.Context(), "U0ANA", "C0REVIEW", "/order", ""); err != nil || out.Status != http.StatusOK {
		t.Fatalf("outcome %+v: %v", out, err)
	}
	const signature, stamp = "X-Slack-Signature", "X-Slack-Request-Timestamp"
	for _, tc := range []struct {
		name string
		edit func(h http.Header, body *string)
		want int
	}{
		{"as sent", func(http.Header, *string) {}, http.StatusOK},
		{"another user", func(_ http.Header, body *string) { *body = strings.ReplaceAll(*body, "U0ANA", "U0BEN") }, http.StatusUnauthorized},
		{"another signature", func(h http.Header, body *string) {
			h.Set(signature, slacksim.Sign("another secret", h.Get(stamp), *body))
		}, http.StatusUnauthorized},
		{"no signature", func(h http.Header, _ *string) { h.Del(signature) }, http.StatusUnauthorized},
		{"another time", func(h http.Header, _ *string) { h.Set(stamp, strconv.FormatInt(time.Now().Unix()+1000, 10)) }, http.StatusUnauthorized},
		{"long ago", func(h http.Header, body *string) {
			h.Set(stamp, strconv.FormatInt(time.Now().Add(-6*time.Minute).Unix(), 10))
			h.Set(signature, slacksim.Sign(w.sim.SigningSecret(), h.Get(stamp), *body))
		}, http.StatusUnauthorized},
		{"signed anew", func(h http.Header, body *string) {
			*body = strings.ReplaceAll(*body, "U0ANA", "U0BEN")
			h.Set(signature, slacksim.Sign(w.sim.SigningSecret(), h.Get(stamp), *body))
		}, http.StatusOK},
	} {
		header, body := w.tape.header.Clone(), string(w.tape.body)
		tc.edit(header, &body)
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.url, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header = header
		res, err := w.tape.RoundTripper.RoundTrip(req)
		if err != nil {
			t.Fatalf("%s: %v", tc.name, err)
		}
		_ = res.Body.Close()
		if res.StatusCode != tc.want {
			t.Errorf("%s: status %d, want %d", tc.name, res.StatusCode, tc.want)
		}
	}
}
