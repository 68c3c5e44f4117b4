package hitl

import "time"

// NoticeKind says what a notice tells.
type NoticeKind string

// Notice is a message to people about a review or a queue. It is written in the transaction of what it tells of and posted afterwards, as often
// as it takes to be there once.
type Notice struct {
	ID       string // "ntc_…": stands in the message's metadata, so that a lost reply can be found again
	Kind     NoticeKind
	Queue    string
	ReviewID string            // empty: about none
	To       string            // Slack channel or user; empty: where the owners of the queue are told, or its reviewers
	InQueue  bool              // where To is empty: the queue's reviewers
	Data     map[string]string // what the kind says beside the review as it is when the notice is posted
	Attempt  int               // of posting it, from 1; beyond the first a message may be there

	CreatedAt time.Time
}
