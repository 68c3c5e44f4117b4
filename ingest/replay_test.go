package ingest

import (
	"net/http"
	"testing"
	"time"
)

// TestReplays sends signed messages again, to another replica on the same store: they are never a second item.
func TestReplays(t *testing.T) {
	t.Parallel()
	now := testNow
	replicas := []*world{}
	for range 2 {
		var shared *store
		if len(replicas) > 0 {
			shared = replicas[0].store
		}
		w := newWorld(t, func(c *Config) {
			hub := c.Sources["hub"]
			hub.Hook = &Hook{Text: "body.text", Metadata: `{"kind": headers[?"x-kind"].orValue("")}`} // no id
			c.Sources["hub"] = hub
			c.Now = func() time.Time { return now }
			if shared != nil {
				c.Records, c.Intake.Ledger, c.Intake.Waiting = shared, shared, shared
			}
		})
		replicas = append(replicas, w)
	}
	send := func(replica int, source, body string, header map[string]string) (status int, replayed bool, id string) {
		t.Helper()
		rec := replicas[replica].do(t, call{method: "POST", path: "/v1/hooks/" + source, header: header, body: body})
		if rec.Code/100 == 2 {
			id = decode[item](t, rec).ID
		}
		return rec.Code, rec.Header().Get("Idempotent-Replayed") == "true", id
	}
	const hubBody, deskBody = `{"text":"sure thing"}`, `{"data":{"message":"sure"}}`
	desk := map[string]string{}
	for k, v := range webhookHeader(t, webhookSecret, "msg_1", testNow, deskBody) {
		desk[k] = v[0]
	}
	hub := hubHeader(hubSecret, hubBody)
	kind := hubHeader(hubSecret, hubBody)
	kind["X-Kind"] = "not signed"

	_, _, firstDesk := send(0, "desk", deskBody, desk)
	_, _, firstHub := send(0, "hub", hubBody, hub)
	if firstDesk == "" || firstHub == "" {
		t.Fatal("the first messages were refused")
	}
	for _, step := range []struct {
		name         string
		after        time.Duration
		source, body string
		header       map[string]string
		status       int
	}{
		{"within five minutes", 4 * time.Minute, "desk", deskBody, desk, 200},
		{"within five minutes", 4 * time.Minute, "hub", hubBody, hub, 200},
		{"after five minutes", time.Hour, "desk", deskBody, desk, 401},
		{"after a year", 365 * 24 * time.Hour, "hub", hubBody, hub, 200},
		{"with a header that is not signed", time.Hour, "hub", hubBody, kind, http.StatusConflict},
	} {
		now = testNow.Add(step.after)
		for replica := range replicas {
			status, replayed, id := send(replica, step.source, step.body, step.header)
			first := map[string]string{"desk": firstDesk, "hub": firstHub}[step.source]
			if status != step.status || replayed != (status == 200) || status == 200 && id != first {
				t.Errorf("%s, %s at replica %d: %d, replayed %v, item %s", step.source, step.name, replica, status, replayed, id)
			}
		}
	}
	// The same text as another message is another item.
	now = testNow
	if status, replayed, id := send(1, "hub", hubBody+" ", hubHeader(hubSecret, hubBody+" ")); status != 200 || replayed || id == firstHub {
		t.Errorf("other bytes: %d, replayed %v", status, replayed)
	}
	if n := len(replicas[0].store.byID); n != 3 {
		t.Errorf("%d items, want 3", n)
	}
}

// Two secrets are live while they are changed, and the one that was taken out is not.
func TestSecretRotation(t *testing.T) {
	t.Parallel()
	const oldHub, newHub = "the secret of last month", "the secret of this month"
	const oldDesk, newDesk Secret = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", webhookSecret
	body := `{"text":"sure","data":{"message":"sure"}}`
	for name, stage := range map[string]struct {
		hub  []Secret
		desk []Secret
		want map[string]int
	}{
		"before": {[]Secret{oldHub}, []Secret{oldDesk}, map[string]int{"old": 200, "new": 401}},
		"during": {[]Secret{newHub, oldHub}, []Secret{newDesk, oldDesk}, map[string]int{"old": 200, "new": 200}},
		"after":  {[]Secret{newHub}, []Secret{newDesk}, map[string]int{"old": 401, "new": 200}},
	} {
		w := newWorld(t, func(c *Config) {
			c.Sources["hub"] = Source{HMAC: &HMAC{Secrets: stage.hub}, Hook: &Hook{Text: "body.text"}}
			c.Sources["desk"] = Source{WebhookSecrets: stage.desk, Hook: &Hook{Text: "body.data.message"}}
		})
		for age, want := range stage.want {
			hub, desk := Secret(newHub), newDesk
			if age == "old" {
				hub, desk = oldHub, oldDesk
			}
			if rec := w.do(t, call{method: "POST", path: "/v1/hooks/hub", header: hubHeader(string(hub), body), body: body}); rec.Code != want {
				t.Errorf("%s: hmac with the %s secret: %d", name, age, rec.Code)
			}
			header := map[string]string{}
			for k, v := range webhookHeader(t, desk, "msg_"+age, testNow, body) {
				header[k] = v[0]
			}
			if rec := w.do(t, call{method: "POST", path: "/v1/hooks/desk", header: header, body: body}); rec.Code != want {
				t.Errorf("%s: standard webhooks with the %s secret: %d", name, age, rec.Code)
			}
		}
	}
}
