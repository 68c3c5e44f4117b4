package bot

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/slack-go/slack"

	"hitl"
)

// api is Slack's Web API as the bot uses it. Every error is a *failure. Nothing is retried here: after a failure that leaves the effect
// open, only the caller knows how to find out.
type api struct {
	slack    func() *slack.Client
	rotator  *rotator // nil: the token does not expire
	http     *http.Client
	pace     *pacer
	observer Observer
	rates    map[string]Rate
}

// Methods with a pace of their own.
const (
	postMessage = "chat.postMessage"
	updateChat  = "chat.update"
	readHistory = "conversations.history"
)

// historyPatience is how long a page of history may be waited for: long enough to read on, short enough not to make stale what was
// read before.
const historyPatience = 5 * time.Second

func newAPI(cfg Config) *api {
	client := func(token string) *slack.Client {
		return slack.New(token, slack.OptionHTTPClient(cfg.HTTPClient), slack.OptionAPIURL(cfg.APIURL), slack.OptionAppLevelToken(cfg.AppToken))
	}
	fixed := client(cfg.Token)
	a := &api{
		slack: func() *slack.Client { return fixed },
		http:  cfg.HTTPClient, pace: newPacer(cfg.Now), observer: cfg.Observer,
		rates: map[string]Rate{postMessage: cfg.PostRate, updateChat: cfg.UpdateRate, readHistory: cfg.HistoryRate, readMembers: membersRate},
	}
	if cfg.Rotation.RefreshToken != "" {
		a.rotator = newRotator(cfg)
		a.slack = func() *slack.Client { return client(a.rotator.access()) } // it holds nothing but what it is made of
	}
	return a
}

// call makes one call and reports it. A call out of turn waits for its turn if that is near, and otherwise fails as limited.
func (a *api) call(ctx context.Context, method string, patience time.Duration, do func(context.Context) error) error {
	rate, ok := a.rates[method]
	if !ok {
		rate = Rate{Every: -1}
	}
	for {
		d := a.pace.take(method, rate)
		if d <= 0 {
			return a.send(ctx, method, method, do)
		}
		if d > patience || sleep(ctx, d) != nil {
			return &failure{method: method, kind: limited, after: d, err: errors.New("out of turn")}
		}
		patience -= d
	}
}

// turn waits until a message may be posted to a channel. What is not used then must be given back.
func (a *api) turn(ctx context.Context, channel string) (giveBack func(), err error) {
	k := postMessage + "/" + channel
	if err := a.pace.wait(ctx, k, a.rates[postMessage]); err != nil {
		return nil, fmt.Errorf("wait for turn: %w", err)
	}
	return func() { a.pace.giveBack(k) }, nil
}

// send makes a call whatever its pace.
func (a *api) send(ctx context.Context, method, k string, do func(context.Context) error) error {
	start := time.Now()
	ctx, span := callSpan(ctx, method)
	err := classify(method, a.withToken(ctx, do))
	endSpan(span, err != nil)
	outcome := "ok"
	if f, ok := errors.AsType[*failure](err); ok {
		if outcome = f.outcome(); f.kind == limited {
			a.pace.close(k, f.after)
		}
	}
	a.observer.Called(method, metricWord(outcome), time.Since(start))
	return err
}

// withToken makes a call with a token that is good. One that was refused because the token had expired is made once more with a new one.
func (a *api) withToken(ctx context.Context, do func(context.Context) error) error {
	r := a.rotator
	if r == nil {
		return do(ctx)
	}
	token := r.access()
	if token == "" {
		if err := r.renew(ctx, ""); err != nil {
			return a.tokenless(err)
		}
		token = r.access()
	}
	err := do(ctx)
	if answer, ok := errors.AsType[slack.SlackErrorResponse](err); !ok || answer.Err != "token_expired" {
		return err
	}
	if err := r.renew(ctx, token); err != nil {
		return a.tokenless(err)
	}
	return do(ctx)
}

// tokenless is the failure of a call that was not made for want of a token.
func (a *api) tokenless(err error) error {
	if refusal(err) != "" || rateLimited(err) > 0 {
		return err
	}
	return &failure{method: refreshMethod, kind: limited, after: time.Second, err: err}
}

var plainWord = regexp.MustCompile(`^[a-z0-9_]{1,60}$`)

func metricWord(s string) string {
	if plainWord.MatchString(s) {
		return s
	}
	return "other"
}

