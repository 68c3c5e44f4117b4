package ingest

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"hitl"
)

const (
	maxWait       = time.Minute      // of GET /v1/items/{id}?wait=
	submitTimeout = 30 * time.Second // for one item; the classifier has its own, shorter one
)

// submission documents the body of POST /v1/items. It is read by readSubmission, which says more about what is wrong.
type submission struct {
	ID       string         `json:"id,omitempty" maxLength:"256" example:"ticket-4711" doc:"Your own id, the idempotency key: sending the same again returns the stored answer. Without one, each request is a new item."`
	Text     string         `json:"text" minLength:"1" example:"The parcel came broken and nobody answers." doc:"What to classify; at most 1 MiB of UTF-8."`
	Metadata map[string]any `json:"metadata,omitempty" doc:"Anything that rules and reviewers may want to know; at most 64 KiB and 16 levels of JSON. Integers beyond 2^53 are kept as strings."`
	Subject  string         `json:"subject,omitempty" maxLength:"256" doc:"Key of the person the text is about, for erasure."`
	Source   string         `json:"source,omitempty" doc:"Implied by the key; if given, it must be the key's."`
}

// readSubmission makes a submission of a decoded JSON value. at is where the value stands, "body" or "body.items[3]".
func readSubmission(v any, source, at string) (hitl.Submission, *problem) {
	fields, ok := v.(map[string]any)
	if !ok {
		return hitl.Submission{}, invalid(at, "must be an object")
	}
	sub := hitl.Submission{Source: source}
	var errs []fieldError
	given := source
	str := func(name string, into *string, value any) {
		s, ok := value.(string)
		if !ok {
			errs = append(errs, fieldError{at + "." + name, "must be a string"})
		}
		*into = s
	}
	for _, name := range sortedKeys(fields) {
		value := fields[name]
		switch {
		case name == "text":
			str(name, &sub.Text, value)
		case value == nil && slices.Contains([]string{"id", "subject", "source", "metadata"}, name): // as if it were not there
		case name == "id":
			str(name, &sub.ExternalID, value)
		case name == "subject":
			str(name, &sub.Subject, value)
		case name == "source":
			str(name, &given, value)
		case name == "metadata":
			if sub.Metadata, ok = value.(map[string]any); !ok {
				errs = append(errs, fieldError{at + ".metadata", "must be an object"})
			}
		default:
			errs = append(errs, fieldError{at + "." + clip(name), "is not known; known are id, text, metadata, subject and source"})
		}
	}
	if given != source && len(errs) == 0 {
		errs = append(errs, fieldError{at + ".source", "is not the source that the key belongs to; leave it out"})
	}
	return sub, invalidAll(errs)
}

// clip shortens what a client named, before it is repeated.
func clip(s string) string {
	if len(s) > 64 {
		return strings.ToValidUTF8(s[:64], "") + "…"
	}
	return s
}

type postItemInput struct {
	IdempotencyKey string `header:"Idempotency-Key" maxLength:"258" doc:"The item's id, when the body has none."`
}

type itemOutput struct {
	Status            int
	Replayed          string `header:"Idempotent-Replayed" doc:"true when the id was used before: the stored answer."`
	PreferenceApplied string `header:"Preference-Applied"`
	Body              item
}

// postItem is POST /v1/items.
func (a *api) postItem(ctx context.Context, in *postItemInput) (*itemOutput, error) {
	sc := scopeOf(ctx)
	v, err := decodeJSON(sc.body, storedNumber)
	if err != nil {
		return nil, newProblem(codeMalformed, "the body "+err.Error())
	}
	sub, p := readSubmission(v, sc.source, "body")
	if p != nil {
		return nil, p
	}
	if key := unquote(in.IdempotencyKey); key != "" {
		if sub.ExternalID != "" && sub.ExternalID != key {
			return nil, invalid("header.Idempotency-Key", "is not body.id; send one of them")
		}
		sub.ExternalID = key
	}
	return a.submit(ctx, sub, "body")
}

