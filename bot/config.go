package bot

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/slack-go/slack"
	"go.opentelemetry.io/otel/trace"

	"hitl"
)

// Cards is the part of the system of record that knows which message shows which review. It is safe for concurrent use.
type Cards interface {
	// BeginCard writes the intent to post a review's card before the post is made. An intent that is there already comes back with
	// Attempt greater than 1: a message may exist. Errors: hitl.ErrNoRoom when the channel holds openLimit cards of open
	// reviews, intents included, or openLimit is below 0 and there is no intent; hitl.ErrPosted when the review has its card; hitl.ErrAlreadyDecided; hitl.ErrNotFound.
	BeginCard(ctx context.Context, reviewID, team, channel string, openLimit int) (hitl.Card, error)
	// Room says whether BeginCard may have something to begin in a channel: there is room for another card, or an intent there was last begun before a
	// time. It takes no lock: what it says may be over at once.
	Room(ctx context.Context, channel string, openLimit int, before time.Time) (bool, error)
	// CardPosted records that a card's message exists. Saying so twice is no error. Error: hitl.ErrPosted when the review has another
	// card, or this card another message, by now.
	CardPosted(ctx context.Context, cardID, channel, ts string) error
	// CardGone records that a card's message does not exist, or cannot be changed any more. A card that is not as it was seen, since
	// another attempt was made or a message found, stays as it is.
	CardGone(ctx context.Context, seen hitl.Card) error
	// Cards returns a review's cards, gone ones included.
	Cards(ctx context.Context, reviewID string) ([]hitl.Card, error)
	// CardAt returns the review whose card stands at a place, or hitl.ErrNotFound.
	CardAt(ctx context.Context, channel, ts string) (reviewID string, err error)
	// StaleIntents returns intents last begun before a time, the oldest first, limit at most.
	StaleIntents(ctx context.Context, before time.Time, limit int) ([]hitl.Card, error)
	// PostedCards returns posted cards of open reviews by id, beginning after one ("" for the first), limit at most; fewer mean that there
	// are no more.
	PostedCards(ctx context.Context, after string, limit int) ([]hitl.Card, error)
}

// Waiting is the index of reviews that wait for a card. It is safe for concurrent use.
type Waiting interface {
	// Next takes up to limit reviews for a consumer, the most urgent first, waiting for one at most for block. None is no error.
	Next(ctx context.Context, queue, consumer string, limit int, block time.Duration) ([]hitl.Delivery, error)
	// Hold says that a consumer still works on reviews that it took; without it others get them after some 10 s.
	Hold(ctx context.Context, queue, consumer string, reviewIDs ...string) error
	// Done drops reviews that need no card any more.
	Done(ctx context.Context, queue string, reviewIDs ...string) error
	// Release gives reviews back, to be delivered again.
	Release(ctx context.Context, queue string, reviewIDs ...string) error
	// Len returns how many reviews wait, taken ones included.
	Len(ctx context.Context, queue string) (int64, error)
}

// Details is the part of the system of record that knows more of a review than its record holds. It is safe for concurrent use.
type Details interface {
	// Log returns an item's log entries, the oldest first.
	Log(ctx context.Context, itemID string) ([]hitl.Entry, error)
	// Twins returns the records of the reviews that somebody's decision on a review decides too, the oldest first, limit at most.
	Twins(ctx context.Context, reviewID string, by hitl.Reviewer, openedBy time.Time, limit int) ([]hitl.Record, error)
	// Precedents returns what people decided on other items of a review's queue before, the newest first: on the same text, near at most, and
	// lately, late at most.
	Precedents(ctx context.Context, reviewID string, near, late int) ([]hitl.Precedent, error)
}

// Statistics answers `/hitl stats`.
type Statistics interface {
	Stats(ctx context.Context, q hitl.StatsQuery) (hitl.Stats, error)
}

// Findings answers what the week's corrections teach.
type Findings interface {
	// Findings returns the facts of a queue's period that are worth telling, the first most.
	Findings(ctx context.Context, q hitl.StatsQuery) ([]hitl.Finding, error)
}

