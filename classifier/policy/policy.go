package policy

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"

	"hitl"
)

// Policy routes items. It is immutable but for its counters and safe for concurrent use.
type Policy struct {
	spec     Spec // complete
	text     string
	version  string
	always   map[string]bool
	rules    []rule
	failures []atomic.Uint64 // by rule
}

var _ hitl.Policy = (*Policy)(nil)

// New checks a spec and compiles its rules. The error joins everything that is wrong; for a rule's condition it names the rule, line
// and column, and shows the place.
func New(spec Spec) (*Policy, error) {
	s := spec.complete()
	errs := []error{s.check()}
	p := &Policy{spec: s, always: map[string]bool{}, failures: make([]atomic.Uint64, len(s.Rules))}
	env, err := newEnv()
	if err != nil {
		return nil, fmt.Errorf("prepare rules: %w", err)
	}
	for i, r := range s.Rules {
		compiled, err := compile(env, r)
		if err != nil {
			errs = append(errs, fmt.Errorf("rules[%d] %q: %w", i, r.Name, err))
		}
		p.rules = append(p.rules, compiled)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("policy %q: %w", s.Name, err)
	}
	for _, l := range s.AlwaysReview {
		p.always[l] = true
	}
	if p.text, err = s.text(); err != nil {
		return nil, err
	}
	sum := sha256.Sum256([]byte(p.text))
	p.version = "sha256:" + hex.EncodeToString(sum[:])
	return p, nil
}

// Name returns the policy's name.
func (p *Policy) Name() string { return p.spec.Name }

// Text returns the policy's canonical text, JSON whose SHA-256 is the version. It holds no secret.
func (p *Policy) Text() string { return p.text }

// Version returns "sha256:" and the hash of Text in hex.
func (p *Policy) Version() string { return p.version }

// Queues returns every queue that routes can name, sorted.
func (p *Policy) Queues() []string {
	queues := []string{p.spec.Queue}
	for _, r := range p.spec.Rules {
		if r.Queue != "" {
			queues = append(queues, r.Queue)
		}
	}
	if p.spec.Sample.Rate > 0 {
		queues = append(queues, p.spec.Sample.Queue)
	}
	return slices.Compact(slices.Sorted(slices.Values(queues)))
}

// Failures returns how often each rule failed while it ran, since New. Failed rules hold.
func (p *Policy) Failures() map[string]uint64 {
	counts := make(map[string]uint64, len(p.rules))
	for i, r := range p.rules {
		counts[r.Name] = p.failures[i].Load()
	}
	return counts
}

// Route says whether a person must see the item, and why, where and how urgently. A failure, a prediction without a label or with a
// confidence that is no probability is a model error.
func (p *Policy) Route(item hitl.Item, prediction hitl.Prediction, failure error) hitl.Route {
	route, _ := p.route(item, prediction, failure)
	return route
}

// Outcome is what became of one rule.
type Outcome struct {
	Rule    string
	Holds   bool
	Skipped bool  // it mentions the prediction, and the model failed
	Err     error // why it failed; then it holds
}

// Explain returns the route and what each rule said, for people who write rules.
func (p *Policy) Explain(item hitl.Item, prediction hitl.Prediction, failure error) (hitl.Route, []Outcome) {
	return p.route(item, prediction, failure)
}

