package queue

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"hitl"
)

// model is what a queue should be: for each priority its reviews in order.
type model map[hitl.Priority][]modelEntry

type modelEntry struct {
	id        string
	held      bool
	delivered int
}

func (m model) find(id string) (hitl.Priority, int) {
	for p, entries := range m {
		if i := slices.IndexFunc(entries, func(e modelEntry) bool { return e.id == id }); i >= 0 {
			return p, i
		}
	}
	return "", -1
}

func (m model) drop(id string) {
	if p, i := m.find(id); i >= 0 {
		m[p] = slices.Delete(m[p], i, i+1)
	}
}

func (m model) add(id string, priority hitl.Priority) {
	p, i := m.find(id)
	if p == priority {
		return
	}
	lower := slices.Index(hitl.Priorities(), priority) > slices.Index(hitl.Priorities(), p)
	if i >= 0 && lower && m[p][i].delivered > 0 {
		return // it was preferred
	}
	m.drop(id)
	m[priority] = append(m[priority], modelEntry{id: id})
}

func (m model) next(limit int) (taken []hitl.Delivery) {
	for _, p := range hitl.Priorities() {
		for i := range m[p] {
			e := &m[p][i]
			if e.held || len(taken) == limit {
				continue
			}
			e.held = true
			e.delivered++
			taken = append(taken, hitl.Delivery{ReviewID: e.id, Queue: support, Priority: p, Attempts: e.delivered})
		}
	}
	return taken
}

// TestModel does random things to a queue and to the model. Nothing stalls:
// that depends on time, and has its own test.
func TestModel(t *testing.T) {
	onAll(t, func(t *testing.T, addr string) {
		runs := 0
		rapid.Check(t, func(rt *rapid.T) {
			runs++
			cfg := at(addr)
			cfg.Prefix = fmt.Sprint("model-", runs)
			c := open(t, cfg)
			defer func() {
				keys, err := c.keys(support)
				must(t, err)
				must(t, c.rdb.Del(t.Context(), append(keys, c.leaseKey(support))...).Err())
			}()
			m := model{}
			id := rapid.SampledFrom([]string{"a", "b", "c", "d", "e", "f", "g"})
			ids := rapid.SliceOfN(id, 0, 4)
			priority := rapid.SampledFrom(hitl.Priorities())
			ctx := t.Context()
			rt.Repeat(map[string]func(*rapid.T){
				"add": func(rt *rapid.T) {
					e := Entry{ReviewID: id.Draw(rt, "id"), Priority: priority.Draw(rt, "priority")}
					must(t, c.Add(ctx, support, e))
					m.add(e.ReviewID, e.Priority)
				},
				"promote": func(rt *rapid.T) {
					e := Entry{ReviewID: id.Draw(rt, "id"), Priority: priority.Draw(rt, "priority")}
					moved, err := c.Promote(ctx, support, e)
					must(t, err)
					if _, i := m.find(e.ReviewID); moved != (i >= 0) {
						rt.Fatalf("promoted %v", moved)
					} else if moved {
						m.add(e.ReviewID, e.Priority)
					}
				},
				"next": func(rt *rapid.T) {
					limit := rapid.IntRange(1, 5).Draw(rt, "limit")
					consumer := rapid.SampledFrom([]string{"one", "two"}).Draw(rt, "consumer")
					taken, err := c.Next(ctx, support, consumer, limit, 0)
					must(t, err)
					if diff := cmp.Diff(m.next(limit), taken); diff != "" {
						rt.Fatalf("next (-want +got):\n%s", diff)
					}
				},
				"done": func(rt *rapid.T) {
					done := ids.Draw(rt, "ids")
					must(t, c.Done(ctx, support, done...))
					for _, id := range done {
						m.drop(id)
					}
				},
				"release": func(rt *rapid.T) {
					released := ids.Draw(rt, "ids")
					must(t, c.Release(ctx, support, released...))
					for _, id := range released {
						if p, i := m.find(id); i >= 0 {
							m[p][i].held = false
						}
					}
				},
				"rebuild": func(rt *rapid.T) {
					l := newLedger()
					for _, id := range ids.Draw(rt, "open") {
						l.reviews[id] = priority.Draw(rt, "priority")
					}
					_, err := c.Rebuild(ctx, support, l, nil)
					must(t, err)
					for _, id := range []string{"a", "b", "c", "d", "e", "f", "g"} {
						if p, open := l.reviews[id]; open {
							m.add(id, p)
						} else {
							m.drop(id)
						}
					}
				},
				"lose": func(rt *rapid.T) {
					keys, err := c.keys(support)
					must(t, err)
					must(t, c.rdb.Del(ctx, keys...).Err())
					clear(m)
				},
				"": func(rt *rapid.T) {
					list, err := c.List(ctx, support, 99)
					must(t, err)
					var got, wanted []string
					for _, w := range list {
						got = append(got, fmt.Sprint(w.ReviewID, w.Priority, w.Attempts))
					}
					for _, p := range hitl.Priorities() {
						for _, e := range m[p] {
							wanted = append(wanted, fmt.Sprint(e.id, p, e.delivered))
						}
					}
					if diff := cmp.Diff(wanted, got); diff != "" {
						rt.Fatalf("list (-want +got):\n%s", diff)
					}
					if n, err := c.Len(ctx, support); err != nil || int(n) != len(wanted) {
						rt.Fatalf("len %d, %v; want %d", n, err, len(wanted))
					}
				},
			})
		})
	})
}
