package audit

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"hitl"
)

var _ hitl.Proposals = (*Store)(nil)

// proposalsLock is the key of the advisory lock under which proposals are made and answered: few and far between, and each is the next of its kind.
const proposalsLock = 0x6869746c_70726f70 // "hitlprop"

// Propose implements hitl.Proposals. Errors: *hitl.InvalidError for a body or evidence that is no JSON.
func (s *Store) Propose(ctx context.Context, p hitl.Proposal) error {
	for field, raw := range map[string]json.RawMessage{"body": p.Body, "evidence": p.Evidence} {
		if !json.Valid(raw) {
			return &hitl.InvalidError{Field: field, Reason: "is no JSON"}
		}
	}
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock($1)`, int64(proposalsLock)); err != nil {
			return fmt.Errorf("lock proposals: %w", err)
		}
		if _, err := tx.Exec(ctx, `UPDATE hitl.proposals SET state = $3 WHERE kind = $1 AND name = $2 AND state = 'open'`,
			p.Kind, p.Name, hitl.ProposalReplaced); err != nil {
			return fmt.Errorf("replace proposal: %w", err)
		}
		if _, err := tx.Exec(ctx, `
			INSERT INTO hitl.proposals (id, kind, name, body, evidence, state, made_at, made_by, queue)
			VALUES ($1, $2, $3, $4::json, $5::json, $6, $7, $8, $9)`,
			p.ID, p.Kind, p.Name, string(p.Body), string(p.Evidence), hitl.ProposalOpen, p.MadeAt, p.MadeBy, p.Queue); err != nil {
			return fmt.Errorf("insert proposal: %w", err)
		}
		if p.Queue == "" {
			return nil
		}
		return s.insertNotices(ctx, tx, hitl.Notice{Kind: hitl.NoticeProposal, Queue: p.Queue, Data: map[string]string{"proposal": p.ID}})
	})
	if err != nil {
		return readError("make proposal", err)
	}
	return nil
}

const proposalSelect = `SELECT id, kind, name, body::text, evidence::text, state, made_at, made_by, queue, decided_at, decided_by FROM hitl.proposals `

func scanProposal(row pgx.CollectableRow) (hitl.Proposal, error) {
	var p hitl.Proposal
	var body, evidence string
	var decided *time.Time
	err := row.Scan(&p.ID, &p.Kind, &p.Name, &body, &evidence, &p.State, &p.MadeAt, &p.MadeBy, &p.Queue, &decided, &p.DecidedBy)
	p.Body, p.Evidence, p.MadeAt = json.RawMessage(body), json.RawMessage(evidence), p.MadeAt.UTC()
	if decided != nil {
		p.DecidedAt = decided.UTC()
	}
	return p, err
}

func (s *Store) proposals(ctx context.Context, sql string, args ...any) ([]hitl.Proposal, error) {
	rows, err := s.pool.Query(ctx, proposalSelect+sql, args...)
	if err != nil {
		return nil, readError("query proposals", err)
	}
	list, err := pgx.CollectRows(rows, scanProposal)
	if err != nil {
		return nil, readError("query proposals", err)
	}
	return list, nil
}

// Proposal implements hitl.Proposals.
func (s *Store) Proposal(ctx context.Context, id string) (hitl.Proposal, error) {
	list, err := s.proposals(ctx, `WHERE id = $1`, id)
	if err == nil && len(list) == 0 {
		err = fmt.Errorf("proposal %q: %w", id, hitl.ErrNotFound)
	}
	if err != nil {
		return hitl.Proposal{}, err
	}
	return list[0], nil
}

// Proposals returns all proposals, the latest first; of one name if it is not empty.
func (s *Store) Proposals(ctx context.Context, name string) ([]hitl.Proposal, error) {
	return s.proposals(ctx, `WHERE $1 = '' OR name = $1 ORDER BY made_at DESC, id DESC`, name)
}

// OpenProposals returns those of a kind that nobody has answered, one of each name at most.
func (s *Store) OpenProposals(ctx context.Context, kind hitl.ProposalKind) ([]hitl.Proposal, error) {
	return s.proposals(ctx, `WHERE kind = $1 AND state = 'open' ORDER BY name`, kind)
}

// InForce returns the proposal that was accepted last of each kind and name.
func (s *Store) InForce(ctx context.Context) ([]hitl.Proposal, error) {
	return s.proposals(ctx, `p WHERE number = (SELECT max(number) FROM hitl.proposals q WHERE q.kind = p.kind AND q.name = p.name) ORDER BY kind, name`)
}

// Answer implements hitl.Proposals.
func (s *Store) Answer(ctx context.Context, id string, accept bool, by string, at time.Time) (p hitl.Proposal, fresh bool, err error) {
	err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock($1)`, int64(proposalsLock)); err != nil {
			return fmt.Errorf("lock proposals: %w", err)
		}
		rows, err := tx.Query(ctx, proposalSelect+`WHERE id = $1`, id)
		if err != nil {
			return fmt.Errorf("read proposal: %w", err)
		}
		if p, err = pgx.CollectExactlyOneRow(rows, scanProposal); errors.Is(err, pgx.ErrNoRows) {
			return fmt.Errorf("proposal %q: %w", id, hitl.ErrNotFound)
		}
		if err != nil {
			return fmt.Errorf("read proposal: %w", err)
		}
		if fresh = p.State == hitl.ProposalOpen; !fresh {
			return nil
		}
		p.State, p.DecidedBy, p.DecidedAt = hitl.ProposalDeclined, by, at.UTC().Truncate(time.Microsecond)
		if accept {
			p.State = hitl.ProposalAccepted
		}
		if _, err := tx.Exec(ctx, `
			UPDATE hitl.proposals SET state = $2, decided_at = $3, decided_by = $4,
			    number = CASE WHEN $5 THEN (SELECT coalesce(max(number), 0) + 1 FROM hitl.proposals WHERE kind = $6 AND name = $7) END
			WHERE id = $1`, id, p.State, p.DecidedAt, by, accept, p.Kind, p.Name); err != nil {
			return fmt.Errorf("answer proposal: %w", err)
		}
		return logProposal(ctx, tx, p)
	})
	if err != nil {
		return p, false, readError("answer proposal", err)
	}
	return p, fresh, nil
}

// logProposal writes the entry of an answered proposal. It is about no item; the body stands in it, and the evidence as its hash.
func logProposal(ctx context.Context, tx pgx.Tx, p hitl.Proposal) error {
	status := hitl.ChangeDeclined
	if p.State == hitl.ProposalAccepted {
		status = hitl.ChangeAccepted
	}
	context, err := toJSON("log context", map[string]any{
		"proposal": p.ID, "kind": p.Kind, "name": p.Name, "body": p.Body, "made_at": p.MadeAt, "made_by": p.MadeBy,
		"body_sha256": sha256Hex(p.Body), "evidence_sha256": sha256Hex(p.Evidence),
	})
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `
		INSERT INTO hitl.log (item_id, at, status, text_ref, ai_label, confidence, label, reviewer, model, policy, context)
		VALUES ('', $1, $2, '', '', 0, '', $3, '', '', $4::json)`, p.DecidedAt, status, p.DecidedBy, context)
	if err != nil {
		return fmt.Errorf("log proposal: %w", err)
	}
	return nil
}

func sha256Hex(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
