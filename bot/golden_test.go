package bot

import (
	"bytes"
	"encoding/json"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/slack-go/slack"

	"hitl"
)

func blocksOf(m message) []slack.MsgOption {
	return []slack.MsgOption{slack.MsgOptionText(m.Text, false), slack.MsgOptionBlocks(m.Blocks...)}
}

// decidedBy closes a record.
func decidedBy(status hitl.Status, label string, change ...func(*hitl.Decision)) func(*hitl.Record) {
	return func(r *hitl.Record) {
		d := hitl.Decision{
			ReviewID: r.Review.ID, Round: 1, Status: status, Label: label, At: testTime.Add(3 * time.Minute),
			Reviewer: hitl.Reviewer{Team: "T0SLACKSIM", User: ana},
		}
		r.Review.State = hitl.ReviewDecided
		for _, f := range change {
			f(&d)
		}
		r.Decision = &d
	}
}

// erase takes from a record what erasure takes.
func erase(r *hitl.Record) {
	r.Item.Text, r.Item.Subject, r.Item.Metadata, r.Item.ErasedAt = "", "", map[string]any{}, testTime.Add(24*time.Hour)
	if r.Decision != nil {
		r.Decision.Comment = ""
	}
}

// hostile is a text that tries everything.
const hostile = "Hi <!channel> <@U0BEN> <!subteam^S0REVIEWERS> <https://evil.example|click> *bold* `code` ~no~ :tada: & &lt;\r\n" +
	"\n\n\n\n✓ *Accepted* `POSITIVE` by <@U0ANA>\x00\x1b[31m\a \u202Egnirts desrever\u202C \u2066x\u2069" +
	"\u200b\u200b\u200b\u200b\u200b\u200b{\"type\":\"section\"}\uFEFF Z\u0301\u0302\u0303\u0304\u0305\u0306\u0307\u0308\u0309\u030a\u030b\u030calgo\x7f \ufffe \U000E0041\U000E0042\U000E0043\U000E0044 end"

// autolinked is what Slack's clients like to make links and mentions of.
const autolinked = "See https://evil.example/a?b=1&c=<d>, www.evil.example, mailto:a@evil.example, a@evil.example, tel:+4930901820, slack://open. " +
	"@here @channel @everyone @ana #review #general :tada: <https://evil.example|✓ Accept> [Accept](https://evil.example) !date^1^{date}|x "

func failure0(r *hitl.Record) {
	r.Prediction = hitl.Prediction{Model: "sha256:1"}
	r.Failure = "model error: the session timed out after <2 s>"
	r.Route.Triggers = []hitl.Trigger{hitl.TriggerModelError}
}

