// Package queue is the index of reviews that wait for a card, in Redis.
//
// The reviews themselves are rows in Postgres; what stands here can be thrown
// away at any time and is brought back by a [Reconciler]. So an entry holds a
// review's id and nothing that could be out of date, and everything here is
// at-least-once: who takes a review reads its row before acting on it, and
// taking one twice is harmless.
//
// # What stands in Redis
//
// Each queue owns six keys, which share a hash tag, so that one node of a
// cluster holds them all. For the queue "support" and the prefix "hitl":
//
//	hitl:{support}:urgent   stream of waiting reviews
//	hitl:{support}:normal   stream of waiting reviews
//	hitl:{support}:sample   stream of waiting reviews
//	hitl:{support}:index    hash: review id → where its entry is, and its epoch
//	hitl:{support}:begun    number of the last rebuild that began
//	hitl:{support}:epoch    number of the last rebuild that was completed
//
// and a seventh, hitl:{support}:lease, by which one of several reconcilers
// does the work. The index is the authority: an entry that it does not point
// to is dropped when it is met, so that a review is in its queue once.
// Streams are never trimmed.
//
// Beside them stand short-lived keys, hitl:once:KEY, by which replicas tell
// whether one of them was given KEY before: see [Client.First].
//
// Consumers share the streams through one consumer group. A review that is
// taken stays in the queue until [Client.Done]. Who needs long for it says so
// by [Client.Hold]; when a consumer dies, or never heard what Redis gave it,
// the review is delivered again after [Config.StallAfter].
//
// # Loss
//
// A missing epoch means that the index is not known to be complete: Redis is
// new, was emptied, or lost the key. [Client.Epoch] then returns [ErrLost],
// and the reconciler rebuilds. Adding and taking go on meanwhile.
//
// On a cluster a queue is on one node. While that is away, calls about its
// queues fail and the others' do not, if the cluster's
// cluster-require-full-coverage is off; a node that comes back empty is a
// loss. While the slot of a queue is moved to another node, scripts fail with
// TRYAGAIN, since not all of their keys exist at all times: callers try again
// in any case. After a failover by Sentinels the next rebuild, within
// [Reconciler.Every], brings back what the new master had not heard of.
//
//	client, err := queue.Open(ctx, queue.Config{Addrs: []string{"127.0.0.1:6379"}})
//	if err != nil { … }
//	defer client.Close()
//	err = client.Add(ctx, "support", queue.Entry{ReviewID: "rev_1", Priority: hitl.PriorityUrgent})
//	taken, err := client.Next(ctx, "support", "replica-1", 10, time.Second)
//	for _, d := range taken {
//		… post a card for d.ReviewID …
//		err = client.Done(ctx, "support", d.ReviewID)
//	}
package queue
