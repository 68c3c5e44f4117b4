package bot

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/slack-go/slack"

	"hitl"
)

const (
	// actionAdopt and actionDecline answer a proposal, whose id is their value.
	actionAdopt   = "hitl_proposal_accept"
	actionDecline = "hitl_proposal_decline"
	// maxLabelsUnits leaves room in a section for what else stands there.
	maxLabelsUnits = 1500
)

// proposalClick answers a proposal for somebody who runs its queue. The answer is 200 only when they are told something definite.
func (b *Bot) proposalClick(ctx context.Context, in interaction, a action) answer {
	p, fresh, err := b.answerProposal(ctx, in.reviewer(), a.Value, a.ActionID == actionAdopt)
	var no *notAllowedError
	switch {
	case errors.As(err, &no):
		b.cfg.Observer.Clicked("proposal", outcomeRefused)
		b.tell(ctx, in, no.why)
		return answer{}
	case errors.Is(err, hitl.ErrNotFound):
		b.cfg.Observer.Clicked("proposal", "unknown")
		b.tell(ctx, in, saying("told.unknown"))
		return answer{}
	case err != nil:
		b.log.ErrorContext(ctx, "proposal not answered", "proposal", a.Value, "user", in.User.ID, "error", err)
		b.cfg.Observer.Clicked("proposal", outcomeFailed)
		b.tell(ctx, in, saying("told.not_done"))
		return notDone()
	case !fresh:
		b.cfg.Observer.Clicked("proposal", outcomeLost)
		b.tell(ctx, in, func(l *language) string { return proposalState(l, p) })
	default:
		outcome := "declined"
		if p.State == hitl.ProposalAccepted {
			outcome = outcomeAccepted
		}
		b.cfg.Observer.Clicked("proposal", outcome)
	}
	if in.ResponseURL != "" {
		b.spawn(ctx, func(ctx context.Context) { b.replace(ctx, in.ResponseURL, proposalMessage(b.language(), p, true)) })
	}
	return answer{}
}

func (b *Bot) answerProposal(ctx context.Context, who hitl.Reviewer, id string, accept bool) (hitl.Proposal, bool, error) {
	p, err := b.cfg.Proposals.Proposal(ctx, id)
	if err != nil {
		return p, false, err
	}
	if err := b.rights.owner(ctx, who, p.Queue); err != nil {
		return p, false, err
	}
	return b.cfg.Proposals.Answer(ctx, id, accept, who.String(), b.cfg.Now())
}

// proposalNotice is the message of a proposal as it stands.
func (b *Bot) proposalNotice(ctx context.Context, n hitl.Notice, chart bool) (message, error) {
	p, err := b.cfg.Proposals.Proposal(ctx, n.Data["proposal"])
	if errors.Is(err, hitl.ErrNotFound) {
		return message{}, fmt.Errorf("load proposal: %w: %w", err, hitl.ErrPermanent)
	}
	if err != nil {
		return message{}, fmt.Errorf("load proposal: %w", err)
	}
	return proposalMessage(b.language(), p, chart), nil
}

// proposalMessage shows what a proposal would change, what from it was concluded, and what became of it. It is pure.
func proposalMessage(l *language, p hitl.Proposal, chart bool) message {
	title, lines, picture := proposalWords(l, p)
	state := proposalState(l, p)
	blocks := []slack.Block{slack.NewHeaderBlock(plain(title)), section(strings.Join(lines, "\n"))}
	if chart && picture != nil {
		blocks = append(blocks, picture)
	}
	blocks = append(blocks, section(state))
	if p.State == hitl.ProposalOpen {
		blocks = append(blocks, slack.NewActionBlock("hitl_proposal", proposalButton(l, p, actionAdopt, slack.StylePrimary), proposalButton(l, p, actionDecline, slack.StyleDefault)))
	}
	return message{Text: escape(title) + "\n" + strings.Join(lines, "\n") + "\n" + state, Blocks: blocks}
}

