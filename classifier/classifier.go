package classifier

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"hitl"
	"hitl/classifier/internal/engine"
	"hitl/classifier/internal/model"
)

// Classifier is an open model. It is safe for concurrent use. It implements hitl.Classifier.
type Classifier struct {
	model     *model.Model
	engine    engine.Engine
	maxTokens int
	timeout   time.Duration
	maxBatch  int
	log       *slog.Logger

	cache    *cache // nil: none
	worker   worker
	arriving atomic.Int64 // callers between their arrival and the queue

	mu      sync.RWMutex // held for reading while a caller counts itself in
	closed  bool
	callers sync.WaitGroup
	close   func() error
}

// start runs an engine for a model. It takes both over.
func start(m *model.Model, e engine.Engine, o Options) *Classifier {
	c := &Classifier{model: m, engine: e, maxTokens: m.MaxTokens, timeout: o.Timeout, maxBatch: o.MaxBatch, log: o.Logger}
	if o.MaxTokens > 0 {
		c.maxTokens = min(c.maxTokens, o.MaxTokens)
	}
	c.cache = newCache(o.CacheSize, o.Observer)
	c.worker = worker{
		engine: e, queue: make(chan *job, o.QueueSize), done: make(chan struct{}),
		arriving: &c.arriving, maxBatch: o.MaxBatch, maxWait: o.MaxWait, attempts: o.Attempts, maxAttempts: o.MaxAttempts,
		observer: o.Observer, log: o.Logger, version: m.Version,
	}
	c.worker.life, c.worker.leave = context.WithCancel(context.Background())
	c.close = sync.OnceValue(c.drain)
	go c.worker.loop()
	return c
}

// Labels returns the model's labels in the model's order.
func (c *Classifier) Labels() []string { return slices.Clone(c.model.Labels) }

// Version returns the hash of the model's files, "sha256:" and 64 hexadecimal digits.
func (c *Classifier) Version() string { return c.model.Version }

// Engine says what runs the model, for people.
func (c *Classifier) Engine() string { return c.engine.Name() }

// MaxTokens is how many tokens of a text the model reads, special tokens included.
func (c *Classifier) MaxTokens() int { return c.maxTokens }

// Tokens returns the ids that the model reads of text, and whether it was cut to them. They are what the network is given by Classify.
func (c *Classifier) Tokens(text string) (ids []uint32, truncated bool) {
	ids, truncated, err := c.encode(text)
	if err != nil {
		return nil, false // the tokenizer panicked: Classify says so, and the log
	}
	return ids, truncated
}

// Queued is how many texts wait for the model now.
func (c *Classifier) Queued() int { return len(c.worker.queue) }

// Stuck says that a call into the network has not come back for longer than the timeout. Classify refuses texts meanwhile, but those it remembers.
func (c *Classifier) Stuck() bool { return c.worker.runningFor() > c.timeout }

// Classify returns the prediction for text. With [Options].CacheSize that of a text that came before may be the one it got then, without the network being
// run; only its latency is its own.
//
// Errors: hitl.ErrBusy when the queue is full, hitl.ErrUnavailable after Close, hitl.ErrModel when the model failed on this
// text, did not answer in time, or died on this text too often, hitl.ErrUnavailable also when attempts cannot be counted, ctx's error when the caller gave up. With hitl.ErrModel the prediction holds what is known
// without the model: its version, the tokens, the latency.
func (c *Classifier) Classify(ctx context.Context, text string) (hitl.Prediction, error) {
	return c.classify(ctx, text, false)
}

// Result is what ClassifyAll says of one text.
type Result struct {
	hitl.Prediction
	Err error // as Classify's
}

// ClassifyAll classifies texts and returns a result for each, in order. It keeps the queue from overflowing by waiting for room
// itself, so any number of texts is fine. Those of similar length are run together, the shortest first.
func (c *Classifier) ClassifyAll(ctx context.Context, texts []string) []Result {
	results := make([]Result, len(texts))
	c.each(texts, func(i int) { results[i].Prediction, results[i].Err = c.classify(ctx, texts[i], true) })
	return results
}

// each calls do with the index of every text, the shortest first, in as many goroutines as keep the network busy: one batch runs and more are there to be
// laid together meanwhile.
func (c *Classifier) each(texts []string, do func(i int)) {
	order := make([]int, len(texts))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return len(texts[a]) - len(texts[b]) })
	var next atomic.Int64
	var group sync.WaitGroup
	for range min(2*c.maxBatch, len(texts)) {
		group.Go(func() {
			for n := next.Add(1) - 1; n < int64(len(texts)); n = next.Add(1) - 1 {
				do(order[n])
			}
		})
	}
	group.Wait()
}

