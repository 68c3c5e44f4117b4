package policy

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"hitl"
)

// DefaultThreshold is the confidence from which on an item is accepted when the spec names none.
const DefaultThreshold = 0.85

// minSampleKey is the least length of a sampling key, in bytes: a shorter one could be guessed from the sample.
const minSampleKey = 16

// Spec is a policy as it is configured.
type Spec struct {
	Name string
	// Threshold is the confidence, in [0, 1], from which on an item is sure; nil: DefaultThreshold. A confidence equal to it is sure, and with hitl.NoConfidence
	// none is.
	Threshold *float64
	// LabelThresholds replace Threshold for items with these labels.
	LabelThresholds map[string]float64
	// AlwaysReview are labels that a person always sees.
	AlwaysReview []string
	// Rules are evaluated in this order.
	Rules []Rule
	// Sample is the share of sure items that a person sees too.
	Sample Sample
	// Queue is where reviews go when no rule says otherwise; required.
	Queue string
}

// Rule sends the items for which its condition holds, or fails, to a person.
type Rule struct {
	Name        string        // unique; stands in triggers as "rule:NAME"
	When        string        // CEL, see the package's documentation
	Queue       string        // empty: the policy's
	Priority    hitl.Priority // empty: normal
	Description string        // for people
}

// Sample is the random share of sure items that a person sees, so that errors among them are known.
type Sample struct {
	Rate  float64 // in [0, 1]
	Key   []byte  // secret, 16 bytes or more when Rate is above 0
	Queue string  // empty: the policy's
}

// canonical is the policy's text: every default written out, sets in order, the key as a fingerprint only. Its field order is
// part of every version; fields are added at the end and left out when empty.
type canonical struct {
	Format          string             `json:"format"`
	Name            string             `json:"name"`
	Threshold       float64            `json:"threshold"`
	LabelThresholds map[string]float64 `json:"label_thresholds"`
	AlwaysReview    []string           `json:"always_review"`
	Rules           []canonicalRule    `json:"rules"`
	Sample          canonicalSample    `json:"sample"`
	Queue           string             `json:"queue"`
}

type canonicalRule struct {
	Name        string        `json:"name"`
	When        string        `json:"when"`
	Queue       string        `json:"queue,omitempty"`
	Priority    hitl.Priority `json:"priority"`
	Description string        `json:"description,omitempty"`
}

type canonicalSample struct {
	Rate  float64 `json:"rate"`
	Key   string  `json:"key_fingerprint,omitempty"`
	Queue string  `json:"queue"`
}

// canonicalFormat names the meaning of the text: another meaning of the same words would be another format.
const canonicalFormat = "hitl-policy/1"

// complete returns the spec with its defaults filled in and its sets in order. It shares nothing with the original.
func (s Spec) complete() Spec {
	t := DefaultThreshold
	if s.Threshold != nil {
		t = *s.Threshold
	}
	s.Threshold = &t
	labels := make(map[string]float64, len(s.LabelThresholds))
	maps.Copy(labels, s.LabelThresholds)
	s.LabelThresholds = labels
	s.AlwaysReview = slices.Compact(slices.Sorted(slices.Values(s.AlwaysReview)))
	s.Rules = slices.Clone(s.Rules)
	for i := range s.Rules {
		if s.Rules[i].Priority == "" {
			s.Rules[i].Priority = hitl.PriorityNormal
		}
	}
	s.Sample.Key = slices.Clone(s.Sample.Key)
	if s.Sample.Queue == "" {
		s.Sample.Queue = s.Queue
	}
	return s
}

// text returns the canonical text of a complete spec.
func (s Spec) text() (string, error) {
	c := canonical{
		Format: canonicalFormat, Name: s.Name, Threshold: *s.Threshold, LabelThresholds: s.LabelThresholds,
		AlwaysReview: append([]string{}, s.AlwaysReview...), Rules: []canonicalRule{},
		Sample: canonicalSample{Rate: s.Sample.Rate, Queue: s.Sample.Queue}, Queue: s.Queue,
	}
	for _, r := range s.Rules {
		c.Rules = append(c.Rules, canonicalRule(r))
	}
	if s.Sample.Rate > 0 {
		c.Sample.Key = fingerprint(s.Sample.Key)
	}
	return c.write()
}

func (c canonical) write() (string, error) {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(c); err != nil {
		return "", fmt.Errorf("write policy text: %w", err)
	}
	return b.String(), nil
}

// fingerprint tells keys apart without telling them: another key draws another sample, so it is another policy.
func fingerprint(key []byte) string {
	sum := sha256.Sum256(append([]byte("hitl sampling key\x00"), key...))
	return hex.EncodeToString(sum[:8])
}

var ruleName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$`)

// check says what is wrong with a complete spec, but for the rules' conditions.
func (s Spec) check() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if !threshold(*s.Threshold) {
		bad("threshold: must be from 0 to 1, is %v", *s.Threshold)
	}
	for _, l := range sortedKeys(s.LabelThresholds) {
		if v := s.LabelThresholds[l]; !threshold(v) {
			bad("label_thresholds: %q must be from 0 to 1, is %v", l, v)
		}
	}
	if s.Queue == "" {
		bad("queue: is missing")
	}
	names := map[string]bool{}
	for i, r := range s.Rules {
		switch {
		case !ruleName.MatchString(r.Name):
			bad(`rules[%d]: name %q must be letters, digits, "_", "." and "-", at most 63`, i, r.Name)
		case names[r.Name]:
			bad("rules[%d]: name %q is used twice", i, r.Name)
		}
		names[r.Name] = true
		if !slices.Contains(hitl.Priorities(), r.Priority) {
			bad("rules[%d] %q: priority %q is none of %v", i, r.Name, r.Priority, hitl.Priorities())
		}
	}
	switch {
	case !share(s.Sample.Rate):
		bad("sample: rate must be from 0 to 1, is %v", s.Sample.Rate)
	case s.Sample.Rate > 0 && len(s.Sample.Key) < minSampleKey:
		bad("sample: key must have at least %d bytes", minSampleKey)
	}
	return errors.Join(errs...)
}

// threshold says whether v can be one.
func threshold(v float64) bool { return share(v) || v == hitl.NoConfidence }

// share says whether v is in [0, 1]; NaN is not.
func share(v float64) bool { return v >= 0 && v <= 1 }
