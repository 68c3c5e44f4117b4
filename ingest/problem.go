package ingest

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"hitl"
)

// code names a kind of problem. Codes never change their meaning; clients may switch on them.
type code string

const (
	codeMalformed        code = "malformed_json"
	codeUnauthorized     code = "unauthorized"
	codeForbidden        code = "forbidden"
	codeNotFound         code = "not_found"
	codeMethodNotAllowed code = "method_not_allowed"
	codeReadTimeout      code = "read_timeout"
	codeConflict         code = "conflict"
	codeTooLarge         code = "too_large"
	codeUnsupported      code = "unsupported_media_type"
	codeInvalid          code = "invalid"
	codeUnmappable       code = "unmappable"
	codeBusy             code = "busy"
	codeRateLimited      code = "rate_limited"
	codeInternal         code = "internal"
	codeBacklog          code = "backlog"
	codeUnavailable      code = "unavailable"
	codeOutcomeUnknown   code = "outcome_unknown"
	codeNotReady         code = "not_ready"
)

// kind is what a code stands for.
type kind struct {
	code   code
	status int
	title  string
	// retryAfter is sent as Retry-After, in seconds: a full batch of the model is through in one, a review backlog takes minutes.
	retryAfter int
}

// kinds returns every kind of problem, by status.
func kinds() []kind {
	return []kind{
		{codeMalformed, http.StatusBadRequest, "The body is not JSON", 0},
		{codeUnauthorized, http.StatusUnauthorized, "The request is not authenticated", 0},
		{codeForbidden, http.StatusForbidden, "The key may not do that", 0},
		{codeNotFound, http.StatusNotFound, "There is no such thing", 0},
		{codeMethodNotAllowed, http.StatusMethodNotAllowed, "The method is not allowed here", 0},
		{codeReadTimeout, http.StatusRequestTimeout, "The body did not arrive in time", 0},
		{codeConflict, http.StatusConflict, "The id was used before with another body", 0},
		{codeTooLarge, http.StatusRequestEntityTooLarge, "The body is too large", 0},
		{codeUnsupported, http.StatusUnsupportedMediaType, "The body's type or encoding is not supported", 0},
		{codeInvalid, http.StatusUnprocessableEntity, "The request is invalid", 0},
		{codeUnmappable, http.StatusUnprocessableEntity, "The payload cannot be mapped to an item", 0},
		{codeBusy, http.StatusTooManyRequests, "The classifier is busy; nothing was recorded", 1},
		{codeRateLimited, http.StatusTooManyRequests, "The source sends more than it may; nothing was recorded", 1},
		{codeInternal, http.StatusInternalServerError, "Something went wrong here", 0},
		{codeBacklog, http.StatusServiceUnavailable, "Too many reviews wait already; nothing was recorded", 60},
		{codeUnavailable, http.StatusServiceUnavailable, "The service is unavailable; nothing was recorded", 5},
		{codeOutcomeUnknown, http.StatusServiceUnavailable, "Whether the item was recorded is not known; send it again with the same id", 2},
		{codeNotReady, http.StatusServiceUnavailable, "The service is not ready", 0},
	}
}

// problem is an RFC 9457 problem document, and the error that huma answers with it.
type problem struct {
	Type       string       `json:"type" doc:"Stable URI of the kind of problem."`
	Title      string       `json:"title" doc:"What this kind of problem is."`
	Status     int          `json:"status" doc:"HTTP status."`
	Code       code         `json:"code" doc:"Stable name of the kind of problem; switch on this."`
	Detail     string       `json:"detail,omitempty" doc:"What happened this time."`
	Errors     []fieldError `json:"errors,omitempty" nullable:"false" doc:"Each thing that is wrong, and where."`
	RetryAfter int          `json:"retry_after,omitempty" doc:"Seconds to wait before trying again; also in Retry-After."`

	header http.Header
	cause  error // for the log, never shown
}

// fieldError says what is wrong with one part of a request.
type fieldError struct {
	Location string `json:"location" example:"body.text" doc:"Which part: body.text, query.wait, hook.id."`
	Message  string `json:"message" doc:"What is wrong with it."`
}

func newProblem(c code, detail string, errs ...fieldError) *problem {
	for _, k := range kinds() {
		if k.code == c {
			return &problem{
				Type: "urn:hitl:problem:" + string(c), Title: k.title, Status: k.status, Code: c, Detail: detail, Errors: errs,
				RetryAfter: k.retryAfter,
			}
		}
	}
	return newProblem(codeInternal, "")
}

// Error implements error.
func (p *problem) Error() string { return p.Title + ": " + p.Detail }

