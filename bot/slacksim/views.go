package slacksim

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// Slack's limits on views.
const (
	maxStack = 3
	maxView  = 250_000 // bytes of JSON
)

// State is view.state.values: block_id, then action_id, then the element's state as Slack sends it.
type State = map[string]map[string]map[string]any

// View is a snapshot of a modal or a home tab.
type View struct {
	ID   string `json:"id"`
	User string `json:"user"`
	// Type is modal or home.
	Type            string  `json:"type"`
	CallbackID      string  `json:"callback_id,omitempty"`
	ExternalID      string  `json:"external_id,omitempty"`
	PrivateMetadata string  `json:"private_metadata,omitempty"`
	Hash            string  `json:"hash"`
	Title           string  `json:"title,omitempty"`
	Submit          string  `json:"submit,omitempty"`
	Close           string  `json:"close,omitempty"`
	Blocks          []Block `json:"blocks"`
	// Values is what the user has entered so far.
	Values State `json:"values"`
	// Errors are shown below the inputs, by block_id; under "" stands what is wrong with the whole view.
	Errors map[string]string `json:"errors,omitempty"`
}

// AllText returns every text of the view, one a line.
func (v View) AllText() string {
	return Message{Text: v.Title, Blocks: v.Blocks}.AllText()
}

// Elements returns every interactive element of the view in order.
func (v View) Elements() []Element { return elements(anyBlocks(v.Blocks)) }

// view is the stored form.
type view struct {
	id, user, hash string
	fields         map[string]any // as sent, without blocks
	blocks         json.RawMessage
	root, previous string
	values         State
	errors         map[string]string
	suggested      map[string][]Option // by block_id/action_id
}

func (v *view) str(name string) string { s, _ := v.fields[name].(string); return s }
func (v *view) flag(name string) bool  { b, _ := v.fields[name].(bool); return b }

func (v *view) elements() []Element { return elements(anyBlocks(decodeBlocks(v.blocks))) }

func (v *view) snapshot() View {
	return View{
		ID: v.id, User: v.user, Type: v.str("type"), CallbackID: v.str("callback_id"), ExternalID: v.str("external_id"),
		PrivateMetadata: v.str("private_metadata"), Hash: v.hash, Title: textOf(v.fields["title"]),
		Submit: textOf(v.fields["submit"]), Close: textOf(v.fields["close"]), Blocks: decodeBlocks(v.blocks),
		Values: cloneState(v.values), Errors: maps.Clone(v.errors),
	}
}

func cloneState(s State) State {
	out := State{}
	for block, actions := range s {
		out[block] = maps.Clone(actions)
	}
	return out
}

// readView checks a view argument.
func (s *Sim) readView(a args, types ...string) (*view, error) {
	raw, err := a.value("view")
	if err != nil {
		return nil, refuse("invalid_arguments", problem{text: err.Error(), pointer: "/view"})
	}
	return s.buildView(raw, types...)
}

func (s *Sim) buildView(raw any, types ...string) (*view, error) {
	encoded, err := json.Marshal(raw)
	if err != nil {
		return nil, fmt.Errorf("encode view: %w", err)
	}
	if len(encoded) > maxView {
		return nil, refuse("view_too_large")
	}
	list, problems := checkView(raw, "/view", types...)
	if len(problems) > 0 {
		return nil, refuse("invalid_arguments", problems...)
	}
	fields := maps.Clone(raw.(map[string]any))
	delete(fields, "blocks")
	v := &view{id: s.id("V"), hash: s.newHash(), fields: fields, suggested: map[string][]Option{}}
	v.root = v.id
	v.blocks = s.fillIDs(list)
	v.values = initialValues(v.elements())
	return v, nil
}

func (s *Sim) newHash() string {
	return fmt.Sprintf("%d.%s", s.cfg.Now().Unix(), s.token()[:8])
}

func initialValues(list []Element) State {
	out := State{}
	for _, e := range list {
		if e.stateful() {
			put(out, e, e.initialState())
		}
	}
	return out
}

