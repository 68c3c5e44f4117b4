package bot

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/slack-go/slack"

	"hitl"
	"hitl/bot/slacksim"
)

func serviceAt(t *testing.T, where string) *url.URL {
	t.Helper()
	u, err := url.Parse(where)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// rule is what Slack's schema asks of a text.
type rule struct {
	least, most int // characters
	pattern     string
}

// manifestRules are all texts that our manifest may hold, with what both versions of Slack's schema say of them. The schema itself,
// https://github.com/slackapi/manifest-schema, comes without a licence and so cannot stand here.
var manifestRules = map[string]rule{
	"/display_information/name":                         {1, 35, ""},
	"/display_information/description":                  {1, 140, ""},
	"/features/app_home/home_tab_enabled":               {},
	"/features/app_home/messages_tab_enabled":           {},
	"/features/app_home/messages_tab_read_only_enabled": {},
	"/features/bot_user/display_name":                   {1, 80, ""},
	"/features/bot_user/always_online":                  {},
	"/features/shortcuts/name":                          {1, 24, ""},
	"/features/shortcuts/type":                          {1, 10, "^message$"},
	"/features/shortcuts/callback_id":                   {1, 255, ""},
	"/features/shortcuts/description":                   {1, 150, ""},
	"/features/slash_commands/command":                  {2, 32, `^/`},
	"/features/slash_commands/url":                      {1, 3000, `^https://`},
	"/features/slash_commands/description":              {1, 2000, ""},
	"/features/slash_commands/usage_hint":               {1, 1000, ""},
	"/features/slash_commands/should_escape":            {},
	"/oauth_config/scopes/bot":                          {1, 50, ""},
	"/settings/event_subscriptions/request_url":         {1, 3500, `^https://`},
	"/settings/event_subscriptions/bot_events":          {1, 100, ""},
	"/settings/interactivity/is_enabled":                {},
	"/settings/interactivity/request_url":               {1, 3500, `^https://`},
	"/settings/interactivity/message_menu_options_url":  {1, 3500, `^https://`},
	"/settings/org_deploy_enabled":                      {},
	"/settings/socket_mode_enabled":                     {},
	"/settings/token_rotation_enabled":                  {},
}

// leaves gives every value of a JSON document its path; elements of a list share the list's.
func leaves(path string, v any, to map[string][]any) {
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			leaves(path+"/"+k, e, to)
		}
	case []any:
		for _, e := range v {
			leaves(path, e, to)
		}
	default:
		to[path] = append(to[path], v)
	}
}

func TestManifestKeepsSlacksRules(t *testing.T) {
	t.Parallel()
	for name, base := range map[string]*url.URL{"socket": nil, "http": serviceAt(t, "https://hitl.example.org")} {
		raw, err := json.Marshal(NewManifest(base, Needs{Shortcut: true}))
		if err != nil {
			t.Fatal(err)
		}
		var document any
		if err := json.Unmarshal(raw, &document); err != nil {
			t.Fatal(err)
		}
		found := map[string][]any{}
		leaves("", document, found)
		for path, values := range found {
			r, known := manifestRules[path]
			if !known {
				t.Errorf("%s: %s is not in Slack's schema, or its rule not here", name, path)
			}
			for _, v := range values {
				text, isText := v.(string)
				if _, isBool := v.(bool); isBool != (r.most == 0) || isText == isBool {
					t.Errorf("%s: %s is %v", name, path, v)
				}
				if n := utf8.RuneCountInString(text); isText && (n < r.least || n > r.most || !regexp.MustCompile(r.pattern).MatchString(text)) {
					t.Errorf("%s: %s: %q breaks %+v", name, path, text, r)
				}
			}
		}
		for path := range manifestRules {
			if _, ok := found[path]; !ok && (base != nil || !strings.HasSuffix(path, "url")) {
				t.Errorf("%s: %s is missing", name, path)
			}
		}
	}
}

// What the manifest tells Slack is what the handler serves, wherever the service stands.
func TestManifestNamesTheRoutes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	m := NewManifest(serviceAt(t, "https://hitl.example.org/behind/"), Needs{Shortcut: true})
	want := []string{
		"https://hitl.example.org/behind/slack/commands", "https://hitl.example.org/behind/slack/interactivity", "https://hitl.example.org/behind/slack/options",
		"https://hitl.example.org/behind/slack/events",
	}
	got := []string{m.Features.SlashCommands[0].URL, m.Settings.Interactivity.RequestURL, m.Settings.Interactivity.OptionsURL, m.Settings.Events.RequestURL}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if c := m.Features.SlashCommands[0].Command; c != w.bot.cfg.Command {
		t.Errorf("command %s, the bot's is %s", c, w.bot.cfg.Command)
	}
	for _, where := range append(got, "https://hitl.example.org/behind/slack/nothing") {
		_, path, _ := strings.Cut(where, "/behind")
		rec := httptest.NewRecorder()
		w.bot.Handler().ServeHTTP(rec, httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, strings.NewReader("ssl_check=1")))
		if served := rec.Code == http.StatusOK; served == strings.HasSuffix(where, "nothing") {
			t.Errorf("%s: %d", path, rec.Code)
		}
	}
	socket := NewManifest(nil, Needs{})
	if !socket.Settings.SocketMode || m.Settings.SocketMode || socket.Features.SlashCommands[0].URL+socket.Settings.Interactivity.RequestURL+socket.Settings.Interactivity.OptionsURL+socket.Settings.Events.RequestURL != "" {
		t.Errorf("socket mode: %+v", socket)
	}
}

