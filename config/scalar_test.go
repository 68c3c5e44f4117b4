package config

import (
	"testing"
	"time"
)

func TestDurationsAndSizes(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]time.Duration{
		"0": 0, "90s": 90 * time.Second, "7d": 7 * 24 * time.Hour, "2w": 14 * 24 * time.Hour, "1w2d3h4m": (9*24+3)*time.Hour + 4*time.Minute,
		"1.5h": 90 * time.Minute, "0s": 0,
	} {
		if got, err := parseDuration(in); err != nil || got != want {
			t.Errorf("parseDuration(%q) = %v, %v; want %v", in, got, err, want)
		}
	}
	for _, in := range []string{"", "5", "d", "1.5d", "1d2w", "-1s", "5 m", "99999999999h", "9999w99999d2540400h"} {
		if got, err := parseDuration(in); err == nil {
			t.Errorf("parseDuration(%q) = %v", in, got)
		}
	}
	for in, want := range map[string]Bytes{"0": 0, "1": 1, "2MiB": 2 << 20, "3 KiB": 3 << 10, "1GiB": 1 << 30} {
		got, err := parseBytes(in)
		if err != nil || got != want {
			t.Errorf("parseBytes(%q) = %v, %v; want %v", in, got, err, want)
		}
		if back, err := parseBytes(got.String()); err != nil || back != got {
			t.Errorf("%v does not read back: %v", got, err)
		}
	}
	for _, in := range []string{"", "-1", "1MB", "1.5MiB", "MiB", "99999999999GiB"} {
		if got, err := parseBytes(in); err == nil {
			t.Errorf("parseBytes(%q) = %v", in, got)
		}
	}
}

func TestKeyHash(t *testing.T) {
	t.Parallel()
	h := mustParse(t, minimal).Sources["orders"].Auth.Bearer[0]
	if got, err := parseKeyHash(h.String()); err != nil || got != h {
		t.Errorf("%v does not read back: %v, %v", h, got, err)
	}
}