func put(s State, e Element, state map[string]any) {
	if s[e.BlockID] == nil {
		s[e.BlockID] = map[string]map[string]any{}
	}
	s[e.BlockID][e.ActionID] = state
}

// checkView validates a view and returns its blocks.
func checkView(raw any, at string, types ...string) ([]any, []problem) {
	c := &checker{where: onModal, blockIDs: map[string]bool{}}
	n := c.object(raw, at)
	if n == nil {
		return nil, c.problems
	}
	_, hasType := n.get("type", true)
	if hasType && n.enum("type", true, types...) == "home" {
		c.where = onHome
	}
	if c.where == onModal {
		n.text("title", true, 24, plain)
		n.text("submit", false, 24, plain)
		n.text("close", false, 24, plain)
		n.boolean("clear_on_close")
		n.boolean("notify_on_close")
		n.boolean("submit_disabled")
	}
	for _, name := range []string{"private_metadata", "callback_id", "external_id"} {
		most := 255
		if name == "private_metadata" {
			most = 3000
		}
		if v, ok := n.get(name, false); ok {
			if s, isText := v.(string); !isText {
				n.fail(n.sub(name), "must provide a string")
			} else {
				n.length(n.sub(name), s, 0, most)
			}
		}
	}
	var list []any
	if v, ok := n.get("blocks", true); ok {
		list = c.blocks(v, n.sub("blocks"))
	}
	if c.where == onModal && c.inputs > 0 && n.fields["submit"] == nil {
		n.fail(at, "missing required field: submit")
	}
	n.done()
	return list, c.problems
}

// top returns the modal that the user sees, or nil.
func (s *Sim) top(user string) *view {
	stack := s.views[user]
	if len(stack) == 0 {
		return nil
	}
	return stack[len(stack)-1]
}

// openView finds a view that is on somebody's screen.
func (s *Sim) openView(id string) *view {
	for _, stack := range s.views {
		for _, v := range stack {
			if v.id == id {
				return v
			}
		}
	}
	for _, v := range s.homes {
		if v.id == id {
			return v
		}
	}
	return nil
}

// external finds a view by the app's own id.
func (s *Sim) external(id string) *view {
	if id == "" {
		return nil
	}
	for _, stack := range s.views {
		for _, v := range stack {
			if v.str("external_id") == id {
				return v
			}
		}
	}
	for _, v := range s.homes {
		if v.str("external_id") == id {
			return v
		}
	}
	return nil
}

func (s *Sim) viewsOpen(a args) (map[string]any, error) {
	t, v, err := s.exchange(a)
	if err != nil {
		return nil, err
	}
	t.used = true
	v.user = t.user
	s.views[t.user] = []*view{v}
	return map[string]any{"view": s.viewJSON(v)}, nil
}

func (s *Sim) viewsPush(a args) (map[string]any, error) {
	t, v, err := s.exchange(a)
	if err != nil {
		return nil, err
	}
	if err := s.push(t.user, v); err != nil {
		return nil, err
	}
	t.used = true
	return map[string]any{"view": s.viewJSON(v)}, nil
}

// exchange checks trigger and view; the trigger is used up only when the call succeeds.
func (s *Sim) exchange(a args) (*trigger, *view, error) {
	t, err := s.checkTrigger(a.str("trigger_id"))
	if err != nil {
		return nil, nil, err
	}
	v, err := s.readView(a, "modal")
	if err != nil {
		return nil, nil, err
	}
	if s.external(v.str("external_id")) != nil {
		return nil, nil, slackError("duplicate_external_id")
	}
	return t, v, nil
}

// push puts a view on top of the user's stack.
func (s *Sim) push(user string, v *view) error {
	stack := s.views[user]
	switch {
	case len(stack) == 0:
		return slackError("not_found")
	case len(stack) >= maxStack:
		return refuse("push_limit_reached")
	}
	v.user, v.root, v.previous = user, stack[0].id, stack[len(stack)-1].id
	s.views[user] = append(stack, v)
	return nil
}

