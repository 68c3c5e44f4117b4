package audit

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"hitl"
)

const cardColumns = `c.id, c.review_id, c.team, c.channel, c.ts, c.state, c.attempt, c.created_at, c.begun_at`

func scanCard(row pgx.CollectableRow) (hitl.Card, error) {
	var c hitl.Card
	err := row.Scan(&c.ID, &c.ReviewID, &c.Team, &c.Channel, &c.TS, &c.State, &c.Attempt, &c.CreatedAt, &c.BegunAt)
	c.CreatedAt, c.BegunAt = c.CreatedAt.UTC(), c.BegunAt.UTC()
	return c, err
}

func (s *Store) collectCards(ctx context.Context, sql string, args ...any) ([]hitl.Card, error) {
	rows, err := s.pool.Query(ctx, sql, args...)
	if err != nil {
		return nil, fmt.Errorf("query cards: %w", err)
	}
	cards, err := pgx.CollectRows(rows, scanCard)
	if err != nil {
		return nil, fmt.Errorf("query cards: %w", err)
	}
	return cards, nil
}

// BeginCard commits the intent to post a review's card, before the call to Slack. An intent that is there already is returned with
// its channel and the next attempt number: an earlier post may have gone through, so look for the card's id in the channel's history
// first. At most openLimit cards of open reviews, intents included, stand in a channel at a time; 0: no limit, below 0: no new one at
// all.
//
// Errors: hitl.ErrNoRoom, hitl.ErrPosted (with the card; without one when the card of a twin stands for the review), hitl.ErrAlreadyDecided when the review is not open, hitl.ErrNotFound.
func (s *Store) BeginCard(ctx context.Context, reviewID, team, channel string, openLimit int) (hitl.Card, error) {
	var card hitl.Card
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		// One at a time per channel, or two could count the same room. Then the review, so that no decision comes in between.
		if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock(hashtextextended('hitl card in ' || $1, 0))`, channel); err != nil {
			return fmt.Errorf("lock channel: %w", err)
		}
		var state hitl.ReviewState
		var leading bool
		err := tx.QueryRow(ctx, `SELECT r.state, `+leads+` FROM hitl.reviews r WHERE r.id = $1 FOR NO KEY UPDATE`, reviewID).Scan(&state, &leading)
		switch {
		case errors.Is(err, pgx.ErrNoRows):
			return hitl.ErrNotFound
		case err != nil:
			return fmt.Errorf("lock review: %w", err)
		case state != hitl.ReviewOpen:
			return hitl.ErrAlreadyDecided
		case !leading:
			return hitl.ErrPosted
		}
		card, err = s.beginCard(ctx, tx, hitl.Card{ReviewID: reviewID, Team: team, Channel: channel}, openLimit)
		return err
	})
	if err != nil {
		return card, fmt.Errorf("begin card: %w", err)
	}
	return card, nil
}

func (s *Store) beginCard(ctx context.Context, tx pgx.Tx, want hitl.Card, openLimit int) (hitl.Card, error) {
	now := s.cfg.Now().UTC().Truncate(time.Microsecond)
	rows, err := tx.Query(ctx, `SELECT `+cardColumns+` FROM hitl.cards c WHERE c.review_id = $1 AND c.state <> 'gone'`, want.ReviewID)
	if err != nil {
		return hitl.Card{}, fmt.Errorf("look for card: %w", err)
	}
	card, err := pgx.CollectExactlyOneRow(rows, scanCard)
	switch {
	case err == nil && card.State == hitl.CardPosted:
		return card, hitl.ErrPosted
	case err == nil:
		card.Attempt++
		card.BegunAt = now
		_, err := tx.Exec(ctx, `UPDATE hitl.cards SET attempt = $2, begun_at = $3, live = true WHERE id = $1`, card.ID, card.Attempt, now)
		if err != nil {
			return hitl.Card{}, fmt.Errorf("count attempt: %w", err)
		}
		return card, nil
	case !errors.Is(err, pgx.ErrNoRows):
		return hitl.Card{}, fmt.Errorf("look for card: %w", err)
	}
	var open int
	if err := tx.QueryRow(ctx, `SELECT count(*) FROM hitl.cards WHERE channel = $1 AND live`, want.Channel).Scan(&open); err != nil {
		return hitl.Card{}, fmt.Errorf("count open cards: %w", err)
	}
	if openLimit < 0 || openLimit > 0 && open >= openLimit {
		return hitl.Card{}, hitl.ErrNoRoom
	}
	want.ID, want.State, want.Attempt, want.CreatedAt, want.BegunAt = hitl.NewID("crd", now), hitl.CardIntent, 1, now, now
	_, err = tx.Exec(ctx, `
		INSERT INTO hitl.cards (id, review_id, team, channel, state, attempt, live, created_at, begun_at)
		VALUES ($1, $2, $3, $4, $5, 1, true, $6, $6)`, want.ID, want.ReviewID, want.Team, want.Channel, want.State, now)
	if err != nil {
		return hitl.Card{}, fmt.Errorf("insert card: %w", err)
	}
	return want, nil
}

// CardPosted commits where a card was posted, as Slack answered. If the review was closed meanwhile, the card's refresh is
// committed with it. Saying the same again changes nothing, also when that message was noted as gone since.
//
// Of several attempts at a card that each posted a message, the first to say so keeps the card: the others get hitl.ErrPosted. So does
// one whose card was given up meanwhile, if its review has another one by now; otherwise that card is posted again. Another error
// is hitl.ErrNotFound.
func (s *Store) CardPosted(ctx context.Context, cardID, channel, ts string) error {
	return s.changeCard(ctx, cardID, func(tx pgx.Tx, r lockedReview) error {
		tag, err := tx.Exec(ctx, `
			UPDATE hitl.cards c SET state = 'posted', channel = $2, ts = $3, live = $4
			WHERE id = $1 AND state <> 'posted' AND (channel, ts) IS DISTINCT FROM ($2, $3) AND NOT EXISTS (
			    SELECT FROM hitl.cards o WHERE o.review_id = c.review_id AND o.id <> c.id AND o.state <> 'gone')`,
			cardID, channel, ts, r.state == hitl.ReviewOpen)
		if err != nil {
			return fmt.Errorf("update card: %w", err)
		}
		if tag.RowsAffected() == 0 {
			var same bool
			err := tx.QueryRow(ctx, `SELECT (channel, ts) = ($2, $3) FROM hitl.cards WHERE id = $1`, cardID, channel, ts).Scan(&same)
			if err != nil {
				return fmt.Errorf("read card: %w", err)
			}
			if !same {
				return hitl.ErrPosted
			}
			return nil
		}
		if _, err := tx.Exec(ctx, `UPDATE hitl.reviews SET version = version + 1 WHERE id = $1`, r.id); err != nil {
			return fmt.Errorf("update review: %w", err)
		}
		return s.refreshIf(ctx, tx, r.state != hitl.ReviewOpen, r.id)
	})
}

// CardGone commits that a card, as the caller read or began it, was deleted, or that its post did not go through and will not be tried
// again: its room is free, and its review may get another. A card that has changed since is left alone, and that is no error: a later
// attempt has begun it again, or a message was found, and whoever did that brings it to its end. Error: hitl.ErrNotFound.
func (s *Store) CardGone(ctx context.Context, seen hitl.Card) error {
	return s.changeCard(ctx, seen.ID, func(tx pgx.Tx, _ lockedReview) error {
		if _, err := tx.Exec(ctx, `
			UPDATE hitl.cards SET state = 'gone', live = false WHERE id = $1 AND (attempt, state, channel, ts) = ($2, $3, $4, $5)`,
			seen.ID, seen.Attempt, seen.State, seen.Channel, seen.TS); err != nil {
			return fmt.Errorf("update card: %w", err)
		}
		return nil
	})
}

type lockedReview struct {
	id    string
	state hitl.ReviewState
}

// changeCard runs a change under the lock of the card's review.
func (s *Store) changeCard(ctx context.Context, cardID string, change func(pgx.Tx, lockedReview) error) error {
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		var r lockedReview
		err := tx.QueryRow(ctx, `
			SELECT r.id, r.state FROM hitl.reviews r WHERE r.id = (SELECT review_id FROM hitl.cards WHERE id = $1) FOR NO KEY UPDATE`, cardID,
		).Scan(&r.id, &r.state)
		if errors.Is(err, pgx.ErrNoRows) {
			return hitl.ErrNotFound
		}
		if err != nil {
			return fmt.Errorf("lock review: %w", err)
		}
		return change(tx, r)
	})
	if err != nil {
		return fmt.Errorf("change card %s: %w", cardID, err)
	}
	return nil
}

// Cards returns a review's cards, those that are gone included, the oldest first.
func (s *Store) Cards(ctx context.Context, reviewID string) ([]hitl.Card, error) {
	return s.collectCards(ctx, `SELECT `+cardColumns+` FROM hitl.cards c WHERE c.review_id = $1 ORDER BY c.id`, reviewID)
}

// StaleIntents returns cards whose last attempt began before a time and that are neither posted nor gone, the oldest first: a message
// may or may not be there. Their reviews may be closed by now.
func (s *Store) StaleIntents(ctx context.Context, before time.Time, limit int) ([]hitl.Card, error) {
	return s.collectCards(ctx, `
		SELECT `+cardColumns+` FROM hitl.cards c WHERE c.state = 'intent' AND c.begun_at < $1 ORDER BY c.begun_at, c.id LIMIT $2`, before, limit)
}

// PostedCards returns posted cards of open reviews by id, beginning after one ("" for the first), limit at most; fewer mean that there
// are no more.
func (s *Store) PostedCards(ctx context.Context, after string, limit int) ([]hitl.Card, error) {
	return s.collectCards(ctx, `
		SELECT `+cardColumns+` FROM hitl.cards c WHERE c.live AND c.state = 'posted' AND c.id > $1 ORDER BY c.id LIMIT $2`, after, limit)
}

// Room says whether BeginCard may have something to begin in a channel: there is room for another card, or an intent there was last begun before a time.
func (s *Store) Room(ctx context.Context, channel string, openLimit int, before time.Time) (ok bool, err error) {
	err = s.pool.QueryRow(ctx, `
		SELECT $2 = 0 OR count(*) < $2 OR count(*) FILTER (WHERE state = 'intent' AND begun_at < $3) > 0 FROM hitl.cards WHERE channel = $1 AND live`,
		channel, openLimit, before).Scan(&ok)
	if err != nil {
		return false, fmt.Errorf("look for room: %w", err)
	}
	return ok, nil
}

// OpenCards returns how many cards of open reviews stand in a channel, intents included.
func (s *Store) OpenCards(ctx context.Context, channel string) (int, error) {
	var n int
	if err := s.pool.QueryRow(ctx, `SELECT count(*) FROM hitl.cards WHERE channel = $1 AND live`, channel).Scan(&n); err != nil {
		return 0, fmt.Errorf("count open cards: %w", err)
	}
	return n, nil
}
