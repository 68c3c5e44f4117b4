package audit

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"hitl"
)

// key is an item's idempotency key.
type key struct{ source, externalID string }

// row is a record in the forms Postgres takes, made in the caller's goroutine.
type row struct {
	rec      hitl.Record
	callback *hitl.Callback
	id       string
	key      key
	model    modelKey
	text     string
	metadata string
	secret   []byte // the item's erasable key
	textRef  []byte
	scores   string
	triggers string // joined by triggerSeparator
	label    string // the answer, when there is one already
	context  string // of the log entry
}

// triggerSeparator joins triggers, since unnest takes no arrays of arrays. Rules' names hold no line break.
const triggerSeparator = "\n"

// newRow encodes a record. Its errors are the record's fault.
func newRow(rec hitl.Record, callback *hitl.Callback) (row, error) {
	r := row{
		rec: rec, callback: callback, id: rec.Item.ID, key: key{rec.Item.Source, rec.Item.ExternalID},
		model: newModelKey(rec.Prediction.Model, rec.Classifier, rec.Labels), text: rec.Item.Text, label: rec.Label(),
	}
	r.secret = make([]byte, 32)
	_, _ = rand.Read(r.secret) // never fails
	r.textRef = commit(r.secret, rec.Item.Text)
	var err error
	if r.metadata, err = toJSON("metadata", rec.Item.Metadata); err != nil {
		return row{}, err
	}
	if r.scores, err = toJSON("scores", rec.Prediction.Scores); err != nil {
		return row{}, err
	}
	names := make([]string, len(rec.Route.Triggers))
	for i, t := range rec.Route.Triggers {
		names[i] = string(t)
	}
	r.triggers = strings.Join(names, triggerSeparator)
	r.context, err = toJSON("log context", routeContext(rec))
	return r, err
}

// commit returns the log's reference to a text. Without the key it says nothing about the text.
func commit(secret []byte, text string) []byte {
	h := hmac.New(sha256.New, secret)
	h.Write([]byte(text))
	return h.Sum(nil)
}

// commitComment returns the log's reference to a decision's comment, under the same key. No text has the same one: texts, ids and comments
// hold no NUL.
func commitComment(secret []byte, d hitl.Decision) []byte {
	return commit(secret, fmt.Sprintf("comment\x00%s\x00%d\x00%s", d.ReviewID, d.Round, d.Comment))
}

func toJSON(what string, v any) (string, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return "", fmt.Errorf("write %s as JSON: %w", what, err)
	}
	return string(b), nil
}

// routeContext is what the log keeps of how an item came to its route. Nothing in it is the upstream's.
func routeContext(rec hitl.Record) map[string]any {
	c := map[string]any{
		"source": rec.Item.Source, "classifier": rec.Classifier, "threshold": rec.Route.Threshold, "inclusion": rec.Route.Inclusion,
	}
	if len(rec.Route.Triggers) > 0 {
		c["triggers"] = rec.Route.Triggers
	}
	if rec.Prediction.Calibration != "" {
		c["calibration"] = rec.Prediction.Calibration
	}
	if rec.Prediction.Stage != "" {
		c["stage"] = rec.Prediction.Stage
	}
	if rec.Failure != "" {
		c["failure"] = rec.Failure
	}
	if r := rec.Review; r != nil {
		c["review"], c["round"], c["queue"], c["priority"] = r.ID, r.Round, r.Queue, r.Priority
		if r.Order != "" {
			c["order"], c["order_uniform"] = r.Order, r.OrderUniform
		}
		if r.Teaches != nil {
			c["teaches"] = *r.Teaches
		}
	}
	return c
}

func optionalTime(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
