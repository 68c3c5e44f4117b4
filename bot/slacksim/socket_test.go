package slacksim_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"hitl/bot/slacksim"
)

func socketMode(c *slacksim.Config) {
	c.SocketMode, c.AnswerWithin, c.SocketGrace = true, 300*time.Millisecond, 20*time.Millisecond
}

// address asks for the URL of a connection.
func address(t *testing.T, w *world) string {
	t.Helper()
	_, _, body := raw(t, w, "apps.connections.open", jsonType, "xapp-slacksim", "")
	u, _ := body["url"].(string)
	if !strings.HasPrefix(u, "ws://") {
		t.Fatalf("answer %v", body)
	}
	return u
}

// frames is one connection of an app.
type frames struct {
	t  *testing.T
	ws *websocket.Conn
}

func connect(t *testing.T, w *world) *frames {
	t.Helper()
	ws, res, err := websocket.DefaultDialer.DialContext(t.Context(), address(t, w), nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	t.Cleanup(func() { _ = ws.Close() })
	return &frames{t, ws}
}

func (f *frames) next() map[string]any {
	f.t.Helper()
	_, text, err := f.ws.ReadMessage()
	if err != nil {
		f.t.Fatal(err)
	}
	var v map[string]any
	if err := json.Unmarshal(text, &v); err != nil {
		f.t.Fatalf("%s: %v", text, err)
	}
	return v
}

func (f *frames) say(text string) {
	f.t.Helper()
	if err := f.ws.WriteMessage(websocket.TextMessage, []byte(text)); err != nil {
		f.t.Error(err)
	}
}

// during runs what a user does beside what the app does.
func during(do func() (slacksim.Outcome, error), app func()) (out slacksim.Outcome, err error) {
	var wg sync.WaitGroup
	wg.Go(func() { out, err = do() })
	app()
	wg.Wait()
	return out, err
}

func TestSocketEnvelopes(t *testing.T) {
	t.Parallel()
	w := start(t, socketMode)
	f := connect(t, w)
	if hello := f.next(); hello["type"] != "hello" || hello["num_connections"] != 1.0 {
		t.Errorf("hello: %v", hello)
	}
	ts := post(t, w, "C0REVIEW", card())
	click := func() (slacksim.Outcome, error) {
		m, _ := w.sim.Message("C0REVIEW", ts)
		return w.sim.Click(context5(t), slacksim.Click{User: "U0ANA", Channel: "C0REVIEW", TS: ts, ActionID: m.Elements()[0].ActionID})
	}
	command := func() (slacksim.Outcome, error) { return w.sim.Command(context5(t), "U0ANA", "C0REVIEW", "/hitl", "x") }
	ack := func(more string) func() {
		return func() {
			e := f.next()
			id, _ := e["envelope_id"].(string)
			f.say(`{"envelope_id":"` + id + `"` + more + `}`)
		}
	}
	for name, tc := range map[string]struct {
		do      func() (slacksim.Outcome, error)
		app     func()
		want    string
		answer  string
		refused string
	}{
		"command with words": {command, ack(`,"payload":{"text":"figures"}`), "", `{"text":"figures"}`, ""},
		"command":            {command, ack(""), "", "", ""},
		"bad answer":         {command, ack(`,"payload":{"colour":"red"}`), slacksim.BadAnswer, `{"colour":"red"}`, "colour"},
		"click":              {click, ack(""), "", "", ""},
		"click with payload": {click, ack(`,"payload":{"text":"x"}`), slacksim.TimedOut, "the envelope was not acknowledged", "none is accepted"},
		"large":              {command, ack(`,"payload":{"text":"` + strings.Repeat("x", 20480) + `"}`), slacksim.TimedOut, "the envelope was not acknowledged", "bytes, which is dropped"},
		"silence":            {click, func() { f.next() }, slacksim.TimedOut, "the envelope was not acknowledged", ""},
		"other envelope":     {click, func() { f.next(); f.say(`{"envelope_id":"x"}`) }, slacksim.TimedOut, "the envelope was not acknowledged", "never sent"},
		"no acknowledgement": {click, func() { f.next(); f.say(`hi`) }, slacksim.TimedOut, "the envelope was not acknowledged", "no acknowledgement"},
	} {
		before := len(w.sim.Refused())
		out, err := during(tc.do, tc.app)
		if err != nil || out.Error != tc.want || out.Answer != tc.answer {
			t.Errorf("%s: %+v %v", name, out, err)
		}
		said := ""
		for _, r := range w.sim.Refused()[before:] {
			said += r.Problem
		}
		if (said == "") != (tc.refused == "") || !strings.Contains(said, tc.refused) {
			t.Errorf("%s: refused %q", name, said)
		}
	}
	var e map[string]any
	if _, err := during(command, func() { e = f.next() }); err != nil || e["type"] != "slash_commands" || e["accepts_response_payload"] != true ||
		e["payload"].(map[string]any)["is_enterprise_install"] != "false" {
		t.Errorf("command: %v", e)
	}
	event := func() (slacksim.Outcome, error) {
		return w.sim.Event(context5(t), "", map[string]any{"type": "x"}, slacksim.Retry{Num: 2, Reason: "timeout"}), nil
	}
	if _, err := during(event, func() { e = f.next() }); err != nil || e["type"] != "events_api" || e["retry_attempt"] != 2.0 || e["retry_reason"] != "timeout" {
		t.Errorf("event: %v", e)
	}
	if n := len(w.app.requests()); n != 0 {
		t.Errorf("%d requests over HTTP", n)
	}
}

func TestSocketConnections(t *testing.T) {
	t.Parallel()
	w := start(t, socketMode)
	if out, err := w.sim.Command(context5(t), "U0ANA", "C0REVIEW", "/hitl", "x"); err != nil || out.Error != slacksim.Unreachable {
		t.Errorf("without a connection: %+v, %v", out, err)
	}
	u := address(t, w)
	for i := range 2 { // a ticket is good once
		ws, res, err := websocket.DefaultDialer.DialContext(t.Context(), u, nil)
		if (err == nil) != (i == 0) || i == 1 && res.StatusCode != http.StatusForbidden {
			t.Fatalf("use %d: %v", i, err)
		}
		_ = res.Body.Close()
		if ws != nil {
			t.Cleanup(func() { _ = ws.Close() })
		}
	}
	var all []*frames
	for range 9 {
		f := connect(t, w)
		f.next()
		all = append(all, f)
	}
	if e := connect(t, w).next(); e["reason"] != "too_many_websockets" || len(w.sim.Refused()) != 1 {
		t.Errorf("the eleventh connection got %v", e)
	}
	if w.sim.Connections() != 10 {
		t.Errorf("%d connections", w.sim.Connections())
	}
	// Each envelope goes to one connection, and one that was told to leave gets none while there are others.
	for _, f := range []slacksim.SocketFault{slacksim.SocketCut, slacksim.SocketWarning, slacksim.SocketRefresh} {
		if _, err := w.sim.FailSocket(t.Context(), f); err != nil {
			t.Fatal(err)
		}
		if err := w.sim.Wait(context5(t), func() bool { return w.sim.Connections() < 10 }); err != nil {
			t.Fatal(err)
		}
	}
	if e := all[0].next(); e["type"] != "disconnect" || e["reason"] != "warning" {
		t.Errorf("warned with %v", e)
	}
	if e := all[1].next(); e["type"] != "disconnect" || e["reason"] != "refresh_requested" {
		t.Errorf("refreshed with %v", e)
	}
	if _, _, err := all[0].ws.ReadMessage(); err == nil {
		t.Error("the connection that was warned lives on")
	}
	w.sim.SetSocketMode(false)
	if e := all[8].next(); e["reason"] != "link_disabled" {
		t.Errorf("turned off with %v", e)
	}
	if e := connect(t, w).next(); e["reason"] != "link_disabled" {
		t.Errorf("opened with %v", e)
	}
	if out, err := w.sim.Command(context5(t), "U0ANA", "C0REVIEW", "/hitl", "x"); err != nil || out.Error != "" || len(w.app.requests()) != 1 {
		t.Errorf("over HTTP again: %+v, %v", out, err)
	}
}

func TestSocketControl(t *testing.T) {
	t.Parallel()
	w := start(t, socketMode)
	f := connect(t, w)
	f.next()
	for body, want := range map[string]int{`{"fault":"garbage"}`: 200, `{"fault":"drop_ack"}`: 200, `{"fault":"boredom"}`: 400} {
		if status := control(t, w, "POST", "socket", body, nil); status != want {
			t.Errorf("%s: %d", body, status)
		}
	}
	if _, text, err := f.ws.ReadMessage(); err != nil || json.Valid(text) {
		t.Errorf("garbage: %s, %v", text, err)
	}
	if status := control(t, w, "POST", "socketmode", `{"on":false}`, nil); status != 200 || f.next()["reason"] != "link_disabled" {
		t.Errorf("turned off: %d", status)
	}
}

// An envelope may come twice, over different connections. Its first acknowledgement counts, and the second is no mistake.
func TestSocketRepeat(t *testing.T) {
	t.Parallel()
	w := start(t, socketMode)
	a, b := connect(t, w), connect(t, w)
	a.next()
	b.next()
	if _, err := w.sim.FailSocket(t.Context(), slacksim.SocketRepeat); err != nil {
		t.Fatal(err)
	}
	out, err := during(func() (slacksim.Outcome, error) { return w.sim.Command(context5(t), "U0ANA", "C0REVIEW", "/hitl", "x") }, func() {
		first, second := a.next(), b.next()
		if first["envelope_id"] != second["envelope_id"] || first["type"] != "slash_commands" {
			t.Errorf("envelopes %v and %v", first, second)
		}
		id, _ := first["envelope_id"].(string)
		a.say(`{"envelope_id":"` + id + `"}`)
		b.say(`{"envelope_id":"` + id + `"}`)
	})
	if err != nil || out.Error != "" || len(w.sim.Refused()) > 0 {
		t.Errorf("%+v, %v, refused %+v", out, err, w.sim.Refused())
	}
}
