package main

import (
	"cmp"
	"math"
	"slices"
)

// verdict says how a series went.
type verdict string

const (
	flat     verdict = "flat"
	grows    verdict = "grows"
	falls    verdict = "falls"
	leveled  verdict = "leveled" // it changed, and has not since the middle: a step, or a warm-up that took longer than it was given
	unclear  verdict = "unclear" // it scatters so much that a line through it may as well be flat
	byDesign verdict = "by design"
	tooShort verdict = "too short"
)

// band is how much a series may change over the time that is judged and still be flat: a share of its median, and in its unit. The larger one counts.
type band struct {
	share, unit float64
}

// fewest is how many points make a judgement.
const fewest = 10

// mostPoints bounds the pairs of points that are compared, which grow with the square.
const mostPoints = 400

// judgement is what became of a series after its warm-up.
type judgement struct {
	Begin   float64 `json:"begin"`  // medians of the thirds
	Middle  float64 `json:"middle"` //
	End     float64 `json:"end"`    //
	PerHour float64 `json:"slope_per_hour"`
	Low     float64 `json:"slope_low"` // 95 % interval
	High    float64 `json:"slope_high"`
	Band    float64 `json:"band"`   // in the series' unit, over the time that is judged
	Change  float64 `json:"change"` // by the slope, over that time
	Verdict verdict `json:"verdict"`
}

// judge says whether a series is flat. The first fifth of its time is warm-up and is dropped. The slope is Theil and Sen's, the median of the slopes
// of all pairs of points, with the interval of Sen, "Estimates of the Regression Coefficient Based on Kendall's Tau" (1968): a pause or a sawtooth
// moves it little. Points that follow each other are not independent, so the interval is rather too narrow: a change must leave the band, too.
//
// A change within the band is flat; one beyond it whose interval holds 0 is unclear; one of which the last half has no part is leveled.
// Hours ascend.
func judge(hours, values []float64, b band) judgement {
	hours, values = afterWarmUp(hours, values)
	var j judgement
	n := len(values)
	if n < fewest {
		j.Verdict = tooShort
		if n > 0 {
			j.Begin, j.Middle, j.End = values[0], values[n/2], values[n-1]
		}
		return j
	}
	j.Begin, j.Middle, j.End = median(values[:n/3]), median(values[n/3:n-n/3]), median(values[n-n/3:])
	hours, values = thin(hours, values)
	n = len(values)
	length := hours[n-1] - hours[0]
	j.Band = max(b.unit, b.share*math.Abs(median(values)))
	j.PerHour, j.Low, j.High = theilSen(hours, values)
	j.Change = j.PerHour * length
	stepped := math.Abs(j.End-j.Begin) > j.Band
	if math.Abs(j.Change) <= j.Band && !stepped {
		j.Verdict = flat
		return j
	}
	half := n / 2
	late, _, _ := theilSen(hours[half:], values[half:])
	switch {
	case math.Abs(late*(hours[n-1]-hours[half])) <= j.Band/2 && stepped:
		j.Verdict = leveled
	case j.Low <= 0 && j.High >= 0:
		j.Verdict = unclear
	case j.PerHour > 0:
		j.Verdict = grows
	default:
		j.Verdict = falls
	}
	return j
}

// afterWarmUp leaves the first fifth of the time out.
func afterWarmUp(hours, values []float64) (laterHours, laterValues []float64) {
	if len(hours) == 0 {
		return nil, nil
	}
	from := hours[0] + (hours[len(hours)-1]-hours[0])/5
	i, _ := slices.BinarySearch(hours, from)
	return hours[i:], values[i:]
}

// thin makes medians of points that stand together, so many that not too many are left.
func thin(hours, values []float64) (fewerHours, fewerValues []float64) {
	each := (len(values) + mostPoints - 1) / mostPoints
	if each <= 1 {
		return hours, values
	}
	for i := 0; i < len(values); i += each {
		end := min(i+each, len(values))
		fewerHours, fewerValues = append(fewerHours, median(hours[i:end])), append(fewerValues, median(values[i:end]))
	}
	return fewerHours, fewerValues
}

// theilSen returns the median slope of all pairs of points, and its 95 % interval.
func theilSen(x, y []float64) (slope, low, high float64) {
	var slopes []float64
	for i := range x {
		for k := range i {
			if x[i] > x[k] {
				slopes = append(slopes, (y[i]-y[k])/(x[i]-x[k]))
			}
		}
	}
	if len(slopes) == 0 {
		return 0, 0, 0
	}
	slices.SortFunc(slopes, cmp.Compare)
	const z = 1.96
	n, pairs := float64(len(x)), float64(len(slopes))
	reach := z * math.Sqrt(n*(n-1)*(2*n+5)/18)
	at := func(rank float64) float64 { return slopes[max(0, min(len(slopes)-1, int(rank)))] }
	return median(slopes), at(math.Floor((pairs - reach) / 2)), at(math.Ceil((pairs + reach) / 2))
}

// median is that of any values, 0 of none.
func median(values []float64) float64 {
	if s := spreadOf(values); s != nil {
		return s.Median
	}
	return 0
}
