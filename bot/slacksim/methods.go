package slacksim

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// method is one Web API method: its scope, its arguments, its calls a minute and what it does. do runs under the Sim's lock.
type method struct {
	scope     scope
	args      map[string]argument
	perMinute int
	do        func(*Sim, args) (map[string]any, error)
}

// Slack's tiers, in calls a minute. Methods with "special" limits allow hundreds.
const (
	tier2   = 20
	tier3   = 50
	tier4   = 100
	special = 300
)

// methods is the table of what is simulated. Arguments are those of Slack's reference; the unsimulated ones are named
// so that the refusal can say that it is the simulator's lack.
func methods() map[string]method {
	const (
		content = " text blocks:structure link_names:boolean parse attachments:unsimulated markdown_text:unsimulated as_user:unsimulated"
		persona = " icon_emoji:unsimulated icon_url:unsimulated username:unsimulated"
		page    = " cursor limit:number"
		span    = " oldest latest inclusive:boolean include_all_metadata:boolean" + page
	)
	// Slack's own client for Node sends team_id with every call; it means something to organisation-wide tokens only.
	const always = " team_id"
	m := func(perMinute int, needs scope, spec string, do func(*Sim, args) (map[string]any, error)) method {
		return method{scope: needs, args: arguments(spec + always), perMinute: perMinute, do: do}
	}
	return map[string]method{
		"api.test":              m(tier4, "", "error", (*Sim).apiTest),
		"apps.connections.open": m(tier3, "", "", (*Sim).connectionsOpen),
		"auth.test":             m(special, "", "", (*Sim).authTest),

		"chat.postMessage": m(special, "chat:write", "channel! thread_ts reply_broadcast:boolean metadata:structure mrkdwn:boolean "+
			"unfurl_links:boolean unfurl_media:boolean current_draft_last_updated_ts:unsimulated"+content+persona, (*Sim).postMessage),
		"chat.update": m(tier3, "chat:write", "channel! ts! metadata:structure reply_broadcast:unsimulated file_ids:unsimulated "+
			"unfurled_attachments:unsimulated"+content, (*Sim).update),
		"chat.delete":        m(tier3, "chat:write", "channel! ts! as_user:unsimulated", (*Sim).deleteMessage),
		"chat.postEphemeral": m(tier4, "chat:write", "channel! user! thread_ts"+content+persona, (*Sim).postEphemeral),
		"chat.getPermalink":  m(special, "", "channel! message_ts!", (*Sim).permalink),

		"conversations.history": m(tier3, "*:history", "channel!"+span, (*Sim).history),
		"conversations.replies": m(tier3, "*:history", "channel! ts!"+span, (*Sim).replies),
		"conversations.info":    m(tier3, "*:read", "channel! include_locale:boolean include_num_members:boolean", (*Sim).conversationInfo),
		"conversations.join":    m(tier3, "channels:join", "channel!", (*Sim).joinConversation),
		"conversations.list":    m(tier2, "*:read", "exclude_archived:boolean types"+page, (*Sim).listConversations),
		"conversations.members": m(tier4, "*:read", "channel!"+page, (*Sim).conversationMembers),
		"conversations.open":    m(tier3, "im:write", "channel users prevent_creation:boolean return_im:boolean", (*Sim).openConversation),

		oauthAccess: m(tier4, "", "client_id! client_secret! grant_type! refresh_token! code:unsimulated redirect_uri:unsimulated", (*Sim).oauthV2Access),

		"users.info":            m(tier4, "users:read", "user! include_locale:boolean", (*Sim).userInfo),
		"usergroups.list":       m(tier2, "usergroups:read", "include_count:boolean include_disabled:boolean include_users:boolean", (*Sim).listGroups),
		"usergroups.users.list": m(tier2, "usergroups:read", "usergroup! include_disabled:boolean", (*Sim).groupMembers),

		"views.open":    m(tier4, "", "trigger_id view!:structure interactivity_pointer:unsimulated", (*Sim).viewsOpen),
		"views.push":    m(tier4, "", "trigger_id view!:structure interactivity_pointer:unsimulated", (*Sim).viewsPush),
		"views.update":  m(tier4, "", "view!:structure view_id external_id hash", (*Sim).viewsUpdate),
		"views.publish": m(tier4, "", "user_id! view!:structure hash", (*Sim).viewsPublish),
	}
}

// answer is one HTTP answer in the making.
type answer struct {
	status     int
	retryAfter time.Duration
	body       map[string]any
}

