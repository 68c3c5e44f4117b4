// Package hitl holds the words and the flows of a human-in-the-loop service.
//
// A service classifies incoming text items. What the model is sure of is accepted at once; the rest waits for a reviewer,
// who accepts or corrects it with one click. This package declares what those words mean as types and says, over small
// interfaces, what happens in which order:
//
//   - [Intake] (intake.go) takes a [Submission]: classify, route, record, and, where a person is needed, queue the review.
//   - [Desk] (desk.go) takes a reviewer's [Verdict] and makes it the one [Decision] of a review, or says who was first.
//   - [Eraser] (erase.go) takes away what people wrote, and leaves the log whole.
//
// The package does no I/O and imports nothing but the standard library. The rooms around it do the work:
// classifier (models), classifier/policy (routing), audit (Postgres, the truth), queue (Redis, an index of what waits),
// bot (Slack), ingest (HTTP in, callbacks out), config (the YAML file). Rooms know this package and not each other; cmd/hitl
// puts them together.
//
// Two rules shape everything here. Acknowledged means durable: Submit and Decide return only after the ledger has committed.
// And one decision per review round: whoever comes second is told who decided, and when.
package hitl