// messages are all messages in all their states.
func messages(l *language) map[string]message {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		panic(err)
	}
	long := strings.Repeat("a label that goes on and on ", 6)
	s := sampleStats()
	one := s
	one.Queue = "support"
	panels := one
	number := func(f float64) *float64 { return &f }
	panels.Panels = []hitl.Agreement{
		{
			Queue: "support", Reviews: 11, Verdicts: 40, Reviewers: 4, Raw: hitl.Figure{Value: number(0.818), Low: number(0.62), High: number(0.97)},
			Alpha: hitl.Figure{Value: number(0.743), Low: number(0.44), High: number(0.95)}, AC1: hitl.Figure{Value: number(0.775)},
		},
		{Queue: "a`b", Reviews: 1, Verdicts: 2, Reviewers: 2, Raw: hitl.Figure{Value: number(1)}, Alpha: hitl.Figure{Undefined: hitl.UndefinedCategory}, AC1: hitl.Figure{Undefined: hitl.UndefinedCategory}},
		{Queue: "lonely", Raw: hitl.Figure{Undefined: hitl.UndefinedPairs}, Alpha: hitl.Figure{Undefined: hitl.UndefinedPairs}, AC1: hitl.Figure{Undefined: hitl.UndefinedPairs}},
	}
	empty := hitl.Stats{Since: s.Since, Until: s.Until}
	many := s
	many.ByReviewer, many.ByLabel = nil, nil
	for i := range 40 {
		many.ByReviewer = append(many.ByReviewer, hitl.ReviewerStats{Reviewer: hitl.Reviewer{User: "import" + l.number(i)}, Accepted: i})
		many.ByLabel = append(many.ByLabel, hitl.LabelStats{AILabel: strings.Repeat("<&>", 30) + l.number(i), Corrected: i})
	}
	return map[string]message{
		"card_open":                card(l, asIs("rev_1")),
		"card_open_sent":           card(l, sentOn(asIs("rev_1"))),
		"card_open_claimed":        card(l, claimedNow(asIs("rev_1"))),
		"card_open_without_claims": card(l, screened{Record: newRecord("rev_1")}),
		"card_plain_open_claimed":  plainCard(l, claimedNow(asIs("rev_1"))),
		"card_open_next":           scopedCard(l, claimedNow(asIs("rev_1")), "support"),
		"next_recorded":            recorded(l, asIs("rev_1", decidedBy(hitl.HumanAccepted, "NEGATIVE")), "support"),
		"next_recorded_voice":      recorded(l, asIs("rev_1"), ""),
		"next_nothing":             nextOffer(l, "", l.say("next.nothing")),
		"next_nothing_in":          nextOffer(l, "support", l.say("next.nothing_in", "Queue", code(l, "support", maxNameUnits))),
		"mine_none":                mineMessage(l, nil),
		"mine":                     mineMessage(l, []held{{claimedNow(asIs("rev_1")), "https://x.slack.com/archives/C0REVIEW/p1000001"}, {rec: claimedNow(asIs("rev_2"))}}),
		"mine_many":                mineMessage(l, slices.Repeat([]held{{rec: claimedNow(asIs("rev_1", func(r *hitl.Record) { r.Item.Source = hostile }))}}, maxMine+1)),
		"notice_assigned":          assignedMessage(l, hitl.Notice{To: ana, Data: map[string]string{"by": "T0SLACKSIM/" + ana}}, claimedNow(asIs("rev_1")), "https://x.slack.com/archives/C0REVIEW/p1000001"),
		"notice_assigned_over":     assignedMessage(l, hitl.Notice{To: ben, Data: map[string]string{"by": "T0SLACKSIM/" + ana}}, asIs("rev_1"), ""),
		"notice_skipped_twice": skippedMessage(l, hitl.Notice{Data: map[string]string{"reasons": "unclear\nconflict_of_interest"}},
			asIs("rev_1"), Owners{Users: []string{ana}}, "https://x.slack.com/archives/C0REVIEW/p1000001"),
		"told_claimed":              told(claimedWords(&hitl.ClaimedError{By: hitl.Reviewer{Team: "T0SLACKSIM", User: ana}, Until: testTime})(l)),
		"told_released":             nextOffer(l, "", l.say("told.released")),
		"told_skipped":              nextOffer(l, "", l.say("told.skipped")),
		"told_not_claimed":          told(l.say("told.not_claimed")),
		"told_no_claims":            told(l.say("told.no_claims")),
		"told_skip_voted":           told(l.say("told.skip_voted")),
		"told_moved_on":             told(l.say("told.moved_on")),
		"told_not_done":             told(l.say("told.not_done")),
		"told_assigned":             told(l.say("told.assigned", "Who", who(l, hitl.Reviewer{User: ana}), "Until", clock(testTime))),
		"told_assignee_no_reviewer": told(l.say("told.assignee_no_reviewer", "Who", who(l, hitl.Reviewer{User: ana}), "Queue", code(l, "a`b", maxNameUnits))),
		"told_no_queues":            told(l.say("told.no_queues")),
		"help_next":                 helpOnNamed(l, "next", l.say("command.next.one_queue")),
		"help_next_no_queue":        helpOnNamed(l, "next", l.say("command.no_queue", "Word", "`x`", "Queues", queueNames(l, []string{"support"}))),
		"help_mine":                 helpOnNamed(l, "mine", l.say("command.mine_alone", "Rest", "`x`")),
		"help_assign":               helpOnNamed(l, "assign", l.say("command.assign.two")),
		"help_assign_nobody":        helpOnNamed(l, "assign", l.say("command.assign.nobody", "Word", "`x`")),
		"help_assign_no_review":     helpOnNamed(l, "assign", l.say("command.assign.no_review", "Word", "`x`")),
		"card_open_urgent_rules": card(l, asIs("rev_1", func(r *hitl.Record) {
			r.Review.Priority, r.Review.Round = hitl.PriorityUrgent, 2
			r.Prediction.Confidence = 0.8499
			r.Route.Triggers = []hitl.Trigger{
				hitl.TriggerLowConfidence, hitl.RuleTrigger("refunds"), hitl.RuleTrigger("<!here>`x`"), hitl.TriggerAlwaysReview, hitl.TriggerTruncated, "unheard_of",
			}
		})),
		"card_open_sample": card(l, asIs("rev_1", func(r *hitl.Record) {
			r.Review.Priority, r.Prediction.Confidence = hitl.PrioritySample, 0.9999
			r.Route.Triggers = []hitl.Trigger{hitl.TriggerSample}
			r.Item.ExternalID = r.Item.ID
		})),
		"card_open_blind":       card(l, asIs("rev_1", blind)),
		"card_blind_accepted":   card(l, asIs("rev_1", blind, decidedBy(hitl.HumanAccepted, "NEGATIVE"))),
		"card_open_model_error": card(l, asIs("rev_1", failure0)),
		"card_open_no_labels":   card(l, asIs("rev_1", failure0, func(r *hitl.Record) { r.Labels = nil })),
		"card_open_hostile": card(l, asIs("rev_1", func(r *hitl.Record) {
			r.Item.Text, r.Item.ExternalID, r.Item.Source = hostile, "<!everyone>`", "a&b"
		})),
		"card_open_hostile_labels": card(l, asIs("rev_1", func(r *hitl.Record) {
			r.Labels = []string{"<!channel>", long + "1", long + "2", "שלום (62%)", "a\nb\x00`c`", "POSITIVE"}
			r.Prediction.Label = "<!channel>"
			r.Prediction.Scores = []hitl.Score{{Label: "<!channel>"}, {Label: long + "1"}, {Label: long + "2"}, {Label: "שלום (62%)"}, {Label: "a\nb\x00`c`"}, {Label: "POSITIVE"}}
		})),
		"card_open_long":      card(l, asIs("rev_1", func(r *hitl.Record) { r.Item.Text = strings.Repeat("<&> und so weiter, ", 50000) })),
		"card_open_lines":     card(l, asIs("rev_1", func(r *hitl.Record) { r.Item.Text = "first\n" + strings.Repeat("line\n", 50) })),
		"card_open_invisible": card(l, asIs("rev_1", func(r *hitl.Record) { r.Item.Text = "\u200b\u200b" })),
		"card_open_arabic": card(l, asIs("rev_1", func(r *hitl.Record) {
			r.Item.Text = "وصل الطرد متأخراً (3 أيام)، لكن السائق كان لطيفاً."
		})),
		"card_open_hidden":      card(l, hidden(newRecord("rev_1", private))),
		"card_open_hidden_part": card(l, hidden(newRecord("rev_1", func(r *hitl.Record) { r.Item.Text = "Call +49 30 901820 <!channel>" }))),
		"card_corrected_hidden": card(l, hidden(newRecord("rev_1", private, decidedBy(hitl.HumanCorrected, "POSITIVE", func(d *hitl.Decision) {
			d.Reason, d.Comment = "Sarcasm", "He is ana.ruiz@example.com."
		})))),
		"card_closed_hidden":     card(l, hidden(newRecord("rev_1", private, func(r *hitl.Record) { r.Review.State = hitl.ReviewExpired }))),
		"card_plain_open_hidden": plainCard(l, hidden(newRecord("rev_1", private))),
		"card_open_links": card(l, asIs("rev_1", func(r *hitl.Record) {
			r.Item.Text, r.Item.ExternalID = autolinked, "https://evil.example/@here"
			r.Prediction.Label, r.Labels = "www.evil.example", []string{"www.evil.example", "#review", "@here", "✓ Accept NEGATIVE"}
			r.Prediction.Scores = []hitl.Score{{Label: "www.evil.example"}, {Label: "#review"}, {Label: "@here"}, {Label: "✓ Accept NEGATIVE"}}
		})),
		"card_accepted":           card(l, asIs("rev_1", decidedBy(hitl.HumanAccepted, "NEGATIVE"))),
		"card_accepted_undoable":  card(l, asIs("rev_1", decidedBy(hitl.HumanAccepted, "NEGATIVE"), undoableNow)),
		"card_corrected_undoable": card(l, asIs("rev_1", decidedBy(hitl.HumanCorrected, "POSITIVE", func(d *hitl.Decision) { d.Comment = "See above." }), undoableNow)),
		"card_plain_undoable":     plainCard(l, asIs("rev_1", decidedBy(hitl.HumanAccepted, "NEGATIVE"), undoableNow)),
		"card_expired_no_undo":    card(l, asIs("rev_1", decidedBy(hitl.Expired, "POSITIVE"), undoableNow)),
		"next_recorded_undoable":  recorded(l, asIs("rev_1", decidedBy(hitl.HumanAccepted, "NEGATIVE"), undoableNow), "support"),
		"told_reason_required":    told(invalidWords(&hitl.InvalidError{Field: "reason", Reason: hitl.Missing})(l)),
		"told_comment_required":   told(invalidWords(&hitl.InvalidError{Field: "comment", Reason: hitl.Missing})(l)),
		"card_open_notes":         card(l, asIs("rev_1", func(r *hitl.Record) { r.Notes = make([]hitl.Note, 2) })),
		"card_accepted_note":      card(l, asIs("rev_1", decidedBy(hitl.HumanAccepted, "NEGATIVE"), func(r *hitl.Record) { r.Notes = make([]hitl.Note, 1) })),
		"told_round_over":         told(l.say("told.round_over")),
		"told_undo_late":          told(undoRefused(hitl.UndoTooLate, true)(l)),
		"told_undo_not_yours":     told(undoRefused(hitl.UndoNotYours, true)(l)),
		"told_undo_decided_by":    told(undoRefused(hitl.UndoNotYours, false)(l)),
		"told_undo_reopened":      told(undoRefused(hitl.UndoReopened, true)(l)),
		"told_undo_open":          told(undoRefused(hitl.UndoOpen, true)(l)),
		"told_undo_erased":        told(undoRefused(hitl.UndoErased, true)(l)),
		"card_corrected": card(l, asIs("rev_1", decidedBy(hitl.HumanCorrected, "POSITIVE", func(d *hitl.Decision) {
			d.Reason, d.Comment = "Sarcasm", "He <@U0BEN> means *it*.\nReally."
		}))),
		"card_corrected_hostile": card(l, asIs("rev_1", func(r *hitl.Record) { r.Item.Text = hostile },
			decidedBy(hitl.HumanCorrected, "POSITIVE", func(d *hitl.Decision) {
				d.Reason, d.Comment = strings.Repeat("<&>", 100), strings.Repeat("<!here>&", 375)
				d.Reviewer.User = "<!channel>"
			}))),
		"card_labelled":             card(l, asIs("rev_1", failure0, decidedBy(hitl.HumanCorrected, "POSITIVE"))),
		"card_open_panel_begins":    card(l, panelOf(3)),
		"card_open_panel_gathering": card(l, panelOf(3, "POSITIVE", "NEGATIVE")),
		"card_open_panel_hidden":    card(l, hidden(newRecord("rev_1", private, func(r *hitl.Record) { r.Review.Panel, r.Voices = 2, voices("POSITIVE") }))),
		"card_open_panel_tie":       card(l, panelOf(3, "POSITIVE", "<!channel>`", "NEGATIVE")),
		"card_open_panel_hostile": card(l, panelOf(15, func(r *hitl.Record) {
			for i := range 15 {
				r.Voices = append(r.Voices, voices(strings.Repeat("<&>", 40)+l.number(i))...)
			}
		})),
		"card_panel_decided": card(l, panelOf(3, "POSITIVE", "NEGATIVE", "POSITIVE", decidedBy(hitl.HumanCorrected, "POSITIVE", func(d *hitl.Decision) {
			d.Reviewer, d.Context = hitl.Reviewer{User: "panel"}, map[string]string{"panel": "2/3"}
		}))),
		"card_panel_adjudicated": card(l, panelOf(2, "POSITIVE", "NEGATIVE", decidedBy(hitl.HumanAccepted, "NEGATIVE", func(d *hitl.Decision) {
			d.Context = map[string]string{"adjudicated": "true"}
		}))),
		"card_panel_expired":    card(l, panelOf(2, "POSITIVE", decidedBy(hitl.Expired, ""))),
		"card_plain_open_panel": plainCard(l, panelOf(3)),
		"notice_adjudicate":     adjudicateMessage(l, panelOf(2, "POSITIVE", "NEGATIVE"), Reviewers{Users: []string{ana}}, "https://acme.slack.com/archives/C1/p1"),
		"notice_gold_private": goldPrivateMessage(l, goldNotice("29", "33"), []hitl.MissedGold{
			{ReviewID: "rev_1", Said: "NEGATIVE", Known: "POSITIVE"}, {ReviewID: "rev_2", Said: "POSITIVE", Known: "NEGATIVE"},
		}, []string{"https://acme.slack.com/archives/C1/p1", ""}),
		"notice_gold_private_few":   goldPrivateMessage(l, goldNotice("3", "3"), nil, nil),
		"notice_gold_owners":        goldOwners(l, goldNotice("29", "33")),
		"notice_gold_owners_few":    goldOwners(l, goldNotice("3", "3")),
		"notice_adjudicate_no_card": adjudicateMessage(l, panelOf(2, "POSITIVE", "NEGATIVE"), Reviewers{Users: []string{ana}}, ""),
		"notice_adjudicate_over":    adjudicateMessage(l, panelOf(2, "POSITIVE", "NEGATIVE", decidedBy(hitl.HumanAccepted, "NEGATIVE")), Reviewers{Users: []string{ana}}, ""),
		"told_panel":                told(l.say("told.panel")),
		"told_no_panel":             told(l.say("told.no_panel")),
		"told_voted":                told(votedWords(hitl.Voice{Label: "POSITIVE", At: testTime})(l)),
		"told_voted_skipped":        told(votedWords(hitl.Voice{At: testTime})(l)),
		"told_panel_complete":       told(l.say("told.panel_complete")),
		"told_no_adjudicator":       told(l.say("told.no_adjudicator", "Queue", code(l, "a`b", maxNameUnits))),
		"told_decided_by_panel": told(closedWords(l, panelOf(2, decidedBy(hitl.HumanCorrected, "POSITIVE", func(d *hitl.Decision) {
			d.Reviewer = hitl.Reviewer{User: "panel"}
		})), hitl.Reviewer{})),
		"card_expired": card(l, asIs("rev_1", decidedBy(hitl.Expired, "", func(d *hitl.Decision) {
			d.Reviewer = hitl.Reviewer{User: "system"}
		}))),
		"card_cancelled": card(l, asIs("rev_1", decidedBy(hitl.Cancelled, ""))),
		"card_erased":    card(l, asIs("rev_1", decidedBy(hitl.HumanCorrected, "POSITIVE", func(d *hitl.Decision) { d.Reason = "Sarcasm" }), erase)),
		"card_erased_cancelled": card(l, asIs("rev_1", decidedBy(hitl.Cancelled, "", func(d *hitl.Decision) {
			d.Reviewer, d.Reason = hitl.Reviewer{User: "system"}, "erased"
		}), erase)),
		"card_erased_undecided":       card(l, asIs("rev_1", erase)),
		"card_closed_undecided":       card(l, asIs("rev_1", func(r *hitl.Record) { r.Review.State = hitl.ReviewCancelled })),
		"card_plain_open":             plainCard(l, asIs("rev_1")),
		"card_plain_decided":          plainCard(l, asIs("rev_1", decidedBy(hitl.HumanAccepted, "NEGATIVE"))),
		"stats":                       statsMessage(l, s, periods[0], time.UTC, true),
		"stats_one_queue_no_chart":    statsMessage(l, one, periods[1], time.UTC, false),
		"stats_panels":                statsMessage(l, panels, periods[1], time.UTC, true),
		"stats_by_label":              rankedMessage(l, s, periods[0], byLabel, true),
		"stats_by_reviewer":           rankedMessage(l, one, periods[0], byReviewer, true),
		"stats_by_label_many_hostile": rankedMessage(l, many, periods[0], byLabel, true),
		"stats_by_reviewer_none":      rankedMessage(l, empty, periods[0], byReviewer, true),
		"stats_today":                 statsMessage(l, s, periods[3], berlin, true),
		"stats_week_nothing":          statsMessage(l, empty, periods[4], berlin, true),
		"stats_nothing":               statsMessage(l, empty, periods[2], time.UTC, true),
		"stats_many_hostile":          statsMessage(l, many, periods[2], time.UTC, true),
		"queues":                      queuesMessage(l, []queueLine{{"support", channel, 1234, 10, 26 * time.Hour, false}, {"a`b", "C0ESCALATE", 0, 0, 0, false}, {"held", channel, 3, 3, time.Hour, true}}),
		"queue":                       overviewMessage(l, sampleOverview(berlin), true),
		"queue_no_chart":              overviewMessage(l, sampleOverview(berlin), false),
		"queue_grows_hostile":         overviewMessage(l, growing(sampleOverview(time.UTC)), true),
		"queue_quiet":                 overviewMessage(l, overview{name: "a`b", queue: Queue{Channel: channel}, zone: time.UTC, now: testTime, waiting: -1}, true),
		"queues_none":                 queuesMessage(l, nil),
		"help":                        helpMessage(l, "/hitl", ""),
		"help_unsure":                 helpMessage(l, "/hitl", unknownCommand(l, "/hitl", "<!channel>")),
		"told_accepted_by_other":      told(closedWords(l, asIs("rev_1", decidedBy(hitl.HumanAccepted, "NEGATIVE")), hitl.Reviewer{})),
		"told_corrected_by_yourself":  told(closedWords(l, asIs("rev_1", decidedBy(hitl.HumanCorrected, "POSITIVE")), hitl.Reviewer{Team: "T0SLACKSIM", User: ana})),
		"told_expired":                told(closedWords(l, asIs("rev_1", decidedBy(hitl.Expired, "")), hitl.Reviewer{})),
		"told_cancelled":              told(closedWords(l, asIs("rev_1", decidedBy(hitl.Cancelled, "")), hitl.Reviewer{})),
		"told_cancelled_by_erasure":   told(closedWords(l, asIs("rev_1", decidedBy(hitl.Cancelled, "", func(d *hitl.Decision) { d.Reviewer = hitl.Reviewer{User: "system"} })), hitl.Reviewer{})),
		"told_closed":                 told(closedWords(l, asIs("rev_1", func(r *hitl.Record) { r.Review.State = hitl.ReviewExpired }), hitl.Reviewer{})),
		"told_comment_too_long":       told(invalidWords(&hitl.InvalidError{Field: "comment", Reason: "is longer than 3000 bytes"})(l)),
		"told_not_taken":              told(invalidWords(&hitl.InvalidError{Field: "verdict", Reason: "<!here> is not known"})(l)),
		"told_no_reviewer":            told(l.say("told.no_reviewer", "Queue", code(l, "a`b", maxNameUnits))),
		"told_queue_gone":             told(l.say("told.queue_gone", "Queue", code(l, "a`b", maxNameUnits))),
		"told_members_only":           told(l.say("told.members_only")),
		"told_active_only":            told(l.say("told.active_only")),
		"told_no_guests":              told(l.say("told.no_guests")),
		"told_command_failed":         told(l.say("command.failed")),
		"told_command_not_sure":       told(l.say("command.not_sure")),
		"queues_waiting_unknown":      queuesMessage(l, []queueLine{{"support", channel, -1, 1, 30 * time.Second, false}}),
		"help_nearest":                helpMessage(l, "/hitl", unknownCommand(l, "/hitl", "stat")),
		"help_on":                     helpOnNamed(l, "stats", l.say("command.neither", "Word", "`x`", "Queues", queueNames(l, nil))),
		"told_unknown":                told(l.say("told.unknown")),
		"told_not_saved":              told(l.say("told.not_saved")),
		"told_not_sure":               told(l.say("told.not_sure")),
		"told_not_opened":             told(l.say("told.not_opened")),
		"told_no_label":               told(l.say("told.no_label")),
		"notice_checkpoint": Notice{
			Channel: channel, Kind: "checkpoint", Text: "Keep this.", Code: "log.example.org\n12\nAAAA=\n\n— log.example.org BBBB+/=",
		}.message(l),
		"digest":                     digestMessage(l, "support", sampleStats(), halved(sampleStats()), nil, true),
		"digest_no_chart":            digestMessage(l, "support", sampleStats(), hitl.Stats{}, nil, false),
		"digest_nothing":             digestMessage(l, hostile, hitl.Stats{Since: testTime.Add(-week), Until: testTime}, hitl.Stats{}, nil, true),
		"digest_taught":              digestMessage(l, "support", sampleStats(), halved(sampleStats()), sampleFindings()[:3], false),
		"digest_taught_more":         digestMessage(l, "support", sampleStats(), halved(sampleStats()), sampleFindings()[3:6], false),
		"digest_taught_most":         digestMessage(l, "support", sampleStats(), halved(sampleStats()), sampleFindings()[6:], false),
		"notice_stamping":            stamped(l, map[string]string{"known": "6", "missed": "4"}),
		"notice_stamping_no_gold":    stamped(l, map[string]string{"user": "import<!here>", "others_judged": "12345", "others_corrected": "1234"}),
		"card_moved":                 movedCard(l, asIs("rev_1", func(r *hitl.Record) { r.Review.Queue = "seniors" }), "C0ESCALATE"),
		"card_expired_as":            card(l, asIs("rev_1", decidedBy(hitl.Expired, "POSITIVE"))),
		"notice_reminder":            reminder(l, due(1), asIs("rev_1"), "https://slack.example/p1"),
		"notice_reminder_many":       reminder(l, due(1234), asIs("rev_1"), ""),
		"notice_reminder_over":       reminder(l, due(1), asIs("rev_1", decidedBy(hitl.HumanAccepted, "NEGATIVE")), ""),
		"notice_escalation":          escalation(l, due(1, "group", "S0CHIEFS", "to", "seniors"), asIs("rev_1"), "https://slack.example/p1"),
		"notice_escalation_many":     escalation(l, due(12), asIs("rev_1"), ""),
		"notice_paused":              pausedMessage(l, hitl.Notice{Kind: hitl.NoticePaused, Queue: "support", Data: map[string]string{"by": "T0SLACKSIM/" + ana, "reason": "holiday <!channel>"}}),
		"notice_resumed":             pausedMessage(l, hitl.Notice{Kind: hitl.NoticeResumed, Queue: "support", Data: map[string]string{"by": "cli/<ana>"}}),
		"policy_list":                policies(l, []string{"mail", "shop"}, []string{"support"}),
		"policy_source":              policyMessage(l, "mail", samplePolicy()),
		"policy_source_changed":      policyMessage(l, "mail", changedPolicy(hitl.StandingFull)),
		"policy_source_guarded":      policyMessage(l, "mail", changedPolicy(hitl.StandingGuarded)),
		"policy_source_void":         policyMessage(l, "mail", changedPolicy(hitl.StandingVoid)),
		"proposal":                   proposalMessage(l, sampleProposal(hitl.ProposalOpen), true),
		"proposal_no_chart":          proposalMessage(l, sampleProposal(hitl.ProposalOpen), false),
		"proposal_accepted":          proposalMessage(l, sampleProposal(hitl.ProposalAccepted), true),
		"proposal_declined":          proposalMessage(l, sampleProposal(hitl.ProposalDeclined), true),
		"proposal_replaced":          proposalMessage(l, sampleProposal(hitl.ProposalReplaced), true),
		"proposal_off":               proposalMessage(l, proposalOf(hitl.ProposeThresholds, hitl.ThresholdChange{Off: true, From: hitl.Thresholds{Threshold: 0.85}}, hitl.ThresholdEvidence{}), true),
		"proposal_hostile":           proposalMessage(l, hostileProposal(), true),
		"proposal_calibration":       proposalMessage(l, proposalOf(hitl.ProposeCalibration, hitl.CalibrationChange{}, sampleCalibration()), true),
		"proposal_model":             proposalMessage(l, sampleModel("better"), true),
		"proposal_model_alike":       proposalMessage(l, sampleModel("not told apart"), true),
		"proposal_model_first":       proposalMessage(l, proposalOf(hitl.ProposeModel, hitl.ModelChange{Version: "sha256:0123456789abcdef"}, hitl.ModelEvidence{Labels: []string{hostile, "billing"}}), true),
		"proposal_model_off":         proposalMessage(l, proposalOf(hitl.ProposeModel, hitl.ModelChange{From: "starter"}, hitl.ModelEvidence{}), true),
		"notice_broken":              must(brokenMessage(l, brokenNotice("false"))),
		"notice_broken_restored":     must(brokenMessage(l, brokenNotice("true"))),
		"notice_certify_late":        must(certifyLateMessage(l, lateNotice())),
		"notice_certify_never":       must(certifyLateMessage(l, lateNotice("at", "", "by_then", "", "label", ""))),
		"policy_source_certify":      policyMessage(l, "mail", sampledPolicy(false)),
		"policy_source_certified":    policyMessage(l, "mail", sampledPolicy(true)),
		"proposal_unreadable":        proposalMessage(l, proposalOf("model", 1, 2), true),
		"policy_source_plain":        policyMessage(l, "mail", Policy{Name: "default", Version: "sha256:2", Classifier: "default", Threshold: 0.85, Queue: "default"}),
		"policy_source_many_hostile": policyMessage(l, hostile, manyRules()),
		"policy_queue":               termsMessage(l, "support", channel, sampleTerms()),
		"policy_queue_plain":         termsMessage(l, "support", channel, hitl.QueueRules{}),
		"policy_queue_order":         termsMessage(l, "support", channel, hitl.QueueRules{Order: hitl.OrderRules{Uncertainty: learntNothing, Uniform: 0.25}}),
		"policy_queue_label":         termsMessage(l, "support", channel, hitl.QueueRules{ExpireAfter: time.Hour, ExpireAs: "label:<SPAM>"}),
		"policy_queue_ai_label":      termsMessage(l, "support", channel, hitl.QueueRules{ExpireAfter: time.Hour, ExpireAs: hitl.ExpireAILabel}),
		"notice_hostile":             Notice{Channel: channel, Kind: "checkpoint", Text: hostile, Code: autolinked}.message(l),
	}
}

