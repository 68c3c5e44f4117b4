package bot

import (
	"context"
	"encoding/json"
	"net/http"
)

// eventHomeOpened says that somebody opened the app.
const eventHomeOpened = "app_home_opened"

// event is as much of a request of the Events API as we read: the same over HTTP and over Socket Mode.
type event struct {
	Type       string     `json:"type"`
	Challenge  string     `json:"challenge"`
	Team       string     `json:"team_id"`
	Enterprise string     `json:"enterprise_id"`
	Event      innerEvent `json:"event"`
}

type innerEvent struct {
	Type string `json:"type"`
	User string `json:"user"`

	// Of message:
	Subtype string `json:"subtype"`
	BotID   string `json:"bot_id"`
	Channel string `json:"channel"`
	TS      string `json:"ts"`
	Thread  string `json:"thread_ts"`
	Text    string `json:"text"`

	Tab  string `json:"tab"` // of app_home_opened
	View struct {
		PrivateMetadata string `json:"private_metadata"`
	} `json:"view"` // of app_home_opened: what is shown, if anything was
}

// event takes one request of the Events API. Slack sends one that is not answered again; what is done here may be done twice.
func (b *Bot) event(ctx context.Context, body []byte) answer {
	var e event
	if json.Unmarshal(body, &e) != nil {
		return answer{status: http.StatusBadRequest}
	}
	switch {
	case e.Type == "url_verification":
		return answer{body: map[string]string{"challenge": e.Challenge}}
	case e.Event.Type == eventHomeOpened && e.Event.Tab == "home" && slackUser(e.Event.User):
		b.spawn(ctx, func(ctx context.Context) {
			who := b.identified(ctx, claimed(e.Event.User, e.Team, e.Enterprise))
			b.showHome(ctx, who, parseHomeState(e.Event.View.PrivateMetadata), nil)
		})
	case e.Event.reply():
		return b.note(ctx, e)
	}
	return answer{}
}
