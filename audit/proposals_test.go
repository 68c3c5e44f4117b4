package audit_test

import (
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"hitl"
	"hitl/audit"
)

func proposal(id, name, body string) hitl.Proposal {
	return hitl.Proposal{
		ID: id, Kind: hitl.ProposeThresholds, Name: name, Body: json.RawMessage(body), Evidence: json.RawMessage(`{"n": 300}`), MadeAt: start, MadeBy: "cli/ana",
	}
}

func mustPropose(t *testing.T, s *audit.Store, p hitl.Proposal, queue string) {
	t.Helper()
	p.Queue = queue
	if err := s.Propose(t.Context(), p); err != nil {
		t.Fatal(err)
	}
}

func TestProposals(t *testing.T) {
	t.Parallel()
	s, owner := open(t)
	mustPropose(t, s, proposal("prp_1", "p", `{"threshold": 0.9}`), "default")
	mustPropose(t, s, proposal("prp_2", "p", `{"threshold":  0.95}`), "default") // the body is kept to the byte
	mustPropose(t, s, proposal("prp_3", "other", `{}`), "")
	equal(t, "notices", scalar[string](t, owner, `SELECT string_agg(kind || ' ' || (data->>'proposal'), ', ' ORDER BY id) FROM hitl.notices`), "proposal prp_1, proposal prp_2")
	old, fresh, err := s.Answer(t.Context(), "prp_1", true, "T1/U1", start)
	equal(t, "answer to a replaced one", []any{old.State, fresh, err}, []any{hitl.ProposalReplaced, false, nil})

	var won atomic.Int32
	var wg sync.WaitGroup
	for _, who := range []string{"T1/U1", "T1/U2", "T1/U3", "T1/U4"} {
		wg.Go(func() {
			if p, fresh, err := s.Answer(t.Context(), "prp_2", true, who, start); err != nil || p.State != hitl.ProposalAccepted {
				t.Errorf("answer: %+v, %v", p, err)
			} else if fresh {
				won.Add(1)
			}
		})
	}
	wg.Wait()
	equal(t, "answers that counted", won.Load(), int32(1))
	if _, fresh, err := s.Answer(t.Context(), "prp_3", false, "T1/U1", start); !fresh || err != nil {
		t.Errorf("decline: %v, %v", fresh, err)
	}
	if _, _, err := s.Answer(t.Context(), "prp_9", false, "T1/U1", start); !errors.Is(err, hitl.ErrNotFound) {
		t.Errorf("answer to none: %v", err)
	}
	if err := s.Propose(t.Context(), proposal("prp_4", "p", `{`)); !errors.As(err, new(*hitl.InvalidError)) {
		t.Errorf("a body that is no JSON: %v", err)
	}
	mustPropose(t, s, proposal("prp_5", "p", `{"off": true}`), "")
	if _, fresh, err := s.Answer(t.Context(), "prp_5", true, "cli/ana", start.Add(time.Hour)); !fresh || err != nil {
		t.Errorf("accept the next: %v, %v", fresh, err)
	}
	mustPropose(t, s, proposal("prp_6", "p", `{"threshold": 0.5}`), "") // open: not in force

	force, err := s.InForce(t.Context())
	if err != nil || len(force) != 1 || force[0].ID != "prp_5" || string(force[0].Body) != `{"off": true}` || !force[0].DecidedAt.Equal(start.Add(time.Hour)) {
		t.Errorf("in force: %+v, %v", force, err)
	}
	all, err := s.Proposals(t.Context(), "p")
	if err != nil || len(all) != 4 {
		t.Errorf("proposals of p: %+v, %v", all, err)
	}
	equal(t, "entries", scalar[string](t, owner, `SELECT string_agg(status || ' ' || (context->>'proposal') || ' ' || (context->'body')::text, '; ' ORDER BY id) FROM hitl.log WHERE item_id = ''`),
		`PROPOSAL_ACCEPTED prp_2 {"threshold":0.95}; PROPOSAL_DECLINED prp_3 {}; PROPOSAL_ACCEPTED prp_5 {"off":true}`)
}