// Worklists is what the home tab lists. It is safe for concurrent use.
type Worklists interface {
	// Worklist returns one page of the reviews that wait in a queue.
	Worklist(ctx context.Context, q hitl.WorkQuery) (hitl.Worklist, error)
	// OpenLabels returns the model's labels of a queue's open reviews that are not blind, the most frequent first, 100 at most.
	OpenLabels(ctx context.Context, queue string) ([]string, error)
	// Waits returns what waits in some queues, in their order.
	Waits(ctx context.Context, queues []string) ([]hitl.QueueWait, error)
	// QueueState returns what waits in a queue.
	QueueState(ctx context.Context, queue string) (hitl.QueueState, error)
	// Figures returns the main figures of some queues, in their order, each since its own moment.
	Figures(ctx context.Context, queues []hitl.QueueSince) ([]hitl.QueueFigures, error)
	// Claims returns the open reviews that a person has claimed, the claim that ends first at the front, limit at most.
	Claims(ctx context.Context, who hitl.Reviewer, limit int) ([]hitl.Record, error)
	// Batches returns what a person decided in batches and can still take back, the latest first.
	Batches(ctx context.Context, who hitl.Reviewer) ([]hitl.Batch, error)
}

// Intake takes in what people send from Slack. It is safe for concurrent use.
type Intake interface {
	// Submit is hitl.Intake's.
	Submit(ctx context.Context, s hitl.Submission) (rec hitl.Record, replayed bool, err error)
	// Find returns the record of an item by the source's own id, or hitl.ErrNotFound.
	Find(ctx context.Context, source, externalID string) (hitl.Record, error)
}

// Replays remembers keys for all replicas. It is safe for concurrent use.
type Replays interface {
	// First says whether a key has not been given to it within ttl, by anybody. It returns when ctx ends, at the latest.
	First(ctx context.Context, key string, ttl time.Duration) (bool, error)
}

// Observer is told what happened, for metrics. Its methods must not block, and the values of their words are few.
type Observer interface {
	// Called is called after each request to Slack. outcome is "ok", "ratelimited", "unclear" (the request may have had its effect:
	// a timeout, a cut connection, a server error), or Slack's error code.
	Called(method, outcome string, took time.Duration)
	// Clicked is called once for each answer given to a person. surface is "button", "modal", "command", "home", "shortcut" or "batch" (once for
	// each review of it); outcome is "accepted", "corrected", "voted" (one of a panel), "claimed", "released", "skipped", "undone", "opened",
	// "turned" (a page of a modal), "lost", "refused", "unknown", "invalid", "failed" or "answered"; of surface "shortcut" also "sent" and "known"
	// (it was sent before). Surface "reveal" counts what became of wishes to see hidden parts, "revealed" or "failed", and "request" what Slack
	// sent and nobody sees: "replayed" (it had come before), and over Socket Mode "unreadable", "unknown" (of a type without use) and
	// "unacknowledged" (Slack was not told that it was carried out, or it was not). Surface "note" counts replies in the threads of cards:
	// "noted", "refused" or "failed".
	Clicked(surface, outcome string)
	// Posted is called when the poster is through with a review: "posted", "adopted" (found in the channel's history), "needless",
	// "full", "busy" (another process is at it) or "failed".
	Posted(queue, outcome string)
}

// Reviewers are the people who may decide a queue's reviews.
type Reviewers struct {
	Users  []string // Slack user ids, U… or W…
	Groups []string // Slack user group ids, S…
	// MembersOf is a channel, C… or G…, whose members may decide too: people at work in the workspace or the organisation, of the first 10,000.
	// It takes more scopes. Default: none.
	MembersOf string
}

// Owners are the people who run a queue. They are told what needs them in Channel; empty: in the queue's.
type Owners struct {
	Users   []string // Slack user ids, U… or W…
	Groups  []string // Slack user group ids, S…
	Channel string   // Slack channel id, C… or G…
}

// Queue is how one queue is shown.
type Queue struct {
	Channel   string // Slack channel id, C… or G…
	Reviewers Reviewers
	Owners    Owners
	// Adjudicators decide where a panel has no majority. Default: the owners.
	Adjudicators Reviewers
	OpenLimit    int // most open cards in the channel; default 10
	// BatchLimit is how many reviews may be decided together in the home tab, 20 at most. 0: none.
	BatchLimit int
	Reasons    []string // canned reasons offered in the modal, up to 100; may be empty
	// Redact are the kinds of personal data that are hidden from Slack: "email", "phone", "card", "iban". Default: none.
	Redact []string
	// RedactPatterns are more to hide: RE2 expressions by name, matched against the text in plain characters: no full-width or invisible
	// ones, and all white space that stands together is one character. None may match the empty text. Default: none.
	RedactPatterns map[string]string
	// Sensitive keeps texts out of the channel: a reviewer is shown one when they ask, after an entry in the log. Default: false.
	Sensitive bool
	// Distressing are labels that reviewers are warned of in the same way, before they see a text of which the model says one of them, or gives
	// it 20% or more. Default: none.
	Distressing []string
}

