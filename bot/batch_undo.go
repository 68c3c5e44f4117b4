package bot

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"hitl"
)

// actionBatchUndo takes back what a batch decided, as far as there is time for it.
const actionBatchUndo = actionBatch + "undo"

// undoBatchClick takes a batch back: of a home tab it is shown there what stands now, in a modal it is said.
func (b *Bot) undoBatchClick(ctx context.Context, in interaction, id string) answer {
	b.spawn(ctx, func(ctx context.Context) {
		undoing, cancel := context.WithTimeout(ctx, batchTime)
		defer cancel()
		out, err := b.undoBatch(undoing, in.reviewer(), id)
		if err != nil {
			b.log.ErrorContext(ctx, "batch not loaded to be undone", "batch", id, "user", in.User.ID, "error", err)
		}
		showing, done := context.WithTimeout(context.WithoutCancel(ctx), batchViewTime)
		defer done()
		l := b.languageOf(showing, in.User.ID)
		state := homeState{Queue: out.queue}
		if in.View.Type == "home" {
			state = homeStateOf(in.View)
			state.said = func(l *language) string { return undoneWords(l, out, err) }
		} else {
			b.setView(showing, in.View.ID, notice(l, l.say("batch.undo.title"), undoneWords(l, out, err), viewData{}))
		}
		b.showHome(showing, in.reviewer(), state, nil)
	})
	return answer{}
}

// batchUndone is what became of taking a batch back.
type batchUndone struct {
	queue              string
	undone, kept, open int // open: it is not known what became of them
}

// undoBatch takes back the decisions of a batch, each on its own: those that are somebody's own, and whose time is not over.
func (b *Bot) undoBatch(ctx context.Context, who hitl.Reviewer, id string) (out batchUndone, err error) {
	batches, err := b.cfg.Lists.Batches(ctx, who)
	if err != nil {
		return out, fmt.Errorf("read batches: %w", err)
	}
	i := slices.IndexFunc(batches, func(o hitl.Batch) bool { return o.ID == id })
	if i < 0 {
		return out, nil
	}
	out.queue = batches[i].Queue
	if err := b.rights.reviewer(ctx, who, out.queue); err != nil {
		return out, err
	}
	for _, r := range batches[i].Reviews {
		_, err := b.cfg.Desk.Undo(ctx, r.ID, r.Round, who, map[string]string{"surface": "batch", "batch": id})
		_, refused := errors.AsType[*hitl.UndoError](err)
		outcome := "undone"
		switch {
		case err == nil:
			out.undone++
		case refused:
			outcome = outcomeLost
			out.kept++
		default:
			outcome = outcomeFailed
			out.open++
			b.log.ErrorContext(ctx, "decision of a batch not undone", "review", r.ID, "reviewer", who, "error", err)
		}
		b.cfg.Observer.Clicked("batch", outcome)
	}
	return out, nil
}

// undoneWords says what became of taking a batch back.
func undoneWords(l *language, out batchUndone, err error) string {
	var no *notAllowedError
	switch {
	case errors.As(err, &no):
		return no.why(l)
	case err != nil || out.open > 0:
		return l.say("batch.undo.failed", "N", out.undone)
	case out.kept > 0:
		return l.say("batch.undo.some", "N", out.undone, "Kept", out.kept)
	case out.undone == 0:
		return l.say("batch.undo.late")
	}
	return l.say("batch.undo.done", "N", out.undone)
}