func helpOnNamed(l *language, name, unsure string) message {
	c, _ := named(name)
	return helpOn(l, "/hitl", c, unsure)
}

func everyMessage(t *testing.T) map[string]message {
	t.Helper()
	out := map[string]message{}
	for name, s := range surfaces(t) {
		if m, ok := s.(message); ok {
			out[name] = m
		}
	}
	return out
}

// hidden is a record of a queue that hides everything there is to hide.
func hidden(rec hitl.Record) screened {
	r, err := newRedactor([]string{"email", "phone", "card", "iban"}, map[string]string{"customer": `\bC-\d{6}\b`})
	if err != nil {
		panic(err)
	}
	b := &Bot{redactors: map[string]*redactor{rec.Review.Queue: r}, cfg: Config{Desk: claimingDesk()}}
	return b.screen(rec)
}

// claimingDesk is a desk whose queue has claims.
func claimingDesk() *hitl.Desk {
	return &hitl.Desk{Queues: map[string]hitl.QueueRules{"support": {ClaimFor: time.Minute}}}
}

// asIs is a record of a queue that hides nothing.
func asIs(reviewID string, change ...func(*hitl.Record)) screened {
	return screened{Record: newRecord(reviewID, change...), claimable: true}
}

// claimedNow is a record that Ana has for herself.
func claimedNow(s screened) screened {
	r := *s.Review
	r.ClaimedBy, r.ClaimedUntil = hitl.Reviewer{Team: "T0SLACKSIM", User: ana}, testTime.Add(15*time.Minute)
	s.Review, s.claimed = &r, true
	return s
}

