package bot

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"

	"github.com/slack-go/slack"

	"hitl"
)

// interaction is as much of an interactivity payload as we read. It is ours because slack-go's decodes the whole message that was
// clicked, and fails with it on any block that it does not know.
type interaction struct {
	Type        string      `json:"type"`
	Team        idField     `json:"team"`
	Enterprise  idField     `json:"enterprise"`
	User        userField   `json:"user"`
	TriggerID   string      `json:"trigger_id"`
	ResponseURL string      `json:"response_url"`
	Channel     idField     `json:"channel"`
	Container   container   `json:"container"`
	Actions     []action    `json:"actions"`
	View        interactive `json:"view"`
	// Of message_action:
	CallbackID string  `json:"callback_id"`
	MessageTS  string  `json:"message_ts"`
	Message    actedOn `json:"message"`
	// Of block_suggestion:
	ActionID string `json:"action_id"`
	BlockID  string `json:"block_id"`
	Value    string `json:"value"`

	// who acts, as rights.identify knows them.
	who hitl.Reviewer
}

type idField struct {
	ID string `json:"id"`
}

type userField struct {
	ID     string `json:"id"`
	TeamID string `json:"team_id"`
}

type container struct {
	MessageTS string `json:"message_ts"`
	ChannelID string `json:"channel_id"`
	// IsEphemeral: only who clicked sees the message.
	IsEphemeral bool `json:"is_ephemeral"`
}

// actedOn is the message that a shortcut was chosen on.
type actedOn struct {
	Thread string `json:"thread_ts"`
}

type action struct {
	ActionID string `json:"action_id"`
	BlockID  string `json:"block_id"`
	Value    string `json:"value"`
	chosen
}

type interactive struct {
	ID              string `json:"id"`
	Type            string `json:"type"`
	Hash            string `json:"hash"`
	CallbackID      string `json:"callback_id"`
	PrivateMetadata string `json:"private_metadata"`
	State           struct {
		Values map[string]map[string]field `json:"values"`
	} `json:"state"`
}

type field struct {
	Value string `json:"value"`
	chosen
}

// chosen is what was chosen among options, the one or the several.
type chosen struct {
	SelectedOption  choice   `json:"selected_option"`
	SelectedOptions []choice `json:"selected_options"`
}

type choice struct {
	Value string `json:"value"`
}

// input returns what was entered or chosen in a field of a view.
func (v interactive) input(block, action string) string {
	f := v.State.Values[block][action]
	if f.SelectedOption.Value != "" {
		return f.SelectedOption.Value
	}
	return f.Value
}

// parseInteraction reads a payload and makes sure that somebody is behind it.
func parseInteraction(payload []byte) (interaction, bool) {
	var in interaction
	if json.Unmarshal(payload, &in) != nil || !slackUser(in.User.ID) {
		return interaction{}, false
	}
	return in, true
}

// reviewer is the person behind a payload.
func (in interaction) reviewer() hitl.Reviewer { return in.who }

// claims is whom a payload says to be behind it. A stranger in a shared channel has a team of their own.
func (in interaction) claims() hitl.Reviewer {
	return claimed(in.User.ID, in.User.TeamID, in.Team.ID, in.Enterprise.ID)
}

// claimed is a user of the first team that Slack names.
func claimed(user string, teams ...string) hitl.Reviewer {
	return hitl.Reviewer{Team: cmp.Or(teams...), User: user}
}

// place is the message that a click came from.
func (in interaction) place() (channel, ts string) {
	channel = in.Container.ChannelID
	if channel == "" {
		channel = in.Channel.ID
	}
	return channel, in.Container.MessageTS
}

// interaction carries out one interactivity payload, over whatever transport it came.
func (b *Bot) interaction(ctx context.Context, payload []byte) answer {
	in, ok := parseInteraction(payload)
	if !ok {
		b.log.WarnContext(ctx, "slack sent a payload that cannot be read", "bytes", len(payload))
		return answer{status: http.StatusBadRequest}
	}
	if in.Type != "view_closed" {
		in.who = b.identified(ctx, in.claims())
	}
	switch in.Type {
	case "block_actions":
		return b.click(ctx, in)
	case "message_action":
		return b.shortcut(ctx, in)
	case "view_submission":
		return b.submit(ctx, in)
	case "block_suggestion":
		return b.suggest(ctx, in)
	case "view_closed":
		return answer{}
	}
	b.log.WarnContext(ctx, "slack sent a payload of a type that this app does not use", "type", metricWord(in.Type))
	return answer{}
}

// typeahead is the answer to a type-ahead.
type typeahead struct {
	Options []*slack.OptionBlockObject `json:"options"`
}

// suggest answers the type-ahead of the label select. Without an answer Slack shows that there is none, so trouble goes to the log.
func (b *Bot) suggest(ctx context.Context, in interaction) answer {
	none := answer{body: typeahead{[]*slack.OptionBlockObject{}}}
	_, r, ok := parseViewData(in.View.PrivateMetadata)
	if !ok || in.ActionID != fieldLabel {
		return none
	}
	rec, err := b.state(ctx, r.Review)
	if err == nil && rec.Review != nil {
		err = b.rights.reader(ctx, in.reviewer(), rec.Record)
	}
	if err != nil {
		b.log.WarnContext(ctx, "no labels to suggest", "review", r.Review, "error", err)
		return none
	}
	l, _ := b.knownLanguage(ctx, in.User.ID)
	return answer{body: typeahead{labelOptions(l, rec.Labels, in.Value)}}
}