// everyCall makes each call of the Web API that the bot can make, with arguments that Slack takes, and returns Slack's refusals.
func everyCall(t *testing.T, w *world) (refusals []string) {
	t.Helper()
	a, ctx := w.bot.api, t.Context()
	note := func(err error) {
		if err != nil {
			refusals = append(refusals, refusal(err))
		}
	}
	m := message{Text: "text"}
	for _, channel := range []string{"C0REVIEW", "C0PRIVATE"} {
		_, ts, err := a.post(ctx, hitl.Card{ID: "crd_1", Channel: channel}, m)
		note(err)
		note(a.update(ctx, channel, ts, m))
		_, err = a.history(ctx, &slack.GetConversationHistoryParameters{ChannelID: channel, Limit: 1})
		note(err)
		note(a.postEphemeral(ctx, channel, ana, m))
		note(a.remove(ctx, channel, ts))
		_, _, err = a.channelMembers(ctx, channel)
		note(err)
	}
	_, err := a.authTest(ctx)
	note(err)
	_, err = a.groupMembers(ctx, "S0REVIEWERS", "")
	note(err)
	_, err = a.user(ctx, ana)
	note(err)
	out, err := w.sim.Command(ctx, ana, "C0REVIEW", "/hitl", "help")
	if err != nil {
		t.Fatal(err)
	}
	if out.Error != "" {
		return append(refusals, out.Error)
	}
	view := slack.ModalViewRequest{Type: slack.VTModal, Title: plain("title"), Blocks: slack.Blocks{BlockSet: []slack.Block{section("text")}}}
	id, err := a.openView(ctx, out.TriggerID, view)
	note(err)
	note(a.updateView(ctx, id, "", view))
	note(a.publishHome(ctx, ana, slack.HomeTabViewRequest{Type: slack.VTHomeTab, Blocks: view.Blocks}))
	direct, err := a.conversationWith(ctx, ana)
	note(err)
	_, err = w.bot.mine(ctx, direct, noticeType, time.Now(), func(slack.Message) bool { return true })
	note(err)
	return refusals
}

// The scopes suffice for every call, and there is none that no call needs.
func TestScopesAreThoseOfTheCalls(t *testing.T) {
	t.Parallel()
	private := func(s *setup) {
		cfg := slacksim.DemoWorkspace()
		s.sim.Users, s.sim.Groups = cfg.Users, cfg.Groups
		s.sim.Channels = slices.Concat(cfg.Channels, []slacksim.Channel{{ID: "C0PRIVATE", Name: "private", Private: true, Members: []string{ana, "U0HITL"}}})
	}
	w := newWorld(t, private, func(s *setup) { s.sim.Scopes = Scopes(Needs{ChannelMembers: true}) })
	if refused := everyCall(t, w); len(refused) > 0 {
		t.Errorf("with all scopes: %v", refused)
	}
	w.clean()
	called := map[string]bool{}
	for _, c := range w.sim.Calls("") {
		called[c.Method] = true
	}
	delete(called, "response_url") // is no method of the Web API
	// Whoever lets the bot call another method adds it to everyCall.
	for _, method := range []string{
		"auth.test", "chat.delete", "chat.postEphemeral", "chat.postMessage", "chat.update", "conversations.history", "conversations.members", "conversations.open", "usergroups.users.list",
		"users.info", "views.open", "views.publish", "views.update",
	} {
		if !called[method] {
			t.Errorf("%s is not called", method)
		}
		delete(called, method)
	}
	if len(called) > 0 {
		t.Errorf("called too: %v", called)
	}
	for i, name := range Scopes(Needs{ChannelMembers: true}) {
		w := newWorld(t, private, func(s *setup) { s.sim.Scopes = slices.Delete(Scopes(Needs{ChannelMembers: true}), i, i+1) })
		if refused := everyCall(t, w); !slices.Contains(refused, "missing_scope") && !slices.Contains(refused, "unknown_command") {
			t.Errorf("no call needs %s: %v", name, refused)
		}
	}
}

// What Slack says about a token without a scope.
func TestMissingScope(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *setup) { s.sim.Scopes = []string{"chat:write"} })
	if _, err := w.bot.api.user(context.Background(), ana); refusal(err) != "missing_scope" || !strings.Contains(advice(refusal(err)), "users:read") {
		t.Errorf("%v; %s", err, advice(refusal(err)))
	}
}
