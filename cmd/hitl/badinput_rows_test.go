package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"hitl"
	"hitl/bot/slacksim"
	"hitl/ingest"
)

func apiInputs() badInputs {
	const items, batch = "/v1/items", "/v1/items/batch"
	text := map[string]any{"text": sureText}
	with := func(field string, value any) map[string]any { return map[string]any{"text": sureText, field: value} }
	many := make([]any, ingest.MaxBatch+1)
	for i := range many {
		many[i] = text
	}
	return badInputs{title: "The API", rows: []badInput{
		sends("no key", http.MethodPost, items, text, map[string]string{"Authorization": ""}),
		sends("a key that nobody has", http.MethodPost, items, text, map[string]string{"Authorization": "Bearer guess"}),
		sends("a key in the form of a password", http.MethodPost, items, text, map[string]string{"Authorization": "Basic " + storyKey}),
		{"a key that was revoked", func(w *world) string {
			const path = "/v1/items/itm_06h0000000000000000000000"
			key := w.newKey("--source", "shop", "--rights", "submit,read")
			w.eventually("the new key to be known", func() bool { return w.withKey(key, http.MethodGet, path, nil).status == http.StatusNotFound })
			w.mustHitl("keys", "revoke", query[string](w, `SELECT id FROM hitl.api_keys ORDER BY created_at DESC LIMIT 1`))
			w.eventually("the key to be revoked", func() bool { return w.withKey(key, http.MethodGet, path, nil).status != http.StatusNotFound })
			return said(w.withKey(key, http.MethodPost, items, text))
		}},
		{"a key that may only read, submitting", func(w *world) string {
			key := w.newKey("--source", "shop", "--rights", "read")
			w.eventually("the new key to be known", func() bool { return w.withKey(key, http.MethodGet, "/v1/stats", nil).status == http.StatusForbidden })
			return said(w.withKey(key, http.MethodPost, items, text))
		}},
		{"more than the source's rate", func(w *world) string {
			w.withKey(rareKey, http.MethodPost, items, "spends what there is")
			return said(w.withKey(rareKey, http.MethodPost, items, text))
		}},
		sends("the source of somebody else", http.MethodPost, items, with("source", "github"), nil),
		sends("an id used before, with another text", http.MethodPost, items, map[string]any{"id": "taken", "text": unsureText}, nil),
		sends("no text", http.MethodPost, items, map[string]any{"id": "x"}, nil),
		sends("a text of nothing but spaces", http.MethodPost, items, map[string]any{"text": " \n\t "}, nil),
		sends("a text of more than 1 MiB", http.MethodPost, items, map[string]any{"text": strings.Repeat("a", hitl.MaxTextBytes+1)}, nil),
		sends("a body of more than `server.max_body`", http.MethodPost, items, map[string]any{"text": strings.Repeat("a", 5<<20)}, nil),
		sends("an id of 257 bytes", http.MethodPost, items, with("id", strings.Repeat("i", 257)), nil),
		sends("an id with a line break", http.MethodPost, items, with("id", "a\nb"), nil),
		sends("metadata of 65 KiB", http.MethodPost, items, with("metadata", map[string]any{"a": strings.Repeat("m", 65<<10)}), nil),
		sends("metadata nested 17 deep", http.MethodPost, items, `{"text":"x","metadata":`+strings.Repeat(`{"a":`, 17)+"1"+strings.Repeat("}", 18), nil),
		sends("JSON nested 100,000 deep", http.MethodPost, items, strings.Repeat("[", 100_000), nil),
		sends("broken JSON", http.MethodPost, items, `{"text":`, nil),
		sends("two JSON values", http.MethodPost, items, `{"text":"a"}{"text":"b"}`, nil),
		sends("a field that nobody knows", http.MethodPost, items, with("txt", "x"), nil),
		sends("a batch of 1,001 items", http.MethodPost, batch, map[string]any{"items": many}, nil),
		sends("a compressed body", http.MethodPost, items, text, map[string]string{"Content-Encoding": "gzip"}),
		sends("a body that is no JSON", http.MethodPost, items, "text=x", map[string]string{"Content-Type": "application/x-www-form-urlencoded"}),
		raw("headers of 64 KiB", "GET /healthz HTTP/1.1\r\nHost: x\r\nX-A: "+strings.Repeat("a", 64<<10)+"\r\n\r\n"),
		raw("two lengths of one body", "POST /v1/items HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 5\r\n\r\nabcde"),
		raw("no HTTP at all", "\x16\x03\x01\x02\x00\x01\x00\r\n\r\n"),
		raw("headers that never end", "GET /healthz HTTP/1.1\r\nHost: x\r\n"),
		sends("another source's item", http.MethodGet, "/v1/items/itm_06h0000000000000000000000", nil, nil),
		sends("an item's id that climbs out", http.MethodGet, "/v1/items/..%2f..%2fmetrics", nil, nil),
		sends("an item's id with SQL in it", http.MethodGet, "/v1/items/itm_'%20OR%20'1'='1", nil, nil),
		sends("a tile of a tree as large as the world", http.MethodGet, "/v1/log/tile/8/0/x999/x999/x999/x999/999", nil, nil),
		sends("metrics, on the public address", http.MethodGet, "/metrics", nil, nil),
		sends("profiles, on the public address", http.MethodGet, "/debug/pprof/heap", nil, nil),
		sends("a method that is not there", http.MethodDelete, "/v1/items/itm_1", nil, nil),
		sends("statistics without the right to them", http.MethodGet, "/v1/stats", nil, map[string]string{"Authorization": "Bearer " + deskKey}),
	}}
}

