package client

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Error is an answer of the service that is no success: a problem document (RFC 9457), or what something on the way said in its place, which has no
// Code.
type Error struct {
	Status     int           // of HTTP
	Code       string        // stable name of the kind of problem, like "rate_limited"; compare with errors.Is and the sentinels
	Title      string        // what this kind of problem is
	Detail     string        // what happened this time
	Fields     []FieldError  // each thing that is wrong with the request, and where
	RetryAfter time.Duration // how long the service asked to wait; 0: it did not say
	RequestID  string        // what the service's own log calls the request
}

// FieldError says what is wrong with one part of a request.
type FieldError struct {
	Location string `json:"location"` // "body.text", "query.wait"
	Message  string `json:"message"`
}

// The kinds of problems, for errors.Is. They never change their meaning.
var (
	ErrUnauthorized   = &Error{Code: "unauthorized"}    // the key is not known
	ErrForbidden      = &Error{Code: "forbidden"}       // the key may not do that
	ErrNotFound       = &Error{Code: "not_found"}       // there is no such item, or it is another source's
	ErrConflict       = &Error{Code: "conflict"}        // the id was used before with another text, metadata or subject
	ErrTooLarge       = &Error{Code: "too_large"}       // the text or the metadata is too large
	ErrInvalid        = &Error{Code: "invalid"}         // see Error.Fields
	ErrBusy           = &Error{Code: "busy"}            // the classifier is busy; nothing was recorded
	ErrRateLimited    = &Error{Code: "rate_limited"}    // the source sends more than it may; nothing was recorded
	ErrBacklog        = &Error{Code: "backlog"}         // too many reviews wait already; nothing was recorded
	ErrUnavailable    = &Error{Code: "unavailable"}     // the service is unavailable; nothing was recorded
	ErrOutcomeUnknown = &Error{Code: "outcome_unknown"} // whether the item was recorded is not known: send it again with the same id
	ErrInternal       = &Error{Code: "internal"}        // something went wrong in the service; its log has the request id
)

// Error implements error.
func (e *Error) Error() string {
	said := []string{"hitl answered " + strconv.Itoa(e.Status)}
	for _, s := range []string{e.Code, e.Title, e.Detail} {
		if s != "" {
			said = append(said, s)
		}
	}
	if e.RequestID != "" {
		said = append(said, "request "+e.RequestID)
	}
	return strings.Join(said, ": ")
}

// Is compares codes, so that errors.Is(err, ErrConflict) holds for every conflict.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Code != "" && t.Code == e.Code
}

// temporary says whether the same request may succeed later.
func (e *Error) temporary() bool {
	switch e.Status {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

// problem is the document of an Error.
type problem struct {
	Type       string       `json:"type"`
	Title      string       `json:"title"`
	Status     int          `json:"status"`
	Code       string       `json:"code"`
	Detail     string       `json:"detail"`
	Errors     []FieldError `json:"errors"`
	RetryAfter int          `json:"retry_after"` // seconds
}

func newError(status int, header http.Header, body []byte, now time.Time) *Error {
	e := &Error{Status: status, RequestID: header.Get("X-Request-Id"), RetryAfter: retryAfter(header.Get("Retry-After"), now)}
	var p problem
	if err := json.Unmarshal(body, &p); err != nil || p.Code == "" {
		e.Title = fmt.Sprintf("%s, and not by hitl itself: %.200q", http.StatusText(status), body)
		return e
	}
	e.Code, e.Title, e.Detail, e.Fields = p.Code, p.Title, p.Detail, p.Errors
	if e.RetryAfter == 0 {
		e.RetryAfter = time.Duration(p.RetryAfter) * time.Second
	}
	return e
}

// retryAfter reads the header: seconds or a date (RFC 9110, 10.2.3).
func retryAfter(value string, now time.Time) time.Duration {
	if seconds, err := strconv.Atoi(value); err == nil {
		return time.Duration(min(max(seconds, 0), 24*60*60)) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(at.Sub(now), 0)
	}
	return 0
}
