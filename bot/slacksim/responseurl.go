package slacksim

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"
	"unicode/utf8"
)

// Response is one post to a response_url that was accepted.
type Response struct {
	At      time.Time `json:"at"`
	Channel string    `json:"channel"`
	User    string    `json:"user"`
	// What happened: posted, ephemeral, replaced or deleted.
	What string `json:"what"`
	// TS is the message that was posted, replaced or deleted.
	TS   string `json:"ts"`
	Text string `json:"text,omitempty"`
}

// hook is a response_url: five uses in thirty minutes.
type hook struct {
	channel, user string
	original      string // ts of the clicked message; empty after a slash command
	thread        string
	born          time.Time
	uses          int
}

// newHook issues a response_url.
func (s *Sim) newHook(kind string, h hook) string {
	h.born = s.cfg.Now()
	if h.born.Sub(s.hooksSwept) > hookLife {
		s.hooksSwept = h.born
		maps.DeleteFunc(s.hooks, func(_ string, old *hook) bool { return h.born.Sub(old.born) > 2*hookLife })
	}
	id := s.token()
	s.hooks[id] = &h
	return fmt.Sprintf("%s/hooks/%s/%s/%s", s.baseURL, kind, s.cfg.Team.ID, id)
}

// responseFields are the fields of a response_url's body. The last two rows are what common clients send empty with
// every message.
const responseFields = "text blocks:structure response_type replace_original:boolean delete_original:boolean " +
	"thread_ts metadata:structure mrkdwn:boolean parse link_names:boolean unfurl_links:boolean unfurl_media:boolean " +
	"reply_broadcast:boolean attachments:unsimulated " +
	"channel ts user type client_msg_id:unsimulated files:unsimulated"

// serveHook handles a post to a response_url.
func (s *Sim) serveHook(w http.ResponseWriter, r *http.Request) {
	a, _, err := readArgs(r)
	call := Call{Method: ResponseURL, Args: a.recorded()}
	if err != nil {
		if known, ok := errors.AsType[*apiError](err); ok {
			known.refused = true
			s.finish(r.Context(), w, &call, nil, known)
		}
		return
	}
	fault, faulted := s.takeFault(ResponseURL)
	if faulted {
		call.Fault = fault.String()
		if fault.Delay > 0 && !pause(r.Context(), fault.Delay) {
			return
		}
		if ans, stop := fault.answer(); stop {
			call.Status, call.Error = ans.status, ans.code()
			s.keep(r.Context(), call, nil)
			write(w, ans)
			return
		}
	}
	err = s.useHook(r.PathValue("id"), a)
	var failed *apiError
	switch {
	case faulted && fault.LoseReply != "":
		call.OK, call.Status = err == nil, http.StatusInternalServerError
		s.keep(r.Context(), call, err)
		s.hub.changed()
		if fault.LoseReply == LoseByCut {
			panic(http.ErrAbortHandler) // the server cuts the connection
		}
		write(w, answer{status: http.StatusInternalServerError})
	case errors.As(err, &failed) && (failed.code == "used_url" || failed.code == "expired_url"):
		call.Status, call.Error = http.StatusNotFound, failed.code
		s.keep(r.Context(), call, err)
		write(w, answer{status: http.StatusNotFound, body: failed.body()})
	default:
		s.finish(r.Context(), w, &call, nil, err)
	}
}

func (s *Sim) useHook(id string, a args) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	h, ok := s.hooks[id]
	switch {
	case !ok, s.cfg.Now().Sub(h.born) > hookLife:
		return refuse("expired_url")
	case h.uses >= hookUses:
		return refuse("used_url")
	}
	for _, name := range []string{"blocks", "attachments", "files"} {
		if list, isList := a[name].([]any); isList && len(list) == 0 {
			delete(a, name)
		}
	}
	if err := a.check(arguments(responseFields)); err != nil {
		return err
	}
	body, err := s.readContent(a)
	if err != nil {
		return err
	}
	if utf8.RuneCountInString(body.text) > maxText {
		return refuse("msg_too_long")
	}
	done, err := s.respond(h, a, body)
	if err != nil {
		return err
	}
	h.uses++
	done.At, done.Channel, done.User, done.Text = s.cfg.Now(), h.channel, h.user, body.text
	s.log.responses = keep(s.log.responses, done)
	return nil
}

// respond does what the body asks for: delete or replace the original, or say something new, by default to one user.
func (s *Sim) respond(h *hook, a args, body content) (Response, error) {
	c, ok := s.channels[h.channel]
	if !ok {
		return Response{}, slackError("channel_not_found")
	}
	original := s.find(h.channel, h.original)
	if a.flag("delete_original") {
		if original == nil {
			return Response{}, slackError("message_not_found")
		}
		if original.EphemeralTo == "" {
			s.remove(c, original)
		} else {
			s.ephemeral = slices.DeleteFunc(s.ephemeral, func(m *message) bool { return m == original })
		}
		return Response{What: "deleted", TS: original.TS}, nil
	}
	if body.text == "" && body.blocks == nil {
		return Response{}, refuse("no_text")
	}
	if a.flag("replace_original") && original != nil {
		s.edit(original, body)
		return Response{What: "replaced", TS: original.TS}, nil
	}
	thread := a.str("thread_ts")
	or(&thread, h.thread)
	switch kind := a.str("response_type"); kind {
	case "in_channel":
		return Response{What: "posted", TS: s.addMessage(c, body, thread, false).TS}, nil
	case "ephemeral", "":
		return Response{What: "ephemeral", TS: s.addEphemeral(c.ID, h.user, body, thread).TS}, nil
	default:
		return Response{}, refuse("invalid_arguments", problem{
			text: "must be one of: in_channel, ephemeral", pointer: "/response_type",
		})
	}
}
