package bot

import (
	"context"
	"fmt"
	"strings"

	"github.com/slack-go/slack"
)

// channel looks whether the bot can read a channel and post there.
func (d *doctor) channel(ctx context.Context, id string) Check {
	about := "channel " + id
	reading := patiently(ctx, func() error {
		_, err := d.api.history(ctx, &slack.GetConversationHistoryParameters{ChannelID: id, Limit: 1})
		return err
	})
	if reading != nil && refusal(reading) != "missing_scope" { // without that scope posting tells the same
		return refusalCheck(about, reading)
	}
	c := d.tryPosting(ctx, id, about)
	if reading != nil && c.State == Good {
		return refusalCheck(about, reading)
	}
	return c
}

func (d *doctor) tryPosting(ctx context.Context, id, about string) Check {
	if d.post {
		return d.postAndDelete(ctx, id, about)
	}
	// A message that only the bot's own user could see is refused where a card would be, and shows nowhere.
	err := patiently(ctx, func() error { return d.api.postEphemeral(ctx, id, d.self.UserID, message{Text: doctorText}) })
	code := refusal(err)
	switch {
	case err == nil:
		return Check{About: about, State: Good, Found: "the app is in it and may post"}
	case code == "" || code == "missing_scope" || messageGone(code) || strings.HasPrefix(code, "restricted_action"):
		return refusalCheck(about, err)
	}
	return Check{
		about, Open, "the app is in it; whether it may post cannot be told without a message, Slack says " + code,
		"post one, and delete it at once: hitl slack doctor --post",
	}
}

const (
	doctorText = "hitl slack doctor tries whether it can post here. This message goes away by itself."
	doctorMark = "hitl_doctor"
)

func (d *doctor) postAndDelete(ctx context.Context, id, about string) Check {
	if _, err := d.api.turn(ctx, id); err != nil {
		return refusalCheck(about, err)
	}
	var channel, ts string
	err := patiently(ctx, func() (err error) {
		channel, ts, err = d.api.postMarked(ctx, id, message{Text: doctorText}, slack.SlackMetadata{
			EventType: doctorMark, EventPayload: map[string]any{"kind": "test"},
		})
		return err
	})
	if err != nil {
		c := refusalCheck(about, err)
		if uncertain(err) {
			c.Mend += "; a test message may stand in the channel: delete it"
		}
		return c
	}
	ctx = context.WithoutCancel(ctx) // what was posted is taken back
	if err := patiently(ctx, func() error { return d.api.remove(ctx, channel, ts) }); err != nil {
		return Check{about, Bad, fmt.Sprintf("a test message was posted and cannot be deleted: %v", err), "delete it by hand"}
	}
	return Check{About: about, State: Good, Found: "a message was posted and deleted"}
}

// user looks whether a reviewer may decide.
func (d *doctor) user(ctx context.Context, id string) Check {
	about := "user " + id
	u, err := d.look(ctx, id)
	if err != nil {
		return refusalCheck(about, err)
	}
	if why := d.unfit(u); why != "" {
		return Check{about, Bad, why, "take the id out of the queue's reviewers, or put another there"}
	}
	return Check{About: about, State: Good, Found: u.Name + " is active"}
}

func (d *doctor) look(ctx context.Context, id string) (u *slack.User, err error) {
	err = patiently(ctx, func() (err error) { u, err = d.api.user(ctx, id); return err })
	return u, err
}

// unfit says why a user may not decide; empty: they may. It is what rights.people asks.
func (d *doctor) unfit(u *slack.User) string {
	switch {
	case u.Deleted:
		return u.Name + " is deactivated"
	case u.IsBot:
		return u.Name + " is a bot"
	case u.IsStranger || !home(u, d.self):
		return u.Name + " belongs to another workspace"
	}
	return ""
}

// group looks whether somebody in a user group may decide. One is enough: a group may be large, and calls are few.
func (d *doctor) group(ctx context.Context, id string) Check {
	about := "group " + id
	var members []string
	err := patiently(ctx, func() (err error) { members, err = d.api.groupMembers(ctx, id, workspaceOf(d.self)); return err })
	if err != nil {
		return refusalCheck(about, err)
	}
	mend := "add reviewers to the group, or name others under the queue's reviewers"
	if len(members) == 0 {
		return Check{about, Bad, "it has no members, or is disabled", mend}
	}
	return d.anyOf(ctx, about, members, mend)
}

// members looks whether somebody in a channel may decide by being there.
func (d *doctor) members(ctx context.Context, id string) Check {
	about := "members of " + id
	var members []string
	var all bool
	err := patiently(ctx, func() (err error) { members, all, err = d.api.channelMembers(ctx, id); return err })
	if err != nil {
		return refusalCheck(about, err)
	}
	c := d.anyOf(ctx, about, members, "add reviewers to the channel, or name users or groups under the queue's reviewers")
	if !all && c.State == Good {
		return Check{about, Open, fmt.Sprintf("there are more than %d; those after them do not review by being there", len(members)), "name users or groups under the queue's reviewers too"}
	}
	return c
}

// anyOf looks whether one of several may decide.
func (d *doctor) anyOf(ctx context.Context, about string, members []string, mend string) Check {
	for _, member := range members {
		u, err := d.look(ctx, member)
		switch code := refusal(err); {
		case code == "user_not_found" || code == "user_not_visible":
		case err != nil:
			return refusalCheck(about, err)
		case d.unfit(u) == "":
			return Check{About: about, State: Good, Found: fmt.Sprintf("members: %d; %s is active", len(members), u.Name)}
		}
	}
	return Check{about, Bad, fmt.Sprintf("none of its members may decide (%d)", len(members)), mend}
}