// Whatever is changed in the table of what is in force, the log tells.
func TestVerifyProposals(t *testing.T) {
	t.Parallel()
	s, owner := open(t)
	for _, id := range []string{"prp_1", "prp_2"} {
		mustPropose(t, s, proposal(id, "p", `{"threshold": 0.9}`), "")
		if _, _, err := s.Answer(t.Context(), id, true, "T1/U1", start); err != nil {
			t.Fatal(err)
		}
	}
	mustPropose(t, s, proposal("prp_3", "p", `{}`), "")
	rate := proposal("prp_4", "p", `{"rate": 0.2}`)
	rate.Kind = hitl.ProposeSample // it counts on its own
	mustPropose(t, s, rate, "")
	if _, _, err := s.Answer(t.Context(), "prp_4", true, "policy/certify", start); err != nil {
		t.Fatal(err)
	}
	equal(t, "problems of an honest record", recordProblems(t, s), []string(nil))
	if _, err := owner.Exec(t.Context(), `CREATE TABLE kept AS TABLE hitl.proposals`); err != nil {
		t.Fatal(err)
	}
	for sql, want := range map[string]string{
		`UPDATE hitl.proposals SET body = '{"threshold": 0.1}' WHERE id = 'prp_2'`:       "in body",
		`UPDATE hitl.proposals SET body = '{"threshold":0.9}' WHERE id = 'prp_2'`:        "in body",
		`UPDATE hitl.proposals SET body = '{"rate": 0.1}' WHERE id = 'prp_4'`:            "proposal prp_4 differs from its entry",
		`UPDATE hitl.proposals SET kind = 'model' WHERE id = 'prp_4'`:                    "in kind",
		`DELETE FROM hitl.proposals WHERE id = 'prp_4'`:                                  "the proposal prp_4 of entry",
		`UPDATE hitl.proposals SET evidence = '{}' WHERE id = 'prp_2'`:                   "in evidence",
		`UPDATE hitl.proposals SET name = 'q' WHERE id = 'prp_2'`:                        "in name",
		`UPDATE hitl.proposals SET kind = 'model' WHERE id = 'prp_2'`:                    "in kind",
		`UPDATE hitl.proposals SET decided_by = 'T1/U2' WHERE id = 'prp_2'`:              "in decided_by",
		`UPDATE hitl.proposals SET decided_at = now() WHERE id = 'prp_2'`:                "in decided_at",
		`UPDATE hitl.proposals SET state = 'declined', number = NULL WHERE id = 'prp_2'`: "in state",
		`UPDATE hitl.proposals SET state = 'replaced', number = NULL WHERE id = 'prp_2'`: "is gone",
		`UPDATE hitl.proposals SET number = number + 5 WHERE id = 'prp_1'`:               "did not come into force when its number says",
		`UPDATE hitl.proposals SET state = 'accepted', number = 3 WHERE id = 'prp_3'`:    "has no entry in the log",
		`UPDATE hitl.proposals SET number = NULL WHERE id = 'prp_2'`:                     "in number",
		`DELETE FROM hitl.proposals WHERE id = 'prp_2'`:                                  "the proposal prp_2 of entry",
		`INSERT INTO hitl.proposals SELECT 'prp_x', kind, 'x', body, evidence, state, made_at, made_by, queue, decided_at, decided_by, 1 FROM hitl.proposals WHERE id = 'prp_1'`: "proposal prp_x was answered, and has no entry",
	} {
		if _, err := owner.Exec(t.Context(), sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
		if found := recordProblems(t, s); !strings.Contains(strings.Join(found, "\n"), want) {
			t.Errorf("%s: found %q, want %q", sql, found, want)
		}
		if _, err := owner.Exec(t.Context(), `DELETE FROM hitl.proposals; INSERT INTO hitl.proposals SELECT * FROM kept`); err != nil {
			t.Fatal(err)
		}
	}
}