func (p *Policy) route(item hitl.Item, pred hitl.Prediction, failure error) (hitl.Route, []Outcome) {
	r := hitl.Route{
		Status: hitl.HumanReview, Queue: p.spec.Queue, Priority: hitl.PriorityNormal, Policy: p.version,
		Threshold: *p.spec.Threshold, Inclusion: 1,
	}
	failed := failure != nil || pred.Label == "" || !share(pred.Confidence)
	if errors.Is(failure, hitl.ErrNoModel) {
		r.Triggers = append(r.Triggers, hitl.TriggerNoModel)
	} else if failed {
		r.Triggers = append(r.Triggers, hitl.TriggerModelError)
	} else if t, ok := p.spec.LabelThresholds[pred.Label]; ok {
		r.Threshold = t
	}
	if pred.Truncated {
		r.Triggers = append(r.Triggers, hitl.TriggerTruncated)
	}
	if !failed && pred.Confidence < r.Threshold {
		r.Triggers = append(r.Triggers, hitl.TriggerLowConfidence)
	}
	if !failed && p.always[pred.Label] {
		r.Triggers = append(r.Triggers, hitl.TriggerAlwaysReview)
	}
	outcomes := p.applyRules(&r, item, pred, failed)
	if len(r.Triggers) > 0 {
		return r, outcomes
	}
	r.Inclusion = p.spec.Sample.Rate
	if p.sampled(item.ID) {
		r.Triggers, r.Queue, r.Priority = []hitl.Trigger{hitl.TriggerSample}, p.spec.Sample.Queue, hitl.PrioritySample
		return r, outcomes
	}
	r.Status, r.Queue, r.Priority = hitl.AIAccepted, "", ""
	return r, outcomes
}

// applyRules adds the rules that hold. The first of them that names a queue decides the queue; the most urgent
// decides the priority, where the triggers that are no rules count as normal.
func (p *Policy) applyRules(r *hitl.Route, item hitl.Item, pred hitl.Prediction, failed bool) []Outcome {
	if len(p.rules) == 0 {
		return nil
	}
	others := len(r.Triggers) > 0
	var urgent hitl.Priority
	queued := false
	vars := newVars(item, pred)
	outcomes := make([]Outcome, len(p.rules))
	for i, rule := range p.rules {
		o := &outcomes[i]
		o.Rule = rule.Name
		if failed && rule.usesPrediction {
			o.Skipped = true
			continue
		}
		if o.Holds, o.Err = rule.holds(vars); o.Err != nil {
			p.failures[i].Add(1)
		}
		if !o.Holds {
			continue
		}
		r.Triggers = append(r.Triggers, hitl.RuleTrigger(rule.Name))
		if urgent == "" || rank(rule.Priority) < rank(urgent) {
			urgent = rule.Priority
		}
		if !queued && rule.Queue != "" {
			r.Queue, queued = rule.Queue, true
		}
	}
	if urgent != "" && (!others || rank(urgent) < rank(r.Priority)) {
		r.Priority = urgent
	}
	return outcomes
}

func rank(p hitl.Priority) int { return slices.Index(hitl.Priorities(), p) }

// sampled draws by the item's id: repeatable for who has the key, unpredictable for who has not.
func (p *Policy) sampled(id string) bool {
	if p.spec.Sample.Rate == 0 {
		return false
	}
	mac := hmac.New(sha256.New, p.spec.Sample.Key)
	_, _ = mac.Write([]byte(id))
	// The upper 53 bits, as many as a float64 holds exactly, so that the fraction is never rounded up to 1.
	fraction := float64(binary.BigEndian.Uint64(mac.Sum(nil))>>11) / (1 << 53)
	return fraction < p.spec.Sample.Rate
}

// CheckLabels says which labels the policy names, in thresholds, in always_review or in rules, that are none of the
// classifier's: what is said of them would never apply.
func (p *Policy) CheckLabels(labels []string) error {
	known := strings.Join(labels, ", ")
	var errs []error
	check := func(where, label string) {
		if !slices.Contains(labels, label) {
			errs = append(errs, fmt.Errorf("policy %q: %s: the model has no label %q; its labels are %s", p.spec.Name, where, label, known))
		}
	}
	for _, l := range sortedKeys(p.spec.LabelThresholds) {
		check("label_thresholds", l)
	}
	for _, l := range p.spec.AlwaysReview {
		check("always_review", l)
	}
	for i, r := range p.rules {
		for _, l := range r.labels {
			check(fmt.Sprintf("rules[%d] %q", i, r.Name), l)
		}
	}
	return errors.Join(errs...)
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
