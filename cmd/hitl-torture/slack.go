package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"hitl/bot/slacksim"
)

const reviewerGroup = "S0TEAM"

// reviewers are those who click. The first may review by name, and decides for panels without a majority; the others as members of the group.
func reviewers() []string { return []string{"U0ANA", "U0BEN", "U0CHLOE", "U0DANA", "U0EVE"} }

// workspace is the simulated Slack, behind a layer that can make its history late.
type workspace struct {
	sim    *slacksim.Sim
	server *http.Server
	addr   string
	served chan struct{}

	mu   sync.Mutex
	late time.Duration // messages younger than this are missing from histories
}

func startSlack(ctx context.Context, feeds []feed, socket bool) (*workspace, error) {
	cfg := slacksim.Config{Rates: slacksim.RatesOff, Client: newClient(0), SocketMode: socket}
	for _, id := range reviewers() {
		name := strings.ToLower(strings.TrimPrefix(id, "U0"))
		cfg.Users = append(cfg.Users, slacksim.User{ID: id, Name: name, RealName: name})
	}
	cfg.Groups = []slacksim.Group{{ID: reviewerGroup, Handle: "team", Name: "Team", Members: reviewers()[1:]}}
	for _, f := range feeds {
		cfg.Channels = append(cfg.Channels, slacksim.Channel{ID: f.Channel, Name: f.Name, Members: append(reviewers(), "U0HITL")})
	}
	sim, err := slacksim.New(cfg)
	if err != nil {
		return nil, err
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for slack: %w", err)
	}
	w := &workspace{sim: sim, addr: l.Addr().String(), served: make(chan struct{})}
	w.server = &http.Server{Handler: http.HandlerFunc(w.serve), ReadHeaderTimeout: 10 * time.Second}
	go func() { defer close(w.served); _ = w.server.Serve(l) }() // ends with close
	return w, nil
}

func (w *workspace) close() {
	w.sim.Close()
	_ = w.server.Close()
	<-w.served
}

func (w *workspace) setLate(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.late = d
}

func (w *workspace) serve(rw http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	late := w.late
	w.mu.Unlock()
	if late == 0 || r.URL.Path != "/api/conversations.history" {
		w.sim.ServeHTTP(rw, r)
		return
	}
	whole := &buffered{header: http.Header{}, status: http.StatusOK}
	w.sim.ServeHTTP(whole, r)
	body := whole.body.Bytes()
	if cut, err := without(body, time.Now().Add(-late)); err == nil {
		body = cut
	}
	maps.Copy(rw.Header(), whole.header)
	rw.WriteHeader(whole.status)
	_, _ = rw.Write(body) // the caller may be gone
}

// without leaves messages out of a history that are younger than a time, as Slack does now and then for a while.
func without(body []byte, since time.Time) ([]byte, error) {
	var answer map[string]any
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	if err := d.Decode(&answer); err != nil {
		return nil, err
	}
	list, _ := answer["messages"].([]any)
	kept := []any{}
	for _, m := range list {
		fields, _ := m.(map[string]any)
		ts, _ := fields["ts"].(string)
		seconds, err := strconv.ParseFloat(ts, 64)
		if err != nil || time.UnixMilli(int64(seconds*1000)).Before(since) {
			kept = append(kept, m)
		}
	}
	answer["messages"] = kept
	return json.Marshal(answer)
}

// buffered is an answer that is kept instead of sent.
type buffered struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (b *buffered) Header() http.Header         { return b.header }
func (b *buffered) WriteHeader(status int)      { b.status = status }
func (b *buffered) Write(p []byte) (int, error) { return b.body.Write(p) }

// shownCard is a message that shows a review.
type shownCard struct {
	channel, ts string
	review      string
	text        string
	buttons     []slacksim.Element // those that decide
	others      []slacksim.Element // all others
}

// round is the one that a button belongs to; 0 when there is none.
func roundOf(e slacksim.Element) int {
	parts := strings.Split(e.Value, ".")
	if len(parts) < 2 {
		return 0
	}
	n, _ := strconv.Atoi(parts[1]) // 0 is as good as none
	return n
}

// button finds one of the others.
func (c shownCard) button(action string) (slacksim.Element, bool) {
	i := slices.IndexFunc(c.others, func(e slacksim.Element) bool { return e.ActionID == action })
	if i < 0 {
		return slacksim.Element{}, false
	}
	return c.others[i], true
}

// open is the round that the card offers to decide or to vote on; 0: none.
func (c shownCard) open() int {
	if len(c.buttons) > 0 {
		return roundOf(c.buttons[0])
	}
	vote, _ := c.button("hitl_vote")
	return roundOf(vote)
}

// cardMetadata is the event type of the metadata that cards carry. Notices have another.
const cardMetadata = "hitl_card"

// cards returns the cards in a channel, the oldest first.
func (w *workspace) cards(channel string) []shownCard {
	var out []shownCard
	for _, m := range w.sim.Messages(channel) {
		if m.Metadata == nil || m.Metadata.EventType != cardMetadata {
			continue
		}
		review, _ := m.Metadata.EventPayload["review"].(string)
		c := shownCard{channel: channel, ts: m.TS, review: review, text: m.AllText()}
		for _, e := range m.Elements() {
			if e.Type == "button" && (e.ActionID == "hitl_accept" || strings.HasPrefix(e.ActionID, "hitl_label_")) {
				c.buttons = append(c.buttons, e)
				continue
			}
			c.others = append(c.others, e)
		}
		out = append(out, c)
	}
	return out
}

// id is how the service names a reviewer of this workspace.
func (w *workspace) id(user string) string { return w.sim.Team().ID + "/" + user }

// copies counts the messages that were ever posted of a review beyond its first, those included that are deleted by now, and how many posts
// lost their answers, which is as many as there may be.
func (w *workspace) copies() (n, bound int) {
	posts := map[string]int{}
	for _, call := range w.sim.Calls("chat.postMessage") {
		if strings.HasPrefix(call.Fault, "done, reply lost") {
			bound++
		}
		var m slacksim.Metadata
		if !call.OK || json.Unmarshal([]byte(call.Args["metadata"]), &m) != nil || m.EventType != cardMetadata {
			continue
		}
		review, _ := m.EventPayload["review"].(string)
		if posts[review]++; posts[review] > 1 {
			n++
		}
	}
	return n, bound
}

// label is what a button stands for.
func label(e slacksim.Element) string { return strings.TrimPrefix(e.Text, "✓ Accept ") }
