package policy

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"unicode"

	"hitl"
)

// step is one check of the policy, as it is shown.
type step struct {
	trigger  hitl.Trigger
	when     string
	queue    string
	priority hitl.Priority
	about    string
}

// steps returns the checks in their order, without those that can never hold.
func (p *Policy) steps() []step {
	s := p.spec
	checks := []step{
		{hitl.TriggerModelError, "the model failed, or its answer is no probability", s.Queue, hitl.PriorityNormal, ""},
		{hitl.TriggerTruncated, "the text is longer than the model reads", s.Queue, hitl.PriorityNormal, ""},
		{hitl.TriggerLowConfidence, p.thresholds(), s.Queue, hitl.PriorityNormal, ""},
	}
	if len(s.AlwaysReview) > 0 {
		checks = append(checks, step{
			hitl.TriggerAlwaysReview, "label is " + strings.Join(s.AlwaysReview, " or "), s.Queue, hitl.PriorityNormal, "",
		})
	}
	for _, r := range s.Rules {
		q := r.Queue
		if q == "" {
			q = s.Queue
		}
		checks = append(checks, step{hitl.RuleTrigger(r.Name), r.When, q, r.Priority, r.Description})
	}
	return checks
}

func (p *Policy) thresholds() string {
	parts := []string{below("confidence", *p.spec.Threshold)}
	for _, l := range sortedKeys(p.spec.LabelThresholds) {
		parts = append(parts, below("for "+l, p.spec.LabelThresholds[l]))
	}
	return strings.Join(parts, "; ")
}

func below(what string, threshold float64) string {
	if threshold == hitl.NoConfidence {
		return what + " whatever it is"
	}
	return what + " < " + number(threshold)
}

func (p *Policy) sampleShare() string {
	return number(p.spec.Sample.Rate*100) + "% of what is left, at random"
}

func number(f float64) string { return strconv.FormatFloat(f, 'g', 6, 64) }

// Table writes the workflow as a table for terminals.
func (p *Policy) Table(w io.Writer) error {
	if _, err := fmt.Fprintf(w, "policy %s, version %s\n\n", plain(p.spec.Name), p.version); err != nil {
		return fmt.Errorf("write table: %w", err)
	}
	tw := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	row := func(cells ...string) {
		for i, c := range cells {
			cells[i] = plain(c)
		}
		_, _ = fmt.Fprintln(tw, strings.TrimRight(strings.Join(cells, "\t"), "\t")) // Flush returns the error
	}
	row("", "TRIGGER", "WHEN", "QUEUE", "PRIORITY", "WHY")
	steps := p.steps()
	for i, s := range steps {
		row(strconv.Itoa(i+1), string(s.trigger), cut(s.when), s.queue, string(s.priority), s.about)
	}
	if p.spec.Sample.Rate > 0 {
		row(strconv.Itoa(len(steps)+1), string(hitl.TriggerSample), p.sampleShare(), p.spec.Sample.Queue, string(hitl.PrioritySample))
	}
	row("", "none", "everything else: "+string(hitl.AIAccepted), "", "")
	if err := tw.Flush(); err != nil {
		return fmt.Errorf("write table: %w", err)
	}
	_, err := fmt.Fprint(w, "\nEvery trigger that holds is recorded. The first rule that holds and names a queue decides the queue,\n"+
		"the most urgent trigger the priority. A rule that fails holds.\n")
	if err != nil {
		return fmt.Errorf("write table: %w", err)
	}
	return nil
}

// Mermaid writes the workflow as a Mermaid flowchart.
func (p *Policy) Mermaid(w io.Writer) error {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	queues := map[string]string{}
	for i, q := range p.Queues() {
		queues[q] = "queue" + strconv.Itoa(i+1)
	}
	line("flowchart TD")
	line(`    item(["item"]) --> model["classifier"]`)
	line(`    any{"does any hold?"}`)
	var routed []int
	for i, s := range p.steps() {
		line(`    model --> t%d["%s<br/>%s"] --> any`, i+1, label(string(s.trigger)), label(cut(s.when)))
		if _, isRule := s.trigger.Rule(); isRule && p.ruleQueue(s.trigger) != "" {
			routed = append(routed, i)
		}
	}
	if len(routed) == 0 {
		line(`    any -->|"yes"| %s`, queues[p.spec.Queue])
	} else {
		line(`    any -->|"yes"| first{"first rule that holds<br/>and names a queue"}`)
		steps := p.steps()
		for _, i := range routed {
			line(`    first -->|"%s"| %s`, label(string(steps[i].trigger)), queues[steps[i].queue])
		}
		line(`    first -->|"none"| %s`, queues[p.spec.Queue])
	}
	if p.spec.Sample.Rate > 0 {
		line(`    any -->|"no"| sample{"%s"}`, label(p.sampleShare()))
		line(`    sample -->|"drawn"| %s`, queues[p.spec.Sample.Queue])
		line(`    sample -->|"not drawn"| accepted`)
	} else {
		line(`    any -->|"no"| accepted`)
	}
	for _, q := range p.Queues() {
		line(`    %s[/"%s, queue %s"/]`, queues[q], label(string(hitl.HumanReview)), label(q))
	}
	line(`    accepted(["%s"])`, label(string(hitl.AIAccepted)))
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("write flowchart: %w", err)
	}
	return nil
}

func (p *Policy) ruleQueue(t hitl.Trigger) string {
	name, _ := t.Rule()
	for _, r := range p.spec.Rules {
		if r.Name == name {
			return r.Queue
		}
	}
	return ""
}

// cut shortens a condition; the policy's text has it whole.
func cut(s string) string {
	const limit = 120
	if r := []rune(plain(s)); len(r) > limit {
		return string(r[:limit]) + "…"
	}
	return s
}

// plain makes a text one line that no terminal takes for a command.
func plain(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '\uFFFD'
		}
		return r
	}, s)
}

// label makes a text safe between the quotes of a Mermaid label: what could be markup there becomes an entity, in Mermaid's form.
func label(s string) string {
	var b strings.Builder
	for _, r := range plain(s) {
		switch r {
		case '"', '#', '&', '<', '>', '`', '\\', '*', ';', '{', '}', '%':
			fmt.Fprintf(&b, "#%d;", r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}
