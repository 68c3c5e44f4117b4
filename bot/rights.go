package bot

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/slack-go/slack"

	"hitl"
)

// person is what Slack says of a user, as far as rights and language go.
type person struct {
	Active bool   // of this workspace, not deactivated, no bot
	Guest  bool   // sees some channels only
	Locale string // like "de-DE"; empty when Slack does not say
	Zone   string // like "Europe/Berlin"; empty when Slack does not say
}

// rights says who may decide. What Slack answers is believed for Config.MembersFor.
type rights struct {
	api    *api
	queues map[string]Queue

	identity *cache[*slack.AuthTestResponse]
	groups   *cache[[]string]
	members  *cache[[]string] // of channels
	people   *cache[person]
}

func newRights(cfg Config, a *api, spawn spawner) *rights {
	r := &rights{api: a, queues: cfg.Queues}
	forever := cfg
	const century = 100 * 365 * 24 * 3600 * 1e9 // a token's workspace does not change
	forever.MembersFor, forever.MembersAtMost = century, century
	r.identity = newCache(forever, spawn, func(ctx context.Context, _ string) (*slack.AuthTestResponse, error) {
		self, err := a.authTest(ctx)
		if err == nil && cfg.Team != "" && self.TeamID != cfg.Team && self.EnterpriseID != cfg.Team {
			return nil, fmt.Errorf("the bot token belongs to workspace %s and not to %s, as configured", self.TeamID, cfg.Team)
		}
		return self, err
	})
	r.groups = newCache(cfg, spawn, func(ctx context.Context, group string) ([]string, error) {
		self, err := r.self(ctx)
		if err != nil {
			return nil, fmt.Errorf("learn workspace: %w", err)
		}
		users, err := a.groupMembers(ctx, group, workspaceOf(self))
		if refusal(err) == "no_such_subteam" {
			cfg.Logger.ErrorContext(ctx, "a queue's reviewers name a user group that does not exist", "group", group, "advice", advice("no_such_subteam"))
			return nil, nil
		}
		return users, err
	})
	r.members = newMembers(cfg, a, spawn)
	r.people = newCache(cfg, spawn, func(ctx context.Context, id string) (person, error) {
		u, err := a.user(ctx, id)
		switch refusal(err) {
		case "user_not_found", "user_not_visible":
			return person{}, nil
		}
		if err != nil {
			return person{}, err
		}
		self, err := r.self(ctx)
		if err != nil {
			return person{}, fmt.Errorf("learn workspace: %w", err)
		}
		return person{
			Active: !u.Deleted && !u.IsBot && !u.IsStranger && home(u, self), Guest: u.IsRestricted || u.IsUltraRestricted, Locale: u.Locale, Zone: u.TZ,
		}, nil
	})
	return r
}

// self returns what Slack says of the bot itself.
func (r *rights) self(ctx context.Context) (*slack.AuthTestResponse, error) {
	return r.identity.get(ctx, "")
}

// notAllowedError says that a person may not do what they asked for; it is shown to them.
type notAllowedError struct{ why words }

func (e *notAllowedError) Error() string { return "not allowed" }

// reviewer makes sure, at this moment, that somebody may decide the reviews of a queue. Errors as member's.
func (r *rights) reviewer(ctx context.Context, who hitl.Reviewer, queue string) error {
	q, ok := r.queues[queue]
	if !ok {
		return &notAllowedError{func(l *language) string {
			return l.say("told.queue_gone", "Queue", code(l, queue, maxNameUnits))
		}}
	}
	if err := r.member(ctx, who); err != nil {
		return err
	}
	listed, err := r.listed(ctx, who.User, q.Reviewers)
	if err != nil {
		return err
	}
	if !listed {
		return &notAllowedError{func(l *language) string {
			return l.say("told.no_reviewer", "Queue", code(l, queue, maxNameUnits))
		}}
	}
	_, err = r.active(ctx, who.User)
	return err
}

// owner makes sure, at this moment, that somebody runs a queue. Errors as member's.
func (r *rights) owner(ctx context.Context, who hitl.Reviewer, queue string) error {
	q, ok := r.queues[queue]
	if !ok {
		return &notAllowedError{func(l *language) string {
			return l.say("told.queue_gone", "Queue", code(l, queue, maxNameUnits))
		}}
	}
	if err := r.member(ctx, who); err != nil {
		return err
	}
	listed, err := r.listed(ctx, who.User, Reviewers{Users: q.Owners.Users, Groups: q.Owners.Groups})
	if err != nil {
		return err
	}
	if !listed {
		return &notAllowedError{func(l *language) string {
			return l.say("told.no_owner", "Queue", code(l, queue, maxNameUnits))
		}}
	}
	_, err = r.active(ctx, who.User)
	return err
}

// insider makes sure that somebody may know about all queues: a member of the workspace who is no guest. Errors as member's.
func (r *rights) insider(ctx context.Context, who hitl.Reviewer) error {
	if err := r.member(ctx, who); err != nil {
		return err
	}
	p, err := r.active(ctx, who.User)
	if err == nil && p.Guest {
		return &notAllowedError{saying("told.no_guests")}
	}
	return err
}

// active makes sure that a user is somebody at work here now.
func (r *rights) active(ctx context.Context, user string) (person, error) {
	p, err := r.people.get(ctx, user)
	if err != nil {
		return person{}, fmt.Errorf("look up user: %w", err)
	}
	if !p.Active {
		return person{}, &notAllowedError{saying("told.active_only")}
	}
	return p, nil
}

// listed says whether a user is among the reviewers, directly, through a group or as a member of a channel. A group or channel that cannot be read
// matters only when no other one names the user.
func (r *rights) listed(ctx context.Context, user string, rs Reviewers) (bool, error) {
	if slices.Contains(rs.Users, user) {
		return true, nil
	}
	var errs []error
	for _, g := range rs.Groups {
		members, err := r.groups.get(ctx, g)
		if err != nil {
			errs = append(errs, fmt.Errorf("read user group: %w", err))
			continue
		}
		if slices.Contains(members, user) {
			return true, nil
		}
	}
	if rs.MembersOf != "" {
		members, err := r.members.get(ctx, rs.MembersOf)
		if err != nil {
			errs = append(errs, fmt.Errorf("read channel's members: %w", err))
		} else if slices.Contains(members, user) {
			return true, nil
		}
	}
	return false, errors.Join(errs...)
}
