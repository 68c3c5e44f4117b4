package audit

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"hitl"
)

var _ hitl.Panels = (*Store)(nil)

// The voices of a review's round, with hitl.reviews AS r. Who passed a review on has said nothing of it.
const (
	voicesWhere  = `FROM hitl.verdicts v WHERE v.review_id = r.id AND v.round = r.round AND v.kind <> 'skipped'`
	countVoices  = `SELECT count(*) ` + voicesWhere
	selectVoices = `(SELECT json_agg(json_build_object('team', v.reviewer_team, 'user', v.reviewer_user, 'label', v.label, 'reason', v.reason,
        'comment', v.comment, 'at', v.at) ORDER BY v.at, v.reviewer_team, v.reviewer_user) ` + voicesWhere + `)`
)

// scanVoices reads what selectVoices gives, NULL included.
func scanVoices(data []byte) ([]hitl.Voice, error) {
	if data == nil {
		return nil, nil
	}
	var rows []struct {
		Team, User, Label, Reason, Comment string
		At                                 time.Time
	}
	if err := json.Unmarshal(data, &rows); err != nil {
		return nil, err
	}
	voices := make([]hitl.Voice, len(rows))
	for i, r := range rows {
		voices[i] = hitl.Voice{
			Reviewer: hitl.Reviewer{Team: r.Team, User: r.User}, Label: r.Label, Reason: r.Reason, Comment: r.Comment, At: r.At.UTC(),
		}
	}
	return voices, nil
}

// Vote commits a voice of a panel, and with the last one what the voices decide, as hitl.Panels says. Whoever votes on a review waits for the
// others who do: its row is locked.
func (s *Store) Vote(ctx context.Context, vote hitl.Vote, conclude hitl.Conclude) (hitl.Ballot, error) {
	var ballot hitl.Ballot
	var closed *wonReview
	try := func() error {
		return pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) (err error) {
			ballot, closed, err = s.vote(ctx, tx, vote, conclude)
			return err
		})
	}
	err := try()
	switch {
	case isRollback(err):
		err = try()
	case err != nil && outOfReach(err) && !nothingSent(err):
		s.pool.Reset() // the other connections are as old as the one that is gone
		err = try()    // if the first attempt was committed after all, the voice is there, and the same again is no error
	}
	if err != nil {
		return hitl.Ballot{}, fmt.Errorf("commit verdict: %w", err)
	}
	if closed != nil {
		s.backlog.add(closed.queue, closed.source, -1)
		s.waits.wake(closed.itemID)
	}
	return ballot, nil
}

// panelReview is what a vote needs to know of its review, which it has locked.
type panelReview struct {
	wonReview
	round, panel int
	state        hitl.ReviewState
	erased       bool
}

func (s *Store) vote(ctx context.Context, tx pgx.Tx, v hitl.Vote, conclude hitl.Conclude) (b hitl.Ballot, closed *wonReview, err error) {
	r, err := lockPanel(ctx, tx, v.ReviewID)
	if err != nil {
		return b, nil, err
	}
	// What follows sees all that whoever held the lock before has committed.
	switch mine, err := ownVoice(ctx, tx, v); {
	case err == nil && mine.Label == v.Label:
		b, err = readBallot(ctx, tx, v.ReviewID, v.Round)
		return b, nil, err
	case err == nil:
		return b, nil, &hitl.VotedError{Standing: mine}
	case !errors.Is(err, pgx.ErrNoRows):
		return b, nil, fmt.Errorf("look for own verdict: %w", err)
	}
	if b, err = readBallot(ctx, tx, v.ReviewID, v.Round); err != nil {
		return b, nil, err
	}
	switch {
	case b.Decision != nil:
		return b, nil, &hitl.AlreadyDecidedError{Decision: *b.Decision}
	case r.round != v.Round || r.state != hitl.ReviewOpen || r.erased:
		return b, nil, &hitl.InvalidError{Field: "round", Reason: fmt.Sprintf("%d is not the open one", v.Round)}
	case r.panel <= 1:
		return b, nil, &hitl.InvalidError{Field: "review", Reason: "takes one verdict, not those of a panel"}
	case len(b.Voices) >= r.panel:
		return b, nil, hitl.ErrPanelComplete
	}
	if err := insertVoice(ctx, tx, r.wonReview, v); err != nil {
		return b, nil, err
	}
	b.Voices = append(b.Voices, v.Voice)
	slices.SortStableFunc(b.Voices, func(a, b hitl.Voice) int { return a.At.Compare(b.At) })
	if len(b.Voices) < r.panel {
		return b, nil, s.showVoices(ctx, tx, v.ReviewID)
	}
	decision, callback, err := conclude(b.Voices)
	if err != nil {
		return b, nil, fmt.Errorf("conclude panel: %w", err)
	}
	if decision == nil {
		err := s.insertNotices(ctx, tx, hitl.Notice{Kind: hitl.NoticeAdjudicate, Queue: r.queue, ReviewID: v.ReviewID})
		return b, nil, errors.Join(err, s.showVoices(ctx, tx, v.ReviewID))
	}
	where, err := toJSON("decision context", decision.Context)
	if err != nil {
		return b, nil, err
	}
	won, err := insertDecision(ctx, tx, *decision, where)
	if err == nil && won == nil {
		err = errReviewMoved
	}
	if err != nil {
		return b, nil, err
	}
	b.Decision, b.Decided = decision, true
	return b, won, s.closeReview(ctx, tx, *won, *decision, callback)
}

