package bot

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/slack-go/slack"
)

// Check is one thing that was looked at.
type Check struct {
	About string `json:"about"` // "token", "scopes", "app token", "clock", "requests", or "channel", "user", "group" or "members of" and its id
	State State  `json:"state"`
	Found string `json:"found"`          // in words; names in it are Slack's, and not made safe for a terminal
	Mend  string `json:"mend,omitempty"` // what to do about it
}

// State is what a check says.
type State string

// States of checks.
const (
	Good State = "good"
	// Bad means that something does not work.
	Bad State = "bad"
	// Open means that it could not be told, or that it works but is not as it should be.
	Open State = "open"
)

// Examination is what [Examine] looks at beside the bot's configuration.
type Examination struct {
	// Channels are looked at beside those of the queues: what each is for, by id.
	Channels map[string]string
	// Service is the URL at which the running service takes Slack's requests, without the path. Empty: it is not looked at.
	Service string
	// Post posts a message to every channel and deletes it at once. Without it nothing is posted that anybody sees.
	Post bool
}

// Examine looks whether Slack, the app and the configuration fit together, and says of each thing what it found. It needs of a Config
// what is about Slack; the stores may be missing. It stays below Slack's rates, waiting if need be, and leaves room to a running service.
//
// Error: the configuration is not valid, or ctx ended. Whatever is wrong with Slack is a Check.
func Examine(ctx context.Context, cfg Config, e Examination) ([]Check, error) {
	cfg = cfg.withDefaults()
	// A burst and what a minute brings are together what Slack grants in a minute.
	cfg.HistoryRate = Rate{Every: 1500 * time.Millisecond, Burst: 10}
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("examine slack: %w", err)
	}
	d := &doctor{cfg: cfg, api: newAPI(cfg), post: e.Post}
	d.api.rates["users.info"] = Rate{Every: 750 * time.Millisecond, Burst: 20}
	d.api.rates["usergroups.users.list"] = Rate{Every: 4 * time.Second, Burst: 5}

	checks := slices.Concat(d.app(ctx), d.appToken(ctx))
	if d.self != nil {
		checks = append(checks, d.surroundings(ctx, e.Channels)...)
	} else {
		checks = append(checks, Check{About: "channels and reviewers", State: Open, Found: "not looked at: that takes the right token"})
	}
	checks = append(checks, d.service(ctx, e.Service))
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("examine slack: %w", err)
	}
	return checks, nil
}

// doctor is one examination.
type doctor struct {
	cfg  Config
	api  *api
	post bool
	self *slack.AuthTestResponse // nil: the token is not the right one
}

// surroundings looks at channels, users and groups, each kind in turn with its own methods.
func (d *doctor) surroundings(ctx context.Context, more map[string]string) []Check {
	var places, users, groups, members purposes
	for _, name := range slices.Sorted(maps.Keys(d.cfg.Queues)) {
		q := d.cfg.Queues[name]
		places.add("queue "+name, q.Channel)
		users.add("reviews "+name, q.Reviewers.Users...)
		groups.add("reviews "+name, q.Reviewers.Groups...)
		if q.Reviewers.MembersOf != "" {
			members.add("review "+name, q.Reviewers.MembersOf)
		}
		users.add("owns "+name, q.Owners.Users...)
		groups.add("owns "+name, q.Owners.Groups...)
		users.add("adjudicates "+name, q.Adjudicators.Users...)
		groups.add("adjudicates "+name, q.Adjudicators.Groups...)
		if q.Owners.Channel != "" {
			places.add("owners of "+name, q.Owners.Channel)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(more)) {
		places.add(more[id], id)
	}
	var found [3][]Check
	var lanes sync.WaitGroup
	lanes.Go(func() { found[0] = places.each(ctx, d.channel) })
	lanes.Go(func() { found[1] = users.each(ctx, d.user) })
	lanes.Go(func() { found[2] = slices.Concat(groups.each(ctx, d.group), members.each(ctx, d.members)) })
	lanes.Wait()
	return slices.Concat(found[:]...)
}

// purposes are what ids stand in the configuration for, in the order in which they were added.
type purposes struct {
	ids []string
	of  map[string][]string
}

func (p *purposes) add(purpose string, ids ...string) {
	if p.of == nil {
		p.of = map[string][]string{}
	}
	for _, id := range ids {
		if _, known := p.of[id]; !known {
			p.ids = append(p.ids, id)
		}
		p.of[id] = append(p.of[id], purpose)
	}
}

// each looks at every id once.
func (p *purposes) each(ctx context.Context, look func(context.Context, string) Check) []Check {
	var checks []Check
	for _, id := range p.ids {
		if ctx.Err() != nil {
			break
		}
		c := look(ctx, id)
		c.Found = strings.Join(p.of[id], ", ") + ": " + c.Found
		checks = append(checks, c)
	}
	return checks
}

// doctorPatience is how long one answer is waited for in all while Slack, or our pace, says not now.
const doctorPatience = 2 * time.Minute

// patiently makes a call until it is not limited any more.
func patiently(ctx context.Context, do func() error) error {
	for left := doctorPatience; ; {
		err := do()
		pause := rateLimited(err)
		if pause == 0 || pause > left || sleep(ctx, pause) != nil {
			return err
		}
		left -= pause
	}
}

// refusalCheck is the check of a call that brought no success.
func refusalCheck(about string, err error) Check {
	switch code := refusal(err); code {
	case "":
		return Check{about, Bad, fmt.Sprintf("Slack does not answer: %v", err), "try again; if it stays so, see whether this machine reaches Slack"}
	case "missing_scope":
		return Check{about, Open, "cannot be looked at: the app lacks a scope", advice(code)}
	default:
		return Check{about, Bad, "Slack says " + code, advice(code)}
	}
}