func (a *api) authTest(ctx context.Context) (res *slack.AuthTestResponse, err error) {
	err = a.call(ctx, "auth.test", 0, func(ctx context.Context) (err error) {
		res, err = a.slack().AuthTestContext(ctx)
		return err
	})
	return res, err
}

const metadataType = "hitl_card"

// post posts a card's message and returns where it stands. The caller has waited for its turn.
func (a *api) post(ctx context.Context, c hitl.Card, m message) (channel, ts string, err error) {
	return a.postMarked(ctx, c.Channel, m, slack.SlackMetadata{
		EventType: metadataType, EventPayload: map[string]any{"card": c.ID, "review": c.ReviewID},
	})
}

// postMarked posts a message with the metadata by which it is found again.
func (a *api) postMarked(ctx context.Context, to string, m message, mark slack.SlackMetadata) (channel, ts string, err error) {
	err = a.send(ctx, postMessage, postMessage+"/"+to, func(ctx context.Context) (err error) {
		ctx = context.WithoutCancel(ctx) // cutting a post off only leaves it open what became of it; the client has a timeout
		channel, ts, err = a.slack().PostMessageContext(ctx, to,
			slack.MsgOptionText(m.Text, false), slack.MsgOptionBlocks(m.Blocks...),
			slack.MsgOptionDisableLinkUnfurl(), slack.MsgOptionDisableMediaUnfurl(), slack.MsgOptionMetadata(mark))
		if err == nil && (ts == "" || channel == "") {
			err = errors.New("the answer names no message") // slack-go takes {} for success
		}
		return err
	})
	return channel, ts, err
}

// update redraws a message of ours. Out of turn it fails as limited at once.
func (a *api) update(ctx context.Context, channel, ts string, m message) error {
	return a.call(ctx, updateChat, 0, func(ctx context.Context) error {
		_, _, _, err := a.slack().UpdateMessageContext(ctx, channel, ts, slack.MsgOptionText(m.Text, false), slack.MsgOptionBlocks(m.Blocks...))
		return err
	})
}

// remove deletes a message of ours.
func (a *api) remove(ctx context.Context, channel, ts string) error {
	return a.call(ctx, "chat.delete", 0, func(ctx context.Context) error {
		_, _, err := a.slack().DeleteMessageContext(ctx, channel, ts)
		return err
	})
}

func (a *api) history(ctx context.Context, p *slack.GetConversationHistoryParameters) (res *slack.GetConversationHistoryResponse, err error) {
	err = a.call(ctx, readHistory, historyPatience, func(ctx context.Context) (err error) {
		res, err = a.slack().GetConversationHistoryContext(ctx, p)
		return err
	})
	return res, err
}

// messageAt reads one message; thread is the one that it answers, if it does.
func (a *api) messageAt(ctx context.Context, channel, ts, thread string) (m slack.Message, found bool, err error) {
	p := slack.GetConversationHistoryParameters{ChannelID: channel, Oldest: ts, Latest: ts, Inclusive: true, Limit: 2}
	var list []slack.Message
	if thread == "" || thread == ts {
		var res *slack.GetConversationHistoryResponse
		if res, err = a.history(ctx, &p); err == nil {
			list = res.Messages
		}
	} else {
		err = a.call(ctx, "conversations.replies", historyPatience, func(ctx context.Context) (err error) {
			list, _, _, err = a.slack().GetConversationRepliesContext(ctx, &slack.GetConversationRepliesParameters{
				ChannelID: channel, Timestamp: thread, Oldest: ts, Latest: ts, Inclusive: true, Limit: 2, // the thread's first message comes, too
			})
			return err
		})
	}
	for _, m := range list {
		if m.Timestamp == ts {
			return m, true, err
		}
	}
	return slack.Message{}, false, err
}

// openView opens a modal: never behind a queue, the trigger is about to expire.
func (a *api) openView(ctx context.Context, trigger string, view slack.ModalViewRequest) (id string, err error) {
	err = a.send(ctx, "views.open", "views.open", func(ctx context.Context) error {
		res, err := a.slack().OpenViewContext(ctx, trigger, view)
		if err == nil {
			id = res.ID
		}
		return err
	})
	return id, err
}

