// Package policy decides which items a person must see.
//
// A [Spec] says what is unsure: confidences below a threshold, labels that are always looked at, rules, and a random sample of what
// is left. [New] checks it, compiles its rules and gives it a version, the hash of its canonical text. [Policy.Route] then makes
// a route of an item and its prediction. It is pure: no clock, no chance, no I/O; the same input gives the same route for
// ever, so any decision can be replayed from the record and the policy's text.
//
// A route carries every trigger that holds, in this order: model_error or no_model, truncated, low_confidence, always_review, the rules as
// they were configured, and sample only when nothing else holds. An item without a trigger is accepted at once. Triggers can
// only ask for a person; nothing that a rule says accepts an item that another trigger stopped.
//
// # Rules
//
// A rule's condition is a CEL expression (https://cel.dev) of type bool over two variables:
//
//	item        id, source, external_id, text, subject: string; metadata: map(string, dyn); received_at: timestamp
//	prediction  label, model: string; confidence: double; scores: map(string, double); tokens: int; truncated: bool
//
// CEL's standard functions and macros, the string extensions (lowerAscii, indexOf, split, trim, …) and optionals are there.
// Misspelt fields, wrong types and bad regular expressions are errors of New that point at their place.
//
// Nothing is dropped in silence: a rule that fails while it runs, because a key of the metadata is missing or its cost limit is
// reached, holds. The item goes to a person with that rule's trigger, and [Policy.Failures] counts it. Ask first whether a key is
// there, has(item.metadata.total) && item.metadata.total > 100, or give a default, item.metadata[?"total"].orValue(0) > 100.
//
// When the model failed there is no prediction to ask about: rules that mention it are passed over, and the item goes to a person
// anyway.
//
// A hostile text can neither stall nor fill the process: what a rule may cost is bounded in steps that do not depend on the
// machine, and functions whose cost can explode in a single call (matches, replace, indexOf, lastIndexOf) take only constants as
// patterns; join and format, which a condition does not need, are not there.
package policy
