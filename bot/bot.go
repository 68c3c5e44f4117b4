package bot

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"
)

// Bot is one Slack app in one workspace. It is safe for concurrent use.
type Bot struct {
	cfg    Config
	log    *slog.Logger
	api    *api
	rights *rights
	tasks  tasks
	drawn  drawn
	homes  homes
	wakes  map[string]chan struct{} // by queue: a slot may have become free
	pauses pauseLook

	languages *languages

	redactors map[string]*redactor // by queue
	strictest *redactor            // of a queue that is not configured
	replays   *replays

	mu      sync.Mutex
	trouble map[string]error // by what: what keeps the bot from working
	host    string           // of the workspace; empty until it is known
}

// New checks a configuration and makes a Bot. It calls nobody.
func New(cfg Config) (*Bot, error) {
	cfg = cfg.withDefaults()
	if err := errors.Join(cfg.validate(), cfg.complete()); err != nil {
		return nil, fmt.Errorf("slack bot: %w", err)
	}
	redactors, strictest, err := newRedactors(cfg.Queues)
	if err != nil {
		return nil, fmt.Errorf("slack bot: %w", err)
	}
	languages, err := loadLanguages(catalogue, cfg.Language)
	if err != nil {
		return nil, fmt.Errorf("slack bot: %w", err)
	}
	b := &Bot{
		languages: languages,
		redactors: redactors, strictest: strictest, replays: newReplays(cfg.Replays, cfg.Now),
		cfg: cfg, log: cfg.Logger, api: newAPI(cfg), trouble: map[string]error{}, wakes: map[string]chan struct{}{},
	}
	b.rights = newRights(cfg, b.api, b.spawn)
	for name := range cfg.Queues {
		b.wakes[name] = make(chan struct{}, 1)
	}
	b.hinder("identity", errors.New("the bot has not reached Slack yet"))
	if cfg.AppToken != "" {
		b.hinder(socketMode, errors.New("there is no connection yet"))
	}
	return b, nil
}

// Run fills the channels with cards, and with Config.AppToken takes what people do over Socket Mode, until ctx is done, and returns nil
// then. It does not give up on errors: a bad token or a missing
// channel is logged with what to do about it, shows in Ready and is tried again. It waits for what clicks have left to do.
func (b *Bot) Run(ctx context.Context) error {
	defer b.Wait()
	var loops sync.WaitGroup
	defer loops.Wait()
	if b.cfg.AppToken != "" {
		loops.Go(func() { b.listen(ctx) })
	}
	if !b.introduce(ctx) {
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(b.cfg.Queues)) {
		loops.Go(func() { b.fill(ctx, name) })
	}
	loops.Go(func() { b.sweep(ctx) })
	loops.Go(func() { b.watch(ctx) })
	loops.Go(func() { b.rotate(ctx) })
	return nil
}

// introduce learns the bot's workspace, however long it takes; false means that ctx is done.
func (b *Bot) introduce(ctx context.Context) bool {
	pause := b.backoff()
	for ctx.Err() == nil {
		self, err := b.rights.self(ctx)
		if err == nil {
			b.log.InfoContext(ctx, "slack bot is on", "team", self.Team, "team_id", self.TeamID, "user", self.User, "user_id", self.UserID)
			b.unhinder("identity")
			b.settleIn(self.URL)
			return true
		}
		b.hinder("identity", err)
		b.log.ErrorContext(ctx, "the bot cannot work, will try again", "answered", refusal(err) != "", "error", err, "advice", b.advice(err))
		if sleep(ctx, max(pause(), rateLimited(err))) != nil {
			return false
		}
	}
	return false
}

// Ready returns nil when the bot can do its work, and otherwise what is in its way.
func (b *Bot) Ready() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	var errs []error
	for _, what := range slices.Sorted(maps.Keys(b.trouble)) {
		errs = append(errs, fmt.Errorf("slack bot: %s: %w", what, b.trouble[what]))
	}
	return errors.Join(errs...)
}

func (b *Bot) hinder(what string, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.trouble[what] = err
}

func (b *Bot) unhinder(what string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.trouble, what)
}

// wake tells a queue's poster that a slot may be free.
func (b *Bot) wake(queue string) {
	select {
	case b.wakes[queue] <- struct{}{}:
	default: // it has been told, or there is no such queue
	}
}

// backoff returns pauses that double from RetryFirst to RetryMost.
func (b *Bot) backoff() func() time.Duration {
	next := b.cfg.RetryFirst
	return func() time.Duration {
		d := next
		next = min(2*next, b.cfg.RetryMost)
		return d
	}
}

// taskTime bounds what is done after an answer was given.
const taskTime = 20 * time.Second

// spawn does something beside the answer to a request; Wait waits for it.
func (b *Bot) spawn(ctx context.Context, f func(context.Context)) {
	ctx = context.WithoutCancel(ctx) // the request is over before the task is
	b.tasks.start()
	go func() {
		defer b.tasks.end()
		ctx, cancel := context.WithTimeout(ctx, taskTime)
		defer cancel()
		f(ctx)
	}()
}

// Wait returns once everything that answered requests have left to do is done: cards redrawn, words sent. Stop feeding the handler
// before.
func (b *Bot) Wait() { b.tasks.wait() }

// tasks counts what is being done. Unlike a WaitGroup it may be waited for while something new begins.
type tasks struct {
	mu   sync.Mutex
	n    int
	idle chan struct{}
}

func (t *tasks) start() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.n++
}

func (t *tasks) end() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.n--; t.n == 0 && t.idle != nil {
		close(t.idle)
		t.idle = nil
	}
}

func (t *tasks) wait() {
	t.mu.Lock()
	if t.n == 0 {
		t.mu.Unlock()
		return
	}
	if t.idle == nil {
		t.idle = make(chan struct{})
	}
	idle := t.idle
	t.mu.Unlock()
	<-idle
}
