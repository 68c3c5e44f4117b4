package learn

import "time"

// What it takes before a pattern of decisions looks like rubber-stamping.
const (
	// StampingFewest is how many decisions, of somebody and of the others, and how many times between decisions it takes to say anything.
	StampingFewest = 30
	// StampingPace is the median time between successive decisions below which hardly anybody can have read.
	StampingPace = 3 * time.Second
	// StampingLevel is how often, at most, chance alone makes one of somebody's two shares differ so much from the others'.
	StampingLevel = 0.01
	// stampingTimes is how many times as large one share must be as the other: of thousands, tiny differences are no chance either.
	stampingTimes = 2
)

// Pattern is how somebody decided on one queue for a while, and how everybody else did there meanwhile.
type Pattern struct {
	Judged, Corrected             int // decisions on what the model had given a label, and saw; of those, the ones that gave another
	OthersJudged, OthersCorrected int
	Known, Missed                 int // decisions on items whose right label was known; of those, the ones that did not give it
	OthersKnown, OthersMissed     int
	Gaps                          int // times between successive decisions; what is decided at one go is one decision
	MedianGap                     time.Duration
}

// Signs are what a pattern shows. None of them proves anything.
type Signs struct {
	Quick   bool // median time between decisions below StampingPace
	Agrees  bool // corrects much less often than the others: at most half as often, and not by chance
	Misses  bool // misses known answers much more often than the others: at least twice as often, and not by chance
	PAgrees float64
	PMisses float64 // p-values of Fisher's test; 1 where there is too little to compare
}

// Stamping says whether the signs together look like rubber-stamping: somebody decides faster than one can read, and what they decide shows it, by
// hardly any correction where the others correct, or by known answers that they miss and the others do not. Being quick alone is no sign, nor is
// agreeing with a good model.
func (s Signs) Stamping() bool { return s.Quick && (s.Agrees || s.Misses) }

// Signs returns what a pattern shows.
//
// The shares are compared by Fisher's exact test, two-sided, each at half of StampingLevel (C. E. Bonferroni 1936), so that of people who decide as the
// others do at most one in 100 weeks shows either sign, and of these only a week that was quick as well is flagged; the side that would speak for
// somebody is not counted, which about halves it again. An interval such as [Newcombe]'s would be read more easily, but keeps its level on average
// only, and less well where corrections are rare, which is just where this is asked.
func (p Pattern) Signs() Signs {
	s := Signs{Quick: p.Gaps >= StampingFewest && p.MedianGap < StampingPace, PAgrees: 1, PMisses: 1}
	if p.Judged >= StampingFewest && p.OthersJudged >= StampingFewest {
		s.PAgrees = Fisher(p.Corrected, p.Judged, p.OthersCorrected, p.OthersJudged)
		s.Agrees = s.PAgrees < StampingLevel/2 && timesAsOften(p.OthersCorrected, p.OthersJudged, p.Corrected, p.Judged)
	}
	if p.Known > 0 && p.OthersKnown > 0 {
		s.PMisses = Fisher(p.Missed, p.Known, p.OthersMissed, p.OthersKnown)
		s.Misses = s.PMisses < StampingLevel/2 && timesAsOften(p.Missed, p.Known, p.OthersMissed, p.OthersKnown)
	}
	return s
}

// timesAsOften says whether the first share is at least stampingTimes as large as the second, and not 0.
func timesAsOften(k1, n1, k2, n2 int) bool {
	return k1 > 0 && float64(k1)*float64(n2) >= stampingTimes*float64(k2)*float64(n1)
}
