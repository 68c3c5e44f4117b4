package audit

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/exaring/otelpgx"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"go.opentelemetry.io/otel/trace"

	"hitl"
)

// Config says how a Store works. Only DSN is needed.
type Config struct {
	// DSN is the Postgres URL or key-value string of the service's role.
	DSN string
	// MaxConns bounds the connections. Default 16.
	MaxConns int
	// BatchWait is how long the first of a batch of new items waits for others. Default 2 ms; negative: not at all.
	BatchWait time.Duration
	// BatchSize is the most items in a transaction. Default 256.
	BatchSize int
	// StatementTimeout bounds each statement, exports excepted. Behind a connection pooler the role's own setting does. Default 30 s.
	StatementTimeout time.Duration

	// CallbackRetries is how long after each failed attempt at a callback the next begins; it is dead after the last. Default
	// is the schedule of Standard Webhooks: 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 14 h, 20 h, 24 h. Up to a tenth is added at random.
	CallbackRetries []time.Duration
	// CallbackWorkers is how many callbacks of each source this process sends at once: a source that is slow holds up its own. Twice as many are
	// claimed ahead. Default 32.
	CallbackWorkers int
	// CardWorkers is how many cards this process refreshes at once. Default 8.
	CardWorkers int
	// EffectTimeout bounds one attempt at an effect. Default 30 s.
	EffectTimeout time.Duration
	// JobLease is how long an effect may go without a sign of life from the process that carries it out before it begins again. Signs
	// come five times as often. Default 10 s.
	JobLease time.Duration
	// PollInterval is how often this process looks for effects that are due. Default 200 ms.
	PollInterval time.Duration
	// KeysInterval is how often a Keyring looks for keys that were made or revoked. Default 5 s.
	KeysInterval time.Duration
	// StopTimeout is how long running effects may take to finish once RunEffects' context has ended. Default 10 s.
	StopTimeout time.Duration

	// Tracing records statements, shared transactions and callbacks as OpenTelemetry spans, where they belong to a trace that is recorded.
	// Default: nothing is recorded.
	Tracing trace.TracerProvider
	// Observer is told what happens. Default: nobody.
	Observer Observer
	// Logger is told what an operator should know. Default: discarded.
	Logger *slog.Logger
	// Now is the clock for durations and ages. Default time.Now.
	Now func() time.Time
}

// standardRetries is the schedule that Standard Webhooks recommends (spec, "Retries"), after the first attempt.
func standardRetries() []time.Duration {
	return []time.Duration{
		5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour, 10 * time.Hour, 14 * time.Hour,
		20 * time.Hour, 24 * time.Hour,
	}
}

