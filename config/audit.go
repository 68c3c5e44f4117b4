package config

import (
	"time"

	"golang.org/x/mod/sumdb/note"
)

// Audit is how an outsider can check the log.
type Audit struct {
	// Key signs the log's checkpoints, "PRIVATE+KEY+…"; `hitl log key ORIGIN` makes one. Empty: nothing is signed, and who owns the database
	// could rewrite the log.
	Key Secret `yaml:"key"`
	// CheckpointEvery is the least time between two checkpoints. What is younger than the last one is not yet bound.
	CheckpointEvery time.Duration `yaml:"checkpoint_every" default:"1m" min:"1s"`
	// AnchorDir is a folder that each checkpoint is written to, a file each; on a bucket with object lock it binds the database's
	// owner too. Empty: checkpoints are kept in Postgres only.
	AnchorDir string `yaml:"anchor_dir"`
	// AnchorURL is posted each checkpoint, as a Standard Webhooks message of type log.checkpoint; callbacks.allow_http, allow_private and timeout
	// hold here too. Empty: nobody is.
	AnchorURL string `yaml:"anchor_url"`
	// AnchorSecret signs what is posted to AnchorURL: "whsec_" and base64.
	AnchorSecret Secret `yaml:"anchor_secret"`
	// AnchorChannel is the id of a Slack channel that the latest checkpoint is posted to once a day, so that many eyes have it. The app must be a
	// member. Empty: none.
	AnchorChannel string `yaml:"anchor_channel"`
}

func (a Audit) validate(ps *problems, allowHTTP bool) {
	checkURL(ps, "audit.anchor_url", a.AnchorURL, allowHTTP)
	checkWebhookSecret(ps, "audit.anchor_secret", a.AnchorSecret)
	switch {
	case a.AnchorURL != "" && a.AnchorSecret.IsZero():
		ps.add("audit.anchor_secret", "is required with anchor_url; `echo whsec_$(openssl rand -base64 32)` makes one")
	case a.AnchorURL == "" && !a.AnchorSecret.IsZero():
		ps.add("audit.anchor_secret", "has a meaning with anchor_url only")
	}
	if a.AnchorChannel != "" && !channelForm.MatchString(a.AnchorChannel) {
		ps.add("audit.anchor_channel", `must be the channel's id, "C…", which stands at the end of "View channel details", not its name`)
	}
	if a.Key.IsZero() {
		for _, f := range []struct{ path, value string }{
			{"audit.anchor_dir", a.AnchorDir}, {"audit.anchor_url", a.AnchorURL}, {"audit.anchor_channel", a.AnchorChannel},
		} {
			if f.value != "" {
				ps.add(f.path, "has a meaning with audit.key only")
			}
		}
		return
	}
	if _, err := note.NewSigner(a.Key.Reveal()); err != nil { // the error itself says nothing more
		ps.add("audit.key", "is no private key; `hitl log key ORIGIN` makes one")
	}
}
