package audit_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"hitl/audit"
)

// monthOf is the name of the partition of a month that is n after this one, and its beginning.
func monthOf(n int) (string, time.Time) {
	now := time.Now().UTC()
	begin := time.Date(now.Year(), now.Month()+time.Month(n), 1, 0, 0, 0, 0, time.UTC)
	return begin.Format("log_2006_01"), begin
}

// insertAt adds an entry of a time to the log, as the service, and returns the partition that took it.
func insertAt(t testing.TB, service *pgxpool.Pool, at any) string {
	t.Helper()
	return scalar[string](t, service, `INSERT INTO hitl.log (item_id, at, status, text_ref, ai_label, confidence, label, reviewer, model, policy, context)
		VALUES ('', $1, 'TEST', '\x01', 'A', 0.5, 'A', '', 'm', 'p', '{}') RETURNING substring(tableoid::regclass::text FROM '[^.]*$')`, at)
}

func TestEntriesGoToTheirMonths(t *testing.T) {
	t.Parallel()
	owner, serviceURL := database(t)
	service := pool(t, serviceURL)
	_, begin := monthOf(0)
	before := begin.Format("log_before_2006_01")
	for n := range 4 {
		name, first := monthOf(n)
		equal(t, "the first moment", insertAt(t, service, first), name)
		equal(t, "the last moment", insertAt(t, service, first.AddDate(0, 1, 0).Add(-time.Microsecond)), name)
	}
	_, late := monthOf(4)
	for at, want := range map[any]string{
		begin.Add(-time.Microsecond): before, "1970-01-01": before, "-infinity": before, late: "log_default", "infinity": "log_default", "9999-12-31": "log_default",
	} {
		equal(t, "partition", insertAt(t, service, at), want)
	}
	equal(t, "partitions", scalar[int](t, pool(t, owner), `SELECT count(*) FROM hitl.log_partitions()`), 6)
}

// Eight replicas make what is missing at once: each partition once, and writers meet none of it.
func TestPartitionsAreMadeOnce(t *testing.T) {
	t.Parallel()
	ownerURL, serviceURL := database(t)
	owner, service := pool(t, ownerURL), pool(t, serviceURL)
	var want []string
	for n := 1; n <= 3; n++ {
		name, _ := monthOf(n)
		want = append(want, name+" true")
		if _, err := owner.Exec(t.Context(), `DROP TABLE hitl.`+name); err != nil {
			t.Fatal(err)
		}
	}
	var mu sync.Mutex
	var made []string
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			names, err := service.Query(t.Context(), `SELECT partition || ' ' || made FROM hitl.make_log_partitions()`)
			if err != nil {
				t.Error(err)
				return
			}
			defer names.Close()
			for names.Next() {
				var name string
				if err := names.Scan(&name); err != nil {
					t.Error(err)
				}
				mu.Lock()
				made = append(made, name)
				mu.Unlock()
			}
			if err := names.Err(); err != nil {
				t.Error(err)
			}
		})
		wg.Go(func() { insertAt(t, service, time.Now()) })
	}
	wg.Wait()
	equal(t, "made", made, want)
	equal(t, "partitions", scalar[int](t, owner, `SELECT count(*) FROM hitl.log_partitions()`), 6)
	equal(t, "tables that are like the others", scalar[string](t, owner, `
		SELECT string_agg(DISTINCT n::text, ' ') FROM (
		    SELECT (SELECT count(*) FROM pg_index i WHERE i.indrelid = t.relid) * 10 + (SELECT count(*) FROM pg_trigger g WHERE g.tgrelid = t.relid AND g.tgenabled = 'A') AS n
		    FROM pg_partition_tree('hitl.log') t WHERE t.isleaf) x`), "31")
}

// What came before its month had a partition stays where it is, in the log, and the service says so.
func TestPartitionsAreNotMadeOverEntries(t *testing.T) {
	t.Parallel()
	ownerURL, serviceURL := database(t)
	owner, service := pool(t, ownerURL), pool(t, serviceURL)
	name, begin := monthOf(2)
	if _, err := owner.Exec(t.Context(), `DROP TABLE hitl.`+name); err != nil {
		t.Fatal(err)
	}
	equal(t, "partition", insertAt(t, service, begin), "log_default")
	equal(t, "what the function says", scalar[string](t, service, `SELECT partition || ' ' || made FROM hitl.make_log_partitions()`), name+" false")
	equal(t, "partition", insertAt(t, service, begin), "log_default")
	equal(t, "entries", scalar[int](t, owner, `SELECT count(*) FROM hitl.log`), 2)

	out := &lockedBuffer{}
	s := openWith(t, audit.Config{DSN: serviceURL, Logger: out.logger()})
	stop := run(t, s, audit.Handlers{})
	eventually(t, "the service says so", func() bool { return strings.Contains(out.String(), name) })
	stop()
}

// A reader that holds the log for long makes the function give up, and no writer wait.
func TestPartitionsWaitForReaders(t *testing.T) {
	t.Parallel()
	ownerURL, serviceURL := database(t)
	owner, service := pool(t, ownerURL), pool(t, serviceURL)
	name, _ := monthOf(3)
	if _, err := owner.Exec(t.Context(), `DROP TABLE hitl.`+name); err != nil {
		t.Fatal(err)
	}
	reader, err := owner.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := reader.Exec(t.Context(), `SELECT count(*) FROM hitl.log`); err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() {
		_, err := service.Exec(t.Context(), `SELECT hitl.make_log_partitions()`)
		done <- err
	}()
	eventually(t, "the function waits", func() bool {
		return scalar[int](t, owner, `SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database WHERE NOT granted AND d.datname = current_database()`) > 0
	})
	insertAt(t, service, time.Now())
	if err := <-done; err == nil || !strings.Contains(err.Error(), "lock timeout") {
		t.Errorf("error is %v", err)
	}
	if err := reader.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	equal(t, "the next time", scalar[string](t, service, `SELECT partition || ' ' || made FROM hitl.make_log_partitions()`), name+" true")
}