// undoableNow is a record whose decision can be taken back.
func undoableNow(r *hitl.Record) { r.Review.UndoUntil = testTime.Add(5 * time.Minute) }

func undoRefused(why hitl.UndoRefusal, inTime bool) words {
	refused := &hitl.UndoError{Why: why, By: hitl.Reviewer{Team: "T0SLACKSIM", User: ana}}
	if inTime {
		refused.Until = testTime
	}
	return notUndone(screened{}, refused).words
}

func told(words string) message { return message{Text: words, Blocks: []slack.Block{section(words)}} }

// voices are verdicts of several people.
func voices(labels ...string) (out []hitl.Voice) {
	for i, label := range labels {
		out = append(out, hitl.Voice{
			Reviewer: hitl.Reviewer{Team: "T0SLACKSIM", User: []string{ben, chloe, ana}[i%3]}, Label: label, Comment: "Because I say so.", At: testTime,
		})
	}
	return out
}

// panelOf is a review before a panel, in which some have spoken: labels, and changes of the record.
func panelOf(n int, saidAndChanged ...any) screened {
	rec := newRecord("rev_1", func(r *hitl.Record) { r.Review.Panel = n })
	for _, x := range saidAndChanged {
		switch x := x.(type) {
		case string:
			rec.Voices = voices(append(labelsOf(rec.Voices), x)...)
		case func(*hitl.Record):
			x(&rec)
		}
	}
	return (&Bot{cfg: Config{Desk: &hitl.Desk{}}}).screen(rec)
}