// Policy is what decides which items of a source a person sees, for people to read.
type Policy struct {
	Name            string
	Version         string // as in the log
	Classifier      string
	Threshold       float64
	LabelThresholds map[string]float64
	AlwaysReview    []string
	Rules           []PolicyRule
	SampleRate      float64
	Sampling        *hitl.SampleChange // in force, of SampleRate; nil: it is as configured
	Queue           string
	Change          *PolicyChange // of its thresholds, that somebody accepted; nil: they are as configured
}

// PolicyChange is an accepted change of a policy's thresholds.
type PolicyChange struct {
	By               string // a reviewer as the log writes them, or who ran the command
	At               time.Time
	Risk, Confidence string // decimals: at most so many are wrong among what is accepted, with that confidence; empty: nothing is promised
	Standing         hitl.Standing
}

// PolicyRule is one rule of a policy.
type PolicyRule struct {
	Name, When, Queue, Priority, Description string
}

// Rate is how often something may be done: Burst times at once and once every Every from then on. Zero values take the
// default; a negative Every means no limit.
type Rate struct {
	Every time.Duration
	Burst int
}

// Config is what a Bot needs. Token, Queues, Desk, Cards, Waiting, Stats and Lists are required, and SigningSecrets or AppToken.
type Config struct {
	// Token is the bot token, xoxb-….
	Token string
	// Rotation renews the token when it expires; Token is not needed then. Default: the token does not expire.
	Rotation Rotation
	// AppToken is the app-level token, xapp-…, with the scope connections:write. With it Run takes what people do over Socket Mode.
	// Default: none, and Slack sends requests to Handler.
	AppToken string
	// SocketConnections is how many connections Socket Mode keeps. Slack gives an app ten: all replicas together, and one more for each
	// while another takes its place. Default: 2.
	SocketConnections int
	// SigningSecrets are the secrets that Slack may sign requests with: one, or two while they are being changed. With AppToken there
	// may be none, and Handler refuses every request then.
	SigningSecrets []string
	// Team is the id of the workspace, or of the organisation, that Token must belong to. Default: whichever it belongs to.
	Team string
	// APIURL is where Slack's Web API is, with a slash at its end. Default: https://slack.com/api/.
	APIURL string
	// Queues by name.
	Queues map[string]Queue
	// Command is the slash command, as it stands in help texts. Default: /hitl.
	Command string
	// Language is what channels are spoken to in, and people whose own language Slack does not tell or the catalogue does not have: one of
	// Languages. Default: en.
	Language string

	Desk    *hitl.Desk
	Cards   Cards
	Waiting Waiting
	Stats   Statistics
	Lists   Worklists
	// Findings are told in the week's figures. Default: none are.
	Findings Findings
	// ShortcutSources are the sources that people may send messages to by the message shortcut; Intake takes them in, and is required then.
	// Default: none, and there is no shortcut.
	ShortcutSources []string
	Intake          Intake
	// Details has what the details show beside a review's record. Default: nothing.
	Details Details
	// Policies are what decides on the items of each source now, by the source's name. Default: none, and `/hitl policy` says so.
	Policies func() map[string]Policy
	// Proposals are changes of how far the model is trusted, which the owners of queues answer. Default: there are none.
	Proposals hitl.Proposals
	// Rules are the descriptions of the rules of a policy's version, by the rule's name. Default: none.
	Rules func(version string) map[string]string

	// Replays knows which requests of Slack's have come before, to any replica. Default: each process knows its own.
	Replays Replays
	// Consumer names this process among those that share a queue. Default: a new id.
	Consumer string
	// Tracing records what is done about a review as OpenTelemetry spans, where its item's trace is recorded. Default: nothing is recorded.
	Tracing trace.TracerProvider
	// Observer is told what happened. Default: nobody.
	Observer Observer
	// Logger. Default: discards.
	Logger *slog.Logger
	// Now is the clock for signatures, caches and rates. Default: time.Now.
	Now func() time.Time
	// HTTPClient sends requests to Slack; it needs a Timeout. Default: one of 10 s.
	HTTPClient *http.Client

	// AnswerWithin bounds the work between a request of Slack's and its answer; Slack itself waits 3 s. Default: 2.5 s.
	AnswerWithin time.Duration
	// SettleAfter is how long Slack may take to show the answer to a form before what it shows is replaced. Default: 1 s.
	SettleAfter time.Duration
	// MembersFor is how long the members of a user group and the state of a user are believed. Default: 5 min.
	MembersFor time.Duration
	// MembersAtMost is how long they are believed while Slack does not answer. Default: 30 min.
	MembersAtMost time.Duration
	// Poll is how long a poster waits at most before it looks for room or for new reviews again; up to five times as long while its channel stays
	// full, unless it hears of room. Default: 2 s.
	Poll time.Duration
	// HoldEvery is how often a poster says that it still works on a review; well below the time after which the queue gives it to
	// others. Default: 3 s.
	HoldEvery time.Duration
	// PingEvery is how often a Socket Mode connection is asked whether it is alive; one that says nothing three times is given up.
	// Default: 10 s.
	PingEvery time.Duration
	// RetryFirst and RetryMost are the first and the longest pause after a failure. Default: 1 s and 1 min.
	RetryFirst, RetryMost time.Duration
	// SweepEvery is how often cards are looked for whose posting was cut short, and StaleAfter how old such an intent must be. Default:
	// 1 min and 2 min; StaleAfter must be longer than a post can take.
	SweepEvery, StaleAfter time.Duration
	// WatchEvery is how often it is made sure that the cards of open reviews still stand in their channels; the first time is at the
	// start. It takes one call of conversations.history per card. Default: 10 min.
	WatchEvery time.Duration
	// LookAgain is how much later a card that the channel's history does not hold is looked for a second time, before it is posted
	// again: the history may be late. Default: 10 s.
	LookAgain time.Duration
	// PostRate paces chat.postMessage in each channel. Default: one a second, a burst of 3.
	PostRate Rate
	// UpdateRate and HistoryRate pace chat.update and conversations.history in the workspace. Default: 50 a minute, a burst of 10.
	UpdateRate, HistoryRate Rate
}

