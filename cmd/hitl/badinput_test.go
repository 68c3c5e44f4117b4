package main

import (
	"bufio"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write SECURITY.md's table of bad inputs, and the golden files, anew")

// badInput is one bad input and how the running service answers it.
type badInput struct {
	what string
	try  func(*world) string // makes it and returns the outcome in words
}

// badInputs are the sections of SECURITY.md's table.
type badInputs struct {
	title   string
	records bool // whether these are items all the same
	rows    []badInput
}

const securityFile = "../../SECURITY.md"

var tableMarks = regexp.MustCompile(`(?s)(<!-- table:.*?-->\n).*(<!-- end of table -->)`)

// TestBadInputs makes every bad input of SECURITY.md's table on the running service, wants the outcome that stands there, and that none of them
// left an item or a decision behind. With -update it writes the table.
func TestBadInputs(t *testing.T) {
	t.Parallel()
	doc, err := os.ReadFile(securityFile)
	if err != nil {
		t.Fatal(err)
	}
	if !tableMarks.Match(doc) {
		t.Fatalf("%s has no table between its marks", securityFile)
	}
	w := newWorld(t, func(s *storySettings) {
		s.Sources = fmt.Sprintf("  rare: {classifier: sentiment, policy: sentiment, rate: {per_second: 0.001, burst: 1}, auth: {bearer: [%q]}}\n"+
			"  nameless: {classifier: sentiment, policy: sentiment, auth: {hmac: {secrets: [%q]}}, mapping: {text: body.text}}",
			demoSecrets{Key: rareKey}.KeyHash(), hookSecret)
	})
	w.post("taken", sureText, http.StatusOK)
	w.postNameless()
	w.card(w.post("open", unsureText, http.StatusAccepted))
	count := func() string {
		return query[string](w, `SELECT (SELECT count(*) FROM hitl.items) || ' items, ' || (SELECT count(*) FROM hitl.decisions) || ' decisions'`)
	}
	var table strings.Builder
	table.WriteString("\n| bad input | outcome |\n|---|---|\n")
	for _, section := range []badInputs{apiInputs(), hookInputs(), slackInputs(), databaseInputs(), callbackInputs(), textInputs()} {
		fmt.Fprintf(&table, "| **%s** | |\n", section.title)
		for _, row := range section.rows {
			before := count()
			outcome := row.try(w)
			if after := count(); after != before && !section.records {
				t.Errorf("%s left something behind: %s, before %s", row.what, after, before)
			}
			fmt.Fprintf(&table, "| %s | %s |\n", row.what, strings.NewReplacer("|", `\|`, "\n", " ").Replace(outcome))
		}
	}
	table.WriteString("\n")
	got := tableMarks.ReplaceAll(doc, []byte("${1}"+strings.ReplaceAll(table.String(), "$", "$$")+"${2}"))
	if *update {
		if err := os.WriteFile(securityFile, got, 0o644); err != nil { //nolint:gosec // a document
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(strings.Split(string(doc), "\n"), strings.Split(string(got), "\n")); diff != "" {
		t.Errorf("%s says otherwise than the service does (-document +service; -update writes it):\n%s", securityFile, diff)
	}
}

// said is an answer in words: its status and its problem's code.
func said(a answer) string {
	var p struct {
		Code string `json:"code"`
	}
	_ = json.Unmarshal(a.body, &p) // an answer without a code is told by its status
	if p.Code == "" {
		p.Code = strings.ToLower(http.StatusText(a.status))
	}
	return fmt.Sprintf("%d %s", a.status, p.Code)
}

// sends makes a row of a request with the shop's key, changed by headers.
func sends(what, method, path string, body any, header map[string]string) badInput {
	return badInput{what, func(w *world) string {
		h := map[string]string{"Authorization": "Bearer " + storyKey, "Content-Type": "application/json"}
		maps.Copy(h, header)
		return said(w.requestWith(method, path, body, nil, h))
	}}
}

// raw makes a row of bytes that no HTTP client would send.
func raw(what, request string) badInput {
	return badInput{what, func(w *world) string {
		var d net.Dialer
		conn, err := d.DialContext(w.t.Context(), "tcp", strings.TrimPrefix(w.url, "http://"))
		if err != nil {
			w.t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		if err := conn.SetDeadline(time.Now().Add(storyTime)); err != nil {
			w.t.Fatal(err)
		}
		if _, err := conn.Write([]byte(request)); err != nil {
			w.t.Fatal(err)
		}
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			return "connection closed, no answer"
		}
		defer func() { _ = resp.Body.Close() }()
		return fmt.Sprintf("%d %s", resp.StatusCode, strings.ToLower(http.StatusText(resp.StatusCode)))
	}}
}

// githubSignature is the header that signs a body for the hook.
func githubSignature(body, secret string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(body))
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}

// slackRequest makes a request as Slack signs it, now and with the right secret unless told otherwise.
func (w *world) slackRequest(path, body, secret string, at time.Time) answer {
	w.t.Helper()
	stamp := strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte("v0:" + stamp + ":" + body))
	return w.requestWith(http.MethodPost, path, body, nil, map[string]string{
		"Content-Type": "application/x-www-form-urlencoded", "X-Slack-Request-Timestamp": stamp, "X-Slack-Signature": "v0=" + hex.EncodeToString(mac.Sum(nil)),
	})
}

// clickPayload is a click's form as Slack sends it, by whomever on whatever.
func (w *world) clickPayload(team, user, action, value string) string {
	w.t.Helper()
	payload, err := json.Marshal(map[string]any{
		"type": "block_actions", "team": map[string]string{"id": team}, "user": map[string]string{"id": user, "team_id": team},
		"channel": map[string]string{"id": reviewChannel}, "container": map[string]string{"channel_id": reviewChannel},
		"actions": []any{map[string]string{"action_id": action, "value": value}},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return url.Values{"payload": {string(payload)}}.Encode()
}

// tells makes a signed request of Slack's and returns the status and what a person was told then.
func (w *world) tells(user, path, body string) string {
	w.t.Helper()
	before := len(w.sim.Ephemerals(user))
	a := w.slackRequest(path, body, w.sim.SigningSecret(), time.Now())
	ctx, cancel := context.WithTimeout(w.t.Context(), storyTime)
	defer cancel()
	if err := w.sim.Wait(ctx, func() bool { return len(w.sim.Ephemerals(user)) > before }); err != nil {
		w.t.Fatalf("%s was told nothing, status %d", user, a.status)
	}
	told := w.sim.Ephemerals(user)
	return fmt.Sprintf("%s is told: %s", user, told[len(told)-1].Text)
}

// rareKey is the key of a source that may send one item at a time, and next to none afterwards.
const rareKey = "rare-key-0123456789"

// postNameless posts always the same to a hook that gives items no id.
func (w *world) postNameless() answer {
	w.t.Helper()
	const body = `{"text":"` + sureText + `"}`
	return w.requestWith(http.MethodPost, "/v1/hooks/nameless", body, nil, map[string]string{
		"X-Hub-Signature-256": githubSignature(body, hookSecret), "Content-Type": "application/json",
	})
}

// newKey makes an API key.
func (w *world) newKey(args ...string) string {
	w.t.Helper()
	return strings.TrimSpace(w.mustHitl(append([]string{"keys", "create"}, args...)...))
}

func (w *world) withKey(key, method, path string, body any) answer {
	w.t.Helper()
	return w.requestWith(method, path, body, nil, map[string]string{"Authorization": "Bearer " + key, "Content-Type": "application/json"})
}
