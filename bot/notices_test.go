package bot

import (
	"errors"
	"testing"
	"time"

	"hitl"
	"hitl/bot/slacksim"
)

// What is for one person is there once, in their conversation with the app, however often its answer is lost.
func TestNoticeOnce(t *testing.T) {
	t.Parallel()
	for name, to := range map[string]string{"channel": channel, "person": ana, "owners": ""} {
		for _, loss := range []slacksim.LostReply{slacksim.LoseByCut, slacksim.LoseByStatus} {
			t.Run(name+" "+string(loss), func(t *testing.T) {
				t.Parallel()
				w := newWorld(t)
				n := hitl.Notice{ID: "ntc_1", Queue: "support", To: to, CreatedAt: time.Now(), Attempt: 1}
				if err := w.sim.Fail("chat.postMessage", slacksim.Fault{LoseReply: loss, Times: 1}); err != nil {
					t.Fatal(err)
				}
				m := message{Text: "Two reviewers passed this on."}
				if _, _, err := w.bot.postNotice(t.Context(), n, m); err == nil {
					t.Error("a lost answer is taken for success")
				}
				n.Attempt = 2
				where, ts, err := w.bot.postNotice(t.Context(), n, m)
				if err != nil || ts == "" {
					t.Fatalf("%q, %v", ts, err)
				}
				if got := w.sim.Messages(where); len(got) != 1 || got[0].TS != ts || got[0].Text != m.Text {
					t.Errorf("%+v, want one message at %s", got, ts)
				}
				w.clean()
			})
		}
	}
}

func TestNoticeOfUnknownKind(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if _, _, err := w.bot.PostNotice(t.Context(), hitl.Notice{ID: "ntc_1", Kind: "unheard_of", To: channel}); !errors.Is(err, hitl.ErrPermanent) {
		t.Errorf("%v, want one for good", err)
	}
}
