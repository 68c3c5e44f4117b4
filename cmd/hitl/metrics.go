package main

import (
	"context"
	"errors"
	"net/http"
	"regexp"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/otel/trace"

	"hitl"
	"hitl/audit"
	"hitl/classifier"
	"hitl/ingest"
)

// metrics are what Prometheus reads. They implement the observers of all rooms. Label values come from the configuration, from
// models' labels and from fixed words, never from what people send.
type metrics struct {
	registry *prometheus.Registry

	items     *prometheus.CounterVec   // source, status
	refused   *prometheus.CounterVec   // source, reason
	triggers  *prometheus.CounterVec   // source, trigger
	intake    *prometheus.HistogramVec // source
	decisions *prometheus.CounterVec   // queue, status, ai_label
	decide    *prometheus.HistogramVec // queue
	erased    *prometheus.CounterVec   // source

	slackCalls *prometheus.HistogramVec // method, outcome
	clicks     *prometheus.CounterVec   // surface, outcome
	posts      *prometheus.CounterVec   // queue, outcome

	callbacks *prometheus.HistogramVec // source, outcome
	cards     *prometheus.HistogramVec // outcome
	periodic  *prometheus.HistogramVec // name, outcome
	flushSize prometheus.Histogram
	flushTime *prometheus.HistogramVec // outcome
	requests  *prometheus.HistogramVec // route, method, status

	anchors *prometheus.CounterVec // anchor, outcome

	batchSize *prometheus.HistogramVec // classifier
	batchTime *prometheus.HistogramVec // classifier, outcome
	givenUp   *prometheus.CounterVec   // classifier
	cacheHit  *prometheus.CounterVec   // classifier
	cacheMiss *prometheus.CounterVec   // classifier
	cascaded  *prometheus.CounterVec   // classifier, stage

	spans               *prometheus.CounterVec // outcome
	shadowItems         *prometheus.CounterVec // classifier, outcome
	shadowDisagreements *prometheus.CounterVec // classifier
}

// Bucket bounds in seconds: what a model or a commit takes, and what a person takes.
var (
	fastBuckets  = []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}
	humanBuckets = []float64{5, 15, 30, 60, 120, 300, 600, 1800, 3600, 7200, 14400, 43200, 86400, 259200}
	sizeBuckets  = []float64{1, 2, 4, 8, 16, 32, 64, 128, 256}
)

// memoryMetrics are what tells a leak from garbage, and what collecting it costs, beyond what client_golang shows of Go by itself.
var memoryMetrics = collectors.GoRuntimeMetricsRule{Matcher: regexp.MustCompile(`^/(gc/heap/live:bytes|cpu/classes/gc/total:cpu-seconds)$`)}

