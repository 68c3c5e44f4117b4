package audit_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/mod/sumdb/note"

	"hitl"
	"hitl/audit"
	"hitl/audit/verify"
)

var erasedAt = start.Add(time.Hour)

func mustErase(t testing.TB, s *audit.Store, want int, ids ...string) {
	t.Helper()
	if n, err := s.Erase(t.Context(), ids, erasedAt, "cli/ana", "asked to"); err != nil || n != want {
		t.Fatalf("erased %d, want %d, error %v", n, want, err)
	}
}

// commentRef computes what the log must say of a comment.
func commentRef(t testing.TB, owner *pgxpool.Pool, rec hitl.Record, d hitl.Decision) string {
	t.Helper()
	h := hmac.New(sha256.New, scalar[[]byte](t, owner, `SELECT key FROM hitl.item_texts WHERE item_id = $1`, rec.Item.ID))
	fmt.Fprintf(h, "comment\x00%s\x00%d\x00%s", d.ReviewID, d.Round, d.Comment)
	return "hmac-sha256:" + hex.EncodeToString(h.Sum(nil))
}

// dump returns every row of every table, as text.
func dump(t testing.TB, owner *pgxpool.Pool) string {
	t.Helper()
	rows, err := owner.Query(t.Context(), `SELECT quote_ident(schemaname) || '.' || quote_ident(tablename) FROM pg_tables WHERE schemaname IN ('hitl', 'hitl_jobs')`)
	if err != nil {
		t.Fatal(err)
	}
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil || len(tables) < 15 {
		t.Fatalf("tables %v, error %v", tables, err)
	}
	var all strings.Builder
	for _, table := range tables {
		// A bytea shows as hex; the second line shows it as text.
		all.WriteString(scalar[string](t, owner, `SELECT coalesce(string_agg(t::text, E'\n'), '') FROM `+table+` t`))
	}
	all.WriteString(scalar[string](t, owner, `SELECT coalesce(string_agg(convert_from(body, 'UTF8'), E'\n'), '') FROM hitl.callbacks`))
	return all.String()
}

// planted returns an undecided record, its decision and its callback, full of words that must go.
func planted(externalID string) (hitl.Record, hitl.Decision, *hitl.Callback) {
	rec := unsure(externalID, "planted-text")
	rec.Item.Subject, rec.Item.Metadata = "planted-subject", map[string]any{"planted-key": "planted-value"}
	d := corrected(rec, "U1")
	d.Comment = "planted-comment"
	c := callback(rec)
	c.Body = []byte(`{"metadata": "planted-value", "comment": "planted-comment"}`)
	return rec, d, c
}

