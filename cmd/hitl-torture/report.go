package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"time"
)

// Report is what a run found. Counts of what must not be are 0 in a good one, DuplicateCards aside, which has a bound.
type Report struct {
	Seed     uint64  `json:"seed"`
	Seconds  float64 `json:"seconds"` // how long things went wrong
	Replicas int     `json:"replicas"`
	Socket   bool    `json:"socket"` // Slack spoke over Socket Mode

	Acknowledged int `json:"acknowledged"`  // items answered with 2xx
	Items        int `json:"items"`         // that there are: acknowledged ones, and some whose answer got lost
	Clicks       int `json:"ticked_clicks"` // answered with success; more than there are decisions, since reviewers race

	Callbacks       int `json:"callbacks"`        // different ones
	Undone          int `json:"undone"`           // decisions that were taken back
	Claims          int `json:"claims"`           // that a card showed
	ClaimsAbandoned int `json:"claims_abandoned"` // of these: somebody else decided after their time
	Panels          int `json:"panels"`           // that came to a decision
	Adjudicated     int `json:"adjudicated"`      // of these: without a majority
	Verdicts        int `json:"verdicts"`         // of panels

	Lost                int `json:"lost"` // acknowledged items, entries and clicks that are not there
	Undecided           int `json:"undecided"`
	DoubleDecisions     int `json:"double_decisions"`
	DuplicateCards      int `json:"duplicate_cards"`       // messages posted beyond the first of their review, deleted ones included
	DuplicateBound      int `json:"duplicate_cards_bound"` // posts whose outcome nobody may have learned
	DeadCards           int `json:"dead_cards"`            // that don't say what their review's row says
	MissingCallbacks    int `json:"missing_callbacks"`
	ChangedCallbacks    int `json:"changed_callbacks"` // more than one id or body
	NotLinearizable     int `json:"not_linearizable"`  // items
	MisorderedCallbacks int `json:"misordered_callbacks"`
	DecidedOverClaims   int `json:"decided_over_claims"` // while somebody else had the review for themselves
	WrongPanels         int `json:"wrong_panels"`        // verdicts too many, and decisions that are not the majority's or the adjudicator's
	Panics              int `json:"panics"`

	Checkpoints             int   `json:"checkpoints"` // different ones that were shown to somebody outside
	LogEntries              int64 `json:"log_entries"` // that the last of them covers
	InconsistentCheckpoints int   `json:"inconsistent_checkpoints"`
	NotIncluded             int   `json:"not_included"`    // items with an entry that the log of a checkpoint lacks
	VerifyFindings          int   `json:"verify_findings"` // of hitl verify

	HealthyAnswers   int `json:"healthy_answers"`   // of /healthz
	LivenessFailures int `json:"liveness_failures"` // processes that were silent although nobody had touched them
	ReadinessTurned  int `json:"readiness_turned"`  // times that a replica said that it was not ready while Postgres was away
	ReadinessWrong   int `json:"readiness_wrong"`   // times that one went on to say it was, or did not become ready again
	StopsWrong       int `json:"stops_wrong"`       // replicas that did not exit with 0 in time when told to stop

	Faults        map[string]int       `json:"faults"`
	ClickToCommit quantiles            `json:"click_to_commit_ms"` // from a click to its tick, which is sent after the commit
	Recovery      map[string]quantiles `json:"recovery_ms"`        // from the end of a fault until a new item has gone its whole way
	SettledIn     float64              `json:"settled_in_seconds"`
	ClickTimeouts int                  `json:"click_timeouts"`     // clicks that nobody answered within Slack's 3 s
	Restarts      int                  `json:"restarts_by_itself"` // replicas that ended unasked, for instance since Postgres was away at their start
	SlackRefused  int                  `json:"slack_refused"`      // calls that Slack would call wrong

	Problems []string `json:"problems"` // at most 50, in words
}

type quantiles struct {
	N   int     `json:"n"`
	P50 float64 `json:"p50"`
	P99 float64 `json:"p99"`
}

// quantilesOf are nearest-rank quantiles in milliseconds.
func quantilesOf(took []time.Duration) quantiles {
	if len(took) == 0 {
		return quantiles{}
	}
	sorted := slices.Sorted(slices.Values(took))
	at := func(q float64) float64 {
		i := int(math.Ceil(q*float64(len(sorted)))) - 1
		return math.Round(float64(sorted[max(i, 0)])/float64(time.Millisecond)*10) / 10
	}
	return quantiles{N: len(sorted), P50: at(0.5), P99: at(0.99)}
}

const maxProblems = 50

func (r *Report) problem(format string, args ...any) {
	if len(r.Problems) < maxProblems {
		r.Problems = append(r.Problems, fmt.Sprintf(format, args...))
	}
}

func (r *Report) lose(format string, args ...any) {
	r.Lost++
	r.problem("lost: "+format, args...)
}

func (r *Report) dead(format string, args ...any) {
	r.DeadCards++
	r.problem("dead: "+format, args...)
}

// bad says whether anything is there that must not be.
func (r *Report) bad() bool {
	return len(r.Problems) > 0 || r.DuplicateCards > r.DuplicateBound ||
		r.Lost+r.Undecided+r.DoubleDecisions+r.DeadCards+r.MissingCallbacks+r.ChangedCallbacks+r.NotLinearizable+r.Panics > 0 ||
		r.MisorderedCallbacks+r.DecidedOverClaims+r.WrongPanels > 0 ||
		r.InconsistentCheckpoints+r.NotIncluded+r.VerifyFindings+r.LivenessFailures+r.ReadinessWrong+r.StopsWrong > 0
}

func (r *Report) write(w io.Writer) error {
	if r.Problems == nil {
		r.Problems = []string{}
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(r)
}
