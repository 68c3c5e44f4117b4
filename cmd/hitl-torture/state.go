package main

import (
	"fmt"
	"strconv"
	"strings"
)

// state is where one item stands, as somebody outside sees it: absent (empty), sure:LABEL, pending:ROUND, or decided:ROUND:LABEL:REVIEWER.
type state string

const absent state = ""

func sure(label string) state { return state("sure:" + label) }
func pending(round int) state { return state("pending:" + strconv.Itoa(round)) }
func decided(round int, label, reviewer string) state {
	return state(fmt.Sprintf("decided:%d:%s:%s", round, label, reviewer))
}

// isDecided says whether a decision of people's stands.
func (s state) isDecided() bool { return strings.HasPrefix(string(s), "decided:") }

// isPending says whether the item waits for people.
func (s state) isPending() bool { return strings.HasPrefix(string(s), "pending:") }

// round is that of a pending or decided state, else 0.
func (s state) round() int {
	if !s.isDecided() && !s.isPending() {
		return 0
	}
	n, _ := strconv.Atoi(strings.Split(string(s), ":")[1]) // those are made here
	return n
}

// parts returns label and reviewer of a decided state.
func (s state) parts() (label, reviewer string) {
	parts := strings.SplitN(string(s), ":", 4)
	if !s.isDecided() || len(parts) < 4 {
		return "", ""
	}
	return parts[2], parts[3]
}