func hookInputs() badInputs {
	const path = "/v1/hooks/github"
	issue := `{"issue":{"id":99,"title":"T","body":"` + sureText + `"},"repository":{"name":"shop"}}`
	hook := func(what, path, body, signature string) badInput {
		return sends(what, http.MethodPost, path, body, map[string]string{"Authorization": "", "X-Hub-Signature-256": signature})
	}
	return badInputs{title: "Webhooks", rows: []badInput{
		hook("no signature", path, issue, ""),
		hook("a signature of another secret", path, issue, githubSignature(issue, "another-secret-of-theirs")),
		hook("a signature of another body", path, issue, githubSignature(issue+" ", hookSecret)),
		hook("half a signature", path, issue, githubSignature(issue, hookSecret)[:40]),
		hook("a source that does not exist", "/v1/hooks/nobody", issue, githubSignature(issue, hookSecret)),
		hook("a source that has no hook", "/v1/hooks/shop", issue, githubSignature(issue, hookSecret)),
		sends("another source's key", http.MethodPost, path, issue, nil),
		{"the same signed post again", func(w *world) string {
			a := w.postNameless()
			return fmt.Sprintf("%s, the stored answer: %s", said(a), a.header.Get("Idempotent-Replayed"))
		}},
		hook("a payload that cannot be mapped", path, `{"zen":"x"}`, githubSignature(`{"zen":"x"}`, hookSecret)),
		hook("a payload that is no JSON", path, `<xml/>`, githubSignature(`<xml/>`, hookSecret)),
	}}
}

