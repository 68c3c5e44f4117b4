package bot

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/slack-go/slack"
)

// failure is a call to Slack that brought no success.
type failure struct {
	method string
	kind   failureKind
	code   string        // Slack's error code, when refused
	after  time.Duration // when limited
	err    error
}

type failureKind int

const (
	// unclear: the call may or may not have had its effect.
	unclear failureKind = iota
	// refused: Slack said no; nothing happened.
	refused
	// limited: Slack said not now, or we knew that it would; nothing happened.
	limited
)

func (f *failure) Error() string { return fmt.Sprintf("%s: %v", f.method, f.err) }
func (f *failure) Unwrap() error { return f.err }

// outcome is the failure's word for metrics.
func (f *failure) outcome() string {
	switch f.kind {
	case limited:
		return "ratelimited"
	case refused:
		return f.code
	case unclear:
	}
	return "unclear"
}

// retryAfterUnknown is how long to stay away when a 429 does not say.
const retryAfterUnknown = 30 * time.Second

// classify turns slack-go's errors into failures; nil stays nil.
func classify(method string, err error) error {
	if err == nil {
		return nil
	}
	var (
		rate   *slack.RateLimitedError
		answer slack.SlackErrorResponse
		status slack.StatusCodeError
		number *strconv.NumError
	)
	if f, ok := errors.AsType[*failure](err); ok {
		return f // of the token that the call was to have
	}
	f := &failure{method: method, err: err}
	switch {
	case errors.As(err, &rate):
		f.kind, f.after = limited, rate.RetryAfter
	case errors.As(err, &number): // a 429 whose Retry-After is no whole number
		f.kind, f.after = limited, retryAfterUnknown
	case errors.As(err, &status) && status.Code == http.StatusTooManyRequests:
		f.kind, f.after = limited, retryAfterUnknown
	case errors.As(err, &status) && status.Code < http.StatusInternalServerError:
		f.kind, f.code = refused, "http_"+strconv.Itoa(status.Code)
	case errors.As(err, &answer):
		f.kind, f.code = refused, answer.Err
		switch answer.Err {
		case "ratelimited", "rate_limited":
			f.kind, f.after = limited, retryAfterUnknown
		case "internal_error", "fatal_error", "service_unavailable", "request_timeout", "team_added_to_org":
			f.kind = unclear
		}
		if len(answer.ResponseMetadata.Messages) > 0 {
			f.err = fmt.Errorf("%w %q", err, answer.ResponseMetadata.Messages)
		}
	}
	if f.kind == limited && f.after <= 0 {
		f.after = time.Second
	}
	return f
}

// refusal returns Slack's error code, or "" when Slack did not refuse.
func refusal(err error) string {
	if f, ok := errors.AsType[*failure](err); ok && f.kind == refused {
		return f.code
	}
	return ""
}

// rateLimited returns how long to stay away, or 0.
func rateLimited(err error) time.Duration {
	if f, ok := errors.AsType[*failure](err); ok && f.kind == limited {
		return f.after
	}
	return 0
}

// uncertain says whether a call may have had its effect although no answer said so.
func uncertain(err error) bool {
	if f, ok := errors.AsType[*failure](err); ok {
		return f.kind == unclear
	}
	return errors.Is(err, context.DeadlineExceeded)
}

// badContent says whether Slack refused what a message says, not where or by whom it was sent.
func badContent(code string) bool {
	switch code {
	case "invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long", "msg_too_long", "no_text", "block_mismatch":
		return true
	}
	return false
}

// messageGone says whether a message can never be changed again.
func messageGone(code string) bool {
	switch code {
	case "message_not_found", "channel_not_found", "is_inactive", "is_archived", "cant_update_message", "edit_window_closed", "not_in_channel":
		return true
	}
	return false
}

// advice says what the operator can do about a refusal.
func advice(code string) string {
	switch code {
	case "invalid_auth", "not_authed", "account_inactive", "token_revoked", "token_expired":
		return "the bot token is not valid: install the app again and put the new token into the configuration"
	case "invalid_refresh_token":
		return "the refresh token is not good any more: install the app again and put the new one into slack.refresh_token"
	case "invalid_client_id", "bad_client_secret":
		return "slack.client_id and slack.client_secret are not the app's: they stand under \"Basic Information\" of the app"
	case "missing_scope", "no_permission":
		return "the app lacks a scope: add " + scopeWords() + ", then install it again"
	case "channel_not_found":
		return "no such channel, or a private one without the app: check the id, and invite the app with /invite"
	case "not_in_channel":
		return "the app is not in the channel: invite it with /invite"
	case "is_archived", "is_inactive":
		return "the channel is archived: unarchive it or configure another"
	case "restricted_action", "restricted_action_read_only_channel", "restricted_action_thread_only_channel":
		return "the channel does not let the app post: change its posting permissions"
	case "user_not_found", "user_not_visible":
		return "no such user in this workspace: check the id under the queue's reviewers"
	case "no_such_subteam":
		return "no such user group: check the id under the queue's reviewers"
	}
	return "see Slack's documentation of this error"
}
