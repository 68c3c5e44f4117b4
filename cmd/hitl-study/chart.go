package main

import (
	"encoding/xml"
	"fmt"
	"strconv"
	"strings"
)

// Sizes of the charts, in pixels: a column for each scenario, a row for each figure.
const (
	left, top           = 58.0, 96.0
	panelWide, panelTal = 218.0, 130.0
	gapWide, gapTall    = 86.0, 62.0
)

// row is a figure that is drawn for every scenario, on one scale.
type row struct {
	title string
	most  float64 // at the top of the panel; what is above is cut, and told in words
	ticks []float64
	of    func(Point) Spread
	end   func(Method) Spread
}

var chartRows = []row{
	{"Accepted without a person", 1, []float64{0, 0.5, 1}, func(p Point) Spread { return p.Automation }, func(m Method) Spread { return m.Automation }},
	{"Wrong among these, in truth", 0.12, []float64{0, 0.05, 0.1}, func(p Point) Spread { return p.TrueError }, func(m Method) Spread { return m.TrueError }},
	{"Calibration error", 0.12, []float64{0, 0.05, 0.1}, func(p Point) Spread { return p.Calibration }, func(m Method) Spread { return m.Calibration }},
}

const chartStyle = `<style>
svg { --ground: #ffffff; --ink: #1f2328; --faint: #59636e; --grid: #d8dee4; --promised: #0969da; --fixed: #bc4c00; --bound: #cf222e; font: 12px system-ui, sans-serif }
@media (prefers-color-scheme: dark) {
svg { --ground: #0d1117; --ink: #e6edf3; --faint: #9198a1; --grid: #30363d; --promised: #58a6ff; --fixed: #f0883e; --bound: #ff7b72 } }
text { fill: var(--ink) } .faint { fill: var(--faint); font-size: 11px } .head { font-weight: 600; font-size: 13px } .title { font-weight: 600; font-size: 16px }
.grid { stroke: var(--grid) } .bound { stroke: var(--bound); stroke-dasharray: 5 4; stroke-width: 1.5 } .boundary { fill: var(--bound); font-size: 11px }
.promised { fill: none; stroke: var(--promised); stroke-width: 2.2 } .fixed { fill: none; stroke: var(--fixed); stroke-width: 2.2; stroke-dasharray: 2 2 }
.promised-range { fill: var(--promised); opacity: 0.16 } .fixed-range { fill: var(--fixed); opacity: 0.16 }
.promised-word { fill: var(--promised); font-weight: 600 } .fixed-word { fill: var(--fixed); font-weight: 600 }
</style>`

// chart draws a report as SVG: small multiples over the clicks, median lines in the range of all seeds.
func chart(r report) string {
	risk, _ := strconv.ParseFloat(r.Risk, 64) // a report's risk was parsed before
	wide := left + float64(len(r.Scenarios))*(panelWide+gapWide) - 4
	tall := top + float64(len(chartRows))*(panelTal+gapTall) + 8
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %.0f %.0f" role="img" aria-labelledby="title desc">`+"\n", wide, tall)
	fmt.Fprintf(&b, "<title id=\"title\">What reviewers' clicks bring: automation, errors and calibration</title>\n<desc id=\"desc\">%s</desc>\n", escape(r.words()))
	b.WriteString(chartStyle + "\n")
	fmt.Fprintf(&b, `<rect width="%.0f" height="%.0f" fill="var(--ground)"/>`+"\n", wide, tall)
	fmt.Fprintf(&b, `<text class="title" x="%.0f" y="26">What reviewers’ clicks bring</text>`+"\n", left)
	fmt.Fprintf(&b, `<line class="promised" x1="%[1]g" x2="%[2]g" y1="46" y2="46"/><text class="promised-word" x="%[3]g" y="50">threshold with a promise: at most %[4]g%% wrong</text>`+"\n", left, left+28, left+36, 100*risk)
	fmt.Fprintf(&b, `<line class="fixed" x1="%[1]g" x2="%[2]g" y1="46" y2="46"/><text class="fixed-word" x="%[3]g" y="50">fixed threshold of %[4]g</text>`+"\n", left+370, left+398, left+406, r.Fixed)
	fmt.Fprintf(&b, `<text class="faint" x="%g" y="50">line: median of %d random orders of the texts; shade: all of them; figures: where they end</text>`+"\n", left+590, r.Seeds)
	for i, sc := range r.Scenarios {
		x := left + float64(i)*(panelWide+gapWide)
		fmt.Fprintf(&b, `<text class="head" x="%g" y="80">%s</text>`+"\n", x, escape(sc.Name))
		for j, kind := range chartRows {
			p := panel{x: x, y: top + float64(j)*(panelTal+gapTall) + 18, clicks: sc.clicks(), row: kind}
			fmt.Fprintf(&b, `<clipPath id="c%d-%d"><rect x="%g" y="%g" width="%g" height="%g"/></clipPath>`+"\n", i, j, p.x, p.y-1, panelWide, panelTal+2)
			p.axes(&b)
			if j == 1 {
				fmt.Fprintf(&b, `<line class="bound" x1="%g" x2="%g" y1="%.1f" y2="%.1f"/><text class="boundary" x="%g" y="%.1f">promise</text>`+"\n", p.x, p.x+panelWide, p.up(risk), p.up(risk), p.x+4, p.up(risk)-4)
			}
			fmt.Fprintf(&b, `<g clip-path="url(#c%d-%d)">`, i, j)
			p.line(&b, "fixed", sc.Fixed, r.Seeds)
			p.line(&b, "promised", sc.Promised, r.Seeds)
			b.WriteString("</g>\n")
			p.ends(&b, sc, r.Seeds)
			if j == 0 && 2*sc.Promised.Accepting < r.Seeds {
				fmt.Fprintf(&b, `<text class="promised-word" x="%g" y="%g">nothing can be promised:</text><text class="promised-word" x="%g" y="%g">people see everything</text>`+"\n", p.x+8, p.y+18, p.x+8, p.y+33)
			}
		}
	}
	b.WriteString("</svg>\n")
	return b.String()
}