func slackInputs() badInputs {
	const interactivity, commands = "/slack/interactivity", "/slack/commands"
	const team = "T0SLACKSIM"
	signed := func(what, path string, body func(*world) string, secret func(*world) string, age time.Duration) badInput {
		return badInput{what, func(w *world) string { return said(w.slackRequest(path, body(w), secret(w), time.Now().Add(-age))) }}
	}
	right := func(w *world) string { return w.sim.SigningSecret() }
	command := func(*world) string {
		return url.Values{"command": {"/hitl"}, "text": {"stats"}, "team_id": {team}, "user_id": {"U0ANA"}, "channel_id": {reviewChannel}}.Encode()
	}
	// accepts is a click on the button that accepts the label of an open review.
	accepts := func(what, team, user string) badInput {
		return badInput{what, func(w *world) string {
			return w.tells(user, interactivity, w.clickPayload(team, user, "hitl_accept", acceptValue(w)))
		}}
	}
	return badInputs{title: "Slack", rows: []badInput{
		sends("a request without a signature", http.MethodPost, commands, "command=%2Fhitl", map[string]string{"Content-Type": "application/x-www-form-urlencoded"}),
		signed("a signature of another secret", commands, command, func(*world) string { return "another secret" }, 0),
		signed("a signature of six minutes ago", commands, command, right, 6*time.Minute),
		signed("a signature of six minutes ahead", commands, command, right, -6*time.Minute),
		{"a request of Slack's that comes again", func(w *world) string {
			at := time.Now()
			w.slackRequest(commands, command(w), right(w), at)
			return said(w.slackRequest(commands, command(w), right(w), at))
		}},
		signed("a body of more than 2 MiB", interactivity, func(*world) string { return "payload=" + strings.Repeat("a", 2<<20) }, right, 0),
		signed("a payload that is no JSON", interactivity, func(*world) string { return "payload=x" }, right, 0),
		signed("a click of nobody", interactivity, func(w *world) string { return w.clickPayload(team, "", "hitl_accept", acceptValue(w)) }, right, 0),
		accepts("a click by a person of another workspace (Slack Connect)", "T0PARTNER", "U0EVE"),
		accepts("the same person, claiming to be of ours", team, "U0EVE"),
		{"a click by a reviewer who was deactivated", func(w *world) string {
			if err := w.sim.SetDeactivated("U0CHLOE", true); err != nil {
				w.t.Fatal(err)
			}
			a := w.slackRequest(interactivity, w.clickPayload(team, "U0CHLOE", "hitl_accept", acceptValue(w)), w.sim.SigningSecret(), time.Now())
			return said(a) + ", not recorded" // which the count of decisions makes sure of; there is nobody to tell
		}},
		{"a button's value that somebody made up", func(w *world) string {
			return w.tells("U0ANA", interactivity, w.clickPayload(team, "U0ANA", "hitl_accept", "rev_06h0000000000000000000000.1.0123456789abcdef0123"))
		}},
		{"a button for a label that the review does not have", func(w *world) string {
			value := acceptValue(w)
			return w.tells("U0ANA", interactivity, w.clickPayload(team, "U0ANA", "hitl_label_0", value[:strings.LastIndex(value, ".")]+".0123456789abcdef0123"))
		}},
		{"a command by a person of another workspace", func(w *world) string {
			return w.tells("U0EVE", commands, url.Values{
				"command": {"/hitl"}, "text": {"stats"}, "team_id": {"T0PARTNER"}, "user_id": {"U0EVE"}, "channel_id": {reviewChannel},
			}.Encode())
		}},
	}}
}

// acceptValue is the value of the button that accepts on the card of an open review that everybody tries their luck with.
func acceptValue(w *world) string {
	w.t.Helper()
	review := query[string](w, `SELECT coalesce((SELECT r.id FROM hitl.reviews r JOIN hitl.items i ON i.id = r.item_id WHERE i.external_id = 'open'), '')`)
	if review == "" {
		w.t.Fatal("there is no open review")
	}
	label := query[string](w, `SELECT ai_label FROM hitl.items WHERE external_id = 'open'`)
	sum := sha256.Sum256([]byte(label))
	return review + ".1." + hex.EncodeToString(sum[:10])
}

func databaseInputs() badInputs {
	as := func(what, user, sql string) badInput {
		return badInput{what, func(w *world) string {
			dsn := w.owner
			if user != "" {
				var err error
				if dsn, err = withUser(w.owner, user, "service"); err != nil {
					w.t.Fatal(err)
				}
			}
			conn, err := pgx.Connect(w.t.Context(), dsn)
			if err != nil {
				w.t.Fatal(err)
			}
			defer func() { _ = conn.Close(w.t.Context()) }()
			_, err = conn.Exec(w.t.Context(), sql)
			var pg *pgconn.PgError
			if !errors.As(err, &pg) {
				return fmt.Sprintf("done: %v", err)
			}
			return "refused: " + pg.Message
		}}
	}
	return badInputs{title: "Postgres", rows: []badInput{
		as("the service changes a log entry", "hitl_service", `UPDATE hitl.log SET label = 'x'`),
		as("the service deletes log entries", "hitl_service", `DELETE FROM hitl.log`),
		as("the service empties the log", "hitl_service", `TRUNCATE hitl.log`),
		as("the service changes a decision", "hitl_service", `UPDATE hitl.decisions SET label = 'x'`),
		as("the service deletes a text without a trace", "hitl_service", `DELETE FROM hitl.item_texts`),
		as("the service makes itself an API key", "hitl_service", `INSERT INTO hitl.api_keys (id, hash, source, rights) VALUES ('k', sha256('x'), '', '{admin}')`),
		as("the service drops the trigger", "hitl_service", `DROP TRIGGER append_only ON hitl.log`),
		as("a superuser changes a log entry", "", `UPDATE hitl.log SET label = 'x'`),
		as("a superuser who plays a replica", "", `SET session_replication_role = replica; DELETE FROM hitl.log`),
		as("a superuser empties the checkpoints", "", `TRUNCATE hitl.log_checkpoints`),
	}}
}