func TestErase(t *testing.T) {
	t.Parallel()
	s, owner := open(t)
	rec, d, c := planted("a")
	plain := sure("b", "planted-text too")
	plain.Item.Subject = "planted-subject"
	mustAppend(t, s, rec, nil)
	mustAppend(t, s, plain, callback(plain))
	card, err := s.BeginCard(t.Context(), rec.Review.ID, "T1", "C1", 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.CardPosted(t.Context(), card.ID, "C1", "1.1"); err != nil {
		t.Fatal(err)
	}
	mustDecide(t, s, d, c)
	for _, q := range []string{`UPDATE hitl.callbacks SET state = 'delivered'`, `DELETE FROM hitl_jobs.river_job`} {
		if _, err := owner.Exec(t.Context(), q); err != nil {
			t.Fatal(err)
		}
	}
	if !strings.Contains(dump(t, owner), "planted-value") || strings.Count(dump(t, owner), "planted-comment") != 2 {
		t.Fatal("the dump does not show what was planted")
	}
	mustErase(t, s, 2, rec.Item.ID, plain.Item.ID, "itm_none")
	if all := dump(t, owner); strings.Contains(all, "planted") {
		t.Errorf("left: %s", all)
	}

	want := rec
	review := *rec.Review
	review.State = hitl.ReviewDecided
	d.Comment = ""
	want.Review, want.Decision = &review, &d
	want.Item.Text, want.Item.Subject, want.Item.Metadata, want.Item.BodyHash, want.Item.ErasedAt = "", "", map[string]any{}, [32]byte{}, erasedAt
	got, err := s.Review(t.Context(), rec.Review.ID)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "record", got, want)
	entries, err := s.Log(t.Context(), rec.Item.ID)
	if err != nil || len(entries) != 3 {
		t.Fatalf("%d entries, error %v", len(entries), err)
	}
	equal(t, "entry", entries[2], hitl.Entry{
		ID: entries[2].ID, ItemID: rec.Item.ID, At: erasedAt, Status: hitl.Erased, TextRef: entries[0].TextRef, AILabel: "NEGATIVE", Confidence: 0.6,
		Reviewer: "cli/ana", Model: "m1", Policy: "p1", Context: map[string]any{"source": "mail", "reason": "asked to"},
	})
	equal(t, "jobs", scalar[string](t, owner, `SELECT string_agg(kind || ' ' || (args->>'review_id'), ', ') FROM hitl_jobs.river_job`), "card_refresh "+rec.Review.ID)

	// A replay is answered, whatever its body, and nothing is erased twice.
	other := unsure("a", "another text")
	if stored, replayed, err := s.Append(t.Context(), other, nil); err != nil || !replayed || stored.Item.ID != rec.Item.ID {
		t.Errorf("replay: %s, replayed %v, error %v", stored.Item.ID, replayed, err)
	}
	mustErase(t, s, 0, rec.Item.ID, plain.Item.ID)
	equal(t, "entries of erasures", scalar[int](t, owner, `SELECT count(*) FROM hitl.log WHERE status = 'ERASED'`), 2)
	equal(t, "jobs", scalar[int](t, owner, `SELECT count(*) FROM hitl_jobs.river_job`), 1)

	for _, kind := range []audit.ExportKind{audit.ExportItems, audit.ExportDecisions} {
		var out strings.Builder
		if _, err := s.Export(t.Context(), &out, audit.ExportQuery{Kind: kind, Format: audit.ExportJSONL}); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(out.String(), `"text":"",`) || !strings.Contains(out.String(), `"erased_at":"2026-03-01T13:00:00Z"`) || strings.Contains(out.String(), "planted") {
			t.Errorf("%s: %s", kind, out.String())
		}
	}
}