func newMetrics() *metrics {
	r := prometheus.NewRegistry()
	r.MustRegister(collectors.NewGoCollector(collectors.WithGoCollectorRuntimeMetrics(memoryMetrics)), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	f := promauto.With(r)
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return f.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	histogram := func(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
		return f.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets}, labels)
	}
	m := &metrics{registry: r}
	m.items = counter("hitl_items_total", "Items taken in, by the route they took.", "source", "status")
	m.refused = counter("hitl_submissions_refused_total", "Submissions that were not recorded, by reason; replays count as reason \"replayed\".", "source", "reason")
	m.triggers = counter("hitl_review_triggers_total", "Reasons why items went to a person; an item may have several.", "source", "trigger")
	m.intake = histogram("hitl_intake_seconds", "Time from a submission to its commit.", fastBuckets, "source")
	m.decisions = counter("hitl_decisions_total", "Decisions that ended a review.", "queue", "status", "ai_label")
	m.decide = histogram("hitl_time_to_decision_seconds", "Time from the opening of a review to its decision.", humanBuckets, "queue")
	m.erased = counter("hitl_items_erased_total", "Items whose text was erased because their source's retain was over.", "source")
	m.slackCalls = histogram("hitl_slack_call_seconds", "Calls to Slack; outcome \"ratelimited\" is a 429.", fastBuckets, "method", "outcome")
	m.clicks = counter("hitl_slack_clicks_total", "Clicks, modals and commands, by what was answered.", "surface", "outcome")
	m.posts = counter("hitl_cards_posted_total", "Reviews taken from the queue to be posted, by what became of it.", "queue", "outcome")
	m.callbacks = histogram("hitl_callback_seconds", "Attempts to call upstreams back: done, retried or dead.", fastBuckets, "source", "outcome")
	m.cards = histogram("hitl_card_refresh_seconds", "Attempts to redraw a card after a change.", fastBuckets, "outcome")
	m.periodic = histogram("hitl_periodic_seconds", "Runs of periodic tasks.", fastBuckets, "task", "outcome")
	m.flushSize = f.NewHistogram(prometheus.HistogramOpts{Name: "hitl_audit_batch_items", Help: "New items in one Postgres transaction.", Buckets: sizeBuckets})
	m.flushTime = histogram("hitl_audit_batch_seconds", "Time of one Postgres transaction that records new items.", fastBuckets, "outcome")
	m.requests = histogram("hitl_http_request_seconds", "Requests to the API.", fastBuckets, "route", "method", "status")
	m.anchors = counter("hitl_log_anchors_total", "Attempts to bring a checkpoint of the log to an anchor: folder, webhook or channel; outcome ok or error. "+
		"Without an ok for long, the owner of database and key is not bound.", "anchor", "outcome")
	m.batchSize = histogram("hitl_classifier_batch_texts", "Texts in one run of the model.", sizeBuckets, "classifier")
	m.batchTime = histogram("hitl_classifier_batch_seconds", "Time of one run of the model.", fastBuckets, "classifier", "outcome")
	m.givenUp = counter("hitl_classifier_given_up_total", "Texts that were not tried, since they killed too many processes; they go to a person, those of a "+
		"cascade's small model to its large one.", "classifier")
	m.cacheHit = counter("hitl_classifier_cache_hits_total", "Texts whose prediction was remembered. The hit rate is hits / (hits + misses).", "classifier")
	m.cacheMiss = counter("hitl_classifier_cache_misses_total", "Texts whose prediction was not remembered.", "classifier")
	m.cascaded = counter("hitl_cascade_texts_total", "Texts of a classifier with a cascade, by the model that they came to: small (its answer stood), large (the small "+
		"one was not sure) or fallback (the small one failed, and the large one was asked).", "classifier", "stage")
	m.spans = counter("hitl_trace_spans_total", "Recorded spans that have ended, were exported, or could not be (failed). What ended and is neither waits, "+
		"or was dropped since too many waited.", "outcome")
	m.shadowItems = counter("hitl_shadow_items_total", "Items for a proposed model beside the one that judges: classified, failed (its model could not), left_out "+
		"(there was no room, or no record of it).", "classifier", "outcome")
	m.shadowDisagreements = counter("hitl_shadow_disagreements_total", "Items of which a proposed model says another label than the one that judges.", "classifier")
	return m
}

func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{
		Registry: m.registry, EnableOpenMetrics: true, // which has exemplars
	})
}

// Submitted implements hitl.Observer.
func (m *metrics) Submitted(ctx context.Context, rec hitl.Record, replayed bool, took time.Duration, err error) {
	source := rec.Item.Source
	switch {
	case err != nil:
		m.refused.WithLabelValues(source, refusal(err)).Inc()
		return
	case replayed:
		m.refused.WithLabelValues(source, "replayed").Inc()
		return
	}
	m.items.WithLabelValues(source, string(rec.Route.Status)).Inc()
	observe(ctx, m.intake.WithLabelValues(source), took)
	for _, t := range rec.Route.Triggers {
		m.triggers.WithLabelValues(source, string(t)).Inc()
	}
}

func refusal(err error) string {
	var invalid *hitl.InvalidError
	switch {
	case errors.As(err, &invalid):
		return "invalid"
	case errors.Is(err, hitl.ErrBusy):
		return "busy"
	case errors.Is(err, hitl.ErrBacklog):
		return "backlog"
	case errors.Is(err, hitl.ErrConflict):
		return "conflict"
	case errors.Is(err, hitl.ErrNotFound):
		return "unknown_source"
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return "cancelled"
	}
	return "error"
}

// Decided implements hitl.Observer.
func (m *metrics) Decided(ctx context.Context, rec hitl.Record) {
	m.decisions.WithLabelValues(rec.Review.Queue, string(rec.Decision.Status), rec.Prediction.Label).Inc()
	observe(ctx, m.decide.WithLabelValues(rec.Review.Queue), rec.Decision.At.Sub(rec.Review.OpenedAt))
}

