package slacksim

import (
	"fmt"
	"time"
)

// How long a trigger_id lives, and how often and how long a response_url works.
const (
	triggerLife = 3 * time.Second
	hookLife    = 30 * time.Minute
	hookUses    = 5
)

// trigger lets the app open one modal for the user who just did something.
type trigger struct {
	user string
	born time.Time
	used bool
	view string // the view it came from, if any
}

// newTrigger issues a trigger_id. Old ones are forgotten long after they expired.
func (s *Sim) newTrigger(user, view string) string {
	now := s.cfg.Now()
	for id, t := range s.triggers {
		if now.Sub(t.born) > hookLife {
			delete(s.triggers, id)
		}
	}
	id := fmt.Sprintf("%d.%d.%s", now.UnixMilli(), len(s.triggers)+1, s.token())
	s.triggers[id] = &trigger{user: user, born: now, view: view}
	return id
}

// checkTrigger finds a usable trigger; the caller marks it used once the call succeeds.
func (s *Sim) checkTrigger(id string) (*trigger, error) {
	t, ok := s.triggers[id]
	switch {
	case id == "":
		return nil, refuse("invalid_arguments", problem{text: "missing required field: trigger_id"})
	case !ok:
		return nil, slackError("invalid_trigger_id")
	case t.used:
		return nil, slackError("exchanged_trigger_id")
	case s.cfg.Now().Sub(t.born) > triggerLife:
		return nil, slackError("expired_trigger_id")
	}
	return t, nil
}
