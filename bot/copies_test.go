package bot

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/slack-go/slack"

	"hitl"
	"hitl/bot/slacksim"
)

// lateHistory is a way to Slack on which the first answers about a channel's history hold no message yet.
type lateHistory struct {
	http.RoundTripper
	left atomic.Int64
}

func (l *lateHistory) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := l.RoundTripper.RoundTrip(r)
	if err != nil || !strings.HasSuffix(r.URL.Path, "/conversations.history") || l.left.Add(-1) < 0 {
		return res, err
	}
	_ = res.Body.Close()
	res.Body = io.NopCloser(bytes.NewReader([]byte(`{"ok":true,"messages":[],"has_more":false}`)))
	res.ContentLength = -1
	return res, nil
}

// A post's answer is lost, and the history shows the message late.
func TestLateHistory(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		late   int64
		copies int // beside the card, until the review is closed
	}{
		"at the second look it is there": {late: 2},
		"it takes longer than that":      {late: 3, copies: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			late := &lateHistory{RoundTripper: w.bot.api.http.Transport}
			late.left.Store(c.late)
			w.bot.api.http.Transport = late
			if err := w.sim.Fail("chat.postMessage", slacksim.Fault{LoseReply: slacksim.LoseByCut}); err != nil {
				t.Fatal(err)
			}
			rec := w.add()
			stop := w.run()
			w.eventually("the card is known", func() bool {
				cards := w.store.of(rec.Review.ID)
				return len(cards) == 1 && cards[0].State == hitl.CardPosted
			})
			stop()
			if n := w.cards(); n != 1+c.copies {
				t.Fatalf("%d cards, want %d", n, 1+c.copies)
			}
			card := w.store.of(rec.Review.ID)[0]
			w.click(ana, w.message(card.TS), actionAccept)
			w.eventually("copies are old enough", func() bool { return time.Since(card.BegunAt) > w.bot.cfg.LookAgain })
			if err := w.bot.RefreshCard(t.Context(), rec.Review.ID); err != nil {
				t.Fatal(err)
			}
			messages := w.sim.Messages(channel)
			if len(messages) != 1 || messages[0].TS != card.TS {
				t.Errorf("%d messages are left, want the card alone", len(messages))
			}
			w.clean()
		})
	}
}

// While the history may still be late, a refresh asks to come again.
func TestCopiesAreLookedForLater(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *setup) { s.bot.LookAgain = time.Hour })
	if err := w.sim.Fail("chat.postMessage", slacksim.Fault{Error: "not_in_channel"}); err != nil {
		t.Fatal(err)
	}
	rec := w.add()
	stop := w.run()
	w.eventually("the card is known, without a second look: the first post was refused", func() bool {
		cards := w.store.of(rec.Review.ID)
		return len(cards) == 1 && cards[0].State == hitl.CardPosted
	})
	stop()
	w.click(ana, w.message(w.store.of(rec.Review.ID)[0].TS), actionAccept)
	w.bot.Wait()
	err := w.bot.RefreshCard(t.Context(), rec.Review.ID)
	if retry, ok := errors.AsType[*hitl.RetryError](err); !ok || retry.After < 59*time.Minute {
		t.Errorf("want to be asked again in an hour: %v", err)
	}
}

// The review was decided on a message that the bot does not know of yet: that message stays.
func TestCardNotYetKnownIsNoCopy(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	rec, card := w.posted()
	w.store.mu.Lock()
	for _, c := range w.store.cards {
		c.State, c.TS, c.Attempt = hitl.CardIntent, "", 2
	}
	w.store.mu.Unlock()
	w.click(ana, card, actionAccept)
	w.bot.Wait()
	if err := w.bot.RefreshCard(t.Context(), rec.Review.ID); err != nil {
		t.Fatal(err)
	}
	if n := w.cards(); n != 1 {
		t.Errorf("%d cards are left, want the one", n)
	}
}

func TestInDoubt(t *testing.T) {
	t.Parallel()
	network := func(op string) error {
		return fmt.Errorf("post: %w", &url.Error{Op: "Post", Err: &net.OpError{Op: op, Err: errors.New("connection reset")}})
	}
	for name, c := range map[string]struct {
		err       error
		was, want bool
	}{
		"reply lost":           {classify(postMessage, network("read")), false, true},
		"cut while asking":     {classify(postMessage, network("write")), false, true},
		"server error":         {classify(postMessage, slack.StatusCodeError{Code: 502}), false, true},
		"Slack out of reach":   {classify(postMessage, network("dial")), true, false},
		"refused":              {classify(postMessage, slack.SlackErrorResponse{Err: "invalid_auth"}), true, false},
		"limited":              {classify(postMessage, &slack.RateLimitedError{RetryAfter: time.Second}), true, false},
		"history, none before": {classify(readHistory, network("read")), false, false},
		"history, one before":  {classify(readHistory, network("dial")), true, true},
		"store":                {errors.New("postgres is away"), false, true},
		"lost, then looked":    {errors.Join(classify(postMessage, network("read")), classify(readHistory, network("dial"))), false, true},
	} {
		if got := inDoubt(c.was, fmt.Errorf("show: %w", c.err)); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
