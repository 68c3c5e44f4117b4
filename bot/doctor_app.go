package bot

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/slack-go/slack"
)

// app looks at the token, its scopes and the clock: one call of auth.test tells of all. It sets self if the token is the right one.
func (d *doctor) app(ctx context.Context) []Check {
	var self *slack.AuthTestResponse
	var sent, answered time.Time
	err := patiently(ctx, func() (err error) {
		sent = d.cfg.Now()
		self, err = d.api.authTest(ctx)
		answered = d.cfg.Now()
		return err
	})
	token := d.token(self, err)
	if token.State == Good {
		d.self = self
	}
	checks := []Check{token}
	if self == nil {
		return checks // there was no answer that could tell more
	}
	checks = append(checks, d.expiry()...)
	if err == nil {
		checks = append(checks, scopeCheck(self.Header.Values("X-OAuth-Scopes"), d.cfg.Needs()))
	}
	return append(checks, clockCheck(self.Header, sent, answered))
}

func (d *doctor) token(self *slack.AuthTestResponse, err error) Check {
	const about = "token"
	switch {
	case err != nil:
		c := refusalCheck(about, err)
		if refusal(err) == "" {
			c.Mend = "see whether this machine reaches " + d.cfg.APIURL + ", and whether slack.api_url is right"
		}
		return c
	case self.BotID == "":
		return Check{about, Bad, "it is a user's token, not the app's", `put the "Bot User OAuth Token" into slack.bot_token; it begins with xoxb-`}
	case d.cfg.Team != "" && d.cfg.Team != self.TeamID && d.cfg.Team != self.EnterpriseID:
		return Check{
			about, Bad, fmt.Sprintf("it belongs to workspace %s (%s), and slack.team is %s", self.Team, self.TeamID, d.cfg.Team),
			"put the token of the app in that workspace into slack.bot_token, or this workspace's id into slack.team",
		}
	}
	return Check{About: about, State: Good, Found: fmt.Sprintf("%s (%s) in workspace %s (%s)", self.User, self.UserID, self.Team, self.TeamID)}
}

// expiry tells when the token stops working, if it does.
func (d *doctor) expiry() []Check {
	r := d.api.rotator
	if r == nil {
		return nil
	}
	const about = "token expiry"
	at := r.expires()
	left := at.Sub(d.cfg.Now()).Round(time.Minute)
	found := fmt.Sprintf("it expires at %s, in %s, and is renewed at half of its life", at.UTC().Format(time.RFC3339), left)
	if r.due() {
		return []Check{{about, Open, found + ", which is over", "see whether a service runs, and what it logs about the bot token"}}
	}
	return []Check{{About: about, State: Good, Found: found}}
}

// appToken looks whether Slack gives the app-level token, if there is one, a connection for Socket Mode. None is opened.
func (d *doctor) appToken(ctx context.Context) []Check {
	if d.cfg.AppToken == "" {
		return nil
	}
	const about = "app token"
	err := patiently(ctx, func() error { _, err := d.api.connectionsOpen(ctx); return err })
	switch code := refusal(err); {
	case err == nil:
		return []Check{{About: about, State: Good, Found: "Slack gives it connections for Socket Mode"}}
	case code == "":
		return []Check{refusalCheck(about, err)}
	default:
		return []Check{{about, Bad, "Slack says " + code, socketAdvice(code)}}
	}
}

// scopeCheck holds what Slack says that the token may do against what it needs.
func scopeCheck(header []string, n Needs) Check {
	const about = "scopes"
	if len(header) == 0 {
		return Check{About: about, State: Open, Found: "Slack did not say which the token has"}
	}
	has := strings.FieldsFunc(strings.Join(header, ","), func(r rune) bool { return r == ',' || r == ' ' })
	var lacks, words []string
	for _, s := range n.scopes() {
		if !slices.Contains(has, s.name) {
			lacks = append(lacks, s.name)
			words = append(words, s.name+" is missing, it is needed to "+s.why)
		}
	}
	needed := Scopes(n)
	needless := slices.DeleteFunc(slices.Clone(has), func(name string) bool { return slices.Contains(needed, name) })
	if len(needless) > 0 {
		words = append(words, strings.Join(needless, ", ")+" is more than hitl needs")
	}
	c := Check{About: about, State: Good, Found: strings.Join(words, "; ")}
	switch {
	case len(lacks) > 0:
		c.State, c.Mend = Bad, "add "+strings.Join(lacks, ", ")+` under "OAuth & Permissions" of the app, and install it again`
	case len(needless) > 0:
		c.State, c.Mend = Open, `take it away under "OAuth & Permissions" of the app, unless something else uses the token`
	default:
		c.Found = "all that are needed and no others"
	}
	return c
}

// clockWarns is how far the clock may be off before it is worth a word.
const clockWarns = time.Minute

// clockCheck compares our clock with the one that Slack's answer shows, in whole seconds, between two moments of ours.
func clockCheck(header http.Header, sent, answered time.Time) Check {
	const about, mend = "clock", "set this machine's clock, for instance by NTP"
	shown, err := http.ParseTime(header.Get("Date"))
	if err != nil {
		return Check{About: about, State: Open, Found: "Slack did not say what time it is"}
	}
	const halfSecond = 500 * time.Millisecond // cut off by the header, on average
	ahead := sent.Add(answered.Sub(sent) / 2).Sub(shown.Add(halfSecond)).Round(time.Second)
	off := ahead.Abs()
	which := "ahead of"
	if ahead < 0 {
		which = "behind"
	}
	switch {
	case off >= signatureWindow:
		return Check{about, Bad, fmt.Sprintf("%s %s Slack's: requests more than %s off are refused, so none of Slack's is taken", off, which, signatureWindow), mend}
	case off > clockWarns:
		return Check{about, Open, fmt.Sprintf("%s %s Slack's; from %s on Slack's requests are refused", off, which, signatureWindow), mend}
	case off <= 2*time.Second:
		return Check{About: about, State: Good, Found: "the same as Slack's"}
	}
	return Check{About: about, State: Good, Found: fmt.Sprintf("%s %s Slack's", off, which)}
}
