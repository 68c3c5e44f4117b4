// Package ingest is the service's HTTP side: items come in, signed callbacks go out.
//
// In: [New] returns a handler with the API under /v1, its OpenAPI document and a page that shows it, and health checks.
// An upstream (a "source") either posts items itself with a bearer key, or points its own webhooks at /v1/hooks/SOURCE, where CEL
// expressions from the configuration make items of whatever JSON it sends. Webhooks are proved by Standard Webhooks signatures, by
// HMAC-SHA256 signatures in GitHub's form, or by the bearer key. A source sees its own items only. Keys are the configuration's or those that Config.Keys
// knows; each has rights, and each route wants one.
//
// Out: [NewSender] returns the sender of callbacks, which are signed as Standard Webhooks (https://www.standardwebhooks.com).
//
// What holds everywhere:
//
//   - A 2xx is written after the ledger has committed. What is refused with 429 or 503 carries Retry-After, and its code tells
//     whether nothing was recorded (busy, backlog, unavailable) or nobody knows (outcome_unknown: send the same id again).
//   - Every error is an RFC 9457 problem document with a stable code; problem.go is the one place that makes them.
//   - Limits come before work: who may not post makes us read as little as the signature needs.
//   - Texts, keys and bodies never reach the log.
//
// Where to look: ingest.go (configuration), routes.go (every route and the OpenAPI document), scope.go (what surrounds each request), auth.go and signature.go (who is
// it), body.go and json.go (reading), items.go, batch.go, hooks.go with mapping.go, stats.go, health.go (the routes), problem.go
// (errors), docs.go (the page), server.go (timeouts), sender.go and dial.go (callbacks).
package ingest