func (c Config) withDefaults() Config {
	c.MaxConns = cmp.Or(c.MaxConns, 16)
	c.BatchWait = cmp.Or(c.BatchWait, 2*time.Millisecond)
	c.BatchSize = cmp.Or(c.BatchSize, 256)
	c.StatementTimeout = cmp.Or(c.StatementTimeout, defaultStatementTimeout)
	if c.CallbackRetries == nil {
		c.CallbackRetries = standardRetries()
	}
	c.CallbackWorkers = cmp.Or(c.CallbackWorkers, 32)
	c.CardWorkers = cmp.Or(c.CardWorkers, 8)
	c.EffectTimeout = cmp.Or(c.EffectTimeout, 30*time.Second)
	c.JobLease = cmp.Or(c.JobLease, 10*time.Second)
	c.PollInterval = cmp.Or(c.PollInterval, 200*time.Millisecond)
	c.KeysInterval = cmp.Or(c.KeysInterval, 5*time.Second)
	c.StopTimeout = cmp.Or(c.StopTimeout, 10*time.Second)
	if c.Observer == nil {
		c.Observer = unobserved{}
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c
}

// Store is the system of record on Postgres. It is safe for concurrent use. Close it when nothing uses it any more.
type Store struct {
	cfg  Config
	pool *pgxpool.Pool
	jobs *river.Client[pgx.Tx] // inserts only

	mu      sync.RWMutex // held for reading while a call is handed over
	closed  bool
	calls   chan *call    // to the flushers
	filling sync.Mutex    // held by the flusher that collects its batch: two at once would share what comes
	closing chan struct{} // closed when Close begins
	stop    context.CancelFunc
	running sync.WaitGroup // flushers and the poller of waits
	once    sync.Once

	models  modelIDs
	backlog backlog
	waits   waits
	tasks   atomic.Pointer[[]string] // the periodic tasks that RunEffects runs here
}

var (
	_ hitl.Ledger     = (*Store)(nil)
	_ hitl.Decisions  = (*Store)(nil)
	_ hitl.Erasures   = (*Store)(nil)
	_ hitl.Reopens    = (*Store)(nil)
	_ hitl.NoteKeeper = (*Store)(nil)
	_ hitl.Twins      = (*Store)(nil)
)

// silence is how long Postgres may say nothing to a new connection, or to one that was idle, before that is given up. The DSN's
// connect_timeout goes before.
const silence = 5 * time.Second

// Open connects to a database that Migrate has prepared. It refuses an older schema with ErrOldSchema; a newer one is fine. It notices a
// connection pooler on the way and goes without what that does not carry: statements are not prepared, and the role's own settings bound them.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	cfg = cfg.withDefaults()
	pc, err := pgxpool.ParseConfig(cfg.DSN)
	if err != nil {
		return nil, fmt.Errorf("read database URL: %w", err)
	}
	pc.MaxConns = int32(min(cfg.MaxConns, 10_000))
	// A server that vanished without a word, as in a failover, leaves connections that are silent for as long as TCP likes.
	pc.PingTimeout = cmp.Or(pc.PingTimeout, silence)
	pc.ConnConfig.ConnectTimeout = cmp.Or(pc.ConnConfig.ConnectTimeout, silence)
	if _, given := pc.ConnConfig.RuntimeParams["application_name"]; !given {
		pc.ConnConfig.RuntimeParams["application_name"] = "hitl"
	}
	pooled, err := throughPooler(ctx, pc.ConnConfig)
	if err != nil {
		return nil, err
	}
	if pooled {
		nameNoStatements(pc.ConnConfig, cfg.DSN)
	} else {
		for name, value := range sessionSettings(cfg.StatementTimeout) {
			if _, given := pc.ConnConfig.RuntimeParams[name]; !given {
				pc.ConnConfig.RuntimeParams[name] = value
			}
		}
	}
	if cfg.Tracing != nil {
		// Neither statements nor their parameters: the name says what kind it is.
		pc.ConnConfig.Tracer = otelpgx.NewTracer(otelpgx.WithTracerProvider(cfg.Tracing),
			otelpgx.WithDisableSQLStatementInAttributes(), otelpgx.WithDisableConnectionDetailsInAttributes())
	}
	pool, err := pgxpool.NewWithConfig(ctx, pc)
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	s := &Store{
		cfg: cfg, pool: pool, calls: make(chan *call, cfg.BatchSize), closing: make(chan struct{}),
		models: newModelIDs(), backlog: newBacklog(), waits: newWaits(),
	}
	if err := checkSchema(ctx, pool); err != nil {
		pool.Close()
		return nil, err
	}
	if pooled {
		if err := s.checkPooled(ctx); err != nil {
			pool.Close()
			return nil, err
		}
	}
	s.jobs, err = river.NewClient(riverpgxv5.New(pool), &river.Config{Schema: jobsSchema, Logger: cfg.Logger})
	if err != nil {
		pool.Close()
		return nil, fmt.Errorf("prepare jobs: %w", err)
	}
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	s.stop = stop
	for range flushers {
		s.running.Go(func() { s.flushLoop(background) })
	}
	s.running.Go(func() { s.pollWaits(background) })
	return s, nil
}

// Close commits what Append has taken, then disconnects. Calls that come later fail with hitl.ErrUnavailable. RunEffects must have
// returned before.
func (s *Store) Close() {
	s.once.Do(func() {
		close(s.closing)
		s.waits.close()
		s.mu.Lock()
		s.closed = true
		close(s.calls)
		s.mu.Unlock()
		s.running.Wait()
		s.stop()
		s.pool.Close()
	})
}

// Ready says whether the database answers.
func (s *Store) Ready(ctx context.Context) error {
	if err := s.pool.Ping(ctx); err != nil {
		return fmt.Errorf("ping database: %w", err)
	}
	return nil
}

// PoolStat returns the state of the connection pool, for metrics.
func (s *Store) PoolStat() *pgxpool.Stat { return s.pool.Stat() }
