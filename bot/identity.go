package bot

import (
	"context"
	"errors"
	"fmt"

	"github.com/slack-go/slack"

	"hitl"
)

// identify makes one person one reviewer, whatever they click and wherever in an organisation they sit: of the bot's own workspace's or
// organisation's people the team is the one that auth.test names, and the user's id, of which an organisation gives each person one, stays.
// Somebody of a sister workspace counts as the organisation's when users.info says so; what a payload says of an organisation does not, since
// it is the installation's even where a stranger clicks. Strangers, and people of whom Slack says nothing, keep what the payload says, which
// member refuses.
//
// Error: Slack did not say; the answer is who then too, and the rights refuse it or do not know either.
func (r *rights) identify(ctx context.Context, who hitl.Reviewer) (hitl.Reviewer, error) {
	self, err := r.self(ctx)
	if err != nil {
		return who, fmt.Errorf("learn workspace: %w", err)
	}
	ours := hitl.Reviewer{Team: homeTeam(self), User: who.User}
	switch {
	case who.Team == "" || who.User == "":
		return who, nil
	case who.Team == self.TeamID || who.Team == self.EnterpriseID:
		return ours, nil
	case self.EnterpriseID == "":
		return who, nil
	}
	p, err := r.people.get(ctx, who.User)
	if err != nil {
		return who, fmt.Errorf("look up user: %w", err)
	}
	if p.Active {
		return ours, nil
	}
	return who, nil
}

// homeTeam is the team of all whom the bot knows as its own: the workspace that auth.test names, which is the organisation where the app is
// installed in all of it.
func homeTeam(self *slack.AuthTestResponse) string {
	if self.TeamID == "" {
		return self.EnterpriseID
	}
	return self.TeamID
}

// workspaceOf is the team_id that methods listing a workspace's things need with an organisation's token; empty where none is needed, or none
// is known.
func workspaceOf(self *slack.AuthTestResponse) string {
	if self.EnterpriseID == "" || self.TeamID == self.EnterpriseID {
		return ""
	}
	return self.TeamID
}

// errUnidentified says that somebody was not known when they acted, and is now.
var errUnidentified = errors.New("who acts was not known in time")

// home says whether a user is of the bot's workspace, or of its organisation; Slack need not say.
func home(u *slack.User, self *slack.AuthTestResponse) bool {
	if u.TeamID == "" || u.TeamID == self.TeamID {
		return true
	}
	return self.EnterpriseID != "" && (u.TeamID == self.EnterpriseID || u.Enterprise.EnterpriseID == self.EnterpriseID)
}

// member makes sure that somebody comes from the bot's workspace or organisation. Errors: *notAllowedError; others mean that Slack did not say.
func (r *rights) member(ctx context.Context, who hitl.Reviewer) error {
	same, err := r.identify(ctx, who)
	if err != nil {
		return err
	}
	if same != who {
		return errUnidentified
	}
	self, err := r.self(ctx)
	if err != nil {
		return fmt.Errorf("learn workspace: %w", err)
	}
	if who.Team != homeTeam(self) {
		return &notAllowedError{saying("told.members_only")}
	}
	return nil
}

// identified is identify for what goes on to the rights: what Slack does not say now, they find out for themselves.
func (b *Bot) identified(ctx context.Context, who hitl.Reviewer) hitl.Reviewer {
	known, err := b.rights.identify(ctx, who)
	if err != nil {
		b.log.InfoContext(ctx, "slack did not say who acts", "reviewer", who, "error", err)
	}
	return known
}
