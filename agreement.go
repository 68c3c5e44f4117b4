package hitl

// Figure is a statistic with its interval. What cannot be computed says why, and is never NaN.
type Figure struct {
	Value     *float64 `json:"value"`               // nil: undefined
	Low       *float64 `json:"low,omitempty"`       // of the 95% interval; nil: there is none
	High      *float64 `json:"high,omitempty"`      // likewise
	Undefined string   `json:"undefined,omitempty"` // why there is no value: UndefinedPairs or UndefinedCategory
}

// Why a figure of agreement is undefined.
const (
	UndefinedPairs    = "no_pairs"     // no review has two verdicts
	UndefinedCategory = "one_category" // all verdicts give one label: nothing says how much agreement chance would give
)

// Agreement says how far the verdicts of panels in one queue agree.
type Agreement struct {
	Queue     string      `json:"queue"`
	Reviews   int         `json:"reviews"`   // with two verdicts or more
	Verdicts  int         `json:"verdicts"`  // on those: the pairable values
	Reviewers int         `json:"reviewers"` // who gave them
	Raw       Figure      `json:"raw"`       // mean share of agreeing pairs
	Alpha     Figure      `json:"alpha"`     // Krippendorff's, for nominal data
	AC1       Figure      `json:"ac1"`       // Gwet's
	Confused  []Confusion `json:"confused"`  // the pairs of labels that reviewers disagree about most, most first
}

// Confusion is a pair of labels that different reviewers gave the same review.
type Confusion struct {
	Labels [2]string `json:"labels"` // in alphabetical order
	Pairs  int       `json:"pairs"`  // of reviewers who disagreed so
}