func labelsOf(voices []hitl.Voice) (out []string) {
	for _, v := range voices {
		out = append(out, v.Label)
	}
	return out
}

// views are all modals in all their states.
func views(l *language) map[string]slack.ModalViewRequest {
	data := viewData{Ref: "rev_1.1", Channel: channel, TS: "1.000001"}
	var labels []string
	for i := range 101 {
		labels = append(labels, "topic "+l.number(i))
	}
	return map[string]slack.ModalViewRequest{
		"modal_skip":       skipModal(l, data),
		"modal_loading":    loading(l, l.say("modal.correct.title"), data),
		"modal_correct":    correctModal(l, asIs("rev_1"), form{reasons: []string{"Sarcasm", strings.Repeat("a long reason ", 20)}}, data),
		"modal_no_reasons": correctModal(l, asIs("rev_1", failure0), form{}, data),
		"modal_no_labels":  correctModal(l, asIs("rev_1", func(r *hitl.Record) { r.Labels = nil }), form{}, data),
		"modal_hostile": correctModal(l, asIs("rev_1", func(r *hitl.Record) {
			r.Item.Text, r.Labels = hostile, []string{"<!channel>", "a\x00b", " "}
		}), form{reasons: []string{"<!here>"}}, data),
		"modal_required":                correctModal(l, asIs("rev_1"), form{reasons: []string{"Sarcasm"}, reason: hitl.Always, comment: hitl.Always, label: labelKey("NEGATIVE")}, data),
		"modal_required_of_corrections": correctModal(l, asIs("rev_1"), form{reasons: []string{"Sarcasm"}, reason: hitl.OnCorrections, comment: hitl.OnCorrections, label: labelKey("POSITIVE")}, data),
		"modal_101_labels_chosen":       correctModal(l, asIs("rev_1", func(r *hitl.Record) { r.Labels = labels }), form{label: labelKey(labels[100])}, data),
		"modal_100_labels":              correctModal(l, asIs("rev_1", func(r *hitl.Record) { r.Labels = labels[:100] }), form{}, data),
		"modal_101_labels":              correctModal(l, asIs("rev_1", func(r *hitl.Record) { r.Labels = labels }), form{}, data),
		"modal_vote":                    voteModal(l, panelOf(3), form{reasons: []string{"Sarcasm"}}, data),
		"modal_vote_no_labels":          voteModal(l, panelOf(3, func(r *hitl.Record) { r.Labels = nil }), form{}, data),
		"modal_correct_hidden":          correctModal(l, hidden(newRecord("rev_1", private)), form{}, data),
		"modal_unknown":                 notice(l, l.say("modal.unknown.title"), l.say("told.unknown"), viewData{}),
		"modal_not_loaded":              notice(l, "Correct", l.say("modal.not_loaded"), data),
		"modal_not_revealed":            notice(l, l.say("modal.reveal.title"), l.say("modal.reveal.failed"), data),
		"modal_lost":                    notice(l, l.say("modal.not_recorded.title"), closedWords(l, asIs("rev_1", decidedBy(hitl.HumanAccepted, "NEGATIVE")), hitl.Reviewer{}), data),
	}
}