func lockPanel(ctx context.Context, tx pgx.Tx, reviewID string) (panelReview, error) {
	var r panelReview
	err := tx.QueryRow(ctx, `
		SELECT r.item_id, i.source, r.queue, x.key, r.round, r.panel, r.state, i.erased_at IS NOT NULL
		FROM hitl.reviews r JOIN hitl.items i ON i.id = r.item_id LEFT JOIN hitl.item_texts x ON x.item_id = r.item_id
		WHERE r.id = $1 FOR NO KEY UPDATE OF r`, reviewID,
	).Scan(&r.itemID, &r.source, &r.queue, &r.secret, &r.round, &r.panel, &r.state, &r.erased)
	if errors.Is(err, pgx.ErrNoRows) {
		return r, hitl.ErrNotFound
	}
	if err != nil {
		return r, fmt.Errorf("lock review: %w", err)
	}
	return r, nil
}

// ownVoice returns what a reviewer has said in a round, passing it on included, or pgx.ErrNoRows.
func ownVoice(ctx context.Context, tx pgx.Tx, v hitl.Vote) (hitl.Voice, error) {
	mine := hitl.Voice{Reviewer: v.Reviewer}
	err := tx.QueryRow(ctx, `
		SELECT label, reason, comment, at FROM hitl.verdicts
		WHERE (review_id, round, reviewer_team, reviewer_user) = ($1, $2, $3, $4)`, v.ReviewID, v.Round, v.Reviewer.Team, v.Reviewer.User,
	).Scan(&mine.Label, &mine.Reason, &mine.Comment, &mine.At)
	mine.At = mine.At.UTC()
	return mine, err
}

// readBallot returns the voices and the decision of a round.
func readBallot(ctx context.Context, tx pgx.Tx, reviewID string, round int) (hitl.Ballot, error) {
	var b hitl.Ballot
	var voices []byte
	var d decisionColumns
	err := tx.QueryRow(ctx, `
		SELECT `+selectVoices+`, d.status, d.label, d.reviewer_team, d.reviewer_user, d.reason, d.comment, d.at, d.context
		FROM (SELECT $1::text COLLATE "C" AS id, $2::int AS round) r
		LEFT JOIN hitl.decisions d ON d.review_id = r.id AND d.round = r.round`, reviewID, round,
	).Scan(&voices, &d.status, &d.label, &d.team, &d.user, &d.reason, &d.comment, &d.at, &d.context)
	if err != nil {
		return b, fmt.Errorf("read verdicts: %w", err)
	}
	if b.Voices, err = scanVoices(voices); err != nil {
		return b, fmt.Errorf("read verdicts: %w", err)
	}
	if d.status != nil {
		decision, err := d.decision(reviewID, round)
		if err != nil {
			return b, err
		}
		b.Decision = &decision
	}
	return b, nil
}

// insertVoice writes a verdict with its entry in the log.
func insertVoice(ctx context.Context, tx pgx.Tx, w wonReview, v hitl.Vote) error {
	where, err := toJSON("verdict context", v.Context)
	if err != nil {
		return err
	}
	entry, err := toJSON("log context", voiceContext(w, v))
	if err != nil {
		return err
	}
	batch := &pgx.Batch{}
	batch.Queue(`
		INSERT INTO hitl.verdicts (review_id, round, reviewer_team, reviewer_user, kind, label, reason, comment, at, context)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10::json)`,
		v.ReviewID, v.Round, v.Reviewer.Team, v.Reviewer.User, v.Kind, v.Label, v.Reason, v.Comment, v.At, where)
	batch.Queue(`
		INSERT INTO hitl.log (item_id, at, status, text_ref, ai_label, confidence, label, reviewer, model, policy, context)
		SELECT i.id, $2, $3, i.text_ref, i.ai_label, i.confidence, $4, $5, coalesce(m.version, ''), i.policy, $6::json
		FROM hitl.items i LEFT JOIN hitl.model_versions m ON m.id = i.model_id WHERE i.id = $1`,
		w.itemID, v.At, hitl.Voted, v.Label, v.Reviewer.String(), entry)
	if err := tx.SendBatch(ctx, batch).Close(); err != nil {
		return fmt.Errorf("record verdict: %w", err)
	}
	return nil
}

// voiceContext is what the log keeps of how a verdict came about. Of a comment, which may have to be erased, that is a commitment.
func voiceContext(w wonReview, v hitl.Vote) map[string]any {
	c := map[string]any{"source": w.source, "review": v.ReviewID, "round": v.Round, "queue": w.queue}
	if v.Reason != "" {
		c["reason"] = v.Reason
	}
	if v.Comment != "" && len(w.secret) > 0 {
		c["comment_ref"] = commitmentPrefix + hex.EncodeToString(commitVoice(w.secret, v.ReviewID, v.Round, v.Reviewer, v.Comment))
	}
	if len(v.Context) > 0 {
		c["where"] = v.Context
	}
	return c
}

// commitVoice returns the log's reference to the comment of a verdict, as commitComment does to a decision's: no other text, comment or verdict
// has the same one.
func commitVoice(secret []byte, reviewID string, round int, who hitl.Reviewer, comment string) []byte {
	return commit(secret, fmt.Sprintf("verdict\x00%s\x00%d\x00%s\x00%s\x00%s", reviewID, round, who.Team, who.User, comment))
}

// showVoices has the cards of a review say how many verdicts are in.
func (s *Store) showVoices(ctx context.Context, tx pgx.Tx, reviewID string) error {
	if _, err := tx.Exec(ctx, `UPDATE hitl.reviews SET version = version + 1 WHERE id = $1`, reviewID); err != nil {
		return fmt.Errorf("update review: %w", err)
	}
	return s.refreshIf(ctx, tx, true, reviewID)
}
