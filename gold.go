package hitl

import (
	"context"
	"crypto/rand"
	"fmt"
	"math/big"
	"slices"
	"time"
)

// Known answers measure reviewers: a copy of a text whose right label is known is put before them from time to time, as an item like any other.

// Kinds of notices about known answers. Data has "right" and "of", numbers; "low" and "high", the interval of the share in percent, where there are
// MinGold answers; "since" and "until" (RFC 3339). NoticeGoldPrivate, to the person, has "missed" besides: a JSON list of MissedGold.
// NoticeGoldOwners has "reviewer", a user's id. It is written only when the person was told.
const (
	NoticeGoldPrivate NoticeKind = "gold_private"
	NoticeGoldOwners  NoticeKind = "gold_owners"
)

// MinGold is how many known answers it takes to say anything of whoever gave them.
const MinGold = 10

// MaxMissedGold is how many of the answers that were not the known ones a person is shown.
const MaxMissedGold = 10

// MissedGold is an answer that was not the known one. The text is not in it: a message is out of erasure's reach.
type MissedGold struct {
	ReviewID string `json:"review"`
	Said     string `json:"said"`
	Known    string `json:"known"`
}

// Master is a text whose right label is known.
type Master struct {
	ID       string // "gld_…"
	Queue    string // where copies of it are shown
	Label    string // the right one
	Text     string
	Metadata map[string]any
	Subject  string // as an item's
	FromItem string // whose text it is; empty: it was written down
	AddedBy  string
	AddedAt  time.Time
}

// Check refuses what can be no item. Errors are *InvalidError.
func (m Master) Check() error {
	if m.Label == "" {
		return &InvalidError{"label", "is missing; a known answer is one"}
	}
	_, err := Submission{Text: m.Text, Metadata: m.Metadata, Subject: m.Subject}.item(time.Time{})
	return err
}

// Gold says of an item that it is a copy of a master.
type Gold struct {
	Master   string // its id
	Label    string // the right one
	FromItem string // the master's
	ShownAs  string // the external id that people see
}

// Masters is the part of the system of record that Intake needs to mix in known answers.
type Masters interface {
	// DrawMaster returns one of a queue's masters that were not drawn for longest, and notes that it was. Error: ErrNotFound when there are none.
	DrawMaster(ctx context.Context, queue string) (Master, error)
}

// mixGold puts a known answer behind a review, if its queue's share draws one. It is classified and routed as if the same source had sent it. Trouble,
// or a crash, means one less of them: nobody waits for it.
func (in *Intake) mixGold(ctx context.Context, source Source, drawn Record) {
	share := in.Queues[drawn.Review.Queue].GoldShare
	if in.Masters == nil || !(uniform("gold", drawn.Review.ID) < share) {
		return
	}
	if err := in.addGold(ctx, source, drawn); err != nil {
		in.Logger.InfoContext(ctx, "no known answer was mixed in", "queue", drawn.Review.Queue, "error", err)
	}
}

func (in *Intake) addGold(ctx context.Context, source Source, drawn Record) error {
	m, err := in.Masters.DrawMaster(ctx, drawn.Review.Queue)
	if err != nil {
		return fmt.Errorf("draw known answer: %w", err)
	}
	s := Submission{Source: drawn.Item.Source, Text: m.Text, Metadata: m.Metadata, Subject: m.Subject}
	item, err := s.item(in.Now().UTC().Truncate(time.Microsecond))
	if err != nil {
		return err
	}
	rec := Record{Item: item, Classifier: source.Classifier, Gold: &Gold{Master: m.ID, Label: m.Label, FromItem: m.FromItem}}
	if drawn.Item.ExternalID != drawn.Item.ID {
		rec.Gold.ShownAs = lookalike(drawn.Item.ExternalID)
	}
	source.Policy = goldPolicy{source.Policy, drawn.Review.Queue}
	if err := in.classifyAndRoute(ctx, source, &rec); err != nil {
		return err
	}
	if rec.Review == nil || rec.Review.Queue != drawn.Review.Queue || !slices.Contains(rec.Labels, m.Label) {
		return fmt.Errorf("known answer %s: no item like it comes to this queue from source %q", m.ID, s.Source)
	}
	if _, _, err := in.append(ctx, rec, nil); err != nil {
		return fmt.Errorf("record item: %w", err)
	}
	in.wait(ctx, *rec.Review)
	return nil
}

// goldPolicy has a text reviewed of which the model is sure, where such texts are reviewed as samples.
type goldPolicy struct {
	Policy
	queue string
}

// Route implements Policy.
func (p goldPolicy) Route(item Item, prediction Prediction, failure error) Route {
	r := p.Policy.Route(item, prediction, failure)
	if r.Status == AIAccepted && r.Inclusion > 0 {
		r.Status, r.Triggers, r.Queue, r.Priority = HumanReview, []Trigger{TriggerSample}, p.queue, PrioritySample
	}
	return r
}

// lookalike makes an id of the same form: of a number the last digits differ, of a word with digits in it all.
func lookalike(id string) string {
	out := []byte(id)
	for i := 0; i < len(out); {
		j, digits := i, 0
		for ; j < len(out) && class(out[j]) != ""; j++ {
			if out[j] <= '9' {
				digits++
			}
		}
		from := i
		switch digits {
		case 0:
			from = j
		case j - i:
			from = max(i, j-3)
		}
		for k := from; k < j; k++ {
			set := class(out[k])
			n, _ := rand.Int(rand.Reader, big.NewInt(int64(len(set)))) // crypto/rand never fails since Go 1.24
			out[k] = set[n.Int64()]
		}
		i = j + 1
	}
	return string(out)
}

// class returns the characters that look like one; none for what stays.
func class(c byte) string {
	for _, set := range []string{"0123456789", "abcdef", "ABCDEF", "ghijklmnopqrstuvwxyz", "GHIJKLMNOPQRSTUVWXYZ"} {
		if slices.Contains([]byte(set), c) {
			return set
		}
	}
	return ""
}
