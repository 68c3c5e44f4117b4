package main

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"hitl/classifier/learn"
)

// Whoever goes against two colleagues that agree is told from them, once there is enough; queues do not mix.
func TestReliabilities(t *testing.T) {
	t.Parallel()
	queues := map[string][]learn.Rating{}
	judge := func(queue string, items int, say func(i int) map[string]string) {
		for i := range items {
			for who, label := range say(i) {
				queues[queue] = append(queues[queue], learn.Rating{Unit: fmt.Sprint(queue, i), Rater: who, Label: label})
			}
		}
	}
	judge("support", 30, func(i int) map[string]string {
		right, wrong := []string{"bug", "praise"}[i%2], []string{"praise", "bug"}[i%2]
		if i%3 > 0 {
			wrong = right
		}
		return map[string]string{"T/ANA": right, "T/BEN": right, "T/CEM": wrong}
	})
	judge("legal", fewestOverlaps-1, func(int) map[string]string { return map[string]string{"T/DIA": "yes", "T/ANA": "yes"} })
	got := combineReliabilities(queues)
	if len(got) != 4 || got[0].Reviewer != "T/ANA" || got[0].Items != 30+fewestOverlaps-1 || got[3].Reviewer != "T/DIA" {
		t.Fatalf("%+v", got)
	}
	if got[3].Estimate != nil {
		t.Errorf("of too few: %v", *got[3].Estimate)
	}
	for i, bounds := range [][2]float64{{0.9, 1}, {0.9, 1}, {0.55, 0.75}} {
		if e := got[i].Estimate; e == nil || *e < bounds[0] || *e > bounds[1] {
			t.Errorf("%s: %+v", got[i].Reviewer, got[i])
		}
	}
	var out bytes.Buffer
	if err := printReliabilities(&out, got); err != nil {
		t.Fatal(err)
	}
	for _, words := range []string{"T/CEM", "30", "too few overlapping reviews", "For advice"} {
		if !strings.Contains(out.String(), words) {
			t.Errorf("%q is not in %s", words, out.String())
		}
	}
	out.Reset()
	if err := printReliabilities(&out, nil); err != nil || out.Len() > 0 {
		t.Errorf("without panels: %s, %v", out.String(), err)
	}
}