// A click that closed the review a moment ago may be on its way to the card, with the text: a second refresh comes after it.
func TestEraseRefreshesTwiceWhatWasJustClosed(t *testing.T) {
	t.Parallel()
	s, owner := open(t)
	rec, d, _ := planted("a")
	mustAppend(t, s, rec, nil)
	card, err := s.BeginCard(t.Context(), rec.Review.ID, "T1", "C1", 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.CardPosted(t.Context(), card.ID, "C1", "1.1"); err != nil {
		t.Fatal(err)
	}
	d.At = erasedAt.Add(-time.Second)
	mustDecide(t, s, d, nil)
	mustErase(t, s, 1, rec.Item.ID)
	equal(t, "refreshes", scalar[string](t, owner, `SELECT string_agg(state::text, ' ' ORDER BY id) FROM hitl_jobs.river_job`), "available available scheduled")
}

func TestEraseLeavesOpenReviews(t *testing.T) {
	t.Parallel()
	s, owner := open(t)
	rec, d, _ := planted("a")
	mustAppend(t, s, rec, nil)
	mustErase(t, s, 0, rec.Item.ID)
	equal(t, "texts", scalar[int](t, owner, `SELECT count(*) FROM hitl.item_texts`), 1)
	d.Status, d.Label, d.Reviewer = hitl.Cancelled, "", hitl.Reviewer{User: "system"}
	mustDecide(t, s, d, nil)
	mustErase(t, s, 1, rec.Item.ID)
	for _, args := range [][2]string{{"", "why"}, {"who", ""}} {
		if _, err := s.Erase(t.Context(), []string{rec.Item.ID}, erasedAt, args[0], args[1]); err == nil {
			t.Errorf("erased without a trace: %q", args)
		}
	}
}

// Every round's comment goes, not only the last.
func TestEraseEveryRound(t *testing.T) {
	t.Parallel()
	s, owner := open(t)
	rec, d, _ := planted("a")
	mustAppend(t, s, rec, nil)
	mustDecide(t, s, d, nil)
	if _, err := owner.Exec(t.Context(), `UPDATE hitl.reviews SET round = 2, state = 'open'`); err != nil {
		t.Fatal(err)
	}
	d.Round = 2
	mustDecide(t, s, d, nil)
	entries, err := s.Log(t.Context(), rec.Item.ID)
	if err != nil || len(entries) != 3 || entries[1].Context["comment_ref"] == entries[2].Context["comment_ref"] {
		t.Errorf("two rounds' commitments to the same comment: %+v, error %v", entries, err)
	}
	equal(t, "second commitment", entries[2].Context["comment_ref"], any(commentRef(t, owner, rec, d)))
	mustErase(t, s, 1, rec.Item.ID)
	if all := dump(t, owner); strings.Contains(all, "planted") {
		t.Errorf("left: %s", all)
	}
}

// A callback keeps its bytes while it is on its way, and loses them as soon as it ends, delivered or dead.
func TestEraseWhileCallbackIsOnItsWay(t *testing.T) {
	t.Parallel()
	for name, outcome := range map[string]error{"delivered": nil, "dead": hitl.ErrPermanent} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, owner := open(t, fast)
			rec, d, c := planted("a")
			mustAppend(t, s, rec, nil)
			mustDecide(t, s, d, c)
			arrived, goOn := make(chan []byte), make(chan struct{})
			run(t, s, audit.Handlers{Callback: func(ctx context.Context, c hitl.Callback) error {
				select {
				case arrived <- c.Body:
				case <-ctx.Done():
				}
				select {
				case <-goOn:
				case <-ctx.Done():
				}
				return outcome
			}})
			equal(t, "body", string(<-arrived), string(c.Body))
			mustErase(t, s, 1, rec.Item.ID)
			equal(t, "body on its way", scalar[[]byte](t, owner, `SELECT body FROM hitl.callbacks`), c.Body)
			close(goOn)
			eventually(t, name, func() bool { return len(states(t, s, hitl.CallbackState(name))) == 1 })
			if all := dump(t, owner); strings.Contains(all, "planted") {
				t.Errorf("left: %s", all)
			}
			if got := states(t, s, hitl.CallbackState(name))[0]; !got.Erased {
				t.Errorf("listed as %+v", got)
			}
			// Nothing is left to send: neither this binary nor an older one revives it.
			for _, ids := range [][]string{nil, {c.ID}} {
				if n, err := s.RetryCallbacks(t.Context(), ids...); n != 0 || err != nil {
					t.Errorf("revived %d, error %v", n, err)
				}
			}
			if _, err := s.RetryCallbacks(t.Context()); err != nil {
				t.Error(err)
			}
			if _, err := owner.Exec(t.Context(), `UPDATE hitl.callbacks SET state = 'pending', attempts = 0`); err != nil {
				t.Fatal(err)
			}
			equal(t, "state", scalar[string](t, owner, `SELECT state FROM hitl.callbacks`), name)
			b, err := s.Backlogs(t.Context())
			equal(t, "dead callbacks to alert of", b.CallbacksDead, 0)
			if err != nil {
				t.Error(err)
			}
		})
	}
}

