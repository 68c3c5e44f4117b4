package learn

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"hitl"
	"hitl/deploy/local/localtest"
)

// ratingsOf reads a table as papers print it: a line for each rater, a column for each unit, "." for none.
func ratingsOf(table string) []Rating {
	var out []Rating
	for rater, line := range strings.Split(strings.TrimSpace(table), "\n") {
		for unit, label := range strings.Fields(line) {
			if label != "." {
				out = append(out, Rating{Unit: fmt.Sprintf("u%05d", unit), Rater: fmt.Sprint("r", rater), Label: label})
			}
		}
	}
	return out
}

// units repeats a column of labels, one for each rater.
func units(n int, labels string) []string { return slices.Repeat([]string{labels}, n) }

func columns(cols ...[]string) string {
	all := slices.Concat(cols...)
	var rows []string
	for rater := range len(all[0]) {
		var row []string
		for _, c := range all {
			row = append(row, c[rater:rater+1])
		}
		rows = append(rows, strings.Join(row, " "))
	}
	return strings.Join(rows, "\n")
}

const fourCoders = `
1 2 3 3 2 1 4 1 2 . . .
1 2 3 3 2 2 4 1 2 5 . 3
. 3 3 3 2 3 4 2 2 5 1 .
1 2 3 3 2 4 4 1 2 5 1 .`

func TestAgreementAsPublished(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		table                        string
		reviews, verdicts, reviewers int
		raw, alpha, ac1              float64
	}{
		// Krippendorff 2011, section C: alpha .743. The same table is Gwet's, Handbook of Inter-Rater Reliability, 4th edition, table 2.10: percent
		// agreement .81818, AC1 .77544.
		"four coders": {fourCoders, 11, 40, 4, 0.818, 0.743, 0.775},
		// Krippendorff 2011, section A: two observers, binary data, ten units: alpha .095. By hand, AC1 is
		// (.6 - .42)/(1 - .42).
		"two observers": {"0 1 0 0 0 0 0 0 1 0\n1 1 1 0 0 1 0 0 0 0", 10, 20, 2, 0.6, 0.095, 0.310},
		// Gwet 2002, Kappa statistic is not satisfactory: 118 of 125 subjects agreed on, AC1 .941 where kappa is -.023. By hand, alpha is
		// 1 - (7/125)/(1 - (243·242 + 7·6)/(250·249)) = -.0247.
		"one label nearly always": {columns(units(118, "++"), units(5, "+-"), units(2, "-+")), 125, 250, 2, 0.944, -0.025, 0.941},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := Agreement(ratingsOf(tc.table), 1)
			if got.Reviews != tc.reviews || got.Verdicts != tc.verdicts || got.Reviewers != tc.reviewers {
				t.Errorf("%d reviews, %d verdicts, %d reviewers", got.Reviews, got.Verdicts, got.Reviewers)
			}
			for _, f := range []struct {
				name string
				got  hitl.Figure
				want float64
			}{{"raw", got.Raw, tc.raw}, {"alpha", got.Alpha, tc.alpha}, {"ac1", got.AC1, tc.ac1}} {
				switch {
				case f.got.Value == nil:
					t.Errorf("%s is undefined: %s", f.name, f.got.Undefined)
				case math.Abs(*f.got.Value-f.want) > 0.0006:
					t.Errorf("%s is %.5f, published is %.3f", f.name, *f.got.Value, f.want)
				case f.got.Low == nil || *f.got.Low > *f.got.Value || *f.got.High < *f.got.Value:
					t.Errorf("%s is %.3f, its interval %v", f.name, *f.got.Value, f.got)
				}
			}
		})
	}
}

// What cannot be computed says so, and why.
func TestAgreementUndefined(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ table, raw, alpha, ac1 string }{
		"nothing":               {"", hitl.UndefinedPairs, hitl.UndefinedPairs, hitl.UndefinedPairs},
		"one rater":             {"a b a", hitl.UndefinedPairs, hitl.UndefinedPairs, hitl.UndefinedPairs},
		"nobody saw the same":   {"a .\n. b", hitl.UndefinedPairs, hitl.UndefinedPairs, hitl.UndefinedPairs},
		"one category":          {"a a a\na a a", "", hitl.UndefinedCategory, hitl.UndefinedCategory},
		"one category in pairs": {"a a b\na a .", "", hitl.UndefinedCategory, ""},
	} {
		got := Agreement(ratingsOf(tc.table), 1)
		for _, f := range []struct {
			what string
			got  hitl.Figure
			want string
		}{{"raw", got.Raw, tc.raw}, {"alpha", got.Alpha, tc.alpha}, {"ac1", got.AC1, tc.ac1}} {
			if f.got.Undefined != f.want || (f.got.Value == nil) != (f.want != "") || f.got.Value != nil && math.IsNaN(*f.got.Value) {
				t.Errorf("%s: %s is %+v, want %q", name, f.what, f.got, f.want)
			}
			if f.got.Low != nil {
				t.Errorf("%s: %s has an interval", name, f.what)
			}
		}
	}
}

