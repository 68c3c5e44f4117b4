package main

import (
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hitl"
	"hitl/deploy/local"
	"hitl/deploy/local/localtest"
)

// pooled returns a pooler with fewer sessions than the service has connections, so that they change hands all the time.
func pooled(t *testing.T, more map[string]string) *local.PgBouncer {
	t.Helper()
	settings := map[string]string{"default_pool_size": "5"}
	maps.Copy(settings, more)
	return localtest.PgBouncer(t, local.PgBouncerOptions{Passwords: map[string]string{"hitl_service": "service"}, Settings: settings})
}

// Everything goes through PgBouncer in transaction mode as it comes from Debian, with nothing said about it in the configuration: migration,
// service and commands; what holds locks, what is signed, and what comes later.
func TestStoryBehindAPooler(t *testing.T) {
	t.Parallel()
	pooler := pooled(t, nil)
	w := newWorld(t, func(s *storySettings) { s.Pooler, s.Undo = pooler, 12*time.Second })
	if logs := w.logs.String(); !strings.Contains(logs, "behind a connection pooler") || strings.Contains(logs, "nothing bounds") {
		t.Errorf("the service does not see PgBouncer %s, or misses its limits", pooler.Version())
	}
	w.signedLog()
	key := w.makeKey("--source", "shop", "--rights", "read")
	it := w.post("pooled-1", unsureText, http.StatusAccepted)
	right := w.changesHerMind(it)
	if got := w.calledBack(it); got.Status != hitl.HumanCorrected || got.Label != right {
		t.Errorf("upstream was told %+v", got)
	}
	want := []hitl.Status{hitl.HumanReview, hitl.HumanAccepted, hitl.Reopened, hitl.HumanCorrected}
	if diff := cmp.Diff(want, statuses(w.log(it.ID))); diff != "" {
		t.Error(diff)
	}
	w.verifies("4 entries, 4 of them bound by")
	if out := w.mustHitl("export", "corrections"); !strings.Contains(out, unsureText) {
		t.Errorf("exported %s", out)
	}
	w.within(keysDelay, key, "/v1/items/"+it.ID, http.StatusOK)
	w.mustHitl("migrate") // while the service runs
	if left := query[int](w, `SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 1751741548 AND database =
		(SELECT oid FROM pg_database WHERE datname = current_database())`); left != 0 {
		t.Errorf("%d locks of migrations stay in the pooler's sessions", left)
	}
}
