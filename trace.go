package hitl

import "context"

// Tracer follows an item through the flows, for OpenTelemetry or the like, which this package knows nothing of: it says when a step begins and
// ends, and whoever implements Tracer keeps in the context what the rooms below need to go on. Its methods must not block.
type Tracer interface {
	// Begin begins a step of what ctx is about and returns the context of the step. end ends it; the record is what it was about, empty where
	// an outer step says so.
	Begin(ctx context.Context, step Step) (_ context.Context, end func(Record, error))
	// Trace returns the W3C traceparent of ctx, by which what is done about an item later can be linked to it; "" when nobody records it.
	Trace(ctx context.Context) string
}

// Step is a part of a flow.
type Step string

// The steps.
const (
	StepSubmit   Step = "submit"    // all of Intake.Submit
	StepClassify Step = "classify"  // the model, from the text to the prediction
	StepRoute    Step = "route"     // the policy
	StepAppend   Step = "append"    // the ledger, until the commit
	StepQueue    Step = "queue add" // the index of what waits
	StepDecide   Step = "decide"    // all of Desk.Decide or Desk.Vote
)

// untraced ends a step that nobody follows.
func untraced(Record, error) {}

// begin begins a step; t may be nil.
func begin(ctx context.Context, t Tracer, step Step) (context.Context, func(Record, error)) {
	if t == nil {
		return ctx, untraced
	}
	return t.Begin(ctx, step)
}