func TestConfusions(t *testing.T) {
	t.Parallel()
	got := Agreement(ratingsOf("b a a\na a c\na a b"), 1).Confused
	want := []hitl.Confusion{{Labels: [2]string{"a", "b"}, Pairs: 3}, {Labels: [2]string{"a", "c"}, Pairs: 1}, {Labels: [2]string{"b", "c"}, Pairs: 1}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	var many []Rating
	for i := range 30 {
		many = append(many, Rating{"u", fmt.Sprint(i), fmt.Sprint(i)})
	}
	if got := Agreement(many, 1).Confused; len(got) != maxConfusions {
		t.Errorf("%d pairs are named", len(got))
	}
}

// The same ratings in any order, under any names, and with anything said twice, agree the same; a seed gives the same intervals.
func TestAgreementProperties(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		ratings := rapid.SliceOfNDistinct(rapid.Custom(func(t *rapid.T) Rating {
			return Rating{
				fmt.Sprint(rapid.IntRange(0, 8).Draw(t, "unit")), fmt.Sprint(rapid.IntRange(0, 4).Draw(t, "rater")),
				rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "label"),
			}
		}), 0, 40, func(r Rating) [2]string { return [2]string{r.Unit, r.Rater} }).Draw(t, "ratings")
		want := Agreement(ratings, 7)
		for _, f := range []hitl.Figure{want.Raw, want.Alpha, want.AC1} {
			if f.Value != nil && (math.IsNaN(*f.Value) || *f.Value > 1+1e-9) {
				t.Errorf("%v", *f.Value)
			}
		}
		other := rapid.Permutation(ratings).Draw(t, "other")
		for _, r := range slices.Clone(other) {
			other = append(other, Rating{r.Unit, r.Rater, "z"}) // not the first
		}
		if diff := cmp.Diff(want, Agreement(other, 7)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

// An interval covers the truth about as often as it says, and gets narrower with more items.
func TestIntervalCovers(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(11, 0)) //nolint:gosec // repeatable
	// Two raters who each say the truth, of two even labels, with probability p: they agree with p² + (1-p)².
	const p = 0.9
	truth := p*p + (1-p)*(1-p)
	covered, rounds, width := 0, 200, 0.0
	for seed := range rounds {
		var ratings []Rating
		for i := range 150 {
			right := random.IntN(2)
			for rater := range 2 {
				said := right
				if random.Float64() > p {
					said = 1 - right
				}
				ratings = append(ratings, Rating{fmt.Sprint(i), fmt.Sprint(rater), fmt.Sprint(said)})
			}
		}
		raw := Agreement(ratings, uint64(seed)).Raw
		width += *raw.High - *raw.Low
		if *raw.Low <= truth && truth <= *raw.High {
			covered++
		}
	}
	if covered < 180 {
		t.Errorf("%d of %d intervals hold the truth", covered, rounds)
	}
	if w := width / float64(rounds); math.Abs(w-2*1.96*math.Sqrt(truth*(1-truth)/150)) > 0.01 {
		t.Errorf("intervals are %.3f wide", w)
	}
}

// Other people's implementations come to the same figures, on tables of all shapes.
func TestAgreementAgainstOthers(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(5, 0)) //nolint:gosec // repeatable
	tables := map[string][][]*string{}
	ours := map[string][]Rating{}
	for i := range 60 {
		raters, labels, missing, truth := 2+random.IntN(6), 2+random.IntN(5), random.Float64()/2, random.Float64()
		name := fmt.Sprintf("%d raters, %d labels, table %d", raters, labels, i)
		for u := range 5 + random.IntN(60) {
			row := make([]*string, raters)
			right := random.IntN(labels)
			for r := range raters {
				if r > 1 && random.Float64() < missing {
					continue
				}
				said := right
				if random.Float64() > truth {
					said = random.IntN(labels)
				}
				label := string(rune('a' + said))
				row[r] = &label
				ours[name] = append(ours[name], Rating{fmt.Sprint(u), fmt.Sprint(r), label})
			}
			tables[name] = append(tables[name], row)
		}
	}
	in, err := json.Marshal(tables)
	if err != nil {
		t.Fatal(err)
	}
	cmd := localtest.Agreement(t.Context(), t, "testdata/agreement/check.py")
	var out, diagnosis bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(in), &out, &diagnosis
	if err := cmd.Run(); err != nil {
		t.Fatalf("check.py: %v\n%s", err, diagnosis.String())
	}
	var theirs map[string]struct{ Raw, Alpha, AC1 float64 }
	if err := json.Unmarshal(out.Bytes(), &theirs); err != nil {
		t.Fatalf("%v in %s", err, out.String())
	}
	if len(theirs) != len(tables) {
		t.Errorf("%d tables computed of %d", len(theirs), len(tables))
	}
	for name, want := range theirs {
		got := Agreement(ours[name], 1)
		for _, f := range []struct {
			what string
			got  hitl.Figure
			want float64
		}{{"raw", got.Raw, want.Raw}, {"alpha", got.Alpha, want.Alpha}, {"ac1", got.AC1, want.AC1}} {
			if f.got.Value == nil || math.Abs(*f.got.Value-f.want) > 1e-9 {
				t.Errorf("%s: %s is %+v, theirs %v", name, f.what, f.got, f.want)
			}
		}
	}
}

func BenchmarkAgreement(b *testing.B) {
	random := rand.New(rand.NewPCG(5, 0)) //nolint:gosec // repeatable
	var ratings []Rating
	for u := range 10000 {
		for r := range 3 {
			ratings = append(ratings, Rating{fmt.Sprint(u), fmt.Sprint(r), fmt.Sprint(random.IntN(8))})
		}
	}
	for b.Loop() {
		Agreement(ratings, 1)
	}
}