func callbackInputs() badInputs {
	calls := func(what, target string) badInput {
		return badInput{what, func(w *world) string {
			sender, err := ingest.NewSender(ingest.SenderConfig{
				Targets: map[string]ingest.Target{"shop": {URL: target, Secrets: []ingest.Secret{storySecret}}},
				Timeout: 2 * time.Second, Logger: slog.New(slog.DiscardHandler),
			})
			if err == nil {
				defer sender.Close()
				err = sender.Send(context.WithoutCancel(w.t.Context()), hitl.Callback{ID: "msg_1", Source: "shop", Body: []byte("{}")})
			}
			if err == nil {
				return "called"
			}
			words := err.Error()
			return "refused: " + words[strings.LastIndex(words[:len(words)-1], ": ")+2:]
		}}
	}
	return badInputs{title: "Callback addresses", rows: []badInput{
		calls("`http://…`, in clear", "http://example.com/"),
		calls("loopback", "https://127.0.0.1/"),
		calls("loopback by name", "https://localhost/"),
		calls("loopback in an IPv6 coat", "https://[::ffff:127.0.0.1]/"),
		calls("a private network", "https://10.1.2.3/"),
		calls("a private network through NAT64", "https://[64:ff9b::a01:203]/"),
		calls("a cloud's metadata", "https://169.254.169.254/latest/meta-data"),
		calls("a unique local address", "https://[fd00::1]/"),
		calls("this host, written as nothing", "https://0.0.0.0/"),
		calls("a file", "file:///etc/passwd"),
	}}
}

// textInputs are texts that people should be able to read, whatever they hold. Their outcome is what Slack, or an export, shows.
func textInputs() badInputs {
	shows := func(what, text string, look func(slacksim.Message) string) badInput {
		return badInput{what, func(w *world) string {
			card := w.card(w.post("hostile "+what, text+" refund", http.StatusAccepted)) // a rule sends refunds to people
			outcome := look(card)
			w.click("U0ANA", card, "Accept")
			return outcome
		}}
	}
	literal := func(want string) func(slacksim.Message) string {
		return func(m slacksim.Message) string {
			if !strings.Contains(m.AllText(), want) {
				return fmt.Sprintf("shown as %q", m.AllText())
			}
			return fmt.Sprintf("shown literally: `%s`; mentions nobody: %t", want, len(m.Mentions) == 0)
		}
	}
	return badInputs{title: "Texts", records: true, rows: []badInput{
		shows("a text that calls everybody", "hey <!channel> <!here>", literal("<!channel> <!here>")),
		shows("a text that calls somebody", "hey <@U0BEN> <!subteam^S0REVIEWERS>", literal("<@U0BEN> <!subteam^S0REVIEWERS>")),
		shows("a link in disguise", "<http://evil.example|click here>", literal("<http://evil.example|click here>")),
		shows("terminal escapes, NUL, and text that turns around", "a\x1b[31mb\x00c\u202ed", func(m slacksim.Message) string {
			return fmt.Sprintf("none of them on the card: %t", !strings.ContainsAny(m.AllText()+m.Text, "\x1b\x00\u202e"))
		}),
		shows("a text of 512 KiB", strings.Repeat("word ", 100<<10), func(m slacksim.Message) string {
			return fmt.Sprintf("its beginning on the card, the rest behind “Details”: %t", len(m.AllText()) < 4000)
		}),
		{"a text, an id and a comment that a spreadsheet would run", func(w *world) string {
			it := w.post("=1+1", "=HYPERLINK(\"http://evil.example\") refund", http.StatusAccepted)
			w.correctByModal("U0ANA", it, other(it.AILabel), "Mixed feelings", "+1+1")
			w.calledBack(it)
			out := w.mustHitl("export", "corrections")
			return fmt.Sprintf("an apostrophe before each in the CSV: %t",
				strings.Contains(out, "'=1+1") && strings.Contains(out, "'=HYPERLINK") && strings.Contains(out, "'+1+1"))
		}},
	}}
}
