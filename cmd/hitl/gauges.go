package main

import (
	"cmp"
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// gauges read the state of the service when Prometheus asks for it.
type gauges struct {
	service *service

	up, open, oldest, wait, sla, paused, token, callbacks, conns *prometheus.Desc
	queued, queueSize, ruleFailures, sampleRate, overdue         *prometheus.Desc
	entries, pending, checkpoint, checkpointAge                  *prometheus.Desc
	promiseRisk, promiseLower, promiseAnswered, promiseWrong     *prometheus.Desc
}

func newGauges(s *service) *gauges {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, labels, nil)
	}
	return &gauges{
		service: s,
		up:      desc("hitl_up", "Whether a part that the service needs answers: 1 or 0.", "part"),
		open:    desc("hitl_reviews_open", "Reviews that wait for a decision.", "queue"),
		oldest:  desc("hitl_review_oldest_age_seconds", "Age of the oldest open review; 0 when none is open.", "queue"),
		wait: desc("hitl_review_oldest_wait_seconds", "How long the oldest open review has waited while people were at work: its age without the time "+
			"in which its queue was closed, as queues.NAME.hours says; 0 when none is open.", "queue"),
		sla: desc("hitl_review_sla_seconds", "How long a review of a queue may wait while people are at work: sla.escalate_after, or sla.remind_after where "+
			"nothing is escalated; absent where neither is set.", "queue"),
		paused:    desc("hitl_queue_paused", "Whether somebody has paused a queue: 1 or 0.", "queue"),
		token:     desc("hitl_slack_token_expiry_timestamp_seconds", "When the Slack bot token stops working unless it is renewed; absent when tokens do not expire."),
		callbacks: desc("hitl_callbacks", "Callbacks that are not delivered, by state: pending or dead.", "state"),
		conns:     desc("hitl_postgres_connections", "Connections to Postgres, by state.", "state"),
		queued:    desc("hitl_classifier_queued_texts", "Texts that wait for the model.", "classifier"),
		queueSize: desc("hitl_classifier_queue_size_texts", "Texts that may wait for the model; one more is refused with 429.", "classifier"),
		overdue: desc("hitl_periodic_overdue_seconds", "How long the turn of a periodic task has been due without any process taking it; 0 while it is not due or "+
			"runs. Above a few minutes: no process runs it.", "task"),
		ruleFailures: desc("hitl_policy_rule_failures_total",
			"Runs of a rule that failed, a missing key for instance; the item went to a person.", "policy", "rule"),
		sampleRate:  desc("hitl_policy_sample_rate", "Share of the sure items that a person sees too, as in force now.", "policy"),
		promiseRisk: desc("hitl_promise_risk", "Error rate among accepted items that an accepted promise says is not exceeded.", "policy"),
		promiseLower: desc("hitl_promise_error_lower_bound", "What the error rate among accepted items is above, with the promise's confidence and at all times together. "+
			"Above hitl_promise_risk: the promise is broken.", "policy"),
		promiseAnswered: desc("hitl_promise_checked_items", "Answers of reviewers about a random sample of what was accepted since the promise.", "policy"),
		promiseWrong:    desc("hitl_promise_wrong_items", "Of those, answers that the model was wrong.", "policy"),
		entries:         desc("hitl_log_entries", "Entries in the log's tree."),
		pending: desc("hitl_log_pending_entries", "Entries of the log that are not in its tree yet, counted up to 100,000. "+
			"Above 0 for minutes: a transaction stays open somewhere in the Postgres server, or no process extends the tree."),
		checkpoint: desc("hitl_log_checkpoint_size", "Entries that the latest signed checkpoint covers. "+
			"Below hitl_log_entries for longer than a few times audit.checkpoint_every: nothing is signed, look into the service's log."),
		checkpointAge: desc("hitl_log_checkpoint_age_seconds", "Age of the latest signed checkpoint; missing when there is none. "+
			"It grows while nothing is logged, and means trouble only where hitl_log_checkpoint_size is below hitl_log_entries."),
	}
}