// tooLarge are surfaces whose golden file would be large; Slack checks them all the same.
var tooLarge = map[string]bool{"home_most": true, "modal_100_labels": true}

// goldNotice tells ana of a week of known answers.
func goldNotice(right, of string) hitl.Notice {
	data := map[string]string{"reviewer": ana, "right": right, "of": of, "since": "2026-11-16T09:00:00Z", "until": "2026-11-23T09:00:00Z"}
	if of != "3" {
		data["low"], data["high"] = "0.7267", "0.9518"
	}
	return hitl.Notice{Queue: "support", To: ana, Data: data}
}

func TestGolden(t *testing.T) {
	t.Parallel()
	for name, s := range surfaces(t) {
		if !tooLarge[path.Base(name)] {
			golden(t, name, s)
		}
	}
}

// surfaces are all messages and modals in all their states and all languages: English ones by their name, others as "de/NAME".
func surfaces(t *testing.T) map[string]any {
	t.Helper()
	out := map[string]any{}
	for _, l := range every(t).all {
		for name, m := range messages(l) {
			out[in(l, name)] = m
		}
		for name, v := range views(l) {
			out[in(l, name)] = v
		}
		for name, v := range sendViews(l) {
			out[in(l, name)] = v
		}
		for name, v := range batchViews(l) {
			out[in(l, name)] = v
		}
		for name, v := range homeTabs(l) {
			out[in(l, name)] = v
		}
		detailSurfaces(l, out)
	}
	return out
}

