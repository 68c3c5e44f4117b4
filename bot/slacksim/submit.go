package slacksim

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strconv"
)

// The words that Slack's client shows by itself, without asking the app.
const (
	requiredShown = "Please complete this required field."
	troubleShown  = "We had some trouble connecting. Try again?"
)

// Submit is a user filling in the modal on top of their screen and pressing its submit button.
type Submit struct {
	User string `json:"user"`
	// Values are entered first, by block_id and action_id. Inputs that are not named keep what they hold.
	Values map[string]map[string]Input `json:"values,omitempty"`
}

// SetValue enters something into an input of the user's top modal without submitting it, or, when no modal is open, of their home tab.
func (s *Sim) SetValue(user, blockID, actionID string, in Input) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, err := s.screen(user)
	if home := s.homes[user]; err != nil && home != nil {
		v = home
	} else if err != nil {
		return fmt.Errorf("set value: %w", err)
	}
	if err := s.enter(v, blockID, actionID, in); err != nil {
		return fmt.Errorf("set value: %w", err)
	}
	s.hub.changed()
	return nil
}

// screen returns the modal the user sees.
func (s *Sim) screen(user string) (*view, error) {
	if _, err := s.actor(user); err != nil {
		return nil, err
	}
	v := s.top(user)
	if v == nil {
		return nil, fmt.Errorf("user %s has no open modal", user)
	}
	return v, nil
}

func (s *Sim) enter(v *view, blockID, actionID string, in Input) error {
	for _, e := range v.elements() {
		if e.BlockID != blockID || e.ActionID != actionID || !e.stateful() {
			continue
		}
		state, err := e.state(in, v.suggested[blockID+"/"+actionID], s.users)
		if err != nil {
			return err
		}
		put(v.values, e, state)
		return nil
	}
	return fmt.Errorf("view %s has no input with block_id %q and action_id %q", v.id, blockID, actionID)
}

// SubmitView submits the user's top modal. Inputs that the client itself refuses (required ones left empty, texts too
// short or too long) are reported in Outcome.Errors and nothing is sent, as in Slack. Otherwise the app's answer is
// applied: the view closes, shows errors, is updated, another is pushed, or all are cleared.
func (s *Sim) SubmitView(ctx context.Context, sub Submit) (Outcome, error) {
	s.mu.Lock()
	v, err := s.screen(sub.User)
	if err == nil && v.fields["submit"] == nil {
		err = fmt.Errorf("view %s has no submit button", v.id)
	}
	for blockID, actions := range sub.Values {
		for actionID, in := range actions {
			if err == nil {
				err = s.enter(v, blockID, actionID, in)
			}
		}
	}
	if err != nil {
		s.mu.Unlock()
		return Outcome{}, fmt.Errorf("submit view: %w", err)
	}
	if v.errors = missing(v); len(v.errors) > 0 {
		out := Outcome{Errors: v.snapshot().Errors}
		s.mu.Unlock()
		s.hub.changed()
		return out, nil
	}
	payload := s.viewPayload("view_submission", sub.User, v)
	trigger := s.newTrigger(sub.User, v.id)
	payload["trigger_id"], payload["response_urls"] = trigger, []any{}
	s.mu.Unlock()

	r := s.send(ctx, delivery{to: toInteractivity, what: "view_submission", user: sub.User, payload: payload})
	out := outcome(r)
	out.TriggerID = trigger
	s.mu.Lock()
	if r.shown == "" {
		if err := s.applyAnswer(v, r); err != nil {
			out.Error = BadAnswer
			s.refused(ctx, "view_submission", err.Error())
		}
	}
	if out.Error != "" {
		v.errors = map[string]string{"": troubleShown}
	} else {
		out.Errors = v.snapshot().Errors
	}
	s.mu.Unlock()
	s.hub.changed()
	return out, nil
}

