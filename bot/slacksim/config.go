package slacksim

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"
)

// RateMode says whether the simulator enforces Slack's rate limits.
type RateMode int

const (
	// RatesStrict answers 429 with a whole-second Retry-After as Slack does. It is the zero value and so the default.
	RatesStrict RateMode = iota
	// RatesOff never answers 429 by itself (faults still do): for functional tests that must be fast.
	RatesOff
)

// Config describes one workspace. The zero value is a usable one: see [DemoWorkspace] for the people and channels in it.
type Config struct {
	// Team is the workspace. Default: T0SLACKSIM, "Slack simulator", domain "slacksim".
	Team Team
	// Enterprise is the organisation that the workspace belongs to. Default: none; [DemoEnterprise] has one.
	Enterprise Enterprise
	// App is the installed app with its bot user. Default: A0HITL, "hitl", bot user U0HITL, bot B0HITL.
	App App
	// Token is the bot token that the Web API accepts. Default: "xoxb-slacksim", or "xoxe.xoxb-1-slacksim" when tokens expire.
	Token string
	// TokenLifetime turns token rotation on: bot tokens live so long by Now, and oauth.v2.access gives out new ones. Slack's is 12 h.
	// Default: they never expire.
	TokenLifetime time.Duration
	// RefreshToken is the refresh token that the app was installed with, when tokens expire. Default: "xoxe-1-slacksim".
	RefreshToken string
	// ClientID and ClientSecret are the app's in oauth.v2.access. Default: "0.0" and "slacksim-client-secret".
	ClientID, ClientSecret string
	// Scopes are what the token may do; [Sim.SetScopes] changes them. Default: everything that is simulated.
	Scopes []string
	// AppToken is the only app-level token that apps.connections.open accepts. Default: "xapp-slacksim".
	AppToken string
	// SocketMode turns Socket Mode on: everything goes to the app over its connections, nothing to Endpoints. [Sim.SetSocketMode] changes
	// it later.
	SocketMode bool
	// SocketGrace is how long a connection lives on after it was told to leave, in real time. Default: 10 s, which is about Slack's.
	SocketGrace time.Duration
	// SigningSecret signs everything sent to the app. Default: "slacksim-signing-secret".
	SigningSecret string

	// Users, Groups and Channels fill the workspace. When Users and Channels are both empty, all three are
	// those of [DemoWorkspace].
	Users    []User
	Groups   []Group
	Channels []Channel

	// Commands lists the slash commands that are registered, with their slash. Default: every command reaches the app.
	Commands []string
	// Shortcuts are the app's message shortcuts and global shortcuts. Default: none.
	Shortcuts []Shortcut
	// Events lists the bot events that the app is subscribed to: [AllEvents], or some of them. Events for which it lacks the scope do not
	// come, and over HTTP none does while Endpoints.Events is empty. [Sim.Subscribe] changes them. Default (nil): app_home_opened.
	Events []string
	// EventRetries are the waits, in real time, before an event that the app did not take is sent again. Default: none, 1 min and 5 min,
	// which are Slack's. Empty but not nil: it is never sent again.
	EventRetries []time.Duration
	// Endpoints are the app's URLs. They may be set later with [Sim.SetEndpoints].
	Endpoints Endpoints
	// BaseURL is where the simulator itself is reached, without a trailing slash; response_urls begin with it. When
	// empty it is learned from the Host header of the requests that arrive, or set with [Sim.SetBaseURL].
	BaseURL string

	// Rates is strict unless set to RatesOff.
	Rates RateMode
	// Now is the clock behind message timestamps, rates, trigger and response_url expiry, and request signatures.
	// Default: time.Now. It must be safe for concurrent use.
	Now func() time.Time
	// AnswerWithin is how long the app may take to answer, measured in real time. Default: 3 s, which is Slack's.
	AnswerWithin time.Duration
	// Client sends requests to the app. Default: a client of its own that follows no redirects.
	Client *http.Client
	// Logger receives one line for each refused call and each delivery that failed. Default: discard.
	Logger *slog.Logger
}

// Team is a workspace.
type Team struct {
	ID     string `json:"id"`
	Name   string `json:"name"`
	Domain string `json:"domain"`
}