func in(l *language, name string) string {
	if l.name == english {
		return name
	}
	return l.name + "/" + name
}

func golden(t *testing.T, name string, v any) {
	t.Helper()
	var got bytes.Buffer
	enc := json.NewEncoder(&got)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	path := filepath.Join("testdata", "golden", filepath.FromSlash(name)+".json")
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("%s differs from its golden file (write it anew with -update):\n%s", name, diff)
	}
}

// Slack takes every surface in every state, as a new message and as an update, and nobody is mentioned who is not the reviewer.
func TestSlackTakesEverySurface(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, first := w.posted()
	for name, m := range everyMessage(t) {
		if n := units(m.Text); n > 4000 || n == 0 {
			t.Errorf("%s: %d characters of text", name, n)
		}
		c := hitl.Card{ID: "crd_" + strings.ReplaceAll(name, "/", "_"), ReviewID: "rev_1", Channel: channel}
		_, ts, err := w.bot.api.post(t.Context(), c, m)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if err := w.bot.api.update(t.Context(), channel, first.TS, m); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for _, who := range w.message(ts).Mentions {
			if called := strings.HasSuffix(name, "notice_escalation") && who == "!subteam^S0CHIEFS"; who != "@"+ana && !called {
				t.Errorf("%s mentions %s", name, who)
			}
		}
	}
	for name, s := range surfaces(t) {
		v, ok := s.(slack.ModalViewRequest)
		if !ok {
			continue
		}
		out, err := w.sim.Command(t.Context(), ana, channel, "/hitl", "help") // for its trigger
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.bot.api.openView(t.Context(), out.TriggerID, v); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := w.sim.CloseView(t.Context(), ana, true); err != nil {
			t.Fatal(err)
		}
	}
	w.clean()
}