func proposalButton(l *language, p hitl.Proposal, action string, style slack.Style) *slack.ButtonBlockElement {
	name, sure := l.say("proposal.decline"), l.say("proposal.decline.sure")
	if action == actionAdopt {
		name, sure = l.say("proposal.accept"), l.say("proposal.accept.sure")
	}
	return slack.NewButtonBlockElement(action, p.ID, plain(name)).WithStyle(style).
		WithConfirm(slack.NewConfirmationBlockObject(plain(name), plain(sure), plain(name), plain(l.say("proposal.back"))))
}

// proposalState says what became of a proposal.
func proposalState(l *language, p hitl.Proposal) string {
	switch p.State {
	case hitl.ProposalAccepted:
		return l.say("proposal.accepted", "Who", byWhom(l, p.DecidedBy), "When", when(l, p.DecidedAt))
	case hitl.ProposalDeclined:
		return l.say("proposal.declined", "Who", byWhom(l, p.DecidedBy), "When", when(l, p.DecidedAt))
	case hitl.ProposalReplaced:
		return l.say("proposal.replaced")
	case hitl.ProposalOpen:
	}
	return l.say("proposal.open")
}

// proposalWords says a proposal's title, what it would change and why, with a picture where there is one.
func proposalWords(l *language, p hitl.Proposal) (title string, lines []string, picture slack.Block) {
	name := code(l, p.Name, maxNameUnits)
	switch p.Kind {
	case hitl.ProposeThresholds:
		var c hitl.ThresholdChange
		var e hitl.ThresholdEvidence
		if json.Unmarshal(p.Body, &c) == nil && json.Unmarshal(p.Evidence, &e) == nil {
			return l.say("proposal.thresholds", "Name", plainName(l, p.Name, maxNameUnits)), thresholdLines(l, name, c, e), curveChart(l, e.Curve)
		}
	case hitl.ProposeCalibration:
		var e hitl.CalibrationEvidence
		if json.Unmarshal(p.Evidence, &e) == nil {
			return l.say("proposal.calibration", "Name", plainName(l, p.Name, maxNameUnits)), calibrationLines(l, name, e), reliabilityChart(l, e.Diagram)
		}
	case hitl.ProposeModel:
		var c hitl.ModelChange
		var e hitl.ModelEvidence
		if json.Unmarshal(p.Body, &c) == nil && json.Unmarshal(p.Evidence, &e) == nil {
			return l.say("proposal.model", "Name", plainName(l, p.Name, maxNameUnits)), modelLines(l, name, c, e), nil
		}
	case hitl.ProposeSample: // the service accepts its own: nobody is asked
	}
	return l.say("proposal.other"), []string{l.say("proposal.unreadable", "Name", name)}, nil
}

// thresholdLines say what a change of thresholds would do, what it promises and on what ground.
func thresholdLines(l *language, name string, c hitl.ThresholdChange, e hitl.ThresholdEvidence) []string {
	if c.Off {
		return []string{l.say("proposal.off", "Name", name, "Percent", thresholdWords(l, c.From.Threshold))}
	}
	out := []string{l.say("proposal.threshold", "From", thresholdWords(l, c.From.Threshold), "To", thresholdWords(l, c.Threshold))}
	if len(c.Labels) > 0 {
		out = append(out, cut(lines(l, slices.Sorted(maps.Keys(c.Labels)), maxPolicyLabels, func(label string) string {
			return l.say("proposal.label", "Label", code(l, label, maxLabelUnits), "From", thresholdWords(l, c.From.For(label)), "To", thresholdWords(l, c.Labels[label]))
		}), maxLabelsUnits, units))
	}
	if c.Risk != "" {
		out = append(out, l.say("proposal.promise", "Risk", decimalPercent(l, c.Risk), "Confidence", decimalPercent(l, c.Confidence)))
	}
	if e.Sampled > 0 {
		out = append(out, l.say("proposal.ground", "N", e.Sampled, "Wrong", e.Wrong, "Unanswered", e.Unanswered, "Upper", rate(l, e.Upper)))
	}
	return append(out,
		l.say("proposal.load", "Before", rate(l, e.LoadBefore), "After", rate(l, e.LoadAfter), "N", e.Items),
		l.say("proposal.assumes"))
}

