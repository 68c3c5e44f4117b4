package audit

import (
	"errors"
	"testing"
	"time"

	"hitl"
)

func TestPeriodicTimes(t *testing.T) {
	t.Parallel()
	failed := errors.New("failed")
	retry := func(after time.Duration) error { return &hitl.RetryError{After: after, Err: failed} }
	for _, c := range []struct {
		every, tick, lease time.Duration
		err                error
		next               time.Duration
	}{
		{24 * time.Hour, time.Minute, 10 * time.Minute, nil, 24 * time.Hour},
		{24 * time.Hour, time.Minute, 10 * time.Minute, failed, time.Minute},
		{24 * time.Hour, time.Minute, 10 * time.Minute, retry(time.Hour), time.Hour},
		{24 * time.Hour, time.Minute, 10 * time.Minute, retry(time.Second), time.Minute},
		{24 * time.Hour, time.Minute, 10 * time.Minute, retry(48 * time.Hour), 24 * time.Hour},
		{2 * time.Minute, 30 * time.Second, 2 * time.Minute, failed, time.Minute},
		{5 * time.Second, 1250 * time.Millisecond, time.Minute, failed, 5 * time.Second},
		{time.Nanosecond, time.Millisecond, time.Minute, nil, time.Nanosecond},
	} {
		p := Periodic{Every: c.every}
		if p.tick() != c.tick || p.lease() != c.lease || p.next(c.err) != c.next {
			t.Errorf("every %s, %v: tick %s, lease %s, next %s; want %+v", c.every, c.err, p.tick(), p.lease(), p.next(c.err), c)
		}
	}
}
