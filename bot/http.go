package bot

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"

	"github.com/slack-go/slack"
)

// maxBody bounds a request of Slack's: the payload of a modal may hold a view of 250 kB, percent-encoded.
const maxBody = 2 << 20

// answer is what goes back to Slack, over whatever transport: a status, 200 unless something was not done, and a body or none.
type answer struct {
	status int
	body   any
}

// notDone says that a request was understood and not carried out for a reason of ours. Slack shows the reviewer a warning at the
// button.
func notDone() answer { return answer{status: http.StatusServiceUnavailable} }

// Where Slack's requests go; [NewManifest] tells Slack.
const (
	interactivityPath = "/slack/interactivity"
	optionsPath       = "/slack/options"
	commandsPath      = "/slack/commands"
	eventsPath        = "/slack/events"
)

// Handler takes Slack's requests:
//
//	POST /slack/interactivity  clicks, modals, type-ahead
//	POST /slack/options        type-ahead, where the app names a URL of its own for it
//	POST /slack/commands       slash commands
//	POST /slack/events         events; answers url_verification
//
// Requests that are not signed by Slack are answered 401, and one that was taken before 409: Slack signs each anew. A request is answered within Config.AnswerWithin, and what it asked for is
// carried through even when Slack hangs up meanwhile.
func (b *Bot) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+interactivityPath, b.signed(b.interactivityForm))
	mux.HandleFunc("POST "+optionsPath, b.signed(b.interactivityForm))
	mux.HandleFunc("POST "+commandsPath, b.signed(b.commandForm))
	mux.HandleFunc("POST "+eventsPath, b.signed(b.event))
	return mux
}

// signed reads and checks a request before its work is done.
func (b *Bot) signed(do func(ctx context.Context, body []byte) answer) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		var tooLong *http.MaxBytesError
		switch {
		case errors.As(err, &tooLong):
			http.Error(w, "request is too long", http.StatusRequestEntityTooLarge)
			return
		case err != nil:
			http.Error(w, "request cannot be read", http.StatusBadRequest)
			return
		}
		if probe(body) {
			return // Slack checks the certificate; there is nothing to do and nothing to know
		}
		sum, err := verify(b.cfg.SigningSecrets, r.Header.Get("X-Slack-Request-Timestamp"), r.Header.Get("X-Slack-Signature"), body, b.cfg.Now())
		if err != nil {
			b.log.WarnContext(r.Context(), "refused a request that is not Slack's", "path", r.URL.Path, "error", err)
			http.Error(w, "signature is not valid", http.StatusUnauthorized)
			return
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), b.cfg.AnswerWithin)
		defer cancel()
		if !b.first(ctx, r.URL.Path, sum) {
			http.Error(w, "this request was taken before", http.StatusConflict)
			return
		}
		b.write(ctx, w, do(ctx, body))
	}
}

// first says whether a request that Slack has signed comes for the first time.
func (b *Bot) first(ctx context.Context, path, sum string) bool {
	first, err := b.replays.first(ctx, sum)
	if err != nil {
		b.log.WarnContext(ctx, "whether another replica took this request is not known", "path", path, "error", err)
	}
	if !first {
		b.cfg.Observer.Clicked("request", "replayed")
		b.log.WarnContext(ctx, "refused a request that was taken before", "path", path)
	}
	return first
}

func (b *Bot) write(ctx context.Context, w http.ResponseWriter, a answer) {
	if a.body == nil {
		if a.status != 0 {
			w.WriteHeader(a.status)
		}
		return
	}
	out, err := json.Marshal(a.body)
	if err != nil {
		b.log.ErrorContext(ctx, "cannot write an answer to slack", "error", err)
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	if a.status != 0 {
		w.WriteHeader(a.status)
	}
	_, _ = w.Write(out) // when Slack has hung up there is nobody left to tell
}

// probe recognises Slack's check of the app's certificate, which need not be signed.
func probe(body []byte) bool {
	if len(body) > 1024 {
		return false
	}
	form, err := url.ParseQuery(string(body))
	return err == nil && form.Get("ssl_check") == "1" && form.Get("payload") == "" && form.Get("command") == ""
}

func (b *Bot) interactivityForm(ctx context.Context, body []byte) answer {
	form, err := url.ParseQuery(string(body))
	if err != nil || form.Get("payload") == "" {
		return answer{status: http.StatusBadRequest}
	}
	return b.interaction(ctx, []byte(form.Get("payload")))
}

func (b *Bot) commandForm(ctx context.Context, body []byte) answer {
	form, err := url.ParseQuery(string(body))
	if err != nil || form.Get("command") == "" {
		return answer{status: http.StatusBadRequest}
	}
	return b.command(ctx, slack.SlashCommand{
		TeamID: form.Get("team_id"), EnterpriseID: form.Get("enterprise_id"), ChannelID: form.Get("channel_id"),
		UserID: form.Get("user_id"), Command: form.Get("command"), Text: form.Get("text"), ResponseURL: form.Get("response_url"),
		TriggerID: form.Get("trigger_id"),
	})
}
