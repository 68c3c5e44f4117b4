package main

import (
	"time"

	"github.com/anishathalye/porcupine"
)

// itemModel is what one item may do: from absent to sure or pending, by its submission; from pending to decided, by the first click. From
// there it goes nowhere. An operation whose outcome nobody learned may have its effect whenever it likes, or come so late that it does
// not matter. route is what the item's submission makes of it, which is learned from any answer.
func itemModel(route state) porcupine.Model {
	return porcupine.Model{
		Init: func() any { return absent },
		Step: func(now, in, _ any) (bool, any) {
			ok, next := step(now.(state), in.(operation), route)
			return ok, next
		},
		Equal: func(a, b any) bool { return a == b },
	}
}

// step says whether an operation is possible in a state, and what the state is after it.
func step(now state, op operation, route state) (bool, state) {
	switch op.do {
	case submitted:
		if now == absent {
			now = route
		}
		return !op.known || op.out == now, now
	case clicked:
		switch {
		case now == pending:
			return true, op.want
		case op.known:
			return now.isDecided(), now // a tick promises that there is a decision
		}
		return true, now
	case read:
		return op.out == now, now
	}
	return false, now
}

// linearizable says whether there is an order of what was done to an item, in which every operation took effect between its call and
// its answer, that explains every answer.
func linearizable(ops []operation, route state) bool {
	history := make([]porcupine.Operation, len(ops))
	for i, op := range ops {
		history[i] = porcupine.Operation{ClientId: i, Input: op, Call: op.call, Return: op.end}
	}
	// Illegal is a finding; that the time was too short is none, and does not happen with the few operations of one item.
	return porcupine.CheckOperationsTimeout(itemModel(route), history, 10*time.Second) != porcupine.Illegal
}

// routeOf learns what an item's submission made of it.
func routeOf(ops []operation) state {
	for _, op := range ops {
		if op.known && op.do != clicked && op.out != absent {
			if op.out == pending || op.out.isDecided() {
				return pending
			}
			return op.out
		}
	}
	return pending
}