func (s *Sim) viewsUpdate(a args) (map[string]any, error) {
	var old *view
	switch {
	case a.has("view_id"):
		old = s.openView(a.str("view_id"))
	case a.has("external_id"):
		old = s.external(a.str("external_id"))
	default:
		return nil, refuse("invalid_arguments", problem{text: "missing required field: view_id or external_id"})
	}
	v, err := s.readView(a, "modal", "home")
	if err != nil {
		return nil, err
	}
	switch {
	case old == nil:
		return nil, slackError("not_found")
	case a.has("hash") && a.str("hash") != old.hash:
		return nil, slackError("hash_conflict")
	case old.str("type") != v.str("type"):
		return nil, refuse("invalid_arguments", problem{text: "a view's type cannot change", pointer: "/view/type"})
	}
	if other := s.external(v.str("external_id")); other != nil && other != old {
		return nil, slackError("duplicate_external_id")
	}
	replaceView(old, v)
	return map[string]any{"view": s.viewJSON(old)}, nil
}

// replaceView gives an open view new contents. What the user entered survives where block_id, action_id and type stay.
func replaceView(old, v *view) {
	for _, e := range v.elements() {
		if was, ok := old.values[e.BlockID][e.ActionID]; ok && e.stateful() && was["type"] == e.Type {
			put(v.values, e, was)
		}
	}
	old.fields, old.blocks, old.values, old.hash = v.fields, v.blocks, v.values, v.hash
	old.errors, old.suggested = nil, v.suggested
}

func (s *Sim) viewsPublish(a args) (map[string]any, error) {
	u, ok := s.users[a.str("user_id")]
	if !ok || u.Bot {
		return nil, slackError("user_not_found")
	}
	v, err := s.readView(a, "home")
	if err != nil {
		return nil, err
	}
	old := s.homes[u.ID]
	if a.has("hash") && (old == nil || old.hash != a.str("hash")) {
		return nil, slackError("hash_conflict")
	}
	if other := s.external(v.str("external_id")); other != nil && other != old {
		return nil, slackError("duplicate_external_id")
	}
	if old != nil {
		replaceView(old, v)
		v = old
	}
	v.user = u.ID
	s.homes[u.ID] = v
	return map[string]any{"view": s.viewJSON(v)}, nil
}

// viewJSON is a view as the Web API and the payloads to the app show it.
func (s *Sim) viewJSON(v *view) map[string]any {
	out := map[string]any{
		"title": nil, "close": nil, "submit": nil, "private_metadata": "", "callback_id": "", "external_id": "",
		"clear_on_close": false, "notify_on_close": false,
	}
	maps.Copy(out, v.fields)
	var previous any
	if v.previous != "" {
		previous = v.previous
	}
	maps.Copy(out, map[string]any{
		"id": v.id, "team_id": s.cfg.Team.ID, "blocks": v.blocks, "hash": v.hash, "root_view_id": v.root,
		"previous_view_id": previous, "app_id": s.cfg.App.ID, "app_installed_team_id": s.installedIn(),
		"bot_id": s.cfg.App.BotID, "state": map[string]any{"values": cloneState(v.values)},
	})
	return out
}

// Views returns the user's open modals, the bottom one first; the user sees the last.
func (s *Sim) Views(user string) []View {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]View, 0, len(s.views[user]))
	for _, v := range s.views[user] {
		out = append(out, v.snapshot())
	}
	return out
}

// Home returns the user's home tab; ok is false when the app published none.
func (s *Sim) Home(user string) (v View, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	h, ok := s.homes[user]
	if !ok {
		return View{}, false
	}
	return h.snapshot(), true
}

// drop takes a view off its user's stack.
func (s *Sim) drop(v *view) {
	s.views[v.user] = slices.DeleteFunc(s.views[v.user], func(x *view) bool { return x == v })
}
