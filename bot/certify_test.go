package bot

import (
	"errors"
	"testing"
	"time"

	"hitl"
)

func sampledPolicy(complete bool) Policy {
	p := samplePolicy()
	p.Sampling = &hitl.SampleChange{Rate: p.SampleRate, Risk: "0.02", Confidence: "0.95", Until: time.Date(2026, 4, 30, 8, 0, 0, 0, time.UTC), Complete: complete}
	return p
}

func lateNotice(changes ...string) hitl.Notice {
	n := hitl.Notice{Kind: hitl.NoticeCertifyLate, Queue: "support", Data: map[string]string{
		"policy": "mail<!channel>", "label": "<SPAM>", "risk": "0.02", "confidence": "0.95", "rate": "0.2", "by_then": "0.0234",
		"until": "2026-04-30T08:00:00Z", "at": "2026-06-12T08:00:00Z",
	}}
	for i := 0; i < len(changes); i += 2 {
		n.Data[changes[i]] = changes[i+1]
	}
	return n
}

// A notice that cannot be read is given up, and not tried again.
func TestCertifyLateUnreadable(t *testing.T) {
	t.Parallel()
	l := every(t).workspace
	for _, n := range []hitl.Notice{lateNotice("until", "soon"), lateNotice("rate", "")} {
		if _, err := certifyLateMessage(l, n); !errors.Is(err, hitl.ErrPermanent) {
			t.Errorf("%v: %v", n.Data, err)
		}
	}
}
