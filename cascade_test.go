package hitl

import "testing"

func TestCascadeOfAStage(t *testing.T) {
	t.Parallel()
	c := NewCascade("sha256:s", 0.97, "sha256:l")
	for _, l := range []struct {
		Labelled
		small bool
		large string
		judge string
	}{
		{Labelled{Model: c.Small, Stage: c.Before()}, true, c.Large, c.String()},
		{Labelled{Model: c.Large, Stage: c.After()}, false, c.Large, c.String()},
		{Labelled{Model: c.Large}, false, c.Large, c.Large},
		{Labelled{}, false, "", ""},
	} {
		if l.Small() != l.small || l.LargeModel() != l.large || l.Judge() != l.judge {
			t.Errorf("%q of %q: small %v, large %q, judge %q", l.Stage, l.Model, l.Small(), l.LargeModel(), l.Judge())
		}
	}
	if other := NewCascade("sha256:s", 0.98, "sha256:l"); other.String() == c.String() || c.String() != "sha256:s at 0.97, then sha256:l" || (Cascade{}).String() != "" {
		t.Errorf("%q, %q", c, other)
	}
}
