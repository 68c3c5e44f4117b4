package hitl

import (
	"errors"
	"testing"
	"time"
)

func TestCheckKey(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		source string
		rights []Right
		field  string // of the mistake; empty: none
	}{
		"both":              {"shop", []Right{RightSubmit, RightRead}, ""},
		"read":              {"shop", []Right{RightRead}, ""},
		"admin":             {"", []Right{RightAdmin}, ""},
		"admin of a source": {"shop", []Right{RightAdmin}, "source"},
		"no source":         {"", []Right{RightSubmit}, "source"},
		"no rights":         {"shop", nil, "rights"},
		"admin and more":    {"", []Right{RightAdmin, RightSubmit}, "rights"},
		"unknown":           {"shop", []Right{"write"}, "rights"},
		"twice":             {"shop", []Right{RightRead, RightRead}, "rights"},
	} {
		err := CheckKey(test.source, test.rights)
		var invalid *InvalidError
		if errors.As(err, &invalid) != (test.field != "") || invalid != nil && invalid.Field != test.field {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestKey(t *testing.T) {
	t.Parallel()
	admin, both := Key{Rights: []Right{RightAdmin}}, Key{Source: "shop", Rights: []Right{RightSubmit, RightRead}}
	if !admin.May(RightRead) || admin.May(RightSubmit) || !both.May(RightSubmit) || !both.May(RightRead) || both.May(RightAdmin) || (Key{}).May(RightRead) {
		t.Error("rights are not what they say")
	}
	end := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	limited := Key{ExpiresAt: end}
	if limited.Expired(end.Add(-1)) || !limited.Expired(end) || (Key{}).Expired(end) {
		t.Error("a key ends at another time than it says")
	}
	const abc = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" // FIPS 180-2
	if h := HashKey("abc"); h.String() != abc || h.Hint() != "sha256:ba7816bf…" {
		t.Errorf("hash %s, hint %s", h, h.Hint())
	}
}