// Called implements bot.Observer.
func (m *metrics) Called(method, outcome string, took time.Duration) {
	m.slackCalls.WithLabelValues(method, outcome).Observe(took.Seconds())
}

// Clicked implements bot.Observer.
func (m *metrics) Clicked(surface, outcome string) { m.clicks.WithLabelValues(surface, outcome).Inc() }

// Posted implements bot.Observer.
func (m *metrics) Posted(queue, outcome string) { m.posts.WithLabelValues(queue, outcome).Inc() }

// Flushed implements audit.Observer.
func (m *metrics) Flushed(items int, took time.Duration, err error) {
	m.flushSize.Observe(float64(items))
	m.flushTime.WithLabelValues(outcomeOf(err)).Observe(took.Seconds())
}

// CallbackTried implements audit.Observer.
func (m *metrics) CallbackTried(ctx context.Context, source string, _ int, outcome audit.Outcome, took time.Duration) {
	observe(ctx, m.callbacks.WithLabelValues(source, string(outcome)), took)
}

// CardRefreshed implements audit.Observer.
func (m *metrics) CardRefreshed(outcome audit.Outcome, took time.Duration) {
	m.cards.WithLabelValues(string(outcome)).Observe(took.Seconds())
}

// PeriodicRan implements audit.Observer.
func (m *metrics) PeriodicRan(name string, took time.Duration, err error) {
	m.periodic.WithLabelValues(name, outcomeOf(err)).Observe(took.Seconds())
}

// anchor has an anchor's first attempt be a rise from 0.
func (m *metrics) anchor(name string) {
	for _, outcome := range []string{"ok", "error"} {
		m.anchors.WithLabelValues(name, outcome)
	}
}

func (m *metrics) anchored(anchor string, err error) {
	m.anchors.WithLabelValues(anchor, outcomeOf(err)).Inc()
}

func (m *metrics) request(ctx context.Context, r ingest.Request) {
	nameRequest(ctx, r)
	observe(ctx, m.requests.WithLabelValues(r.Route, r.Method, strconv.Itoa(r.Status)), r.Took)
}

// rateLimited counts an item that never came to intake.
func (m *metrics) rateLimited(source string) { m.refused.WithLabelValues(source, "rate_limited").Inc() }

// observe adds a time to a histogram, with the trace that it was measured in as its exemplar, if that is recorded.
func observe(ctx context.Context, in prometheus.Observer, took time.Duration) {
	span := trace.SpanContextFromContext(ctx)
	if with, ok := in.(prometheus.ExemplarObserver); ok && span.IsSampled() {
		with.ObserveWithExemplar(took.Seconds(), prometheus.Labels{"trace_id": span.TraceID().String()})
		return
	}
	in.Observe(took.Seconds())
}

func outcomeOf(err error) string {
	if err != nil {
		return "error"
	}
	return "ok"
}

// classifier returns the observer of one classifier.
func (m *metrics) classifier(name string) classifierMetrics {
	m.givenUp.WithLabelValues(name) // so that its first is a rise from 0
	m.cacheHit.WithLabelValues(name)
	m.cacheMiss.WithLabelValues(name)
	return classifierMetrics{m, name}
}

// cascade returns what counts the texts of one classifier's cascade.
func (m *metrics) cascade(name string) func(classifier.Stage) {
	for _, stage := range classifier.Stages() {
		m.cascaded.WithLabelValues(name, string(stage)) // so that its first is a rise from 0
	}
	return func(s classifier.Stage) { m.cascaded.WithLabelValues(name, string(s)).Inc() }
}

type classifierMetrics struct {
	*metrics
	name string
}

// BatchDone implements classifier.Observer.
func (m classifierMetrics) BatchDone(texts, _ int, took time.Duration, err error) {
	m.batchSize.WithLabelValues(m.name).Observe(float64(texts))
	m.batchTime.WithLabelValues(m.name, outcomeOf(err)).Observe(took.Seconds())
}

// GivenUp implements classifier.Observer.
func (m classifierMetrics) GivenUp() { m.givenUp.WithLabelValues(m.name).Inc() }

// CacheAsked implements classifier.Observer.
func (m classifierMetrics) CacheAsked(hit bool) {
	if hit {
		m.cacheHit.WithLabelValues(m.name).Inc()
	} else {
		m.cacheMiss.WithLabelValues(m.name).Inc()
	}
}