func thresholdWords(l *language, t float64) string {
	if t == hitl.NoConfidence {
		return l.say("proposal.never")
	}
	return percentShare(l, t)
}

func calibrationLines(l *language, name string, e hitl.CalibrationEvidence) []string {
	figures := func(s hitl.CalibrationScore) string {
		return l.say("proposal.scores", "Error", l.decimals(s.Error, 3), "Brier", l.decimals(s.Brier, 3), "LogLoss", l.decimals(s.LogLoss, 3))
	}
	return []string{
		l.say("proposal.calibrate", "Name", name, "Kind", code(l, e.Kind, maxNameUnits), "N", e.Items),
		l.say("proposal.before", "Figures", figures(e.Before)),
		l.say("proposal.after", "Figures", figures(e.After), "N", e.Held),
		l.say("proposal.calibrate.then"),
	}
}

// modelLines say which model would run, what it learned from, and how it compares.
func modelLines(l *language, name string, c hitl.ModelChange, e hitl.ModelEvidence) []string {
	if c.Version == "" {
		return []string{l.say("proposal.model.off", "Name", name)}
	}
	out := []string{l.say("proposal.model.runs", "Name", name, "Version", code(l, versionDigits(c.Version), maxNameUnits))}
	if e.Learned > 0 {
		out = append(out, l.say("proposal.model.learned", "N", e.Learned))
	}
	if len(e.Labels) > 0 {
		out = append(out, l.say("proposal.model.labels", "Labels", labelNames(l, e.Labels)))
	}
	if h := e.HeldOut; h != nil {
		out = append(out, l.say("proposal.model.held", "Right", rate(l, h.Accuracy), "Low", rate(l, h.Low), "High", rate(l, h.High), "N", h.Items))
	}
	if m := e.Comparison; m != nil {
		out = append(out, l.say("proposal.model.compared", "Candidate", rate(l, m.Candidate), "Incumbent", rate(l, m.Incumbent), "N", m.Items,
			"Difference", signed(l, m.Difference), "Low", signed(l, m.Low), "High", signed(l, m.High)), verdictWords(l, m.Verdict))
	}
	return append(out, l.say("proposal.model.then"))
}

// versionDigits are the first of a version, as many as tell models apart.
func versionDigits(version string) string {
	v := strings.TrimPrefix(version, "sha256:")
	return v[:min(12, len(v))]
}

// labelNames lists labels, as many as there is room for.
func labelNames(l *language, labels []string) string {
	var out []string
	used := 0
	for i, label := range labels {
		name := code(l, label, maxLabelUnits)
		if used += units(name) + 2; used > maxLabelsUnits {
			return strings.Join(append(out, l.say("more", "More", len(labels)-i)), ", ")
		}
		out = append(out, name)
	}
	return strings.Join(out, ", ")
}

func verdictWords(l *language, verdict string) string {
	switch verdict {
	case "better":
		return l.say("proposal.model.better")
	case "worse":
		return l.say("proposal.model.worse")
	}
	return l.say("proposal.model.alike")
}

// signed says a difference of shares in points.
func signed(l *language, d float64) string {
	sign := "+"
	if d < 0 {
		sign = "−"
	}
	return sign + l.decimals(100*math.Abs(d), 1)
}

// curveChart shows what each threshold would bring: how much people see, and how much of the rest is wrong at most.
func curveChart(l *language, curve []hitl.CurvePoint) slack.Block {
	curve = slices.Clone(curve)
	for len(curve) > maxCategories { // every second one, the ends kept
		last := curve[len(curve)-1]
		for i := 0; 2*i < len(curve); i++ {
			curve[i] = curve[2*i]
		}
		curve = append(curve[:(len(curve)+1)/2], last)
		curve = slices.CompactFunc(curve, func(a, b hitl.CurvePoint) bool { return a == b })
	}
	return lineChart(l, l.say("proposal.chart"), l.say("proposal.chart.threshold"), len(curve),
		func(i int) string { return thresholdWords(l, curve[i].Threshold) },
		series{l.say("proposal.chart.load"), func(i int) float64 { return 100 * curve[i].Load }},
		series{l.say("proposal.chart.errors"), func(i int) float64 { return 100 * curve[i].ErrorsTop }})
}