// App is the app under test and its bot user.
type App struct {
	ID        string `json:"id"`
	Name      string `json:"name"`
	BotID     string `json:"bot_id"`
	BotUserID string `json:"bot_user_id"`
}

// User is a member of the workspace, or a guest from another one.
type User struct {
	// ID begins with U or W.
	ID string `json:"id"`
	// Name is the handle without @, RealName what people see.
	Name     string `json:"name"`
	RealName string `json:"real_name"`
	Email    string `json:"email,omitempty"`
	// TimeZone is an IANA name. Default: "Etc/UTC".
	TimeZone string `json:"tz,omitempty"`
	// Locale is an IETF language code, which users.info tells with include_locale. Default: "en-US".
	Locale string `json:"locale,omitempty"`
	// Deactivated users cannot act and are refused by conversations.open.
	Deactivated bool `json:"deactivated,omitempty"`
	// TeamID is set for a stranger: somebody of another workspace in a shared channel.
	TeamID string `json:"team_id,omitempty"`
	// Guest marks a guest, who sees some channels only.
	Guest bool `json:"guest,omitempty"`
	// Bot marks bot users. The app's own bot user is added by itself.
	Bot bool `json:"bot,omitempty"`
}

// Group is a user group.
type Group struct {
	// ID begins with S.
	ID       string   `json:"id"`
	Handle   string   `json:"handle"`
	Name     string   `json:"name"`
	Members  []string `json:"members"`
	Disabled bool     `json:"disabled,omitempty"`
}

// Channel is a public or private channel. Direct messages come into being by conversations.open.
type Channel struct {
	// ID begins with C (or G for old private channels).
	ID   string `json:"id"`
	Name string `json:"name"`
	// Topic is shown in the channel's header.
	Topic    string `json:"topic,omitempty"`
	Private  bool   `json:"private,omitempty"`
	Archived bool   `json:"archived,omitempty"`
	// Members are user ids; list the app's bot user to let it post.
	Members []string `json:"members"`
}

// Endpoints are the app's request URLs, as they stand in a Slack app's settings.
type Endpoints struct {
	// Interactivity receives block_actions, view_submission and view_closed.
	Interactivity string `json:"interactivity,omitempty"`
	// Options receives block_suggestion. Default: Interactivity.
	Options string `json:"options,omitempty"`
	// Commands receives slash commands.
	Commands string `json:"commands,omitempty"`
	// Events receives the Events API's requests.
	Events string `json:"events,omitempty"`
}

// DemoWorkspace returns the people and places of the default workspace: Ana, Ben and Chloe (U0ANA, U0BEN, U0CHLOE),
// the deactivated Dan (U0DAN), the stranger Eve of another workspace (U0EVE), the group @reviewers (S0REVIEWERS: Ana
// and Ben), and the channels #review (C0REVIEW, everyone and the bot), #escalations (C0ESCALATE, Ana, Ben and the
// bot) and #general (C0GENERAL, without the bot).
func DemoWorkspace() Config {
	return Config{
		Users: []User{
			{ID: "U0ANA", Name: "ana", RealName: "Ana Ruiz", Email: "ana@example.com"},
			{ID: "U0BEN", Name: "ben", RealName: "Ben Okafor", Email: "ben@example.com"},
			{ID: "U0CHLOE", Name: "chloe", RealName: "Chloe Park", Email: "chloe@example.com"},
			{ID: "U0DAN", Name: "dan", RealName: "Dan Weiss", Email: "dan@example.com", Deactivated: true},
			{ID: "U0EVE", Name: "eve", RealName: "Eve Lindqvist", Email: "eve@partner.example", TeamID: "T0PARTNER"},
		},
		Groups: []Group{{ID: "S0REVIEWERS", Handle: "reviewers", Name: "Reviewers", Members: []string{"U0ANA", "U0BEN"}}},
		Channels: []Channel{
			{
				ID: "C0REVIEW", Name: "review", Topic: "Items the model is not sure about",
				Members: []string{"U0ANA", "U0BEN", "U0CHLOE", "U0EVE", "U0HITL"},
			},
			{ID: "C0ESCALATE", Name: "escalations", Topic: "Urgent items", Members: []string{"U0ANA", "U0BEN", "U0HITL"}},
			{ID: "C0GENERAL", Name: "general", Topic: "Company-wide news", Members: []string{"U0ANA", "U0BEN", "U0CHLOE"}},
		},
	}
}

