// Package bot shows reviews in Slack and brings the reviewers' clicks back as decisions.
//
// A review appears as a card: a message with the item's text, what the model said, why a person is needed, and buttons. A click
// becomes a verdict that hitl.Desk turns into the one decision of the review, and the card then says who decided what and when.
// The card is a view; the database row is the truth, and nothing is read back from a card but the opaque reference in its buttons.
//
// Start at [New]. A [Bot] has three sides:
//
//   - [Bot.Handler] takes Slack's requests over HTTP: clicks, modals, type-ahead, slash commands. The work behind it
//     (interaction.go, command.go) knows nothing of HTTP: with Config.AppToken, Run feeds it the same payloads over Socket Mode
//     (socket.go, envelope.go).
//   - [Bot.Run] keeps the channels filled: one poster per queue takes waiting reviews and posts their cards as room allows, a
//     sweep finds cards whose posting was cut short by a crash, and a watch posts those anew whose message is gone.
//   - [Bot.RefreshCard] redraws the cards of a review after its state changed. It is the handler of an effect: it may be called any
//     number of times.
//
// [NewManifest] is the app that a Bot needs, as Slack makes one, and [Examine] looks whether Slack, that app and the configuration fit
// together.
//
// What it promises:
//
//   - A click is answered with success only after the decision is committed, and always in words otherwise.
//   - A review gets one card. Slack has no idempotency keys, so each post is announced first (Cards.BeginCard) and carries the
//     card's id in its metadata; after a failure that leaves open whether Slack took the post, the channel's history is read
//     before anything is posted again.
//   - Rate limits are honoured per method and channel, and trouble in one channel never holds up another.
//   - Hostile text cannot act: it stands where Slack interprets nothing, with control, bidirectional and invisible characters made
//     visible (text.go).
//   - What a queue hides reaches Slack for nobody but a reviewer who asks, after the log has an entry of it (screen.go, reveal.go). The
//     patterns are redact*.go; they see a normal form of the text (normal.go).
//   - A signed request, or an envelope, is carried out once, by one replica (replay.go).
//
// Every text stands in catalogue/, one file per language (language.go). What a channel sees is in Config.Language, what one person alone
// sees is in the language that they have chosen in Slack; names of labels, queues, rules and reasons are data and stay as they are.
//
// Card, modal and statistics builders (card.go, modal.go, stats.go) and the redactor are pure functions; their golden files, in every language, are in
// testdata.
package bot