// clicks is how far the panels of a scenario go.
func (sc Result) clicks() float64 {
	most := 1
	for _, m := range []Method{sc.Promised, sc.Fixed} {
		if n := len(m.Points); n > 0 {
			most = max(most, m.Points[n-1].Clicks)
		}
	}
	return float64(most)
}

// panel is one chart.
type panel struct {
	x, y   float64 // of its upper left corner
	clicks float64 // at its right edge
	row
}

func (p panel) along(clicks float64) float64 { return p.x + panelWide*clicks/p.clicks }

func (p panel) up(v float64) float64 { return p.y + panelTal*(1-v/p.most) }

func (p panel) axes(b *strings.Builder) {
	fmt.Fprintf(b, `<text class="faint" x="%g" y="%g">%s</text>`, p.x, p.y-8, p.title)
	for _, t := range p.ticks {
		fmt.Fprintf(b, `<line class="grid" x1="%g" x2="%g" y1="%.1f" y2="%.1f"/><text class="faint" text-anchor="end" x="%g" y="%.1f">%.0f%%</text>`, p.x, p.x+panelWide, p.up(t), p.up(t), p.x-5, p.up(t)+4, 100*t)
	}
	step := 1000.0
	for step > p.clicks/2 {
		step /= 2
	}
	for panelWide*step/p.clicks < 60 { // their words would touch
		step *= 2
	}
	for c := 0.0; c <= p.clicks; c += step {
		word := strconv.FormatFloat(c, 'f', 0, 64)
		if c == 0 {
			word = "0 clicks"
		}
		fmt.Fprintf(b, `<text class="faint" text-anchor="%s" x="%.1f" y="%g">%s</text>`, map[bool]string{true: "start", false: "middle"}[c == 0], p.along(c), p.y+panelTal+15, word)
	}
	b.WriteString("\n")
}

// drawn are the points of a method that half of the seeds or more have a figure at.
func (p panel) drawn(m Method, seeds int) (clicks []float64, spreads []Spread) {
	for _, pt := range m.Points {
		if s := p.of(pt); 2*s.Seeds >= seeds {
			clicks, spreads = append(clicks, float64(pt.Clicks)), append(spreads, s)
		}
	}
	return clicks, spreads
}

func (p panel) line(b *strings.Builder, class string, m Method, seeds int) {
	clicks, spreads := p.drawn(m, seeds)
	if len(clicks) == 0 {
		return
	}
	var median, over, under []string
	at := func(c, v float64) string { return fmt.Sprintf("%.1f,%.1f", p.along(c), p.up(v)) }
	for i, s := range spreads {
		median, over = append(median, at(clicks[i], s.Median)), append(over, at(clicks[i], s.High))
		under = append(under, at(clicks[len(clicks)-1-i], spreads[len(clicks)-1-i].Low))
	}
	fmt.Fprintf(b, `<polygon class="%s-range" points="%s %s"/><polyline class="%s" points="%s"/>`, class, strings.Join(over, " "), strings.Join(under, " "), class, strings.Join(median, " "))
}

// ends writes the figures at the end of the streams beside the panel, apart from each other.
func (p panel) ends(b *strings.Builder, sc Result, seeds int) {
	promised, fixed := p.end(sc.Promised), p.end(sc.Fixed)
	height := func(s Spread) float64 { return p.up(min(s.Median, p.most)) + 4 }
	y, z := height(promised), height(fixed)
	if 2*promised.Seeds < seeds {
		y = -100
	}
	if d := y - z; d > -13 && d < 13 {
		mid := (y + z) / 2
		if promised.Median >= fixed.Median {
			y, z = mid-6.5, mid+6.5
		} else {
			y, z = mid+6.5, mid-6.5
		}
	}
	digits := 1
	if p.most == 1 {
		digits = 0
	}
	write := func(class string, s Spread, y float64) {
		if 2*s.Seeds >= seeds {
			fmt.Fprintf(b, `<text class="%s-word" x="%g" y="%.1f">%.*f%%</text>`, class, p.x+panelWide+4, y, digits, 100*s.Median)
		}
	}
	write("promised", promised, y)
	write("fixed", fixed, z)
	b.WriteString("\n")
}

// words tells what the charts show to who does not see them.
func (r report) words() string {
	var b strings.Builder
	fmt.Fprintf(&b, "Line charts over the number of clicks, medians of %d orders. At the end:", r.Seeds)
	for _, sc := range r.Scenarios {
		fmt.Fprintf(&b, " %s: with a promise of at most %s wrong, %s accepted and %s of it wrong, calibration error %s; with the fixed threshold of %g, %s accepted and %s wrong, calibration error %s.",
			sc.Name, r.Risk, sc.Promised.Automation.percent(), sc.Promised.TrueError.percent(), sc.Promised.Calibration.percent(),
			r.Fixed, sc.Fixed.Automation.percent(), sc.Fixed.TrueError.percent(), sc.Fixed.Calibration.percent())
	}
	return b.String()
}

func escape(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(s)) // a Builder takes everything
	return b.String()
}