// withDefaults fills what was left empty and copies the slices, so that the caller's stay the caller's.
func (c Config) withDefaults() Config {
	if len(c.Users) == 0 && len(c.Channels) == 0 {
		demo := DemoWorkspace()
		c.Users, c.Channels = demo.Users, demo.Channels
		if len(c.Groups) == 0 {
			c.Groups = demo.Groups
		}
	}
	or(&c.Team.ID, "T0SLACKSIM")
	or(&c.Team.Name, "Slack simulator")
	or(&c.Team.Domain, "slacksim")
	or(&c.App.ID, "A0HITL")
	or(&c.App.Name, "hitl")
	or(&c.App.BotID, "B0HITL")
	or(&c.App.BotUserID, "U0HITL")
	if c.TokenLifetime > 0 {
		or(&c.Token, "xoxe.xoxb-1-slacksim")
	}
	or(&c.Token, "xoxb-slacksim")
	or(&c.RefreshToken, "xoxe-1-slacksim")
	or(&c.ClientID, "0.0")
	or(&c.ClientSecret, "slacksim-client-secret")
	or(&c.AppToken, "xapp-slacksim")
	or(&c.SigningSecret, "slacksim-signing-secret")
	or(&c.Endpoints.Options, c.Endpoints.Interactivity)
	c.BaseURL = strings.TrimSuffix(c.BaseURL, "/")
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.AnswerWithin <= 0 {
		c.AnswerWithin = 3 * time.Second
	}
	if c.SocketGrace <= 0 {
		c.SocketGrace = 10 * time.Second
	}
	if c.Client == nil {
		c.Client = &http.Client{
			Transport:     http.DefaultTransport.(*http.Transport).Clone(),
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Scopes == nil {
		c.Scopes = allScopes()
	}
	if c.Events == nil {
		c.Events = []string{EventHomeOpened}
	}
	if c.EventRetries == nil {
		c.EventRetries = []time.Duration{0, time.Minute, 5 * time.Minute}
	}
	c.Users, c.Commands = slices.Clone(c.Users), slices.Clone(c.Commands)
	c.Shortcuts = slices.Clone(c.Shortcuts)
	c.Groups, c.Channels = slices.Clone(c.Groups), slices.Clone(c.Channels)
	return c
}

func or(field *string, fallback string) {
	if *field == "" {
		*field = fallback
	}
}

// validate finds mistakes in the workspace that would otherwise show as puzzling API errors.
func (c Config) validate() error {
	var errs []error
	errs = append(errs, knownEvents(c.Events), checkShortcuts(c.Shortcuts))
	if e := c.Enterprise; e != (Enterprise{}) && !strings.HasPrefix(e.ID, "E") {
		errs = append(errs, fmt.Errorf("enterprise id %q must begin with E", e.ID))
	}
	known := map[string]bool{c.App.BotUserID: true}
	for _, u := range c.Users {
		if _, err := time.LoadLocation(u.TimeZone); err != nil {
			errs = append(errs, fmt.Errorf("user %s: tz: %w", u.ID, err))
		}
		if !strings.HasPrefix(u.ID, "U") && !strings.HasPrefix(u.ID, "W") {
			errs = append(errs, fmt.Errorf("user id %q must begin with U or W", u.ID))
		}
		if known[u.ID] {
			errs = append(errs, fmt.Errorf("user id %q stands twice, or is the bot's", u.ID))
		}
		known[u.ID] = true
	}
	check := func(what, id, prefixes string, members []string) {
		if id == "" || !strings.ContainsAny(id[:1], prefixes) {
			errs = append(errs, fmt.Errorf("%s id %q must begin with one of %s", what, id, prefixes))
		}
		if known[id] {
			errs = append(errs, fmt.Errorf("%s id %q stands twice", what, id))
		}
		known[id] = true
		for _, m := range members {
			if !strings.HasPrefix(m, "U") && !strings.HasPrefix(m, "W") || !known[m] {
				errs = append(errs, fmt.Errorf("%s %s: no such user %q", what, id, m))
			}
		}
	}
	for _, g := range c.Groups {
		check("group", g.ID, "S", g.Members)
	}
	for _, ch := range c.Channels {
		check("channel", ch.ID, "CG", ch.Members)
	}
	return errors.Join(errs...)
}
