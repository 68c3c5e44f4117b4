package learn

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
)

// Judged is a confidence and what came of it.
type Judged struct {
	Confidence float64 // in [0, 1]
	Right      bool
	Weight     float64 // above 0
}

// Judge returns what confidences a calibration gives the answers; nil is none: the highest score.
func Judge(answers []Answer, c *Calibration) []Judged {
	out := make([]Judged, len(answers))
	for i, a := range answers {
		out[i] = Judged{a.Scores[0].Probability, a.right(), a.Weight}
		if c != nil {
			out[i].Confidence = c.Apply(a.Scores)
		}
	}
	return out
}

// Reliability says how well confidences tell how often the label is right. The less each is, the better.
type Reliability struct {
	Items   int
	Sample  float64 // effective size, by weight: L. Kish, Survey Sampling, 1965
	Brier   float64 // mean squared difference of confidence and outcome: G. W. Brier, Monthly Weather Review 78, 1950
	LogLoss float64 // mean negative logarithm of the probability that the outcome was given, in nats; probabilities below 1e-12 count as that
	// Error is the expected calibration error: M. P. Naeini et al., Obtaining Well Calibrated Probabilities Using Bayesian Binning, AAAI 2015. Its bins are
	// those of Bins. It is above 0 also for perfect confidences, the more so the fewer items there are.
	Error float64
	Bins  []Bin // with items, by rising confidence
}

// Bin is one of ten equal parts of [0, 1]; a confidence on a boundary belongs to the part above it, 1 to the last.
type Bin struct {
	Items      int
	Weight     float64
	Confidence float64  // weighted mean
	Right      float64  // weighted share
	Interval   Interval // of Right, by score, for the effective size; the items' weights count as known
}

const reliabilityBins = 10

// Measure returns the figures of confidences; of none, zeros.
func Measure(all []Judged) Reliability {
	r := Reliability{Items: len(all)}
	var total, squares float64
	bins := make([]Bin, reliabilityBins)
	var binSquares [reliabilityBins]float64
	for _, j := range all {
		y := 0.0
		if j.Right {
			y = 1
		}
		total, squares = total+j.Weight, squares+j.Weight*j.Weight
		r.Brier += j.Weight * (j.Confidence - y) * (j.Confidence - y)
		given := j.Confidence
		if !j.Right {
			given = 1 - given
		}
		r.LogLoss -= j.Weight * math.Log(math.Max(given, least))
		i := min(int(j.Confidence*reliabilityBins), reliabilityBins-1)
		b := &bins[i]
		b.Items++
		b.Weight += j.Weight
		b.Confidence += j.Weight * j.Confidence
		b.Right += j.Weight * y
		binSquares[i] += j.Weight * j.Weight
	}
	if total == 0 {
		return r
	}
	r.Sample, r.Brier, r.LogLoss = total*total/squares, r.Brier/total, r.LogLoss/total
	for i, b := range bins {
		if b.Items == 0 {
			continue
		}
		b.Confidence, b.Right = b.Confidence/b.Weight, b.Right/b.Weight
		b.Interval = wilson(b.Right, b.Weight*b.Weight/binSquares[i])
		r.Error += b.Weight / total * math.Abs(b.Confidence-b.Right)
		r.Bins = append(r.Bins, b)
	}
	return r
}

// gainResamples is how often Gain draws the items anew.
const gainResamples = 2000

// Gain is by how much the Brier score falls from before to after, which judge the same items, with a percentile bootstrap interval over the items. Chance comes
// from the seed.
func Gain(before, after []Judged, seed uint64) (gain float64, i Interval) {
	if len(before) != len(after) {
		panic("learn: gain of other items")
	}
	if len(before) == 0 {
		return 0, Interval{-1, 1}
	}
	differences := make([]float64, len(before))
	var total float64
	for k := range before {
		y := 0.0
		if before[k].Right {
			y = 1
		}
		b, a := before[k].Confidence-y, after[k].Confidence-y
		differences[k] = before[k].Weight * (b*b - a*a)
		gain += differences[k]
		total += before[k].Weight
	}
	chance := rand.New(rand.NewPCG(seed, 0))
	draws := make([]float64, gainResamples)
	for d := range draws {
		var sum, weight float64
		for range differences {
			k := chance.IntN(len(differences))
			sum, weight = sum+differences[k], weight+before[k].Weight
		}
		draws[d] = sum / weight
	}
	slices.Sort(draws)
	return gain / total, Interval{draws[gainResamples/40], draws[gainResamples-1-gainResamples/40]}
}

// Diagram draws bins as lines of text: how often the model is right where it says how sure it is, a bar to 100%, and a mark where the bar should end.
func (r Reliability) Diagram() string {
	const width = 40
	var b strings.Builder
	for _, bin := range r.Bins {
		line := []rune(strings.Repeat("█", int(math.Round(bin.Right*width))) + strings.Repeat("·", width-int(math.Round(bin.Right*width))))
		line[min(int(bin.Confidence*width), width-1)] = '┃'
		fmt.Fprintf(&b, "%5.1f%% %s %5.1f%% right (%.1f–%.1f, %d items)\n", 100*bin.Confidence, string(line), 100*bin.Right, 100*bin.Interval.Low, 100*bin.Interval.High, bin.Items)
	}
	return b.String()
}
