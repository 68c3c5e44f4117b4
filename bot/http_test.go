package bot

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"hitl"
	"hitl/bot/slacksim"
)

// The example on Slack's page about verifying requests.
const (
	vectorSecret = "8f742231b10e8888abcd99yyyzzz85a5"
	vectorTime   = 1531420618
	vectorSum    = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"
	vectorBody   = "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar" +
		"&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands" +
		"%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
)

func TestVerify(t *testing.T) {
	t.Parallel()
	now := time.Unix(vectorTime, 0)
	stamp := strconv.Itoa(vectorTime)
	one, two := []string{vectorSecret}, []string{"new", vectorSecret}
	for name, tc := range map[string]struct {
		secrets     []string
		stamp, sum  string
		body        string
		now         time.Time
		wantFailure error
	}{
		"slack's example":      {one, stamp, vectorSum, vectorBody, now, nil},
		"two secrets":          {two, stamp, vectorSum, vectorBody, now, nil},
		"other secret":         {[]string{"x"}, stamp, vectorSum, vectorBody, now, errForged},
		"body changed":         {one, stamp, vectorSum, vectorBody + "&", now, errForged},
		"timestamp changed":    {one, "1531420619", vectorSum, vectorBody, now, errForged},
		"timestamp rewritten":  {one, "+1531420618", vectorSum, vectorBody, now, errForged},
		"five minutes early":   {one, stamp, vectorSum, vectorBody, now.Add(-5 * time.Minute), nil},
		"five minutes late":    {one, stamp, vectorSum, vectorBody, now.Add(5 * time.Minute), nil},
		"later":                {one, stamp, vectorSum, vectorBody, now.Add(5*time.Minute + time.Second), errStale},
		"earlier":              {one, stamp, vectorSum, vectorBody, now.Add(-5*time.Minute - time.Second), errStale},
		"no timestamp":         {one, "", vectorSum, vectorBody, now, errUnsigned},
		"huge timestamp":       {one, "99999999999999999999", vectorSum, vectorBody, now, errUnsigned},
		"no signature":         {one, stamp, "", vectorBody, now, errUnsigned},
		"no version":           {one, stamp, vectorSum[3:], vectorBody, now, errUnsigned},
		"short signature":      {one, stamp, vectorSum[:40], vectorBody, now, errUnsigned},
		"signature is no hex":  {one, stamp, vectorSum[:66] + "z", vectorBody, now, errUnsigned},
		"empty secret is none": {nil, stamp, vectorSum, vectorBody, now, errForged},
	} {
		if _, err := verify(tc.secrets, tc.stamp, tc.sum, []byte(tc.body), tc.now); err != tc.wantFailure { //nolint:errorlint // verify returns these
			t.Errorf("%s: %v, want %v", name, err, tc.wantFailure)
		}
	}
}

func FuzzVerify(f *testing.F) {
	f.Add(strconv.Itoa(vectorTime), vectorSum, vectorBody)
	f.Add("1531420618", "v0=00", "")
	now := time.Unix(vectorTime, 0)
	f.Fuzz(func(t *testing.T, stamp, sum, body string) {
		_, err := verify([]string{vectorSecret}, stamp, sum, []byte(body), now)
		honest := strings.EqualFold(sum[min(3, len(sum)):], slacksim.Sign(vectorSecret, stamp, body)[3:]) && strings.HasPrefix(sum, "v0=")
		if err == nil && !honest {
			t.Errorf("%q with %q passes for %q", sum, stamp, body)
		}
	})
}

