package audit_test

import (
	"context"
	"fmt"
	"net/url"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"go.uber.org/goleak"

	"hitl"
	"hitl/audit"
	"hitl/deploy/local/localtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(localtest.Wrap(m)) }

const (
	serviceRole     = "hitl_service"
	servicePassword = "a password"
)

func migrate(ctx context.Context, dsn string) error {
	return audit.Migrate(ctx, dsn, audit.MigrateOptions{ServiceRole: serviceRole, ServicePassword: servicePassword})
}

// database returns the URLs of a migrated database for its owner and for the service.
func database(t testing.TB) (owner, service string) {
	t.Helper()
	owner = localtest.DatabaseFrom(t, "audit", migrate)
	u, err := url.Parse(owner)
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword(serviceRole, servicePassword)
	return owner, u.String()
}

// open returns a store on a fresh database, as the service sees it, and a superuser's pool beside it.
func open(t testing.TB, change ...func(*audit.Config)) (*audit.Store, *pgxpool.Pool) {
	t.Helper()
	owner, service := database(t)
	cfg := audit.Config{DSN: service, MaxConns: 8}
	for _, c := range change {
		c(&cfg)
	}
	return openWith(t, cfg), pool(t, owner)
}

func openWith(t testing.TB, cfg audit.Config) *audit.Store {
	t.Helper()
	s, err := audit.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func pool(t testing.TB, dsn string) *pgxpool.Pool {
	t.Helper()
	p, err := pgxpool.New(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

// start is when the tests' items arrive.
var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// sure returns a record that was accepted at once.
func sure(externalID, text string) hitl.Record {
	id := hitl.NewID("itm", start)
	if externalID == "" {
		externalID = id
	}
	rec := hitl.Record{
		Item: hitl.Item{
			ID: id, Source: "mail", ExternalID: externalID, Text: text, Metadata: map[string]any{"order": 7.0}, ReceivedAt: start,
		},
		Classifier: "mood", Labels: []string{"NEGATIVE", "POSITIVE"},
		Prediction: hitl.Prediction{
			Label: "POSITIVE", Confidence: 0.97, Scores: []hitl.Score{{Label: "POSITIVE", Probability: 0.97}, {Label: "NEGATIVE", Probability: 0.03}}, Model: "m1",
			Latency: 1234567, Tokens: 5,
		},
		Route: hitl.Route{Status: hitl.AIAccepted, Policy: "p1", Threshold: 0.85, Inclusion: 0.01},
	}
	copy(rec.Item.BodyHash[:], text+"00000000000000000000000000000000")
	return rec
}

// unsure returns a record that waits for a review in queue "default".
func unsure(externalID, text string) hitl.Record {
	rec := sure(externalID, text)
	rec.Prediction.Label, rec.Prediction.Confidence = "NEGATIVE", 0.6
	rec.Prediction.Scores = []hitl.Score{{Label: "NEGATIVE", Probability: 0.6}, {Label: "POSITIVE", Probability: 0.4}}
	rec.Route = hitl.Route{
		Status: hitl.HumanReview, Triggers: []hitl.Trigger{hitl.TriggerLowConfidence, hitl.RuleTrigger("angry")},
		Queue: "default", Priority: hitl.PriorityNormal, Policy: "p1", Threshold: 0.85, Inclusion: 1,
	}
	rec.Review = &hitl.Review{
		ID: hitl.NewID("rev", start), ItemID: rec.Item.ID, Round: 1, State: hitl.ReviewOpen, Queue: "default",
		Priority: hitl.PriorityNormal, OpenedAt: start, ExpiresAt: start.Add(time.Hour), Panel: 1,
	}
	return rec
}

func callback(rec hitl.Record) *hitl.Callback {
	return &hitl.Callback{ID: hitl.NewID("msg", start), Source: rec.Item.Source, ItemID: rec.Item.ID, Body: []byte(`{"a": 1}`)}
}

func corrected(rec hitl.Record, user string) hitl.Decision {
	return hitl.Decision{
		ReviewID: rec.Review.ID, Round: rec.Review.Round, Status: hitl.HumanCorrected, Label: "POSITIVE",
		Reviewer: hitl.Reviewer{Team: "T1", User: user}, Reason: "irony", Comment: "reads \"fine\"\n=1+1", At: start.Add(90 * time.Second),
		Context: map[string]string{"surface": "modal"},
	}
}

func mustAppend(t testing.TB, s *audit.Store, rec hitl.Record, c *hitl.Callback) hitl.Record {
	t.Helper()
	stored, replayed, err := s.Append(t.Context(), rec, c)
	if err != nil || replayed {
		t.Fatalf("Append: replayed %v, error %v", replayed, err)
	}
	return stored
}

func mustDecide(t testing.TB, s *audit.Store, d hitl.Decision, c *hitl.Callback) {
	t.Helper()
	if _, won, err := s.Decide(t.Context(), d, c); err != nil || !won {
		t.Fatalf("Decide: won %v, error %v", won, err)
	}
}

func scalar[T any](t testing.TB, p *pgxpool.Pool, sql string, args ...any) T {
	t.Helper()
	rows, err := p.Query(t.Context(), sql, args...)
	if err != nil {
		t.Fatal(err)
	}
	v, err := pgx.CollectExactlyOneRow(rows, pgx.RowTo[T])
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return v
}

func equal(t testing.TB, what string, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// eventually polls until a condition holds.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	limit := time.NewTimer(20 * time.Second)
	defer limit.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-limit.C:
			t.Fatal(fmt.Sprint("never: ", what))
		}
	}
}
