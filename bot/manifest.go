package bot

import (
	"net/url"
	"strings"
)

// Manifest describes the Slack app that a Bot needs; Slack makes the app from it. As JSON it fits both versions of Slack's schema.
// Source: https://docs.slack.dev/reference/app-manifest
type Manifest struct {
	Display  ManifestDisplay  `json:"display_information"`
	Features ManifestFeatures `json:"features"`
	OAuth    ManifestOAuth    `json:"oauth_config"`
	Settings ManifestSettings `json:"settings"`
}

// ManifestDisplay is what people see of the app.
type ManifestDisplay struct {
	Name        string `json:"name"`
	Description string `json:"description"`
}

// ManifestFeatures are the app's home tab, its bot user, its slash command and its shortcut.
type ManifestFeatures struct {
	AppHome       ManifestAppHome    `json:"app_home"`
	BotUser       ManifestBotUser    `json:"bot_user"`
	Shortcuts     []ManifestShortcut `json:"shortcuts,omitempty"`
	SlashCommands []ManifestCommand  `json:"slash_commands"`
}

// ManifestShortcut stands in the menu of every message.
type ManifestShortcut struct {
	Name        string `json:"name"`
	Type        string `json:"type"`
	CallbackID  string `json:"callback_id"`
	Description string `json:"description"`
}

// ManifestAppHome are the tabs of the app.
type ManifestAppHome struct {
	Home             bool `json:"home_tab_enabled"`
	Messages         bool `json:"messages_tab_enabled"`
	MessagesReadOnly bool `json:"messages_tab_read_only_enabled"`
}

// ManifestBotUser is the user that posts the cards.
type ManifestBotUser struct {
	DisplayName  string `json:"display_name"`
	AlwaysOnline bool   `json:"always_online"`
}

// ManifestCommand is a slash command. URL is empty in Socket Mode.
type ManifestCommand struct {
	Command      string `json:"command"`
	URL          string `json:"url,omitempty"`
	Description  string `json:"description"`
	UsageHint    string `json:"usage_hint"`
	ShouldEscape bool   `json:"should_escape"`
}

// ManifestOAuth is what the app may do.
type ManifestOAuth struct {
	Scopes ManifestScopes `json:"scopes"`
}

// ManifestScopes are the scopes of the bot's token; no user's token is asked for.
type ManifestScopes struct {
	Bot []string `json:"bot"`
}

// ManifestSettings is how Slack talks to the app.
type ManifestSettings struct {
	Events        ManifestEvents        `json:"event_subscriptions"`
	Interactivity ManifestInteractivity `json:"interactivity"`
	OrgDeploy     bool                  `json:"org_deploy_enabled"`
	SocketMode    bool                  `json:"socket_mode_enabled"`
	TokenRotation bool                  `json:"token_rotation_enabled"`
}

// ManifestEvents is what the app is told of by itself, and where. The URL is empty in Socket Mode.
type ManifestEvents struct {
	RequestURL string   `json:"request_url,omitempty"`
	Bot        []string `json:"bot_events"`
}

// ManifestInteractivity is where clicks go. The URLs are empty in Socket Mode.
type ManifestInteractivity struct {
	Enabled    bool   `json:"is_enabled"`
	RequestURL string `json:"request_url,omitempty"`
	OptionsURL string `json:"message_menu_options_url,omitempty"`
}

// NewManifest returns the manifest of an app that has what is needed and whose requests reach a service at base, or of one in Socket Mode when base
// is nil.
func NewManifest(base *url.URL, n Needs) Manifest {
	at := func(path string) string {
		if base == nil {
			return ""
		}
		return base.JoinPath(path).String()
	}
	var shortcuts []ManifestShortcut
	if n.Shortcut {
		shortcuts = []ManifestShortcut{{
			Name: "Send to " + appName, Type: "message", CallbackID: shortcutSend, Description: "Has the model, or people, say what kind of message it is",
		}}
	}
	return Manifest{
		Display: ManifestDisplay{Name: appName, Description: "Asks people about what the model is not sure of, and takes their decisions back."},
		Features: ManifestFeatures{
			AppHome:   ManifestAppHome{Home: true, Messages: true, MessagesReadOnly: true},
			BotUser:   ManifestBotUser{DisplayName: appName, AlwaysOnline: true},
			Shortcuts: shortcuts,
			SlashCommands: []ManifestCommand{{
				Command: defaultCommand, URL: at(commandsPath), Description: "What waits for review, and how it goes", UsageHint: usageHint(), ShouldEscape: true, // people are named by their ids
			}},
		},
		OAuth: ManifestOAuth{Scopes: ManifestScopes{Bot: Scopes(n)}},
		Settings: ManifestSettings{
			Events:        ManifestEvents{RequestURL: at(eventsPath), Bot: []string{eventHomeOpened, eventChannels, eventGroups}},
			Interactivity: ManifestInteractivity{Enabled: true, RequestURL: at(interactivityPath), OptionsURL: at(optionsPath)},
			SocketMode:    base == nil,
			TokenRotation: n.TokenRotation,
		},
	}
}

const (
	appName        = "hitl"
	defaultCommand = "/hitl"
)

// usageHint is what Slack shows behind the command while it is typed.
func usageHint() string {
	var hints []string
	for _, c := range commands() {
		hints = append(hints, strings.TrimSpace(c.name+" "+c.args))
	}
	return strings.Join(hints, " | ")
}