// unquote takes the quotes off a structured header's string: the draft for Idempotency-Key wants them, most clients send none.
func unquote(key string) string {
	if len(key) >= 2 && key[0] == '"' && key[len(key)-1] == '"' && !strings.ContainsAny(key[1:len(key)-1], `"\`) {
		return key[1 : len(key)-1]
	}
	return key
}

// submit takes one submission in and returns once it is committed.
func (a *api) submit(ctx context.Context, sub hitl.Submission, where string) (*itemOutput, error) {
	bounded, cancel := context.WithTimeout(ctx, submitTimeout)
	defer cancel()
	rec, replayed, err := a.Intake.Submit(bounded, sub)
	if err != nil {
		p := submitProblem(err, where)
		a.logProblem(ctx, p)
		return nil, p
	}
	out := &itemOutput{Status: submitStatus(rec), Body: view(rec)}
	if replayed {
		out.Replayed = "true"
	}
	return out, nil
}

type getItemInput struct {
	ID     string `path:"id" doc:"The item's id, itm_…"`
	Wait   string `query:"wait" example:"30s" doc:"Wait up to this long, at most 60s, for the item's answer, then answer with what there is."`
	Prefer string `header:"Prefer" example:"wait=30" doc:"RFC 7240: the same as wait, in seconds."`
}

// getItem is GET /v1/items/{id}.
func (a *api) getItem(ctx context.Context, in *getItemInput) (*itemOutput, error) {
	wait, preferred, p := waitTime(in)
	if p != nil {
		return nil, p
	}
	rec, err := a.own(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	if wait > 0 && !rec.Status().Final() {
		if rec, err = a.wait(ctx, in.ID, wait); err != nil {
			return nil, err
		}
	}
	out := &itemOutput{Status: http.StatusOK, Body: view(rec)}
	if preferred {
		out.PreferenceApplied = "wait=" + strconv.Itoa(int(wait/time.Second))
	}
	return out, nil
}

// waitTime reads how long to wait: "30s" or "30" in the query, or a Prefer header, which is a wish and never wrong.
func waitTime(in *getItemInput) (wait time.Duration, preferred bool, p *problem) {
	if in.Wait != "" {
		d, err := time.ParseDuration(in.Wait)
		if seconds, errInt := strconv.Atoi(in.Wait); errInt == nil && seconds >= 0 && seconds <= 3600 {
			d, err = time.Duration(seconds)*time.Second, nil
		}
		if err != nil || d < 0 || d > maxWait {
			return 0, false, invalid("query.wait", fmt.Sprintf("must be a duration between 0s and %s, like 30s", maxWait/time.Second*time.Second))
		}
		return d, false, nil
	}
	for preference := range strings.SplitSeq(in.Prefer, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(preference), "=")
		seconds, err := strconv.Atoi(strings.Trim(value, `"`))
		if strings.EqualFold(name, "wait") && err == nil && seconds > 0 {
			return min(time.Duration(min(seconds, 3600))*time.Second, maxWait), true, nil
		}
	}
	return 0, false, nil
}

// wait returns an item's record when it has its answer, when the time is up, or when the server shuts down: the latest in any case.
// When too many wait already, it does not.
func (a *api) wait(ctx context.Context, id string, wait time.Duration) (hitl.Record, error) {
	select {
	case a.waiters <- struct{}{}:
		defer func() { <-a.waiters }()
	default:
		wait = 0
	}
	scopeOf(ctx).clearReadDeadline()
	bounded, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	defer context.AfterFunc(shutdownOf(ctx), cancel)()
	rec, err := a.Records.Wait(bounded, id)
	if err != nil && bounded.Err() != nil && ctx.Err() == nil {
		rec, err = a.Records.Item(ctx, id)
	}
	if err != nil {
		return rec, a.readError(ctx, err)
	}
	return rec, nil
}

// own returns an item of the caller's; an admin's are all. Whose it is else is nobody's business.
func (a *api) own(ctx context.Context, id string) (hitl.Record, error) {
	if !isID(id) {
		return hitl.Record{}, newProblem(codeNotFound, "")
	}
	rec, err := a.Records.Item(ctx, id)
	if err != nil {
		return rec, a.readError(ctx, err)
	}
	if key := scopeOf(ctx).key; rec.Item.Source != key.Source && !key.May(hitl.RightAdmin) {
		return hitl.Record{}, newProblem(codeNotFound, "")
	}
	return rec, nil
}

// isID says whether a path element could be an item's id, so that what no store can hold is not looked up.
func isID(id string) bool {
	return strings.HasPrefix(id, "itm_") && len(id) <= 64 && !strings.ContainsFunc(id, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '_'
	})
}

func (a *api) readError(ctx context.Context, err error) error {
	p := readProblem(err)
	a.logProblem(ctx, p)
	return p
}

type getLogInput struct {
	ID string `path:"id" doc:"The item's id, itm_…"`
}

type logOutput struct {
	Body itemLog
}

// itemLog is what the log holds of one item.
type itemLog struct {
	Entries []hitl.Entry  `json:"entries" nullable:"false" doc:"Oldest first."`
	Proof   hitl.LogProof `json:"proof" doc:"That they are in the log of a signed checkpoint. The newest entries may have to wait for the next one; hitl verify --proof checks it."`
}

// getLog is GET /v1/items/{id}/log.
func (a *api) getLog(ctx context.Context, in *getLogInput) (*logOutput, error) {
	if _, err := a.own(ctx, in.ID); err != nil {
		return nil, err
	}
	entries, err := a.Records.Log(ctx, in.ID)
	if err != nil {
		return nil, a.readError(ctx, err)
	}
	if entries == nil {
		entries = []hitl.Entry{}
	}
	proof, err := a.Records.Prove(ctx, in.ID)
	if err != nil {
		return nil, a.readError(ctx, err)
	}
	return &logOutput{itemLog{entries, proof}}, nil
}