func (a *api) updateView(ctx context.Context, id, hash string, view slack.ModalViewRequest) error {
	return a.send(ctx, "views.update", "views.update", func(ctx context.Context) error {
		_, err := a.slack().UpdateViewContext(ctx, view, "", hash, id)
		return err
	})
}

// publishHome sets what somebody sees in the app's home tab.
func (a *api) publishHome(ctx context.Context, user string, view slack.HomeTabViewRequest) error {
	return a.send(ctx, "views.publish", "views.publish", func(ctx context.Context) error {
		_, err := a.slack().PublishViewContext(ctx, slack.PublishViewContextRequest{UserID: user, View: view})
		return err
	})
}

// groupMembers returns the members of a user group. team is needed with an organisation's token only.
func (a *api) groupMembers(ctx context.Context, group, team string) (users []string, err error) {
	err = a.call(ctx, "usergroups.users.list", 0, func(ctx context.Context) (err error) {
		users, err = a.slack().GetUserGroupMembersContext(ctx, group, slack.GetUserGroupMembersOptionTeamID(team))
		return err
	})
	return users, err
}

func (a *api) user(ctx context.Context, id string) (user *slack.User, err error) {
	err = a.call(ctx, "users.info", 0, func(ctx context.Context) (err error) {
		user, err = a.slack().GetUserInfoContext(ctx, id)
		return err
	})
	return user, err
}

func (a *api) postEphemeral(ctx context.Context, channel, user string, m message) error {
	return a.send(ctx, "chat.postEphemeral", "chat.postEphemeral", func(ctx context.Context) error {
		options := []slack.MsgOption{slack.MsgOptionText(m.Text, false)}
		if len(m.Blocks) > 0 {
			options = append(options, slack.MsgOptionBlocks(m.Blocks...))
		}
		_, err := a.slack().PostEphemeralContext(ctx, channel, user, options...)
		return err
	})
}

// response is the body of a post to a response_url.
type response struct {
	ResponseType    string        `json:"response_type,omitempty"`
	ReplaceOriginal bool          `json:"replace_original"`
	Text            string        `json:"text"`
	Blocks          []slack.Block `json:"blocks,omitempty"`
}

// respond posts to a response_url. It is ours alone because slack-go does not read the errors that come back.
func (a *api) respond(ctx context.Context, url string, r response) error {
	return a.send(ctx, "response_url", "response_url", func(ctx context.Context) error {
		body, err := json.Marshal(r)
		if err != nil {
			return fmt.Errorf("write response: %w", err)
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
		if err != nil {
			return fmt.Errorf("make request: %w", err)
		}
		req.Header.Set("Content-Type", "application/json; charset=utf-8")
		res, err := a.http.Do(req)
		if err != nil {
			return err
		}
		defer func() { _ = res.Body.Close() }()
		answer, err := io.ReadAll(io.LimitReader(res.Body, 64<<10))
		if err != nil {
			return fmt.Errorf("read answer: %w", err)
		}
		return responseError(res, answer)
	})
}

// responseError reads the answer of a response_url: "ok", an error code in plain text, or JSON.
func responseError(res *http.Response, answer []byte) error {
	var parsed slack.SlackResponse
	isJSON := json.Unmarshal(answer, &parsed) == nil
	switch {
	case res.StatusCode == http.StatusTooManyRequests:
		return slack.StatusCodeError{Code: res.StatusCode, Status: res.Status}
	case isJSON && parsed.Error != "":
		return parsed.Err()
	case res.StatusCode == http.StatusOK && (isJSON || strings.TrimSpace(string(answer)) == "ok"):
		return nil
	case plainWord.Match(answer) && string(answer) != "ok":
		return slack.SlackErrorResponse{Err: string(answer)}
	case res.StatusCode != http.StatusOK:
		return slack.StatusCodeError{Code: res.StatusCode, Status: res.Status}
	}
	return errors.New("the answer makes no sense")
}

// conversationWith returns the conversation of the app with a user, where messages for them alone are posted.
func (a *api) conversationWith(ctx context.Context, user string) (channel string, err error) {
	err = a.call(ctx, "conversations.open", 0, func(ctx context.Context) error {
		res, _, _, err := a.slack().OpenConversationContext(ctx, &slack.OpenConversationParameters{Users: []string{user}, ReturnIM: false})
		if err == nil && res.ID == "" {
			err = errors.New("the answer names no conversation")
		}
		if err == nil {
			channel = res.ID
		}
		return err
	})
	return channel, err
}