// reliabilityChart shows confidences beside how often they were right.
func reliabilityChart(l *language, bins []hitl.ReliabilityBin) slack.Block {
	bins = slices.DeleteFunc(slices.Clone(bins), func(b hitl.ReliabilityBin) bool { return b.Items == 0 })
	return lineChart(l, l.say("proposal.chart.reliability"), l.say("proposal.chart.confidence"), min(len(bins), maxCategories),
		func(i int) string { return rate(l, bins[i].Confidence) },
		series{l.say("proposal.chart.right"), func(i int) float64 { return 100 * bins[i].Right }},
		series{l.say("proposal.chart.said"), func(i int) float64 { return 100 * bins[i].Confidence }})
}

type series struct {
	name  string
	value func(i int) float64
}

// lineChart draws lines over n categories; nil when there are too few to draw, or two of one name.
func lineChart(l *language, title, x string, n int, name func(int) string, all ...series) slack.Block {
	names := make([]string, n)
	for i := range names {
		names[i] = name(i)
	}
	if distinct := slices.Compact(slices.Sorted(slices.Values(names))); n < 2 || len(distinct) < n {
		return nil
	}
	var drawn []slack.DataVisualizationDataSeries
	for _, s := range all {
		points := make([]slack.DataVisualizationDataPoint, n)
		for i := range points {
			points[i] = slack.NewDataVisualizationDataPoint(names[i], math.Round(s.value(i)*100)/100)
		}
		drawn = append(drawn, slack.NewDataVisualizationDataSeries(s.name, points...))
	}
	axis := slack.NewDataVisualizationAxisConfig(names...).WithXLabel(x).WithYLabel(l.say("proposal.chart.percent"))
	return slack.NewDataVisualizationBlock(title, slack.NewDataVisualizationLineChart(axis, drawn...))
}

// brokenMessage tells the owners of a queue that what reviewers said contradicts a promise, and what was done about it.
func brokenMessage(l *language, n hitl.Notice) (message, error) {
	answered, err := strconv.Atoi(n.Data["n"])
	wrong, err2 := strconv.Atoi(n.Data["wrong"])
	lower, err3 := strconv.ParseFloat(n.Data["lower"], 64)
	if err := errors.Join(err, err2, err3); err != nil {
		return message{}, fmt.Errorf("read notice: %w: %w", err, hitl.ErrPermanent)
	}
	title := l.say("broken.title", "Policy", plainName(l, n.Data["policy"], maxNameUnits))
	words := l.say("broken.why", "N", answered, "Wrong", wrong, "Lower", rate(l, lower), "Risk", decimalPercent(l, n.Data["risk"]))
	what := l.say("broken.tell", "Policy", code(l, n.Data["policy"], maxNameUnits))
	if n.Data["restored"] == "true" {
		what = l.say("broken.restored")
	}
	return message{Text: escape(title) + "\n" + words + "\n" + what, Blocks: []slack.Block{slack.NewHeaderBlock(plain(title)), section(words), section(what)}}, nil
}

// noProposals stands in where a bot has none.
type noProposals struct{}

func (noProposals) Propose(context.Context, hitl.Proposal) error { return hitl.ErrUnavailable }

func (noProposals) Proposal(context.Context, string) (hitl.Proposal, error) {
	return hitl.Proposal{}, hitl.ErrNotFound
}

func (noProposals) Answer(context.Context, string, bool, string, time.Time) (hitl.Proposal, bool, error) {
	return hitl.Proposal{}, false, hitl.ErrNotFound
}
