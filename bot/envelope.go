package bot

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/slack-go/slack"
)

// maxAck is the size in bytes of an acknowledgement that Slack still takes; larger ones it drops without a word.
const maxAck = 20479

// envelope is a frame of Slack's over Socket Mode.
type envelope struct {
	Type    string          `json:"type"`
	ID      string          `json:"envelope_id"`
	Accepts bool            `json:"accepts_response_payload"`
	Payload json.RawMessage `json:"payload"`
	Reason  string          `json:"reason"` // of disconnect
}

// acknowledgement is what Slack is told about an envelope.
type acknowledgement struct {
	ID      string `json:"envelope_id"`
	Payload any    `json:"payload,omitempty"`
}

// parseEnvelope reads a frame. One whose fields are not what they should be is read as far as possible: what has an id can be acknowledged.
func parseEnvelope(frame []byte) (envelope, error) {
	var e envelope
	err := json.Unmarshal(frame, &e)
	if err == nil && e.Type == "" {
		err = errors.New("it has no type")
	}
	if err != nil {
		return e, fmt.Errorf("read frame: %w", err)
	}
	return e, nil
}

// frame takes one frame. What asks for work is worked on beside the reading, since the next frame may be somebody else's click.
func (s *socket) frame(ctx context.Context, c *conn, raw []byte) {
	b := s.b
	e, err := parseEnvelope(raw)
	switch {
	case err != nil:
		b.cfg.Observer.Clicked("request", "unreadable")
		b.log.ErrorContext(ctx, "slack sent a frame that cannot be read", "bytes", len(raw))
		if e.ID != "" {
			s.acknowledge(ctx, c, e, nil)
		}
	case e.Type == "hello":
	case e.Type == "disconnect" && e.Reason == "link_disabled":
		c.part(&reasonError{e.Reason})
	case e.Type == "disconnect":
		if c.until.IsZero() {
			c.until = time.Now().Add(lingerTime)
		}
		c.part(nil)
	case e.ID == "":
		b.log.InfoContext(ctx, "slack sent a frame that asks for nothing", "type", metricWord(e.Type))
	default:
		s.working.start()
		go func() {
			defer s.working.end()
			s.work(context.WithoutCancel(ctx), c, e)
		}()
	}
}

// work carries an envelope out and acknowledges it.
//
// An acknowledgement is Socket Mode's 200: it is given after the commit and not before. What HTTP answers 503, because a decision could not be
// recorded, is not acknowledged at all: after 3 s Slack shows the reviewer the warning that it shows for a 503, and an
// acknowledgement would look like success. What came before is not acknowledged either, as HTTP answers it 409: the first delivery has
// the answer. What cannot be read, or is of no use to us, is acknowledged and reported: another delivery would not make it better.
func (s *socket) work(ctx context.Context, c *conn, e envelope) {
	b := s.b
	ctx, cancel := context.WithTimeout(ctx, b.cfg.AnswerWithin)
	defer cancel()
	var a answer
	switch e.Type {
	case "interactive":
		if !b.first(ctx, socketMode, "envelope/"+e.ID) {
			return
		}
		a = b.interaction(ctx, e.Payload)
	case "slash_commands":
		if !b.first(ctx, socketMode, "envelope/"+e.ID) {
			return
		}
		a = b.commandEnvelope(ctx, e.Payload)
	case "events_api":
		a = b.event(ctx, e.Payload)
	default:
		b.cfg.Observer.Clicked("request", "unknown")
		b.log.WarnContext(ctx, "slack sent an envelope of a type that this app does not know", "type", metricWord(e.Type))
	}
	switch {
	case a.status == http.StatusBadRequest:
		b.cfg.Observer.Clicked("request", "unreadable")
		b.log.ErrorContext(ctx, "slack sent an envelope whose payload cannot be read", "type", metricWord(e.Type), "bytes", len(e.Payload))
		s.acknowledge(ctx, c, e, nil)
	case a.status != 0 && a.status != http.StatusOK:
		b.cfg.Observer.Clicked("request", "unacknowledged")
		b.log.WarnContext(ctx, "an envelope was not acknowledged, since it could not be carried out", "type", e.Type)
	default:
		s.acknowledge(ctx, c, e, a.body)
	}
}