// Everything at once: decisions, erasures by several, replays, callbacks that end. What is left is one decision and one entry of each kind per
// item, and no word.
func TestEraseRaces(t *testing.T) {
	t.Parallel()
	ownerDSN, serviceDSN := database(t)
	owner := pool(t, ownerDSN)
	cfg := audit.Config{DSN: serviceDSN, MaxConns: 8}
	fast(&cfg)
	s, another := openWith(t, cfg), openWith(t, cfg)
	run(t, s, audit.Handlers{Callback: func(context.Context, hitl.Callback) error { return nil }, RefreshCard: func(context.Context, string) error { return nil }})
	const n = 40
	var recs []hitl.Record
	var ids []string
	for i := range n {
		rec, _, _ := planted(fmt.Sprint(i))
		mustAppend(t, s, rec, nil)
		recs, ids = append(recs, rec), append(ids, rec.Item.ID)
	}
	var erased atomic.Int64
	var wg sync.WaitGroup
	for i, rec := range recs {
		wg.Go(func() {
			d, c := corrected(rec, fmt.Sprint("U", i)), callback(rec)
			d.Comment, c.Body = "planted-comment", []byte("planted-value")
			mustBegin(t, s, rec)
			if _, won, err := s.Decide(t.Context(), d, c); err != nil || !won {
				t.Errorf("decide: won %v, error %v", won, err)
			}
			if _, replayed, err := another.Append(t.Context(), rec, nil); err != nil || !replayed {
				t.Errorf("replay: %v, error %v", replayed, err)
			}
		})
	}
	for _, store := range []*audit.Store{s, another, s, another} {
		wg.Go(func() {
			for erased.Load() < n && !t.Failed() {
				k, err := store.Erase(t.Context(), ids, erasedAt, "cli/ana", "asked to")
				if err != nil {
					t.Error(err)
				}
				erased.Add(int64(k))
			}
		})
	}
	wg.Wait()
	equal(t, "erased", erased.Load(), int64(n))
	eventually(t, "all callbacks ended", func() bool { return len(states(t, s, hitl.CallbackDelivered)) == n })
	equal(t, "entries", scalar[string](t, owner, `
		SELECT string_agg(status || ' ' || n, ', ' ORDER BY status) FROM (SELECT status, count(DISTINCT item_id) || '/' || count(*) AS n FROM hitl.log GROUP BY status) s`),
		"ERASED 40/40, HUMAN_CORRECTED 40/40, HUMAN_REVIEW 40/40")
	if all := dump(t, owner); strings.Contains(all, "planted") {
		t.Errorf("left: %s", all)
	}
}

func mustBegin(t testing.TB, s *audit.Store, rec hitl.Record) {
	t.Helper()
	card, err := s.BeginCard(t.Context(), rec.Review.ID, "T1", "C1", 0)
	if err == nil {
		err = s.CardPosted(t.Context(), card.ID, "C1", card.ID)
	}
	if err != nil {
		t.Errorf("post card: %v", err)
	}
}