func (c *Classifier) classify(ctx context.Context, text string, wait bool) (p hitl.Prediction, err error) {
	begin := time.Now()
	p.Model = c.model.Version
	defer func() { p.Latency = time.Since(begin) }()
	var key textKey
	var logits []float32
	known := false
	if c.cache != nil && ctx.Err() == nil && !c.isClosed() {
		key = sha256.Sum256([]byte(text))
		logits, known = c.cache.get(key, &p)
	}
	if !known {
		logits, err = c.run(ctx, text, wait, &p)
	}
	if err == nil {
		err = c.score(logits, &p)
	}
	if err == nil && !known && c.cache != nil {
		c.cache.put(key, logits, &p)
	}
	return p, err
}

// run returns what the network makes of text, and notes in p what that tells of the text.
func (c *Classifier) run(ctx context.Context, text string, wait bool, p *hitl.Prediction) ([]float32, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if !c.enter() {
		return nil, fmt.Errorf("classify: %w", hitl.ErrUnavailable)
	}
	defer c.callers.Done()
	if c.Stuck() {
		return nil, fmt.Errorf("%w: an earlier call has not come back for %s", hitl.ErrModel, c.worker.runningFor().Round(time.Second))
	}

	timeout := time.NewTimer(c.timeout)
	defer timeout.Stop()
	j := &job{ctx: ctx, answer: make(chan answer, 1)}
	if c.worker.attempts != nil {
		j.key = attemptKey(c.model.Version, text)
	}
	if err := c.enqueue(ctx, j, text, p, wait, timeout.C); err != nil {
		return nil, err
	}
	select {
	case a := <-j.answer:
		return a.logits, a.err
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-timeout.C:
		if j.started.Load() || c.worker.runningFor() >= c.timeout {
			return nil, fmt.Errorf("%w: no answer within %s", hitl.ErrModel, c.timeout)
		}
		j.abandoned.Store(true)
		return nil, fmt.Errorf("%w: %s in the queue", hitl.ErrBusy, c.timeout)
	}
}

// enqueue tokenises text, notes in p what that tells, and puts the job into the queue.
func (c *Classifier) enqueue(ctx context.Context, j *job, text string, p *hitl.Prediction, wait bool, timeout <-chan time.Time) error {
	c.arriving.Add(1)
	defer c.arriving.Add(-1)
	var err error
	if j.ids, p.Truncated, err = c.encode(text); err != nil {
		return err
	}
	p.Tokens = len(j.ids)
	select {
	case c.worker.queue <- j:
		return nil
	default:
	}
	if !wait {
		return fmt.Errorf("classify: %w", hitl.ErrBusy)
	}
	select {
	case c.worker.queue <- j:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-timeout:
		return fmt.Errorf("%w: no room in the queue for %s", hitl.ErrBusy, c.timeout)
	}
}

func (c *Classifier) encode(text string) (ids []uint32, truncated bool, err error) {
	defer func() {
		if r := recover(); r != nil {
			c.log.Error("tokenizer panicked", "panic", r)
			err = fmt.Errorf("%w: tokenizer panicked", hitl.ErrModel)
		}
	}()
	if ids, truncated = c.model.Tokenizer.Encode(text, c.maxTokens); len(ids) == 0 {
		ids = []uint32{c.model.Tokenizer.Pad()} // no network reads nothing
	}
	return ids, truncated, nil
}

// score turns logits into the prediction's label, confidence and scores.
func (c *Classifier) score(logits []float32, p *hitl.Prediction) error {
	if len(logits) != len(c.model.Labels) {
		return fmt.Errorf("%w: %d logits for %d labels", hitl.ErrModel, len(logits), len(c.model.Labels))
	}
	probabilities, ok := softmax(logits)
	if !ok {
		return fmt.Errorf("%w: a logit is no finite number", hitl.ErrModel)
	}
	p.Scores = make([]hitl.Score, len(probabilities))
	for i, probability := range probabilities {
		p.Scores[i] = hitl.Score{Label: c.model.Labels[i], Probability: probability}
	}
	slices.SortStableFunc(p.Scores, func(a, b hitl.Score) int {
		switch {
		case a.Probability > b.Probability:
			return -1
		case a.Probability < b.Probability:
			return 1
		}
		return 0
	})
	p.Label, p.Confidence = p.Scores[0].Label, p.Scores[0].Probability
	return nil
}

func (c *Classifier) isClosed() bool {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.closed
}

// enter counts a caller in, unless the classifier is closed.
func (c *Classifier) enter() bool {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if c.closed {
		return false
	}
	c.callers.Add(1)
	return true
}

// Close refuses new texts, answers those that wait, and frees the model. It may be called more than once. When a call into the
// network does not come back within the timeout the model is not freed, since that would end the process, and the error says so.
func (c *Classifier) Close() error { return c.close() }

func (c *Classifier) drain() error {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.callers.Wait() // each leaves within the timeout
	close(c.worker.queue)
	c.worker.leave() // nobody is left for whom attempts would have to be counted
	patience := time.NewTimer(c.timeout)
	defer patience.Stop()
	select {
	case <-c.worker.done:
		return c.engine.Close()
	case <-patience.C:
		return errors.New("close classifier: a call into the network does not come back; its memory is not freed")
	}
}
