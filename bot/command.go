package bot

import (
	"context"
	"errors"
	"strings"

	"github.com/slack-go/slack"

	"hitl"
)

// command is one thing that can be asked for behind the slash command.
type command struct {
	name    string
	args    string // as they are typed, the same in every language
	summary words  // one line, mrkdwn
	more    words  // what `help NAME` says beside the summary; nil: nothing
	may     func(*rights, context.Context, hitl.Reviewer) error
	// run answers. Without an error an empty message means that it has done so itself. Errors that people are told as they are:
	// *notAllowedError, *usageError.
	run func(*Bot, context.Context, asked) (message, error)
}

// commands are all that can be asked for, in the order in which help names them. help itself is carried out by command.
func commands() []command {
	return []command{
		{
			name: "next", args: "[queue]", summary: saying("command.next"), more: saying("command.next.more"),
			may: (*rights).member, run: (*Bot).next,
		},
		{name: "mine", summary: saying("command.mine"), may: (*rights).member, run: (*Bot).myClaims},
		{
			name: "assign", args: "REVIEW @user", summary: saying("command.assign"), more: saying("command.assign.more"),
			may: (*rights).member, run: (*Bot).assign,
		},
		{
			name: "stats", args: "[queue] [24h|7d|30d|today|week] [by label|by reviewer]", summary: saying("command.stats"), more: saying("command.stats.more"),
			may: (*rights).insider, run: (*Bot).stats,
		},
		{
			name: "queue", args: "[NAME]", summary: saying("command.queue"), more: saying("command.queue.more"),
			may: (*rights).insider, run: (*Bot).queueCommand,
		},
		{name: "policy", args: "[source|queue]", summary: saying("command.policy"), may: (*rights).insider, run: (*Bot).policy},
		{name: "pause", args: "QUEUE [reason]", summary: saying("command.pause"), more: saying("command.pause.more"), may: (*rights).member, run: (*Bot).pause},
		{name: "resume", args: "QUEUE", summary: saying("command.resume"), may: (*rights).member, run: (*Bot).resume},
		{name: "help", args: "[command]", summary: saying("command.help")},
	}
}

// asked is a command as somebody gave it.
type asked struct {
	l     *language
	who   hitl.Reviewer
	words []string // behind the command's name
	slash slack.SlashCommand
}

// usageError says that a command was not understood, and why, as mrkdwn; it is shown with the command's help.
type usageError struct{ why words }

func (e *usageError) Error() string { return "not understood" }

// named returns the command with a name, in whatever case.
func named(name string) (command, bool) {
	for _, c := range commands() {
		if strings.EqualFold(c.name, name) {
			return c, true
		}
	}
	return command{}, false
}

// command carries out a slash command. What needs no look-up, not even of the language, is answered at once, the rest by the response_url:
// only there does Slack say when it does not take a chart.
func (b *Bot) command(ctx context.Context, s slack.SlashCommand) answer {
	if !slackUser(s.UserID) {
		return answer{}
	}
	q := asked{words: strings.Fields(s.Text), slash: s}
	var c command
	if len(q.words) > 0 {
		c, _ = named(q.words[0])
	}
	l, known := b.knownLanguage(ctx, s.UserID)
	if c.run == nil && known {
		b.cfg.Observer.Clicked("command", "answered")
		m := b.help(l, q.words)
		return answer{body: response{ResponseType: "ephemeral", Text: m.Text, Blocks: m.Blocks}}
	}
	b.spawn(ctx, func(ctx context.Context) {
		q.l = b.languageOf(ctx, s.UserID)
		outcome, m := "answered", message{}
		if c.run == nil {
			m = b.help(q.l, q.words)
		} else {
			q.words = q.words[1:]
			q.who = b.identified(ctx, claimed(s.UserID, s.TeamID, s.EnterpriseID))
			outcome, m = b.carryOut(ctx, c, q)
		}
		b.cfg.Observer.Clicked("command", outcome)
		if m.Text != "" {
			b.whisper(ctx, s.ResponseURL, s.ChannelID, s.UserID, m)
		}
	})
	return answer{}
}

// carryOut runs a command for somebody who may, and says what is to be said then.
func (b *Bot) carryOut(ctx context.Context, c command, q asked) (outcome string, m message) {
	failed := saying("command.not_sure")
	err := c.may(b.rights, ctx, q.who)
	if err == nil {
		failed = saying("command.failed")
		m, err = c.run(b, ctx, q)
	}
	var no *notAllowedError
	var usage *usageError
	switch {
	case err == nil:
		return "answered", m
	case errors.As(err, &no):
		return outcomeRefused, saidAlone(no.why(q.l))
	case errors.As(err, &usage):
		return outcomeInvalid, helpOn(q.l, b.cfg.Command, c, usage.why(q.l))
	}
	b.log.ErrorContext(ctx, "command not carried out", "command", c.name, "error", err)
	return outcomeFailed, saidAlone(failed(q.l))
}

// saidAlone is a message of words alone, mrkdwn.
func saidAlone(words string) message {
	return message{Text: words, Blocks: []slack.Block{section(words)}}
}
