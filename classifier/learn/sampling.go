package learn

import "math"

// Plan is what it takes to have enough reviews of a random sample by a time.
type Plan struct {
	Reviews int     // that are missing
	PerDay  float64 // items a day that the sample is drawn from
	Rate    float64 // share of them to be sampled; above 1: there are too few of them in that time
	Days    float64 // that it takes at the present rate; +Inf: it never comes to it
}

// Possible says whether there are enough items in that time.
func (p Plan) Possible() bool { return p.Rate <= 1 }

// PlanSample says what it takes to have a number of sampled reviews more within some days, where so many items come a day and a share of them, the present rate, is
// sampled now.
func PlanSample(reviews int, perDay, days, present float64) Plan {
	p := Plan{Reviews: reviews, PerDay: perDay, Rate: math.Inf(1), Days: math.Inf(1)}
	if n := perDay * days; n > 0 {
		p.Rate = float64(reviews) / n
	}
	if n := perDay * present; n > 0 {
		p.Days = float64(reviews) / n
	}
	return p
}
