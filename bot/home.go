package bot

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"hitl"
)

// Actions of the home tab.
const (
	actionHome      = "hitl_home_" // begins all but actionPick and those of batches
	actionHomeQueue = actionHome + "queue"
	actionHomeLabel = actionHome + "label"
	actionHomeAge   = actionHome + "age"
	actionHomeOrder = actionHome + "order"
	actionHomeBack  = actionHome + "back"
	actionHomeOn    = actionHome + "on"
	actionRefresh   = actionHome + "refresh"
	actionPick      = "hitl_pick"

	optionAll = "all" // of a filter
)

// homeClaims is how many of a person's claims the home tab lists.
const homeClaims = 10

// homePage is everything that a home tab shows.
type homePage struct {
	who     hitl.Reviewer
	refused words   // why there is nothing to see; nil: there may be
	owned   []owned // queues that they run
	queues  []hitl.QueueWait
	claims  []screened
	batches []hitl.Batch
	state   homeState
	label   string   // that state.Label names
	labels  []string // to choose from
	rows    []screened
	total   int
	limit   int // of a batch in the queue; 0: none
	now     time.Time
}

// homeClick carries out an action in the home tab.
func (b *Bot) homeClick(ctx context.Context, in interaction, a action) answer {
	state := homeStateOf(in.View)
	switch {
	case strings.HasPrefix(a.ActionID, actionBatch):
		return b.batchClick(ctx, in, a, state)
	case a.ActionID == actionOwned:
		return b.ownedClick(ctx, in, a.Value)
	case strings.HasPrefix(a.ActionID, actionHome), a.ActionID == actionPick:
		var rows []string
		if !state.act(a) {
			rows = state.Rows
		}
		b.spawn(ctx, func(ctx context.Context) { b.showHome(ctx, in.reviewer(), state, rows) })
		return answer{}
	}
	b.cfg.Observer.Clicked("home", outcomeUnknown)
	return answer{}
}

// showHome draws somebody's home tab as things are now. With rows the list stays at these reviews: who chooses among them must not have
// them move. Of several that are being drawn the one begun last is shown.
func (b *Bot) showHome(ctx context.Context, who hitl.Reviewer, state homeState, rows []string) {
	latest := b.homes.begin(who.User)
	l := b.languageOf(ctx, who.User)
	h, err := b.home(ctx, who, state, rows)
	if err != nil {
		b.log.ErrorContext(ctx, "home tab not loaded", "user", who.User, "error", err)
		h = homePage{who: who, state: state, refused: saying("home.not_loaded")}
	}
	if !latest() {
		return
	}
	view := homeView(l, h)
	err = b.api.publishHome(ctx, who.User, view)
	if d := rateLimited(err); d > 0 && sleep(ctx, d) == nil && latest() {
		err = b.api.publishHome(ctx, who.User, view)
	}
	if err != nil {
		b.cfg.Observer.Clicked("home", outcomeFailed)
		b.log.WarnContext(ctx, "home tab not shown", "user", who.User, "error", err)
		return
	}
	b.cfg.Observer.Clicked("home", "answered")
}

// home loads what somebody's home tab shows.
func (b *Bot) home(ctx context.Context, who hitl.Reviewer, state homeState, rows []string) (homePage, error) {
	h := homePage{who: who, state: state, now: b.cfg.Now()}
	queues, err := b.reviewedBy(ctx, who)
	if err != nil {
		return h, err
	}
	if h.owned, err = b.ownedNow(ctx, who); err != nil {
		return h, err
	}
	if len(queues) == 0 {
		h.refused = saying("home.no_queues")
		return h, nil
	}
	if h.queues, err = b.cfg.Lists.Waits(ctx, queues); err != nil {
		return h, fmt.Errorf("read waits: %w", err)
	}
	claims, err := b.cfg.Lists.Claims(ctx, who, homeClaims)
	if err != nil {
		return h, fmt.Errorf("read claims: %w", err)
	}
	for _, rec := range claims {
		h.claims = append(h.claims, b.screen(rec))
	}
	if h.batches, err = b.cfg.Lists.Batches(ctx, who); err != nil {
		return h, fmt.Errorf("read batches: %w", err)
	}
	if !slices.Contains(queues, state.Queue) {
		h.state = homeState{Queue: mostWaiting(h.queues), Age: state.Age, Order: state.Order}
		rows = nil
	}
	h.limit = b.cfg.Queues[h.state.Queue].BatchLimit
	return h, b.fillList(ctx, &h, rows)
}

// fillList loads the rows of the list.
func (b *Bot) fillList(ctx context.Context, h *homePage, rows []string) (err error) {
	if h.labels, err = b.cfg.Lists.OpenLabels(ctx, h.state.Queue); err != nil {
		return fmt.Errorf("read labels: %w", err)
	}
	if h.label, _ = byKey(h.labels, h.state.Label); h.label == "" {
		h.state.Label = ""
	}
	list, err := b.cfg.Lists.Worklist(ctx, hitl.WorkQuery{
		Queue: h.state.Queue, AILabel: h.label, MinAge: ageOf(h.state.Age), Order: h.state.Order,
		Queued: b.cfg.Desk.Queues[h.state.Queue].Ordering(), Page: h.state.Page, Size: homeRows,
	})
	if err != nil {
		return fmt.Errorf("read worklist: %w", err)
	}
	h.total, h.state.Page = list.Total, list.Page
	if rows != nil {
		list.Rows = nil
	}
	for _, id := range rows {
		rec, err := b.cfg.Desk.Review(ctx, id)
		if errors.Is(err, hitl.ErrNotFound) || err == nil && (rec.Review == nil || rec.Review.Queue != h.state.Queue) {
			continue
		}
		if err != nil {
			return fmt.Errorf("load review: %w", err)
		}
		list.Rows = append(list.Rows, rec)
	}
	h.state.Rows = nil
	for _, rec := range list.Rows {
		h.rows = append(h.rows, b.screen(rec))
		h.state.Rows = append(h.state.Rows, rec.Review.ID)
	}
	return nil
}

// reviewedBy returns the queues whose reviews somebody may decide, in alphabetical order.
func (b *Bot) reviewedBy(ctx context.Context, who hitl.Reviewer) ([]string, error) {
	var queues []string
	for _, name := range slices.Sorted(maps.Keys(b.cfg.Queues)) {
		err := b.rights.reviewer(ctx, who, name)
		if _, no := errors.AsType[*notAllowedError](err); no {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("learn rights: %w", err)
		}
		queues = append(queues, name)
	}
	return queues, nil
}

// mostWaiting is the queue that is shown to whoever has chosen none.
func mostWaiting(queues []hitl.QueueWait) string {
	most := slices.MaxFunc(queues, func(a, b hitl.QueueWait) int { return a.Open - b.Open })
	return most.Queue
}

// homes knows for whom a home tab is being drawn, so that an older state does not cover a newer one.
type homes struct {
	mu    sync.Mutex
	begun map[string]int
}

const maxHomes = 10000

// begin notes that a home tab is being drawn; latest says whether it is still the last that was begun.
func (h *homes) begin(user string) (latest func() bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.begun == nil || len(h.begun) >= maxHomes {
		h.begun = map[string]int{}
	}
	h.begun[user]++
	mine := h.begun[user]
	return func() bool {
		h.mu.Lock()
		defer h.mu.Unlock()
		return h.begun[user] == mine || h.begun[user] == 0
	}
}
