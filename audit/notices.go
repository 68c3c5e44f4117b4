package audit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"hitl"
)

// noticeWorkers is how many notices this process posts at once: Slack takes one a second for each channel.
const noticeWorkers = 4

// toReviewers stands for the recipient of a notice that is for a queue's reviewers. No id of Slack's looks like it.
const toReviewers = "reviewers"

// noticeJob posts one notice.
type noticeJob struct {
	ID string `json:"id"`
}

// Kind implements river.JobArgs.
func (noticeJob) Kind() string { return "notice" }

// InsertOpts implements river.JobArgsWithInsertOpts: one job per notice, which is inserted with it.
func (noticeJob) InsertOpts() river.InsertOpts {
	return river.InsertOpts{Queue: noticeQueue, MaxAttempts: maxJobAttempts}
}

// insertNotices writes notices, and the jobs that post them, in the transaction of what they tell of. One whose id is there already is left
// alone; ids are made where they are missing.
func (s *Store) insertNotices(ctx context.Context, tx pgx.Tx, notices ...hitl.Notice) error {
	var jobs []river.InsertManyParams
	for _, n := range notices {
		if n.ID == "" {
			n.ID = hitl.NewID("ntc", s.cfg.Now())
		}
		if n.To == "" && n.InQueue {
			n.To = toReviewers
		}
		data, err := toJSON("notice", n.Data)
		if err != nil {
			return err
		}
		tag, err := tx.Exec(ctx, `
			INSERT INTO hitl.notices (id, kind, queue, review_id, recipient, data) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (id) DO NOTHING`,
			n.ID, n.Kind, n.Queue, n.ReviewID, n.To, data)
		if err != nil {
			return fmt.Errorf("insert notice: %w", err)
		}
		if tag.RowsAffected() == 1 {
			jobs = append(jobs, river.InsertManyParams{Args: noticeJob{ID: n.ID}})
		}
	}
	return s.insertJobs(ctx, tx, jobs...)
}

// AddNotices commits notices that tell of nothing else in the database. One whose id is there already is left alone.
func (s *Store) AddNotices(ctx context.Context, notices ...hitl.Notice) error {
	return pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error { return s.insertNotices(ctx, tx, notices...) })
}

// noticeWorker posts a notice once for each attempt that it counts.
type noticeWorker struct {
	river.WorkerDefaults[noticeJob]
	store *Store
	post  func(context.Context, hitl.Notice) (channel, ts string, err error)
}

// Work implements river.Worker.
func (w *noticeWorker) Work(ctx context.Context, job *river.Job[noticeJob]) error {
	s := w.store
	n, err := s.beginNotice(ctx, job.Args.ID)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil // posted, or given up
	}
	if err != nil {
		return err
	}
	var channel, ts string
	err = contain(func() (err error) { channel, ts, err = w.post(ctx, n); return err })
	// What came of it is recorded even when the process is about to stop.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.cfg.StatementTimeout)
	defer cancel()
	var later *hitl.RetryError
	switch {
	case err == nil:
		return s.endNotice(ctx, n.ID, "posted", channel, ts)
	case errors.Is(err, hitl.ErrPermanent), job.Attempt >= job.MaxAttempts:
		s.cfg.Logger.WarnContext(ctx, "a notice was not posted, and will not be", "notice", n.ID, "kind", n.Kind, "to", n.To, "error", err)
		return s.endNotice(ctx, n.ID, "dead", "", "")
	case errors.As(err, &later):
		return river.JobSnooze(max(later.After, 0))
	}
	s.cfg.Logger.InfoContext(ctx, "a notice was not posted, will be tried again", "notice", n.ID, "kind", n.Kind, "to", n.To, "error", err)
	return err
}

// NextRetry implements river.Worker: as for cards.
func (w *noticeWorker) NextRetry(job *river.Job[noticeJob]) time.Time {
	return time.Now().Add(jitter(min(time.Second<<min(job.Attempt-1, 10), 10*time.Minute)))
}

// beginNotice counts an attempt before it is made.
func (s *Store) beginNotice(ctx context.Context, id string) (hitl.Notice, error) {
	n := hitl.Notice{ID: id}
	var data []byte
	err := s.pool.QueryRow(ctx, `
		UPDATE hitl.notices SET attempts = attempts + 1 WHERE id = $1 AND state = 'pending'
		RETURNING kind, queue, review_id, recipient, data, attempts, created_at`, id,
	).Scan(&n.Kind, &n.Queue, &n.ReviewID, &n.To, &data, &n.Attempt, &n.CreatedAt)
	if err != nil {
		return n, fmt.Errorf("count attempt at notice: %w", err)
	}
	if n.To == toReviewers {
		n.To, n.InQueue = "", true
	}
	if err := json.Unmarshal(data, &n.Data); err != nil {
		return n, fmt.Errorf("read notice %s: %w", id, err)
	}
	return n, nil
}

func (s *Store) endNotice(ctx context.Context, id, state, channel, ts string) error {
	_, err := s.pool.Exec(ctx, `UPDATE hitl.notices SET state = $2, channel = $3, ts = $4 WHERE id = $1 AND state = 'pending'`, id, state, channel, ts)
	if err != nil {
		return fmt.Errorf("record notice's end: %w", err)
	}
	return nil
}