// The service can take away what hitl.erase takes, with its trace, and nothing else.
func TestEraseRights(t *testing.T) {
	t.Parallel()
	ownerDSN, serviceDSN := database(t)
	owner, service := pool(t, ownerDSN), pool(t, serviceDSN)
	mustAppend(t, openWith(t, audit.Config{DSN: serviceDSN}), sure("a", "fine"), nil)
	for _, change := range []string{
		`UPDATE hitl.items SET subject = ''`, `UPDATE hitl.items SET erased_at = now()`, `UPDATE hitl.items SET body_hash = ''`,
		`UPDATE hitl.item_texts SET text = ''`, `DELETE FROM hitl.item_texts`, `UPDATE hitl.decisions SET comment = ''`,
		`UPDATE hitl.callbacks SET erased = true`, `UPDATE hitl.callbacks SET body = ''`, `ALTER TABLE hitl.callbacks DISABLE TRIGGER scrub`,
		`ALTER FUNCTION hitl.erase(text[], timestamptz, text, text) SET search_path = public`,
		`ALTER FUNCTION hitl.erase(text[], timestamptz, text, text) SECURITY INVOKER`, `DROP FUNCTION hitl.erase(text[], timestamptz, text, text)`,
		`CREATE OR REPLACE FUNCTION hitl.erase(item_ids text[], moment timestamptz, who text, why text) RETURNS TABLE (erased_item text, shown_review text)
			LANGUAGE sql AS 'SELECT '''', '''''`,
	} {
		if _, err := service.Exec(t.Context(), change); !refused(err) {
			t.Errorf("%s: %v", change, err)
		}
	}
	// Postgres only warns of this one; what is asked below tells.
	if _, err := service.Exec(t.Context(), `GRANT EXECUTE ON FUNCTION hitl.erase(text[], timestamptz, text, text) TO PUBLIC`); err != nil {
		t.Error(err)
	}
	equal(t, "functions of its own that the service may call", scalar[string](t, service, `
		SELECT string_agg(p.oid::regprocedure::text, ' ' ORDER BY p.proname) FROM pg_proc p
		WHERE p.pronamespace = 'hitl'::regnamespace AND p.prorettype <> 'trigger'::regtype AND has_function_privilege(p.oid, 'EXECUTE')`),
		"hitl.erase(text[],timestamp with time zone,text,text) hitl.log_partitions() hitl.make_log_partitions()")
	equal(t, "functions that run with the owner's rights", scalar[string](t, owner, `
		SELECT string_agg(p.proname || ' ' || array_to_string(p.proconfig, ' '), '; ' ORDER BY p.proname) FROM pg_proc p
		WHERE p.pronamespace IN ('hitl'::regnamespace, 'hitl_jobs'::regnamespace) AND p.prosecdef`),
		"erase search_path=pg_catalog, pg_temp; make_log_partitions search_path=pg_catalog, pg_temp TimeZone=UTC DateStyle=ISO, YMD lock_timeout=2s")
	equal(t, "others may call it", scalar[bool](t, owner, `SELECT EXISTS (
		SELECT FROM pg_proc p, aclexplode(p.proacl) a WHERE p.proname = 'erase' AND p.pronamespace = 'hitl'::regnamespace AND a.grantee = 0)`), false)

	// What the service puts in the way of names is not found.
	if _, err := service.Exec(t.Context(), `CREATE TEMP TABLE items (id text); CREATE TEMP TABLE log (id text);
		SET search_path = pg_temp, hitl; SELECT hitl.erase((SELECT array_agg(id) FROM hitl.items), now(), 'service', 'test')`); err != nil {
		t.Error(err)
	}
	equal(t, "entries", scalar[string](t, owner, `SELECT string_agg(status || ' ' || reviewer, ', ' ORDER BY id) FROM hitl.log`), "AI_ACCEPTED , ERASED service")
	equal(t, "texts", scalar[int](t, owner, `SELECT count(*) FROM hitl.item_texts`), 0)
}

func TestErasable(t *testing.T) {
	t.Parallel()
	s, owner := open(t)
	var ids []string
	var first hitl.Record
	for i, subject := range []string{"ana", "ben", "ana", ""} {
		rec := unsure(fmt.Sprint(i), "so so")
		rec.Item.Subject, rec.Item.ReceivedAt = subject, start.Add(-time.Duration(i)*time.Hour)
		if i == 2 {
			rec.Item.Source = "shop"
		}
		mustAppend(t, s, rec, nil)
		ids = append(ids, rec.Item.ID)
		if i == 0 {
			first = rec
		}
	}
	mustDecide(t, s, corrected(first, "U1"), nil)
	for name, c := range map[string]struct {
		e    hitl.Erasure
		want []int
		open int
	}{
		"nothing":                        {hitl.Erasure{}, nil, 0},
		"subject":                        {hitl.Erasure{Subject: "ana"}, []int{0, 2}, 1},
		"subject of a source":            {hitl.Erasure{Subject: "ana", Source: "shop"}, []int{2}, 1},
		"subject nobody has":             {hitl.Erasure{Subject: "eve"}, nil, 0},
		"retention, oldest first":        {hitl.Erasure{Source: "mail", Before: start.Add(time.Hour)}, []int{3, 1, 0}, 2},
		"retention, the bound stays":     {hitl.Erasure{Source: "mail", Before: start.Add(-time.Hour)}, []int{3}, 1},
		"retention of a source like it":  {hitl.Erasure{Source: "mai", Before: start.Add(time.Hour)}, nil, 0},
		"items":                          {hitl.Erasure{Items: []string{ids[1], ids[0], "itm_none"}}, []int{0, 1}, 1},
		"items that a source has not":    {hitl.Erasure{Items: ids[:1], Source: "shop"}, nil, 0},
		"the same item named many times": {hitl.Erasure{Items: []string{ids[1], ids[1]}}, []int{1}, 1},
	} {
		got, err := s.Erasable(t.Context(), c.e, 100)
		if err != nil {
			t.Fatal(err)
		}
		found, waiting := map[string]bool{}, 0
		var order []string
		for _, item := range got {
			found[item.ItemID] = true
			order = append(order, item.ItemID)
			if item.ReviewID != "" {
				waiting++
			}
		}
		var want []string
		for _, i := range c.want {
			want = append(want, ids[i])
		}
		equal(t, name+": number", len(order), len(want))
		for i, id := range want {
			if !found[id] || (!c.e.Before.IsZero() && order[i] != id) {
				t.Errorf("%s: found %v, want %v", name, order, want)
			}
		}
		equal(t, name+": open reviews", waiting, c.open)
		count, err := s.CountErasable(t.Context(), c.e)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, name+": count", count, audit.ErasableCount{Items: len(want), OpenReviews: c.open})
	}
	if got, err := s.Erasable(t.Context(), hitl.Erasure{Subject: "ana"}, 1); err != nil || len(got) != 1 {
		t.Errorf("limited: %v, error %v", got, err)
	}
	mustErase(t, s, 1, ids...)
	if got, err := s.Erasable(t.Context(), hitl.Erasure{Items: ids[:1]}, 10); err != nil || len(got) != 0 {
		t.Errorf("erased: %v, error %v", got, err)
	}
	for index, sql := range map[string]string{
		"items_kept":    `SELECT id FROM hitl.items i WHERE i.erased_at IS NULL AND i.source = 'a' AND i.received_at < now() ORDER BY i.received_at LIMIT 9`,
		"items_subject": `SELECT id FROM hitl.items i WHERE i.erased_at IS NULL AND i.subject = 'a' AND i.subject <> '' ORDER BY i.id LIMIT 9`,
	} {
		if plan := scalarIn[string](t, owner, `SET LOCAL enable_seqscan = off; SET LOCAL enable_sort = off`, `EXPLAIN (FORMAT JSON) `+sql); !strings.Contains(plan, index) {
			t.Errorf("index %s is not used: %s", index, plan)
		}
	}
}