// Unwrap returns the cause.
func (p *problem) Unwrap() error { return p.cause }

// GetStatus implements huma.StatusError.
func (p *problem) GetStatus() int { return p.Status }

// ContentType implements huma.ContentTypeFilter.
func (p *problem) ContentType(string) string { return "application/problem+json" }

// GetHeaders implements huma.HeadersError.
func (p *problem) GetHeaders() http.Header {
	h := http.Header{}
	maps.Copy(h, p.header)
	if p.RetryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(p.RetryAfter))
	}
	return h
}

// write answers with the problem where huma is not in charge.
func (p *problem) write(w http.ResponseWriter) {
	maps.Copy(w.Header(), p.GetHeaders())
	w.Header().Set("Content-Type", p.ContentType(""))
	w.WriteHeader(p.Status)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(p) // the status is out; a client that is gone cannot be told more
}

func unauthorized(detail string) *problem {
	p := newProblem(codeUnauthorized, detail)
	p.header = http.Header{"Www-Authenticate": {`Bearer realm="hitl"`}}
	return p
}

func invalid(location, message string) *problem {
	return newProblem(codeInvalid, location+" "+message, fieldError{location, message})
}

// invalidAll is nil when there is nothing wrong.
func invalidAll(errs []fieldError) *problem {
	if len(errs) == 0 {
		return nil
	}
	said := make([]string, len(errs))
	for i, e := range errs {
		said[i] = e.Location + " " + e.Message
	}
	return newProblem(codeInvalid, strings.Join(said, "; "), errs...)
}

// readProblem makes a problem of what went wrong while nothing was to be written.
func readProblem(err error) *problem {
	if p := knownProblem(err, "path"); p != nil {
		return p
	}
	p := newProblem(codeInternal, "")
	p.cause = err
	return p
}

// submitProblem makes a problem of what Submit returned; where is the part of the request that the fields are in, "body" or
// "hook". What is not known means that the commit may have happened.
func submitProblem(err error, where string) *problem {
	if p := knownProblem(err, where); p != nil {
		return p
	}
	p := newProblem(codeOutcomeUnknown, "")
	p.cause = err
	return p
}

// knownProblem turns hitl's errors into problems: the only place that knows which is which. Nil for any other error.
func knownProblem(err error, where string) *problem {
	var p *problem
	var bad *hitl.InvalidError
	switch {
	case errors.As(err, &p):
		return p
	case errors.As(err, &bad):
		return invalid(where+"."+bad.Field, bad.Reason)
	case errors.Is(err, hitl.ErrConflict):
		p = newProblem(codeConflict, hitl.ErrConflict.Error())
	case errors.Is(err, hitl.ErrNotFound):
		p = newProblem(codeNotFound, "")
	case errors.Is(err, hitl.ErrBusy):
		p = newProblem(codeBusy, hitl.ErrBusy.Error())
	case errors.Is(err, hitl.ErrBacklog):
		p = newProblem(codeBacklog, hitl.ErrBacklog.Error())
	case errors.Is(err, hitl.ErrUnavailable):
		p = newProblem(codeUnavailable, hitl.ErrUnavailable.Error())
	default:
		return nil
	}
	p.cause = err
	var wish *hitl.RetryError
	if errors.As(err, &wish) && wish.After > 0 && p.RetryAfter > 0 {
		p.RetryAfter = int((min(wish.After, time.Hour) + time.Second - 1) / time.Second)
	}
	return p
}

// ownProblems is the huma.Transformer that replaces huma's own error documents, which repeat the values sent to us, by ours.
func ownProblems(_ huma.Context, _ string, v any) (any, error) {
	theirs, ok := v.(*huma.ErrorModel)
	if !ok {
		return v, nil
	}
	c := codeInternal
	switch theirs.Status {
	case http.StatusUnprocessableEntity:
		c = codeInvalid
	case http.StatusBadRequest:
		c = codeMalformed
	}
	var errs []fieldError
	if c != codeInternal {
		for _, e := range theirs.Errors {
			if e != nil {
				errs = append(errs, fieldError{e.Location, e.Message})
			}
		}
	}
	p := newProblem(c, "", errs...)
	p.Status = theirs.Status
	return p, nil
}

// logProblem logs what a problem does not tell: the cause of everything that is our fault.
func (a *api) logProblem(ctx context.Context, p *problem) {
	if p.cause == nil || p.Status < http.StatusInternalServerError || ctx.Err() != nil {
		return
	}
	a.Logger.ErrorContext(ctx, "request failed", "code", string(p.Code), "request", scopeOf(ctx).requestID, "source", scopeOf(ctx).source,
		"error", p.cause)
}
