// Package audit is the system of record: everything hitl knows stands in Postgres, and what happened stands in a log that only grows.
//
// [Migrate] makes the schema, as its owner. [Open] connects the service, as a role that may insert into and read the log and
// nothing else. A [Store] is the Ledger of hitl.Intake and the Decisions of hitl.Desk:
//
//   - [Store.Append] (append.go, flush.go) writes new items. Concurrent calls share a transaction.
//   - [Store.Decide] (decide.go) makes one decision of a review round win, by a primary key.
//   - [Store.RunEffects] (effects.go) carries out what must happen after a commit: callbacks, card refreshes, timers. The jobs are
//     inserted by the transaction that calls for them, and River polls for them; nothing listens, so connection poolers are fine. Jobs
//     are on leases (lease.go): what a process held that died begins again on another within seconds.
//   - [Store.BeginCard] and its neighbours (cards.go) are the bot's memory of what it posted.
//   - [CreateKey] and [RevokeKey] (keys.go) are the owner's; a [Keyring] (keyring.go) holds the API keys that are live.
//   - [Store.Erase] (erase.go) takes away what people wrote, with a trace in the log: the one thing that the service may remove.
//   - A connection pooler is noticed (pooler.go): nothing here needs a session that outlives a transaction.
//   - [Store.Stats] and [Store.Export] are queries.
//
// Schema hitl holds our tables (migrations/), schema hitl_jobs River's.
//
// No transaction stays open across a call to anything but Postgres. Locks are taken in one order everywhere: the channel's advisory lock,
// the review's row, then the item's, the card's or the callback's; of several rows of a kind by id.
package audit