// letterhead sets the headers of Slack's answers: its clock, and what a good token may do.
func (s *Sim) letterhead(h http.Header, token string) {
	h.Set("Date", s.cfg.Now().UTC().Format(http.TimeFormat))
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, known := s.tokens.access[token]; !known || s.expired(token) {
		return
	}
	h.Set("X-OAuth-Scopes", strings.Join(s.scopes, ","))
}

// serveAPI handles one Web API call: token, faults, rates, arguments, effect, record.
func (s *Sim) serveAPI(w http.ResponseWriter, r *http.Request) {
	s.learnBase(r)
	name := r.PathValue("method")
	a, token, err := readArgs(r)
	call := Call{Method: name, Args: a.recorded()}
	if err != nil {
		var known *apiError
		if !errors.As(err, &known) {
			return // the client went away
		}
		known.refused = true
		s.finish(r.Context(), w, &call, nil, known)
		return
	}
	s.letterhead(w.Header(), token)
	fault, faulted := s.takeFault(name)
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
	result, err := s.run(name, token, a)
	if faulted && fault.LoseReply != "" {
		call.OK, call.Status = err == nil, http.StatusInternalServerError
		s.keep(r.Context(), call, err)
		s.hub.changed()
		if fault.LoseReply == LoseByCut {
			panic(http.ErrAbortHandler) // the server cuts the connection
		}
		write(w, answer{status: http.StatusInternalServerError})
		return
	}
	s.finish(r.Context(), w, &call, result, err)
}

// run does a call's work and returns the fields of its answer.
func (s *Sim) run(name, token string, a args) (map[string]any, error) {
	m, known := s.methods[name]
	if !known {
		return nil, refuse("unknown_method", problem{text: "method not simulated: " + name, pointer: ""})
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.authorize(name, token); err != nil {
		return nil, err
	}
	if s.cfg.Rates == RatesStrict {
		if wait := s.rates.take(name, a.str("channel"), m.perMinute, s.cfg.Now()); wait > 0 {
			return nil, &apiError{code: "ratelimited", retryAfter: wait}
		}
	}
	if err := s.permit(m.scope, a); err != nil {
		return nil, err
	}
	if err := a.check(m.args); err != nil {
		return nil, err
	}
	if err := s.ofTeam(name, a); err != nil {
		return nil, err
	}
	return m.do(s, a)
}

// finish records the call and answers it.
func (s *Sim) finish(ctx context.Context, w http.ResponseWriter, call *Call, result map[string]any, err error) {
	ans := answer{status: http.StatusOK, body: map[string]any{"ok": true}}
	maps.Copy(ans.body, result)
	var failed *apiError
	if err != nil {
		if !errors.As(err, &failed) {
			failed = &apiError{code: "internal_error", problems: []problem{{text: err.Error()}}}
		}
		ans.body, call.Error = failed.body(), failed.code
		if failed.retryAfter > 0 {
			ans.status, ans.retryAfter = http.StatusTooManyRequests, failed.retryAfter
		}
	}
	call.OK, call.Status = err == nil, ans.status
	s.keep(ctx, *call, err)
	write(w, ans)
	s.hub.changed()
}

// code is the error code in an answer, for the record.
func (a answer) code() string { c, _ := a.body["error"].(string); return c }

func write(w http.ResponseWriter, a answer) {
	if a.retryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(wholeSeconds(a.retryAfter)))
	}
	if a.body == nil {
		w.WriteHeader(a.status)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(a.status)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(a.body) // the client may have gone; nobody is left to tell
}

// wholeSeconds rounds up, as Slack's Retry-After does, and is at least 1.
func wholeSeconds(d time.Duration) int {
	return max(1, int((d+time.Second-1)/time.Second))
}

func (s *Sim) apiTest(a args) (map[string]any, error) {
	if code := a.str("error"); code != "" {
		return nil, slackError(code)
	}
	return map[string]any{"args": map[string]any{}}, nil
}

func (s *Sim) authTest(args) (map[string]any, error) {
	out := map[string]any{
		"url":  "https://" + s.cfg.Team.Domain + ".slack.com/",
		"team": s.cfg.Team.Name, "team_id": s.cfg.Team.ID,
		"user": s.cfg.App.Name, "user_id": s.cfg.App.BotUserID, "bot_id": s.cfg.App.BotID,
		"is_enterprise_install": s.cfg.Enterprise.OrgWide,
	}
	if id := s.orgID(); id != nil {
		out["enterprise_id"] = id
	}
	return out, nil
}
