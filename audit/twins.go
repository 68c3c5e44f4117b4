package audit

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"hitl"
)

// twins are the conditions under which hitl.reviews AS o is another open review of the same twin and queue as hitl.reviews AS r.
const twins = `o.queue = r.queue AND o.twin = r.twin AND o.state = 'open' AND o.id <> r.id`

// unclaimed says whether nobody has hitl.reviews AS o for themselves.
const unclaimed = `(o.claimed_user = '' OR coalesce(o.claimed_until, '-infinity') <= now())`

// countTwins counts the unclaimed twins of an open review, hitl.MaxTwins at most.
const countTwins = `(SELECT count(*) FROM (
    SELECT FROM hitl.reviews o WHERE r.state = 'open' AND ` + twins + ` AND ` + unclaimed + ` LIMIT 1000) AS o)`

// leads says whether the card of hitl.reviews AS r is the one of its set of twins: none of the others has a posted card, or is before it by
// priority and age. A card that is only intended does not count: it may never come. The limit keeps Postgres from making a join of it, which of
// many twins would compare each with each.
const leads = `NOT EXISTS (SELECT FROM (
    SELECT FROM hitl.reviews o WHERE ` + twins + ` AND (
        (array_position('{urgent,normal,sample}'::text[], o.priority::text), o.id)
            < (array_position('{urgent,normal,sample}'::text[], r.priority::text), r.id)
        OR EXISTS (SELECT FROM hitl.cards c WHERE c.review_id = o.id AND c.state = 'posted'))
    LIMIT 1) AS o)`

// decidedWith says whether somebody's decision on hitl.reviews AS r, $2 being their team and $3 their id, decides o too: nobody else has claimed it.
const decidedWith = twins + ` AND (` + unclaimed + ` OR (o.claimed_team, o.claimed_user) = ($2, $3))`

// notBefore says whether hitl.reviews AS o was open at a time $4, that of the decision on r, and has not been decided with it already, which was
// taken back for o alone.
const notBefore = `o.opened_at <= $4 AND NOT EXISTS (
    SELECT FROM hitl.decisions d WHERE d.review_id = o.id AND d.at = $4 AND d.context->>'` + hitl.DecidedWith + `' = r.id)`

// Twins returns the records of the open reviews that somebody's decision on a review decides too, limit at most: those of its twin and queue
// that nobody else has claimed, the oldest first. With a time, only those that were opened by then and have not been decided with the review
// before.
func (s *Store) Twins(ctx context.Context, reviewID string, by hitl.Reviewer, openedBy time.Time, limit int) ([]hitl.Record, error) {
	args := []any{reviewID, by.Team, by.User}
	where := decidedWith
	if !openedBy.IsZero() {
		where += ` AND ` + notBefore
		args = append(args, openedBy)
	}
	rows, err := s.pool.Query(ctx, recordSelect+`
		WHERE r.id = ANY (ARRAY(
		    SELECT o.id FROM hitl.reviews r JOIN hitl.reviews o ON `+where+fmt.Sprintf(` WHERE r.id = $1 ORDER BY o.id LIMIT %d))
		ORDER BY r.id`, limit), args...)
	if err != nil {
		return nil, readError("query twins", err)
	}
	records, err := pgx.CollectRows(rows, scanRecord)
	if err != nil {
		return nil, readError("query twins", err)
	}
	return records, nil
}

// DecideTogether is Decide, and when the decision wins, it commits the answers to its twins in the same transaction. Twins that have moved on, or
// that another transaction is at, it leaves out; decided are the others. If any are left, an effect that calls Handlers.DecideTwins is
// committed with it.
func (s *Store) DecideTogether(
	ctx context.Context, decision hitl.Decision, callback *hitl.Callback, answers []hitl.Answer,
) (standing hitl.Decision, won bool, decided []string, err error) {
	standing, won, err = s.commitDecision(ctx, decision, func(tx pgx.Tx) ([]wonReview, error) {
		decided = nil
		own, err := s.decide(ctx, tx, hitl.Answer{Decision: decision, Callback: callback})
		if err != nil || own == nil {
			return nil, err
		}
		closed, more, err := s.decideTwins(ctx, tx, decision, answers)
		if err != nil {
			return nil, err
		}
		if more {
			if err := s.insertJobs(ctx, tx, river.InsertManyParams{Args: twinJob{ReviewID: decision.ReviewID}}); err != nil {
				return nil, err
			}
		}
		decided = reviewIDs(closed)
		return append([]wonReview{*own}, closed...), nil
	})
	return standing, won, decided, err
}