// Describe implements prometheus.Collector.
func (g *gauges) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		g.up, g.open, g.oldest, g.wait, g.sla, g.paused, g.token, g.callbacks, g.conns, g.queued, g.queueSize, g.ruleFailures, g.sampleRate, g.overdue,
		g.entries, g.pending, g.checkpoint, g.checkpointAge, g.promiseRisk, g.promiseLower, g.promiseAnswered, g.promiseWrong,
	} {
		ch <- d
	}
}

// Collect implements prometheus.Collector. Figures that Postgres does not answer within a second are left out, which alerts can see.
func (g *gauges) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	up := func(part string, err error) {
		v := 1.0
		if err != nil {
			v = 0
		}
		gauge(g.up, v, part)
	}
	s := g.service
	up("postgres", s.store.Ready(ctx))
	up("redis", s.queue.Ready(ctx))
	up("slack", s.bot.Ready())
	if at := s.bot.TokenExpires(); !at.IsZero() {
		gauge(g.token, float64(at.Unix()))
	}
	up("classifiers", s.modelsReady(ctx))
	for name, m := range s.models {
		gauge(g.queued, float64(m.queued()), name)
		gauge(g.queueSize, float64(s.cfg.Classifiers[name].QueueSize), name)
		if m.small != nil {
			gauge(g.queued, float64(m.small.Queued()), smallName(name))
			gauge(g.queueSize, float64(s.cfg.Classifiers[name].QueueSize), smallName(name))
		}
	}
	for name, p := range s.trust.policies {
		gauge(g.sampleRate, p.Now().Sampled(), name)
		for rule, n := range p.Now().Failures() {
			ch <- prometheus.MustNewConstMetric(g.ruleFailures, prometheus.CounterValue, float64(n), name, rule)
		}
	}
	for name, k := range s.trust.promises() {
		gauge(g.promiseRisk, k.risk, name)
		gauge(g.promiseLower, k.lower, name)
		gauge(g.promiseAnswered, float64(k.answered), name)
		gauge(g.promiseWrong, float64(k.wrong), name)
	}
	pool := s.store.PoolStat()
	gauge(g.conns, float64(pool.AcquiredConns()), "busy")
	gauge(g.conns, float64(pool.IdleConns()), "idle")
	if t, err := s.store.TreeStats(ctx); err != nil {
		s.logger.WarnContext(ctx, "log metrics left out", "error", err)
	} else {
		gauge(g.entries, float64(t.Entries))
		gauge(g.pending, float64(t.Pending))
		gauge(g.checkpoint, float64(t.Checkpoint))
		if t.Checkpoint > 0 {
			gauge(g.checkpointAge, t.Age.Seconds())
		}
	}
	if paused, err := s.store.Paused(ctx); err != nil {
		s.logger.WarnContext(ctx, "pauses left out of the metrics", "error", err)
	} else {
		for queue := range s.cfg.Queues {
			v := 0.0
			if _, ok := paused[queue]; ok {
				v = 1
			}
			gauge(g.paused, v, queue)
		}
	}
	if overdue, err := s.store.Overdue(ctx); err != nil {
		s.logger.WarnContext(ctx, "late tasks left out of the metrics", "error", err)
	} else {
		for task, d := range overdue {
			gauge(g.overdue, d.Seconds(), task)
		}
	}
	b, err := s.store.Backlogs(ctx)
	if err != nil {
		s.logger.WarnContext(ctx, "backlog metrics left out", "error", err)
		return
	}
	now := time.Now()
	for queue, cfg := range s.cfg.Queues {
		q := b.Queues[queue]
		gauge(g.open, float64(q.Open), queue)
		gauge(g.oldest, q.OldestAge.Seconds(), queue)
		gauge(g.wait, hours(cfg.Hours).Between(now.Add(-q.OldestAge), now).Seconds(), queue)
		if sla := cmp.Or(cfg.SLA.EscalateAfter, cfg.SLA.RemindAfter); sla > 0 {
			gauge(g.sla, sla.Seconds(), queue)
		}
	}
	gauge(g.callbacks, float64(b.CallbacksPending), "pending")
	gauge(g.callbacks, float64(b.CallbacksDead), "dead")
}