// commandEnvelope carries out a slash command.
func (b *Bot) commandEnvelope(ctx context.Context, payload []byte) answer {
	c, ok := parseCommandEnvelope(payload)
	if !ok {
		return answer{status: http.StatusBadRequest}
	}
	return b.command(ctx, c)
}

// parseCommandEnvelope reads as much of a slash command as we use: the fields of the form as JSON, texts all of them. slack-go's own type
// wants a boolean among them and fails.
func parseCommandEnvelope(payload []byte) (slack.SlashCommand, bool) {
	var c struct {
		TeamID       string `json:"team_id"`
		EnterpriseID string `json:"enterprise_id"`
		ChannelID    string `json:"channel_id"`
		UserID       string `json:"user_id"`
		Command      string `json:"command"`
		Text         string `json:"text"`
		ResponseURL  string `json:"response_url"`
		TriggerID    string `json:"trigger_id"`
	}
	if json.Unmarshal(payload, &c) != nil || c.Command == "" {
		return slack.SlashCommand{}, false
	}
	return slack.SlashCommand{
		TeamID: c.TeamID, EnterpriseID: c.EnterpriseID, ChannelID: c.ChannelID, UserID: c.UserID, Command: c.Command, Text: c.Text,
		ResponseURL: c.ResponseURL, TriggerID: c.TriggerID,
	}, true
}

// acknowledge says that an envelope was carried out, on its own connection or, when that is gone, on any other: Slack knows it by its id.
// When Slack is about to close its own, it is said on another too, since what is written to a connection that ends may not arrive.
func (s *socket) acknowledge(ctx context.Context, c *conn, e envelope, body any) {
	b := s.b
	frame, err := b.encodeAck(ctx, e, body)
	if err != nil {
		b.cfg.Observer.Clicked("request", "unacknowledged")
		b.log.ErrorContext(ctx, "an answer cannot be put into an acknowledgement", "type", metricWord(e.Type), "error", err)
		return
	}
	told, errs := false, []error{errors.New("no connection works")}
	for _, way := range s.ways(c) {
		if err := way.write(frame); err != nil {
			errs = append(errs, err)
			continue
		}
		if told = true; way != c || !c.leaving() {
			return
		}
	}
	if told {
		return
	}
	b.cfg.Observer.Clicked("request", "unacknowledged")
	b.log.ErrorContext(ctx, "an envelope was carried out, and slack could not be told", "type", metricWord(e.Type), "error", errors.Join(errs...))
}

// encodeAck writes an acknowledgement that Slack takes. What it would not take is cut: labels to choose from become fewer, and typing on
// brings the others; the answer to a command goes to its response_url. The error is for what can be said in no other way: an
// acknowledgement without it would look like success.
func (b *Bot) encodeAck(ctx context.Context, e envelope, body any) ([]byte, error) {
	frame, err := marshalAck(e.ID, body)
	if err != nil || body == nil || (e.Accepts && len(frame) <= maxAck) {
		return frame, err
	}
	switch body := body.(type) {
	case typeahead:
		for n := len(body.Options) / 2; e.Accepts && n > 0; n /= 2 {
			if frame, err = marshalAck(e.ID, typeahead{body.Options[:n]}); err != nil || len(frame) <= maxAck {
				return frame, err
			}
		}
		return marshalAck(e.ID, nil)
	case response:
		c, ok := parseCommandEnvelope(e.Payload)
		if !ok {
			break
		}
		b.spawn(ctx, func(ctx context.Context) {
			b.whisper(ctx, c.ResponseURL, c.ChannelID, c.UserID, message{Text: body.Text, Blocks: body.Blocks})
		})
		return marshalAck(e.ID, nil)
	}
	return nil, fmt.Errorf("a %T of %d bytes", body, len(frame))
}

// marshalAck writes an acknowledgement. Nothing is escaped for HTML: that would only take room.
func marshalAck(id string, body any) ([]byte, error) {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(acknowledgement{id, body}); err != nil {
		return nil, fmt.Errorf("encode acknowledgement: %w", err)
	}
	return bytes.TrimRight(out.Bytes(), "\n"), nil
}