// scalarIn is scalar under some settings.
func scalarIn[T any](t testing.TB, p *pgxpool.Pool, settings, sql string) (v T) {
	t.Helper()
	err := pgx.BeginFunc(t.Context(), p, func(tx pgx.Tx) error {
		if _, err := tx.Exec(t.Context(), settings); err != nil {
			return err
		}
		return tx.QueryRow(t.Context(), sql).Scan(&v)
	})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// What was proved before an erasure stays proved, and the erasure is proved, too.
func TestProofsOutliveErasure(t *testing.T) {
	t.Parallel()
	s, owner, key, verifier := signedLog(t)
	id := scalar[string](t, owner, `SELECT max(item_id) FROM hitl.item_texts`)
	before := mustProve(t, s, id, verifier)
	mustErase(t, s, 1, id)
	eventually(t, "the erasure is signed", func() bool {
		mustCheckpoint(t, s, key)
		return verified(t, s, verifier).Signed == 7
	})
	if r := verified(t, s, verifier); !r.OK() {
		t.Errorf("after the erasure: %+v", r.Problems)
	}
	after := mustProve(t, s, id, verifier)
	equal(t, "proofs", len(after.Proofs), 3)
	for i, p := range before.Proofs {
		equal(t, "leaf", after.Proofs[i].Leaf, p.Leaf)
	}
	if _, err := owner.Exec(t.Context(), `ALTER TABLE hitl.log DISABLE TRIGGER ALL; DELETE FROM hitl.log WHERE status = 'ERASED'`); err != nil {
		t.Fatal(err)
	}
	if r := verified(t, s, verifier); r.OK() {
		t.Error("the trace of an erasure was taken away unseen")
	}
}

// mustProve returns the proofs of an item's entries, each checked.
func mustProve(t testing.TB, s *audit.Store, id string, verifier note.Verifier) hitl.LogProof {
	t.Helper()
	proof, err := s.Prove(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range proof.Proofs {
		if _, err := verify.CheckProof(verify.Proof{Position: p.Position, Leaf: p.Leaf, Hashes: p.Hashes}, proof.Checkpoint, verifier); err != nil {
			t.Fatal(err)
		}
	}
	return proof
}