// LogValue keeps token and secrets out of logs.
func (c Config) LogValue() slog.Value {
	return slog.GroupValue(slog.String("api", c.APIURL), slog.Int("queues", len(c.Queues)), slog.Int("signing_secrets", len(c.SigningSecrets)),
		slog.Bool("socket_mode", c.AppToken != ""))
}

func (c Config) withDefaults() Config {
	or(&c.APIURL, slack.APIURL)
	or(&c.SocketConnections, 2)
	or(&c.Command, defaultCommand)
	or(&c.Language, english)
	or(&c.AnswerWithin, 2500*time.Millisecond)
	or(&c.SettleAfter, time.Second)
	or(&c.MembersFor, 5*time.Minute)
	or(&c.MembersAtMost, 30*time.Minute)
	or(&c.Poll, 2*time.Second)
	or(&c.HoldEvery, 3*time.Second)
	or(&c.PingEvery, 10*time.Second)
	or(&c.RetryFirst, time.Second)
	or(&c.RetryMost, time.Minute)
	or(&c.SweepEvery, time.Minute)
	or(&c.StaleAfter, 2*time.Minute)
	or(&c.WatchEvery, 10*time.Minute)
	or(&c.LookAgain, 10*time.Second)
	or(&c.PostRate.Every, time.Second)
	or(&c.PostRate.Burst, 3)
	for _, r := range []*Rate{&c.UpdateRate, &c.HistoryRate} {
		or(&r.Every, 1200*time.Millisecond)
		or(&r.Burst, 10)
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.HTTPClient == nil {
		c.HTTPClient = &http.Client{Timeout: 10 * time.Second}
	}
	if c.Observer == nil {
		c.Observer = nobody{}
	}
	if c.Proposals == nil {
		c.Proposals = noProposals{}
	}
	if c.Policies == nil {
		c.Policies = func() map[string]Policy { return nil }
	}
	if c.Rules == nil {
		c.Rules = func(string) map[string]string { return nil }
	}
	or(&c.Consumer, hitl.NewID("bot", c.Now()))
	queues := make(map[string]Queue, len(c.Queues))
	for name, q := range c.Queues {
		or(&q.OpenLimit, 10)
		queues[name] = q
	}
	c.Queues = queues
	return c
}

func or[T comparable](field *T, fallback T) {
	var zero T
	if *field == zero {
		*field = fallback
	}
}

var (
	channelID = regexp.MustCompile(`^[CGD][A-Z0-9]+$`)
	userID    = regexp.MustCompile(`^[UW][A-Z0-9]+$`)
	groupID   = regexp.MustCompile(`^S[A-Z0-9]+$`)
)

// complete says whether all that the bot works with is there.
func (c Config) complete() error {
	if c.Desk == nil || c.Cards == nil || c.Waiting == nil || c.Stats == nil || c.Lists == nil {
		return errors.New("desk, cards, waiting, stats and lists are required")
	}
	if len(c.ShortcutSources) > 0 && c.Intake == nil {
		return errors.New("an intake is required for what the shortcut sends")
	}
	return nil
}

// validate checks what is said about Slack.
func (c Config) validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	r := c.Rotation
	if c.Token == "" && r == (Rotation{}) {
		bad("token is missing")
	}
	if r != (Rotation{}) && (r.RefreshToken == "" || r.ClientID == "" || r.ClientSecret == "" || r.Tokens == nil) {
		bad("token rotation takes a refresh token, client id, client secret and somewhere to keep tokens")
	}
	if c.SocketConnections < 1 || c.SocketConnections > maxConnections {
		bad("%d socket mode connections, Slack allows 1 to %d", c.SocketConnections, maxConnections)
	}
	if n := len(c.SigningSecrets); n > 2 || n < 1 && c.AppToken == "" {
		bad("%d signing secrets, want one, or two while they are being changed", n)
	}
	for _, s := range c.SigningSecrets {
		if s == "" {
			bad("a signing secret is empty")
		}
	}
	if !strings.HasSuffix(c.APIURL, "/") {
		bad("API URL %q must end with a slash", c.APIURL)
	}
	if !slices.Contains(Languages(), c.Language) {
		errs = append(errs, unknownLanguage(c.Language))
	}
	if len(c.ShortcutSources) > maxOptions {
		bad("%d sources for the shortcut, Slack shows at most %d", len(c.ShortcutSources), maxOptions)
	}
	if c.HTTPClient.Timeout <= 0 {
		bad("HTTP client has no timeout")
	}
	for name, q := range c.Queues {
		if !channelID.MatchString(q.Channel) {
			bad("queue %q: %q is no channel id (open the channel's details in Slack and copy the id, like C0123456789)", name, q.Channel)
		}
		if c := q.Owners.Channel; c != "" && !channelID.MatchString(c) {
			bad("queue %q: %q is no channel id", name, c)
		}
		if q.OpenLimit < 1 {
			bad("queue %q: open limit %d is less than 1", name, q.OpenLimit)
		}
		if q.BatchLimit < 0 || q.BatchLimit > homeRows {
			bad("queue %q: batch limit %d is not within 0 and %d", name, q.BatchLimit, homeRows)
		}
		if len(q.Reviewers.Users)+len(q.Reviewers.Groups) == 0 && q.Reviewers.MembersOf == "" {
			bad("queue %q has no reviewers", name)
		}
		if c := q.Reviewers.MembersOf; c != "" && !channelID.MatchString(c) {
			bad("queue %q: %q is no channel id", name, c)
		}
		for _, u := range slices.Concat(q.Reviewers.Users, q.Owners.Users, q.Adjudicators.Users) {
			if !userID.MatchString(u) {
				bad("queue %q: %q is no user id", name, u)
			}
		}
		for _, g := range slices.Concat(q.Reviewers.Groups, q.Owners.Groups, q.Adjudicators.Groups) {
			if !groupID.MatchString(g) {
				bad("queue %q: %q is no user group id", name, g)
			}
		}
		if len(q.Reasons) > maxOptions {
			bad("queue %q: %d reasons, Slack shows at most %d", name, len(q.Reasons), maxOptions)
		}
		for _, r := range q.Reasons {
			if r == "" || len(r) > hitl.MaxReasonBytes {
				bad("queue %q: reason %q must have 1 to %d bytes", name, r, hitl.MaxReasonBytes)
			}
		}
	}
	return errors.Join(errs...)
}

// nobody observes nothing.
type nobody struct{}

func (nobody) Called(string, string, time.Duration) {}
func (nobody) Clicked(string, string)               {}
func (nobody) Posted(string, string)                {}