// send posts a body as Slack would; sign false leaves the signature out.
func (w *world) send(path, body string, sign bool) *http.Response {
	w.t.Helper()
	r := httptest.NewRequestWithContext(w.t.Context(), http.MethodPost, path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if sign {
		stamp := strconv.FormatInt(time.Now().Unix(), 10)
		r.Header.Set("X-Slack-Request-Timestamp", stamp)
		r.Header.Set("X-Slack-Signature", slacksim.Sign("old secret", stamp, body))
	}
	rec := httptest.NewRecorder()
	w.bot.Handler().ServeHTTP(rec, r)
	w.bot.Wait()
	return rec.Result()
}

func TestRequestsThatAreNotSlacks(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	rec, m := w.posted()
	e, _ := m.Element(actionAccept)
	payload := url.Values{"payload": {`{"type":"block_actions","user":{"id":"U0ANA","team_id":"T0SLACKSIM"},"actions":[{"action_id":"hitl_accept","value":"` + e.Value + `"}]}`}}.Encode()
	for name, tc := range map[string]struct {
		path, body string
		sign       bool
		want       int
	}{
		"unsigned click":       {"/slack/interactivity", payload, false, 401},
		"unsigned command":     {"/slack/commands", "command=/hitl", false, 401},
		"unsigned options":     {"/slack/options", payload, false, 401},
		"unsigned event":       {"/slack/events", `{"type":"url_verification"}`, false, 401},
		"probe":                {"/slack/commands", "ssl_check=1&token=x", false, 200},
		"click dressed probe":  {"/slack/interactivity", payload + "&ssl_check=1", false, 401},
		"too long":             {"/slack/interactivity", strings.Repeat("x", maxBody+1), true, 413},
		"no payload":           {"/slack/interactivity", "x=1", true, 400},
		"payload is no JSON":   {"/slack/interactivity", "payload=x", true, 400},
		"nobody's click":       {"/slack/interactivity", "payload=" + url.QueryEscape(`{"type":"block_actions"}`), true, 400},
		"unknown type":         {"/slack/interactivity", "payload=" + url.QueryEscape(`{"type":"shortcut","user":{"id":"U1"}}`), true, 200},
		"no actions":           {"/slack/interactivity", "payload=" + url.QueryEscape(`{"type":"block_actions","user":{"id":"U1"}}`), true, 200},
		"closed view":          {"/slack/interactivity", "payload=" + url.QueryEscape(`{"type":"view_closed","user":{"id":"U1"}}`), true, 200},
		"event is no JSON":     {"/slack/events", "x", true, 400},
		"other event":          {"/slack/events", `{"type":"event_callback"}`, true, 200},
		"command without name": {"/slack/commands", "text=x", true, 400},
		"elsewhere":            {"/slack/other", "", true, 404},
	} {
		res := w.send(tc.path, tc.body, tc.sign)
		_ = res.Body.Close()
		if res.StatusCode != tc.want {
			t.Errorf("%s: %d, want %d", name, res.StatusCode, tc.want)
		}
	}
	if _, ok := w.store.decision(rec.Review.ID); ok {
		t.Fatal("decided by a forged click")
	}
	res := w.send("/slack/interactivity", payload, true)
	_ = res.Body.Close()
	if _, ok := w.store.decision(rec.Review.ID); !ok || res.StatusCode != http.StatusOK {
		t.Error("not decided by an honest one; the test tests nothing")
	}
}

func TestURLVerification(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if err := w.sim.VerifyEvents(t.Context()); err != nil {
		t.Error(err)
	}
	w.clean()
}

// A payload can be anything; it never crashes the bot, and decides nothing but what a button says.
func FuzzInteraction(f *testing.F) {
	for _, s := range []string{
		`{"type":"block_actions","user":{"id":"U0ANA","team_id":"T1"},"actions":[{"action_id":"hitl_accept","value":"rev_1.1.0123456789abcdef0123"}]}`,
		`{"type":"view_submission","user":{"id":"U0ANA"},"team":null,"view":{"callback_id":"hitl_correct","private_metadata":"{\"ref\":\"rev_1.1\"}","state":{"values":{"hitl_label":{"label":{"selected_option":null}}}}}}`,
		`{"type":"block_suggestion","user":{"id":"U0ANA"},"action_id":"label","value":"x","view":{"private_metadata":"{}"}}`,
		`{"type":"block_actions","user":{"id":"U0ANA"},"actions":[{"action_id":"hitl_reveal"}],"view":{"id":"V1","private_metadata":"{\"ref\":\"rev_1.1\"}"}}`,
		`[]`, `null`, `{"user":{"id":"U1"},"actions":[null]}`,
	} {
		f.Add([]byte(s))
	}
	b, store := unreached(f)
	f.Fuzz(func(t *testing.T, payload []byte) {
		a := b.interaction(t.Context(), payload)
		b.Wait()
		if _, err := json.Marshal(a.body); err != nil {
			t.Errorf("answer cannot be written: %v", err)
		}
		if _, ok := store.decision("rev_1"); ok || len(store.revealed()) > 0 {
			t.Error("decided or revealed although Slack does not say who may")
		}
	})
}

// unreached is a bot that cannot reach Slack, and so knows nobody, with one open review.
func unreached(t testing.TB) (*Bot, *store) {
	t.Helper()
	dead := &http.Client{Timeout: time.Second, Transport: unreachable{}}
	store := newStore()
	store.put(newRecord("rev_1", private))
	b, err := New(Config{
		Token: "xoxb-1", SigningSecrets: []string{"s"}, HTTPClient: dead, Cards: store, Waiting: newWaiting(), Stats: &stats{}, Lists: store,
		Desk:   &hitl.Desk{Decisions: store, Reveals: store, Logger: slog.New(slog.DiscardHandler), Now: time.Now},
		Queues: map[string]Queue{"support": {Channel: channel, Reviewers: Reviewers{Users: []string{ana}}, Redact: []string{"email"}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return b, store
}

type unreachable struct{}

func (unreachable) RoundTrip(*http.Request) (*http.Response, error) { return nil, io.ErrUnexpectedEOF }

// Whoever has no secret gets nothing past the check, whatever they change of a request that was good.
func FuzzVerifyMutation(f *testing.F) {
	f.Add([]byte(vectorBody), strconv.Itoa(vectorTime), vectorSum, uint16(0), byte(1))
	f.Add([]byte(vectorBody+"&"), "01531420618", strings.ToUpper(vectorSum), uint16(3), byte(0))
	f.Add([]byte{}, " 1531420618", "v0="+strings.Repeat("0", 64), uint16(70), byte(0x20))
	now := time.Unix(vectorTime, 0)
	f.Fuzz(func(t *testing.T, body []byte, stamp, sum string, at uint16, flip byte) {
		raw := []byte(sum)
		if int(at) < len(raw) {
			raw[at] ^= flip
		}
		got, err := verify([]string{"new", vectorSecret}, stamp, string(raw), body, now)
		if err != nil {
			return
		}
		if want := slacksim.Sign(vectorSecret, stamp, string(body)); "v0="+got != want && "v0="+got != slacksim.Sign("new", stamp, string(body)) {
			t.Errorf("%q with %q passes for %q", raw, stamp, body)
		}
		if !strings.EqualFold(string(raw[3:]), got) || strings.ToLower(got) != got {
			t.Errorf("%q is remembered as %q", raw, got)
		}
	})
}

// Requests of any form are answered, and none of them but a verified person's does anything.
func FuzzForms(f *testing.F) {
	for _, s := range []string{
		"command=%2Fhitl&text=stats+7d&user_id=U0ANA&team_id=T1", "payload=%7B%7D", "command=%2Fhitl&text=%00%3C%21channel%3E&user_id=U1",
		`{"type":"url_verification","challenge":"x"}`, "ssl_check=1", "payload=null&payload=[]", "%zz", "command=x&user_id=U1&response_url=%3A",
	} {
		f.Add([]byte(s))
	}
	b, store := unreached(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, do := range []func(context.Context, []byte) answer{b.commandForm, b.interactivityForm, b.event} {
			a := do(t.Context(), body)
			b.Wait()
			if _, err := json.Marshal(a.body); err != nil {
				t.Errorf("answer cannot be written: %v", err)
			}
		}
		probe(body)
		if _, ok := store.decision("rev_1"); ok || len(store.revealed()) > 0 {
			t.Error("something was done although Slack does not say who may")
		}
	})
}

func FuzzViewData(f *testing.F) {
	f.Add(`{"ref":"rev_1.1","channel":"C1","ts":"1.2"}`)
	f.Add(`{"ref":"rev_1.1.0123456789abcdef0123","Ref":"x"}`)
	f.Add(`[]`)
	f.Fuzz(func(t *testing.T, s string) {
		d, r, ok := parseViewData(s)
		if !ok {
			return
		}
		if again, r2, ok := parseViewData(d.String()); !ok || again != d || r2 != r {
			t.Errorf("%q reads as %+v, which reads as %+v", s, d, again)
		}
	})
}

func FuzzRef(f *testing.F) {
	f.Add("rev_1.1")
	f.Add("rev_1.2.0123456789abcdef0123")
	f.Add("rev_1.01")
	f.Fuzz(func(t *testing.T, s string) {
		if r, ok := parseRef(s); ok && r.String() != s {
			t.Errorf("%q reads as %+v, which is written %q", s, r, r)
		}
	})
}
