package bot

import (
	"context"

	"github.com/slack-go/slack"

	"hitl"
)

const (
	// actionUndo takes a decision back, for the person whose decision it is.
	actionUndo = "hitl_undo"
	// outcomeUndone says that a decision was taken back.
	outcomeUndone = "undone"
)

// undoable says whether a record's decision can be taken back by the person who made it. Whether its time is over is the database's to say: then
// the record that was read has no such time any more.
func undoable(rec hitl.Record) bool {
	d := rec.Decision
	return d != nil && !erased(rec) && rec.Review != nil && !rec.Review.UndoUntil.IsZero() && (d.Status == hitl.HumanAccepted || d.Status == hitl.HumanCorrected)
}

// undoLine says until when a decision can be taken back; empty when it cannot.
func undoLine(l *language, rec hitl.Record) string {
	if !undoable(rec) {
		return ""
	}
	return l.say("card.undo", "Until", clock(rec.Review.UndoUntil))
}

// undoRow is the way back from a decision, for as long as there is one.
func undoRow(l *language, rec hitl.Record) []slack.Block {
	if !undoable(rec) {
		return nil
	}
	return []slack.Block{slack.NewSectionBlock(mrkdwn(undoLine(l, rec)), nil, slack.NewAccessory(undoButton(l, rec)), slack.SectionBlockOptionBlockID("hitl_undo"))}
}

func undoButton(l *language, rec hitl.Record) *slack.ButtonBlockElement {
	r := ref{Review: rec.Review.ID, Round: rec.Decision.Round}
	return slack.NewButtonBlockElement(actionUndo, r.String(), plain(l.say("card.button.undo")))
}

// undoClick takes a decision back for who clicked. As with a decision, the answer is 200 only when they are told something definite.
func (b *Bot) undoClick(ctx context.Context, in interaction, r ref, scope string) answer {
	channel, ts := in.place()
	where := map[string]string{"surface": "button", "channel": channel, "message": ts}
	rec, no := b.handle(ctx, r, in.reviewer(), func(ctx context.Context) (hitl.Record, error) {
		return b.cfg.Desk.Undo(ctx, r.Review, r.Round, in.reviewer(), where)
	})
	if no != nil {
		return b.tellNotUndone(ctx, in, r, scope, *no)
	}
	b.cfg.Observer.Clicked("button", outcomeUndone)
	if in.Container.IsEphemeral {
		b.refreshSoon(ctx, r.Review)
	}
	if in.ResponseURL == "" {
		return answer{}
	}
	b.spawn(ctx, func(ctx context.Context) {
		if in.Container.IsEphemeral {
			b.replace(ctx, in.ResponseURL, scopedCard(b.languageOf(ctx, in.User.ID), rec, scope))
			return
		}
		b.redrawClicked(ctx, in, rec)
	})
	return answer{}
}

// tellNotUndone tells somebody why a decision stands. A card that offered what is not there any more is drawn anew.
func (b *Bot) tellNotUndone(ctx context.Context, in interaction, r ref, scope string, no result) answer {
	b.cfg.Observer.Clicked("button", no.outcome)
	b.spawn(ctx, func(ctx context.Context) { b.tellOff(ctx, in, scope, no) })
	switch no.outcome {
	case outcomeFailed:
		return notDone()
	case outcomeLost:
		b.refreshSoon(ctx, r.Review)
	}
	return answer{}
}

// notUndone puts into words why the desk did not take a decision back.
func notUndone(rec screened, refused *hitl.UndoError) result {
	res := result{outcome: outcomeLost, rec: rec, words: saying("told.undo.late")}
	switch refused.Why {
	case hitl.UndoNotYours:
		res.outcome = outcomeRefused
		res.words = func(l *language) string {
			if refused.Until.IsZero() {
				return l.say("told.undo.decided_by", "Who", who(l, refused.By))
			}
			return l.say("told.undo.not_yours", "Who", who(l, refused.By), "Until", clock(refused.Until))
		}
	case hitl.UndoReopened:
		res.words = saying("told.undo.reopened")
	case hitl.UndoOpen:
		res.words = saying("told.undo.open")
	case hitl.UndoErased:
		res.words = saying("told.undo.erased")
	case hitl.UndoTooLate:
	}
	return res
}
