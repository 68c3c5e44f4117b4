package learn

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

//go:embed testdata/dawidskene/recorded.json
var recordedDawidSkene []byte

// crowd-kit comes to the same labels and probabilities after as many rounds, to a millionth, and to the same labels where ours settles.
func TestDawidSkeneAgainstCrowdKit(t *testing.T) {
	t.Parallel()
	var recorded []struct {
		Votes     [][3]string
		Labels    []string
		Rounds    int
		Prior     []float64
		Truth     map[string][]float64
		Confusion [][3]json.RawMessage
	}
	if err := json.Unmarshal(recordedDawidSkene, &recorded); err != nil {
		t.Fatal(err)
	}
	if len(recorded) < 20 {
		t.Fatalf("%d tables are recorded", len(recorded))
	}
	const tolerance = 1e-6
	items, changed := 0, 0
	for i, r := range recorded {
		var ratings []Rating
		for _, v := range r.Votes {
			ratings = append(ratings, Rating{Unit: v[0], Rater: v[1], Label: v[2]})
		}
		e := newEM(ratings, 0)
		for range r.Rounds {
			e.maximize()
			e.expect()
		}
		e.maximize()
		got := e.result(0, false)
		if !slices.Equal(got.Labels, r.Labels) || len(got.Items) != len(r.Truth) {
			t.Fatalf("table %d: labels %v and %d items, recorded %v and %d", i, got.Labels, len(got.Items), r.Labels, len(r.Truth))
		}
		settledAt := DawidSkene(ratings, 0)
		for unit, want := range r.Truth {
			items++
			top := 0
			for k, p := range got.Items[unit].Probability {
				if math.Abs(p-want[k]) > tolerance {
					t.Errorf("table %d, %s: %v, recorded %v", i, unit, got.Items[unit].Probability, want)
					break
				}
				if want[k] > want[top]+tolerance {
					top = k
				}
			}
			if got.Items[unit].Label != top && want[top]-want[got.Items[unit].Label] > tolerance {
				t.Errorf("table %d, %s: label %d, recorded %v", i, unit, got.Items[unit].Label, want)
			}
			if settledAt.Items[unit].Label != top {
				changed++
			}
		}
		for k, p := range got.Prior {
			if math.Abs(p-r.Prior[k]) > tolerance {
				t.Errorf("table %d: prior %v, recorded %v", i, got.Prior, r.Prior)
			}
		}
		for _, c := range r.Confusion {
			var worker, given string
			var want []float64
			for j, into := range []any{&worker, &given, &want} {
				if err := json.Unmarshal(c[j], into); err != nil {
					t.Fatal(err)
				}
			}
			for truth, p := range want {
				// Of labels that none of a reviewer's items has, crowd-kit spreads what they give over those that they have given, ours over all.
				seen := 0.0
				for _, v := range r.Votes {
					if v[1] == worker {
						seen += r.Truth[v[0]][truth]
					}
				}
				if seen < 1e-3 {
					continue
				}
				if g := got.People[worker].Confusion[truth][slices.Index(r.Labels, given)]; math.Abs(g-p) > tolerance {
					t.Errorf("table %d: %s gives %s for %s with %v, recorded %v", i, worker, given, r.Labels[truth], g, p)
				}
			}
		}
	}
	if changed*50 > items {
		t.Errorf("%d of %d items have another label where the estimates settle", changed, items)
	}
}

func drawRatings(t *rapid.T) []Rating {
	return rapid.SliceOfNDistinct(rapid.Custom(func(t *rapid.T) Rating {
		return Rating{
			fmt.Sprint(rapid.IntRange(0, 12).Draw(t, "unit")), fmt.Sprint(rapid.IntRange(0, 4).Draw(t, "rater")),
			rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "label"),
		}
	}), 0, 50, func(r Rating) [2]string { return [2]string{r.Unit, r.Rater} }).Draw(t, "ratings")
}

// No round makes the ratings less likely, with smoothing or without; all that is estimated are probabilities; order changes nothing.
func TestDawidSkeneProperties(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		ratings, smoothing := drawRatings(t), rapid.SampledFrom([]float64{0, 0.5, 1, 3}).Draw(t, "smoothing")
		e, last := newEM(ratings, smoothing), math.Inf(-1)
		for range 30 {
			e.maximize()
			now := e.expect()
			// What is rounded up to never may cost a little.
			if now < last-1e-6 || math.IsNaN(now) {
				t.Fatalf("log-likelihood %v after %v", now, last)
			}
			last = now
		}
		got := DawidSkene(ratings, smoothing)
		distribution := func(what string, p []float64) {
			total := 0.0
			for _, v := range p {
				if total += v; !(v >= 0 && v <= 1+1e-9) {
					t.Errorf("%s: %v", what, p)
				}
			}
			if math.Abs(total-1) > 1e-6 {
				t.Errorf("%s: %v", what, p)
			}
		}
		for unit, truth := range got.Items {
			distribution(unit, truth.Probability)
		}
		for rater, r := range got.People {
			for _, row := range r.Confusion {
				distribution(rater, row)
			}
			if r.Items == 0 || r.Reliability < 0 || r.Reliability > 1+1e-6 {
				t.Errorf("%s: %+v", rater, r)
			}
		}
		other := rapid.Permutation(ratings).Draw(t, "other")
		if diff := cmp.Diff(got, DawidSkene(other, smoothing)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

// Of reviewers with known error rates, the estimates are near them, and truer than the majority.
func TestDawidSkeneFindsWhoErrs(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(21, 0)) //nolint:gosec // repeatable
	skill := map[string]float64{"ana": 0.97, "ben": 0.9, "cem": 0.6, "dia": 0.55, "eva": 0.5}
	labels := []string{"a", "b", "c"}
	truth := map[string]string{}
	majority := map[string]map[string]int{}
	var ratings []Rating
	for i := range 600 {
		unit, right := fmt.Sprint(i), random.IntN(3)
		truth[unit], majority[unit] = labels[right], map[string]int{}
		for _, who := range []string{"ana", "ben", "cem", "dia", "eva"} {
			said := right
			if random.Float64() > skill[who] {
				said = (right + 1 + random.IntN(2)) % 3
			}
			ratings = append(ratings, Rating{unit, who, labels[said]})
			majority[unit][labels[said]]++
		}
	}
	got := DawidSkene(ratings, 1)
	if !got.Converged {
		t.Error("the estimates did not settle")
	}
	for who, want := range skill {
		if r := got.People[who]; r.Items != 600 || math.Abs(r.Reliability-want) > 0.05 {
			t.Errorf("%s: %d items, reliability %.3f, truth %.2f", who, r.Items, r.Reliability, want)
		}
	}
	right, byMajority := 0, 0
	for unit, label := range truth {
		if got.Labels[got.Items[unit].Label] == label {
			right++
		}
		most := true
		for other, n := range majority[unit] {
			most = most && (other == label || n < majority[unit][label])
		}
		if most {
			byMajority++
		}
	}
	if right <= byMajority || right < 560 {
		t.Errorf("%d of 600 labels are right, %d by majority", right, byMajority)
	}
}

func TestDawidSkeneOfNothing(t *testing.T) {
	t.Parallel()
	for name, ratings := range map[string][]Rating{"nothing": nil, "alone": {{"u", "ana", "a"}}, "twice by one": {{"u", "ana", "a"}, {"u", "ana", "b"}}} {
		if got := DawidSkene(ratings, 1); len(got.Items) != 0 || len(got.People) != 0 || !got.Converged {
			t.Errorf("%s: %+v", name, got)
		}
	}
}