// missing does what the client checks before it sends anything.
func missing(v *view) map[string]string {
	out := map[string]string{}
	for _, e := range v.elements() {
		state := v.values[e.BlockID][e.ActionID]
		if e.block["type"] != "input" {
			continue
		}
		if empty(state) {
			if !e.Optional {
				out[e.BlockID] = requiredShown
			}
			continue
		}
		if e.Type != "plain_text_input" {
			continue
		}
		text, _ := state["value"].(string)
		if least := limit(e, "min_length", 0); runes(text) < least {
			out[e.BlockID] = fmt.Sprintf("Must be at least %d characters.", least)
		}
		if most := limit(e, "max_length", 3000); runes(text) > most {
			out[e.BlockID] = fmt.Sprintf("Must be at most %d characters.", most)
		}
	}
	return out
}

func limit(e Element, name string, fallback int) int {
	n, err := strconv.Atoi(fmt.Sprint(e.fields[name]))
	if err != nil {
		return fallback
	}
	return n
}

// applyAnswer does to the stack what the app answered to a view_submission.
func (s *Sim) applyAnswer(v *view, r reply) error {
	body := bytes.TrimSpace(r.body)
	if len(body) == 0 || bytes.Equal(body, []byte("{}")) {
		s.drop(v)
		return nil
	}
	if kind := contentType(r.header); kind != "application/json" {
		return fmt.Errorf("a body of type %q, not application/json", kind)
	}
	var raw any
	if err := decodeJSON(body, &raw); err != nil {
		return err
	}
	fields, _ := raw.(map[string]any)
	switch action := fields["response_action"]; action {
	case "clear":
		delete(s.views, v.user)
	case "errors":
		return s.showErrors(v, fields["errors"])
	case "update", "push":
		next, err := s.buildView(fields["view"], "modal")
		if err != nil {
			return err
		}
		if action == "update" {
			replaceView(v, next)
			return nil
		}
		return s.push(v.user, next)
	default:
		return fmt.Errorf("response_action %v is none of errors, update, push and clear", action)
	}
	return nil
}

// showErrors takes errors for input blocks only; Slack shows a general failure for anything else.
func (s *Sim) showErrors(v *view, raw any) error {
	list, _ := raw.(map[string]any)
	if len(list) == 0 {
		return fmt.Errorf("errors must name at least one block_id")
	}
	var inputs []string
	for _, e := range v.elements() {
		if e.block["type"] == "input" {
			inputs = append(inputs, e.BlockID)
		}
	}
	shown := map[string]string{}
	for id, text := range list {
		said, ok := text.(string)
		switch {
		case !slices.Contains(inputs, id):
			return fmt.Errorf("errors names %q, which is no input block of the view", id)
		case !ok || said == "":
			return fmt.Errorf("the error for %q is no text", id)
		}
		shown[id] = said
	}
	v.errors = shown
	return nil
}

// CloseView dismisses the user's top modal, or with all (the × in its corner) the whole stack; a modal with
// clear_on_close takes the others with it. Each closed view with notify_on_close is reported to the app as view_closed.
// The Outcome is that of the last report.
func (s *Sim) CloseView(ctx context.Context, user string, all bool) (Outcome, error) {
	s.mu.Lock()
	v, err := s.screen(user)
	if err != nil {
		s.mu.Unlock()
		return Outcome{}, fmt.Errorf("close view: %w", err)
	}
	closed := []*view{v}
	cleared := all || v.flag("clear_on_close")
	if cleared {
		closed = slices.Clone(s.views[user])
		slices.Reverse(closed)
	}
	var reports []map[string]any
	for _, c := range closed {
		s.drop(c)
		if c.flag("notify_on_close") {
			payload := s.viewPayload("view_closed", user, c)
			payload["is_cleared"] = cleared
			reports = append(reports, payload)
		}
	}
	s.mu.Unlock()
	s.hub.changed()
	var out Outcome
	for _, payload := range reports {
		out = outcome(s.send(ctx, delivery{to: toInteractivity, what: "view_closed", user: user, payload: payload}))
	}
	return out, nil
}