// An update of every state of a card leaves no button behind that a closed review does not have.
func TestClosedCardsHaveNoButtons(t *testing.T) {
	t.Parallel()
	for name, m := range everyMessage(t) {
		if !strings.HasPrefix(path.Base(name), "card_") || strings.Contains(name, "open") {
			continue
		}
		for _, b := range m.Blocks {
			if a, ok := b.(*slack.ActionBlock); ok && a.BlockID != "hitl_reveal" {
				t.Errorf("%s has buttons", name)
			}
		}
	}
}

// allowedMarkup is what the bot itself writes into mrkdwn.
var allowedMarkup = regexp.MustCompile(`<@U0ANA>|<!date\^\d+\^[^|<>]+\|[^<>]*>`)

// mrkdwnOf returns all mrkdwn of a message, the top-level text included.
func mrkdwnOf(t *testing.T, m message) []string {
	t.Helper()
	raw, err := json.Marshal(m.Blocks)
	if err != nil {
		t.Fatal(err)
	}
	var v any
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatal(err)
	}
	out := []string{m.Text}
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, e := range v {
				walk(e)
			}
		case map[string]any:
			if v["type"] == "mrkdwn" {
				out = append(out, v["text"].(string))
			}
			for _, e := range v {
				walk(e)
			}
		}
	}
	walk(v)
	return out
}

// learntNothing takes each answer for as useful as any other.
func learntNothing([]hitl.Score) float64 { return 1 }