// DecideLater commits answers to more twins of a decision, as long as that stands, and says whether there are more.
func (s *Store) DecideLater(ctx context.Context, decision hitl.Decision, answers []hitl.Answer) (decided []string, more bool, err error) {
	var closed []wonReview
	err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		// Who takes the decision back waits for this lock, and finds what was decided with it.
		err := tx.QueryRow(ctx, `SELECT FROM hitl.reviews WHERE id = $1 AND round = $2 AND state = 'decided' FOR NO KEY UPDATE`,
			decision.ReviewID, decision.Round).Scan()
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("lock review: %w", err)
		}
		closed, more, err = s.decideTwins(ctx, tx, decision, answers)
		return err
	})
	if err != nil {
		return nil, false, fmt.Errorf("commit decisions: %w", err)
	}
	s.tellClosed(closed)
	return reviewIDs(closed), more, nil
}

// decideTwins commits those answers whose reviews are twins of a decision's, open, and free at once, in the transaction that holds the lock of
// the decision's review. more says that twins are left which the decision should reach.
func (s *Store) decideTwins(ctx context.Context, tx pgx.Tx, decision hitl.Decision, answers []hitl.Answer) (closed []wonReview, more bool, err error) {
	free, err := lockTwins(ctx, tx, decision, answers)
	if err != nil {
		return nil, false, err
	}
	for _, a := range answers {
		if round, ok := free[a.Decision.ReviewID]; !ok || round != a.Decision.Round {
			continue
		}
		won, err := s.decide(ctx, tx, a)
		if err != nil {
			return nil, false, fmt.Errorf("decide twin %s: %w", a.Decision.ReviewID, err)
		}
		if won != nil {
			closed = append(closed, *won)
		}
	}
	err = tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM hitl.reviews r JOIN hitl.reviews o ON `+decidedWith+` AND `+notBefore+` WHERE r.id = $1)`,
		decision.ReviewID, decision.Reviewer.Team, decision.Reviewer.User, decision.At).Scan(&more)
	if err != nil {
		return nil, false, fmt.Errorf("look for more twins: %w", err)
	}
	return closed, more, nil
}

// lockTwins locks the reviews of answers, in the order of their ids, and returns their rounds. Those that others hold are left out: nobody waits for
// somebody who waits for them.
func lockTwins(ctx context.Context, tx pgx.Tx, decision hitl.Decision, answers []hitl.Answer) (map[string]int, error) {
	free := map[string]int{}
	if len(answers) == 0 {
		return free, nil
	}
	ids := make([]string, len(answers))
	for i, a := range answers {
		ids[i] = a.Decision.ReviewID
	}
	rows, err := tx.Query(ctx, `
		SELECT o.id, o.round FROM hitl.reviews r JOIN hitl.reviews o ON `+decidedWith+` WHERE r.id = $1 AND o.id = ANY ($4)
		ORDER BY o.id FOR NO KEY UPDATE OF o SKIP LOCKED`, decision.ReviewID, decision.Reviewer.Team, decision.Reviewer.User, ids)
	if err != nil {
		return nil, fmt.Errorf("lock twins: %w", err)
	}
	var id string
	var round int
	if _, err := pgx.ForEachRow(rows, []any{&id, &round}, func() error { free[id] = round; return nil }); err != nil {
		return nil, fmt.Errorf("lock twins: %w", err)
	}
	return free, nil
}

func reviewIDs(closed []wonReview) []string {
	ids := make([]string, len(closed))
	for i, w := range closed {
		ids[i] = w.reviewID
	}
	return ids
}

// twinWorkers is how many decisions this process carries on to more twins at once.
const twinWorkers = 2

// twinJob decides what a decision has not reached in its own transaction.
type twinJob struct {
	ReviewID string `json:"review_id"`
}

// Kind implements river.JobArgs.
func (twinJob) Kind() string { return "decide_twins" }

// InsertOpts implements river.JobArgsWithInsertOpts.
func (twinJob) InsertOpts() river.InsertOpts {
	return river.InsertOpts{Queue: twinQueue, MaxAttempts: maxJobAttempts}
}

// twinWorker decides the twins of one review.
type twinWorker struct {
	river.WorkerDefaults[twinJob]
	store  *Store
	decide func(context.Context, string) error
}

// Work implements river.Worker.
func (w *twinWorker) Work(ctx context.Context, job *river.Job[twinJob]) error {
	err := contain(func() error { return w.decide(ctx, job.Args.ReviewID) })
	if err != nil {
		w.store.cfg.Logger.InfoContext(ctx, "twins were not decided, will be tried again", "review", job.Args.ReviewID, "error", err)
	}
	return err
}

// NextRetry implements river.Worker: as for cards.
func (w *twinWorker) NextRetry(job *river.Job[twinJob]) time.Time {
	return time.Now().Add(jitter(min(time.Second<<min(job.Attempt-1, 10), 10*time.Minute)))
}
